"""What a control is: a measurement, a model on which it must fire, one on which it must not, and how both are judged.

A known answer is known by how a model was made, not by looking at it with the measurement that it is to prove.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from backsight import stimuli
from backsight.errors import UsageError
from backsight.measurements.base import Measurement
from backsight.models import by_hand
from backsight.selftest import lookup
from backsight.tables import Table

if TYPE_CHECKING:
    from backsight.examples import ExampleSet
    from backsight.models.vlm import VLM

Size = Literal["small", "full"]
SIZES: dict[Size, dict[str, int]] = {
    "small": {"pairs": 24, "rows": 48, "pictures": 64, "scenes": 12, "repaired": 60},
    "full": {"pairs": 100, "rows": 240, "pictures": 112, "scenes": 40, "repaired": 120},
}
Power = dict[str, Any]  # model, layer, share, pairs


class Seen(NamedTuple):
    """What a measurement showed on both sides of a control, in words, and whether it is what is known."""

    fired: str
    fires: bool
    did: str
    silent: bool
    power: tuple[Power, ...] = ()


@dataclass(frozen=True)
class Control:
    """A known answer of one measurement.

    `measurement` is the name of its result, `about` what of it is controlled. `must_fire` and `must_not` say on which
    model and where; `models` are the built-in models that `judge` opens. UsageError for a control that names no known
    answer on either side: what fires everywhere, or nowhere, would pass it.
    """

    measurement: str
    about: str
    must_fire: str
    must_not: str
    judge: Callable[[Bench], Seen]
    models: tuple[str, ...] = ()
    sizes: tuple[Size, ...] = ("small", "full")

    def __post_init__(self) -> None:
        for name in ("must_fire", "must_not"):
            if not getattr(self, name).strip():
                raise UsageError(
                    "A control needs a known answer on both sides", where=f"control of {self.measurement}",
                    got=f"no {name}", do="name a model on which it must fire and one on which it must not",
                )  # fmt: skip


@dataclass
class Bench:
    """The models and rows of one run, each opened and measured once.

    `folders` are checkpoints to take in place of built-in models, by name. `count` gives the samples of a kind.
    """

    size: Size = "small"
    folders: Mapping[str, Path] = field(default_factory=dict)
    _models: dict[str, VLM] = field(default_factory=dict)
    _tables: dict[tuple[object, ...], Table] = field(default_factory=dict)

    def count(self, kind: str) -> int:
        """How many pairs, questions about rows, pictures to probe, scenes, or scenes to repair are taken."""
        return SIZES[self.size][kind]

    def builtin(self, name: str) -> VLM:
        """A built-in model, or the checkpoint that stands for it."""
        from backsight.models.opening import load

        if name not in self._models:
            self._models[name] = load(self.folders.get(name, f"builtin:{name}"), device="cpu")
        return self._models[name]

    def lookup(self, evidence: by_hand.Evidence = "subject", **more: float) -> VLM:
        """A model whose weights are set by hand: `selftest.lookup`."""
        key = f"lookup {evidence} {sorted(more.items())}"
        if key not in self._models:
            self._models[key] = lookup.lookup(evidence, **more)
        return self._models[key]

    def rows(self, vlm: VLM, measurement: Measurement, samples: ExampleSet, count: int) -> Table:
        """The rows of a measurement on the first samples of a set, or on the pairs that it is made of."""
        key = (id(vlm), repr(measurement), samples.name, count)
        if key not in self._tables:
            kind = measurement.pair_kind
            asked = samples.limit(count) if kind is None else samples.pairs(kind).limit(count)
            self._tables[key] = measurement(vlm, asked)
        return self._tables[key]

    def squares(self, vlm: VLM) -> ExampleSet:
        """Squares for a model's grid."""
        return stimuli.squares(vlm.grid)

    def close(self) -> None:
        """Give the models back."""
        for vlm in self._models.values():
            vlm.close()
        self._models.clear()


def reading_layer(vlm: VLM) -> int:
    """The layer S of a staged model, by its configuration: as many sliding layers as stand below all full ones.

    UsageError for a model that is not built so: it names no layer, so nothing is known of it.
    """
    kinds: Sequence[str] = getattr(vlm.model.config.get_text_config(), "layer_types", None) or ()
    sliding = next((i for i, kind in enumerate(kinds) if kind != "sliding_attention"), len(kinds))
    if not 0 < sliding < len(kinds) or "sliding_attention" in kinds[sliding:]:
        raise UsageError(
            "This model has no known answer: its construction names no layer at which order is read",
            where=vlm.name, got=", ".join(kinds) or "no kinds of layers",
            do="give a model of sliding layers below and full layers above, as `train staged` makes",
        )  # fmt: skip
    return sliding


def layers(spans: str) -> set[int]:
    """The layers of spans as "2-4, 6"."""
    parts = [part.split("-") for part in spans.replace(" ", "").split(",") if part]
    return {layer for part in parts for layer in range(int(part[0]), int(part[-1]) + 1)}
