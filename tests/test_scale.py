"""Scale and time: the tables by hand, sentences that follow their numbers, figures, snapshots of a run."""

from __future__ import annotations

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
from backsight.results.scale import CHANGES, SCALE, Point, draw, markdown, scale, scale_changes, statements
from backsight.results.scale import text as words
from backsight.stimuli.rows import held_out as held_triples
from backsight.tables import Table
from backsight.training import loop
from backsight.training import scale as recipes
from backsight.training.recipe import SCALES
from backsight.training.snapshots import snapshot

POINT = Point("scale-tiny-0-100", "scale", "tiny", 1000, 0, 100, True)


def row(**given: Any) -> dict[str, Any]:
    base = dict.fromkeys(SCALE.columns) | asdict(POINT) | {"suite": "squares_anywhere", "measure": "gap", "images": 96}
    return base | {"value": 0.5, "low": 0.4, "high": 0.6} | given


def changed(*rows: dict[str, Any]) -> list[dict[str, Any]]:
    return scale_changes(Table.of(SCALE, rows)).rows()


def sizes(small: list[float], large: list[float], **given: Any) -> list[dict[str, Any]]:
    ends = {True: (1000, "tiny"), False: (9000, "small")}
    return [
        row(parameters=count, size=size, seed=seed, value=v, low=v - 0.1, high=v + 0.1, **given)
        for (count, size), values in ((ends[True], small), (ends[False], large))
        for seed, v in enumerate(values)
    ]


def test_a_change_with_size_by_hand() -> None:
    (one,) = changed(*sizes([0.5], [0.1]))
    assert (one["start"], one["end"], one["seeds"], one["interval"]) == (1000, 9000, 1, "pictures")
    assert one["change"] == pytest.approx(-0.4)
    assert one["low"] == pytest.approx(-0.4 - np.hypot(0.1, 0.1)) and one["high"] == pytest.approx(
        -0.4 + 0.1414, abs=1e-4
    )
    assert one["word"] == "undecided"  # one seed each
    assert changed(*sizes([0.5] * 3, [0.1] * 3))[0]["word"] == "falls"
    assert changed(*sizes([0.5] * 3, [0.4] * 3))[0]["word"] == "undecided"
    assert changed(*sizes([0.1] * 3, [0.5] * 3))[0]["word"] == "rises"


def test_over_seeds_it_is_welch_where_that_is_wider() -> None:
    small, large = [0.9, 0.1, 0.5], [0.1, 0.2, 0.6]
    (one,) = changed(*sizes(small, large))
    wanted = stats.ttest_ind(large, small, equal_var=False).confidence_interval()
    assert one["interval"] == "seeds" and one["word"] == "undecided"
    assert (one["low"], one["high"]) == pytest.approx((wanted.low, wanted.high))
    (alike,) = changed(*sizes([0.5] * 3, [0.5] * 3))  # no spread over seeds is no certainty
    assert alike["interval"] == "pictures" and alike["high"] - alike["low"] == pytest.approx(2 * 0.1414, abs=1e-3)


def test_a_change_with_steps_is_paired_and_from_a_fifth_of_the_run() -> None:
    at = {20: [0.0, 0.1, 0.2], 30: [0.9, 0.4, 0.5], 100: [0.1, 0.2, 0.0]}
    rows = [
        row(seed=seed, steps=steps, last=steps == 100, value=v, low=v - 0.01, high=v + 0.01)
        for steps, values in at.items()
        for seed, v in enumerate(values)
    ]
    (one,) = changed(*rows)
    wanted = stats.ttest_rel(at[100], at[20]).confidence_interval()
    assert (one["against"], one["of"], one["start"], one["end"]) == ("steps", "tiny", 20, 100)
    assert one["interval"] == "seeds" and (one["low"], one["high"]) == pytest.approx((wanted.low, wanted.high))
    (later,) = changed(*(r for r in rows if r["steps"] != 20))
    assert later["start"] == 30
    assert changed(*(r for r in rows if r["last"])) == []


