"""The tournament as it runs: split, replays, what is left out and why, its plan, and the command."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight import repairs, stimuli
from backsight.cli.names import REPAIR_NAMES
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements import Tournament, entrants, tournament
from backsight.measurements.amplify import parted
from backsight.measurements.entrants import REPAIRS, Development, on_embeddings
from backsight.models import replay
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs import Amplified, Rescaled, ScaledAttention
from backsight.repairs.base import Fitted
from backsight.results.tournament import sentence, summary
from backsight.results.tournament.schema import LEFT_OUT, TITLES
from backsight.selftest import tournament as control
from backsight.stimuli.nearer import RATIO, nearer
from backsight.stimuli.suites import layout_for
from backsight.studies.jobs import choices
from backsight.training.questions import corpus
from tests.conftest import Command

CHEAP = ("amplification", "norm_rescale")


def rows_of_three(vlm: VLM, count: int) -> ExampleSet:
    squares = stimuli.squares(vlm.grid)
    return replace(squares, items=squares.items[:: len(squares) // count][:count])


def test_the_names_are_the_same_everywhere() -> None:
    assert tuple(REPAIRS) == REPAIR_NAMES
    assert TITLES.keys() == {*REPAIRS, "none", "blank"}


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "gemma3", "paligemma"])
def test_a_replay_is_what_the_repaired_model_answers(family: str) -> None:
    """Of changes of the image embeddings; what changes scores is asked of the model itself."""
    vlm = VLM(*tiny(family, corpus()), check=False)
    batch = vlm.prepare(list(stimuli.pairs()[:3]))
    trace = replay.record(vlm, batch)
    width = trace.final.shape[-1]
    some = torch.randn(3, width, generator=torch.Generator().manual_seed(0))
    changes: tuple[Fitted, ...] = (Amplified(some, 0.5), Amplified(some, 4.0, "printed"), Rescaled(2.0, 1.0, dealt=3))
    for fitted in (*changes, ScaledAttention(0.5)):
        assert on_embeddings(fitted, vlm.family) == (fitted in changes)
        with fitted.applied(vlm, batch):
            expected = vlm.forward(batch)
        torch.testing.assert_close(tournament._with(vlm, batch, trace, fitted), expected, atol=2e-5, rtol=0)
        assert not torch.allclose(expected, trace.logits, atol=1e-6, rtol=0)


class StoppedError(Exception):
    pass


def test_nothing_that_is_scored_is_fitted_on(tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """All choosing is done before the first held-out question is asked, on pictures of the other part."""
    samples = rows_of_three(tiny_vlm, 48)
    development, scored = parted(samples, 0)
    apart = {e.image_id for e in development}, {e.image_id for e in scored}
    assert all(apart) and not apart[0] & apart[1] and len(development) + len(scored) == 48
    shown: set[str] = set()
    plain = tiny_vlm.prepare

    def prepare(examples: list[Example]) -> Any:
        shown.update(e.image_id for e in examples)
        return plain(examples)

    def stop(*_: object) -> float:
        raise StoppedError

    monkeypatch.setattr(tiny_vlm, "prepare", prepare)
    monkeypatch.setattr(tournament, "_charged", stop)
    with pytest.raises(StoppedError):
        Tournament()(tiny_vlm, samples)
    assert {name for name in shown if not name.startswith("plain-")} == apart[0]  # the reference of costs is blank


def test_the_plan_knows_every_control(tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each entrant's passes are those of what its fit and its controls give."""
    monkeypatch.setattr(entrants, "INSERT", repairs.Pin(steps=1, batch=2, hidden=(8,)))
    samples = parted(rows_of_three(tiny_vlm, 32), 0)[0]
    of = Development(tiny_vlm, samples, 8, 0, "logistic")
    for name, one in REPAIRS.items():
        fitted = one.fit(of)
        every = [fitted, *(each for draws in one.controls(fitted, of, 2).values() for each in draws)]
        assert [each.passes for each in every] == list(one.passes(2)), name
        assert {on_embeddings(each, tiny_vlm.family) for each in every} == {one.replayed}, name
        assert fitted.needs_boxes == one.needs_boxes and one.setting(fitted), name


def reasons(vlm: VLM, samples: ExampleSet, **more: Any) -> dict[str, str]:
    table = Tournament(absent=0, **more)(vlm, samples)
    return {row["repair"]: row["setting"] for row in table.rows() if row["part"] == LEFT_OUT}


