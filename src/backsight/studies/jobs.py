"""Jobs: one measurement of one example set, named and keyed by all that its numbers depend on.

A plan is pure: example sets, measurements and the facts of a model go in, jobs with keys, batches, costs and memory
come out. Nothing in a job needs an open model until it runs, so a job can be stored or sent elsewhere.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import platform
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from backsight.errors import BacksightError, CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair, PairSet
from backsight.grid import TokenGrid
from backsight.measurements.base import Measurement, Samples, check, needed, provenance
from backsight.measurements.batching import Planned
from backsight.models.facts import ModelFacts
from backsight.results import today

# The libraries whose release can move a number.
LIBRARIES = ("torch", "transformers", "numpy", "pillow", "scipy", "pandas")


NOT_OF_ITS_FORM = "these questions are not of the form that it takes: it may need a direction, boxes, a subject or rows"


@dataclass(frozen=True)
class Quick:
    """A first look: `samples` by job or by measurement, as few as its figures need, and what is left out, with the
    reason. A measurement that is in neither has `others`."""

    samples: Mapping[str, int]
    without: Mapping[str, str]
    others: int = 16

    def limit(self, kind: str, set_name: str) -> int:
        """The largest number of samples of a job."""
        return self.samples.get(f"{kind}/{set_name}", self.samples.get(kind, self.others))

    def reason(self, kind: str, set_name: str, only: Sequence[str]) -> str | None:
        """Why a job is left out; None where it is not, or where a study is asked for it by name."""
        if kind in only or f"{kind}/{set_name}" in only:
            return None
        return self.without.get(f"{kind}/{set_name}", self.without.get(kind))


@dataclass(frozen=True)
class Choice:
    """A measurement of some samples that a study is asked for. `name` is unique in it, such as behaviour/squares."""

    name: str
    kind: str
    set_name: str
    measurement: Measurement
    samples: Samples


@dataclass(frozen=True)
class Job(Choice):
    """A choice that a model can be asked, with all that is known before it runs.

    `key` is 16 hex digits that change with anything the rows depend on, `provenance` what their table says of them.
    `batches` are indices of the samples, `cost` an estimate in forward equivalents, `bytes` what a batch takes beside
    the weights. `own_batch` is the batch that the measurement would have with memory enough.
    """

    key: str
    batches: tuple[tuple[int, ...], ...]
    cost: float
    bytes: int
    own_batch: int
    provenance: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, facts: ModelFacts, choice: Choice, own_batch: int | None = None) -> Job:
        """The job of a choice on a model."""
        samples, measurement = choice.samples, choice.measurement
        if isinstance(samples, ExampleSet):
            samples = replace(samples, pair_makers={})  # which no measurement asks for, and which cannot be sent
        about = provenance(facts, samples, measurement)
        return cls(
            choice.name, choice.kind, choice.set_name, measurement, samples,
            key=_key(about | {"versions": versions(), "device": facts.device}),
            batches=tuple(map(tuple, measurement.plan(samples))),
            cost=measurement.cost(facts, samples),
            bytes=needed(measurement, facts, samples),
            own_batch=own_batch or measurement.batch,
            provenance=about,
        )  # fmt: skip

    @property
    def table(self) -> str:
        """The name of its table of rows, and of its files."""
        return f"{self.kind}.{file_stem(self.set_name)}"

    @property
    def of_pairs(self) -> bool:
        """Whether its samples are pairs."""
        return isinstance(self.samples, PairSet)

    @property
    def planned(self) -> Planned:
        """Its part of a plan, by which jobs that share recordings are found."""
        return Planned(self.samples, self.batches, self.measurement.needs())


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
    facts: ModelFacts, sets: Sequence[ExampleSet], measurements: Sequence[Measurement], *, only: Sequence[str] = (),
    limit: int | None = None, skipped: Sequence[Skipped] = (), quick: Quick | None = None,
) -> tuple[list[Job], list[Skipped]]:  # fmt: skip
    """The jobs of a study, and what a model cannot be asked, with the reason.

    `only` keeps jobs by measurement, by set, or by whole name; UsageError for a name that a study does not have.
    `skipped` are sets that could not be made for this model; they are listed with the others, and with what `quick`
    leaves out.
    """
    return planned(facts, choices(sets, measurements, only=only, limit=limit, skipped=skipped, quick=quick))


def planned(facts: ModelFacts, chosen: Iterable[Choice | Skipped]) -> tuple[list[Job], list[Skipped]]:
    """The jobs of some choices, and those that a model cannot be asked among those that are skipped already."""
    jobs: list[Job] = []
    skipped: list[Skipped] = []
    for choice in chosen:
        if isinstance(choice, Skipped):
            skipped.append(choice)
            continue
        try:
            check(facts, choice.samples, choice.measurement)
            jobs.append(Job.of(facts, choice))
        except CannotAnswer as error:
            skipped.append(Skipped(choice.set_name, choice.kind, reason(error)))
    return jobs, skipped


def choices(
    sets: Sequence[ExampleSet], measurements: Sequence[Measurement], *, only: Sequence[str] = (),
    limit: int | None = None, skipped: Sequence[Skipped] = (), quick: Quick | None = None,
) -> list[Choice | Skipped]:  # fmt: skip
    """What a study is asked for, before any model is: the samples of each measurement, and what has none."""
    only = [today(name) for name in only]
    candidates: list[Choice | Skipped] = list(skipped)
    for examples in sets:
        for measurement in measurements:
            kind = kind_of(measurement)
            try:
                most = quick.limit(kind, examples.name) if quick else None
                samples = _samples(examples, measurement, (limit, most), only)
                if samples is None or not len(samples):
                    continue
                if not measurement.applies(samples):
                    if examples.own:
                        candidates.append(Skipped(examples.name, kind, NOT_OF_ITS_FORM))
                    continue
                left_out = quick.reason(kind, examples.name, only) if quick else None
                if left_out is not None:
                    candidates.append(Skipped(examples.name, kind, left_out))
                else:
                    candidates.append(Choice(f"{kind}/{examples.name}", kind, examples.name, measurement, samples))
            except CannotAnswer as error:
                candidates.append(Skipped(examples.name, kind, reason(error)))
    wanted = _wanted(only, candidates, {kind_of(m) for m in measurements})
    return [one for one in candidates if wanted(_kind(one), one.set_name)]


def questions(chosen: Iterable[Choice | Skipped], grid: TokenGrid) -> Iterator[Example | Pair]:
    """All that a plan of some choices asks of a model's facts; `grid` is the model's own."""
    for choice in chosen:
        if isinstance(choice, Choice):
            yield from choice.measurement.asked(choice.samples, grid)


def kind_of(measurement: Measurement) -> str:
    """The name of a measurement's kind: its class, in lower case."""
    return type(measurement).__name__.lower()


