"""What the positive control of a measurement shows with a number of pairs: the power that a "no layer" stands beside.

A model of which the answer is known by construction is measured by `backsight selftest`; the package keeps the outcome
for its version in `builtin/selftest.json`, under "power": for each measurement a list of numbers of pairs, each with
the model, the layer that its construction names, and the share of those pairs that it was seen in there.
"""

from __future__ import annotations

import json
from functools import lru_cache
from importlib import resources
from typing import Any, NamedTuple

from backsight.results.pages.study import mapping, number, records, text

FILE = ("builtin", "selftest.json")


class ControlPower(NamedTuple):
    """What the positive control showed: the layer at which it must, in which share of how many kept pairs.

    In a pair it is seen where the outcome of the interchange is the model's answer, its most probable token.
    """

    model: str
    layer: int
    share: float
    pairs: int


def power(measurement: str, pairs: int) -> ControlPower | None:
    """The control's power with the largest number of pairs that is not above `pairs`, else with the smallest.

    `measurement` is interchange, image_interchange or backup. None where this version's control was not measured.
    """
    entries = [one for one in map(_entry, records(mapping(_stored().get("power")).get(measurement))) if one]
    if not entries:
        return None
    as_many = [one for one in entries if one.pairs <= pairs]
    return max(as_many, key=lambda one: one.pairs) if as_many else min(entries, key=lambda one: one.pairs)


def _entry(record: Any) -> ControlPower | None:
    model, numbers = text(record.get("model")), [number(record.get(key)) for key in ("layer", "share", "pairs")]
    layer, share, pairs = numbers
    if not model or layer is None or share is None or pairs is None:
        return None
    return ControlPower(model, int(layer), share, int(pairs))


@lru_cache(maxsize=1)
def _stored() -> dict[str, Any]:
    """The outcome that the package keeps; empty where it keeps none."""
    file = resources.files("backsight").joinpath(*FILE)
    if not file.is_file():
        return {}
    stored = json.loads(file.read_text(encoding="utf-8"))
    return stored if isinstance(stored, dict) else {}
