"""The known-answer models: each has the pathway that its name says, by how it was made, and the verdict finds it."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from backsight import stimuli
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.maths.pathways import LOOKS, verdict
from backsight.measurements import Behaviour, Creg, Pathways
from backsight.measurements.batching import in_looks
from backsight.measurements.pathways import shuffled
from backsight.models import contracts, embeds, replay
from backsight.models.opening import load
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.isolated import others
from backsight.tables import Table
from backsight.training.questions import corpus

NAMES = ("vision", "language", "both")
BUILTIN = Path(str(resources.files("backsight") / "builtin"))
model = cache(load)


def known(name: str) -> VLM:
    return model(f"builtin:{name}")


@cache
def pathways(name: str) -> Table:
    """Rows of Pathways on all 480 questions of Squares."""
    return Pathways(batch=32)(known(name), stimuli.squares(known(name).grid))


def first(rows: Table, questions: ExampleSet) -> Table:
    """The rows of some of the questions."""
    return Table(rows.schema, rows.frame[rows.frame["example_id"].isin({e.id for e in questions})])


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_every_contract_holds(name: str) -> None:
    assert sum(p.stat().st_size for p in (BUILTIN / name).iterdir()) <= 8_000_000
    assert json.loads((BUILTIN / name / "config.json").read_text())["model_type"] == "qwen2_vl"
    assert [f"{f.name}: {f.detail}" for f in contracts.all_of(known(name)) if not f.passed] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_answers_squares_in_each_direction(name: str) -> None:
    vlm = known(name)
    frame = Behaviour(batch=32, gray=False)(vlm, stimuli.squares(vlm.grid)).frame
    right = frame.groupby("direction")["choice_correct"].mean()
    assert set(right.index) == {"left", "right", "above", "below"} and float(right.min()) >= 0.98, right.to_dict()


@pytest.mark.slow
def test_vision_says_the_same_whatever_the_order_of_its_image_tokens() -> None:
    vlm = known("vision")
    same = []
    examples = stimuli.squares(vlm.grid).limit(96)
    for start in range(0, len(examples), 32):
        batch = vlm.prepare(examples.items[start : start + 32])
        trace = replay.record(vlm, batch)
        plain = trace.resid_pre(0)[batch.image_mask]
        asked = [e.options for e in batch.examples]
        before = [vlm.choose(row, options)[0] for row, options in zip(trace.logits, asked, strict=True)]
        for seed in range(10):
            logits = trace.with_states(0, batch.image_mask, shuffled(plain, batch, seed))
            after = [vlm.choose(row, options)[0] for row, options in zip(logits, asked, strict=True)]
            same += [one == other for one, other in zip(before, after, strict=True)]
    assert len(same) == 960 and np.mean(same) >= 0.99


def test_each_image_embedding_of_language_is_a_function_of_its_own_pixels() -> None:
    vlm = known("language")
    assert vlm.parts.count("vision") == 0  # nothing in the encoder looks from one patch to another
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (336, 336, 3), dtype=np.uint8)
    order = rng.permutation(144)
    cells = noise.reshape(12, 28, 12, 28, 3).transpose(0, 2, 1, 3, 4).reshape(144, 28, 28, 3)
    moved = cells[order].reshape(12, 12, 28, 28, 3).transpose(0, 2, 1, 3, 4).reshape(336, 336, 3)

    def embedded(pixels: np.ndarray) -> torch.Tensor:
        from PIL import Image

        asked = Example("noise", MemoryPicture(Image.fromarray(pixels)), "Where is it?", (), "")
        return embeds.of_batch(vlm, vlm.prepare([asked]))

    one, other = embedded(noise), embedded(moved)
    torch.testing.assert_close(other, one[torch.from_numpy(order)], atol=1e-5, rtol=0)
    assert not torch.allclose(other, one, atol=1e-3)


@pytest.mark.slow
def test_both_answers_with_either_road_closed_as_in_training() -> None:
    frame = pathways("both").frame
    order = frame[frame["asked"] == "order"]
    right = order.groupby("condition")["correct"].mean()
    assert right["shuffled"] >= 0.95 and right["cells"] >= 0.95 and right["plain"] >= 0.98, right.to_dict()


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_verdict_is_the_models_name_as_a_default_study_asks(name: str) -> None:
    """In looks, until it is decided; `both` needs its whole budget, as .65 is left of it after removal."""
    squares = stimuli.squares(known(name).grid)
    judged, asked = None, 0
    for part in in_looks(squares.items, LOOKS):
        asked += len(part)
        so_far = [i for before in in_looks(squares.items, LOOKS) for i in before][:asked]
        judged = verdict(first(pathways(name), replace(squares, items=tuple(squares[i] for i in so_far))), LOOKS)
        if judged.settled:
            break
    assert judged is not None and judged.source == name, judged and judged.reason
    assert judged.n == (480 if name == "both" else 96)


@pytest.mark.slow
def test_more_questions_do_not_undo_a_verdict() -> None:
    squares = stimuli.squares(known("vision").grid)
    for count in (30, 100, 200, 480):
        judged = verdict(first(pathways("vision"), squares.limit(count)))
        assert judged.source == "vision", (count, judged.reason)


@pytest.mark.slow
def test_too_few_questions_are_called_too_few() -> None:
    """44 of `both`, as the quick study asks: one pathway is told, of the other they are too few."""
    judged = verdict(first(pathways("both"), stimuli.squares(known("both").grid).limit(44)))
    assert (judged.source, judged.vision.outcome, judged.language.outcome) == (
        "cannot tell", "suffices", "cannot tell",
    )  # fmt: skip
    assert "of 44 questions, fewer than the 96 of a study's first look" in judged.language.reason


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "gemma"])
def test_a_model_that_was_trained_without_closing_anything_reads_its_tokens_order(name: str) -> None:
    judged = verdict(Pathways(batch=32)(known(name), stimuli.squares(known(name).grid).limit(120)))
    assert judged.source == "language", judged.reason


@pytest.mark.slow
@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3"])
def test_random_weights_tell_nothing(family: str) -> None:
    vlm = VLM(*tiny(family, corpus()))
    found = verdict(Pathways()(vlm, stimuli.squares().limit(60)))
    assert found.source == "cannot tell" and "not above chance" in found.reason
    assert len(others(stimuli.squares()[0])) == 2


def test_the_cards_say_what_was_closed_and_what_came_out() -> None:
    for name in NAMES:
        card = (BUILTIN / name / "README.md").read_text()
        assert f"backsight train {name}" in card and f"Verdict: **{name}**" in card
        assert "| squares |" in card and "| shapes |" not in card


def test_gradcam_is_not_to_be_had_without_vision_blocks_and_the_rest_runs() -> None:
    vlm = known("language")
    frame = Creg(methods=("creg", "gradcam"))(vlm, stimuli.squares(vlm.grid).limit(4)).frame
    refused = frame[frame["refused"].notna()]
    assert set(refused["method"]) == {"gradcam"} and refused["refused"].str.contains("no blocks").all()
    assert len(refused) == 4 and frame[frame["method"] == "creg"]["dae"].notna().any()
