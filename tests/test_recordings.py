"""One recording, several measurements: fewer forwards, equal tables, and a table for each."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backsight import stimuli
from backsight.errors import StudyError
from backsight.examples import ExampleSet
from backsight.measurements import Behaviour, Creg, Flip, Knockout, Measurement, Moved, Needs, Occlusion, measure
from backsight.measurements import recordings as recording
from backsight.measurements.batching import Planned, batches, companions
from backsight.measurements.needs import united
from backsight.models.sizes import facts
from backsight.models.vlm import VLM
from backsight.studies import Options, Study
from backsight.studies import executors as running

METHODS = ("creg", "rollout")
TOGETHER: tuple[Measurement, ...] = (
    Creg(methods=METHODS, batch=3),
    Flip(methods=("creg",), batch=3),
    Moved(methods=("rollout",), batch=3),
    Occlusion(varied=0.5, batch=3),
    Knockout(methods=("creg",), batch=3, forms=("attention",)),
)


@pytest.fixture(scope="module")
def asked(tiny_vlm: VLM) -> ExampleSet:
    """Questions about two drawn objects, under CREG's prompt A."""
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=8).where(lambda e: e.tags["prompt"] == "A")
    return replace(pairs, items=pairs.items[:7], only=("creg", "flip", "moved", "occlusion", "knockout"))


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[str, ...], Needs]]:
    """The batches that are recorded, as ids, with what is recorded of them."""
    seen: list[tuple[tuple[str, ...], Needs]] = []
    whole = recording.record

    def noting(vlm: VLM, samples: Any, needs: Needs) -> Any:
        seen.append((tuple(e.id for e in samples), needs))
        return whole(vlm, samples, needs)

    monkeypatch.setattr(recording, "record", noting)
    return seen


def test_several_measurements_on_one_recording_give_the_tables_of_each(
    tiny_vlm: VLM, asked: ExampleSet, recorded: list[tuple[tuple[str, ...], Needs]]
) -> None:
    before = tiny_vlm.forward_equivalents
    together = measure(tiny_vlm, asked, [*TOGETHER, Behaviour(max_samples=2)])
    spent = tiny_vlm.forward_equivalents - before
    assert [len(ids) for ids, _ in recorded] == [3, 3, 1]  # not once a measurement
    assert recorded[0][1] == Needs(True, ("creg", "rollout"), 4, 50, TOGETHER[0].needs().refuse)  # type: ignore[union-attr]
    before = tiny_vlm.forward_equivalents
    alone = [one(tiny_vlm, asked) for one in (*TOGETHER, Behaviour(max_samples=2))]
    assert spent < tiny_vlm.forward_equivalents - before - 3 * len(asked)
    for one, other in zip(together, alone, strict=True):
        assert one.schema == other.schema and one.provenance == other.provenance
        assert one.frame.equals(other.frame)


def test_measurements_share_batches_that_are_the_same(asked: ExampleSet) -> None:
    def part(one: Measurement, samples: ExampleSet) -> Planned:
        return Planned(samples, tuple(map(tuple, one.plan(samples))), one.needs())

    parts = [part(one, asked) for one in TOGETHER]
    assert companions(parts) == [[0, 1, 2, 3, 4]]
    fewer = replace(asked, items=asked.items[:6])
    others = [
        part(Creg(batch=2), asked), part(Creg(batch=3, depth=2), asked), part(Creg(batch=3), fewer),
        part(Behaviour(batch=3), asked), part(Flip(batch=3), replace(asked, name="other")),
    ]  # fmt: skip
    assert companions([parts[0], *others]) == [[0], [1], [2], [3], [4], [5]]
    assert companions([parts[0], others[3], parts[1]]) == [[0, 2], [1]]


def test_needs_unite() -> None:
    def refuse(example: Any, grid: Any) -> str | None:
        return None

    logits, creg = Needs(), Needs(True, ("creg",), 4, 50)
    assert united([logits, creg, Needs(False, ("rollout", "creg"), 4, 50)]) == Needs(True, ("creg", "rollout"), 4, 50)
    assert united([creg, Needs(True, ("rollout",), 3, 50)]) is None
    assert united([creg, Needs(refuse=refuse)]) is None
    assert united([logits, logits]) == logits


def test_batches_hold_like_prompts(asked: ExampleSet) -> None:
    found = batches(asked, 3)
    assert sorted(i for batch in found for i in batch) == list(range(7))
    lengths = [len(asked[i].question.split()) for batch in found for i in batch]
    assert lengths == sorted(lengths)


def test_a_cap_on_memory_makes_batches_smaller(
    tiny_vlm: VLM, asked: ExampleSet, recorded: list[tuple[tuple[str, ...], Needs]]
) -> None:
    one = Creg(methods=METHODS, batch=3)
    known = facts(tiny_vlm, asked)
    each = one.bytes_each(known, asked)
    measure(tiny_vlm, asked, [one, Flip(methods=METHODS, batch=3)], memory_cap=known.weights + 2 * each)
    assert [len(ids) for ids, _ in recorded] == [2, 2, 2, 1]
    with pytest.raises(StudyError, match="Not even one sample of this measurement fits"):
        measure(tiny_vlm, asked, one, memory_cap=known.weights + each - 1)


def study(vlm: VLM, asked: ExampleSet, folder: Path, count: int = 3) -> Study:
    return Study(vlm, [asked], folder, Options(), TOGETHER[:count])


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


def test_jobs_that_share_have_tables_and_chunks_of_their_own(
    tiny_vlm: VLM, asked: ExampleSet, tmp_path: Path, recorded: list[tuple[tuple[str, ...], Needs]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    whole = study(tiny_vlm, asked, tmp_path / "whole").run()
    assert len(recorded) == 3
    shown: list[tuple[str, int, int]] = []
    study(tiny_vlm, asked, tmp_path / "one", 1).run()
    recorded.clear()
    again = study(tiny_vlm, asked, tmp_path / "one").run(lambda *of: shown.append((of[0].name, *of[1:])))
    assert tables(again) == tables(whole)  # a finished one is not run again, and moves no number
    assert [needs.methods for _, needs in recorded] == [("creg", "rollout")] * 3
    assert shown[0] == ("creg/pairs", 7, 7) and shown[-2:] == [("flip/pairs", 7, 7), ("moved/pairs", 7, 7)]

    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    stopped, calls, rows_from = tmp_path / "stopped", [0], Moved.rows_from

    def stopping(self: Moved, of: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:
            raise KeyboardInterrupt
        return rows_from(self, of)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Moved, "rows_from", stopping)
        study(tiny_vlm, asked, stopped).run()
    kept = {p.parent.name.split(".")[0]: json.loads(p.read_text()) for p in sorted(stopped.glob("jobs/*.part/*.json"))}
    assert {name: chunk["last"] for name, chunk in kept.items()} == {"creg": 2, "flip": 2, "moved": 1}
    recorded.clear()
    study(tiny_vlm, asked, stopped).run()
    assert tables(stopped) == tables(whole)
    assert [len(ids) for ids, _ in recorded] == [1]  # the second batch is left to Moved alone, the third to all
