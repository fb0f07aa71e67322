"""Example sets whose examples belong together.

What'sUp scores pairs and sets of four beside single pictures. A limit that took pictures one by one would leave
hardly a set whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from backsight.examples import Example, ExampleSet


@dataclass(frozen=True, repr=False)
class GroupedSet(ExampleSet):
    """An example set that a limit cuts by whole groups: examples of one group share the tag `group`."""

    def limit(self, count: int | None, seed: int = 0) -> ExampleSet:
        """At most `count` examples in whole groups, always the same for a seed; a part of one where none fits."""
        if count is None or count >= len(self.items):
            return self
        members: dict[str, list[int]] = {}
        for index, example in enumerate(self.items):
            members.setdefault(_group(example), []).append(index)
        names = list(members)
        order = [members[names[number]] for number in np.random.default_rng(seed).permutation(len(names))]
        chosen: list[int] = []
        for group in order:
            if len(chosen) + len(group) <= count:
                chosen += group
        return replace(self, items=tuple(self.items[index] for index in sorted(chosen or order[0][:count])))


def _group(example: Example) -> str:
    return example.tags.get("group", example.id)