def test_what_a_model_or_a_question_cannot_take_is_left_out_with_the_reason(tiny_vlm: VLM) -> None:
    deep = VLM(*tiny("qwen3_vl", corpus()), check=False)
    named = reasons(deep, stimuli.pairs(deep.grid).limit(12), repairs=("amplification", "scalingvis"))
    assert named == {"amplification": "Vision features enter between the decoder's blocks too"}
    samples = rows_of_three(tiny_vlm, 12)
    bare = replace(samples, items=tuple(replace(e, boxes={}, source=None) for e in samples))
    named = reasons(tiny_vlm, bare, repairs=("box_attention",))
    assert named.keys() == {"box_attention"} and "needs the boxes" in named["box_attention"]
    table = Tournament(absent=0, repairs=("box_attention",))(tiny_vlm, bare)
    assert sentence(summary(table).rows()) == "No repair could be tried."


def test_what_it_does_not_take(tiny_vlm: VLM) -> None:
    with pytest.raises(UsageError, match="no such repair") as caught:
        Tournament(repairs=("magic",))
    assert caught.value.got == "magic" and "adaptvis" in str(caught.value.do)
    with pytest.raises(UsageError, match="at least one draw"):
        Tournament(draws=0)
    with pytest.raises(UsageError, match="negative"):
        Tournament(absent=-1)
    squares = rows_of_three(tiny_vlm, 12)
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        Tournament()(tiny_vlm, squares.limit(3))
    items = tuple(replace(e, options=("to the left", e.answer)) for e in squares)
    longer = replace(squares, scoring="auto", items=items)
    with pytest.raises(CannotAnswer, match="no single token"):
        Tournament()(tiny_vlm, longer)
    with pytest.raises(UsageError, match="not pairs"):
        Tournament()(tiny_vlm, squares.pairs("last_token"))


def test_a_study_takes_a_users_own_questions_and_others_where_it_is_asked(tiny_vlm: VLM) -> None:
    given = ExampleSet("mine", rows_of_three(tiny_vlm, 12).items)
    cases: tuple[tuple[bool, tuple[str, ...], int], ...] = ((True, (), 1), (False, (), 0), (False, ("tournament",), 1))
    for own, only, expected in cases:
        assert len(choices([replace(given, own=own)], [Tournament()], only=only)) == expected


def test_nearer_is_geometry_and_chance_is_a_half() -> None:
    asked = nearer(layout_for(None), count=24)
    assert len(asked) == len({e.image_id for e in asked}) == 24
    for example in asked:
        other = next(option for option in example.options if option != example.answer)
        (reference,) = {name.split(" ")[0] for name in example.boxes} - set(example.options)
        boxes = {name.split(" ")[0]: box.center for name, box in example.boxes.items()}
        near, far = (math.dist(boxes[reference], boxes[one]) for one in (example.answer, other))
        assert far >= RATIO * near and f"nearer to the {reference} square" in example.question
    assert [e.answer == e.options[0] for e in asked] == [True, False] * 12
    assert nearer(layout_for(None), count=24).fingerprint == asked.fingerprint
    assert nearer(layout_for(None), count=24, seed=1).fingerprint != asked.fingerprint


@pytest.mark.parametrize(
    ("won", "fires", "silent"),
    [
        ((["amplification"], [], []), True, True),
        ((["norm_rescale"], [], []), False, True),
        (([], [], []), False, True),
        ((["amplification"], ["norm_rescale"], []), True, False),
        ((["amplification"], [], ["amplification"]), True, False),
    ],
)
def test_the_control_is_judged_by_what_is_named(won: Any, fires: bool, silent: bool) -> None:
    seen = control.named(*won)
    assert (seen.fires, seen.silent) == (fires, silent)


@pytest.mark.slow
def test_the_command_says_which_repair_is_worth_having(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    arguments = ("repair", "compare", tiny_checkpoint, "--samples", 24, "--repair", "norm_rescale")
    code, out, err = command(*arguments, "--json")
    assert code == 0, err
    (spoken,) = json.loads(out).values()
    assert {row["repair"] for row in spoken["repairs"]} == {"none", "blank", "norm_rescale"}
    assert spoken["sentence"] == sentence(spoken["repairs"])
    code, out, err = command(*arguments, "--out", tmp_path / "out")
    assert code == 0, err
    assert spoken["sentence"].replace("\u00a0", " ") in out.replace("\u00a0", " ")
    assert (tmp_path / "out" / "report.html").is_file() and (tmp_path / "out" / "figures" / "tournament.svg").is_file()
    code, out, err = command(*arguments[:3], "--repair", "magic")
    assert (code, out) == (2, "") and "There is no such repair" in err
