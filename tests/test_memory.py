"""What a measurement declares to take is held to the tensors that it is seen to keep, and gives the batch that fits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from backsight import stimuli
from backsight.errors import StudyError
from backsight.examples import Example, ExampleSet, Pair, PairSet
from backsight.measurements import (
    Amplify,
    Backup,
    Behaviour,
    Gap,
    ImageInterchange,
    Interchange,
    Measurement,
    Pathways,
    ProbeMaps,
    Probes,
)
from backsight.measurements.base import needed, within
from backsight.models.facts import ModelFacts
from backsight.models.sizes import facts
from backsight.models.small import qwen2_vl, tiny
from backsight.models.vlm import VLM
from backsight.studies.jobs import kind_of
from backsight.training.questions import corpus
from tests.live import Live, peak

LOOSE = 4  # an estimate may be so many times what is measured
WORDS = ("to the left of it", "right")


def pictures(vlm: VLM, count: int) -> ExampleSet:
    """Rows of three, no two of one picture or of the same three things, along both axes by turns."""
    squares = stimuli.squares(vlm.grid)
    shown = {(frozenset(e.boxes), e.direction in ("left", "right")): e for e in squares}
    return replace(squares, items=tuple(shown.values())[:count])


def samples_for(vlm: VLM, measurement: Measurement, count: int) -> Any:
    """Samples of the form that a measurement takes, each with a picture of its own."""
    examples = pictures(vlm, 40 if isinstance(measurement, Amplify) else 16 if measurement.needs_all_samples else count)
    return examples if measurement.pair_kind is None else examples.pairs(measurement.pair_kind).limit(count)


def facts_for(vlm: VLM, measurement: Measurement, samples: Any) -> ModelFacts:
    """What a plan for some samples must know of a model."""
    return facts(vlm, measurement.asked(samples, vlm.grid), priced=False)


def held_to_what_is_seen(vlm: VLM, measurement: Measurement, samples: Any) -> None:
    """The estimate is at least what one batch is seen to take, and at most `LOOSE` times that."""
    found = peak(vlm, lambda: measurement.rows(vlm, list(samples)))
    estimate = needed(measurement, facts_for(vlm, measurement, samples), samples)
    assert found <= estimate <= LOOSE * found


@pytest.fixture(autouse=True)
def kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pair is dropped, whatever a model of random weights answers, so that every sweep is run."""
    common = ImageInterchange._common
    monkeypatch.setattr(ImageInterchange, "_common", lambda *given: common(*given) | {"kept": True})


def believed(vlm: VLM, pairs: PairSet) -> PairSet:
    """Pairs with what the model answers as their answers."""

    def answered(example: Example) -> Example:
        return replace(example, answer=vlm.choose(vlm.forward(vlm.prepare([example]))[0], example.options)[0])

    items = (replace(p, clean=answered(p.clean), counterfactual=answered(p.counterfactual)) for p in pairs)
    return replace(pairs, items=tuple(items))


def crossed(count: int) -> PairSet:
    """Pairs of Pairs under two pictures, for families whose grid is too small for rows of three."""
    asked = [e for e in stimuli.pairs() if e.tags["prompt"] == "A"]
    outcomes = dict(zip(("clean", "ordinal", "counterfactual"), asked[0].options, strict=False))
    made = [Pair(f"pair-{n}", asked[2 * n], asked[2 * n + 1], outcomes) for n in range(count)]
    return PairSet("pairs/last_token", tuple(made), "last_token")


def sequences(count: int) -> ExampleSet:
    """Questions whose options are several tokens long."""
    items = [replace(e, options=WORDS, answer=WORDS[0]) for e in stimuli.pairs()[:count]]
    return ExampleSet("sequences", tuple(items))


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(
    "measurement",
    [
        Behaviour(), Gap(), Pathways(), Interchange(), ImageInterchange(), Backup(), Probes(method="logistic"),
        ProbeMaps(), Amplify(alphas=(1.0, 2.0), draws=1, method="adamw"),
    ],
    ids=kind_of,
)  # fmt: skip
def test_what_a_measurement_declares_is_what_it_takes(tiny_vlm: VLM, measurement: Measurement, batch: int) -> None:
    sized = replace(measurement, batch=batch)
    samples = samples_for(tiny_vlm, sized, batch)
    if isinstance(measurement, Interchange):
        samples = believed(tiny_vlm, samples)
    held_to_what_is_seen(tiny_vlm, sized, samples)


