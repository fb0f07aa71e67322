"""Batches of samples, and which measurements share the recordings of theirs.

A measurement's batches are its own, whoever else is measured: rounding depends on what a batch holds. So a recording is
shared by measurements whose batches are the same, and sharing changes not one bit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


def batches(samples: Sequence[Example] | Sequence[Pair], size: int) -> list[list[int]]:
    """Indices of samples in batches: like prompt lengths together, then equal questions, then in order."""

    def length(index: int) -> tuple[int, str, int]:
        sample = samples[index]
        text = sample.clean.question if isinstance(sample, Pair) else sample.question
        return len(text.split()), text, index

    order = sorted(range(len(samples)), key=length)
    return [order[i : i + size] for i in range(0, len(order), size)]


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
