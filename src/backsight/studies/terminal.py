"""What a study shows in a terminal: what will be run and what it will take, then one bar with the time that is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from backsight.results.drawing import style
from backsight.studies import memory
from backsight.studies.study import Study
from backsight.training.recipe import counted

ENDED = "ended"  # what a sweep calls the end of a run


def announce(console: Console, study: Study) -> None:
    """What will be run, and what it will take."""
    table = Table("job", "samples", "forward equivalents", title=escape(repr(study.vlm)))
    for job in study.jobs:
        table.add_row(escape(job.name), str(len(job.samples)), f"{job.cost:.0f}")
    console.print(table)
    for skipped in study.skipped:
        console.print(
            f"skipped: {skipped.set_name} ({skipped.measurement}): {skipped.reason}", markup=False, soft_wrap=True
        )
    console.print(f"memory cap: {study.cap}, for the weights and a batch", soft_wrap=True)
    for name, (batch, own) in study.smaller_batches().items():
        console.print(f"smaller batch: {name}: {batch} samples, not {own}", markup=False, soft_wrap=True)
    warning = memory.short(study.facts, study.left())
    if warning is not None:
        console.print(f"warning: {warning}", style="bold", markup=False, soft_wrap=True)
    if study.store.note is not None:
        console.print(f"warning: {study.store.note}", style="bold", markup=False, soft_wrap=True)
    left, each = study.forward_equivalents(), study.seconds_each()
    host, gpu = memory.estimate(study.facts, study.left())
    taken = f"memory about {host / 2**20:.0f} MiB" + ("" if gpu is None else f", on the GPU {gpu / 2**20:.0f} MiB")
    most = "at most " if any(job.measurement.looks_at() for job in study.left()) else ""
    console.print(
        f"left to run: {most}{left:.0f} forward equivalents, about {left * each:.0f} s; {taken}", soft_wrap=True
    )


def step(console: Console, what: str) -> None:
    """What is being done now."""
    console.print(f"backsight: {what}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def study_progress(console: Console, study: Study) -> Iterator[Callable[[Any, int, int], None]]:
    """One bar over all jobs, weighted by their cost; into a file a line where a job starts and one where it ends."""
    if not console.is_terminal:
        yield _lines(console, study)
        return
    weights = {j.name: j.cost for j in study.jobs}
    shares: dict[str, float] = {}
    with _bar(console) as bar:
        task = bar.add_task("study", total=sum(weights.values()) or 1)

        def progress(job: Any, done: int, total: int) -> None:
            shares[job.name] = weights[job.name] * done / max(1, total)
            bar.update(task, completed=sum(shares.values()), description=job.name)

        yield progress


@contextmanager
def training_progress(console: Console, lengths: Mapping[str, int]) -> Iterator[Callable[[str, int, int, Any], None]]:
    """One bar over the steps of all phases, with the latest figures and the time that is left; into a file a line at
    the first step and at each tenth. `lengths` are the steps of each phase, by its name.
    """
    total = sum(lengths.values())
    if console.is_terminal:
        with _bar(console) as bar:
            bars = _Bars(bar)
            yield lambda phase, number, _, figures: bars(
                "training", counted(lengths, phase, number), total, training_line(phase, figures)
            )
        return
    begun: list[tuple[float, int]] = []

    def progress(phase: str, number: int, _: int, figures: Any) -> None:
        steps, now = counted(lengths, phase, number), time.monotonic()
        if not begun:
            begun.append((now, steps))
        elif steps != total and 10 * steps // total == 10 * (steps - 1) // total:
            return
        since, first = begun[0]
        left = remaining(now - since, steps - first, total - steps)
        step(console, f"step {steps} of {total}, {training_line(phase, figures)}{left}")

    yield progress


@contextmanager
def sweep_progress(
    console: Console, left: Sequence[str], runs: int
) -> Iterator[Callable[[str, str, int, int, str], None]]:  # fmt: skip
    """A bar a run that goes on, and one over the runs of a sweep; into a file a line at the start of a run's training
    and study, at each fifth and at its end, with the time that is left."""
    started, ended = time.monotonic(), 0
    step(console, f"{len(left)} of {style.counted(runs, 'run')} to do")

    def end(label: str, why: str) -> str:
        nonlocal ended
        ended += 1
        rest = remaining(time.monotonic() - started, ended, len(left) - ended)
        return f"{label}: {f'failed: {why}' if why else 'done'}; {ended} of {len(left)} runs{rest}"

    if console.is_terminal:
        with _bar(console) as bar:
            bars = _Bars(bar)
            whole = bar.add_task("sweep", total=len(left) or 1)

            def drawn(label: str, what: str, done: int, total: int, words: str) -> None:
                if what == ENDED:
                    bars.end(label)
                    bar.console.print(end(label, words), markup=False, highlight=False, soft_wrap=True)
                    bar.update(whole, completed=ended)
                else:
                    bars(label, done, total, f"{label}: {what}, {words}", of=what)

            yield drawn
        return
    fifths: dict[tuple[str, str], int] = {}

    def progress(label: str, what: str, done: int, total: int, words: str) -> None:
        if what == ENDED:
            step(console, end(label, words))
        elif fifths.get((label, what)) != 5 * done // total:
            fifths[label, what] = 5 * done // total
            step(console, f"{label}: {what}, {100 * done // total} %, {words}")

    yield progress


def remaining(seconds: float, done: int, left: int) -> str:
    """The time that is left, in words, where `done` steps took so many seconds; empty where none was taken or none is
    left."""
    if not done or not left:
        return ""
    minutes = seconds / done * left / 60
    return f", about {minutes:.0f} min left" if minutes >= 1 else f", about {60 * minutes:.0f} s left"


def training_line(phase: str, figures: Mapping[str, float]) -> str:
    """What a step of a training shows: its phase, its loss, and what else its figures are, without the rate."""
    others = [f"{name} {value:.2f}" for name, value in figures.items() if name not in ("loss", "rate")]
    return ", ".join([f"{phase}: loss {figures['loss']:.3f}", *others])


@contextmanager
def card_progress(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """One bar a set that a card measures; into a file a line where one starts and one where it ends."""
    if console.is_terminal:
        with _bar(console) as bar:
            bars = _Bars(bar)
            yield lambda name, done, total: bars(f"measuring {name}", done, total, None)
        return
    started: dict[str, float] = {}

    def progress(name: str, done: int, total: int) -> None:
        if name not in started:
            started[name] = time.monotonic()
            step(console, f"measuring {name}: {total} questions")
        if done >= total:
            step(console, f"measuring {name}: done in {time.monotonic() - started[name]:.1f} s")

    yield progress


def _bar(console: Console) -> Progress:
    """A bar with the time that has gone by and the time that is left."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=console)


