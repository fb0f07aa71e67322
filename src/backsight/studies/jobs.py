"""Jobs: one measurement of one example set, named and keyed by all that its numbers depend on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet, PairSet
from backsight.measurements import Measurement
from backsight.measurements.base import Samples, provenance
from backsight.models.vlm import VLM
from backsight.results import today

# The libraries whose release can move a number.
LIBRARIES = ("torch", "transformers", "numpy", "pillow", "scipy", "pandas")


@dataclass(frozen=True)
class Job:
    """A measurement of some samples. `name` is unique in a study, such as behaviour/squares."""

    name: str
    kind: str
    set_name: str
    measurement: Measurement
    samples: Samples

    @property
    def table(self) -> str:
        """The name of its table of rows, and of its files."""
        return f"{self.kind}.{file_stem(self.set_name)}"

    @property
    def of_pairs(self) -> bool:
        """Whether its samples are pairs."""
        return isinstance(self.samples, PairSet)

    def key(self, vlm: VLM) -> str:
        """16 hex digits that change with anything the rows depend on."""
        parts = provenance(vlm, self.samples, self.measurement) | {"versions": versions(), "device": str(vlm.device)}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Skipped:
    """A set, or one measurement of it, that is not run, with the reason."""

    set_name: str
    measurement: str
    reason: str


def file_stem(name: str) -> str:
    """A set's name as part of a file name: itself, or what can stand there and a hash, so that two never meet."""
    if re.fullmatch(r"[A-Za-z0-9_-]{1,80}", name):
        return name
    return f"{re.sub(r'[^A-Za-z0-9_-]+', '_', name)[:60]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


@cache
def versions() -> Mapping[str, str]:
    """Releases of Python and of the libraries that can move a number; none changes while a study runs."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def plan(
    vlm: VLM, sets: Sequence[ExampleSet], measurements: Sequence[Measurement], *, only: Sequence[str] = (),
    limit: int | None = None, skipped: Sequence[Skipped] = (),
) -> tuple[list[Job], list[Skipped]]:  # fmt: skip
    """The jobs of a study, and what a model cannot be asked, with the reason.

    `only` keeps jobs by measurement, by set, or by whole name; UsageError for a name that a study does not have.
    `skipped` are sets that could not be made for this model; they are listed with the others.
    """
    only = [today(name) for name in only]
    jobs, cannot = [], list(skipped)
    for examples in sets:
        for measurement in measurements:
            kind = kind_of(measurement)
            try:
                samples = _samples(examples, measurement, limit, only)
                if samples is None or len(samples) == 0 or not measurement.applies(samples):
                    continue
                measurement.check(vlm, samples)
                jobs.append(Job(f"{kind}/{examples.name}", kind, examples.name, measurement, samples))
            except CannotAnswer as error:
                cannot.append(Skipped(examples.name, kind, reason(error)))
    wanted = _wanted(only, jobs, cannot, {kind_of(m) for m in measurements})
    return [j for j in jobs if wanted(j.kind, j.set_name)], [s for s in cannot if wanted(s.measurement, s.set_name)]


def kind_of(measurement: Measurement) -> str:
    """The name of a measurement's kind: its class, in lower case."""
    return type(measurement).__name__.lower()


def reason(error: CannotAnswer) -> str:
    """Why a model cannot be asked something, in one line."""
    return error.what + (f": {_said(error.got)}" if error.got else "")


def _samples(
    examples: ExampleSet, measurement: Measurement, limit: int | None, asked: Sequence[str]
) -> Samples | None:  # fmt: skip
    kind = kind_of(measurement)
    if examples.only and kind not in map(today, examples.only):
        return None
    if measurement.costly and not examples.only and not any(name.split("/")[0] == kind for name in asked):
        return None
    most = min((n for n in (limit, measurement.most) if n is not None), default=None)
    if measurement.pair_kind is None:
        return examples.limit(most)
    if measurement.pair_kind not in examples.pair_makers:
        return None
    return examples.pairs(measurement.pair_kind).limit(most)


def _wanted(
    only: Sequence[str], jobs: Sequence[Job], skipped: Sequence[Skipped], kinds: set[str]
) -> Callable[[str, str], bool]:
    """Whether `only` keeps a kind of measurement of a set; a set skipped for "all" stands for each kind."""
    there = {(j.kind, j.set_name) for j in jobs}
    there |= {(kind, s.set_name) for s in skipped for kind in ([s.measurement] if s.measurement in kinds else kinds)}
    sets, names = {name for _, name in there}, {f"{kind}/{name}" for kind, name in there}
    unknown = [name for name in only if name not in kinds | sets | names]
    if unknown:
        known = [*sorted(kinds), *sorted(sets), "or both as in behaviour/squares"]
        raise UsageError("--only names nothing that this study has", got=unknown, do=f"choose from: {', '.join(known)}")
    by_parts = not only or bool(set(only) & (kinds | sets))
    chosen_kinds, chosen_sets = kinds & set(only) or kinds, sets & set(only) or sets
    kept = {n for n in there if f"{n[0]}/{n[1]}" in only or (by_parts and n[0] in chosen_kinds and n[1] in chosen_sets)}
    return lambda kind, name: any((k, name) in kept for k in ([kind] if kind in kinds else kinds))


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
