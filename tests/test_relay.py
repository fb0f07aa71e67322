"""The default model: a row's order counts as it stands at block 2, and all that it could do before it still can."""

from __future__ import annotations

from functools import cache
from importlib import resources

import pytest

from backsight import stimuli
from backsight.cli.shared import DEFAULT_MODEL
from backsight.examples import PairSet
from backsight.maths.pathways import verdict
from backsight.measurements import Backup, Behaviour, ImageInterchange, Interchange, Measurement, Pathways
from backsight.models import contracts
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.results import RESULTS

BLOCK = 2  # of the exchange that it was trained on (`training.recipes.EXCHANGED`)


@cache
def relay() -> VLM:
    return load("builtin:relay")


def pairs(kind: str, count: int) -> PairSet:
    every = stimuli.squares(relay().grid).pairs(kind)
    return every[:: len(every) // count][:count]


def named_layers(measurement: Measurement, samples: PairSet) -> dict[str, str]:
    """The layers that a report names, over all directions, by the tokens that were swapped."""
    rows = measurement(relay(), samples)
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    frame = result.further[0].make(result.summary.make(rows)).frame
    frame = frame[frame["direction"] == "all"]
    tokens = frame["tokens"] if "tokens" in frame else ["last"] * len(frame)
    return dict(zip(tokens, frame["layers"], strict=True))


def test_it_is_the_default_and_every_contract_holds() -> None:
    assert DEFAULT_MODEL == "builtin:relay" == relay().name
    assert [f"{f.name}: {f.detail}" for f in contracts.all_of(relay()) if not f.passed or f.warning] == []


@pytest.mark.slow
@pytest.mark.parametrize("suite, least", [("squares", 0.98), ("shapes", 0.98), ("objects", 0.98), ("pairs", 0.95)])
def test_it_answers(suite: str, least: float) -> None:
    asked = stimuli.build(suite, relay().grid).limit(150)
    rows = Behaviour(batch=32, gray=False)(relay(), asked).frame
    assert rows["choice_correct"].mean() >= least


@pytest.mark.slow
def test_the_last_token_carries_the_position_before_the_answer() -> None:
    assert named_layers(Interchange(), pairs("last_token", 60)) == {"last": "3"}


@pytest.mark.slow
def test_objects_swapped_at_its_block_flip_the_answer() -> None:
    named = named_layers(ImageInterchange(), pairs("reversed", 40))
    assert named["objects"] == str(BLOCK) and str(BLOCK) in named["strips"]
    assert named_layers(Backup(), pairs("reversed", 40))["objects"] == str(BLOCK)


@pytest.mark.slow
def test_its_order_comes_from_the_language_models_position_encoding() -> None:
    judged = verdict(Pathways(batch=32)(relay(), stimuli.squares(relay().grid).limit(96)))
    assert judged.source == "language"


def test_its_card_names_its_command() -> None:
    card = (resources.files("backsight") / "builtin" / "relay" / "README.md").read_text()
    assert "backsight train relay" in card and "exchanged 600 steps" in card and "| pairs | A |" in card
