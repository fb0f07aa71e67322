"""The runs of a sweep, one after another in this process or several side by side in processes of their own.

A run that fails is noted with its reason, and the others go on. Ctrl-C ends all; what is finished is kept, and the same
command goes on.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.errors import BacksightError
from backsight.studies.sweep_run import LOG, Run, perform
from backsight.studies.terminal import ENDED

Progress = Callable[[Run, str, int, int, str], None]
Page = Callable[[Path], object]
CHILD = "from backsight.cli.sweep import child; child()"
STOPPING = 30.0  # seconds that a run gets to keep what it has


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `reason` says why it failed, and is empty where it did not."""

    run: Run
    reason: str = ""


def run_all(every: Sequence[Run], progress: Progress, page: Page) -> list[Outcome]:
    """Run what is missing; how each run ended, in their order. KeyboardInterrupt behind the end of all processes."""
    left = [run for run in every if not run.studied]
    workers = min(every[0].sweep.workers, len(left))
    reasons = _serial(left, progress, page) if workers < 2 else _side_by_side(left, workers, progress)
    return [Outcome(run, reasons.get(run.label, "")) for run in every]


def _serial(left: Sequence[Run], progress: Progress, page: Page) -> dict[str, str]:
    reasons = {}
    for run in left:
        try:
            perform(run, lambda what, done, total, words, run=run: progress(run, what, done, total, words), page)  # type: ignore[misc]
        except Exception as error:  # one's own recipe may raise anything, and the others go on
            reasons[run.label] = reason(error)
        progress(run, ENDED, 1, 1, reasons.get(run.label, ""))
    return reasons


def reason(error: Exception) -> str:
    """Why a run failed, in one line."""
    if isinstance(error, BacksightError):
        parts = [error.what, *(f"{name}: {one}" for name, one in (("where", error.where), ("got", error.got)) if one)]
        return "; ".join(" ".join(part.split()) for part in parts)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _side_by_side(left: Sequence[Run], workers: int, progress: Progress) -> dict[str, str]:
    waiting, reasons = list(left), {}
    events: queue.Queue[tuple[Run, dict[str, Any]]] = queue.Queue()
    with _processes() as started:
        while waiting or started:
            while waiting and len(started) < workers:
                run = waiting.pop(0)
                started[run.label] = _started(run, events)
            try:
                run, event = events.get(timeout=0.5)
            except queue.Empty:
                continue
            if "what" in event:
                progress(run, event["what"], event["done"], event["total"], event["words"])
                continue
            code = started.pop(run.label).wait()
            why = event.get("reason", "") or ("" if event.get("finished") else _crashed(run, code))
            if why:
                reasons[run.label] = why
            progress(run, ENDED, 1, 1, why)
    return reasons


@contextmanager
def _processes() -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Processes by the label of their run; all are ended with the block, as Ctrl-C ends one."""
    started: dict[str, subprocess.Popen[str]] = {}
    try:
        yield started
    finally:
        for process in started.values():
            process.terminate()
        until = time.monotonic() + STOPPING
        for process in started.values():
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _started(run: Run, events: queue.Queue[tuple[Run, dict[str, Any]]]) -> subprocess.Popen[str]:
    """A process for a run, in a session of its own so that a terminal's Ctrl-C reaches this one only."""
    run.folder.mkdir(parents=True, exist_ok=True)
    threads = str(run.sweep.train.threads)
    given = json.dumps({"sweep": run.sweep.as_dict(), "folder": str(run.folder), "identity": run.identity})
    with (run.folder / LOG).open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", CHILD, given], stdout=subprocess.PIPE, stderr=log, text=True, encoding="utf-8",
            env={**os.environ, "OMP_NUM_THREADS": threads}, start_new_session=True,
        )  # fmt: skip
    threading.Thread(target=_listen, args=(process, run, events), daemon=True).start()
    return process


def _listen(process: subprocess.Popen[str], run: Run, events: queue.Queue[tuple[Run, dict[str, Any]]]) -> None:
    """Pass on what a run's process says, line by line; its last word, or its silence, comes last."""
    last: dict[str, Any] = {}
    assert process.stdout is not None
    for line in process.stdout:
        try:
            event = json.loads(line)
        except ValueError:  # what a library prints
            continue
        if isinstance(event, dict) and "what" in event:
            events.put((run, event))
        elif isinstance(event, dict):
            last = event
    events.put((run, last))


def _crashed(run: Run, code: int) -> str:
    lines = (run.folder / LOG).read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return f"its process ended with {code}" + (f": {lines[-1]}" if lines else "")
