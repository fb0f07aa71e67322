"""The worst accuracies of a study, for its opening: of all suites and directions, and suite by suite.

Worst is what comes least far from chance to 1, (accuracy - chance) / (1 - chance), so that suites of two, four and
eight options are compared. A suite asked with several prompts is as good as the worst of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.results.behaviour.named import with_ground
from backsight.results.drawing.style import suite_title
from backsight.results.pages.study import Study

Row = Mapping[str, Any]
ALL = "all"


@dataclass(frozen=True)
class Accuracy:
    """How often a suite's answers are correct with the picture, beside what guessing gives; shares from 0 to 1.

    `low` and `high` are the ends of the 95 % interval over images, None where there is none. `direction` is what is
    asked for, or "all". `gray` is the accuracy with a gray picture, None where that was not asked. `free` is how
    often the most probable token of the whole vocabulary is the answer, `free_high` the upper end of its interval; None
    where that was not read.
    """

    suite: str
    title: str
    prompt: str | None
    direction: str
    questions: int
    accuracy: float
    low: float | None
    high: float | None
    gray: float | None
    chance: float
    free: float | None = None
    free_high: float | None = None

    @property
    def guessing(self) -> float:
        """What the picture must exceed: chance, or the gray picture's accuracy where that is higher."""
        return self.chance if self.gray is None else max(self.chance, self.gray)

    @property
    def above_guessing(self) -> bool:
        """Whether the whole interval lies above guessing."""
        return self.low is not None and self.low > self.guessing

    @property
    def below_chance(self) -> bool:
        """Whether the whole interval lies below chance."""
        return self.high is not None and self.high < self.chance

    @property
    def off_options(self) -> bool:
        """Whether it is at guessing because the options are not what the model answers with.

        Its free answers are then correct less often than half of chance, and less often than the choice among the
        options, with whole intervals. A model that answers with the opposite option fails both alike and is not meant.
        """
        if self.above_guessing or self.low is None or self.free_high is None:
            return False
        return self.free_high < min(self.low, self.chance / 2)

    @property
    def gained(self) -> float:
        """How far it comes from chance (0) to all correct (1); below 0 where it is worse than chance."""
        return _share(self.accuracy, self.chance)

    @property
    def short(self) -> float:
        """What is missing from guessing (1, or more missing) to all correct (0)."""
        return min(1.0, max(0.0, 1.0 - _share(self.accuracy, self.guessing)))


@dataclass(frozen=True)
class Worst:
    """The worst accuracy over all suites and directions, and how many suites are answered better than by guessing.

    `suites` are those with enough questions, each judged by the worst of its prompts, over all directions: `above` of
    them have their whole interval above both chance and the gray picture's accuracy, `not_above` have not. `lowest` and
    `highest` are the worst and the best of these suites.
    """

    one: Accuracy
    suites: int
    above: int
    not_above: int
    lowest: Accuracy
    highest: Accuracy


def worst(study: Study) -> Worst | None:
    """The worst accuracy of a study with what stands beside it; None where no suite has enough questions."""
    suites = per_suite(study)
    if not suites:
        return None
    above = sum(one.above_guessing for one in suites)
    return Worst(lowest(accuracies(study)), len(suites), above, len(suites) - above, suites[0], suites[-1])


def per_suite(study: Study) -> tuple[Accuracy, ...]:
    """Each suite's accuracy over all directions, by the worst of its prompts; the worst suite first."""
    return suites_of(accuracies(study))


def suites_of(measured: Iterable[Accuracy]) -> tuple[Accuracy, ...]:
    """The same of accuracies that are known already."""
    by_title: dict[tuple[str, str], list[Accuracy]] = {}
    for one in measured:
        if one.direction == ALL:
            by_title.setdefault((one.suite, one.title), []).append(one)
    return tuple(sorted((lowest(of) for of in by_title.values()), key=lambda one: one.gained))


def accuracies(study: Study) -> tuple[Accuracy, ...]:
    """All accuracies among the options that are not omitted, in the order of the table."""
    return accuracies_of(study.rows("behaviour_summary"), study.titles)


def accuracies_of(rows: Sequence[Row], titles: Mapping[str, str] | None = None) -> tuple[Accuracy, ...]:
    """The same of rows of `behaviour_summary`; `titles` gives suites the names to print."""
    free = {_key(row): row for row in rows if _is_free(row)}
    rows = [row for row in rows if row["read_out"] == "options"]
    grays = {_key(row): row["accuracy"] for row in rows if row["condition"] == "gray"}
    grounds = {(row["suite"], row["ground"]) for row in rows}
    return tuple(
        Accuracy(
            row["suite"],
            with_ground(suite_title(row["suite"], titles), (row["suite"], row["ground"]), grounds),
            row["prompt"], row["direction"], row["questions"], row["accuracy"], row["low"], row["high"],
            grays.get(_key(row)), row["chance"], *_free(free.get(_key(row))),
        )
        for row in rows
        if row["condition"] == "picture" and not row["omitted"]
    )  # fmt: skip


def by_worst(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of `behaviour_summary` with those of the worst suite (and ground) first, omitted suites last.

    A suite stands where `per_suite` has it; where no row is of the options, free answers order them.
    """
    gained: dict[tuple[str, str | None], float] = {}
    read_out = "options" if any(row["read_out"] == "options" for row in rows) else "free"
    for row in rows:
        whole = (row["direction"], row["condition"], row["read_out"]) == (ALL, "picture", read_out)
        if whole and not row["omitted"]:
            one = (row["suite"], row["ground"])
            gained[one] = min(gained.get(one, math.inf), _share(row["accuracy"], row["chance"]))
    return sorted(rows, key=lambda row: gained.get((row["suite"], row["ground"]), math.inf))


def lowest(of: Iterable[Accuracy]) -> Accuracy:
    """The worst; of equally bad ones that of the most questions, so that a suite stands before its directions."""
    return min(of, key=lambda one: (one.gained, -one.questions))


def _is_free(row: Row) -> bool:
    return row["read_out"] == "free" and row["condition"] == "picture" and not row["omitted"]


def _free(row: Row | None) -> tuple[float | None, float | None]:
    return (None, None) if row is None else (row["accuracy"], row["high"])


def _key(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("suite", "ground", "prompt", "direction"))


def _share(value: float, null: float) -> float:
    return (value - null) / (1 - null) if null < 1 else 0.0
