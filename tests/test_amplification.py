"""Amplification: the two forms by hand, the edit inside a call, and the split that keeps its choice honest."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from backsight import repairs, stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.maths import edits
from backsight.measurements.amplify import CHOOSING, Amplify
from backsight.models import embeds
from backsight.models.sites import Edit
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs.amplification import directions
from backsight.results.amplification import amplify_summary
from backsight.stimuli.degraded import STRENGTHS, DegradedPicture, degraded
from backsight.tables import Table
from backsight.training.questions import corpus

STATES = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
AXES = torch.tensor([[2.0, 0.0], [0.0, 0.5]])


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()))


def test_both_forms_by_hand() -> None:
    """Along (2, 0) the state (3, 4) has 6 / 4 of it, so twice that on top is (3 + 2 * 1.5 * 2, ...) = (9, ...)."""
    torch.testing.assert_close(edits.amplified(STATES, AXES, 2.0), torch.tensor([[9.0, 12.0], [3.0, 0.0]]))
    torch.testing.assert_close(edits.shifted(STATES, AXES, 2.0), torch.tensor([[7.0, 5.0], [5.0, 1.0]]))
    assert edits.amplified(STATES.bfloat16(), AXES, 1.0).dtype == torch.bfloat16


@given(st.integers(0, 1000), st.floats(0, 15))
def test_amplification_does_not_depend_on_the_length_of_a_direction(seed: int, alpha: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    states, axis = torch.randn(3, 5, generator=generator), torch.randn(1, 5, generator=generator)
    one, two = edits.amplified(states, axis, alpha), edits.amplified(states, 7 * axis, alpha)
    torch.testing.assert_close(one, two, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(edits.amplified(states, axis, 0.0), states)


def test_random_directions_have_the_lengths_and_angles_of_the_given_ones_and_repeat() -> None:
    like = torch.randn(6, 40, generator=torch.Generator().manual_seed(0)) + 1
    like[5] = like[4]  # directions may lean on each other wholly
    one, again, other = (edits.random_directions(like, seed) for seed in (1, 1, 2))
    torch.testing.assert_close(one @ one.T, like @ like.T, atol=1e-3, rtol=1e-4)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert (one @ like.T).abs().max() < 0.8 * (like @ like.T).abs().max()  # elsewhere


@pytest.mark.parametrize("form", ["projected", "printed"])
def test_a_fitted_repair_acts_on_every_image_token_and_nowhere_else(vlm: VLM, form: str) -> None:
    rows = stimuli.squares().limit(16)
    repair = repairs.Amplification(alpha=3, form=form).fit(vlm, rows)  # type: ignore[arg-type]
    assert repair.directions.shape == (6, embeds.of_pictures(vlm, [rows[0].picture])[0].shape[1])
    batch = vlm.prepare(rows.items[:2])
    with vlm.recording("image_embeds", "resid_pre", layers=[0]) as plain:
        before = vlm.forward(batch)
        states = plain["resid_pre", 0]
    with repair.applied(vlm), vlm.recording("resid_pre", layers=[0]) as recorded:
        after = vlm.forward(batch)
        changed = recorded["resid_pre", 0]
    expected = states.clone()
    expected[batch.image_mask] = repair(states[batch.image_mask])
    torch.testing.assert_close(changed, expected)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(vlm.forward(batch), before)  # it is gone behind the context


@pytest.mark.parametrize("alpha", [-1, 15.5])
def test_alpha_outside_its_range_is_refused(alpha: float) -> None:
    with pytest.raises(UsageError, match="alpha is outside of its range"):
        repairs.Amplification(alpha=alpha)
    with pytest.raises(UsageError, match="alpha is outside of its range"):
        Amplify(alphas=(1, alpha))


def test_degraded_pictures_are_what_they_say() -> None:
    picture = stimuli.squares()[0].picture
    pixels = np.asarray(picture.open(), float)
    low = np.asarray(DegradedPicture(picture, "contrast", 0.1).open(), float)
    assert np.abs(low - (128 + 0.1 * (pixels - 128))).max() <= 0.5
    noisy = DegradedPicture(picture, "noise", 40.0)
    assert noisy.open().tobytes() == noisy.open().tobytes()
    gray = DegradedPicture(stimuli.squares()[0].blank().picture, "noise", 20.0)
    assert np.asarray(gray.open(), float).std() == pytest.approx(20, rel=0.05)
    made = degraded(stimuli.squares().limit(60))
    assert {e.tags["damage"] for e in made} == {f"{d} {s:g}" for d, found in STRENGTHS.items() for s in found}
    assert made.name == "degraded_squares" and made[0].question == stimuli.squares().limit(60)[0].question


def test_alpha_is_chosen_on_some_pictures_and_scored_on_the_others(vlm: VLM) -> None:
    samples = degraded(stimuli.squares().limit(64))
    table = Amplify(alphas=(1.0, 4.0), draws=2)(vlm, samples)
    rows = table.rows()
    halves = {part: {r["image_id"] for r in rows if r["part"] == part} for part in ("choose", "score")}
    assert not halves["choose"] & halves["score"]
    assert {r["directions"] for r in rows if r["part"] == "choose"} == {"none", "probe"}
    for form in ("projected", "printed"):
        mine = [r for r in rows if r["form"] == form]
        right = {
            a: np.mean([r["correct"] for r in mine if r["part"] == "choose" and r["alpha"] == a]) for a in (1.0, 4.0)
        }
        best = max(right, key=lambda a: (right[a], -a))
        assert {r["alpha"] for r in mine if r["chosen"]} == {best}
        assert {(r["draw"], r["alpha"]) for r in mine if r["directions"] == "random"} == {(0, best), (1, best)}
    # One row against a plain edited forward.
    first, _ = samples.split(CHOOSING, seed=0)
    found, accuracy = directions(vlm, first)
    assert {r["probe"] for r in rows} == {accuracy}
    row = next(r for r in rows if r["part"] == "score" and r["form"] == "printed" and r["alpha"] == 4.0)
    example = next(e for e in samples if e.id == row["example_id"])
    with vlm.editing(Edit("image_embeds", lambda e: edits.shifted(e, found, 4.0))):
        choice, scores = vlm.choose(vlm.forward(vlm.prepare([example]))[0], example.options)
    assert row["choice"] == choice
    assert row["p_answer"] == pytest.approx(float(scores[example.options.index(example.answer)]), abs=1e-5)


def test_draws_are_asked_in_turn(vlm: VLM) -> None:
    """Every picture has a third of the draws, and each draw gives what it gives when all are asked."""
    samples = degraded(stimuli.squares().limit(40))
    every, turned = (Amplify(alphas=(4.0,), draws=3, every=n)(vlm, samples).rows() for n in (1, 3))
    place = ("example_id", "form", "directions", "draw", "alpha")
    whole = {tuple(r[p] for p in place): r["choice"] for r in every}
    some = {tuple(r[p] for p in place): r["choice"] for r in turned}
    assert some.items() <= whole.items()
    draws: dict[str, set[int]] = {}
    for row in turned:
        if row["directions"] == "random":
            draws.setdefault(row["image_id"], set()).add(row["draw"])
    assert {len(found) for found in draws.values()} == {1} and set.union(*draws.values()) == {0, 1, 2}
    for wrong in (0, 4):
        with pytest.raises(UsageError, match="needs a random draw"):
            Amplify(draws=3, every=wrong)


def test_several_suites_are_also_counted_together(vlm: VLM) -> None:
    samples = stimuli.build("hard", vlm.grid)
    counts = Counter(e.suite for e in samples)
    assert counts == {"degraded_squares": 260, "pairs_textured": 100, "tabletop_a": 40}
    assert {e.tags["prompt"] for e in samples if e.suite == "pairs_textured"} == {"A"}
    few = ExampleSet("hard", (*samples.items[:30], *samples.items[260:290]))
    rows = Amplify(alphas=(4.0,), draws=1)(vlm, few)
    summary = {(r["suite"], r["form"], r["directions"]): r for r in amplify_summary(rows, smallest=1).rows()}
    assert {suite for suite, _, _ in summary} == {"all", "degraded_squares", "pairs_textured"}
    whole, parts = (
        summary["all", None, "none"],
        [summary[s, None, "none"] for s in ("degraded_squares", "pairs_textured")],
    )
    assert whole["failures"] == sum(p["failures"] for p in parts) > 0
    right = sum(p["accuracy"] * p["questions"] for p in parts) / sum(p["questions"] for p in parts)
    assert whole["accuracy"] == pytest.approx(right)


def test_what_does_not_fit_is_left_out_or_told(vlm: VLM) -> None:
    assert not Amplify().applies(stimuli.grid(side=2, count=4))
    assert Amplify().applies(stimuli.pairs(scenes=4))
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        Amplify()(vlm, stimuli.squares()[:2])
    with pytest.raises(CannotAnswer, match="between the decoder's blocks"):
        Amplify()(VLM(*tiny("qwen3_vl", corpus())), stimuli.squares().limit(8))
    with pytest.raises(UsageError, match="not pairs"):
        Amplify()(vlm, stimuli.squares().pairs("reversed"))


def test_the_summary_by_hand() -> None:
    """20 questions, 12 right before; the probe's alpha 4 corrects 6 of 8 failures and breaks 3 of 12."""

    def row(n: int, kind: str, alpha: float, correct: bool, draw: int = 0, part: str = "score") -> dict[str, object]:
        return {
            "example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "direction": "left", "ground": None,
            "part": part, "form": None if kind == "none" else "projected", "directions": kind, "draw": draw,
            "alpha": alpha, "choice": "x", "correct": correct, "p_answer": 0.5, "chosen": alpha == 4.0,
                "probe": 0.75,
        }  # fmt: skip

    rows = [row(n, "none", 0.0, n < 12) for n in range(20)]
    rows += [row(n, "probe", 4.0, 3 <= n < 18) for n in range(20)]
    rows += [row(n, "probe", 8.0, n < 16) for n in range(20)]
    rows += [row(n, "random", 4.0, n < 12 + draw, draw) for draw in (0, 2) for n in range(20)]
    rows += [row(n, "none", 0.0, True, part="choose") for n in range(20, 40)]
    table = amplify_summary(Table.of(Amplify.schema, rows), smallest=5)
    found = {r["directions"]: r for r in table.rows()}
    assert found["none"]["accuracy"] == pytest.approx(0.6) and found["none"]["failures"] == 8
    probe = found["probe"]
    assert (probe["accuracy"], probe["corrected"], probe["broken"]) == pytest.approx((15 / 20, 6 / 8, 3 / 12))
    assert found["oracle"]["alpha"] == 8.0 and found["oracle"]["accuracy"] == pytest.approx(0.8)
    assert found["random"]["corrected"] == pytest.approx((0 + 2 / 8) / 2) and found["random"]["broken"] == 0.0
    few = {r["directions"]: r for r in amplify_summary(Table.of(Amplify.schema, rows), smallest=10).rows()}
    assert few["probe"]["omitted"] and few["probe"]["corrected"] is None and few["probe"]["accuracy"] is not None
    assert replace(Amplify(), alphas=(1.0,)).alphas == (1.0,)
