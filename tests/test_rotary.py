"""Rotary sensitivity: by hand, against plain forwards with other ids and edits, and on models with a known answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet, PlainPicture
from backsight.measurements import Rotary
from backsight.measurements.rotary import CELLS, along, changes, opposite, scrambled
from backsight.models import position_ids
from backsight.models.opening import load
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report.reading import read_study
from backsight.results import RESULTS, plot
from backsight.results.drawing.style import to_svg
from backsight.results.rotary import ROTARY, rotary_summary, sentences, text
from backsight.results.rotary.section import rotary
from backsight.selftest.rotary import mirrored as judged
from backsight.tables import Table
from backsight.training.questions import corpus

from .test_report import page_of, study_record, words, write_study

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma")
Row = dict[str, Any]


TITLES = {"squares": "Squares", "shapes": "Shapes"}


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def question(answer: str, options: Iterable[str], direction: str | None) -> Example:
    return Example("q", PlainPicture((60, 60)), "Where?", tuple(options), answer, direction=direction)


def test_changes_of_attention_by_hand() -> None:
    """Two heads on three image tokens: one gives the image less and spreads it otherwise, one only gives it less."""
    before = torch.tensor([[0.2, 0.2, 0.0], [0.3, 0.1, 0.0]])
    after = torch.tensor([[0.1, 0.0, 0.1], [0.15, 0.05, 0.0]])
    share, moved = changes(before, after)
    torch.testing.assert_close(share, torch.tensor([-0.2, -0.2]))
    torch.testing.assert_close(moved, torch.tensor([0.5, 0.0]))
    assert torch.isfinite(changes(before, torch.zeros(2, 3))[1]).all()


def test_the_signs_are_those_of_a_question_and_a_step() -> None:
    one, other = stimuli.squares().items[:2]
    signs = scrambled(one, 1, 400, 8)
    assert torch.equal(signs, scrambled(one, -1, 400, 8)) and set(signs.unique().tolist()) == {-1, 1}
    assert abs(float(signs.double().mean())) < 0.1
    assert not torch.equal(signs, scrambled(other, 1, 400, 8)) and not torch.equal(signs, scrambled(one, 2, 400, 8))


@pytest.mark.parametrize(
    ("answer", "options", "direction", "coordinate", "other"),
    [
        ("left", ("left", "right", "on", "under"), "left", "column", "right"),
        ("on", ("left", "right", "on", "under"), "on", "row", "under"),
        ("behind", ("left", "right", "front", "behind"), "behind", None, None),
        ("3", ("1", "2", "3", "4"), "above", "row", "4"),
        ("true", ("true", "false"), "left", "column", None),
        ("apple", ("apple", "key"), None, None, None),
        ("right", ("left", "right"), None, "column", "left"),
    ],
)  # fmt: skip
def test_the_opposite_answer_where_it_is_known(
    answer: str, options: tuple[str, ...], direction: str | None, coordinate: str | None, other: str | None
) -> None:
    asked = question(answer, options, direction)
    assert (along(asked), opposite(asked)) == (coordinate, other)


def test_the_opposite_of_a_row_of_three_is_at_its_other_end() -> None:
    for example in stimuli.squares().limit(8):
        names = example.source.names
        assert {example.answer, opposite(example)} == {names[0], names[2]}
        assert along(example) == ("column" if example.direction in ("left", "right") else "row")


def attention(vlm: VLM, batch: Batch, edits: Iterable[Edit]) -> torch.Tensor:
    """Of block 2, (batch, head, query, key), under some edits."""
    kept: list[torch.Tensor] = []
    with vlm.editing(*edits), vlm.watching(lambda _, weights: kept.append(weights), [2]):
        vlm.forward(batch)
    return kept[0]


@pytest.mark.parametrize("family", FAMILIES)
def test_rows_equal_plain_forwards_with_ids_and_edits(family: str) -> None:
    """Of prompts of two lengths, so that one is padded; one row an answer, and of turned keys one a layer."""
    vlm = VLM(*tiny(family, corpus()))
    asked = ExampleSet("two", (stimuli.squares()[0], stimuli.pairs()[1]))
    table = Rotary(steps=(-2,), batch=2)(vlm, asked)
    rows = {
        (r["example_id"], r["edit"], r["given"], r["condition"], r["steps"], r["layer"]): r for r in table.rows()
    }  # fmt: skip
    assert len(rows) == len(table) == 2 * (1 + 2 + 2 + 2 * 3 * (1 + vlm.n_layers))
    for example in asked:
        batch = vlm.prepare([example])
        answer = example.options.index(example.answer)

        def log_p(logits: torch.Tensor, example: Example = example, answer: int = answer) -> float:
            return float(vlm.choose(logits[0], example.options)[1][answer].log())

        before = log_p(vlm.forward(batch))
        assert rows[example.id, "plain", None, None, None, None]["log_p"] == pytest.approx(before, abs=1e-4)
        ids = position_ids.mirrored(batch, position_ids.default(vlm, batch), "row")
        expected = log_p(vlm.forward(position_ids.with_ids(batch, ids)))
        row = rows[example.id, "mirror", "row", "picture", None, None]
        assert row["log_p"] == pytest.approx(expected, abs=1e-4)
        assert row["log_p_change"] == pytest.approx(expected - before, abs=2e-4)
        one, other = (
            attention(vlm, batch, edits)[0, :, -1][:, batch.image_mask[0]]
            for edits in ((), position_ids.turning(vlm, batch.grids, (-2, -2)))
        )
        share, moved = changes(one, other)
        row = rows[example.id, "turn", "both", "step", -2, 2]
        assert row["share"] == pytest.approx(float(one.sum(-1).mean()), abs=1e-5)
        assert row["share_moved"] == pytest.approx(float(share.abs().mean()), abs=1e-5)
        assert row["map_moved"] == pytest.approx(float(moved.mean()), abs=1e-5)
        assert row["map_moved_most"] == pytest.approx(float(moved.max()), abs=1e-5)


def test_questions_whose_mirrored_answer_is_not_known_are_left_out_of_the_mirror(tiny_vlm: VLM) -> None:
    options = ("left", "right")
    depth = replace(question("left", options, "behind"), id="depth")
    caption = replace(question("left", (*options[:1], "above"), "left"), id="caption")
    rows = Rotary(steps=(1,), gray=False)(tiny_vlm, [depth, caption]).frame
    mirror = rows[rows["edit"] == "mirror"]
    assert set(zip(mirror["example_id"], mirror["given"], strict=True)) == {("depth", "column"), ("caption", "row")}
    assert set(rows[rows["edit"] == "turn"]["example_id"]) == {"depth", "caption"}


def test_what_cannot_be_asked_is_refused(tiny_vlm: VLM) -> None:
    pairs = stimuli.squares().pairs("last_token")
    assert not Rotary().applies(pairs)
    with pytest.raises(UsageError, match="example set"):
        Rotary()(tiny_vlm, pairs)
    for steps in ((0,), (1, 1)):
        with pytest.raises(UsageError, match="Steps"):
            Rotary(steps=steps)
    captions = ("The apple is to the left of the key.", "The apple is to the right of the key.")
    with pytest.raises(CannotAnswer, match="no single token"):
        Rotary()(tiny_vlm, [question(captions[0], captions, "left")])
    lacking = replace(tiny_vlm.family, capabilities=tiny_vlm.family.capabilities - {"rotary"})
    with pytest.raises(CannotAnswer, match="no position by rotation"):
        Rotary()(VLM(tiny_vlm.model, tiny_vlm.processor, family=lacking, check=False), stimuli.squares().limit(2))


@pytest.mark.parametrize(("name", "share"), [("language", 1.0), ("vision", 0.0)])
def test_the_answer_mirrors_where_it_is_read_from_rotary_positions(name: str, share: float) -> None:
    vlm = load(f"builtin:{name}", device="cpu")
    table = Rotary(steps=(), gray=False, batch=12)(vlm, stimuli.squares(vlm.grid).limit(12))
    shown = table.frame[(table.frame["edit"] == "mirror") & table.frame["right_before"]]
    own = shown[shown["given"] == shown["along"]]
    across = shown[shown["given"] != shown["along"]]
    assert len(own) == len(across) == 12
    assert (own["choice"] == own["opposite"]).mean() == share
    assert (across["choice"] == across["answer"]).all()


def mirror_rows(
    became: list[str], gray: list[str], *, coordinate: str = "column", given: str = "column", right: bool = True
) -> list[Row]:  # fmt: skip
    """Rows of questions of left and right whose answers are `became` under mirrored ids, and with gray pictures."""
    rows = []
    for condition, choices in (("picture", became), ("gray", gray)):
        for number, choice in enumerate(choices):
            row: Row = dict.fromkeys(ROTARY.columns) | {"example_id": f"{coordinate}{number}", "image_id": f"i{number}"}
            row |= {"suite": "squares", "along": coordinate, "edit": "mirror", "given": given, "condition": condition}
            row |= {"answer": "left", "opposite": "right", "right_before": right, "choice": choice}
            row |= {"correct": choice == "left", "changed": choice != "left", "log_p": -1.0, "log_p_change": 0.0}
            rows.append(row)
    return rows


def turn_rows(step: list[bool], null: list[bool], moved: tuple[float, float], given: str = "column") -> list[Row]:
    """Rows of answers that change or not, and of attention at two layers that moves by `moved` and half of it."""
    rows = []
    for condition, values, far in (("step", step, moved[0]), ("scrambled", null, moved[1])):
        for number, changed in enumerate(values):
            row: Row = dict.fromkeys(ROTARY.columns) | {"example_id": f"t{number}", "image_id": f"i{number}"}
            row |= {"suite": "squares", "edit": "turn", "given": given, "condition": condition, "steps": 1}
            rows.append(row | {"changed": changed, "log_p_change": -0.5 if changed else 0.0})
            for layer in (0, 1):
                attention = {"share": 0.4, "share_change": -0.1, "share_moved": 0.1, "map_moved": far / (2 - layer)}
                rows.append(row | {"layer": layer, "map_moved_most": 1.0} | attention)
    return rows


def summed(rows: list[Row]) -> dict[tuple[str, str, str], Row]:
    summary = rotary_summary(Table.of(ROTARY, rows)).rows()
    return {(r["along"], r["given"], r["quantity"]): r for r in summary if r["edit"] == "mirror"}


def test_the_summary_by_hand() -> None:
    rows = mirror_rows(["right"] * 6 + ["left"] * 3 + ["above"] * 3, ["right"] * 3 + ["left"] * 9)
    rows += mirror_rows(["right"] * 12, ["right"] * 12, given="row", right=False)  # not answered right: left out
    rows += turn_rows([True] * 3 + [False] * 9, [False] * 12, (0.4, 0.1))
    summary = rotary_summary(Table.of(ROTARY, rows)).frame
    mirror = summary[summary["edit"] == "mirror"].set_index("quantity")
    assert mirror["value"].to_dict() == {"mirrored": 0.5, "stays": 0.25, "other": 0.25}
    assert mirror["null"].to_dict() == {"mirrored": 0.25, "stays": 0.75, "other": 0.0}
    assert mirror.loc["mirrored", "difference"] == 0.25 and set(mirror["questions"]) == {12}
    assert mirror.loc["mirrored", "low"] < 0.5 < mirror.loc["mirrored", "high"]
    answers = summary[(summary["edit"] == "turn") & summary["layer"].isna()].set_index("quantity")
    assert answers["value"].to_dict() == pytest.approx({"changed": 0.25, "log_p": -0.125})
    layered = summary[summary["layer"].notna()].set_index(["quantity", "layer"])
    assert layered.loc[("map_moved", 0), "value"] == pytest.approx(0.2)
    assert layered.loc[("map_moved", 1), "difference"] == pytest.approx(0.3)
    assert layered.loc[("share", 1), "value"] == pytest.approx(0.4) and pd.isna(layered.loc[("share", 1), "null"])
    assert not summary["omitted"].any()
    few = rotary_summary(Table.of(ROTARY, mirror_rows(["right"] * 9, []))).frame
    assert few["omitted"].all() and few["value"].isna().all()


@pytest.mark.parametrize(
    ("became", "gray", "expected"),
    [
        (["right"] * 20, ["left", "right"] * 10, "follows"),
        (["right"] * 20, ["right"] * 20, "cannot tell"),  # as many as with a gray picture
        (["left"] * 20, ["left", "right"] * 10, "stays"),
        (["right"] * 9 + ["left"] * 11, ["left"] * 20, "in part"),
        (["above"] * 20, ["left", "right"] * 10, "disturbed"),
        (["left", "above"] * 10, ["left", "right"] * 10, "cannot tell"),
        (["right"] * 3, ["left"] * 3, "cannot tell"),
    ],
)  # fmt: skip
def test_the_verdict_by_its_numbers(became: list[str], gray: list[str], expected: str) -> None:
    by_about = summed(mirror_rows(became, gray))
    own = [by_about["column", "column", name] for name in ("mirrored", "stays")]
    assert text.verdict(*own) == expected
    if len(became) < 10:
        (line,) = sentences.statements(list(by_about.values()), TITLES, {})
        assert (line.text, line.short) == ("Left and right in Squares: omitted (3 correct answers, 10 needed).", 1.0)
    else:
        sentence = plain(sentences.mirror_sentence("column", by_about))
        assert sentence.endswith(text.WORDS[expected])
        others = [words for name, words in text.WORDS.items() if name != expected]
        assert not any(sentence.endswith(words) for words in others)


def test_without_a_gray_picture_more_than_half_must_mirror() -> None:
    for became, expected in ((["right"] * 20, "follows"), (["right", "left"] * 10, "cannot tell")):
        by_about = summed(mirror_rows(became, []))
        assert text.verdict(by_about["column", "column", "mirrored"], by_about["column", "column", "stays"]) == expected
        assert "gray" not in sentences.mirror_sentence("column", by_about)


def test_the_mirror_sentence_says_its_numbers() -> None:
    rows = mirror_rows(["right"] * 18 + ["left"] * 2, ["right"] * 5 + ["left"] * 15)
    rows += mirror_rows(["left"] * 19 + ["right"], ["left"] * 20, given="row")
    assert plain(sentences.mirror_sentence("column", summed(rows))) == (
        "left and right: with columns mirrored, 90 % [68, 99] of 20 correct answers become their mirror image (gray "
        "picture 25 %, rows mirrored 5 %), 10 % [1, 32] stay and 0 % [0, 20] become another; they are read from the "
        "rotary coordinates"
    )


def claim(*suites: tuple[str, list[Row]]) -> str:
    rows = [row | {"suite": suite} for suite, of in suites for row in summed(of).values()]
    return plain(sentences.claim(rows, TITLES))


def test_the_claim_over_suites_has_the_least_share_and_what_is_not_shown() -> None:
    gray = ["left", "right"] * 10
    follows = mirror_rows(["right"] * 20, gray)
    less = mirror_rows(["right"] * 18 + ["left"] * 2, gray)
    above = mirror_rows(["left"] * 20, gray, coordinate="row", given="row")
    start = "With rotary coordinates of the image tokens mirrored, answers of left and right"
    become = "become their mirror image)"
    assert claim(("squares", follows)) == f"{start} follow in Squares (100 % [80, 100] {become}."
    assert claim(("squares", follows + above), ("shapes", less)) == (
        f"{start} follow in Squares and Shapes (at least 90 % [68, 99] {become}; answers of above and below stay in "
        "Squares (100 % [80, 100])."
    )
    lost = mirror_rows(["above"] * 20, gray)
    assert claim(("squares", lost)) == f"{start} are lost in Squares (100 % [80, 100] become another answer)."
    part = mirror_rows(["right"] * 9 + ["left"] * 11, ["left"] * 20)
    open_ = mirror_rows(["left", "above"] * 10, gray)
    assert claim(("squares", part), ("shapes", open_)) == (
        f"{start} follow in part in Squares (45 % [25, 67] {become}; not shown for left and right in Shapes."
    )
    both = mirror_rows(["left"] * 20, gray) + above
    assert claim(("squares", both), ("shapes", both)) == (
        "With rotary coordinates of the image tokens mirrored, answers of left, right, above and below stay in Squares "
        "and Shapes (at least 100 % [80, 100])."
    )
    assert claim(("squares", mirror_rows(["right"] * 3, []))) == (
        "Whether answers depend on the rotary coordinates of image tokens is not shown for left and right in Squares."
    )
    assert claim() == "Whether answers depend on the rotary coordinates of image tokens is not shown."


def test_the_null_is_a_gray_picture_and_the_other_coordinate() -> None:
    rows = mirror_rows(["right"] * 20, ["right"] * 5 + ["left"] * 15)
    assert plain(sentences.null(list(summed(rows).values()))) == (
        "Answers become their mirror image with a gray picture in at most 25 % [10, 48] of the cases."
    )
    rows += mirror_rows(["left"] * 19 + ["right"], ["left"] * 20, given="row")
    assert plain(sentences.null(list(summed(rows).values()))).endswith(
        "25 % [10, 48] and with the other coordinate mirrored in at most 5 % [0, 26] of the cases."
    )
    assert sentences.null([]) == ""


@pytest.mark.parametrize(
    ("columns", "rows", "ranges", "expected"),
    [
        (20, 0, {"column": 2.0, "row": 1.0}, "the axis with the larger range follows its coordinates more"),
        (20, 0, {"column": 0.002, "row": 0.35}, "the axis with the smaller range follows its coordinates more"),
        (20, 20, {"column": 0.002, "row": 0.35}, "by their intervals the two axes do not follow differently"),
    ],
)
def test_the_phase_range_stands_beside_what_follows(
    columns: int, rows: int, ranges: dict[str, float], expected: str
) -> None:
    def asked(count: int, coordinate: str) -> list[Row]:
        became = ["right"] * count + ["left"] * (20 - count)
        return mirror_rows(became, ["left"] * 20, coordinate=coordinate, given=coordinate)

    by_about = summed(asked(columns, "column") + asked(rows, "row"))
    sentence = plain(sentences.range_sentence(ranges, by_about))
    assert expected in sentence and f"{ranges['column']:.3g} radians over the columns" in sentence
    assert sentences.range_sentence({"column": 1.0}, by_about) == ""
    assert sentences.range_sentence(ranges, summed(asked(columns, "column"))) == ""


@pytest.mark.parametrize(
    ("step", "null", "expected"),
    [(12, 0, "more than 0 %"), (0, 12, "fewer than 100 %"), (6, 6, "not told apart from 50 %")],
)
def test_the_turn_stands_beside_keys_that_go_nowhere(step: int, null: int, expected: str) -> None:
    rows = turn_rows([True] * step + [False] * (12 - step), [False] * (12 - null) + [True] * null, (0.4, 0.1))
    sentence = plain(sentences.turn_sentence(rotary_summary(Table.of(ROTARY, rows)).rows()))
    assert sentence.startswith(f"with image keys turned by one cell along columns, {100 * step / 12:.0f} % [")
    assert (
        expected in sentence
        and "at most 40 % [40, 40] of the attention within the image moves (layer 1; 10 % there)" in sentence
    )
    assert sentences.turn_sentence([]) == "" and text.cells(-2) == "2 cells backwards"


def test_the_figure_and_the_section_say_what_is_omitted(tmp_path: Path) -> None:
    rows = mirror_rows(["right"] * 12, ["left"] * 12) + mirror_rows(["left"] * 4, [], coordinate="row", given="row")
    table = Table.of(ROTARY, rows + turn_rows([False] * 12, [True] * 12, (0.4, 0.1)))
    drawn = to_svg(plot(table))
    assert drawn == to_svg(plot(rotary_summary(table)))
    assert "omitted (n=4)" in drawn and "not asked" in drawn and "keys turned by one cell" in drawn
    with pytest.raises(DataError, match="no rows"):
        plot(rotary_summary(Table.of(ROTARY, [])))
    write_study(tmp_path, study_record("squares"))
    rotary_summary(table).write(tmp_path / "tables", "rotary_summary")
    shown = words(page_of(tmp_path))
    assert "With rotary coordinates of the image tokens mirrored" in shown
    assert "Above and below in Squares: omitted (4 correct answers, 10 needed)." in shown
    assert "fewer than 100 % with keys turned to no position" in plain(shown)
    section = rotary(read_study(tmp_path))
    assert section is not None and all(len(one.suites) == len(one.rows) for one in section.tables)
    assert (tmp_path / "figures" / "rotary.svg").is_file()


def test_what_two_studies_are_compared_by() -> None:
    by_family = {metric.family: metric for metric in RESULTS["rotary"].metrics}
    rows = mirror_rows(["right"] * 2 + ["left"], ["left"] * 3) + mirror_rows(["right"], [], given="row")
    table = Table.of(ROTARY, rows + turn_rows([True, False], [True, True], (0.1, 0.1)))
    mirror, turn = by_family["rotary_mirror"], by_family["rotary_turn"]
    assert mirror.rows(table.frame)["mirrored"].tolist() == [1.0, 1.0, 0.0]
    assert turn.rows(table.frame)["changed"].tolist() == [True, False]


def test_the_control_is_judged_on_both_sides() -> None:
    def of(own: float, across: float) -> pd.DataFrame:
        rows: list[Row] = []
        for coordinate in ("column", "row"):
            for given in ("column", "row"):
                count = round(20 * (own if coordinate == given else across))
                became = ["right"] * count + ["left"] * (20 - count)
                rows += mirror_rows(became, [], coordinate=coordinate, given=given)
        return rotary_summary(Table.of(ROTARY, rows)).frame

    cases = (((1.0, 0.0), 0.0, (True, True)), ((0.5, 0.0), 0.0, (False, True)), ((1.0, 0.5), 0.0, (True, False)),
             ((1.0, 0.0), 1.0, (True, False)))  # fmt: skip
    for language, vision, expected in cases:
        seen = judged(of(*language), of(vision, 0.0))
        assert (seen.fires, seen.silent) == expected
    nothing = rotary_summary(Table.of(ROTARY, [])).frame
    assert judged(nothing, nothing)[1::2][:2] == (False, False)


def test_steps_of_cells_are_the_directions() -> None:
    assert CELLS == {"column": (0, 1), "row": (1, 0), "both": (1, 1)}
