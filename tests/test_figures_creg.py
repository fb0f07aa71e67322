"""Figures of the compass and of its causal checks: marks, nulls and floors where the table has them, and what is said.

The tables are made by hand; they serve the report's tests too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from backsight.errors import DataError, UsageError
from backsight.measurements import relevance
from backsight.results import plot
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.creg.schema import SUMMARY as CREG_SUMMARY
from backsight.results.creg.summary import creg_summary
from backsight.results.drawing.style import NARROW, SOFT, to_svg
from backsight.results.flip import SUMMARY as FLIP_SUMMARY
from backsight.results.knockout import SUMMARY as KNOCKOUT_SUMMARY
from backsight.results.knockout.page import CAPTION
from backsight.results.moved import SUMMARY as MOVED_SUMMARY
from backsight.results.occlusion.summary import SUMMARY as OCCLUSION_SUMMARY
from backsight.results.relevance.drawing import NULL_LINE
from backsight.results.relevance.words import METHOD_WORDS, REFERENCE_WORDS, in_order, method_words
from backsight.tables import Schema, Table

from .test_figures_probes import HOSTILE, said, titles

Row = dict[str, Any]
LAYOUT, FLOOR = 50.0, 12.0
DAE = {("creg", "truth"): 44.0, ("creg", "prediction"): 38.0, ("rollout", None): 52.0}
REFERENCES = {"constant": LAYOUT, "random_sector": 90.0, "point_at_subject": FLOOR, "geometry": 0.0}
OTHERS = ("correct", "incorrect", "left", "above")


def direction_row(
    suite: str, method: str, target: str | None, dae: float, *, samples: str = "rest", subset: str = "all",
    projection: str = "default", **changes: Any,
) -> Row:  # fmt: skip
    """A row of a summary: 40 questions, intervals of 6 degrees to either side."""
    row: Row = {"suite": suite, "prompt": None, "samples": samples, "subset": subset, "method": method}
    row |= {"target": target, "projection": projection, "questions": 40, "empty": 0, "images": 20, "accuracy": 0.75}
    gain = LAYOUT - dae
    row |= {"dae": dae, "dae_low": dae - 6, "dae_high": dae + 6, "ea": 0.5, "ea_low": 0.4, "ea_high": 0.6}
    row |= {"dae_null": LAYOUT, "ea_null": 0.45, "dae_floor": FLOOR, "ea_floor": 1.0, "ea_gain": 0.05}
    row |= {"dae_gain": gain, "dae_gain_low": gain - 7, "dae_gain_high": gain + 7}
    row |= {"ea_gain_low": -0.05, "ea_gain_high": 0.15, "dae_chosen": dae - 2, "omitted": False}
    row["chosen_questions"] = row["questions"]
    row |= dict.fromkeys(("completeness", "completeness_low", "completeness_high", "missing"))
    return row | changes


def nothing(row: Row, **changes: Any) -> Row:
    """The row without figures."""
    counts = ("questions", "empty", "images", "accuracy", "omitted")
    kept = {key: None if kind == "float" and key not in counts else row[key] for key, kind in CREG_COLUMNS.items()}
    return kept | {"omitted": True} | changes


CREG_COLUMNS = CREG_SUMMARY.columns


def missing(suite: str, method: str = "gradcam", **changes: Any) -> Row:
    """The row of a method that the model cannot give."""
    row = nothing(direction_row(suite, method, None, 0.0, samples="all"), questions=0, empty=40, images=0)
    return row | {"accuracy": None} | changes


def direction_rows(
    suite: str = "pairs", dae: Mapping[tuple[str, str | None], float] = DAE, **changes: Any
) -> list[Row]:
    """A suite's summary: CREG for both targets, rollout and references; all samples, subsets and two more views."""
    rows: list[Row] = []
    keyed = [*dae.items(), *(((name, None), value) for name, value in REFERENCES.items())]
    for samples in ("all", "rest"):
        for projection in ("default", "beyond kept", "4 sectors", "random centre", "swapped"):
            for subset in ("all", *(OTHERS if projection == "default" else ())):
                for (method, target), value in keyed:
                    away = 1.0 if samples == "all" and method not in REFERENCES else 0.0
                    view = {"samples": samples, "subset": subset, "projection": projection}
                    row = direction_row(suite, method, target, value + away, **view)
                    if samples == "all":
                        row |= {"questions": 44, "images": 22}
                    rows.append(row | changes)
    return rows


