"""Counterfactual pairs. Each declares what it changes, and changes nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet, Pair, PairSet
from backsight.stimuli import row_scenes
from backsight.stimuli.questions import DIRECTIONS, OPPOSITE, Direction


def last_token(examples: ExampleSet, *, per_direction: int = 50, seed: int = 0) -> PairSet:
    """Pairs for the interchange at the last token, as the authors of Dual Mechanisms ran it (5.1).

    Of five distinct fillers, the clean row is (c0, c1, c2) and the counterfactual row (c4, c1, c3) with the
    opposite direction in the question; the middle one stays. Outcomes: `clean` is the clean answer, `ordinal` the
    clean row's entity at the position that the counterfactual asks for, `counterfactual` the counterfactual answer.
    At most `per_direction` pairs a direction, drawn without replacement.
    """
    if not all(isinstance(e.source, row_scenes.Row) for e in examples):
        raise UsageError("Last-token pairs are made of rows of three", got=f"set {examples.name!r}")
    pairs: list[Pair] = []
    for direction in DIRECTIONS:
        clean = [e for e in examples if e.direction == direction]
        rng = np.random.default_rng([seed, DIRECTIONS.index(direction)])
        seen: set[tuple[str, tuple[str, ...]]] = set()
        tries = 0
        while clean and len(seen) < per_direction and tries < 50 * per_direction:
            tries += 1
            chosen = clean[int(rng.integers(len(clean)))]
            others = [n for n in chosen.source.known if n not in chosen.source.names]
            c3, c4 = (str(n) for n in rng.choice(others, 2, replace=False))
            if (chosen.id, (c3, c4)) not in seen:
                seen.add((chosen.id, (c3, c4)))
                pairs.append(_opposite(chosen, direction, c3, c4, len(pairs)))
    return PairSet(f"{examples.name}/last_token", tuple(pairs), "last_token")


def _opposite(clean: Example, direction: Direction, c3: str, c4: str, number: int) -> Pair:
    row: row_scenes.Row = clean.source
    names = (c4, row.names[1], c3)
    figures = tuple(
        row.instead(name, old) if name != old.name else old for name, old in zip(names, row.scene.figures, strict=True)
    )
    other = replace(row, names=names, scene=row.scene.with_figures(figures))
    key = f"{clean.suite}-last_token-{number:03d}"
    counterfactual = row_scenes.example(other, OPPOSITE[direction], clean.suite)
    asked = 2 if direction in ("left", "above") else 0
    return Pair(
        id=key,
        clean=clean,
        counterfactual=replace(counterfactual, id=f"{key}-counterfactual"),  # rows may share their names
        outcomes={"clean": clean.answer, "ordinal": row.names[asked], "counterfactual": names[asked]},
        changes=frozenset({"scene.figures[0]", "scene.figures[2]", "direction"}),
    )


def reversed_rows(examples: ExampleSet, *, per_direction: int = 50, seed: int = 0) -> PairSet:
    """Pairs for the interchange of image tokens (Dual Mechanisms, 5.2.2): a row and the row reversed, one question.

    Outcomes: `clean` is the clean answer, `flipped` the entity on the other side, which is the counterfactual's
    answer. Left and above draw the same triples where both are there, and so do right and below: such pairs share
    the tag `group`.
    """
    if not all(isinstance(e.source, row_scenes.Row) for e in examples):
        raise UsageError("Reversed pairs are made of rows of three", got=f"set {examples.name!r}")
    pairs: list[Pair] = []
    for direction in DIRECTIONS:
        side = "first" if direction in ("left", "above") else "last"
        clean = sorted((e for e in examples if e.direction == direction), key=lambda e: (e.source.names, e.id))
        order = np.random.default_rng([seed, 0 if side == "first" else 1]).permutation(len(clean))
        for index in order[:per_direction]:
            chosen = clean[int(index)]
            tags = {**chosen.tags, "group": f"{side}-{'.'.join(chosen.source.names)}"}
            pairs.append(_turned(replace(chosen, tags=tags), direction, len(pairs)))
    return PairSet(f"{examples.name}/reversed", tuple(pairs), "reversed")


def _turned(clean: Example, direction: Direction, number: int) -> Pair:
    row: row_scenes.Row = clean.source
    first, middle, last = row.scene.figures
    turned = (replace(last, box=first.box), middle, replace(first, box=last.box))
    other = replace(row, names=row.names[::-1], scene=row.scene.with_figures(turned))
    key = f"{clean.suite}-reversed-{number:03d}"
    counterfactual = row_scenes.example(other, direction, clean.suite)
    return Pair(
        id=key,
        clean=clean,
        counterfactual=replace(counterfactual, id=f"{key}-counterfactual"),
        outcomes={"clean": clean.answer, "flipped": counterfactual.answer},
        changes=frozenset({"scene.figures[0]", "scene.figures[2]"}),
    )
