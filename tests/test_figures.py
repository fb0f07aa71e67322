"""Figures: chosen by schema, the same bytes each time, and what they say where there is nothing to draw."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

from backsight.errors import DataError, UsageError
from backsight.results import plot
from backsight.results.behaviour import BEHAVIOUR, BEHAVIOUR_SUMMARY, behaviour_summary
from backsight.results.drawing.style import to_svg
from backsight.results.drawing.sweeps import numbers
from backsight.results.interchange import INTERCHANGE, INTERCHANGE_SUMMARY, OUTCOME_WORDS, interchange_summary
from backsight.tables import Schema, Table

Row = dict[str, Any]
HOSTILE = "<script>alert(1)</script> $x_1"


def answers(suite: str = "squares", prompts: tuple[str | None, ...] = (None,), images: int = 12) -> Table:
    """Behaviour rows: right with the picture but for the first image, with a gray one at every sixth."""
    rows: list[Row] = []
    for prompt in prompts:
        for condition in ("picture", "gray"):
            for number in range(images):
                right = number > 0 if condition == "picture" else number % 6 == 0
                row: Row = {"example_id": f"{prompt}-{number}", "image_id": str(number), "suite": suite}
                row |= {"direction": ("left", "right")[number % 2], "prompt": prompt, "ground": "plain", "group": None}
                row |= {"condition": condition, "question": "?", "answer": "red", "options": 6}
                row |= {"choice": "red", "choice_correct": right, "p_answer": 0.5, "p_choice": 0.5}
                row |= {
                    "p_answer_of_options": 0.5,
                    "top_token": "red",
                    "free_correct": right,
                    "scoring": "token",
                    "choice_per_token": None,
                    "choice_per_token_correct": None,
                    "p_answer_per_token": None,
                    "probabilities": None,
                    "opposite": None,
                }
                rows.append(row)
    return Table.of(BEHAVIOUR, rows)


def sweeps(suite: str = "squares", pairs: int = 24, layers: int = 6, decided: tuple[int, ...] = (3, 4)) -> Table:
    """Interchange rows in which the ordinal outcome leads at the layers `decided`."""
    rows: list[Row] = []
    for number in range(pairs):
        for layer in range(layers + 1):
            top = "ordinal" if layer in decided else "clean" if layer < layers - 1 else "counterfactual"
            row: Row = {"pair_id": str(number), "image_id": str(number), "suite": suite, "site": "resid_pre"}
            row |= {"direction": ("left", "right")[number % 2], "position": "last", "layer": layer}
            row |= {f"p_{name}": 0.05 for name in OUTCOME_WORDS} | {f"p_{top}": 0.8 + 0.005 * number}
            row |= {"top_token": "red", "kept": True, "clean_choice": "red", "counterfactual_choice": "black"}
            row |= {"top_outcome": top}
            rows.append(row)
    return Table.of(INTERCHANGE, rows)


def said(figure: Figure) -> str:
    """All text of a figure, as a reader of the SVG finds it."""
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(figure)))


@pytest.mark.parametrize("rows, summary", [(answers(), behaviour_summary), (sweeps(), interchange_summary)])
def test_rows_and_their_summary_give_the_same_figure(rows: Table, summary: Any) -> None:
    assert to_svg(plot(rows)) == to_svg(plot(summary(rows)))


@pytest.mark.parametrize("table", [answers(prompts=("A", "B")), sweeps()])
def test_svg_is_the_same_each_time(table: Table) -> None:
    figure = plot(table)
    first = to_svg(figure)
    assert to_svg(figure) == first == to_svg(plot(table))
    assert "dc:date" not in first and "<metadata" not in first


def test_saving_keeps_the_style(tmp_path: Any) -> None:
    for name in ("one.svg", "two.svg"):
        plot(sweeps()).savefig(tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert ">clean answer</text>" in (tmp_path / "one.svg").read_text()


def test_no_setting_of_matplotlib_is_changed() -> None:
    # Reading the setting "backend" would itself choose one.
    names = [name for name in matplotlib.rcParams if name != "backend"]
    before = [matplotlib.rcParams[name] for name in names]
    to_svg(plot(answers()))
    assert [matplotlib.rcParams[name] for name in names] == before


def test_an_unknown_schema_names_those_known() -> None:
    known = r"give one of: behaviour, behaviour_summary, .*pathways, .*, creg, .*, amplify, .*, compare, sweep$"
    with pytest.raises(UsageError, match=known):
        plot(Table.of(Schema("weather", {"rain": "float"}), []))


def test_an_empty_table_cannot_be_drawn() -> None:
    with pytest.raises(DataError, match="no rows"):
        plot(Table.of(BEHAVIOUR_SUMMARY, []))
    with pytest.raises(DataError, match="no rows"):
        plot(Table.of(INTERCHANGE_SUMMARY, []))


def test_options_that_do_not_exist() -> None:
    with pytest.raises(UsageError, match="options, free"):
        plot(answers(), read_out="loud")
    with pytest.raises(UsageError, match="all, left, right, each"):
        plot(sweeps(), direction="above")


def test_accuracy_is_drawn_where_it_is() -> None:
    axes = plot(answers(images=24)).axes[0]
    marks = [line.get_xydata() for line in axes.lines if line.get_marker() == "o"]
    drawn = {(round(float(x), 4), round(float(y), 2)) for x, y in np.concatenate(marks)}
    # 23 of 24 right with the picture and 4 of 24 with a gray one; left has the first image and all gray hits.
    assert {(0.9583, 0.0), (0.1667, 0.0), (0.9167, 1.35), (0.3333, 1.35), (1.0, 2.35), (0.0, 2.35)} == drawn
    assert [label.get_text() for label in axes.get_yticklabels()] == ["all", "left", "right"]


def test_chance_is_a_dashed_line_where_it_is() -> None:
    line = next(line for line in plot(answers()).axes[0].lines if line.get_linestyle() == "--")
    assert np.allclose(line.get_xdata(), 1 / 6)


def test_prompts_are_told_apart() -> None:
    text = said(plot(answers(prompts=("A", "B", "C"))))
    assert all(f"picture, prompt {prompt}" in text for prompt in "ABC")
    assert "12 questions a prompt, 12 pictures" in text


def test_directions_of_few_questions_are_omitted() -> None:
    text = said(plot(answers(images=12)))
    assert text.count("omitted (n=6)") == 2


def test_a_direction_that_a_suite_does_not_ask() -> None:
    both = Table.concat([answers("squares", images=24), answers("rows", images=24)])
    summary = behaviour_summary(both)
    kept = [row for row in summary.rows() if (row["suite"], row["direction"]) != ("rows", "right")]
    assert said(plot(Table.of(BEHAVIOUR_SUMMARY, kept))).count("not asked") == 1


def test_several_grounds_have_a_panel_each() -> None:
    rows = answers("pairs", images=24).rows()
    table = Table.of(BEHAVIOUR, [*rows, *(row | {"ground": "textured"} for row in rows)])
    text = said(plot(table))
    assert "Pairs, plain ground" in text and "Pairs, textured ground" in text


def test_interchange_says_counts_and_outcomes() -> None:
    text = said(plot(sweeps()))
    assert "24 pairs kept, 0 dropped" in text
    assert all(outcome in text for outcome in ("clean answer", "counterfactual answer", "clean picture (order)"))
    assert "order above both others, and the answer" in text


def test_layers_of_the_order_are_shaded() -> None:
    axes = plot(sweeps(decided=(3, 4))).axes[0]
    spans = [(p.get_x(), p.get_x() + p.get_width()) for p in axes.patches]  # type: ignore[attr-defined]
    assert spans == [(2.5, 4.5)]
    assert not plot(sweeps(decided=())).axes[0].patches
    assert numbers("3-5, 7") == [(3, 5), (7, 7)] and numbers("") == []


def test_layers_are_wholenumbers() -> None:
    for layers in (6, 28):
        axes = plot(sweeps(layers=layers, decided=(5,))).axes[0]
        ticks = [tick for tick in axes.get_xticks() if 0 <= tick <= layers]
        assert all(float(tick).is_integer() for tick in ticks)
        assert axes.get_xlim() == (-0.5, layers + 0.5) and axes.get_ylim() == (0, 1)


def test_a_panel_of_few_pairs_is_omitted() -> None:
    figure = plot(Table.concat([sweeps("squares"), sweeps("shapes", pairs=4)]))
    assert "omitted: 4 pairs" in said(figure)
    assert not figure.axes[1].lines


def test_each_direction_has_a_panel() -> None:
    text = said(plot(sweeps(), direction="each"))
    assert "Squares, left" in text and "Squares, right" in text and "12 pairs kept" in text
    assert len(plot(sweeps(), direction="left").axes) == 1


def test_names_are_text_and_nothing_else() -> None:
    svg = to_svg(plot(answers(HOSTILE, images=24)))
    assert "<script" not in svg and "&lt;script&gt;alert(1)&lt;/script&gt; $x 1" in svg


def test_titles_replace_names() -> None:
    assert "Squares of six colours" in said(plot(sweeps(), titles={"squares": "Squares of six colours"}))


def test_figures_need_no_torch() -> None:
    code = "import sys, backsight.results; sys.exit(bool({'torch', 'matplotlib.pyplot'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