def directed(*rows: Row) -> Table:
    return Table.of(CREG_SUMMARY, rows)


def knockout_rows(suite: str = "pairs", **changes: Any) -> list[Row]:
    """Rollout agrees best as attention is cut, CREG by the other form; box and uniform relevance beside."""
    values = {
        "creg": (0.3, 0.6, 40.0), "rollout": (0.5, 0.2, 55.0), "subject_box": (0.25, 0.25, 45.0),
        "constant": (None, None, 50.0), "knockout": (1.0, 1.0, 0.0),
    }  # fmt: skip
    rows: list[Row] = []
    for place, form in enumerate(("attention", "embedding")):
        for method, of in values.items():
            row: Row = {"suite": suite, "prompt": None, "form": form, "method": method, "questions": 12, "images": 12}
            row["angles"] = 12
            row |= interval("correlation", of[place], 0.1) | interval("angle", of[2], 8.0)
            row |= {"angle_null": 50.0, "angle_gain": 50.0 - of[2], "gain_low": 42.0 - of[2], "gain_high": 58.0 - of[2]}
            rows.append(row | {"dae": 30.0, "ea": 0.7, "missing": None, "omitted": False} | changes)
    return rows


def occlusion_rows(suite: str = "pairs", **changes: Any) -> list[Row]:
    """The true sector, and those of CREG and of uniform relevance, in two variants, over both and of both."""
    rows: list[Row] = []
    for variant, over, of in product(("gray", "blur"), ("options", "vocabulary"), ("truth", "prediction")):
        for method, score in ((None, 0.4), ("creg", 0.3), ("constant", 0.35)):
            row: Row = {"suite": suite, "prompt": None, "variant": variant, "over": over, "of": of, "method": method}
            row |= {"sector": "true" if method is None else "indicated", "questions": 30, "images": 30}
            row |= {"target": "prediction" if method == "creg" else None, "change": -0.5}
            row |= {"change_opposite": score - 0.5, "change_adjacent": -0.45, "against_adjacent": 0.05}
            row |= {"score": score, "low": score - 0.1, "high": score + 0.1}
            gained = (score - 0.35, score - 0.5, score - 0.2, 30) if method == "creg" else (None,) * 4
            row |= dict(zip(("gain", "gain_low", "gain_high", "gain_questions"), gained, strict=True))
            rows.append(row | {"adjacent_low": -0.05, "adjacent_high": 0.15, "omitted": False} | changes)
    return rows


def flip_rows(suite: str = "pairs", **changes: Any) -> list[Row]:
    rows: list[Row] = []
    for method, target, r in (("creg", "truth", 0.5), ("creg", "prediction", 0.6), ("constant", None, 1.0)):
        row: Row = {"suite": suite, "prompt": None, "method": method, "target": target, "questions": 24, "images": 24}
        row |= {"r": r, "low": r - 0.1, "high": min(r + 0.1, 1.0), "r_pooled": r + 0.05, "r_null": 1.0}
        rows.append(row | {"r_pooled_null": 0.98, "omitted": False} | changes)
    return rows


def moved_rows(suite: str = "pairs", **changes: Any) -> list[Row]:
    rows: list[Row] = []
    for method, target, off in (("creg", "prediction", 70.0), ("rollout", None, 45.0), ("constant", None, 80.0)):
        row: Row = {"suite": suite, "prompt": None, "method": method, "target": target, "questions": 24, "images": 24}
        row |= {"turned": 110.0, "followed": off, "low": off - 9, "high": off + 9, "followed_null": 80.0}
        row |= {"gain": 80 - off, "gain_low": 70 - off, "gain_high": 90 - off, "dae": 40.0, "dae_moved": 42.0}
        rows.append(row | {"omitted": False} | changes)
    return rows


