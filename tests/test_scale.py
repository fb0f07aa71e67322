"""Scale and time: the tables by hand, sentences that follow their numbers, figures, snapshots of a run."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight.errors import DataError, UsageError
from backsight.models.opening import load
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.gap.tables import GAP
from backsight.results.pathways.tables import PATHWAYS
from backsight.results.scale import ROW, SCALE, Point, draw, page, scale, scale_changes, scale_claims
from backsight.results.scale import text as words
from backsight.stimuli.rows import held_out as held_triples
from backsight.tables import Table
from backsight.training import loop
from backsight.training import scale as recipes
from backsight.training.recipe import SCALES
from backsight.training.snapshots import snapshot

POINT = Point("scale-tiny-0-100", "scale", "tiny", 1000, 0, 100, True)


def row(**given: Any) -> dict[str, Any]:
    base = dict.fromkeys(SCALE.columns) | asdict(POINT) | {"suite": "squares_anywhere", "measure": "gap", "rows": 96}
    return base | {"value": 0.5, "low": 0.4, "high": 0.6} | given


def of(*rows: dict[str, Any]) -> Table:
    return Table.of(SCALE, rows)


def sizes(small: list[float], large: list[float], width: float = 0.1, **given: Any) -> list[dict[str, Any]]:
    return [
        row(parameters=count, size=size, seed=seed, model=f"scale-{size}-{seed}", value=v, low=v - width,
            high=v + width, **given)
        for (count, size), values in (((1000, "tiny"), small), ((9000, "small"), large))
        for seed, v in enumerate(values)
    ]  # fmt: skip


def claims(*rows: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["claim"]: one for one in scale_claims(of(*rows)).rows()}


def test_a_change_is_paired_by_seed_with_students_interval() -> None:
    small, large = [0.9, 0.1, 0.5], [0.6, 0.2, 0.1]
    (one,) = scale_changes(of(*sizes(small, large, 0.01))).rows()
    wanted = stats.ttest_rel(large, small).confidence_interval()
    assert (one["start"], one["end"], one["seeds"], one["against"]) == (1000, 9000, 3, "size")
    assert (one["low"], one["high"]) == pytest.approx((wanted.low, wanted.high))
    (few,) = scale_changes(of(*sizes(small[:2], large[:2]))).rows()
    assert (few["change"], few["low"], few["high"]) == (pytest.approx(-0.1), None, None)
    (uneven,) = scale_changes(of(*sizes(small, large[1:]))).rows()  # seeds 0 and 1 have both
    assert uneven["seeds"] == 2 and uneven["before"] == pytest.approx(0.5)


def test_seeds_that_agree_are_as_uncertain_as_the_rows_that_they_share() -> None:
    (one,) = scale_changes(of(*sizes([0.5] * 3, [0.1] * 3))).rows()
    error = np.hypot(0.1, 0.1) / 1.96
    reach = float(stats.norm.ppf(0.975)) * error
    assert (one["low"], one["high"]) == pytest.approx((-0.4 - reach, -0.4 + reach))


def test_steps_are_compared_from_a_fifth_of_the_run() -> None:
    at = {20: [0.0, 0.1, 0.2], 30: [0.9, 0.4, 0.5], 100: [0.1, 0.2, 0.0]}
    rows = [
        row(seed=seed, steps=steps, last=steps == 100, value=v, low=v - 0.01, high=v + 0.01)
        for steps, values in at.items()
        for seed, v in enumerate(values)
    ]
    (one,) = scale_changes(of(*rows)).rows()
    assert (one["against"], one["of"], one["start"], one["end"]) == ("steps", "tiny", 20, 100)
    (later,) = scale_changes(of(*(r for r in rows if r["steps"] != 20))).rows()
    assert later["start"] == 30
    assert scale_changes(of(*(r for r in rows if r["last"]))).rows() == []
    assert set(claims(*rows)) == {"left", "steps-gap-tiny"}


def test_what_was_not_measured_is_left_out_and_said() -> None:
    missing = {"value": None, "low": None, "high": None, "omitted": "too few layers"}
    rows = sizes([0.5, 0.5], [0.1, 0.1])
    (one,) = scale_changes(of(*rows[:3], rows[3] | missing)).rows()
    assert one["seeds"] == 1 and one["omitted"] is None
    (none,) = scale_changes(of(*rows[:2], *(r | missing for r in rows[2:]))).rows()
    assert none["omitted"] == "too few layers" and none["change"] is None
    assert "| 1,000 to 9,000 parameters | omitted | omitted | omitted | 0 |" in words.changes_markdown([none])
    judged = claims(*rows[:2], *(r | missing for r in rows[2:]))
    assert judged["left"]["verdict"] == judged["size-gap"]["verdict"] == "undecided"
    assert "Not measured at both ends in any seed." in words.claim_sentence(judged["size-gap"])
    assert words.answer([*judged.values()]) == "Does the gap vanish with scale? Not measured."


HIGH, LOW, NONE = [0.81, 0.8, 0.79], [0.41, 0.4, 0.39], [0.01, 0.0, -0.01]


@pytest.mark.parametrize(
    ("small", "large", "left", "shrinks", "wanted"),
    [
        (HIGH, LOW, "confirmed", "confirmed", "Not here: the largest model answers what better than where, by 0.40 ["),
        (HIGH, NONE, "not confirmed", "confirmed", "None is left in the largest model: 0.00 ["),
        (LOW, HIGH, "confirmed", "not confirmed", "Not here"),
        (HIGH, [0.2, 0.6, 0.1], "undecided", "undecided", "Undecided: the gap of the largest model is 0.30 ["),
        (HIGH[:2], NONE[:2], "undecided", "undecided", "Undecided"),
    ],
)
def test_the_answer_and_the_claims_follow_their_numbers(
    small: list[float], large: list[float], left: str, shrinks: str, wanted: str
) -> None:
    judged = claims(*sizes(small, large, 0.01))
    assert (judged["left"]["verdict"], judged["size-gap"]["verdict"]) == (left, shrinks)
    answer = words.answer([*judged.values()])
    assert f"vanish with scale? {wanted}" in answer and answer.endswith(f"That it shrinks with size is {shrinks}.")
    assert words.claim_sentence(judged["left"]).startswith(f"**{left.capitalize()}.** The what/where gap is above 0.2")


def test_a_change_below_the_smallest_that_counts_is_not_confirmed() -> None:
    one = claims(*sizes(HIGH, [value - 0.05 for value in HIGH], 0.005))["size-gap"]
    assert one["high"] < 0 and one["verdict"] == "not confirmed"
    assert "by at least 0.1." in one["sentence"]
    degrees = claims(*sizes([1.0, 1.1, 0.9], [4.0, 4.1, 3.9], 0.1, measure="creg"))["size-creg"]
    assert degrees["low"] > 0 and degrees["verdict"] == "not confirmed" and "5 degrees" in degrees["sentence"]
    assert "3.0 [" in words.claim_sentence(degrees) and "] degrees over 3 seeds" in words.claim_sentence(degrees)


def test_claims_are_corrected_together() -> None:
    alone = claims(*sizes([0.8, 0.9, 0.7], [0.4, 0.3, 0.42], 0.01))
    more = [sizes([1, 8, -9], [2, 1, -8], measure=measure) for measure in ("vision", "creg")]
    both = claims(*sizes([0.8, 0.9, 0.7], [0.4, 0.3, 0.42], 0.01), *more[0], *more[1])
    assert set(both) == {"left", "size-gap", "size-vision", "size-creg"}
    raw = stats.ttest_1samp([-0.4, -0.6, -0.28], -0.1).pvalue
    least = stats.ttest_1samp([0.4, 0.3, 0.42], 0.2).pvalue
    assert raw > least and alone["size-gap"]["p_holm"] == pytest.approx(max(raw, 2 * least))
    assert both["size-gap"]["p_holm"] == pytest.approx(max(3 * raw, 4 * least))


def test_fewer_than_three_seeds_are_said() -> None:
    judged = claims(*sizes([0.8, 0.7], [0.3, 0.31]))
    assert "over 2 seeds, fewer than 3." in words.claim_sentence(judged["size-gap"])
    change = scale_changes(of(*sizes([0.8, 0.7], [0.3, 0.3]))).rows()
    assert words.changes_markdown(change).endswith(
        "| what/where gap | 1,000 to 9,000 parameters | 0.75 | 0.30 | -0.45 | 2 |"
    )
    three = words.changes_markdown(scale_changes(of(*sizes(HIGH, LOW))).rows())
    assert "| 0.80 | 0.40 | -0.40 [-" in three and three.endswith("] | 3 |")
    assert words.changes_markdown([]) == ""


def test_seeds_are_shown_apart() -> None:
    rows = [row(), row(seed=1, value=0.1), row(parameters=9000)]
    assert words.spread_sentence(rows) == "Over seeds the gap goes from 0.10 to 0.50 at 1,000 parameters (2 seeds)."
    assert words.spread_sentence(rows[1:]) == ""


def test_the_pathway_verdicts_are_counted_over_runs() -> None:
    def verdicts(count: int, *verdicts: str) -> list[dict[str, Any]]:
        return [row(measure="pathway", parameters=count, seed=n, word=w) for n, w in enumerate(verdicts)]

    same = words.pathway_sentence([*verdicts(1000, "language", "language"), *verdicts(9000, "language", "language")])
    assert same == (
        "The pathway verdict is language in 2 of 2 runs at 1,000 parameters and language in 2 of 2 runs at 9,000 "
        "parameters: the same at every size."
    )
    assert "same" not in words.pathway_sentence([*verdicts(1000, "language", "both"), *verdicts(9000, "language")])
    assert "same" not in words.pathway_sentence([*verdicts(1000, "cannot tell"), *verdicts(9000, "cannot tell")])
    assert words.pathway_sentence([]) == "The pathways were not measured."


def learned(seed: int, **first: int | None) -> list[dict[str, Any]]:
    """What and where at three steps, above guessing from the given one on."""
    return [
        row(seed=seed, measure=measure, steps=step, low=0.1 if at is not None and step >= at else -0.1)
        for measure, at in first.items()
        for step in (20, 60, 100)
    ]


@pytest.mark.parametrize(
    ("first", "wanted"),
    [
        ({"what": 20, "where": 60}, "is what in 1 of 1 run"),
        ({"what": 60, "where": None}, "is what in 1 of 1 run"),
        ({"what": 60, "where": 20}, "is where in 1 of 1 run"),
        ({"what": None, "where": 20}, "is where in 1 of 1 run"),
        ({"what": 20, "where": 20}, "is both at once in 1 of 1 run"),
        ({"what": None, "where": None}, "is neither in 1 of 1 run"),
    ],
)
def test_what_is_learned_first_follows_the_steps(first: dict[str, int | None], wanted: str) -> None:
    assert wanted in words.order_sentence(learned(0, **first))


def test_runs_without_snapshots_say_nothing_of_what_comes_first() -> None:
    assert words.order_sentence([row(measure="what"), row(measure="where")]) == ""
    assert words.order_sentence(learned(0, what=20)) == ""


def test_creg_is_counted_beside_what_chance_gives() -> None:
    rows = [row(measure="creg", seed=n, low=1.0 if n == 0 else -1.0, high=-0.5 if n == 1 else 2.0) for n in range(40)]
    said = words.creg_sentence(rows)
    assert (
        "Of 40 snapshots" in said and " 1 has an interval" in said and "and 1 below" in said and "give 1.0 each" in said
    )
    assert words.creg_sentence([row(measure="creg", omitted="x")]) == "CREG was not measured."


def test_where_that_rose_to_the_end_says_so() -> None:
    def rows(*rises: float) -> list[dict[str, Any]]:
        steps = (10, 60, 100)
        return [row(measure="where", seed=seed, steps=step, value=value)
                for seed, rise in enumerate(rises)
                for step, value in zip(steps, (0.1, 0.3, 0.3 + rise), strict=True)]  # fmt: skip

    sentence = words.ended_sentence(rows(0.1, 0.12, 0.11))
    assert sentence.startswith("From step 60 to the last, 100, where rose in 3 of 3 runs, by 0.11 [")
    assert sentence.endswith("on average: training ended early, so a gap at its end is also one of how long it was.")
    flat = words.ended_sentence(rows(0.1, -0.2, 0.11))
    assert "rose in 2 of 3 runs, by 0.00 [" in flat and flat.endswith("on average.")
    assert (
        words.ended_sentence(rows(0.1))
        == "From step 60 to the last, 100, where rose in 1 of 1 run, by 0.10 on average."
    )
    assert words.ended_sentence([row(measure="where", steps=10)]) == ""


def test_a_page_is_its_numbers() -> None:
    table = every(steps=True)
    made = page(Table(table.schema, table.frame, {"facts": FACTS}))
    assert made.startswith("# Scale and time") and "| tiny | 1,000 | 0 | 100 | 0.50 [0.40, 0.60]" in made
    assert "steps of small | omitted |" in made and "Omitted: creg of tiny, seed 0, " in made
    assert "2 seeds; measured after 20, 60 and 100 steps" in made and "1,200 steps of 16 pictures" in made
    assert "Measured on 2 CPU cores (x86_64), one thread" in made and "`tiny` (a few blocks)" in made
    assert "Two sizes of one small architecture" in made
    assert "One size of" in page(of(row())) and "rate" not in page(of(row()))
    assert "<b>" not in page(of(row(measure="vision", size="<b>"), row(measure="creg", size="<b>", omitted="<b>")))


FACTS = {
    "steps": 1200, "images": 16, "rate": 2e-3, "questions": 192, "shuffles": 5, "depth": 3, "grid": "8 x 8 cells",
    "hardware": ["2 CPU cores (x86_64)"], "sizes": {"tiny": "a few blocks"},
}  # fmt: skip
RESULTS = Path(__file__).parent.parent / "docs" / "results"


def test_the_recorded_page_is_that_of_the_recorded_rows() -> None:
    assert (RESULTS / "scale.md").read_text(encoding="utf-8") == page(Table.read(RESULTS / "scale.parquet"))


def gap_rows(where_right: float, images: int = 40) -> Table:
    rows = []
    for n in range(images):
        for kind, options in (("relation", 2), ("presence", 2)):
            for condition in ("picture", "gray"):
                right = condition == "picture" and (kind == "presence" or n < where_right * images)
                right |= condition == "gray" and kind == "presence" and n % 2 == 0
                rows.append(dict.fromkeys(GAP.columns) | {
                    "example_id": f"e{n}{ROW}{n // 2}", "image_id": f"i{n}", "suite": "squares_anywhere",
                    "direction": "left",
                    "kind": kind, "condition": condition, "question": "?", "answer": f"a{n % 6}", "options": options,
                    "choice": "x", "correct": right, "absence": "known",
                })  # fmt: skip
    return Table.of(GAP, rows)


def pathway_rows(images: int = 40) -> Table:
    """All is right as the model is and after removal, half (chance) with shuffled image tokens."""
    rows = []
    for n in range(images):
        for condition in ("plain", "removed", "shuffled"):
            right = condition != "shuffled" or n % 2 == 0
            rows.append(dict.fromkeys(PATHWAYS.columns) | {
                "example_id": f"e{n}{ROW}{n // 2}", "image_id": f"i{n}", "suite": "squares_anywhere",
                "direction": "left",
                "asked": "order", "condition": condition, "answer": "red", "choice": "red", "correct": right,
                "choice_of_two": "red", "correct_of_two": right, "p_answer_of_two": 0.5,
            })  # fmt: skip
    return Table.of(PATHWAYS, rows)


def creg_rows(images: int = 40) -> Table:
    """CREG is 20 degrees off, uniform relevance 90: 70 degrees are gained on every picture."""
    rows = []
    for n in range(images):
        for method, target, dae in (
            ("creg", "prediction", 20.0),
            ("constant", None, 90.0),
            ("point_at_subject", None, 5.0),
        ):
            rows.append(dict.fromkeys(CREG.columns) | {
                "example_id": f"e{n}{ROW}{n // 2}", "image_id": f"i{n}", "suite": "squares_anywhere",
                "direction": "left",
                "part": "rest", "projection": "default", "method": method, "target": target, "correct": True,
                "dae": dae, "ea": 0.5,
            })  # fmt: skip
    return Table.of(CREG, rows)


def test_the_rows_of_a_model_by_hand() -> None:
    found = {r["measure"]: r for r in scale(POINT, gap_rows(0.6), pathway_rows(), creg_rows()).rows()}
    # Presence is all right, half by guessing: 1. Of relations .6 are right, half by guessing: (.6 - .5) / .5 = .2.
    assert found["what"]["value"] == pytest.approx(1.0) and found["where"]["value"] == pytest.approx(0.2)
    assert found["gap"]["value"] == pytest.approx(0.8) and found["gap"]["word"] == "what"
    assert (found["where"]["raw"], found["where"]["null"]) == pytest.approx((0.6, 0.5))
    assert {found[name]["rows"] for name in ("what", "pathway", "creg")} == {20}  # a row and its reverse are one
    assert found["vision"]["value"] == pytest.approx(0.0) and found["vision"]["word"] == "does not suffice"
    assert found["language"]["value"] == pytest.approx(1.0) and found["language"]["raw"] == 1.0
    assert found["pathway"]["word"] == "language" and found["pathway"]["value"] is None
    assert found["creg"]["value"] == pytest.approx(70.0) and found["creg"]["null"] == pytest.approx(90.0)
    assert all(r["parameters"] == 1000 and r["omitted"] is None for r in found.values())


def test_a_model_that_guesses_has_no_shares_and_says_why() -> None:
    rows = pathway_rows()
    rows.frame["correct_of_two"] = [n % 2 == 0 for n in range(len(rows))]
    found = {r["measure"]: r for r in scale(POINT, gap_rows(0.5, images=4), rows, "too few layers").rows()}
    assert "chance" in found["vision"]["omitted"] and found["vision"]["value"] is None
    assert found["pathway"]["word"] == "cannot tell"
    assert found["gap"]["omitted"] == "too few pictures, or nothing left to correct"
    assert found["creg"]["omitted"] == "too few layers"
    few = {r["measure"]: r for r in scale(POINT, gap_rows(0.5), pathway_rows(), creg_rows(4)).rows()}
    assert few["creg"]["omitted"] == "too few pictures with a direction"


def every(*, steps: bool = False) -> Table:
    rows = []
    for count, size in ((1000, "tiny"), (9000, "small")):
        for seed in range(2):
            for step in (20, 60, 100) if steps else (100,):
                for measure in ("what", "where", "gap", "vision", "language"):
                    value = step / 200 + seed * 0.1
                    rows.append(row(parameters=count, size=size, seed=seed, steps=step, last=step == 100,
                                    measure=measure, value=value, low=value - 0.1, high=value + 0.1,
                                    model=f"scale-{size}-{seed}-{step}", word="none"))  # fmt: skip
                missing = {"measure": "creg", "value": None, "low": None, "high": None, "omitted": "x"}
                rows.append(rows[-1] | missing)
    return Table.of(SCALE, rows)


def lines(panel: Any) -> list[tuple[list[float], list[float]]]:
    return [(list(line.get_xdata()), list(line.get_ydata())) for line in panel.lines if len(line.get_xdata()) > 2]


def test_the_figures_show_the_numbers_of_the_tables() -> None:
    figure = draw(every(steps=True), against="steps")
    gap = next(axis for axis in figure.axes if axis.get_title(loc="left") == "Gap")
    assert lines(gap) == [
        ([20, 60, 100], pytest.approx(of)) for _ in range(2) for of in ([0.1, 0.3, 0.5], [0.2, 0.4, 0.6])
    ]
    creg = next(axis for axis in figure.axes if axis.get_title(loc="left") == "CREG")
    assert not creg.lines and "not measured" in creg.texts[-1].get_text()
    by_size = draw(every(), against="size")
    gap = next(axis for axis in by_size.axes if axis.get_title(loc="left") == "Gap")
    means = [line for line in gap.lines if list(line.get_xdata()) == [1000, 9000]]
    assert len(means) == 1 and list(means[0].get_ydata()) == pytest.approx([0.55, 0.55])
    with pytest.raises(DataError, match="no two steps"):
        draw(every(), against="steps")
    with pytest.raises(DataError, match="no two size"):
        draw(Table.of(SCALE, [row()]), against="size")


STAGE = replace(recipes.SCALE.stages[0], steps=3, images=2, warmup=1)
LITTLE = replace(recipes.SCALE, save_every=2, stages=(STAGE, replace(STAGE, name="again")))


def test_a_row_stands_beside_its_reverse_of_a_triple_that_training_shows_in_both_orders() -> None:
    items = recipes.in_both_orders(40).items
    assert len({item.id for item in items}) == len({item.image_id for item in items}) == 40
    for item, other in zip(items[::2], items[1::2], strict=True):
        names = item.source.names  # type: ignore[union-attr]
        assert other.source.names == names[::-1]  # type: ignore[union-attr]
        assert not {names, names[::-1]} & held_triples("squares")
        assert item.question == other.question and item.options == other.options == tuple(sorted(names[::2]))
        assert {item.answer, other.answer} == set(item.options) and item.id.split(ROW)[1] == other.id.split(ROW)[1]
        assert item.boxes[names[0]] == other.boxes[names[2]]
    for item in items:
        assert all(side % 14 == 0 for box in item.boxes.values() for side in (box.left, box.top, box.right, box.bottom))
        answer, middle = item.boxes[item.answer].center, item.boxes[str(item.reference)].center
        axis = 0 if item.direction in ("left", "right") else 1
        assert (answer[axis] < middle[axis]) == (item.direction in ("left", "above"))
        assert answer[1 - axis] == middle[1 - axis]
    with pytest.raises(UsageError, match="both orders"):
        recipes.in_both_orders(3)


def test_colors_only_are_exactly_half_whatever_was_shown_how_often() -> None:
    """A model that knows which squares are there answers with the one that training showed more often on that side."""
    shown = [asked.row for asked in recipes.asks("squares", recipes.LAYOUT, images=300, key=(1,), exact=0, textured=0)]
    counts = Counter(tuple(name for name, _ in one[1]) for one in shown if one)

    def answer(item: Any) -> str:
        first = item.direction in ("left", "above")
        a, b = item.options
        middle = item.reference
        often = counts[a, middle, b] > counts[b, middle, a]
        return str(a if often == first else b)

    items = recipes.in_both_orders(40).items
    assert sum(answer(item) == item.answer for item in items) == 20
    rows = [  # as Gap gives them, with presence all correct
        dict.fromkeys(GAP.columns) | {
            "example_id": item.id, "image_id": item.image_id, "suite": item.suite, "direction": item.direction,
            "kind": kind, "condition": condition, "question": "?", "answer": item.answer if kind == "relation" else
            f"a{n % 6}", "options": 2, "choice": "x", "absence": "known",
            "correct": answer(item) == item.answer if kind == "relation" else condition == "picture" or n % 2 == 0,
        }
        for n, item in enumerate(items) for kind in ("relation", "presence") for condition in ("picture", "gray")
    ]  # fmt: skip
    found = {r["measure"]: r for r in scale(POINT, Table.of(GAP, rows), pathway_rows(), creg_rows()).rows()}
    assert found["where"]["value"] == 0.0 and found["gap"]["value"] == 1.0 and found["where"]["rows"] == 20


def test_sizes_are_multiples_with_equal_heads() -> None:
    (tiny, _), (small, _) = (recipes.build(0, SCALES[size]) for size in ("tiny", "small"))
    one, two = tiny.config.text_config, small.config.text_config
    assert (two.hidden_size, two.num_hidden_layers) == (2 * one.hidden_size, 2 * one.num_hidden_layers) == (128, 6)
    assert one.hidden_size // one.num_attention_heads == two.hidden_size // two.num_attention_heads == 32


def test_snapshots_are_the_run_as_it_stood(tmp_path: Path) -> None:
    whole = loop.train(LITTLE, tmp_path / "a", snapshots=(2, 4, 6))
    short = loop.train(replace(LITTLE, stages=(STAGE, replace(STAGE, name="again", steps=1, horizon=3))),
                       tmp_path / "b")  # fmt: skip
    stored = load(snapshot(tmp_path / "a", 4), dtype="bfloat16", check=False).model.state_dict()
    for name, weight in short.model.state_dict().items():  # type: ignore[attr-defined]
        assert torch.equal(stored[name], weight.to(torch.bfloat16)), name
    plain = loop.train(LITTLE, tmp_path / "c")
    assert all(torch.equal(a, b) for a, b in zip(whole.module.parameters(), plain.module.parameters(), strict=True))
    assert sorted(path.name for path in (tmp_path / "a").glob("step-*")) == [
        "step-000002",
        "step-000004",
        "step-000006",
    ]


def test_a_snapshot_is_made_again_where_a_run_dies_behind_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class KilledError(Exception):
        pass

    def dies(*args: Any) -> None:
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(loop.checkpoints, "save", dies)
        with pytest.raises(KilledError):
            loop.train(LITTLE, tmp_path, snapshots=(1, 2))
    (snapshot(tmp_path, 2) / "model.safetensors").unlink()
    loop.train(LITTLE, tmp_path, snapshots=(1, 2), max_steps=2)
    assert load(snapshot(tmp_path, 2), check=False).model is not None


def test_a_snapshot_of_a_step_that_is_not_taken_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such step") as refused:
        loop.train(LITTLE, tmp_path, snapshots=(6, 7))
    assert "1 to 6" in str(refused.value) and not list(tmp_path.iterdir())
    with pytest.raises(UsageError, match="no such step"):
        loop.train(LITTLE, tmp_path, snapshots=(3,), max_steps=1)
