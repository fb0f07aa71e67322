"""What a comparison says first: which of the judged metrics moved, by how much, and what could not be judged.

Judged are the metrics that were asked for, or where none was, the few of whole sets that the figure shows. Holm's
correction is over the judged ones of a study: all metrics together hold the same answers many times over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backsight.maths.intervals import holm
from backsight.results import today
from backsight.results.compared import reach
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import signed

FIRST = 3  # metrics that a line names
ALPHA = 0.05
Row = dict[str, Any]
Family = Literal["asked", "plotted"]
FAMILY_WORDS: dict[Family, str] = {"asked": "asked for", "plotted": "of whole sets"}


@dataclass(frozen=True)
class Gate:
    """What was asked not to be worse, and whether what cannot be judged fails too."""

    asked: tuple[str, ...] = ()
    strict: bool = False

    @property
    def family(self) -> Family:
        """Which metrics are judged."""
        return "asked" if self.asked else "plotted"

    def judges(self, row: Row) -> bool:
        """Whether a row of a comparison is one of the judged metrics."""
        return any(matches(name, row["metric"]) for name in self.asked) if self.asked else bool(row["drawn"])

    def corrected(self, rows: Sequence[Row]) -> list[Row]:
        """The rows of one study with Holm's p of the judged metrics that are paired; of all others there is none."""
        family = [number for number, row in enumerate(rows) if row["how"] == "paired" and self.judges(row)]
        by_row = dict(zip(family, holm([rows[number]["p_value"] for number in family]), strict=True))
        return [row | {"p_holm": by_row.get(number)} for number, row in enumerate(rows)]


@dataclass(frozen=True)
class Judged:
    """The judged metrics of one study: the rows that are paired, and those that could not be judged."""

    study: str
    baseline: str
    family: Family
    paired: tuple[Row, ...]
    not_judged: tuple[Row, ...]

    def moved(self, way: Literal["better", "worse"]) -> tuple[Row, ...]:
        """The rows that are better or worse, those furthest from the baseline first."""
        return tuple(sorted((row for row in self.paired if row["moved"] == way), key=lambda row: -reach(row)))

    def lines(self) -> tuple[str, str, str]:
        """The answer in three lines: how many moved, which moved furthest, what is not judged."""
        ways = [(way, self.moved(way)) for way in ("worse", "better")]
        furthest = [
            f"{way.capitalize()}: {_first([worded(row) for row in rows], '; ') or 'none'}." for way, rows in ways
        ]
        return self.count(), " ".join(furthest), self.left_out()

    @property
    def sure(self) -> int:
        """How many of the judged metrics have p < .05 by Holm's correction over them."""
        return sum(row["p_holm"] < ALPHA for row in self.paired)

    def count(self) -> str:
        """How many of the judged metrics moved, and how many by Holm's correction."""
        against, which = f"{self.study} against {self.baseline}", FAMILY_WORDS[self.family]
        if not self.paired:
            return f"{against}: no metric {which} could be compared paired."
        better, worse = len(self.moved("better")), len(self.moved("worse"))
        return (
            f"{against}: of {counted(len(self.paired), 'metric')} {which} {worse} worse, {better} better, "
            f"{len(self.paired) - better - worse} not shown to differ; {self.sure} with p < .05 by Holm's correction "
            "over them."
        )

    def left_out(self) -> str:
        """What could not be judged, by its reason, with the first metrics by name."""
        reasons: dict[str, list[str]] = {}
        for row in self.not_judged:
            unpaired = row["how"] in ("baseline", "study")
            reason = "that only one of the studies has" if unpaired else "with too few shared samples"
            reasons.setdefault(reason, []).append(row["metric"])
        parts = [f"{counted(len(of), 'metric')} {reason} ({_first(of, ', ')})" for reason, of in reasons.items()]
        return f"Not judged: {'; '.join(parts) or 'none'}."

    def as_dict(self) -> dict[str, Any]:
        """The judged metrics by name, as they stand in compare.json."""
        return {
            "study": self.study,
            "family": self.family,
            "metrics": [row["metric"] for row in self.paired],
            "better": [row["metric"] for row in self.moved("better")],
            "worse": [row["metric"] for row in self.moved("worse")],
            "not_judged": [row["metric"] for row in self.not_judged],
            "answer": list(self.lines()),
        }


def judged(gate: Gate, rows: Sequence[Row], study: str, baseline: str) -> Judged:
    """The judged metrics among the rows of one study."""
    mine = [row for row in rows if gate.judges(row)]
    paired = tuple(row for row in mine if row["how"] == "paired")
    return Judged(study, baseline, gate.family, paired, tuple(row for row in mine if row["how"] != "paired"))


def matches(asked: str, metric: str) -> bool:
    """Whether a metric is the one asked for, or of the family or part of it that is."""
    name = today(asked)
    return bool(name) and (metric == name or metric.startswith(f"{name.rstrip('/')}/"))


def worded(row: Row) -> str:
    """A paired row by the metric's name: by how much it moved, with its interval, and of how many."""
    counts = f"{counted(row['shared'], 'sample')}, {counted(row['images'], 'image')}"
    return f"{row['metric']} by {within(row)}, {counts}"


def within(row: Row) -> str:
    """A row's difference and the ends of its interval, with their signs."""
    return f"{signed(row['difference'])} [{signed(row['low'])}, {signed(row['high'])}]"


def _first(items: Sequence[str], between: str) -> str:
    more = f" and {len(items) - FIRST} more" if items[FIRST:] else ""
    return between.join(items[:FIRST]) + more
