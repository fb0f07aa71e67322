"""CREG beside this study: its tables 1 to 7, and the figures of its sections 4, 6.1 and 6.2.

Directions are read from `creg_summary`, each beside uniform relevance on the same questions; accuracies from
`behaviour_summary`, table 4 from `occlusion_summary`, section 6.1 from `flip_summary`. Table 7 counts data, and
section 4 says of which pictures in no way that could be asked again: these are set down as printed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from backsight.published import Published
from backsight.report.published.shared import (
    Compared,
    Measured,
    Ours,
    comparable,
    corrected,
    inside,
    notes,
    printed,
    statement,
)
from backsight.results.pages.content import Grid
from backsight.results.pages.wording import decimal, listed, unbroken, with_interval
from backsight.results.relevance.words import left_out_words

SHORT = "CREG"
SUITES = {"vsr": "VSR", "coco_pairs": "COCO-Pairs"}
NO_SET = "–"
KINDS = {
    "1": "direction of relevance",
    "2": "direction of relevance, two sizes of the model",
    "3": "direction of relevance, correct and incorrect answers",
    "4": "occlusion",
    "5": "ablation",
    "6": "prompts",
    "7": "counts of VSR",
    "section 4": "validation of the metrics",
    "section 6.1": "in a mirror",
    "section 6.2": "accuracy by class",
}
METRICS = {
    "dae": "DAE, degrees",
    "ea": "EA",
    "accuracy": "Accuracy",
    "change": "Change of log p, true sector",
    "change_opposite": "Change of log p, opposite sector",
    "score": "COS",
    "r": "Pearson's r",
    "positives": "Positive",
    "matched": "Matched",
    "coverage": "Coverage",
    "validity": "Validity",
}
BY_BASELINE = ("dae", "ea", "r")  # what uniform relevance has too
EXPECTED = "random_sector"  # its number is an expectation, which no interval belongs to
METHOD = (
    "CREG, direction of relevance: DAE is the angle between the compass's peak and the true direction, EA the share of "
    "questions in which it is at most 45 degrees. Uniform is uniform relevance on the same questions by the same "
    "projection: what a method has to beat, and what the paper does not print. The projection is the default (cells "
    "beyond r_max dropped, those of the reference's box kept), as the paper leaves open which; the others are in the "
    "table creg_summary. This study's numbers are of all its questions that have a compass, the development split "
    "among them.",
    "CREG, methods: Integ. Grad is accumulated gradient magnitudes, Geo. oracle all relevance on the subject, by the "
    "projection, and Random a random sector. What is expected of a random sector is known without an interval, so it "
    "stands beside the published draw and is not counted.",
    "CREG, questions: prompt A unless another one is named. Of COCO-Pairs the paper says that categories differ, that "
    "one displacement is more than 1.5 times the other, and that there are 300, 75 of each class. That a category "
    "occurs once in its photograph, is no crowd and has sides of at least 24 px is this package's; taken are the pairs "
    "of the folder that was given. VSR's are those of the test split in table 7 whose photographs are at hand and "
    "whose boxes lie in a clear relation, which is the correct answer.",
    "CREG, accuracy: the most probable of the four options has to be correct; the paper takes the largest of four "
    "logits.",
    "CREG, occlusion: table 4 is set beside the true sector, filled gray up to the picture's edge, boxes not spared, "
    "log p among the four options. Another reach or fill, log p over the vocabulary, and the sector that a method "
    "itself indicates are other quantities: they are in the table occlusion_summary.",
    "CREG, in a mirror: r is Pearson's over the sectors of a question, the mean over questions; the class that is "
    "asked for is mirrored too.",
)
LIMITS = (
    "CREG's figures are of other photographs than this study's, and all methods share the same questions: they may "
    "fall inside or outside together. A figure that the paper repeats is counted once.",
    "CREG gives intervals for its own method in table 1 alone, and no such baseline at all: a figure inside says that "
    "the number comes out again, not that the evidence points anywhere by itself.",
)


class Line(NamedTuple):
    """A figure beside this study; `again` says where the same figure stands before, as it then is not counted."""

    one: Published
    ours: Ours
    again: str = ""

    @property
    def counts(self) -> bool:
        """Whether it is one of the figures that lie inside or outside."""
        return not self.again and comparable(self.one, self.ours)


def tables(measured: Measured, listed_figures: Sequence[Published]) -> list[Compared]:
    """The paper's tables beside this study, in its order, and then its sections."""
    by_table: dict[str, list[Line]] = {}
    seen: dict[tuple[object, ...], str] = {}
    for one in listed_figures:
        before = seen.get(_quantity(one))
        again = "" if before is None else "above" if before == one.table else _place(before)
        seen.setdefault(_quantity(one), one.table)
        by_table.setdefault(one.table, []).append(Line(one, _ours(measured, one), again))
    return [_compared(lines) for lines in by_table.values()]


