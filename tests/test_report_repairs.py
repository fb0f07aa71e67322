"""The report on amplification and on the position budget: numbers in words, omitted shares, and both figures."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from backsight.errors import DataError
from backsight.maths.intervals import Interval
from backsight.models.families import FAMILIES
from backsight.models.positions import budget
from backsight.results import plot
from backsight.results.amplification import AMPLIFY_SUMMARY
from backsight.results.amplification.gains import Gain
from backsight.results.amplification.words import claim, statements
from backsight.results.behaviour import WHATSUP_SUMMARY
from backsight.results.drawing.style import to_svg
from backsight.results.position_budget import POSITION_BUDGET
from backsight.tables import Table

from .test_report import HOSTILE, behaviour_rows, page_of, study_record, words, write_study

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
        "Degraded_squares: accuracy 60.0 % without and 84.0 % with amplification at alpha 4. It corrects 75.0 % of 40 "
        "failures and breaks 10.0 % of the correct answers (random directions: 20.0 % and 0.0 %)."
    ) in said
    assert "which correct 20 % [15, 25] of the failures and break 0 % [0, 0] of the correct answers." in said
    assert "0.750 [0.700, 0.800] 0.100 [0.050, 0.150]" in said
    assert "fewer than 100 failures" in said and "probes, alpha 4 40 of 100" in said
    assert "the probes read positions with accuracy 0.900" in said
    assert (tmp_path / "figures" / "amplification.svg").is_file()


def test_too_few_failures_are_said(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    few = dict(omitted=True, failures=4, corrected=None, corrected_low=None, corrected_high=None)
    amplified(**few).write(tmp_path / "tables", "amplify_summary")
    said = words(page_of(tmp_path))
    assert (
        "Whether amplification repairs is not shown: 4 of 100 questions were answered incorrectly, and 10 are needed."
    ) in said
    assert "Omitted, as fewer than 10 questions were answered incorrectly: Degraded_squares (4 of 100)." in said
    assert "omitted (4 failures, 10 needed)" in to_svg(plot(amplified(**few)))


def test_random_directions_that_were_asked_about_too_few_failures_are_omitted(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    rows = amplified().rows()
    random = next(row for row in rows if row["directions"] == "random")
    random |= {"corrected": None, "corrected_low": None, "corrected_high": None}
    Table.of(AMPLIFY_SUMMARY, rows).write(tmp_path / "tables", "amplify_summary")
    assert "(random directions: an omitted share and 0.0 %)" in words(page_of(tmp_path))


def test_without_its_table_there_is_no_section(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    said = page_of(tmp_path)
    assert 'id="amplification"' not in said and 'id="positions"' not in said
    assert 'id="repair"' not in said


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
    for text in (
        "40 of 100 questions incorrect without it",
        "(alpha 4)",
        "probes in hindsight",
        "correct answers broken",
    ):
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
    assert "pair 24 0.500 [0.400, 0.600] 0.100 [0.000, 0.200] 0.250" in said
    assert "set 9 omitted omitted 0.250" in said
    assert "never seen a photograph" in said


def gain(mean: float, reach: float, lead: float, p: float = 0.001) -> Gain:
    """A gain and a lead over random directions, each with an interval of `reach` on either side."""
    ends = (Interval(one, one - reach, one + reach, "agresti-min") for one in (mean, lead))
    (first, second) = ends
    return Gain(first, p, second, p)


AT, READ = "Amplification at alpha 4", "; its probes read position in 90.0 % of tokens."


@pytest.mark.parametrize(
    ("of", "start", "end"),
    [
        (gain(0.24, 0.1, 0.2), f"{AT} raises accuracy on S (40 of 100 answered incorrectly): +24.0 points "
         "[+14.0, +34.0]; +20.0 points [+10.0, +30.0] against random directions; it breaks 10 % [5, 15]",
         f"answers{READ}"),
        (gain(0.24, 0.1, 0.05), f"{AT} is not shown to gain more than random directions on S", f"directions{READ}"),
        (gain(0.02, 0.1, 0.2), f"{AT} is not shown to raise accuracy on S", f"against random directions{READ}"),
        (gain(0.24, 0.1, 0.2, p=0.2), f"{AT} is not shown to gain more than random directions on S", READ),
        (gain(-0.24, 0.1, 0.0), f"{AT} lowers accuracy on S (40 of 100 answered incorrectly): -24.0", READ),
        (gain(-0.24, 0.1, 0.0, p=0.2), f"{AT} is not shown to raise accuracy on S", READ),
        (None, "Amplification is not shown to repair on S (40 of 100 answered incorrectly): it corrects 75 % [70, 80] "
         "of the failures and breaks 10 % [5, 15] of the correct answers", "."),
    ],
)  # fmt: skip
def test_the_claim_follows_from_the_gain_and_its_lead(of: Gain | None, start: str, end: str) -> None:
    gains = {} if of is None else {"degraded_squares": of}
    text = claim(amplified().rows(), gains, lambda suite: "S").replace("\u00a0", " ")
    assert text.startswith(start) and text.endswith(end) and len(text.split()) <= 45
    bare = claim(amplified(probe=None).rows(), gains, lambda suite: "S")
    assert "probes" not in bare and bare.endswith(".")


def test_several_suites_are_one_claim_and_a_sentence_each_but_one_for_those_with_too_few_failures() -> None:
    few = dict(omitted=True, failures=4, corrected=None, corrected_low=None, corrected_high=None)
    parts = {"all": {}, "squares": {}, "pairs": few, "tabletop_a": few}
    rows = [row | {"suite": suite} for suite, changes in parts.items() for row in amplified(**changes).rows()]
    gains = {"all": gain(0.02, 0.1, 0.0), "squares": gain(0.24, 0.1, 0.2)}
    assert " on Everything (40 of 100" in claim(rows, gains, {"all": "Everything"}.__getitem__)
    one, omitted = statements(rows, gains, str.upper, str)
    assert one.text.replace("\u00a0", " ").startswith("SQUARES: accuracy 60.0 % without and 84.0 % with amplification")
    assert "+24.0\u00a0points [+14.0,\u00a0+34.0]" in one.text and one.suite == "squares"
    assert one.short == pytest.approx(1 - 0.24 / 0.4)
    assert omitted.text.endswith("incorrectly: PAIRS (4 of 100) and TABLETOP_A (4 of 100).") and omitted.short == 0


def test_names_are_escaped(tmp_path: Path) -> None:
    record = study_record("squares")
    record["sets"][0]["title"] = HOSTILE
    write_study(tmp_path, record)
    rows = [row | {"suite": suite} for suite in ("squares", f"{HOSTILE}2") for row in amplified().rows()]
    Table.of(AMPLIFY_SUMMARY, rows).write(tmp_path / "tables", "amplify_summary")
    html = page_of(tmp_path)
    assert HOSTILE not in html and "&lt;script&gt;alert(1)&lt;/script&gt;: accuracy 60.0" in html


def test_equation_3_stands_in_a_table_of_its_own(tmp_path: Path) -> None:
    write_study(tmp_path, study_record("degraded_squares"))
    rows = amplified().rows()
    printed = [row | {"form": "printed"} for row in rows if row["form"]]
    table = Table.of(AMPLIFY_SUMMARY, [*rows, *printed])
    table.write(tmp_path / "tables", "amplify_summary")
    assert "Equation 3, on the same pictures" in page_of(tmp_path)
    assert len(plot(table).axes[0].get_yticklabels()) == 3
    only = Table.of(AMPLIFY_SUMMARY, [rows[0], *printed])
    assert len(plot(only).axes[0].get_yticklabels()) == 3


def test_too_few_correct_answers_leave_out_what_is_broken() -> None:
    gone = dict.fromkeys(("broken", "broken_low", "broken_high"))
    rows = [row | (gone if row["form"] else {}) for row in amplified().rows()]
    (one,) = statements(rows, {}, str.upper, str)
    assert one.text.replace("\u00a0", " ").endswith(
        "It corrects 75.0 % of 40 failures (20.0 % with random directions); too few answers were correct to tell how "
        "many it breaks."
    )
