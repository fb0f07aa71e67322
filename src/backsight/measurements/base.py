"""What every measurement shares: a loop over batches that gives rows, with progress and a plan that repeats.

A measurement is its parameters. It turns one batch of samples into rows; `measure` does the batching, so that a
study can stop between batches and go on there. Batches hold samples of like prompt length, in a fixed order: the
same samples and the same batch size give bit-equal tables.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from backsight.examples import ExampleSet, Pair, PairSet
from backsight.measurements import memory
from backsight.models.vlm import VLM
from backsight.results import Result
from backsight.tables import Schema, Table

Samples = ExampleSet | PairSet
Row = dict[str, Any]


@dataclass(frozen=True)
class Measurement(ABC):
    """Parameters of a measurement. `version` goes up when the same parameters would give other numbers. A `costly` one
    is made of the sets that name it, and of others only where a study is asked for it by name. `result` is what is made
    of its rows; a measurement without one names the `schema` of the rows alone.

    `pair_kind` names the counterfactual pairs that it is made of; None where it takes examples. `whole` says that it
    learns from all samples at once, so that `rows` gets them all and does its own batching. A study gives it at most
    `most` samples of a set.
    """

    result: ClassVar[Result]
    schema: ClassVar[Schema]
    version: ClassVar[int] = 1
    costly: ClassVar[bool] = False
    pair_kind: ClassVar[str | None] = None
    whole: ClassVar[bool] = False

    batch: int = 16
    most: int | None = None

    def __init_subclass__(cls) -> None:
        """The rows' schema is that of the result, where the measurement names one."""
        if "result" in cls.__dict__:
            cls.schema = cls.result.schema

    @abstractmethod
    def rows(self, vlm: VLM, samples: Sequence[Any]) -> list[Row]:
        """The rows of one batch of samples."""

    def applies(self, samples: Samples) -> bool:
        """Whether these are samples of the form that it is about; a study leaves out what does not apply."""
        return True

    def check(self, vlm: VLM, samples: Samples) -> None:  # noqa: B027, most measurements can ask anything
        """CannotAnswer where a model cannot be asked these samples."""

    def cost(self, vlm: VLM, samples: Samples) -> float:
        """An estimate of the forward equivalents that the samples take."""
        return float(len(samples))

    def bytes_each(self, vlm: VLM, samples: Samples) -> int:
        """The bytes that one sample of a batch of `batch` takes at most, beside the weights.

        Enough for one recorded forward of a sample, of both sides of a pair; a measurement that keeps more says so.
        """
        sizes = memory.of(vlm, samples)
        return (1 if self.pair_kind is None else 2) * (memory.forward(sizes) + memory.recorded(sizes))

    def bytes_held(self, vlm: VLM, samples: Samples) -> int:
        """The bytes that are held whatever the batch, such as the features that a probe is fitted on."""
        return 0

    def plan(self, samples: Samples) -> list[list[int]]:
        """Indices of the samples that each call of `rows` gets."""
        return [list(range(len(samples)))] if self.whole else batches(samples, self.batch)

    def __call__(self, vlm: VLM, samples: Samples, *, progress: Callable[[int, int], None] | None = None) -> Table:
        """The table of rows; CannotAnswer where the model cannot be asked these samples."""
        return measure(vlm, samples, self, progress=progress)


def measure(
    vlm: VLM, samples: Samples, measurement: Measurement, *, progress: Callable[[int, int], None] | None = None
) -> Table:
    """The rows of a measurement over all samples, in the samples' own order."""
    measurement.check(vlm, samples)
    rows: dict[int, list[Row]] = {}
    done = 0
    for indices in measurement.plan(samples):
        for index, found in by_sample(vlm, samples, measurement, indices):
            rows[index] = found
        done += len(indices)
        if progress is not None:
            progress(done, len(samples))
    ordered = [row for index in sorted(rows) for row in rows[index]]
    return Table.of(measurement.schema, ordered, provenance(vlm, samples, measurement))


def by_sample(
    vlm: VLM, samples: Samples, measurement: Measurement, indices: Sequence[int]
) -> Iterator[tuple[int, list[Row]]]:
    """The rows of one batch, sorted under the samples they belong to; a row of no one sample is under the first."""
    key = "example_id" if measurement.pair_kind is None else "pair_id"
    found = measurement.rows(vlm, [samples[i] for i in indices])
    names = {samples[i].id: i for i in indices}
    grouped: dict[int, list[Row]] = {i: [] for i in indices}
    for row in found:
        grouped[names[row[key]] if key in row else indices[0]].append(row)
    yield from grouped.items()


def batches(samples: Samples, size: int) -> list[list[int]]:
    """Indices of samples in batches: like prompt lengths together, then equal questions, then in order."""

    def length(index: int) -> tuple[int, str, int]:
        sample = samples[index]
        text = sample.clean.question if isinstance(sample, Pair) else sample.question
        return len(text.split()), text, index

    order = sorted(range(len(samples)), key=length)
    return [order[i : i + size] for i in range(0, len(order), size)]


def provenance(vlm: VLM, samples: Samples, measurement: Measurement) -> dict[str, Any]:
    """What a table's numbers depend on."""
    return {
        "measurement": repr(measurement),
        "version": measurement.version,
        "samples": samples.name,
        "samples_fingerprint": samples.fingerprint,
        "model": vlm.name,
        "model_fingerprint": vlm.fingerprint,
        "dtype": str(vlm.dtype).removeprefix("torch."),
        "attention": vlm.attention,
        "padding": "left",
    }
