"""Batches of samples, and which measurements share the recordings of theirs.

A measurement's batches are its own, whoever else is measured: rounding depends on what a batch holds. So a recording is
shared by measurements whose batches are the same, and sharing changes not one bit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from backsight.examples import Example, ExampleSet, Pair, PairSet
from backsight.measurements.needs import Needs, united


@dataclass(frozen=True)
class Planned:
    """One measurement's part of a plan: its samples, its batches as indices of them, and what it wants recorded."""

    samples: ExampleSet | PairSet
    batches: tuple[tuple[int, ...], ...]
    needs: Needs | None

    def named(self) -> tuple[str, list[list[str]]]:
        """The set and the ids of each batch."""
        return self.samples.name, [[self.samples[i].id for i in batch] for batch in self.batches]


def batches(
    samples: Sequence[Example] | Sequence[Pair], size: int, indices: Sequence[int] | None = None
) -> list[list[int]]:  # fmt: skip
    """Indices of samples (of all, or of those given) in batches: like prompt lengths together, then equal questions,
    then in order."""

    def length(index: int) -> tuple[int, str, int]:
        sample = samples[index]
        text = sample.clean.question if isinstance(sample, Pair) else sample.question
        return len(text.split()), text, index

    order = sorted(range(len(samples)) if indices is None else indices, key=length)
    return [order[i : i + size] for i in range(0, len(order), size)]


def in_looks(samples: Sequence[Example], counts: Sequence[int]) -> list[list[int]]:
    """Indices of samples in parts, each up to one of some growing numbers of samples, and a last one with the rest.

    A picture's questions are in one part. Pictures come in an order sampled once and for all, evenly over the kinds of
    their questions (direction and tags), so that a part is like the whole.
    """
    pictures: dict[str, list[int]] = {}
    for index, sample in enumerate(samples):
        pictures.setdefault(sample.image_id, []).append(index)
    named = list(pictures)
    turns: Counter[str] = Counter()
    ranked = []
    for place in np.random.default_rng(0).permutation(len(named)).tolist():
        indices = pictures[named[place]]
        kind = str(sorted((samples[i].direction or "", *sorted(samples[i].tags.items())) for i in indices))
        ranked.append((turns[kind], indices))
        turns[kind] += 1
    ends = [count for count in counts if count < len(samples)]
    parts: list[list[int]] = [[]]
    done = 0
    for _, indices in sorted(ranked, key=lambda one: one[0]):  # stable: within a turn in the order sampled
        if len(parts) <= len(ends) and done >= ends[len(parts) - 1]:
            parts.append([])
        parts[-1] += indices
        done += len(indices)
    return [sorted(part) for part in parts]


def companions(parts: Sequence[Planned]) -> list[list[int]]:
    """Which of some measurements share recordings, as indices: their needs unite and their batches are the same."""
    groups: list[list[int]] = []
    for number, part in enumerate(parts):
        for group in groups if part.needs is not None else ():
            needs = [needed for i in group if (needed := parts[i].needs) is not None]
            same = len(needs) == len(group) and parts[group[0]].named() == part.named()
            if same and united([*needs, part.needs]) is not None:  # type: ignore[list-item]
                group.append(number)
                break
        else:
            groups.append([number])
    return groups