@pytest.fixture(scope="module")
def wide() -> VLM:
    """Shaped as large models are: many blocks, a wide MLP, few key and value heads, a large vocabulary."""
    text = dict(
        hidden_size=256, intermediate_size=1024, num_hidden_layers=10, num_attention_heads=8, num_key_value_heads=2,
        max_position_embeddings=2048,
        rope_parameters=dict(rope_type="default", rope_theta=1e4, mrope_section=[4, 6, 6]),
    )  # fmt: skip
    vision = dict(depth=3, embed_dim=64, num_heads=4, mlp_ratio=4, patch_size=14, spatial_merge_size=2)
    model, processor = qwen2_vl(corpus(), text=text, vision=vision, tokens=144, seed=0)
    model.resize_token_embeddings(20_000)
    return VLM(model.eval(), processor)


@pytest.mark.slow
@pytest.mark.parametrize(
    "measurement", [Behaviour(), Pathways(), Interchange(), ImageInterchange(), Probes(method="logistic")], ids=kind_of
)
def test_a_model_of_another_shape(wide: VLM, measurement: Measurement) -> None:
    sized = replace(measurement, batch=2)
    samples = samples_for(wide, sized, 2)
    held_to_what_is_seen(wide, sized, believed(wide, samples) if isinstance(sized, Interchange) else samples)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma"])
@pytest.mark.parametrize(("attention", "dtype"), [("sdpa", "float32"), ("eager", "bfloat16")])
def test_every_family_attention_and_dtype(family: str, attention: str, dtype: str) -> None:
    model, processor = tiny(family, corpus(), attention=attention)
    vlm = VLM(model.to(getattr(torch, dtype)), processor, check=False)
    pairs = believed(vlm, crossed(2))
    held_to_what_is_seen(vlm, Interchange(batch=2), pairs)
    held_to_what_is_seen(vlm, Behaviour(batch=2), ExampleSet("one", tuple(p.clean for p in pairs)))


def test_options_of_several_tokens_take_logits_at_every_position(tiny_vlm: VLM) -> None:
    held_to_what_is_seen(tiny_vlm, Behaviour(batch=2), sequences(2))
    single = ExampleSet("single", stimuli.pairs()[:2])
    one, other = (Behaviour().bytes_each(facts(tiny_vlm, some), some) for some in (sequences(2), single))
    more = one - other
    assert more > tiny_vlm.prepare(single[:1]).input_ids.numel() * 4 * tiny_vlm.model.config.text_config.vocab_size


def test_live_tensors_are_counted_by_storage(tiny_vlm: VLM) -> None:
    with Live(tiny_vlm) as live:
        one = torch.zeros(1000)
        two = one.view(10, 100) + 1  # a view has no storage of its own
        assert (live.now, live.peak) == (8000, 8000)
        del one
        three = two * 2
        del two, three
        torch.zeros(1)
    assert live.peak == 8000 and live.now == 0


def test_the_largest_batch_that_fits(tiny_vlm: VLM) -> None:
    examples = stimuli.squares(tiny_vlm.grid)
    known = facts(tiny_vlm, examples)
    each = Behaviour().bytes_each(known, examples)
    for room, batch in ((16 * each, 16), (100 * each, 16), (16 * each - 1, 15), (each, 1), (2 * each - 1, 1)):
        assert within(Behaviour(), known, examples, room) == Behaviour(batch=batch)
    # Two samples are one batch of any size from two on: the measurement is left as it is.
    assert within(Behaviour(), known, examples.limit(2), 2 * each) == Behaviour()
    with pytest.raises(StudyError, match="Not even one sample of this measurement") as caught:
        within(Behaviour(), known, examples, each - 1)
    assert caught.value.where == "Behaviour of squares"
    probes, pictures = Probes(), examples.limit(240)
    held, each = probes.bytes_held(known, pictures), probes.bytes_each(known, pictures)
    assert held > 0 and within(probes, known, pictures, held + 5 * each) == Probes(batch=5)


def test_the_largest_prompt_and_picture_count(tiny_vlm: VLM) -> None:
    one = stimuli.pairs()[0]
    longer = replace(one, id="b", question=one.question + " left" * 50)
    known = facts(tiny_vlm, [one, longer])
    short, long = (Behaviour().bytes_each(known, ExampleSet("s", s)) for s in ((one,), (one, longer)))
    assert long > short and known.sizes([longer]).tokens >= known.sizes([one]).tokens + 50
    assert known.sizes([longer]).tokens == tiny_vlm.prepare([longer]).input_ids.shape[1]
    assert known.sizes([one]).inputs == sum(v.nbytes for v in tiny_vlm.prepare([one]).inputs.values())