def test_what_was_not_measured_is_left_out_and_said() -> None:
    missing = {"value": None, "low": None, "high": None, "omitted": "too few layers"}
    rows = sizes([0.5, 0.5], [0.1, 0.1])
    (one,) = changed(*rows[:3], rows[3] | missing)
    assert one["seeds"] == 1 and one["omitted"] is None
    (none,) = changed(*rows[:2], *(r | missing for r in rows[2:]))
    assert none["word"] is None and none["omitted"] == "too few layers"
    assert "cannot be compared: too few layers" in words.change_sentence(none)


def test_sentences_follow_their_numbers() -> None:
    change = dict.fromkeys(CHANGES.columns) | {
        "against": "size", "measure": "gap", "start": 1000, "end": 9000, "before": 0.5, "after": 0.1, "change": -0.4,
        "low": -0.54, "high": -0.26, "interval": "seeds", "seeds": 3, "word": "falls",
    }  # fmt: skip
    assert words.change_sentence(change) == (
        "From 1,000 to 9,000 parameters the what/where gap falls from 0.50 to 0.10 "
        "(change -0.40 [-0.54, -0.26], 3 seeds, 95 % interval over seeds)."
    )
    few = words.change_sentence(change | {"word": "undecided", "seeds": 1})
    assert "fewer than 3 seeds tell no size from a seed" in few and "holds zero" not in few
    undecided = words.change_sentence(change | {"word": "undecided", "high": 0.02})
    assert "goes from" in undecided and "the interval holds zero" in undecided and "falls" not in undecided
    steps = words.change_sentence(change | {"against": "steps", "of": "tiny", "measure": "creg", "word": "rises"})
    assert steps.startswith("From 1,000 to 9,000 steps of size tiny CREG's improvement over uniform relevance rises")
    assert "0.1 degrees" in steps


@pytest.mark.parametrize(
    ("change", "verdicts", "wanted"),
    [
        ("falls", ["none", "none"], "Here it does"),
        ("falls", ["what", "none"], "It falls with size;"),
        ("undecided", ["what", "what"], "Not here: it is not shown to fall"),
        ("rises", ["what", "what"], "Not here: it rises"),
        ("undecided", ["none", "what"], "Undecided"),
        ("undecided", ["cannot tell", "cannot tell"], "Undecided"),
    ],
)
def test_the_answer_takes_both_the_change_and_what_is_left(change: str, verdicts: list[str], wanted: str) -> None:
    moved = dict.fromkeys(CHANGES.columns) | {"measure": "gap", "word": change, "end": 9000, "seeds": 3}
    rows = [row(parameters=9000, seed=n, word=word) for n, word in enumerate(verdicts)]
    assert f"vanish with scale? {wanted}" in words.answer([row(word="what"), *rows], [moved])


def test_one_seed_of_a_size_is_no_answer_and_seeds_are_shown_apart() -> None:
    moved = dict.fromkeys(CHANGES.columns) | {"measure": "gap", "word": "undecided", "end": 9000, "seeds": 1}
    rows = [row(word="what"), row(word="none", seed=1, value=0.1), row(parameters=9000, word="what")]
    assert "Undecided" in words.answer(rows, [moved]) and "fewer than 3 seeds" in words.answer(rows, [moved])
    assert words.spread_sentence(rows) == "Over seeds the gap goes from 0.10 to 0.50 at 1,000 parameters (2 seeds)."
    assert words.spread_sentence(rows[1:]) == ""


def test_the_answer_without_two_sizes_is_none() -> None:
    assert "Not measured: there is one size" in words.answer([row()], [])
    moved = dict.fromkeys(CHANGES.columns) | {"measure": "gap", "omitted": "too few pictures"}
    assert "Not measured: too few pictures" in words.answer([row()], [moved])


