"""Figures of pathways and swapped image tokens: what is drawn where, and what is said; and what all figures keep to."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes

from backsight.errors import DataError, UsageError
from backsight.results import plot
from backsight.results.drawing.style import NARROW, to_svg
from backsight.results.image_interchange import IMAGE_INTERCHANGE, IMAGE_INTERCHANGE_SUMMARY, image_interchange_summary
from backsight.results.interchange import ORDER_LAYERS
from backsight.results.pathways import PATHWAYS, PATHWAYS_SUMMARY, pathways_summary
from backsight.results.probe_maps import PROBE_MAPS
from backsight.results.probes import PROBES_SUMMARY, probes_summary
from backsight.tables import Schema, Table

from .test_figures_probes import HOSTILE, mapped, probed, said, titles

Row = dict[str, Any]


def answers(suite: str = "squares", images: int = 20, *, cells: bool = True, control: bool = True) -> Table:
    """Rows of Pathways: all right as they are, half of them with tokens shuffled, the presence question always."""
    rows: list[Row] = []
    conditions = ("plain", "removed", *(["cells"] if cells else []), "shuffled")
    for asked in ("order", "control") if control else ("order",):
        for condition in conditions:
            for number in range(images):
                right = asked == "control" or condition != "shuffled" or number % 2 == 0
                row: Row = {"example_id": str(number), "image_id": str(number), "suite": suite, "asked": asked}
                row |= {"direction": ("left", "right")[number % 2], "condition": condition, "seed": None}
                row |= {"answer": "red", "choice": "red", "correct": right, "choice_of_two": "red"}
                rows.append(row | {"correct_of_two": right, "p_answer_of_two": 0.5})
    return Table.of(PATHWAYS, rows)


def swaps(
    suite: str = "squares", pairs: int = 24, layers: int = 6, flipped: tuple[int, ...] = (0, 1), **changes: Any
) -> Table:
    """Image-interchange rows of objects, which flip nothing, and strips, which flip the answer at some layers."""
    rows: list[Row] = []
    for tokens in ("objects", "strips"):
        for number in range(pairs):
            for layer in range(layers + 1):
                high = 0.8 + 0.005 * number
                over = tokens == "strips" and layer in flipped
                row: Row = {"pair_id": str(number), "image_id": str(number), "group": str(number // 2), "suite": suite}
                row |= {"direction": ("left", "above")[number % 2], "vision": "intact", "tokens": tokens}
                row |= {"layer": layer, "p_clean": 0.05 if over else high, "p_flipped": high if over else 0.05}
                row |= {"top_token": "red", "kept": True, "clean_choice": "red", "counterfactual_choice": "blue"}
                row |= {"top_outcome": "flipped" if over else "clean"}
                rows.append(row | changes)
    return Table.of(IMAGE_INTERCHANGE, rows)


def dots(axis: Axes) -> set[tuple[float, float, str]]:
    """Where the marks of a panel of accuracies stand, and whether they are filled."""
    lines = [line for line in axis.lines if line.get_marker() == "o"]
    return {
        (round(float(x), 3), round(float(y), 2), "hollow" if line.get_markerfacecolor() == "white" else "filled")
        for line in lines
        for x, y in np.asarray(line.get_xydata())
    }


@pytest.mark.parametrize(
    ("rows", "summary"),
    [(answers(), pathways_summary), (swaps(), image_interchange_summary), (probed(), probes_summary)],
)
def test_rows_and_their_summary_give_the_same_figure(rows: Table, summary: Any) -> None:
    assert to_svg(plot(rows)) == to_svg(plot(summary(rows)))


@pytest.mark.parametrize("table", [answers(), swaps(), probed(), mapped()])
def test_svg_is_the_same_each_time(table: Table) -> None:
    assert to_svg(plot(table)) == to_svg(plot(table))


@pytest.mark.parametrize("table", [answers(), swaps(), probed(), mapped()])
def test_one_column_is_as_wide_as_a_phone(table: Table) -> None:
    assert plot(table, columns=1).get_figwidth() == NARROW <= plot(table).get_figwidth()


@pytest.mark.parametrize("table", [answers(HOSTILE), swaps(HOSTILE), probed(HOSTILE), mapped(HOSTILE)])
def test_names_are_text_and_nothing_else(table: Table) -> None:
    svg = to_svg(plot(table))
    assert "<script" not in svg and "&lt;script&gt;alert(1)&lt;/script&gt; $x 1" in svg


@pytest.mark.parametrize("schema", [PATHWAYS_SUMMARY, IMAGE_INTERCHANGE_SUMMARY, PROBES_SUMMARY, PROBE_MAPS])
def test_an_empty_table_cannot_be_drawn(schema: Schema) -> None:
    with pytest.raises(DataError, match="no rows"):
        plot(Table.of(schema, []))


def test_options_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match="all, left, right"):
        plot(answers(), direction="above")
    with pytest.raises(UsageError, match="all, left, above, horizontal, vertical, each"):
        plot(swaps(), direction="right")
    with pytest.raises(UsageError, match="choose from: intact"):
        plot(swaps(), vision="removed")
    with pytest.raises(UsageError, match="objects, background, shifted"):
        plot(probed(), measure="loud")


def test_rows_without_a_figure_are_named() -> None:
    rows = Table.of(ORDER_LAYERS, [])
    with pytest.raises(UsageError, match="no figure for tables of this schema"):
        plot(rows)


# Pathways


def test_accuracy_between_two_is_drawn_where_it_is() -> None:
    axis = plot(answers()).axes[0]
    order = {(1.0, 0 - 0.15), (1.0, 1 - 0.15), (1.0, 2 - 0.15), (0.5, 3 - 0.15)}
    control = {(1.0, place + 0.15) for place in range(4)}
    assert dots(axis) == {(x, round(y, 2), "filled") for x, y in order} | {(x, y, "hollow") for x, y in control}
    first = [tick.get_text().split("\n")[0] for tick in axis.get_yticklabels()]
    assert first == ["as it is", "order removed:", "single cells:", "shuffled:"]
    assert axis.get_xlabel() == "accuracy between two"
    assert any(line.get_linestyle() == "--" and set(np.asarray(line.get_xdata())) == {0.5} for line in axis.lines)


def test_an_interval_reaches_as_far_as_it_does() -> None:
    row = next(
        r for r in pathways_summary(answers()).rows() if r["condition"] == "shuffled" and r["direction"] == "all"
    )
    ends = [np.asarray(line.get_xdata()).tolist() for line in plot(answers()).axes[0].lines]
    assert [row["low_of_two"], row["high_of_two"]] in ends


def test_single_cells_that_are_not_available_and_no_control() -> None:
    figure = plot(answers(cells=False, control=False))
    assert "not available" in said(figure) and "control question" not in said(figure)
    assert {y for _, y, _ in dots(figure.axes[0])} == {0.0, 1.0, 3.0}


def test_directions_of_few_questions_are_omitted_on_pathways() -> None:
    text = said(plot(answers(images=18), direction="left"))
    assert text.count("omitted (n=9)") == 4 and "Squares, left" in text and "9 questions, 9 pictures" in text


# Swapped image tokens


def test_suites_stand_side_by_side_and_tokens_below_each_other() -> None:
    three = Table.concat([swaps("squares"), swaps("shapes"), swaps("objects")])
    names = titles(plot(three))
    assert names[:3] == ["Squares, object tokens", "Shapes, object tokens", "Objects, object tokens"]
    assert names[3:] == ["Squares, strips", "Shapes, strips", "Objects, strips"]
    assert titles(plot(three, columns=1))[:2] == ["Squares, object tokens", "Squares, strips"]
    assert titles(plot(swaps())) == ["Squares, object tokens", "Squares, strips"]


def test_layers_at_which_the_answer_flips_are_shaded() -> None:
    objects, strips = plot(swaps(flipped=(0, 1))).axes
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in strips.patches]  # type: ignore[attr-defined]
    assert spans == [(-0.5, 1.5)] and not objects.patches
    assert "flipped above clean, and the answer" in said(plot(swaps()))
    assert "and the answer" not in said(plot(swaps(flipped=())))


def test_curves_are_where_the_probabilities_are() -> None:
    clean, flipped = plot(swaps(pairs=12, flipped=(0,))).axes[1].lines
    mean = 0.8 + 0.005 * 5.5
    assert np.asarray(clean.get_ydata()) == pytest.approx([0.05, *[mean] * 6])
    assert np.asarray(flipped.get_ydata()) == pytest.approx([mean, *[0.05] * 6])


def test_intact_and_removed_are_told_apart() -> None:
    both = Table.concat([swaps(), swaps(vision="removed")])
    text = said(plot(both))
    assert "intact: 24 pairs kept, 0 dropped" in text and "after removal: 24 pairs kept, 0 dropped" in text
    assert "intact" not in said(plot(both, vision="removed"))
    assert len(plot(both, vision="removed").axes) == 2


def test_each_direction_has_a_panel_of_its_own() -> None:
    figure = plot(swaps(), direction="each")
    assert titles(figure) == ["Squares, left", "Squares, above", "Squares, left", "Squares, above"]
    assert "object tokens: 12 pairs kept, 0 dropped" in said(figure)
    assert titles(plot(swaps(), direction="horizontal")) == ["Squares, horizontal", "Squares, horizontal"]


def test_few_pairs_are_omitted_in_a_low_panel() -> None:
    figure = plot(Table.concat([swaps("squares"), swaps("shapes", pairs=4)]), columns=1)
    assert said(figure).count("omitted: 4 pairs") == 2  # drawn by now, so that the panels have their heights
    drawn, empty = (figure.axes[number].get_position().height for number in (0, 2))
    assert empty < drawn / 2
