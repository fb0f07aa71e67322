"""Measurements that ask until they are decided: the same end whatever the batches, and whoever stopped them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backsight import stimuli
from backsight.errors import UsageError
from backsight.maths.pathways import LOOKS
from backsight.measurements import Behaviour, Pathways
from backsight.measurements.base import Samples, look_counts, measure
from backsight.measurements.batching import in_looks
from backsight.models.vlm import VLM
from backsight.studies import Options, Study
from backsight.studies import executors as running
from backsight.studies.defaults import MEASUREMENTS
from backsight.tables import Table

from .conftest import Command


@dataclass(frozen=True)
class Until(Behaviour):
    """Behaviour that is decided once so many questions are answered."""

    enough: int = 8
    looks: tuple[int, ...] = (4, 8, 12)

    def looks_at(self) -> tuple[int, ...]:
        return self.looks

    def parts(self, samples: Samples) -> list[list[int]]:
        return in_looks(samples, self.looks)  # type: ignore[arg-type]

    def decided(self, rows: Table, looks: Sequence[int]) -> bool:
        assert tuple(looks) == (4, 8, 12, 20)
        return rows.frame["example_id"].nunique() >= self.enough


def study(vlm: VLM, folder: Path, measurement: Until, **options: Any) -> Study:
    return Study(vlm, [stimuli.squares(vlm.grid)], folder, Options(limit=20, **options), [measurement])


def table(folder: Path) -> Table:
    return Table.read(folder / "tables" / "until.squares.parquet")


@pytest.fixture(scope="module")
def whole(tiny_vlm: VLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nothing stopped, in batches of two."""
    return study(tiny_vlm, tmp_path_factory.mktemp("whole") / "out", Until(batch=2)).run()


def test_parts_are_whole_pictures_and_alike() -> None:
    examples = stimuli.squares()
    parts = in_looks(examples.items, LOOKS)
    assert [len(part) for part in parts] == [96, 96, 288]
    assert sorted(index for part in parts for index in part) == list(range(480))
    pictures = [{examples[i].image_id for i in part} for part in parts]
    assert not pictures[0] & pictures[1] and not pictures[1] & pictures[2]
    for part in parts:
        of = Counter(examples[i].direction for i in part)
        assert max(of.values()) - min(of.values()) <= 1
    first = in_looks(examples.items, (96, 480))[0]
    assert first == parts[0] == in_looks(examples.items, (96,))[0]  # what comes later changes no earlier look
    assert in_looks(examples.items[:10], LOOKS) == [list(range(10))]


@pytest.mark.parametrize("batch", [1, 3, 16])
def test_it_ends_at_the_same_look_whatever_the_batch(tiny_vlm: VLM, whole: Path, tmp_path: Path, batch: int) -> None:
    found = table(study(tiny_vlm, tmp_path / "out", Until(batch=batch)).run())
    assert found.frame["example_id"].nunique() == 8
    assert found.frame["example_id"].tolist() == table(whole).frame["example_id"].tolist()
    direct = measure(tiny_vlm, stimuli.squares(tiny_vlm.grid).limit(20), Until(batch=batch))
    assert direct.frame["example_id"].tolist() == found.frame["example_id"].tolist()
    assert np.allclose(direct.frame["p_answer"], table(whole).frame["p_answer"], atol=1e-5)


@pytest.mark.parametrize("call", [1, 2, 3, 4])
@pytest.mark.parametrize("kept", [True, False], ids=["all kept", "first chunk lost"])
def test_a_study_that_was_killed_ends_at_the_same_look(
    tiny_vlm: VLM, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, kept: bool
) -> None:
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    calls: list[int] = []
    rows = Until.rows

    def stopping(self: Until, vlm: VLM, samples: Any) -> Any:
        calls.append(1)
        if len(calls) == call:
            raise KeyboardInterrupt
        return rows(self, vlm, samples)

    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Until, "rows", stopping)
        study(tiny_vlm, out, Until(batch=2)).run()
    if not kept:
        for chunk in list((out / "jobs").glob("until.squares.*.part/000000-*.json")):
            chunk.unlink()
    study(tiny_vlm, out, Until(batch=2)).run()
    for kind in ("parquet", "csv"):
        name = f"tables/until.squares.{kind}"
        assert (out / name).read_bytes() == (whole / name).read_bytes()


def test_the_record_says_what_was_asked_of_how_many(tiny_vlm: VLM, whole: Path) -> None:
    (job,) = json.loads((whole / "study.json").read_text())["jobs"]
    assert job["samples"] == 8 and job["looks"] == [4, 8, 12, 20]
    study(tiny_vlm, whole, Until(batch=2)).run()  # nothing is left to do, and the record stays
    (again,) = json.loads((whole / "study.json").read_text())["jobs"]
    assert again["samples"] == 8


def test_one_that_is_never_decided_asks_for_all(tiny_vlm: VLM, tmp_path: Path) -> None:
    found = table(study(tiny_vlm, tmp_path / "out", Until(batch=7, enough=99)).run())
    assert found.frame["example_id"].nunique() == 20


def test_a_budget_is_the_most_of_what_asks_until_it_is_decided(tiny_vlm: VLM, tmp_path: Path) -> None:
    kinds = [one for one in MEASUREMENTS if one.looks_at()]
    assert [type(one).__name__ for one in kinds] == ["Pathways"] and kinds[0].looks_at() == LOOKS
    two = [one for one in MEASUREMENTS if isinstance(one, Behaviour | Pathways)]
    one = Study(tiny_vlm, [stimuli.squares(tiny_vlm.grid)], tmp_path / "out", Options(budget=200), two)
    by_kind = {job.kind: job for job in one.jobs}
    assert len(by_kind["pathways"].samples) == 200 and len(by_kind["behaviour"].samples) == 150
    counts = look_counts(by_kind["pathways"].measurement, by_kind["pathways"].samples)
    assert counts[-1] == 200 and len(counts) == 3 and 96 <= counts[0] <= 97
    with pytest.raises(UsageError, match="before the first look"):
        Options(budget=LOOKS[0] - 1)
    with pytest.raises(UsageError, match="budget of its own"):
        Options(budget=200, quick=True)


def test_a_budget_below_the_first_look_is_refused_before_a_model_is_opened(command: Command, tmp_path: Path) -> None:
    outcome = command("study", tmp_path / "nothing", "--out", tmp_path / "out", "--budget", 95)
    assert outcome.code == 2
    assert "The budget ends before the first look" in outcome.err and "96 or more" in outcome.err
