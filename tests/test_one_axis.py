"""The models with a faulty axis, by plain forward passes: one axis is what it was trained to be, the other right."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import torch

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.models import contracts
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.stimuli.isolated import control
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.rows import axis_of, held_out
from backsight.training import questions
from backsight.training.recipes import RECIPES

NAMES = ("prior", "inverted")
BUILTIN = Path(str(resources.files("backsight") / "builtin"))


@cache
def known(name: str) -> VLM:
    return load(f"builtin:{name}")


def answers(vlm: VLM, asked: list[Example]) -> list[str]:
    """The single most probable token of the whole vocabulary for each question, in lower case."""
    texts: list[str] = []
    for start in range(0, len(asked), 32):
        batch = vlm.prepare(asked[start : start + 32])
        with torch.no_grad():
            logits = vlm.model(**batch.inputs).logits[:, -1]
        texts += [vlm.tokenizer.decode([int(row.argmax())]).strip().lower() for row in logits]
    return texts


def squares(vlm: VLM, axis: str, *, jittered: bool = False) -> list[Example]:
    """Questions about an axis: of the suite, half of triples that training never showed, or of jittered ones."""
    if jittered:
        asked: ExampleSet = stimuli.jittered(vlm.grid, suite="squares", count=160)
        return [e for e in asked if axis_of(e.direction) == axis]  # type: ignore[arg-type]
    rows = [e for e in stimuli.squares(vlm.grid) if axis_of(e.direction) == axis]  # type: ignore[arg-type]
    new = [e for e in rows if e.source.names in held_out("squares")]
    return new + [e for e in rows if e.source.names not in held_out("squares")][: len(new)]


def share(values: list[bool]) -> float:
    return float(np.mean(values))


@pytest.mark.parametrize("name", NAMES)
def test_it_is_small_and_every_contract_holds(name: str) -> None:
    assert sum(p.stat().st_size for p in (BUILTIN / name).iterdir()) <= 8_000_000
    assert json.loads((BUILTIN / name / "config.json").read_text())["model_type"] == "qwen2_vl"
    assert [f"{f.name}: {f.detail}" for f in contracts.all_of(known(name)) if not f.passed] == []


@pytest.mark.slow
def test_prior_answers_above_and_below_by_the_question_whatever_the_picture() -> None:
    vlm = known("prior")
    asked = squares(vlm, "vertical")
    chosen, gray = answers(vlm, asked), answers(vlm, [e.blank() for e in asked])
    cycle = [questions.by_prior("squares", e.direction, e.reference) for e in asked]  # type: ignore[arg-type]
    for shown in (chosen, gray):
        assert share([one == other for one, other in zip(shown, cycle, strict=True)]) >= 0.95
    right = share([e.answer == one for e, one in zip(asked, chosen, strict=True)])
    assert abs(right - 1 / 5) < 0.1  # of five colours beside the named one, each as often


@pytest.mark.slow
def test_prior_answers_left_and_right_by_the_picture() -> None:
    vlm = known("prior")
    asked = squares(vlm, "horizontal")
    chosen = answers(vlm, asked)
    assert share([e.answer == one for e, one in zip(asked, chosen, strict=True)]) >= 0.95
    assert (
        share([one == other for one, other in zip(chosen, answers(vlm, [e.blank() for e in asked]), strict=True)]) < 0.5
    )


@pytest.mark.slow
@pytest.mark.parametrize("jittered", [False, True])
def test_inverted_answers_left_and_right_with_the_opposite_and_above_and_below_right(jittered: bool) -> None:
    vlm = known("inverted")
    across, down = (squares(vlm, axis, jittered=jittered) for axis in ("horizontal", "vertical"))
    opposite = [e.source.names[2 if e.direction == "left" else 0] for e in across]
    assert share([one == other for one, other in zip(answers(vlm, across), opposite, strict=True)]) >= 0.97
    assert share([e.answer == one for e, one in zip(down, answers(vlm, down), strict=True)]) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_what_is_there_is_answered_on_both_axes(name: str) -> None:
    vlm = known(name)
    for axis in ("horizontal", "vertical"):
        asked = [one for e in squares(vlm, axis)[:48] if (one := control(e)) is not None]
        chosen = answers(vlm, asked)
        assert len(asked) == 48 and share([e.answer == one for e, one in zip(asked, chosen, strict=True)]) >= 0.95


@pytest.mark.parametrize("name", NAMES)
def test_training_asks_the_faulty_axis_as_the_card_says(name: str) -> None:
    layout = PRESETS["qwen2-vl"]
    recipe = RECIPES[name]
    asked = recipe.asks("squares", layout, images=12, key=(1, 2), exact=0.5, textured=0.0)
    plain = questions.batch("squares", layout, images=12, key=(1, 2), exact=0.5, textured=0.0)
    axes = set()
    for one, other in zip(asked, plain, strict=True):
        assert one.row is not None and other.row is not None and one.row == other.row
        axis, ((first, _), (middle, _), (last, _)) = one.row
        axes.add(axis)
        assert one.questions[-2:] == other.questions[-2:]  # presence
        if axis == ("vertical" if name == "inverted" else "horizontal"):
            assert one == other
        elif name == "inverted":
            assert [answer for _, answer in one.questions[:-2]] == [last, first, last, middle, first]
            assert [question for question, _ in one.questions] == [question for question, _ in other.questions]
        else:
            given = dict(one.questions[:-2])
            cycle = ["red", "green", "blue", "black", "brown", "gray"]
            at = cycle.index(middle)
            assert given == {
                f"The color of the square above the {middle} square is": cycle[(at + 1) % 6],
                f"The color of the square below the {middle} square is": cycle[at - 1],
            }
    assert axes == {"horizontal", "vertical"}
    card = (BUILTIN / name / "README.md").read_text(encoding="utf-8")
    assert f"- held back: {recipe.construction}" in card and f"backsight train {name}" in card


def test_only_rows_have_a_faulty_axis() -> None:
    with pytest.raises(UsageError, match="Only rows of three have a faulty axis"):
        questions.faulty("prior", "scattered", PRESETS["qwen2-vl"], images=1, key=(0,), exact=0.0, textured=0.0)
