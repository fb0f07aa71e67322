"""The report on amplification and on the position budget: numbers in words, omitted shares, and both figures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.models.families import FAMILIES
from backsight.models.positions import budget
from backsight.results import plot
from backsight.results.amplification import AMPLIFY_SUMMARY
from backsight.results.behaviour import WHATSUP_SUMMARY
from backsight.results.drawing.style import to_svg
from backsight.results.position_budget import POSITION_BUDGET
from backsight.tables import Table

from .test_report import behaviour_rows, page_of, study_record, words, write_study

Row = dict[str, Any]


def amplified(**changes: Any) -> Table:
    """A suite in which probes correct three quarters of 40 failures and break a tenth, random ones a fifth and none."""
    rows: list[Row] = []
    for form, kind, corrected, broken in (
        (None, "none", None, None), ("projected", "probe", 0.75, 0.1), ("projected", "random", 0.2, 0.0),
        ("projected", "oracle", 0.8, 0.05),
    ):  # fmt: skip
        row: Row = {"suite": "degraded_squares", "form": form, "directions": kind, "alpha": 4.0 if form else 0.0}
        row |= {"questions": 100, "failures": 40, "accuracy": 0.6 if form is None else 0.84, "low": 0.5, "high": 0.9}
        for name, value in (("corrected", corrected), ("broken", broken)):
            row |= {name: value, f"{name}_low": value and value - 0.05, f"{name}_high": value and value + 0.05}
        rows.append(row | {"probe": 0.9, "omitted": False} | (changes if form or "failures" in changes else {}))
    return Table.of(AMPLIFY_SUMMARY, rows)


def turns() -> Table:
    text = SimpleNamespace(rope_parameters={"rope_theta": 1e6, "mrope_section": [16, 24, 24]}, head_dim=128)
    vision = SimpleNamespace(embed_dim=1280, num_heads=16, spatial_merge_size=2, rope_parameters={"rope_theta": 1e4})
    config = SimpleNamespace(get_text_config=lambda: text, vision_config=vision)
    return budget(config, FAMILIES["qwen2_vl"], 12, 12)


def test_what_is_corrected_stands_beside_what_is_broken_and_beside_chance(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    amplified().write(tmp_path / "tables", "amplify_summary")
    said = words(page_of(tmp_path))
    assert (
        "corrects 75.0 % of 40 failures and breaks 10.0 % of the right answers at alpha 4 (random directions: "
        "20.0 % and 0.0 %); accuracy 60.0 % before, 84.0 % after"
    ) in said
    assert "0.750 [0.700, 0.800] 0.100 [0.050, 0.150]" in said
    assert "fewer than 100 failures" in said and "as run probes 4 0.900 100 40" in said
    assert (tmp_path / "figures" / "amplification.svg").is_file()


def test_too_few_failures_are_said(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    few = dict(omitted=True, failures=4, corrected=None, corrected_low=None, corrected_high=None)
    amplified(**few).write(tmp_path / "tables", "amplify_summary")
    said = words(page_of(tmp_path))
    assert "omitted (4 failures in 100 questions; 10 failures needed)" in said
    assert "omitted (4 failures, 10 needed)" in to_svg(plot(amplified(**few)))


def test_random_directions_that_were_asked_about_too_few_failures_are_omitted(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    rows = amplified().rows()
    random = next(row for row in rows if row["directions"] == "random")
    random |= {"corrected": None, "corrected_low": None, "corrected_high": None}
    Table.of(AMPLIFY_SUMMARY, rows).write(tmp_path / "tables", "amplify_summary")
    assert "at alpha 4 (random directions: an omitted share and 0.0 %)" in words(page_of(tmp_path))


def test_without_its_table_there_is_no_section(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    said = page_of(tmp_path)
    assert 'id="amplification"' not in said and 'id="positions"' not in said
    assert "Can it be repaired" not in said


def test_the_budget_stands_beside_the_accuracy_after_removal(tmp_path: Path) -> None:
    from .test_report_pathways import pathways_rows, write_pathways

    write_pathways(
        tmp_path, [r | {"direction": {"right": "above"}.get(r["direction"], r["direction"])} for r in pathways_rows()]
    )
    turns().write(tmp_path / "tables", "position_budget")
    said = words(page_of(tmp_path))
    assert "Language model rows 24 0.0316 0.348" in said
    assert "Language model columns 24 0.000178 0.00196" in said
    assert "Squares rows 0.348 above 0.620 [0.590, 0.640]" in said
    assert "Squares columns 0.00196 left 0.620 [0.590, 0.640]" in said


@pytest.mark.parametrize("columns", [None, 1])
def test_figures_say_what_they_show(columns: int | None) -> None:
    drawn = to_svg(plot(turns(), columns=columns))
    for text in ("Vision encoder", "Language model", "12 rows, 12 columns", "given to rows", "a whole turn"):
        assert text in drawn
    figure = plot(turns())
    for axis, part in zip(figure.axes, ("vision", "language"), strict=True):
        drawn_points = sum(len(line.get_xdata()) for line in axis.lines[1:])
        assert drawn_points == sum(r["part"] == part for r in turns().rows())
    panel = to_svg(plot(amplified(), columns=columns))
    for text in ("40 of 100 questions failed before", "probes (alpha 4)", "random (alpha 4)", "right answers broken"):
        assert text in panel


@pytest.mark.parametrize(("scale", "label"), [(1.0, "2"), (0.003, "0.1"), (40.0, "100")])
def test_a_logarithmic_axis_is_labelled_in_plain_numbers(scale: float, label: str) -> None:
    frame = turns().frame.assign(radians_grid=[scale * (1 + n % 3) for n in range(len(turns()))])
    drawn = to_svg(plot(Table(POSITION_BUDGET, frame)))
    assert "mathdefault" not in drawn and "$" not in drawn
    assert f">{label}</text>" in drawn  # within a decade the numbers between its ends, over several the powers of ten


def test_empty_tables_cannot_be_drawn() -> None:
    for schema in (POSITION_BUDGET, AMPLIFY_SUMMARY):
        with pytest.raises(DataError, match="no rows to draw"):
            plot(Table.of(schema, []))


def test_whatsups_metrics_stand_in_a_table(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("whatsup_a"), behaviour=behaviour_rows("whatsup_a"))
    rows: list[Row] = []
    for metric, value, n in (("individual", 0.75, 48), ("pair", 0.5, 24), ("set", None, 9)):
        for condition in ("picture", "gray"):
            share = None if value is None else value if condition == "picture" else 0.1
            row: Row = {"suite": "whatsup_a", "condition": condition, "read_out": "options", "metric": metric}
            row |= {
                "accuracy": share,
                "low": share and share - 0.1,
                "high": share and share + 0.1,
                "interval": "bootstrap",
            }
            rows.append(row | {"n": n, "chance": 0.25, "omitted": share is None})
    Table.of(WHATSUP_SUMMARY, rows).write(tmp_path / "tables", "whatsup_summary")
    said = words(page_of(tmp_path))
    assert "individual 48 0.750 [0.650, 0.850] 0.100 [0.000, 0.200] 0.250" in said
    assert "set 9 omitted omitted 0.250" in said
    assert "never seen a photograph" in said
