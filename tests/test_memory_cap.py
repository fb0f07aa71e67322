"""The memory cap of a study: how it is given, where its default comes from, and which batches follow from it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight import stimuli
from backsight.errors import StudyError, UsageError
from backsight.measurements import Behaviour, Interchange, Measurement
from backsight.measurements.memory import needed
from backsight.models.sizes import weights
from backsight.models.vlm import VLM
from backsight.studies import Options, Study, plan, record
from backsight.studies import memory as caps
from tests.conftest import Command


@pytest.mark.parametrize(
    ("text", "size"),
    [("8GiB", 2**33), ("8GB", 8 * 10**9), ("800MiB", 800 * 2**20), ("8", 2**33), ("0.5", 2**29), ("1.5 gib", 3 * 2**29),
     ("2TB", 2 * 10**12), ("64KiB", 2**16)],
)  # fmt: skip
def test_sizes_of_memory(text: str, size: int) -> None:
    assert caps.size_of(text) == size


@pytest.mark.parametrize("text", ["", "much", "-1GiB", "0", "0.0000000001KB", "8 G", "nan", "inf", "1e3", "8GiBs", "٣"])
def test_what_is_no_size_of_memory(text: str) -> None:
    with pytest.raises(UsageError, match="This is no size of memory"):
        caps.size_of(text)


def machine(root: Path, files: dict[str, object]) -> Path:
    """A folder that stands for the root of a machine's files."""
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(str(text))
    return root


MEMINFO = {"proc/meminfo": "MemTotal: 4000 kB\nMemFree: 1000 kB\nMemAvailable: 3000 kB\n"}
ABOVE = {"sys/fs/cgroup/memory.max": 900_000, "sys/fs/cgroup/memory.current": 100_000}
INSIDE = {"sys/fs/cgroup/a/memory.max": "max\n", "sys/fs/cgroup/a/memory.current": 5}
VERSION_1 = {
    "sys/fs/cgroup/memory/memory.limit_in_bytes": 700_000, "sys/fs/cgroup/memory/memory.usage_in_bytes": 300_000,
    "sys/fs/cgroup/memory/memory.stat": "inactive_file 7\ntotal_inactive_file 50000\n",
}  # fmt: skip


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, 3000 * 1024),
        ({"proc/self/cgroup": "0::/a\n", **INSIDE}, 3000 * 1024),
        ({"proc/self/cgroup": "0::/a\n", **INSIDE, **ABOVE}, 800_000),
        ({"proc/self/cgroup": "0::/not/here\n", **ABOVE}, 800_000),
        ({"proc/self/cgroup": "0::/\n", **ABOVE, "sys/fs/cgroup/memory.stat": "anon 9\ninactive_file 60000"}, 860_000),
        ({"proc/self/cgroup": "5:cpu:/\n4:memory,hugetlb:/docker/7\n", **VERSION_1}, 450_000),
        ({"proc/self/cgroup": "0::/\n", **ABOVE, "sys/fs/cgroup/memory.current": 950_000}, 0),
    ],
)
def test_what_is_free_on_a_machine(tmp_path: Path, files: dict[str, object], found: int) -> None:
    assert caps.free(torch.device("cpu"), machine(tmp_path, MEMINFO | files)) == found


def test_a_machine_without_such_files_is_asked_otherwise(tmp_path: Path) -> None:
    assert caps.free(torch.device("cpu"), tmp_path) > 2**20


def study(vlm: VLM, folder: Path, room: int | None = None, measurements: Sequence[Measurement] = ()) -> Study:
    """A study of twelve questions."""
    chosen = measurements or (Behaviour(batch=8, gray=False),)
    return Study(vlm, [stimuli.squares(vlm.grid)], folder, Options(limit=12, memory=room), chosen)


def tables(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}


def room_for(vlm: VLM, batch: int) -> int:
    """A cap under which a batch of so many of the study's questions fits."""
    return weights(vlm) + batch * Behaviour().bytes_each(vlm, stimuli.squares(vlm.grid).limit(12))


def test_a_cap_makes_batches_smaller_and_never_larger(tiny_vlm: VLM, tmp_path: Path) -> None:
    small = study(tiny_vlm, tmp_path / "small", room_for(tiny_vlm, 3))
    assert small.smaller_batches() == {"behaviour/squares": (3, 8)}
    record = json.loads((small.run() / "study.json").read_text())
    (job,) = record["jobs"]
    assert (job["batch"], job["own_batch"]) == (3, 8) and "batch=3" in job["measurement"]
    assert record["memory"]["cap_bytes"] == record["options"]["memory"] == room_for(tiny_vlm, 3)
    assert record["memory"]["cap"].endswith("MiB (as asked)")
    wide, free = (study(tiny_vlm, tmp_path / name, room) for name, room in (("wide", 2**50), ("free", None)))
    assert wide.smaller_batches() == free.smaller_batches() == {}
    assert tables(wide.run()) == tables(free.run())