def interval(name: str, value: float | None, half: float) -> Row:
    ends = (None, None) if value is None else (value - half, value + half)
    return {name: value, f"{name}_low": ends[0], f"{name}_high": ends[1]}


def table(schema: Schema, rows: Sequence[Row]) -> Table:
    return Table.of(schema, rows)


def marks(axis: Axes) -> dict[str, list[tuple[float, str]]]:
    """The values on each line of a panel, from the top down, and whether their marks are filled."""
    places = dict(zip(axis.get_yticks(), (t.get_text() for t in axis.get_yticklabels()), strict=True))
    found: dict[str, list[tuple[float, str]]] = {name: [] for name in places.values()}
    drawn = [line for line in axis.lines if line.get_marker() in ("o", "D")]
    for line in sorted(drawn, key=lambda one: float(np.asarray(one.get_ydata())[0])):
        (x,), (y,) = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
        nearest = min(places, key=lambda place: abs(place - y))
        filled = "hollow" if line.get_markerfacecolor() == "white" else "filled"
        found[places[nearest]].append((round(float(x), 3), filled))
    return found


def strokes(axis: Axes, color: object) -> list[tuple[float, float, float]]:
    """The vertical strokes of a colour: where, from which height to which."""
    of = [line for line in axis.lines if line.get_color() == color and line.get_marker() == "None"]
    return [
        (float(x[0]), float(y[0]), float(y[1]))
        for x, y in ((np.asarray(one.get_xdata()), np.asarray(one.get_ydata())) for one in of)
        if len(x) == 2 and x[0] == x[1]
    ]


def spans(axis: Axes) -> list[list[float]]:
    return [np.asarray(line.get_xdata()).tolist() for line in axis.lines if len(np.asarray(line.get_xdata())) == 2]


def test_every_method_and_reference_has_a_name() -> None:
    assert set(METHOD_WORDS) == set(relevance.METHODS)
    assert set(REFERENCES) <= set(REFERENCE_WORDS)
    assert method_words("my_method") == "My method"
    assert in_order(["constant", "mine", "chefer", "creg", "creg"]) == ["creg", "chefer", "mine", "constant"]


def test_marks_stand_where_the_table_has_them() -> None:
    axis = plot(directed(*direction_rows())).axes[0]
    assert marks(axis) == {
        "CREG": [(38.0, "filled"), (44.0, "hollow")],
        "Attention rollout": [(52.0, "filled")],
        "Uniform relevance": [(50.0, "filled")],
        "Random sector": [(90.0, "filled")],
        "All on the subject (best possible)": [(12.0, "filled")],
        "True direction itself": [(0.0, "filled")],
    }
    assert [32.0, 44.0] in spans(axis) and [38.0, 50.0] in spans(axis)
    at = axis.get_yticks()
    assert at[2] - at[1] > 1.5 > at[1] - at[0]  # the references stand apart
    assert axis.get_xlabel() == "degrees off the object (DAE)"


def test_figures_are_without_the_samples_for_choices() -> None:
    only = [row for row in direction_rows() if row["samples"] == "all"]
    assert marks(plot(directed(*only)).axes[0])["CREG"][0] == (39.0, "filled")  # where there are no others
    assert "40 questions, 20 pictures" in said(plot(directed(*direction_rows())))
    assert "44 questions, 22 pictures" in said(plot(directed(*only)))


