"""What every measurement shares: a plan that repeats, and a loop over batches that gives rows.

A measurement is its parameters. It turns one batch of samples into rows; `measure` does the batching. Measurements that
ask for the same samples are measured on one recording a batch. Batches hold samples of like prompt length, in a fixed
order: the same samples and the same batch size give bit-equal tables, whatever else is measured beside.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, overload

from backsight.errors import StudyError
from backsight.examples import Example, ExampleSet, Pair, PairSet, as_samples
from backsight.grid import TokenGrid
from backsight.measurements import memory
from backsight.measurements.batching import Planned, batches, companions
from backsight.measurements.needs import Needs, united
from backsight.models.facts import ModelFacts
from backsight.results.base import Result
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from backsight.measurements.recordings import Recorded
    from backsight.models.vlm import VLM

Samples = ExampleSet | PairSet
Given = Samples | Sequence[Example] | Sequence[Pair]
Row = dict[str, Any]
Progress = Callable[[int, int], None]
Part = tuple["Measurement", Samples]
M = TypeVar("M", bound="Measurement")


@dataclass(frozen=True)
class Measurement(ABC):
    """Parameters of a measurement. `version` goes up when the same parameters would give other numbers. `result` is
    what is made of its rows; a measurement without one names the `schema` of the rows alone.

    `requires` names the capabilities of an architecture (`models.families.common`) without which it cannot be made.
    `pair_kind` names the counterfactual pairs that it is made of; None where it takes examples. `needs_all_samples`
    says that it learns from all samples at once, so that `rows` gets them all and does its own batching. One that is
    `opt_in` is made of the sets that name it, with `own_too` of a user's own, and of others only where a study is asked
    for it by name. At most `max_samples` samples of a set are taken.
    """

    result: ClassVar[Result]
    schema: ClassVar[Schema]
    requires: ClassVar[frozenset[str]] = frozenset()
    version: ClassVar[int] = 1
    opt_in: ClassVar[bool] = False
    own_too: ClassVar[bool] = False
    pair_kind: ClassVar[str | None] = None
    needs_all_samples: ClassVar[bool] = False

    batch: int = 16
    max_samples: int | None = None

    def __init_subclass__(cls) -> None:
        """The rows' schema is that of the result, where the measurement names one."""
        if "result" in cls.__dict__:
            cls.schema = cls.result.schema

    @abstractmethod
    def rows(self, vlm: VLM, samples: Sequence[Any]) -> list[Row]:
        """The rows of one batch of samples."""

    def needs(self) -> Needs | None:
        """What it wants recorded of the examples of a batch, to be turned into rows by `rows_from`; None where it makes
        its own recordings and shares none."""
        return None

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one recorded batch, where `needs` names what is recorded."""
        raise NotImplementedError(f"{type(self).__name__} names what it needs and makes no rows of it")

    def applies(self, samples: Samples) -> bool:
        """Whether these are samples of the form that it is about; a study leaves out what does not apply."""
        return True

    def chosen(self, samples: Samples) -> Samples:
        """The samples that it asks of those that it is given, before there are at most `max_samples`; most ask all."""
        return samples

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """All that a plan for these samples asks of the facts of a model whose own grid is `grid`: the samples, and
        other questions that are made from them."""
        return samples

    def check(self, facts: ModelFacts, samples: Samples) -> None:  # noqa: B027, most measurements can ask anything
        """CannotAnswer where a model cannot be asked these samples."""

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """An estimate of the forward equivalents that the samples take."""
        return float(len(samples))

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """The bytes that one sample of a batch of `batch` takes at most, beside the weights.

        Enough for one recorded forward of a sample, of both sides of a pair; a measurement that keeps more says so.
        """
        sizes = facts.sizes(samples)
        return (1 if self.pair_kind is None else 2) * (memory.forward(sizes) + memory.recorded(sizes))

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """The bytes that are held whatever the batch, such as the features that a probe is fitted on."""
        return 0

    def looks_at(self) -> tuple[int, ...]:
        """The growing numbers of samples after which `decided` is asked, the most last; empty where it never is."""
        return ()

    def parts(self, samples: Samples) -> list[list[int]]:
        """Indices of the samples in the parts in which they are asked, a look after each; one part without looks."""
        return [list(range(len(samples)))]

    def decided(self, rows: Table, looks: Sequence[int]) -> bool:
        """Whether the rows so far are enough, so that the parts that are left are not asked. `looks` are the numbers of
        samples up to the end of each part. It depends on nothing else, so whoever asks, and when, stops at one place.
        """
        return False

    def plan(self, samples: Samples) -> list[list[int]]:
        """Indices of the samples that each call of `rows` gets; no call has samples of two parts."""
        if self.needs_all_samples:
            return [list(range(len(samples)))]
        return [batch for part in self.parts(samples) for batch in batches(samples, self.batch, part)]

    def __call__(self, vlm: VLM, samples: Given, *, progress: Progress | None = None) -> Table:
        """The table of rows; CannotAnswer where the model cannot be asked these samples. A list of examples will do."""
        return measure(vlm, samples, self, progress=progress)


def check(facts: ModelFacts, samples: Samples, measurement: Measurement) -> None:
    """CannotAnswer where an architecture lacks what a measurement requires, or a model cannot be asked the samples."""
    facts.demand(measurement.requires)
    measurement.check(facts, samples)


@overload
def measure(
    vlm: VLM, samples: Given, measurement: Measurement, *, memory_cap: int | None = None,
    progress: Progress | None = None,
) -> Table: ...  # fmt: skip
@overload
def measure(
    vlm: VLM, samples: Given, measurement: Sequence[Measurement], *, memory_cap: int | None = None,
    progress: Progress | None = None,
) -> list[Table]: ...  # fmt: skip
def measure(
    vlm: VLM, samples: Given, measurement: Measurement | Sequence[Measurement], *, memory_cap: int | None = None,
    progress: Progress | None = None,
) -> Table | list[Table]:  # fmt: skip
    """The rows of a measurement over some samples, in the samples' own order; of several, a table each.

    Several measurements are made on one recording a batch where they name what they need (`Measurement.needs`) and ask
    for the same samples; one with fewer samples takes the first of them. `memory_cap` is the most bytes that weights
    and a batch may take: batches are made smaller until they fit. A list of examples or pairs will do for a set.
    CannotAnswer where the model cannot be asked these samples.
    """
    from backsight.models.sizes import facts as facts_of

    several = [measurement] if isinstance(measurement, Measurement) else list(measurement)
    parts: list[Part] = [(one, one.chosen(as_samples(samples)).limit(one.max_samples)) for one in several]
    facts = facts_of(vlm, (e for one, chosen in parts for e in one.asked(chosen, vlm.grid)), priced=False)
    for one, chosen in parts:
        check(facts, chosen, one)
    if memory_cap is not None:
        parts = [(within(one, facts, chosen, memory_cap - facts.weights), chosen) for one, chosen in parts]
    rows: list[dict[int, list[Row]]] = [{} for _ in parts]
    total, done = sum(len(chosen) for _, chosen in parts), 0
    planned = [Planned(chosen, tuple(map(tuple, one.plan(chosen))), one.needs()) for one, chosen in parts]
    for group in companions(planned):
        asking = group
        for indices in planned[group[0]].batches:
            for number, by_index in zip(asking, rows_of(vlm, [parts[i] for i in asking], indices), strict=True):
                rows[number] |= by_index
            done += len(asking) * len(indices)
            if progress is not None:
                progress(done, total)
            asking = [number for number in asking if not enough(*parts[number], rows[number])]
            if not asking:
                break
    tables = [
        Table.of(one.schema, [row for i in sorted(of) for row in of[i]], provenance(facts, chosen, one))
        for (one, chosen), of in zip(parts, rows, strict=True)
    ]
    return tables[0] if isinstance(measurement, Measurement) else tables


def enough(measurement: Measurement, samples: Samples, rows: Mapping[int, Sequence[Row]]) -> bool:
    """Whether the rows so far, by sample, end at a look at which the measurement needs no more of them."""
    looks = look_counts(measurement, samples)
    if len(rows) not in looks[:-1]:
        return False
    return measurement.decided(Table.of(measurement.schema, [row for i in sorted(rows) for row in rows[i]]), looks)


def look_counts(measurement: Measurement, samples: Samples) -> tuple[int, ...]:
    """The numbers of samples up to the end of each part."""
    return tuple(accumulate(len(part) for part in measurement.parts(samples)))


def rows_of(vlm: VLM, takers: Sequence[Part], indices: Sequence[int]) -> Iterator[dict[int, list[Row]]]:
    """The rows of one batch by sample, of each of some companions; its samples are recorded once.

    A row of no one sample stands under the first; so do those of questions that a measurement of all samples adds.
    """
    samples = takers[0][1]
    batch = [samples[i] for i in indices]
    names = {sample.id: index for sample, index in zip(batch, indices, strict=True)}
    recorded = recording(vlm, [one for one, _ in takers], batch) if len(takers) > 1 else None
    for one, _ in takers:
        key = "example_id" if one.pair_kind is None else "pair_id"
        grouped: dict[int, list[Row]] = {index: [] for index in indices}
        for row in one.rows(vlm, batch) if recorded is None else one.rows_from(recorded):
            added = key not in row or (one.needs_all_samples and row[key] not in names)
            grouped[indices[0] if added else names[row[key]]].append(row)
        yield grouped


def recording(vlm: VLM, takers: Sequence[Measurement], batch: Sequence[Any]) -> Recorded:
    """One recording of a batch with all that some companions need."""
    from backsight.measurements.recordings import record

    whole = united([needed for one in takers if (needed := one.needs()) is not None])
    assert whole is not None, "the needs of companions unite"
    return record(vlm, batch, whole)


def needed(measurement: Measurement, facts: ModelFacts, samples: Samples) -> int:
    """The bytes that a measurement takes with a batch of its own, beside the weights."""
    count = measurement.batch if measurement.needs_all_samples else min(measurement.batch, len(samples))
    return measurement.bytes_held(facts, samples) + count * measurement.bytes_each(facts, samples)


def within(measurement: M, facts: ModelFacts, samples: Samples, room: int) -> M:
    """The measurement with the largest batch, at most its own, that fits into `room` bytes beside the weights.

    Where its own fits it is left as it is, so that its table does not tell how much memory there was. StudyError where
    not even one sample fits.
    """
    if needed(measurement, facts, samples) <= room:
        return measurement
    one = needed(replace(measurement, batch=1), facts, samples)
    if one > room:
        raise StudyError(
            "Not even one sample of this measurement fits into the memory that it is given",
            where=f"{type(measurement).__name__} of {samples.name}",
            got=f"{memory.words(one)} are needed, {memory.words(room)} are there",
            do="give more memory, smaller pictures or a smaller dtype",
        )
    sizes = range(1, measurement.batch)
    count = bisect_right(sizes, room, key=lambda batch: needed(replace(measurement, batch=batch), facts, samples))
    return replace(measurement, batch=max(1, count))


def provenance(facts: ModelFacts, samples: Samples, measurement: Measurement) -> dict[str, Any]:
    """What a table's numbers depend on."""
    return {
        "measurement": repr(measurement),
        "version": measurement.version,
        "samples": samples.name,
        "samples_fingerprint": samples.fingerprint,
        "model": facts.name,
        "model_fingerprint": facts.fingerprint,
        "dtype": facts.dtype,
        "attention": facts.attention,
        "padding": "left",
    }
