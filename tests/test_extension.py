"""What a user adds without touching the package: a measurement, a data set and a family, run in one study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from backsight.errors import CannotAnswer
from backsight.examples import Example, ExampleSet, MemoryPicture, Pair, PairSet
from backsight.measurements import Behaviour, Measurement
from backsight.models.families import FAMILIES, Family
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID
from backsight.models.opening import load
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.studies import Options, Study
from backsight.tables import Schema, Table
from backsight.training.questions import corpus

NORMS = Schema("norms", {"example_id": "str", "sample": "int", "layer": "int", "norm": "float", "rises": "bool"})
SWAPS = Schema("swaps", {"pair_id": "str", "difference": "float"})


@dataclass(frozen=True)
class Norms(Measurement):
    """The norm of the last position, layer by layer, as numbers of numpy and torch."""

    schema: ClassVar[Schema] = NORMS

    batch: int = 2
    layers: tuple[int, ...] = (0, 2)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[dict[str, Any]]:
        with vlm.recording("resid_pre", layers=self.layers, positions="last") as seen:
            vlm.forward(vlm.prepare(samples))
        found = []
        for i, example in enumerate(samples):
            for layer in self.layers:
                norm = seen["resid_pre", layer][i].norm()
                one = {"example_id": example.id, "sample": np.int64(7), "layer": layer, "norm": norm.numpy()[()]}
                found.append(one | {"rises": np.bool_(norm > 1)})
        return found


@dataclass(frozen=True)
class Swaps(Measurement):
    """How far the answers to a question and to its mirror image lie apart."""

    schema: ClassVar[Schema] = SWAPS
    pair_kind: ClassVar[str | None] = "mirrored"

    def rows(self, vlm: VLM, samples: Sequence[Pair]) -> list[dict[str, Any]]:
        one = vlm.forward(vlm.prepare([p.clean for p in samples]))
        other = vlm.forward(vlm.prepare([p.counterfactual for p in samples]))
        return [
            {"pair_id": p.id, "difference": float((a - b).abs().max())}
            for p, a, b in zip(samples, one, other, strict=True)
        ]


def mirrored(examples: ExampleSet) -> PairSet:
    """Each example with its picture mirrored."""
    found = []
    for e in examples:
        other = replace(e, id=f"{e.id}-m", picture=MemoryPicture(e.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)))
        found.append(Pair(f"{e.id}-pair", e, other, {"clean": e.answer}, frozenset({"picture"})))
    return PairSet(f"{examples.name}/mirrored", tuple(found), "mirrored")


def halves() -> ExampleSet:
    """Pictures of which one half is red, asked which."""
    items = []
    for number, side in enumerate(("left", "right", "left")):
        image = Image.new("RGB", (168, 168), (255, 255, 255))
        image.paste((200, 20 * number, 0), (0, 0, 84, 168) if side == "left" else (84, 0, 168, 168))
        items.append(Example(f"half-{number}", MemoryPicture(image), "Which half is red?", ("left", "right"), side))
    return ExampleSet("halves", tuple(items), pair_makers={"mirrored": mirrored})


@pytest.fixture
def vlm() -> VLM:
    """A model of a type that the package does not know, under a family row of one's own."""
    model, processor = tiny("qwen2_vl", corpus())
    model.config.model_type = "my_vl"
    row: Family = replace(FAMILIES["qwen2_vl"], model_type="my_vl", name="My-VL")
    return VLM(model, processor, name="mine", family=row)


def test_a_study_of_things_of_ones_own(vlm: VLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    measurements = [Behaviour(), Norms(), Swaps()]
    out = Study(vlm, [halves()], tmp_path / "out", Options(), measurements).run()
    norms = Table.read(out / "tables" / "norms.halves.parquet")
    assert norms.schema == NORMS
    assert norms.provenance["measurement"] == "Norms(batch=2, max_samples=None, layers=(0, 2))"
    assert [(r["example_id"], r["layer"], r["sample"]) for r in norms.rows()] == [
        (f"half-{n}", layer, 7) for n in range(3) for layer in (0, 2)
    ]
    swaps = Table.read(out / "tables" / "swaps.halves.parquet").rows()
    assert [r["pair_id"] for r in swaps] == [f"half-{n}-pair" for n in range(3)]
    assert all(r["difference"] > 0 for r in swaps)
    page = write_report(out).read_text()
    assert "My-VL" in page and "norms.halves" in page

    again = tmp_path / "again"
    whole, calls = Norms.rows, []

    def rows(self: Norms, vlm: VLM, samples: Sequence[Example]) -> list[dict[str, Any]]:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(self, vlm, samples)

    monkeypatch.setattr(Norms, "rows", rows)
    with pytest.raises(KeyboardInterrupt):
        Study(vlm, [halves()], again, Options(), measurements).run()
    Study(vlm, [halves()], again, Options(), measurements).run()
    assert len(calls) == 3
    for path in (out / "tables").glob("*.parquet"):
        assert (again / "tables" / path.name).read_bytes() == path.read_bytes()


def test_a_checkpoint_opens_under_a_family_of_ones_own(tiny_checkpoint: Path) -> None:
    family = replace(FAMILIES["qwen2_vl"], name="My-VL", capabilities=FAMILIES["qwen2_vl"].capabilities - {ONE_GRID})
    vlm = load(tiny_checkpoint, device="cpu", family=family)
    assert vlm.family is family and "My-VL" in repr(vlm)
    assert [f.name for f in vlm.findings if not f.passed] == []


def test_a_measurement_of_ones_own_says_what_it_requires(tiny_vlm: VLM, vlm: VLM) -> None:
    @dataclass(frozen=True)
    class Rows(Norms):
        requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID, ENTERS_ONCE})

    assert len(Rows(layers=(1,))(tiny_vlm, halves())) == 3
    lacking = replace(vlm.family, capabilities=vlm.family.capabilities - {ENTERS_ONCE})
    deep = VLM(vlm.model, vlm.processor, family=lacking, check=False)
    with pytest.raises(CannotAnswer, match="Vision features enter between the decoder's blocks too") as caught:
        Rows(layers=(1,))(deep, halves())
    assert caught.value.got == "My-VL"


def test_a_measurement_of_ones_own_is_called_as_any_other(vlm: VLM) -> None:
    seen: list[tuple[int, int]] = []
    table = Norms(layers=(1,))(vlm, halves(), progress=lambda done, total: seen.append((done, total)))
    assert len(table) == 3 and seen == [(2, 3), (3, 3)]