def test_the_pathway_verdicts_are_counted_over_runs() -> None:
    def of(count: int, *verdicts: str) -> list[dict[str, Any]]:
        return [row(measure="pathway", parameters=count, seed=n, word=w) for n, w in enumerate(verdicts)]

    same = words.pathway_sentence([*of(1000, "language", "language"), *of(9000, "language", "language")])
    assert same == (
        "The pathway verdict is language in 2 of 2 runs at 1,000 parameters and language in 2 of 2 runs at 9,000 "
        "parameters: the same at every size."
    )
    assert "same" not in words.pathway_sentence([*of(1000, "language", "both"), *of(9000, "language", "both")])
    assert "same" not in words.pathway_sentence([*of(1000, "cannot tell"), *of(9000, "cannot tell")])
    assert words.pathway_sentence([]) == "The pathways were not measured."


def gap_rows(where_right: float, images: int = 40) -> Table:
    rows = []
    for n in range(images):
        for kind, options in (("relation", 6), ("presence", 2)):
            for condition in ("picture", "gray"):
                right = condition == "picture" and (kind == "presence" or n < where_right * images)
                right |= condition == "gray" and kind == "presence" and n % 2 == 0
                rows.append(dict.fromkeys(GAP.columns) | {
                    "example_id": f"e{n}", "image_id": f"i{n}", "suite": "squares_anywhere", "direction": "left",
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
                "example_id": f"e{n}", "image_id": f"i{n}", "suite": "squares_anywhere", "direction": "left",
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
                "example_id": f"e{n}", "image_id": f"i{n}", "suite": "squares_anywhere", "direction": "left",
                "part": "rest", "projection": "default", "method": method, "target": target, "correct": True,
                "dae": dae, "ea": 0.5,
            })  # fmt: skip
    return Table.of(CREG, rows)


def test_the_rows_of_a_model_by_hand() -> None:
    found = {r["measure"]: r for r in scale(POINT, gap_rows(0.5), pathway_rows(), creg_rows()).rows()}
    # Presence is all right, half by guessing: 1. Relations are half right, a sixth by guessing: (1/2 - 1/6) / (5/6).
    assert found["what"]["value"] == pytest.approx(1.0) and found["where"]["value"] == pytest.approx(0.4)
    assert found["gap"]["value"] == pytest.approx(0.6) and found["gap"]["word"] == "what"
    assert (found["where"]["raw"], found["where"]["null"]) == pytest.approx((0.5, 1 / 6))
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


def test_the_page_holds_every_model_and_says_what_is_omitted() -> None:
    table = every(steps=True)
    text = markdown(table).splitlines()
    assert len(text) == 2 + 4 and {line.count("|") for line in text} == {text[0].count("|")}
    assert "| omitted |" in text[2] and "0.50 [0.40, 0.60]" in text[2]
    said = statements(table, scale_changes(table))
    assert said[0].startswith("Does the gap vanish with scale?") and said[-1] == words.SMALL
    assert len([one for one in said if "CREG's improvement" in one and "cannot be compared: x" in one]) == 3


STAGE = replace(recipes.SCALE.stages[0], steps=3, images=2, warmup=1)
LITTLE = replace(recipes.SCALE, save_every=2, stages=(STAGE, replace(STAGE, name="again")))


def test_the_pictures_held_out_are_those_of_training_but_for_their_triples() -> None:
    items = recipes.held_out(40).items
    assert len({item.id for item in items}) == 40
    for item in items:
        assert item.source.names in held_triples("squares")  # type: ignore[union-attr]
        assert all(side % 14 == 0 for box in item.boxes.values() for side in (box.left, box.top, box.right, box.bottom))
        answer, middle = item.boxes[item.answer].center, item.boxes[str(item.reference)].center
        axis = 0 if item.direction in ("left", "right") else 1
        assert (answer[axis] < middle[axis]) == (item.direction in ("left", "above"))
        assert answer[1 - axis] == middle[1 - axis]
    shown = [asked.row for asked in recipes.asks("squares", recipes.LAYOUT, images=40, key=(1,), exact=0, textured=0)]
    assert not {tuple(name for name, _ in one[1]) for one in shown if one} & held_triples("squares")


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
