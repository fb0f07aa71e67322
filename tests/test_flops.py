"""What is charged is what runs: every measurement held to torch's FLOP counter, eager attention on both sides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from backsight import stimuli
from backsight.examples import ExampleSet, PairSet
from backsight.measurements import (
    MEASUREMENTS,
    Amplify,
    Backup,
    Behaviour,
    Captions,
    Creg,
    EmbeddingNorms,
    Flip,
    Gap,
    Heads,
    ImageInterchange,
    Interchange,
    Knockout,
    Localization,
    Looking,
    Modalities,
    Moved,
    Occlusion,
    Pathways,
    Permutation,
    Priors,
    ProbeMaps,
    Probes,
    Resolution,
    Rotary,
    Text,
    Tournament,
)
from backsight.measurements.base import Measurement
from backsight.models.flops import Call, Flops, Ledger, Seen, Work
from backsight.models.opening import load
from backsight.models.sizes import facts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.layouts import Layout
from backsight.training.questions import corpus

Samples = ExampleSet | PairSet
FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma")


class NoModules:
    """Stands for the counter's tracker of modules, which cannot follow a backward pass down to a module's input."""

    parents = frozenset({"Global"})

    def __enter__(self) -> NoModules:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def counted(run: Callable[[], object]) -> int:
    """FLOPs of a run and its backward passes, by torch's counter."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = NoModules()
    with counter:
        run()
    return int(counter.get_total_flops())


@cache
def opened(name: str) -> VLM:
    """A built-in model, or a tiny one whose pictures have 36 tokens; eager attention in all parts."""
    if name == "tiny":
        return VLM(*tiny("qwen2_vl", corpus(), attention="eager"), check=False)
    return load(f"builtin:{name}", device="cpu", attention="eager", check=False)


def rows(vlm: VLM, count: int) -> ExampleSet:
    """Squares of one direction, so that the prompts of a batch are of one length."""
    squares = stimuli.squares(vlm.grid)
    return squares.where(lambda e: e.direction == "left").limit(count)


def relations(vlm: VLM) -> ExampleSet:
    """Three questions, the answer of one another than the model's: both targets are explained."""
    first, *others = stimuli.pairs(vlm.grid).limit(3)
    wrong = replace(first, answer=next(o for o in first.options if o != first.answer))
    return ExampleSet("relations", (wrong, *others))


METHODS = ("creg", "single_layer", "integrated_gradients", "chefer", "gradcam", "rollout")
CASES: dict[str, tuple[Measurement, Callable[[VLM], Samples]]] = {
    "behaviour": (Behaviour(), lambda vlm: rows(vlm, 3)),
    "gap": (Gap(), lambda vlm: rows(vlm, 3)),
    "pathways": (Pathways(shuffles=2), lambda vlm: rows(vlm, 3)),
    "permutation": (Permutation(shuffles=2), lambda vlm: rows(vlm, 3)),
    "captions": (Captions(words=2, prompt="The color to the left of red is"), lambda vlm: rows(vlm, 3)),
    "localization": (
        Localization(words=4, form="grid"),
        lambda vlm: stimuli.located(Layout.for_grid(vlm.grid.rows, vlm.grid.columns, 28), scenes=3, form="grid"),
    ),
    "embeddingnorms": (EmbeddingNorms(), lambda vlm: rows(vlm, 12)),
    "interchange": (Interchange(), lambda vlm: rows(vlm, 12).pairs("last_token").limit(2)),
    "imageinterchange": (ImageInterchange(), lambda vlm: rows(vlm, 12).pairs("reversed").limit(2)),
    "backup": (Backup(), lambda vlm: rows(vlm, 12).pairs("reversed").limit(2)),
    "modalities": (Modalities(), lambda vlm: rows(vlm, 3)),
    "looking": (Looking(), lambda vlm: rows(vlm, 3)),
    "heads": (Heads(ablations=("zero", "mean")), lambda vlm: rows(vlm, 8)),
    "probes": (Probes(method="logistic"), lambda vlm: rows(vlm, 12)),
    "probemaps": (ProbeMaps(method="logistic"), lambda vlm: rows(vlm, 12)),
    "rotary": (Rotary(), lambda vlm: rows(vlm, 3)),
    "amplify": (Amplify(alphas=(1.0, 4.0), draws=2), lambda vlm: rows(vlm, 40)),
    "priors": (Priors(), lambda vlm: rows(vlm, 3)),
    "text": (Text(), lambda vlm: rows(vlm, 3)),
    "resolution": (Resolution(sizes=((8, 8), (12, 8))), lambda vlm: rows(vlm, 12)),
    "creg": (Creg(methods=METHODS, steps=5), relations),
    "occlusion": (Occlusion(varied=0.5), relations),
    "knockout": (Knockout(methods=("creg",)), lambda vlm: relations(vlm).limit(2)),
    "flip": (Flip(methods=("gradient_norm",)), relations),
    "moved": (Moved(methods=("rollout",)), relations),  # the moved are answered right: one target
    "tournament": (Tournament(draws=1, absent=4), lambda vlm: rows(vlm, 24)),
}