class _Bars:
    """Bars by name, each beginning where its first report stands: what an earlier run did takes no time of this one."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._tasks: dict[str, tuple[str, Any]] = {}

    def __call__(self, name: str, done: int, total: int, words: str | None, *, of: str = "") -> None:
        """Move a bar; where what it counts is another thing than before, a new one takes its place."""
        if self._tasks.get(name, ("", None))[0] != of:
            self.end(name)
        if name not in self._tasks:
            self._tasks[name] = of, self._bar.add_task(words or name, total=total, completed=done)
        self._bar.update(self._tasks[name][1], completed=done, description=words or name)

    def end(self, name: str) -> None:
        """Take a bar away, where there is one."""
        if name in self._tasks:
            self._bar.remove_task(self._tasks.pop(name)[1])


def _lines(console: Console, study: Study) -> Callable[[Any, int, int], None]:
    """A line where a job starts and one where it ends, each with its number among the jobs."""
    numbers = {job.name: number for number, job in enumerate(study.jobs, 1)}
    started: dict[str, float] = {}

    def progress(job: Any, done: int, total: int) -> None:
        head = f"job {numbers[job.name]} of {len(numbers)}, {job.name}"
        first = job.name not in started
        begun = started.setdefault(job.name, time.monotonic())
        if first and done >= total:
            step(console, f"{head}: {total} samples, finished by an earlier run")
        elif first:
            step(console, f"{head}: {total} samples" + (f", {done} of them by an earlier run" if done else ""))
        elif done >= total:
            step(console, f"{head}: done, {total} samples in {time.monotonic() - begun:.1f} s")

    return progress