def reason(error: BacksightError) -> str:
    """Why a model cannot be asked something, in one line."""
    return error.what + (f": {_listed(error.got)}" if error.got else "")


def _key(parts: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def _samples(
    examples: ExampleSet, measurement: Measurement, limits: Sequence[int | None], asked: Sequence[str]
) -> Samples | None:  # fmt: skip
    kind = kind_of(measurement)
    if examples.only and kind not in map(today, examples.only):
        return None
    named = bool(examples.only) or (examples.own and measurement.own_too)
    if measurement.opt_in and not named and not any(name.split("/")[0] == kind for name in asked):
        return None
    count = min((n for n in (*limits, measurement.max_samples) if n is not None), default=None)
    if measurement.pair_kind is None:
        return measurement.chosen(examples).limit(count)
    if measurement.pair_kind not in examples.pair_makers:
        return None
    return examples.pairs(measurement.pair_kind).limit(count)


def _kind(one: Choice | Skipped) -> str:
    return one.measurement if isinstance(one, Skipped) else one.kind


def _wanted(only: Sequence[str], chosen: Sequence[Choice | Skipped], kinds: set[str]) -> Callable[[str, str], bool]:
    """Whether `only` keeps a kind of measurement of a set; a set skipped for "all" stands for each kind."""
    there = {(kind, one.set_name) for one in chosen for kind in ([_kind(one)] if _kind(one) in kinds else kinds)}
    sets, names = {name for _, name in there}, {f"{kind}/{name}" for kind, name in there}
    unknown = [name for name in only if name not in kinds | sets | names]
    if unknown:
        known = [*sorted(kinds), *sorted(sets), "or both as in behaviour/squares"]
        raise UsageError("--only names nothing that this study has", got=unknown, do=f"choose from: {', '.join(known)}")
    by_parts = not only or bool(set(only) & (kinds | sets))
    chosen_kinds, chosen_sets = kinds & set(only) or kinds, sets & set(only) or sets
    kept = {n for n in there if f"{n[0]}/{n[1]}" in only or (by_parts and n[0] in chosen_kinds and n[1] in chosen_sets)}
    return lambda kind, name: any((k, name) in kept for k in ([kind] if kind in kinds else kinds))


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, Iterable) and not isinstance(value, str) else str(value)