def _quantity(one: Published) -> tuple[object, ...]:
    """What a figure says of what; of right answers, truth and prediction are one target."""
    target = "truth" if one.subset == "correct" else one.target
    about = (one.suite, one.direction, one.condition, one.metric, one.method, target, one.projection)
    return (*about, one.row if one.method is None else None, one.subset, one.prompt, one.printed)


def _compared(lines: Sequence[Line]) -> Compared:
    """One table beside this study, with how uniform relevance does."""
    first = lines[0].one
    insides = tuple(inside(line.one, line.ours) for line in lines if line.counts)
    words = f"{_place(first.table).capitalize()}, {KINDS[first.table]}"
    better = by_baseline(lines)
    note = f"Uniform relevance does at least as well as {sum(better)} of {len(better)}." if better else ""
    return Compared(_table(lines), insides, statement(words, insides, note), better)


def by_baseline(lines: Sequence[Line]) -> tuple[bool, ...]:
    """Of each published direction whether uniform relevance does at least as well, on this study's questions."""
    better = []
    for line in lines:
        null, figure = line.ours.null, line.one.value
        if line.counts and null is not None and line.one.metric in ("dae", "ea"):
            better.append(null <= figure if line.one.metric == "dae" else null >= figure)
    return tuple(better)


def _table(lines: Sequence[Line]) -> Grid:
    """One table of the paper, a line a figure, with what is remarked below it."""
    first = lines[0].one
    columns: dict[str, Callable[[Line], str]] = {
        "Set": lambda line: _suite(line.one),
        "Line": lambda line: unbroken(str(line.one.row)),
        "Figure": lambda line: unbroken(METRICS[line.one.metric]),
        "Published": lambda line: printed(line.one),
    }
    if any(line.one.correction for line in lines):
        columns["Corrected"] = lambda line: corrected(line.one)
    if first.condition != "audit":
        columns["This study"] = _cell
        if any(line.one.metric in BY_BASELINE for line in lines):
            columns["Uniform"] = lambda line: _number(line.one, line.ours.null)
        columns["Published lies"] = _lies
    heading = f"{_place(first.table).capitalize()} of {first.source}: {KINDS[first.table]}"
    rows = tuple(tuple(cell(line) for cell in columns.values()) for line in lines)
    suites = tuple(line.one.suite or "" for line in lines)
    folded = first.table != "1"
    return Grid(heading, tuple(columns), rows, words=3, folded=folded, note=_below(lines), suites=suites)


def _below(lines: Sequence[Line]) -> str:
    """What is remarked, and what was not measured and why."""
    sentences = notes([(line.one, line.ours) for line in lines], _named)
    if lines[0].one.condition == "audit":
        sentences.append("`backsight data vsr DIR` prints the same counts of the files at hand.")
    return " ".join(sentences)


def _named(of_figures: Sequence[Published]) -> str:
    """Lines with their sets, as "CREG (pred) and CREG (gt) on VSR and COCO-Pairs, Random on VSR"."""
    suites: dict[str, dict[str, None]] = {}
    for one in of_figures:
        suites.setdefault(str(one.row), {})[_suite(one)] = None
    rows: dict[tuple[str, ...], list[str]] = {}
    for row, of in suites.items():
        rows.setdefault(tuple(of), []).append(row)
    return ", ".join(listed(names) + ("" if of == (NO_SET,) else f" on {listed(of)}") for of, names in rows.items())


