"""What an earlier release wrote and what its users type: read, reported and compared under the names of today."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import backsight
from backsight.errors import FolderError
from backsight.measurements import MEASUREMENTS, Behaviour, Pathways
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.results import RESULTS, plot, result_of, today
from backsight.results.pathways import PATHWAYS, PATHWAYS_SUMMARY, pathways_summary
from backsight.studies import Options, Study
from backsight.studies.compare import compare, matches
from backsight.studies.jobs import Choice, choices
from backsight.tables import Schema, Table, stamp
from backsight.training.questions import corpus

from .compare.by_hand import make, pathways


def earlier(table: Table, name: str) -> Table:
    """A table as a release wrote it in which its schema had another name."""
    return Table(Schema(name, table.schema.columns, "An earlier title"), table.frame, table.provenance)


def answered(removed: list[int]) -> Table:
    """Rows of squares: all right as they are, with one shuffle right and one wrong, and after removal as given."""
    rows = pathways(removed, [[1] * 12, [0] * 12])
    return Table(rows.schema, rows.frame.assign(suite="squares", direction="left"), rows.provenance)


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A study's folder in which the pathways are roads: tables, schemas, kind of job and measurement."""
    rows = answered([1] * 12)
    job = {"kind": "roads", "measurement": "Roads(batch=16)", "tables": ["roads.squares"]}
    folder = make(tmp_path / "old", {"roads/squares": rows}, measured={"roads/squares": job})
    (folder / "tables" / "job0.parquet").unlink()
    earlier(rows, "roads").write(folder / "tables", "roads.squares")
    earlier(pathways_summary(rows), "roads_summary").write(folder / "tables", "roads_summary")
    return folder


def test_names_are_told_by_their_first_word() -> None:
    assert [today(name) for name in ("roads", "roads_summary", "roads/squares/plain", "Roads(batch=16)")] == [
        "pathways", "pathways_summary", "pathways/squares/plain", "Pathways(batch=16)",
    ]  # fmt: skip
    assert [today(name) for name in ("creg", "roadside", "", "/")] == ["creg", "roadside", "", "/"]


def test_an_earlier_study_is_reported(old: Path) -> None:
    html = write_report(old).read_text()
    assert ' id="pathways"' in html and "tables/roads_summary.csv" in html
    assert (old / "figures" / "pathways.svg").exists() and "An earlier title" not in html


def test_an_earlier_study_is_compared_with_one_of_today(old: Path, tmp_path: Path) -> None:
    new = make(tmp_path / "new", {"pathways/squares": answered([0] * 6 + [1] * 6)})
    rows = {row["metric"]: row for row in compare([old, new]).rows}
    assert rows["pathways/squares/removed/order"]["difference"] == -0.5
    assert {row["how"] for row in rows.values()} == {"paired"}
    assert matches("roads/squares", "pathways/squares/removed/order") and not matches("roads", "probes/squares")


def test_earlier_tables_are_drawn_and_known() -> None:
    rows = answered([1] * 12)
    table = earlier(rows, "roads")
    assert result_of(table) is RESULTS["pathways"] and result_of(table).updated(table).schema == PATHWAYS
    assert plot(earlier(pathways_summary(rows), "roads_summary")).axes
    assert PATHWAYS_SUMMARY.name == "pathways_summary"


def test_the_class_and_only_know_the_earlier_name() -> None:
    assert backsight.Roads is Pathways is MEASUREMENTS["pathways"]
    vlm = VLM(*tiny("qwen2_vl", corpus()), name="tiny")
    sets = [backsight.stimuli.squares(grid=vlm.grid).limit(4)]
    chosen = choices(sets, [Pathways(), MEASUREMENTS["behaviour"]()], only=["roads"])
    assert [(one.kind, one.set_name) for one in chosen if isinstance(one, Choice)] == [("pathways", "squares")]


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()), name="tiny")


