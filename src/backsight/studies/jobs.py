"""Jobs: one measurement of one example set, named and keyed by all that its numbers depend on."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet
from backsight.measurements import Measurement
from backsight.measurements.base import Samples, provenance
from backsight.models.vlm import VLM

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
        """The name of its table of rows."""
        return self.name.replace("/", ".")

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


def versions() -> dict[str, str]:
    """Releases of Python and of the libraries that can move a number."""
    return {"python": platform.python_version()} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def plan(
    vlm: VLM, sets: Sequence[ExampleSet], measurements: Sequence[Measurement], *, only: Sequence[str] = (),
    limit: int | None = None,
) -> tuple[list[Job], list[Skipped]]:  # fmt: skip
    """The jobs of a study, and what a model cannot be asked, with the reason.

    `only` keeps jobs by measurement, by set, or by whole name; UsageError for a name that keeps nothing.
    """
    jobs, skipped = [], []
    for examples in sets:
        for measurement in measurements:
            kind = type(measurement).__name__.lower()
            samples = _samples(examples, measurement, limit)
            if samples is None or len(samples) == 0:
                continue
            job = Job(f"{kind}/{examples.name}", kind, examples.name, measurement, samples)
            try:
                measurement.check(vlm, samples)
                jobs.append(job)
            except CannotAnswer as error:
                skipped.append(
                    Skipped(examples.name, kind, error.what + (f": {_said(error.got)}" if error.got else ""))
                )
    return _kept(jobs, only), skipped


def _samples(examples: ExampleSet, measurement: Measurement, limit: int | None) -> Samples | None:
    if measurement.pair_kind is None:
        return examples.limit(limit)
    if measurement.pair_kind not in examples.pair_makers:
        return None
    return examples.pairs(measurement.pair_kind).limit(limit)


def _kept(jobs: list[Job], only: Sequence[str]) -> list[Job]:
    if not only:
        return jobs
    kinds, sets, names = {j.kind for j in jobs}, {j.set_name for j in jobs}, {j.name for j in jobs}
    unknown = [name for name in only if name not in kinds | sets | names]
    if unknown:
        known = [*sorted(kinds), *sorted(sets), "or both as in behaviour/squares"]
        raise UsageError("--only names nothing that this study has", got=unknown, do=f"choose from: {', '.join(known)}")
    chosen_kinds, chosen_sets = kinds & set(only) or kinds, sets & set(only) or sets
    by_parts = bool(set(only) & (kinds | sets))
    return [j for j in jobs if j.name in only or (by_parts and j.kind in chosen_kinds and j.set_name in chosen_sets)]


def _said(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
