"""What a study shows in a terminal: what will be run and what it will take, then one bar with the time that is left."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from backsight.studies import memory
from backsight.studies.record import machine
from backsight.studies.study import Study


def announce(console: Console, made: Study) -> None:
    """What will be run, and what it will take."""
    table = Table("job", "samples", "forward equivalents", title=escape(repr(made.vlm)))
    for job in made.jobs:
        table.add_row(escape(job.name), str(len(job.samples)), f"{job.cost:.0f}")
    console.print(table)
    for skipped in made.skipped:
        console.print(
            f"skipped: {skipped.set_name} ({skipped.measurement}): {skipped.reason}", markup=False, soft_wrap=True
        )
    console.print(f"memory cap: {made.cap}, for the weights and a batch", soft_wrap=True)
    for name, (batch, own) in made.smaller_batches().items():
        console.print(f"smaller batch: {name}: {batch} samples, not {own}", markup=False, soft_wrap=True)
    warning = memory.short(made.facts, made.left())
    if warning is not None:
        console.print(f"warning: {warning}", style="bold", markup=False, soft_wrap=True)
    left, each = made.forward_equivalents(), made.seconds_each()
    found = machine()
    taken = f"memory about {found['memory_peak_mib'] * 1.15:.0f} MiB"
    if made.vlm.device.type == "cuda":
        taken += f", on the GPU {found['gpu_memory_peak_mib'] * 1.15:.0f} MiB"
    console.print(f"left to run: {left:.0f} forward equivalents, about {left * each:.0f} s; {taken}", soft_wrap=True)


def bar() -> Progress:
    """A bar with the time that has gone by and the time that is left."""
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    return Progress(*columns, TimeElapsedColumn(), TimeRemainingColumn(), console=Console(stderr=True))


def follow(bar: Progress, made: Study) -> Any:
    """Move one bar over all jobs, weighted by their cost."""
    weights = {j.name: j.cost for j in made.jobs}
    task = bar.add_task("study", total=sum(weights.values()) or 1)
    shares: dict[str, float] = {}

    def progress(job: Any, done: int, total: int) -> None:
        shares[job.name] = weights[job.name] * done / max(1, total)
        bar.update(task, completed=sum(shares.values()), description=job.name)

    return progress


def follow_training(bar: Progress) -> Any:
    """One bar a stage of training, with the latest loss and accuracy."""
    tasks: dict[str, Any] = {}

    def progress(stage: str, step: int, steps: int, figures: Any) -> None:
        if stage not in tasks:
            tasks[stage] = bar.add_task(stage, total=steps)
        said = f"{stage}: loss {figures['loss']:.3f}, right {figures['accuracy']:.2f}"
        bar.update(tasks[stage], completed=step, description=said)

    return progress


def follow_card(bar: Progress) -> Any:
    """One bar a set that a card measures."""
    tasks: dict[str, Any] = {}

    def progress(name: str, done: int, total: int) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(f"measuring {name}", total=total)
        bar.update(tasks[name], completed=done)

    return progress