def test_a_study_that_is_gone_on_with_keeps_its_batches(
    tiny_vlm: VLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    there = int((room_for(tiny_vlm, 3) - weights(tiny_vlm)) / caps.SHARE) + 8
    monkeypatch.setattr(caps, "free", lambda device: there)
    first = study(tiny_vlm, out)
    assert first.smaller_batches() == {"behaviour/squares": (3, 8)}
    first.run()
    for now in (2**40, 0):  # whatever is free later
        monkeypatch.setattr(caps, "free", lambda device, now=now: now)
        again = study(tiny_vlm, out)
        assert again.smaller_batches() == first.smaller_batches() and again.left() == []
        assert str(again.cap) == str(first.cap) and "60 % of what was free at first" in str(again.cap)
    asked = study(tiny_vlm, out, 2**40)  # what is asked for counts, and is noted in its turn
    assert asked.smaller_batches() == {} and len(asked.left()) == 1
    assert study(tiny_vlm, out).cap.bytes == 2**40


def test_nothing_is_run_where_not_one_sample_fits(tiny_vlm: VLM, tmp_path: Path) -> None:
    room = room_for(tiny_vlm, 1) - 1
    with pytest.raises(StudyError, match="Not even one sample of this job fits under the memory cap") as caught:
        study(tiny_vlm, tmp_path / "out", room)
    assert caught.value.where == "behaviour/squares"
    assert "one sample needs" in str(caught.value.got) and "(as asked)" in str(caught.value.got)
    assert all(word in str(caught.value.do) for word in ("--memory", "--max-pixels", "--dtype"))
    assert not (tmp_path / "out").exists()
    asked = caps.size_of(str(caught.value.do).split()[2])
    assert study(tiny_vlm, tmp_path / "out", asked).jobs[0].measurement.batch >= 1


def test_too_little_memory_for_the_batches_noted_is_told(tiny_vlm: VLM, tmp_path: Path, monkeypatch: Any) -> None:
    made = study(tiny_vlm, tmp_path / "out")
    assert caps.short(tiny_vlm, made.jobs) is None
    monkeypatch.setattr(caps, "free", lambda device: 2**20)
    warning = str(caps.short(tiny_vlm, made.jobs))
    assert warning.startswith("a batch of behaviour/squares may take") and "only 1.0 MiB are free now" in warning


def test_the_command_says_cap_and_batches(
    command: Command, tiny_checkpoint: Path, tiny_vlm: VLM, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    room = f"{-(-(weights(tiny_vlm) + 5 * 2**21) // 2**20)}MiB"
    arguments = ("study", tiny_checkpoint, "--out", out, "--only", "behaviour/squares", "--limit", 12)
    code, _, err = command(*arguments, "--memory", room)
    assert code == 0, err
    batch = json.loads((out / "study.json").read_text())["jobs"][0]["batch"]
    assert 1 <= batch < 12
    assert f"memory cap: {float(room[:-3]):.1f} MiB (as asked)" in err
    assert f"smaller batch: behaviour/squares: {batch} samples, not 16" in err
    page = (out / "report.html").read_text()
    assert "MiB (as asked)" in page and f"behaviour/squares {batch} of 16" in page
    code, printed, err = command(*arguments, "--memory", "much")
    assert (code, printed) == (2, "") and "This is no size of memory" in err
    code, printed, err = command(*arguments[:2], "--out", tmp_path / "no", *arguments[4:], "--memory", "1MiB")
    assert (code, printed) == (3, "") and "Not even one sample" in err and not (tmp_path / "no").exists()


def test_the_estimate_is_what_is_held_and_the_largest_batch(tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is counted twice: the weights are in what is held already."""
    squares = stimuli.squares(tiny_vlm.grid)
    jobs, _ = plan(tiny_vlm, [squares], [Behaviour(batch=2), Interchange(batch=2)], limit=4)
    batches = [needed(job.measurement, tiny_vlm, job.samples) for job in jobs]
    assert batches[0] != batches[1]
    monkeypatch.setattr(caps, "machine", lambda: {"memory_peak_mib": 1})
    monkeypatch.setattr(caps, "resident", lambda: 5 * 2**20)
    assert caps.estimate(tiny_vlm, jobs) == (5 * 2**20 + max(batches), None)
    assert caps.estimate(tiny_vlm, []) == (5 * 2**20, None)
    monkeypatch.setattr(caps, "machine", lambda: {"memory_peak_mib": 4096})
    assert caps.estimate(tiny_vlm, jobs) == (2**32, None)


def test_what_is_held_is_less_than_the_peak() -> None:
    assert 2**25 < record.resident() <= 1.05 * record.machine()["memory_peak_mib"] * 2**20
