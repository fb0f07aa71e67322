"""The built-in model: opened by the path of any checkpoint, small, and as able as its card says."""

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
from backsight.models.loading import load
from backsight.models.vlm import VLM

FOLDER = Path(str(resources.files("backsight") / "builtin" / "plain"))


@cache
def plain() -> VLM:
    return load("builtin:plain")


def accuracies(examples: ExampleSet) -> dict[str, float]:
    """Accuracy from the picture by direction, and over all, restricted to the options."""
    frame = Behaviour(batch=32, gray=False)(plain(), examples).frame
    right = frame.groupby("direction")["choice_correct"].mean()
    return {"all": float(frame["choice_correct"].mean())} | {str(k): float(v) for k, v in right.items()}


def test_it_is_a_plain_checkpoint_of_at_most_8_mb() -> None:
    names = {p.name for p in FOLDER.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "processor_config.json", "README.md"} <= names
    assert sum(p.stat().st_size for p in FOLDER.iterdir()) <= 8_000_000
    assert json.loads((FOLDER / "config.json").read_text())["dtype"] == "bfloat16"
    assert "torch_bin" not in " ".join(names) and not any(n.endswith((".bin", ".pt", ".py")) for n in names)


def test_stock_transformers_opens_the_model() -> None:
    from transformers import Qwen2VLForConditionalGeneration

    model = Qwen2VLForConditionalGeneration.from_pretrained(FOLDER, dtype="float32")
    assert sum(p.numel() for p in model.parameters()) == plain().n_parameters


def test_every_contract_holds() -> None:
    assert [f"{f.name}: {f.detail}" for f in contracts.all_of(plain()) if not f.passed] == []


def test_the_grid_is_the_papers() -> None:
    grid = plain().grid
    assert (grid.rows, grid.columns, grid.cell) == (12, 12, (28, 28))


@pytest.mark.slow
def test_pairs_with_each_prompt() -> None:
    frame = Behaviour(batch=32, gray=False)(plain(), stimuli.pairs(plain().grid, scenes=200, seed=3)).frame
    right = frame.groupby("prompt")["choice_correct"].mean()
    assert set(right.index) == {"A", "B", "C"} and float(right.min()) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["squares", "shapes", "objects"])
def test_exact_suites_in_each_direction(suite: str) -> None:
    found = accuracies(stimuli.build(suite, plain().grid))
    assert set(found) == {"all", "left", "right", "above", "below"}
    assert min(found.values()) >= 0.98, found


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["squares", "shapes", "objects"])
def test_scenes_never_seen(suite: str) -> None:
    """Held-out triples in jittered scenes; the card has all 1,000, a fifth of them is asked here."""
    found = accuracies(stimuli.jittered(plain().grid, suite=suite, count=1000)[:200])  # type: ignore[arg-type]
    assert found["all"] >= 0.93, found


@pytest.mark.slow
def test_it_looks_at_the_picture() -> None:
    """Without the picture it guesses: what it knows of an image is not in the questions."""
    rows = Behaviour(batch=32)(plain(), stimuli.squares(plain().grid).limit(120)).frame
    gray = rows[rows["condition"] == "gray"]["choice_correct"].mean()
    assert gray < 0.35


def test_the_card_names_its_command_and_its_accuracies() -> None:
    card = (FOLDER / "README.md").read_text()
    assert "backsight train-builtin plain" in card and "seed 0" in card
    for suite in ("squares", "shapes", "objects", "jittered_squares", "pairs", "pairs_textured"):
        assert f"| {suite} |" in card
