"""What an earlier release wrote and what its users type: read, reported and compared under the names of today."""

from __future__ import annotations

from pathlib import Path

import pytest

import backsight
from backsight.measurements import MEASUREMENTS, Pathways
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.results import RESULTS, plot, result_of, today
from backsight.results.pathways import PATHWAYS, PATHWAYS_SUMMARY, pathways_summary
from backsight.studies.compare import compare, matches
from backsight.studies.jobs import Choice, choices
from backsight.tables import Schema, Table
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
    assert '<section id="pathways">' in html and "tables/roads_summary.csv" in html
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
