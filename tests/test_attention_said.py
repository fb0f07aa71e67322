"""What is made of the rows of attention: summaries by hand, sentences that numbers make true and false, figures."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backsight.errors import DataError, UsageError
from backsight.results import heads, looking, modalities, plot
from backsight.results.drawing.style import NARROW, to_svg
from backsight.results.looking.section import sentence
from backsight.selftest import attention as controls
from backsight.studies.compare_metrics import values
from backsight.tables import Table

Row = dict[str, Any]
# The functions called section hide the modules of that name.
of_heads, of_looking, of_modalities = (
    importlib.import_module(f"backsight.results.{name}.section") for name in ("heads", "looking", "modalities")
)
HOSTILE = "<script>alert(1)</script> $x"


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def shares(
    image: float, uniform: float = 0.6, *, count: int = 20, spread: float = 0.02, suite: str = "squares"
) -> Table:
    """Rows of Modalities: two layers of two heads, all alike but for a spread over questions."""
    rows = []
    for number in range(count):
        for layer in range(2):
            for head in (None, 0, 1):
                mine = image + spread * (number % 2 - 0.5)
                row: Row = {"example_id": f"e{number:02d}", "image_id": f"i{number}", "suite": suite, "prompt": None}
                row |= {"direction": "left", "correct": True, "queries": "last", "layer": layer, "head": head}
                system = min(0.1, (1 - mine) / 2)
                row |= {"image": mine, "system": system, "question": 1 - mine - system, "first": 0.05}
                row |= {"first_part": "system"}
                row |= {"image_uniform": uniform, "system_uniform": 0.1, "question_uniform": 0.9 - uniform}
                rows.append(row)
    return Table.of(modalities.ROWS, rows)


def found(
    auroc: float, gray: float = 0.5, mirrored: float | None = 0.5, *, count: int = 20, suite: str = "squares",
    named: bool = True,
) -> Table:  # fmt: skip
    """Rows of Looking: two layers of two heads; head 1 of layer 1 has this AUROC of its target, all else .5."""
    rows = []
    for number in range(count):
        for layer in range(2):
            for head in (None, 0, 1):
                row: Row = dict.fromkeys(looking.ROWS.columns) | {
                    "example_id": f"e{number:02d}",
                    "image_id": f"i{number}",
                }
                row |= {"suite": suite, "direction": "left", "correct": number % 2 == 0, "queries": "last"}
                row |= {"layer": layer, "head": head, "sinks": 1, "sink_share": 0.2}
                own = auroc if layer == 1 and head in (None, 1) else 0.5
                for target in ("subject", "boxes") if named else ("boxes",):
                    numbers = (0.3, 0.1, own + 0.001 * (number % 3 - 1), own, gray, mirrored, 0.5)
                    row |= {f"{target}_{name}": value for name, value in zip(of_values(), numbers, strict=True)}
                rows.append(row)
    return Table.of(looking.ROWS, rows)


def of_values() -> tuple[str, ...]:
    return ("share", "area", "auroc", "kept", "gray", "mirrored", "random")


def answers(chosen: float, random: float, whole: float = 1.0, *, auroc: float = 0.9, count: int = 20) -> Table:
    """Rows of Heads: shares of right answers as the model is, with the chosen heads ablated and with random ones."""
    rows = []
    for number in range(count):
        kinds = (("plain", None, None, whole), ("chosen", "zero", 0, chosen), ("random", "zero", 0, random),
                 ("random", "zero", 1, random))  # fmt: skip
        for condition, ablation, draw, right in kinds:
            row: Row = dict.fromkeys(heads.ROWS.columns) | {"example_id": f"e{number:02d}", "image_id": f"i{number}"}
            row |= {"suite": "squares", "direction": "left", "condition": condition, "ablation": ablation, "draw": draw}
            row |= {"chance": 0.25, "choice": "1", "correct": number < right * count, "p_answer": 0.5}
            if draw is not None:
                row |= {"heads": "3.0, 3.1" if condition == "chosen" else f"3.{2 + draw}, 3.4", "auroc_first": 0.8}
                row |= {"auroc": auroc + 0.001 * (number % 3), "gray": 0.5}
            rows.append(row)
    return Table.of(heads.ROWS, rows)


# Summaries


def test_shares_of_parts_and_balance_by_hand() -> None:
    frame = modalities.modalities_summary(shares(0.3)).frame
    assert len(frame) == 6 and frame["head"].isna().sum() == 2
    row = frame.iloc[0]
    assert (row["image"], row["question"], row["over"]) == pytest.approx((0.3, 0.6, -0.3))
    assert row["balance"] == pytest.approx(np.mean([0.29 / 0.9, 0.31 / 0.9])) and row[
        "balance_uniform"
    ] == pytest.approx(0.6 / 0.9)
    assert row["low"] < 0.3 < row["high"] and row["over_high"] < 0 and row["p_holm"] < 0.01
    few = modalities.modalities_summary(shares(0.3, count=9)).frame
    assert few["omitted"].all() and few["image"].isna().all()


def test_auroc_stands_beside_its_hardest_null() -> None:
    def at(table: Table) -> Row:
        rows = looking.looking_summary(table).rows()
        return next(r for r in rows if r["layer"] == 1 and r["head"] == 1 and r["target"] == "subject")

    one = at(found(0.9))
    assert one["auroc"] == pytest.approx(0.9, abs=1e-3) and one["over"] == pytest.approx(0.4, abs=1e-3) and one["finds"]
    place = at(found(0.9, mirrored=0.92))  # a place prior: the mirrored box is found as well
    assert place["hardest"] == "mirrored" and place["over"] < 0 and not place["finds"]
    blind = at(found(0.9, gray=0.95))
    assert blind["hardest"] == "gray" and not blind["finds"]
    assert at(found(0.9, mirrored=None))["finds"] and at(found(0.9, mirrored=None))["mirrored"] is None
    rows = looking.looking_summary(found(0.9)).rows()
    assert {r["answered"] for r in rows if r["head"] is not None} == {"all"}
    assert sum(r["finds"] for r in rows if r["target"] == "subject" and r["answered"] == "all") == 2  # head and mean
    assert {(r["answered"], r["questions"]) for r in rows} == {("all", 20), ("right", 10), ("wrong", 10)}


def test_a_question_without_a_target_is_left_out_of_its_numbers() -> None:
    table = found(0.9)
    frame = table.frame.copy()
    frame.loc[frame["example_id"] == "e00", [f"subject_{name}" for name in of_values()]] = pd.NA
    rows = looking.looking_summary(Table(table.schema, frame)).rows()
    counts = {(r["target"], r["questions"]) for r in rows if r["answered"] == "all"}
    assert counts == {("subject", 19), ("boxes", 20)}


# Sentences


def summed(table: Table) -> list[Row]:
    return [row for row in modalities.modalities_summary(table).rows() if row["head"] is None]


@pytest.mark.parametrize(
    ("image", "words"), [(0.3, "less attention than uniform at 2 of 2 layers and more at none"),
                         (0.75, "less attention than uniform at none of 2 layers and more at 2"),
                         (0.6, "less attention than uniform at none of 2 layers and more at none")],
)  # fmt: skip
def test_the_share_of_the_image_in_words(image: float, words: str) -> None:
    spoken = plain(of_modalities.sentence("Squares", summed(shares(image))))
    assert spoken == (
        f"Squares: the picture gets {words}; over all layers it gets {100 * image:.0f} %, uniform 60 %, and the system "
        "prompt 10 % (20 questions)."
    )
    assert "9 questions, 10 needed" in of_modalities.sentence("Squares", summed(shares(image, count=9)))


def test_the_claim_on_shares_begins_with_the_suite_that_looks_least() -> None:
    def says(**images: float) -> str:
        return plain(of_modalities.claim({name: summed(shares(image)) for name, image in images.items()}))

    low = says(B=0.6, A=0.3)
    assert low.startswith(
        "On A the picture gets less attention than uniform at 2 of 2 layers and more at none; least at "
    )
    assert "30 % [" in low and low.endswith("where uniform attention gives 60 %; on B it gets less at 0 of 2 layers.")
    even = "At no layer is the picture shown to get less attention than uniform, on A"
    assert says(A=0.6) == f"{even}."
    assert says(A=0.75) == f"{even}; it gets more at 2 of 2 layers."
    few = summed(shares(0.3, count=9))
    assert of_modalities.claim({"A": few}) == "Not shown: fewer than 10 questions on A."
    assert plain(of_modalities.null(summed(shares(0.3)))).endswith("the share of its length: 60 %.")
    assert of_modalities.null(few) == ""
    assert [of_modalities.short(summed(shares(image))) for image in (0.3, 0.6, 0.75)] == [1.0, 0.0, 0.0]


def looked(table: Table) -> str:
    rows = [r for r in looking.looking_summary(table).rows() if r["head"] is None]
    return sentence("the subject on Squares", subject(table), rows)


def subject(table: Table) -> list[Row]:
    rows = [r for r in looking.looking_summary(table).rows() if r["head"] is None]
    return [r for r in rows if r["target"] == "subject" and r["answered"] == "all"]


def test_attention_must_beat_every_null_and_a_null_of_few_questions_is_none() -> None:
    """The mirrored box is found as well, but known of some questions only: four say nothing, twelve do."""

    def known_of(count: int) -> Row:
        table = found(0.9, mirrored=0.92)
        frame = table.frame.copy()
        kept = list(dict.fromkeys(frame["example_id"]))[:count]
        frame.loc[~frame["example_id"].isin(kept), ["subject_mirrored", "boxes_mirrored"]] = pd.NA
        rows = looking.looking_summary(Table(table.schema, frame, {})).rows()
        return next(r for r in rows if r["layer"] == 1 and r["head"] == 1 and r["target"] == "subject")

    assert known_of(4)["hardest"] != "mirrored" and known_of(4)["finds"]
    assert known_of(12)["hardest"] == "mirrored" and not known_of(12)["finds"]


def test_what_attention_finds_in_words() -> None:
    spoken = looked(found(0.9))
    start = "The subject on Squares: attention finds it at"
    assert spoken.startswith(f"{start} layer 1 of 0-1; best AUROC 0.900 [")
    assert spoken.endswith("(20 questions); there 0.900 in correct answers (n=10), 0.900 in incorrect ones (n=10).")
    none = looked(found(0.9, gray=0.95))
    assert none.startswith(f"{start} no layer; nearest AUROC") and "(gray picture 0.950)" in none
    assert looked(found(0.9, count=9)) == "The subject on Squares: omitted (9 questions, 10 needed)."
    blind = [dict(r, over=None) for r in looking.looking_summary(found(0.9)).rows() if r["answered"] == "all"]
    assert sentence("it", blind) == "It: no layer attends to the image."


def test_the_claim_names_first_what_attention_does_not_find() -> None:
    finds, not_found, few = subject(found(0.9)), subject(found(0.9, gray=0.95)), subject(found(0.9, count=9))
    claim = of_looking.claim
    mixed = claim({"the subject on A": finds, "the subject on B": not_found, "the subject on C": few})
    assert mixed.startswith("At no layer is attention shown to find the subject on B: AUROC 0.900 [")
    assert mixed.endswith("; attention finds the subject on A above every null, at 1 of 2 layers.")
    assert claim({"the subject on A": finds}).startswith(
        "Attention finds the subject on A above every null, at 1 of 2 "
    )
    both = claim({"the subject on A": not_found, "the reference on A": not_found})
    assert both.startswith(
        "At no layer is attention shown to find the subject and the reference on A; best the subject"
    )
    assert claim({"it": few}) == "Not shown: too few questions for it."
    three = {name: finds for name in "ABC"}
    assert claim(three).startswith(
        "Attention finds all 3 targets above every null, each at 1 of 2 layers; least A: AUROC"
    )
    blind = [dict(row, over=None, finds=False) for row in finds]
    assert claim({"it": blind}) == "At no layer is attention shown to find it, as no layer attends to the image."
    assert [of_looking.short(one) for one in (finds, not_found, few)] == [pytest.approx(0.2, abs=0.01), 1.0, 0.0]
    assert of_looking.null({"it": few}) == of_looking.null({"it": blind}) == ""


def test_the_nulls_are_those_at_the_layer_of_the_claim() -> None:
    finds, not_found = subject(found(0.9)), subject(found(0.9, gray=0.95))
    named = {"the subject on A": finds, "the subject on B": not_found}
    for row in not_found:  # a null at a layer that the claim does not speak of
        if row is not of_looking.best(not_found):
            row |= {"gray": 0.123}
    null = of_looking.null(named)
    assert null.startswith("AUROC of the nulls for the subject on B at layer ") and "gray picture 0.950" in null
    assert f"at layer {of_looking.best(not_found)['layer']} (" in of_looking.claim(named).split(";")[0]
    assert "0.123" not in null and null.endswith("; chance is 0.5.")
    unmirrored = {"the subject on A": [row | {"mirrored": None} for row in finds]}
    assert "above every null that was measured (no mirrored box), at" in of_looking.claim(unmirrored)
    assert of_looking.null(unmirrored).endswith("; the mirrored box could not be measured; chance is 0.5.")
    some = unmirrored | {"the reference on A": finds}
    assert "every null that was measured (for some no mirrored box), each at" in of_looking.claim(some)
    elsewhere = {"the subject on A": [row if row["finds"] else row | {"mirrored": None} for row in finds]}
    assert "above every null, at" in of_looking.claim(elsewhere)


NONE = "answers are not shown to depend on these heads, for no loss of accuracy by their ablation is shown"
NO_MORE = "answers are not shown to depend on these heads, for no larger loss than by random heads is shown"


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (answers(0.2, 1.0), heads.DEPENDS),
        (answers(1.0, 1.0), NONE),
        (answers(0.9, 1.0), NONE),
        (answers(0.3, 0.3), NO_MORE),
        (answers(0.4, 0.2), NO_MORE),
        (answers(0.2, 1.0, auroc=0.4), "these heads are not shown to find the boxes on other pictures better than"),
        (answers(0.2, 0.3, 0.3), "no accuracy can be lost, for the model is not shown to answer above chance"),
    ],
)
def test_what_the_ablation_of_heads_says(table: Table, words: str) -> None:
    rows = heads.heads_summary(table).rows()
    spoken = plain(of_heads.sentence("Squares", rows))
    assert spoken.startswith(f"Squares: {words}") and ". With heads 3.0, 3.1 ablated accuracy is " in spoken
    assert of_heads.short(rows) == float(words != heads.DEPENDS)


def test_the_claim_on_heads_names_first_where_nothing_is_shown() -> None:
    does, does_not, few = (
        heads.heads_summary(one).rows() for one in (answers(0.2, 1.0), answers(0.3, 0.3), answers(0.2, 1.0, count=9))
    )
    said = plain(of_heads.claim({"A": does, "B": does_not}))
    assert said.startswith(
        "Answers are not shown to depend on the heads that find the boxes best, on B: ablated, they change accuracy by "
        "-70.0 points ["
    )
    assert "random heads by -70.0 points; answers depend on the heads that find the boxes best, on A: ablated" in said
    assert said.endswith("random heads by 0.0 points.")
    assert plain(of_heads.claim({"A": does})).startswith("Answers depend on the heads that find the boxes best, on A")
    assert of_heads.claim({"A": few}) == "Not shown: fewer than 10 questions on A."
    start = "As many random heads of the same layers, ablated, change accuracy "
    both = {"A": does, "B": does_not}
    assert plain(of_heads.null(both)) == f"{start}by -70.0 points on B and by 0.0 points on A."
    assert (
        plain(of_heads.null(both | {"C": does})) == f"{start}on 3 suites, by -70.0 points on B to by 0.0 points on A."
    )
    assert plain(of_heads.null({"A": does, "C": few})) == f"{start}by 0.0 points on A."
    assert of_heads.null({"C": few}) == "" and of_heads.short(few) == 0.0


def test_comparisons_of_heads_are_corrected_together() -> None:
    rows = {row["condition"]: row for row in heads.heads_summary(answers(0.2, 0.8)).rows()}
    chosen, random = rows["chosen"], rows["random"]
    assert (chosen["accuracy"], chosen["change"], random["change"]) == pytest.approx((0.2, -0.8, -0.2))
    assert chosen["beyond"] == pytest.approx(-0.6) and random["beyond"] is None and rows["plain"]["change"] is None
    assert random["change_p"] == pytest.approx(0.125)  # four of twenty, the largest p of the three as it is
    assert random["heads"] == "3.2, 3.4; 3.3, 3.4" and chosen["over"] == pytest.approx(0.4, abs=0.01)
    assert heads.heads_summary(answers(0.2, 0.8, count=9)).frame["omitted"].all()
    assert "9 questions, 10 needed" in of_heads.sentence("S", heads.heads_summary(answers(0.2, 0.8, count=9)).rows())


# Figures


@pytest.mark.parametrize("table", [shares(0.3), found(0.9), answers(0.2, 1.0)], ids=lambda t: t.schema.name)
def test_figures_are_the_same_of_rows_and_summary_and_fit_a_phone(table: Table) -> None:
    result = {one.RESULT.name: one.RESULT for one in (modalities, looking, heads)}[table.schema.name]
    assert result.summary is not None
    assert to_svg(plot(table)) == to_svg(plot(result.summary.make(table)))
    assert plot(table, columns=1).get_figwidth() == NARROW
    with pytest.raises(DataError, match="no rows"):
        plot(Table.of(result.summary.schema, []))


@pytest.mark.parametrize("table", [shares(0.3, suite=HOSTILE), found(0.9, suite=HOSTILE)], ids=lambda t: t.schema.name)
def test_names_are_text(table: Table) -> None:
    svg = to_svg(plot(table))
    assert "<script" not in svg and "&lt;script&gt;alert(1)" in svg


def test_few_questions_are_omitted_in_figures() -> None:
    for table in (shares(0.3, count=9), found(0.9, count=9), answers(0.2, 1, count=9)):
        assert "omitted (9 questions, 10 needed)" in to_svg(plot(table))


def test_a_target_is_chosen() -> None:
    assert len(plot(found(0.9)).axes) == 1 and "all boxes" in to_svg(plot(found(0.9), target="boxes"))
    assert "all boxes" in to_svg(plot(found(0.9, named=False)))
    with pytest.raises(UsageError, match="subject, boxes"):
        plot(found(0.9), target="reference")


def test_bars_are_as_high_as_the_shares() -> None:
    axis = plot(shares(0.3)).axes[0]
    tops = [(round(p.get_y(), 2), round(p.get_height(), 2)) for p in axis.patches]  # type: ignore[attr-defined]
    assert tops[:2] == [(0, 0.3)] * 2 and (0.3, 0.6) in tops and (0.9, 0.1) in tops and (0.95, 0.05) in tops
    assert any(np.allclose(np.asarray(line.get_ydata(), dtype=float), 0.6) for line in axis.lines)


# Comparison of two studies, and the controls


def test_metrics_are_those_of_the_rows() -> None:
    named = {one.name: one for table in (shares(0.3), found(0.9), answers(0.2, 1.0)) for one in values(table, "s")}
    assert named["image_attention/s/last"].of()[1].mean() == pytest.approx(0.3)
    assert named["modality_balance/s/last"].of()[1].mean() == pytest.approx(1 / 3)
    layer, auroc, _ = named["looking/s/subject/last"].of()
    assert layer == 1 and auroc.mean() == pytest.approx(0.9, abs=1e-3)
    assert named["heads_ablated/s/zero"].of()[1].mean() == pytest.approx(0.8)


def test_controls_are_judged() -> None:
    def of_shares(image: float, uniform: float) -> pd.DataFrame:
        table = modalities.modalities_summary(shares(image, uniform, spread=0.0)).frame
        return table.assign(layer=table["layer"] + controls.READING - 1)

    even, off = of_shares(0.6, 0.6), of_shares(0.61, 0.6)
    for one, other, sides in ((of_shares(0.99, 0.8), even, (True, True)), (of_shares(0.8, 0.8), off, (False, False))):
        seen = controls.shared(one, other)
        assert (seen.fires, seen.silent) == sides

    def of_looking_at(table: Table) -> pd.DataFrame:
        frame = looking.looking_summary(table).frame
        return frame.assign(layer=frame["layer"] + controls.READING - 1)

    nothing = of_looking_at(found(0.5)).assign(auroc=0.5, share=0.1, finds=False)
    seen = controls.finding(of_looking_at(found(0.998)), nothing)
    assert (seen.fires, seen.silent) == (True, True)
    seen = controls.finding(of_looking_at(found(0.7)), of_looking_at(found(0.9)))
    assert (seen.fires, seen.silent) == (False, False)
    fell, kept, at_chance = (
        heads.heads_summary(t).frame for t in (answers(0.2, 1.0), answers(1, 0.5), answers(0.2, 0.2, 0.2))
    )
    seen = controls.depending(fell.assign(heads="3.0"), at_chance)
    assert (seen.fires, seen.silent) == (True, True)
    seen = controls.depending(kept, fell)
    assert (seen.fires, seen.silent) == (False, False)