def _suite(one: Published) -> str:
    return SUITES[one.suite] if one.suite else NO_SET


def _place(table: str) -> str:
    return table if table.startswith("section") else f"table {table}"


def _cell(line: Line) -> str:
    one, ours = line.one, line.ours
    if ours.why:
        return "not measured"
    if ours.value is None:
        return ours.few
    if ours.low is None or ours.high is None:
        return f"{_number(one, ours.value)} (n={ours.n})"
    if one.metric == "dae":
        return f"{ours.value:.1f} [{ours.low:.1f}, {ours.high:.1f}] (n={ours.n})"
    return f"{with_interval(ours.value, ours.low, ours.high)} (n={ours.n})"


def _number(one: Published, value: float | None) -> str:
    """A number of a metric: degrees with one decimal, all else with three."""
    return f"{value:.1f}" if value is not None and one.metric == "dae" else decimal(value)


def _lies(line: Line) -> str:
    if not comparable(line.one, line.ours):
        return "–"
    return f"see {line.again}" if line.again else "inside" if inside(line.one, line.ours) else "outside"


def _ours(measured: Measured, one: Published) -> Ours:
    """What this study measured of the quantity that a figure is of."""
    if one.condition == "audit":
        return Ours()
    if one.condition == "validation":
        return Ours(why="the paper does not say of which pictures")
    wanted: dict[str, Any] = {"suite": one.suite, "prompt": one.prompt}
    if one.condition == "picture":
        wanted |= {"direction": one.direction, "condition": "picture", "read_out": "options"}
        return _read(measured.row("behaviour", wanted, "not asked with this prompt"), "accuracy", "low", "high")
    if one.condition == "occlusion":
        wanted |= {"variant": "gray", "over": "options", "of": "truth", "sector": "true"}
        ends = ("low", "high") if one.metric == "score" else ("", "")
        return _read(measured.row("occlusion", wanted, "not asked with this prompt"), one.metric, *ends, rule="picture")
    if one.method is None:
        return Ours(why="the paper does not say which method")
    wanted |= {"method": one.method, "target": one.target}
    if one.condition == "mirror":
        return _read(
            measured.row("flip", wanted, "not asked by this method or with this prompt"), "r", "low", "high", "r_null"
        )
    return _direction(measured, one, wanted)


def _direction(measured: Measured, one: Published, wanted: Mapping[str, Any]) -> Ours:
    """DAE or EA of all samples."""
    otherwise = "no such question was asked with this prompt, or not by this method"
    place = {"samples": "all", "projection": one.projection, "subset": one.subset}
    row = measured.row("creg", {**wanted, **place}, otherwise)
    if isinstance(row, str):
        # A method that the model cannot give has one row, without a target and without a question.
        cannot = measured.row("creg", {**wanted, **place, "target": None, "questions": 0}, otherwise)
        return Ours(why=row if isinstance(cannot, str) else "the model does not give it")
    ours = _read(row, one.metric, f"{one.metric}_low", f"{one.metric}_high", f"{one.metric}_null", rule="picture")
    return ours._replace(low=None, high=None) if one.method == EXPECTED else ours


def _read(
    row: dict[str, Any] | str, name: str, low: str, high: str, null: str = "", *, rule: str = "question"
) -> Ours:  # fmt: skip
    """A row's number, or why there is none; an empty name for what the row does not have.

    `rule` is what an omitted row has too few of, picture or question.
    """
    if isinstance(row, str):
        return Ours(why=row)
    ends = [row[end] if end else None for end in (low, high, null)]
    few = left_out_words(row, rule) if row["omitted"] else "no value"
    return Ours(row[name], ends[0], ends[1], row["questions"], null=ends[2], few=few)
