"""The built-in models of two families: opened by the path of any checkpoint, small, and as able as their cards say."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from pathlib import Path

import pytest

from backsight import stimuli
from backsight.examples import ExampleSet
from backsight.measurements import Behaviour
from backsight.models import contracts
from backsight.models.opening import load
from backsight.models.vlm import VLM

BUILTIN = Path(str(resources.files("backsight") / "builtin"))
FAMILIES = {"plain": "qwen2_vl", "gemma": "gemma3"}
each = pytest.mark.parametrize("name", list(FAMILIES))


@cache
def model(name: str) -> VLM:
    return load(f"builtin:{name}")


def plain() -> VLM:
    return model("plain")


def accuracies(name: str, examples: ExampleSet) -> dict[str, float]:
    """Accuracy from the picture by direction, and over all, restricted to the options."""
    frame = Behaviour(batch=32, gray=False)(model(name), examples).frame
    right = frame.groupby("direction")["choice_correct"].mean()
    return {"all": float(frame["choice_correct"].mean())} | {str(k): float(v) for k, v in right.items()}


@each
def test_it_is_a_plain_checkpoint_of_at_most_8_mb(name: str) -> None:
    folder = BUILTIN / name
    names = {p.name for p in folder.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "processor_config.json", "README.md"} <= names
    assert sum(p.stat().st_size for p in folder.iterdir()) <= 8_000_000
    config = json.loads((folder / "config.json").read_text())
    assert (config["dtype"], config["model_type"]) == ("bfloat16", FAMILIES[name])
    assert "torch_bin" not in " ".join(names) and not any(n.endswith((".bin", ".pt", ".py")) for n in names)


@each
def test_stock_transformers_opens_the_model(name: str) -> None:
    from transformers import AutoModelForImageTextToText

    found = AutoModelForImageTextToText.from_pretrained(BUILTIN / name, dtype="float32")
    assert sum(p.numel() for p in found.parameters()) == model(name).n_parameters


@each
def test_every_contract_holds(name: str) -> None:
    assert [f"{f.name}: {f.detail}" for f in contracts.all_of(model(name)) if not f.passed] == []


def test_the_grids_are_the_papers() -> None:
    found = {name: (vlm.grid.rows, vlm.grid.columns, vlm.grid.cell) for name in FAMILIES for vlm in [model(name)]}
    assert found == {"plain": (12, 12, (28, 28)), "gemma": (16, 16, (56, 56))}


@pytest.mark.slow
def test_pairs_with_each_prompt() -> None:
    frame = Behaviour(batch=32, gray=False)(plain(), stimuli.pairs(plain().grid, scenes=200, seed=3)).frame
    right = frame.groupby("prompt")["choice_correct"].mean()
    assert set(right.index) == {"A", "B", "C"} and float(right.min()) >= 0.95


@pytest.mark.slow
@each
@pytest.mark.parametrize("suite", ["squares", "shapes", "objects"])
def test_exact_suites_in_each_direction(name: str, suite: str) -> None:
    """All questions of plain, 240 a suite of gemma, whose pictures take longer; its card has all."""
    found = accuracies(name, stimuli.build(suite, model(name).grid).limit(None if name == "plain" else 240))
    assert set(found) == {"all", "left", "right", "above", "below"}
    assert min(found.values()) >= 0.98, found


@pytest.mark.slow
@each
@pytest.mark.parametrize("suite", ["squares", "shapes", "objects"])
def test_scenes_never_seen(name: str, suite: str) -> None:
    """Held-out triples in jittered scenes; the card has all 1,000, a part of them is asked here."""
    scenes = stimuli.jittered(model(name).grid, suite=suite, count=1000)  # type: ignore[arg-type]
    found = accuracies(name, scenes[: 200 if name == "plain" else 100])
    assert found["all"] >= 0.93, found


@pytest.mark.slow
def test_it_looks_at_the_picture() -> None:
    """Without the picture it guesses: what it knows of an image is not in the questions."""
    rows = Behaviour(batch=32)(plain(), stimuli.squares(plain().grid).limit(120)).frame
    gray = rows[rows["condition"] == "gray"]["choice_correct"].mean()
    assert gray < 0.35


ROWS = ("squares", "shapes", "objects", "jittered_squares", "jittered_shapes", "jittered_objects")
MEASURED = {"plain": (*ROWS, "pairs", "pairs_textured", "tabletop_a", "tabletop_b"), "gemma": ROWS}


@each
def test_the_card_names_its_command_and_its_accuracies(name: str) -> None:
    card = (BUILTIN / name / "README.md").read_text()
    assert f"backsight train {name}" in card and "seed 0" in card and "Verdict: **" in card
    for suite in MEASURED[name]:
        assert f"| {suite} |" in card
