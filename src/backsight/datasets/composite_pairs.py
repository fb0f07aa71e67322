"""Counterfactual pairs of composites: both runs see photographs of the same piece of furniture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from backsight.examples import Example, ExampleSet, Pair, PairSet

PER_DIRECTION = 50
OTHER = {"left": "right", "right": "left"}
Pool = Mapping[tuple[Any, str], Example]  # by composite and the side that is asked


def last_token(examples: ExampleSet, *, pool: Pool, per_direction: int = PER_DIRECTION, seed: int = 0) -> PairSet:
    """Pairs for the interchange at the last token (Dual Mechanisms, 5.1), as `stimuli.counterfactuals` makes of rows.

    Of five distinct names, the clean composite is (c0, middle, c2) and the counterfactual one (c4, middle, c3), asked
    about the other side. Outcomes: `clean` is the clean answer, `ordinal` the clean composite's thing on the side that
    the counterfactual asks about, `counterfactual` the counterfactual answer. At most `per_direction` pairs a
    direction, drawn without replacement; counterfactuals come from the whole `pool`. `changes` names the photographs
    too: the furniture's pixels are not those of the clean composite.
    """
    by_stage: dict[tuple[str, str, str], list[Example]] = {}
    for (composite, side), example in pool.items():
        by_stage.setdefault((composite.middle, composite.stage, side), []).append(example)
    pairs: list[Pair] = []
    for number, (direction, opposite) in enumerate(OTHER.items()):
        clean = [e for e in examples if e.direction == direction]
        rng = np.random.default_rng([seed, number])
        seen: set[tuple[str, str]] = set()
        tries = 0
        while clean and len(seen) < per_direction and tries < 50 * per_direction:
            tries += 1
            chosen = clean[int(rng.integers(len(clean)))]
            source = chosen.source
            others = by_stage.get((source.middle, source.stage, opposite), [])
            fitting = [e for e in others if {e.source.left, e.source.right}.isdisjoint(source.names)]
            if not fitting:
                continue
            other = fitting[int(rng.integers(len(fitting)))]
            if (chosen.id, other.id) in seen:
                continue
            seen.add((chosen.id, other.id))
            ordinal = source.right if opposite == "right" else source.left
            pairs.append(
                Pair(
                    id=f"{examples.name}-last_token-{len(pairs):03d}",
                    clean=chosen,
                    counterfactual=other,
                    outcomes={"clean": chosen.answer, "ordinal": ordinal, "counterfactual": other.answer},
                    changes=_changed(chosen, other) | {"direction"},
                )
            )
    return PairSet(f"{examples.name}/last_token", tuple(pairs), "last_token")


def reversed_composites(
    examples: ExampleSet, *, pool: Pool, per_direction: int = PER_DIRECTION, seed: int = 0
) -> PairSet:
    """Pairs for swaps of image tokens (Dual Mechanisms, 5.2): the same question, the two things with sides changed.

    Outcomes: `clean` is the clean answer, `flipped` the other thing, which is the reversed composite's answer. At most
    `per_direction` pairs a direction, drawn without replacement from the composites whose reversal is in the `pool`.
    """
    pairs: list[Pair] = []
    for number, direction in enumerate(OTHER):
        clean = [e for e in examples if e.direction == direction and (e.source.reversed, direction) in pool]
        order = np.random.default_rng([seed, number]).permutation(len(clean))
        for chosen in (clean[index] for index in order[:per_direction]):
            other = pool[chosen.source.reversed, direction]
            pairs.append(
                Pair(
                    id=f"{examples.name}-reversed-{len(pairs):03d}",
                    clean=chosen,
                    counterfactual=other,
                    outcomes={"clean": chosen.answer, "flipped": other.answer},
                    changes=_changed(chosen, other),
                )
            )
    return PairSet(f"{examples.name}/reversed", tuple(pairs), "reversed")


def _changed(clean: Example, counterfactual: Example) -> frozenset[str]:
    """What two composites of the same piece of furniture have different: things, photographs, boxes by what is boxed.

    The furniture stays, but it is seen in other photographs: its pixels are others, and so may its box be.
    """
    middle = clean.source.middle
    moved = clean.boxes.get(middle) != counterfactual.boxes.get(middle)
    return frozenset(
        {"source.left", "source.right", "picture.left", "picture.right", *([f"boxes.{middle}"] if moved else [])}
    )
