"""What a repair is: parameters that are fitted on a development split, and a frozen result that is applied.

`with fitted.applied(vlm): ...` holds for every call of the model inside the context, `generate` and a Hugging Face
pipeline among them, and is undone on exit, also after an error. Repairs nest; two that act on one site in an order that
matters are refused, since which one a user means nobody knows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, Literal
from weakref import WeakKeyDictionary

from torch import Tensor, nn

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.models.families.common import demand
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, SiteName
from backsight.models.vlm import VLM

CLOSE = 1e-6  # of the larger entry: maps whose orders differ by less are the same map


@dataclass(frozen=True)
class Affine:
    """A map of image embeddings (image_token, d_model): e -> e @ matrix + shift.

    `matrix` (d_model, d_model), `shift` (d_model,), both float32.
    """

    matrix: Tensor
    shift: Tensor

    def __call__(self, states: Tensor) -> Tensor:
        """The mapped states, in their own dtype."""
        matrix, shift = self.matrix.to(states.device), self.shift.to(states.device)
        return (states.float() @ matrix + shift).to(states.dtype)

    def then(self, other: Affine) -> Affine:
        """This map and behind it another one, as one."""
        return Affine(self.matrix @ other.matrix, self.shift @ other.matrix + other.shift)

    def commutes(self, other: Affine) -> bool:
        """Whether both orders are the same map."""
        one, two = self.then(other), other.then(self)
        return _near(one.matrix, two.matrix) and _near(one.shift, two.shift)


def _near(one: Tensor, two: Tensor) -> bool:
    scale = max(float(one.abs().max()), float(two.abs().max()), 1e-12)
    return float((one - two).abs().max()) <= CLOSE * scale


@dataclass(frozen=True)
class Fitted(ABC):
    """A repair with everything chosen. Frozen: the same object gives the same answers.

    `name` is the repair's, as in `REPAIRS`. `sites` are where it acts: sites of a model, or `logits`, what a call
    gives. `group` names the kind of change: where two act on one site, those of one group may come in any order.
    `requires` names the capabilities of an architecture without which it cannot be applied, `passes` how many forward
    passes of the model a question takes with it. `needs_boxes` says that it is told where things are, and so is an
    upper bound.
    """

    name: ClassVar[str]
    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ()
    requires: ClassVar[frozenset[str]] = frozenset()
    passes: ClassVar[float] = 1.0
    needs_boxes: ClassVar[bool] = False

    @property
    def group(self) -> str | None:
        """The kind of change that may come before or behind another one of its kind; None where order matters."""
        return None

    def check(self, vlm: VLM) -> None:
        """CannotAnswer where a model cannot take it."""
        demand(vlm.family, self.requires)

    def ready(self, vlm: VLM, examples: Sequence[Example]) -> None:
        """CannotAnswer where some questions cannot be asked with it; nothing of the model runs."""
        self.check(vlm)

    @abstractmethod
    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """The edits of a model that it consists of; `batch` is what will be asked, where it `needs_boxes`."""

    @abstractmethod
    def control(self, seed: int) -> Fitted:
        """The same change with chance in place of what makes it a repair, such as directions sampled at random."""

    def affine(self, width: int) -> Affine | None:
        """The map of image embeddings of some width that it is; None where it is no affine map of them."""
        return None

    def tensors(self) -> dict[str, Tensor]:
        """What a file keeps of it as tensors, by the names of its fields."""
        return {name: value for name, value in vars(self).items() if isinstance(value, Tensor)}

    def settings(self) -> dict[str, Any]:
        """What a file keeps of it as JSON, by the names of its fields."""
        return {name: value for name, value in vars(self).items() if not isinstance(value, Tensor)}

    @classmethod
    def rebuilt(cls, tensors: Mapping[str, Tensor], settings: Mapping[str, Any]) -> Fitted:
        """The repair that `tensors` and `settings` were taken of."""
        return cls(**tensors, **settings)

    def applied(self, vlm: VLM, batch: Batch | None = None) -> AbstractContextManager[None]:
        """A context in which the model is repaired.

        UsageError where another repair is open there and the order of both matters, or where it needs boxes and no
        batch is given; CannotAnswer where the architecture cannot take it.
        """
        return _applied(self, vlm, batch)

    def entered(self, vlm: VLM, batch: Batch | None) -> AbstractContextManager[None]:
        """What `applied` opens: the edits."""
        return vlm.editing(*self.edits(vlm, batch))


class Repair(ABC):
    """Parameters of a repair: a frozen dataclass. `fit` chooses all that is to be chosen on a development split."""

    name: ClassVar[str]

    @abstractmethod
    def fit(self, vlm: VLM, examples: ExampleSet) -> Fitted:
        """The repair fitted on examples that it will not be scored on; UsageError where there are none."""


_OPEN: WeakKeyDictionary[nn.Module, list[Fitted]] = WeakKeyDictionary()


@contextmanager
def _applied(fitted: Fitted, vlm: VLM, batch: Batch | None) -> Iterator[None]:
    fitted.check(vlm)
    if fitted.needs_boxes and batch is None:
        raise UsageError(
            "This repair is told where things are, and needs the questions", got=f"{fitted.name} without a batch",
            do="give the prepared batch: applied(vlm, batch)",
        )  # fmt: skip
    opened = _OPEN.setdefault(vlm.model, [])
    for other in opened:
        refuse(other, fitted, int(vlm.model.get_input_embeddings().weight.shape[1]))
    with ExitStack() as stack:
        stack.enter_context(fitted.entered(vlm, batch))
        opened.append(fitted)
        stack.callback(opened.remove, fitted)
        yield


def refuse(one: Fitted, other: Fitted, width: int) -> None:
    """UsageError where two repairs act on one site and the order of both matters, or where one is told the boxes of
    pictures that the other one turns."""
    voted, with_boxes = ("logits" in fitted.sites for fitted in (one, other)), (one.needs_boxes, other.needs_boxes)
    if any(voted) and any(with_boxes):
        raise UsageError(
            "One repair is told where things are, and the other one asks about another picture",
            got=f"{one.name}, then {other.name}", do="apply one of them",
        )  # fmt: skip
    shared = sorted(set(one.sites) & set(other.sites))
    if not shared or (one.group is not None and one.group == other.group):
        return
    maps = one.affine(width), other.affine(width)
    if maps[0] is not None and maps[1] is not None and maps[0].commutes(maps[1]):
        return
    raise UsageError(
        "Two repairs act on one site, and their order matters",
        where=", ".join(shared), got=f"{one.name}, then {other.name}", do="apply one of them, or one after the other",
    )  # fmt: skip


__all__ = ["Affine", "Fitted", "Repair", "refuse"]