def test_every_measurement_is_held_to_the_counter() -> None:
    assert set(CASES) == set(MEASUREMENTS)


# What a plan takes at most: a mirrored question may be answered right, a moved subject may find no other position.
AT_MOST = {"flip": 1.15, "moved": 1.25}


@pytest.mark.parametrize(
    ("name", "model"),
    [(name, "tiny" if name == "knockout" else "plain") for name in CASES] + [("pathways", "gemma"), ("creg", "gemma")],
)
def test_what_is_charged_is_what_runs(name: str, model: str) -> None:
    """Within 5 %, in FLOPs; and so is what a plan states, in forward equivalents."""
    measurement, samples = CASES[name]
    vlm = opened(model)
    given = samples(vlm)
    known = facts(vlm, measurement.asked(given, vlm.grid))
    vlm._ledger = Ledger()
    ran = counted(lambda: measurement(vlm, given))
    assert vlm._ledger.flops(vlm.seen) == pytest.approx(ran, rel=0.05)
    stated = measurement.cost(known, given) / vlm.forward_equivalents
    assert 0.95 <= stated <= AT_MOST.get(name, 1.05)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plain_call_is_one_forward_equivalent(family: str) -> None:
    """Every family's, its picture among it, as torch counts them."""
    vlm = VLM(*tiny(family, corpus(), attention="eager"), check=False)
    batch = vlm.prepare(list(stimuli.squares()[:2]) if family != "gemma3" else [vlm._reference.examples[0]] * 2)
    call = vlm.call(batch)

    def plain() -> None:
        with torch.no_grad():
            vlm.model(**batch.inputs, use_cache=False)

    assert vlm.seen.of(call.plain()) == pytest.approx(counted(plain), rel=0.01)
    assert call.equivalents(call.plain(), vlm.seen) == pytest.approx(2)
    assert vlm.call(batch.examples) == call
    assert vlm.seen.of(call.shown(call.patches)) == pytest.approx(2 * vlm.seen.picture)


def test_a_plan_and_what_is_not_counted_charge_nothing() -> None:
    """Facts with costs run one prompt, and its picture once more, outside of any recording."""
    vlm = opened("tiny")
    vlm._ledger = Ledger()
    vlm.__dict__.pop("seen", None)
    batch = vlm.prepare(stimuli.squares()[:1])
    with vlm.recording("image_embeds", "vision") as recorded:
        vlm.forward(batch)
        before = {key: value.clone() for key, value in recorded.values.items()}
        spent = vlm.forward_equivalents  # runs the vision encoder on another picture
        assert all(torch.equal(recorded.values[key], value) for key, value in before.items())
    call = vlm.call(batch)
    assert spent == pytest.approx(call.equivalents(call.forward(), vlm.seen))
    assert spent < 1  # the logits of one position
    with vlm.uncounted():
        vlm.forward(batch)
    facts(vlm, stimuli.squares().limit(1))
    assert vlm.forward_equivalents == spent


def test_flops_by_hand() -> None:
    """Two blocks of 10 FLOPs a position and 1 a pair, 3 tokens, 5 for logits, a picture of 100 FLOPs."""
    work = Work(2, linear=10, query=2, keys=3, pair=1, logit=5, patches=4, patch=1, patch_pair=0, encoded=True)
    call, seen = Call(work, 3, (4, 8)), Seen(100, 10)
    assert call.plain() == Flops(2 * (2 * (30 + 9) + 15), 3.0)
    assert call.replayed([2, 3]) == Flops(2 * (20 + 6 + 30 + 9 + 5))
    assert call.swept() == Flops(2 * ((10 + 3) + (20 + 2 * 4) + 3 * 5))
    assert call.upper(1) == Flops(2 * (3 * 5 + 10 + 3 + 5)) and call.upper(0) == Flops(2 * (39 + 33))
    assert call.upper_backward(1) == Flops(2 * (3 * 3 + 7 + 6 + 5))
    assert call.whole_backward() == Flops(2 * (2 * (30 + 18) + 5), projectors=3.0)
    without = Call(replace(work, encoded=False), 3, (4, 8)).whole_backward()
    assert without == Flops(2 * (2 * (30 + 18) + 5 - 15 - 13.5))
    assert call.equivalents(call.plain() * 0.5, seen) == pytest.approx(1)
    assert call.equivalents(call.shown([4]), seen) == pytest.approx(2 * 100 / (186 + 300))
    ledger = Ledger()
    assert not ledger and ledger.total(None) == 0
    ledger.charge(call, call.plain())
    ledger.charge(Call(work, 6, (4,)), Call(work, 6, (4,)).plain() * 2)
    assert ledger.total(seen) == pytest.approx(4)
