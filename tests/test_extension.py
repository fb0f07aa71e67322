"""What a user adds without touching the package: a measurement, a data set and a family, run in one study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

import backsight
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture, Pair, PairSet
from backsight.measurements import MEASUREMENTS, Behaviour, Measurement
from backsight.models.families import FAMILIES, Family
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID
from backsight.models.opening import load
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.results import RESULTS, Result
from backsight.studies import Options, Study
from backsight.studies.compare import compare
from backsight.tables import Schema, Table
from backsight.training.questions import corpus

ROOT = Path(backsight.__file__).parent
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


def halves(count: int = 3) -> ExampleSet:
    """Pictures of which one half is red, asked which."""
    items = []
    for number, side in enumerate(("left", "right", "left") * (count // 3)):
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


RESULT_FILE = '''
"""How often each half is said, and what is made of it."""
from matplotlib.figure import Figure

from backsight.results import Derived, Metric, Result
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.tables import Schema, Table

ROWS = Schema("halved", {"example_id": "str", "image_id": "str", "p_left": "float"}, "How probable left is")
SUMMARY = Schema("halved_summary", {"questions": "int", "mean": "float"}, "How probable left is, on the whole")


def summary(rows: Table) -> Table:
    return Table.of(SUMMARY, [{"questions": len(rows), "mean": float(rows.frame["p_left"].mean())}])


def draw(table: Table, *, columns=None, titles=None) -> Figure:
    figure = Figure()
    figure.add_subplot().bar(["left"], table.frame["mean"])
    return figure


def section(study):
    rows = study.rows("halved_summary")
    if not rows:
        return None
    view = common.figure(study, "halved", draw, study.tables["halved_summary"], "A bar is the mean.")
    grid = Grid("Means", ("Questions", "Mean"), tuple((str(r["questions"]), f"{r['mean']:.3f}") for r in rows))
    mean = f"{rows[0]['mean']:.3f}"
    return Section(
        anchor="halved", title="Halves", question="why", claim=f"left has {mean} in the mean.",
        null="Uniform options would give 0.5.", figures=(view,), statements=(Statement(f"All: {mean}.", "squares"),),
        tables=(grid,), method=("The probability is read.",), limits=("Little.",),
    )


RESULT = Result(
    ROWS, Derived(SUMMARY, summary), draw=draw, sections=(section,),
    metrics=(Metric("halved", "example_id", "p_left", (), title="Probability of left"),),
)
'''
MEASUREMENT_FILE = '''
"""The probability of left."""
from dataclasses import dataclass
from typing import ClassVar

from backsight.measurements import Measurement
from backsight.results import Result
from my_result import RESULT


@dataclass(frozen=True)
class Halved(Measurement):
    """How probable left is."""

    result: ClassVar[Result] = RESULT

    def rows(self, vlm, samples):
        logits = vlm.forward(vlm.prepare(samples))
        found = []
        for example, scores in zip(samples, logits, strict=True):
            _, p = vlm.choose(scores, example.options)
            found.append({"example_id": example.id, "image_id": example.image_id, "p_left": float(p[0] / p.sum())})
        return found
'''


@pytest.fixture
def registry() -> Iterator[dict[str, Result]]:
    """The registry of results, as it was once the test is over."""
    before = dict(RESULTS)
    yield RESULTS
    RESULTS.clear()
    RESULTS.update(before)


def test_a_measurement_is_two_files_and_one_registration(
    vlm: VLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registry: dict[str, Result]
) -> None:  # fmt: skip
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "my_result.py").write_text(RESULT_FILE)
    (mine / "my_measurement.py").write_text(MEASUREMENT_FILE)
    monkeypatch.syspath_prepend(mine)
    kinds, files = dict(MEASUREMENTS), set(ROOT.rglob("*.py"))
    before = dict(registry)
    my_measurement, my_result = import_module("my_measurement"), import_module("my_result")

    backsight.results.register(my_result.RESULT)

    assert my_measurement.Halved.schema is my_result.ROWS
    # Nothing else is touched: two files of one's own, and one entry more in one registry.
    assert len(list(mine.glob("*.py"))) == 2 and set(ROOT.rglob("*.py")) == files and kinds == MEASUREMENTS
    assert registry == {**before, "halved": my_result.RESULT}

    items = halves(12)
    folders = []
    for name in ("one", "two"):
        folders.append(Study(vlm, [items], tmp_path / name, Options(), [my_measurement.Halved()]).run())
    rows = Table.read(folders[0] / "tables" / "halved.halves.parquet")
    summary = Table.read(folders[0] / "tables" / "halved_summary.parquet")
    assert [r["example_id"] for r in rows.rows()] == [e.id for e in items]
    mean = float(rows.frame["p_left"].mean())
    assert summary.rows() == [{"questions": 12, "mean": pytest.approx(mean)}]
    assert backsight.plot(rows).axes and backsight.plot(summary).axes
    html = write_report(folders[0]).read_text()
    assert (folders[0] / "figures" / "halved.svg").exists()
    assert 'id="halved"' in html and 'id="figure-halved"' in html
    assert f"left has {mean:.3f} in the mean" in html and "halved.halves" in html
    compared = {row["metric"]: row for row in compare(folders).rows}
    assert compared.keys() == {"halved/halves"} and compared["halved/halves"]["baseline"] == pytest.approx(mean)
    assert compared["halved/halves"]["difference"] == 0


def test_a_name_is_registered_once(registry: dict[str, Result]) -> None:
    one = Result(Schema("mine", {"a": "int"}))
    assert backsight.results.register(one) is one is backsight.results.register(one)
    with pytest.raises(UsageError, match="registered already"):
        backsight.results.register(Result(Schema("mine", {"b": "int"})))
