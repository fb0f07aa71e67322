"""The last linear layer in front of the image embeddings: where an affine map of them can be folded in."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import Tensor, nn

from backsight.errors import CannotAnswer
from backsight.models.additions import ProjectorNorm, carried
from backsight.models.families import Family


class LastLayer(NamedTuple):
    """x -> x @ weight.T + bias of a Linear, or x -> x @ weight where `by_column`; `name` is its path in the model."""

    name: str
    weight: Tensor
    bias: Tensor | None
    by_column: bool

    @property
    def width(self) -> int:
        """How many values an image embedding has, d_model."""
        return int(self.weight.shape[1 if self.by_column else 0])


def last_layer(model: Any, family: Family) -> LastLayer:
    """The last linear layer of a model's projector; CannotAnswer where there is none of weights that can be changed."""
    if family.projector is None:
        raise CannotAnswer(
            "No linear layer is known to be the last of this architecture's projector",
            got=family.name, do="name its path in the family (`projector`), if there is one with nothing behind it",
        )  # fmt: skip
    behind = [name for name, of in carried(model.config).items() if of["kind"] == ProjectorNorm.kind]
    if behind:
        raise CannotAnswer(
            "A norm stands behind the last layer of the projector, so nothing folds into it",
            where=family.projector, got=f"the checkpoint's addition {behind[0]!r}", do="apply the repair in memory",
        )  # fmt: skip
    path, _, name = family.projector.rpartition(".")
    try:
        layer = getattr(model.get_submodule(path), name)
    except AttributeError:
        layer = None
    weight = getattr(layer, "weight", None) if isinstance(layer, nn.Linear) else layer
    if not isinstance(weight, nn.Parameter) or weight.dim() != 2 or not weight.is_floating_point():
        raise CannotAnswer(
            "The last layer of the projector is no plain linear layer",
            where=family.projector, got=type(layer).__name__ if layer is not None else "nothing is there",
            do="open the model with its own weights, neither quantized nor wrapped by an adapter",
        )  # fmt: skip
    linear = isinstance(layer, nn.Linear)
    return LastLayer(family.projector, weight, layer.bias if linear else None, by_column=not linear)