def test_null_and_floor_are_those_of_the_same_questions() -> None:
    rows = direction_rows()
    rows += [direction_row("pairs", "gradcam", t, 61.0, questions=33, dae_null=55.0) for t in ("truth", "prediction")]
    axis = plot(directed(*rows)).axes[0]
    lines = [tick.get_text() for tick in axis.get_yticklabels()]
    place = axis.get_yticks()[lines.index("GradCAM")]
    null = strokes(axis, NULL_LINE["color"])
    assert {x for x, *_ in null} == {50.0, 55.0}
    assert (55.0, place - 0.5, place + 0.5) in null
    assert 12.0 in {x for x, *_ in strokes(axis, SOFT)}
    assert "baseline: uniform relevance" in said(plot(directed(*rows)))


def test_targets_that_are_one_have_one_mark() -> None:
    same = {("creg", "truth"): 38.0, ("creg", "prediction"): 38.0}
    figure = plot(directed(*direction_rows(dae=same)))
    assert marks(figure.axes[0])["CREG"] == [(38.0, "filled")]
    assert "hollow" not in said(figure) and "hollow" in said(plot(directed(*direction_rows())))


def test_what_stands_in_place_of_a_mark() -> None:
    few = [nothing(row, questions=14, images=8) for row in direction_rows("squares")]
    text = said(plot(directed(*direction_rows(), missing("pairs"), *few)))
    assert text.count("not available") == 1
    assert text.count("omitted (8 pictures, 10 needed)") == 6
    assert "GradCAM" in text


def test_a_panel_is_a_suite_and_prompt() -> None:
    rows = [row for prompt in "AB" for row in direction_rows(prompt=prompt)]
    figure = plot(directed(*rows, *direction_rows("squares")), titles={"pairs": "Two things"})
    assert titles(figure) == ["Two things", "Two things", "Squares"]
    assert "prompt A: 40 questions, 20 pictures" in said(figure)
    (first, second) = (axis.get_xlim() for axis in figure.axes[:2])
    assert first == second


def test_another_projection_is_drawn_and_an_unknown_one_named() -> None:
    rows = [*direction_rows(), direction_row("pairs", "chefer", "prediction", 20.0, projection="4 sectors")]
    assert "Chefer" in said(plot(directed(*rows), projection="4 sectors"))
    assert "Chefer" not in said(plot(directed(*rows)))
    with pytest.raises(UsageError, match="choose from: default, beyond kept, 4 sectors"):
        plot(directed(*rows), projection="7 sectors")


def test_rows_and_their_summary_give_the_same_figure() -> None:
    row: Row = dict.fromkeys(CREG.columns) | {"suite": "pairs", "projection": "default", "sectors": 8}
    row |= {"part": "rest", "correct": True, "direction": "left", "tied": 1}
    values = {("creg", "prediction"): 30.0, ("constant", None): 50.0, ("point_at_subject", None): 10.0}
    rows = [
        row | {"example_id": str(n), "image_id": str(n), "method": m, "target": t, "dae": dae + n, "ea": 1.0}
        for n in range(12)
        for (m, t), dae in values.items()
    ]
    made = Table.of(CREG, rows)
    assert to_svg(plot(made)) == to_svg(plot(creg_summary(made)))
    assert marks(plot(made).axes[0])["CREG"] == [(35.5, "filled")]


# Causal checks


def test_knockout_ranks_by_the_attention_form_and_stands_beside_the_layout() -> None:
    figure = plot(table(KNOCKOUT_SUMMARY, knockout_rows()))
    correlation, gain = figure.axes
    assert list(marks(correlation)) == ["Attention rollout", "CREG", "Subject's box", "Uniform relevance"]
    assert marks(correlation)["CREG"] == [(0.3, "filled"), (0.6, "hollow")]
    assert gain.get_xlabel().replace("\n", " ") == "improvement over uniform relevance, degrees"
    assert marks(correlation)["Attention rollout"] == [(0.5, "filled"), (0.2, "hollow")]
    gains = [line for line in gain.lines if line.get_marker() in ("o", "D")]
    assert {float(np.asarray(line.get_xdata())[0]) for line in gains} == {-5.0, 10.0, 5.0, 0.0}
    assert 0.0 in {x for x, *_ in strokes(gain, SOFT)}
    assert "the same everywhere: no ranks" in said(figure)
    assert "effects themselves" not in said(figure)
    assert "Pairs: rank correlation" in said(figure) and "Pairs: compass" in said(figure)
    assert not {"Left:", "Right:"} & set(CAPTION.split())