@pytest.fixture(scope="module")
def of_today(vlm: VLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return studied(vlm, tmp_path_factory.mktemp("today") / "out", ["pathways/squares"])


@pytest.fixture
def left(of_today: Path, tmp_path: Path) -> Path:
    """The folder that an earlier release would have left of the same study."""
    folder = tmp_path / "left"
    shutil.copytree(of_today, folder)
    tables, mark = folder / "tables", folder / "jobs" / "roads.squares.json"
    for new, old, schema in (
        ("pathways.squares", "roads.squares", "roads"),
        ("pathways_summary",) + ("roads_summary",) * 2,
    ):
        table = Table.read(tables / f"{new}.parquet")
        for path in tables.glob(f"{new}.*"):
            path.unlink()
        earlier(table, schema).write(tables, old)
    (folder / "jobs" / "pathways.squares.json").rename(mark)
    rows = tables / "roads.squares.parquet"
    stamped = {"table": stamp(rows, len(Table.read(rows)))}
    mark.write_text(json.dumps(json.loads(mark.read_text()) | stamped))
    record = read(folder)
    job = {"name": "roads/squares", "kind": "roads", "measurement": "Roads(batch=16)", "tables": ["roads.squares"]}
    record["jobs"] = [record["jobs"][0] | job]
    record["skipped"] = [{"set": "shapes", "measurement": "roads", "reason": "too small"}]
    (folder / "study.json").write_text(json.dumps(record))
    return folder


def read(folder: Path) -> dict[str, Any]:
    record: dict[str, Any] = json.loads((folder / "study.json").read_text())
    return record


def studied(vlm: VLM, folder: Path, only: Sequence[str], seed: int = 0) -> Path:
    sets = [backsight.stimuli.squares(vlm.grid).limit(8)]
    return Study(vlm, sets, folder, Options(seed, only=tuple(only)), [Behaviour(gray=False), Pathways()]).run()


def files(folder: Path, start: str) -> set[str]:
    return {path.stem for path in (folder / "tables").glob(f"{start}*.parquet")}


def test_an_earlier_folder_is_gone_on_with_and_keeps_what_it_has(vlm: VLM, of_today: Path, left: Path) -> None:
    studied(vlm, left, ["behaviour/squares"])
    record = read(left)
    assert [(job["name"], job["kind"]) for job in record["jobs"]] == [
        ("pathways/squares", "pathways"), ("behaviour/squares", "behaviour"),
    ]  # fmt: skip
    assert record["jobs"][0]["tables"] == ["roads.squares"] and record["jobs"][0]["run"] == 0
    assert record["verdict"] == read(of_today)["verdict"] is not None
    assert record["skipped"] == [{"set": "shapes", "measurement": "pathways", "reason": "too small"}]
    assert (files(left, "roads"), files(left, "pathways")) == ({"roads.squares"}, {"pathways_summary"})
    summary = [Table.read(folder / "tables" / "pathways_summary.parquet").rows() for folder in (left, of_today)]
    assert summary[0] == summary[1]
    assert write_report(left).read_text().count(' id="pathways"') == 1


def test_what_is_run_again_under_the_name_of_today_stands_once(vlm: VLM, of_today: Path, left: Path) -> None:
    studied(vlm, left, ["roads/squares"])
    record = read(left)
    assert [(job["name"], job["tables"]) for job in record["jobs"]] == [("pathways/squares", ["pathways.squares"])]
    summary = [Table.read(folder / "tables" / "pathways_summary.parquet").rows() for folder in (left, of_today)]
    assert summary[0] == summary[1] and files(left, "pathways") == {"pathways.squares", "pathways_summary"}
    assert write_report(left).exists()


def test_an_earlier_folder_of_another_study_is_refused(vlm: VLM, left: Path) -> None:
    before = {path: path.read_bytes() for path in left.rglob("*") if path.is_file()}
    with pytest.raises(FolderError, match="The folder belongs to another study") as caught:
        studied(vlm, left, ["behaviour/squares"], seed=1)
    assert (caught.value.got, caught.value.do) == ("seed 0, now 1", "give another --out")
    assert {path: path.read_bytes() for path in left.rglob("*") if path.is_file()} == before
