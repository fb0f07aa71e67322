"""The memory cap of a study, and batches that fit under it.

The cap covers the model's weights and one batch; the libraries' own some hundred MiB come on top. A batch is the
measurement's own or, where that does not fit, the largest that does (`measurements/memory.py`), so the cap makes
batches smaller and never larger, and a study gives the same tables on every machine on which its batches fit.

With `--memory` the batches follow from command and model alone. Without it the cap is the weights and a share of what
is free when the study begins. That cap is noted in the folder and holds for every later run there: what happens to be
free when a study is gone on with must not change a batch, because another batch is another job, and what was finished
would be run again. A run with `--memory` notes its own.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from backsight.errors import StudyError, UsageError
from backsight.measurements.base import Samples, needed, within
from backsight.measurements.memory import forward, words
from backsight.models.facts import ModelFacts
from backsight.studies.jobs import Job
from backsight.studies.record import machine, resident

NOTE = "jobs/study.memory.json"
SHARE = 0.6  # of what is free: the rest is for what the estimates leave out, and for others on the machine
UNITS = {"": 2**30} | {f"{p}b": 10 ** (3 * n) for n, p in enumerate("kmgt", 1)} | {
    f"{p}ib": 2 ** (10 * n) for n, p in enumerate("kmgt", 1)
}  # fmt: skip


@dataclass(frozen=True)
class Cap:
    """The most bytes that weights and a batch may take, and where the number comes from."""

    bytes: int
    source: str

    def __str__(self) -> str:
        return f"{words(self.bytes)} ({self.source})"


def size_of(text: str) -> int:
    """The bytes of a size such as 8GiB, 8GB, 800MiB, or a plain number of GiB; UsageError for anything else."""
    match = re.fullmatch(r"\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*([a-z]*)\s*", text.lower())
    size = int(Fraction(match[1]) * UNITS[match[2]]) if match and match[2] in UNITS else 0
    if size < 1:
        do = "give a size such as 8GiB, 8GB, 800MiB, or a number of GiB"
        raise UsageError("This is no size of memory", got=text, do=do)
    return size


def cap(facts: ModelFacts, given: int | None, noted: Cap | None) -> Cap:
    """The cap of a study: the one that is asked for, else the one that its folder notes, else a share of what is free
    beside the weights."""
    if given is not None:
        return Cap(given, "as asked")
    if noted is not None:
        return noted
    room = int(SHARE * free(facts.device))
    return Cap(facts.weights + room, f"the weights and {100 * SHARE:.0f} % of what was free at first")


def sized(facts: ModelFacts, jobs: Sequence[Job], limit: Cap) -> list[Job]:
    """The jobs with batches that fit under the cap; StudyError where of some job not one sample does, naming the one
    that needs most."""
    fitting: list[Job] = []
    refused: list[tuple[int, str]] = []
    for job in jobs:
        try:
            measurement = within(job.measurement, facts, job.samples, limit.bytes - facts.weights)
        except StudyError:
            refused.append((needed(replace(job.measurement, batch=1), facts, job.samples), job.name))
            continue
        same = measurement == job.measurement
        fitting.append(job if same else Job.of(facts, replace(job, measurement=measurement), job.own_batch))
    if refused:
        one, name = max(refused)
        raise StudyError(
            "Not even one sample of this job fits under the memory cap",
            where=name,
            got=f"one sample needs {words(one)} beside weights of {words(facts.weights)}; the cap is {limit}",
            do=f"give --memory {-(-(one + facts.weights) // 2**20)}MiB or more, fewer pixels (--max-pixels), a smaller "
            "--dtype, or other jobs (--only)",
        )
    return fitting


def forwards(facts: ModelFacts, samples: Samples, limit: Cap) -> int:
    """How many samples a plain forward may take under the cap, at least one."""
    return max(1, (limit.bytes - facts.weights) // forward(facts.sizes(samples)))


def short(facts: ModelFacts, jobs: Sequence[Job]) -> str | None:
    """A warning where less is free now than the largest batch of some jobs is estimated to take; None where it fits."""
    most = max(((job.bytes, job.name) for job in jobs), default=(0, ""))
    there = free(facts.device)
    if most[0] <= there:
        return None
    do = f"--memory {(facts.weights + there) // 2**20}MiB gives smaller batches"
    return f"a batch of {most[1]} may take {words(most[0])} and only {words(there)} are free now; {do}"


def estimate(facts: ModelFacts, jobs: Sequence[Job]) -> tuple[int, int | None]:
    """About the most bytes that a study will hold on the machine, and on the GPU where the model is on one.

    What is held now, weights and libraries included, and the largest batch of the jobs: of quick studies of the
    built-in models 1.2 times what was measured.
    """
    batch = max((job.bytes for job in jobs), default=0)
    peak = machine()["memory_peak_mib"] * 2**20
    if not facts.device.startswith("cuda"):
        return max(peak, resident() + batch), None
    import torch

    held = torch.cuda.memory_allocated(facts.device)
    return peak, max(torch.cuda.max_memory_allocated(facts.device), held + batch)


def free(device: str, root: Path = Path("/")) -> int:
    """Bytes that are free now: of a GPU what it and torch's own store have left, else of the machine.

    On Linux that is what the kernel calls available, or less where a control group allows less; elsewhere what the
    system tells of, half of all memory where it tells nothing else.
    """
    if device.startswith("cuda"):
        import torch

        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0]) + kept
    try:
        lines = (root / "proc/meminfo").read_text().splitlines()
        available = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, IndexError, StopIteration):
        available = _of_system()
    return max(0, min([available, *_of_groups(root)]))


def _of_system() -> int:
    names = getattr(os, "sysconf_names", {})
    page = os.sysconf("SC_PAGE_SIZE") if "SC_PAGE_SIZE" in names else 4096
    if "SC_AVPHYS_PAGES" in names:
        return page * os.sysconf("SC_AVPHYS_PAGES")
    if "SC_PHYS_PAGES" in names:
        return page * os.sysconf("SC_PHYS_PAGES") // 2
    return 4 * 2**30


def _of_groups(root: Path) -> list[int]:
    """What each control group of this process has left, bytes; files of both versions, none where there is no limit."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
    left = []
    for line in lines:
        number, kinds, path = [*line.split(":", 2), "", ""][:3]
        if number == "0" and not kinds:
            top, limit, used, cached = root / "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"
        elif "memory" in kinds.split(","):
            top, limit, used = root / "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
            cached = "total_inactive_file"
        else:
            continue
        place = top / path.lstrip("/")
        # In a container the path is often that outside of it; then the top is the container's own group.
        for group in [g for g in (place, *place.parents) if g.is_relative_to(top)]:
            most, now = _number(group / limit), _number(group / used)
            if most is not None and now is not None:
                left.append(most - now + _cached(group / "memory.stat", cached))
    return left


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # no such file, or "max"
        return None


def _cached(path: Path, name: str) -> int:
    """The bytes of files that a group keeps and can drop at any time."""
    try:
        pairs = dict(line.split(" ", 1) for line in path.read_text().splitlines() if " " in line)
        return int(pairs.get(name, 0))
    except (OSError, ValueError):
        return 0


def noted(folder: Path) -> Cap | None:
    """The cap that an earlier run noted in its folder; None without one, or where the note cannot be read."""
    try:
        note = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return Cap(int(note["bytes"]), str(note["source"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