def test_groups_that_are_omitted_are_counted() -> None:
    empty = dict.fromkeys(("correlation", "angle", "angle_gain"))
    few = [row | empty | {"omitted": True, "questions": 4} for row in knockout_rows("squares")]
    figure = plot(table(KNOCKOUT_SUMMARY, [*knockout_rows(), *few]))
    assert said(figure).count("omitted (4 questions, 10 needed)") == 2
    assert len(figure.axes) == 4


def test_occlusion_counts_the_pictures_that_its_rule_is_about() -> None:
    few = [{k: None if type(v) is float else v for k, v in row.items()} for row in occlusion_rows()]
    few = [row | {"omitted": True, "questions": 14, "images": 8} for row in few]
    assert "omitted (8 pictures, 10 needed)" in said(plot(table(OCCLUSION_SUMMARY, few)))
    one = next(row["method"] for row in few if row["method"] is not None)
    mixed = [gone if row["method"] == one else row for row, gone in zip(occlusion_rows(), few, strict=True)]
    assert "omitted (8 pictures, 10 needed)" in said(plot(table(OCCLUSION_SUMMARY, mixed)))


def test_occlusion_shows_the_methods_sector_beside_the_true_one() -> None:
    made = table(OCCLUSION_SUMMARY, occlusion_rows())
    axis = plot(made).axes[0]
    assert marks(axis) == {
        "CREG": [(0.3, "filled"), (0.05, "hollow")],
        "True sector (COS-true)": [(0.4, "filled"), (0.05, "hollow")],
        "Uniform relevance": [(0.35, "filled"), (0.05, "hollow")],
    }
    assert len(plot(made, variant="blur", over="vocabulary").axes) == 1
    with pytest.raises(UsageError, match="choose from: gray, blur"):
        plot(made, variant="tar")
    with pytest.raises(UsageError, match="choose from: options, vocabulary"):
        plot(made, over="all")


def test_mirror_and_move_stand_beside_the_layout() -> None:
    flip = plot(table(FLIP_SUMMARY, flip_rows())).axes[0]
    assert marks(flip) == {"CREG": [(0.6, "filled"), (0.5, "hollow")]}
    assert {x for x, *_ in strokes(flip, NULL_LINE["color"])} == {1.0}
    moved = plot(table(MOVED_SUMMARY, moved_rows())).axes[0]
    assert marks(moved) == {"CREG": [(70.0, "filled")], "Attention rollout": [(45.0, "filled")]}
    assert {x for x, *_ in strokes(moved, NULL_LINE["color"])} == {80.0}


ALL = [
    directed(*direction_rows(HOSTILE)),
    table(KNOCKOUT_SUMMARY, knockout_rows(HOSTILE)),
    table(OCCLUSION_SUMMARY, occlusion_rows(HOSTILE)),
    table(FLIP_SUMMARY, flip_rows(HOSTILE)),
    table(MOVED_SUMMARY, moved_rows(HOSTILE)),
]


@pytest.mark.parametrize("made", ALL, ids=lambda made: made.schema.name)
def test_what_all_figures_keep_to(made: Table) -> None:
    """The same SVG each time, names as text and nothing else, a narrow form, and an error without rows."""
    svg = to_svg(plot(made))
    assert svg == to_svg(plot(made))
    assert "<script" not in svg and "&lt;script&gt;alert(1)&lt;/script&gt; $x 1" in svg
    narrow = plot(made, columns=1)
    assert narrow.get_figwidth() == NARROW and len({axis.get_position().x0 for axis in narrow.axes}) == 1
    with pytest.raises(DataError, match="no rows"):
        plot(Table.of(made.schema, []))
