"""What papers print of the model, beside what this study measured of the very same quantity.

Nothing is said of a model that no paper measured. A figure that is known to be wrong stands beside its correction, and
the correction is what is compared with. Of tables 1 to 6 of Dual Mechanisms, 1 and 4 are read from
`behaviour_summary`, 2 and 5 from `roads_summary`, 3 from `amplify_summary`, and 6 from the record of the model.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from backsight.errors import CannotAnswer
from backsight.maths.summaries import SMALLEST
from backsight.published import Published, by_folder, figures, number, rounding
from backsight.report.content import Answer, Grid, Section, Statement
from backsight.report.reading import Study, mapping, records, text
from backsight.report.reading import number as read_number
from backsight.report.sections import common
from backsight.report.wording import decimal, listed, unbroken, with_interval
from backsight.stimuli import Layout

ANCHOR = "published"
ROWS = {"squares", "shapes", "objects"}
KINDS = {"picture": "accuracy", "removed": "accuracy after removal", "setting": "settings"}
AMPLIFIED = {"none": "none", "random": "random", "probe": "probes'"}
METRICS = {
    "accuracy": "Accuracy",
    "corrected": "Failures corrected",
    "image_tokens": "Side of a picture, tokens",
    "token_pixels": "Side of a token, pixels",
    "object_tokens": "Side of an object, tokens",
    "object_spacing": "Gap between objects, tokens",
    "strip_width": "Width of an outer strip, tokens",
}
QUESTION = "How it compares with what is published"
METHOD = (
    "Published figures are as printed. n is the number of questions (of failures, where these are corrected); beside "
    "a published figure it is that of the authors' code, as the paper prints none. A correction says what is wrong, "
    "and where it can be seen; where the authors' code gives a figure in its stead, that one is compared with.",
    "Accuracy: the most probable token of the whole vocabulary has to be the answer, as in the paper (free, under "
    "Behaviour), and the questions are the paper's to the letter. The pictures of Objects are drawn for this package, "
    "where the paper has photographs. What'sUp composites are all that the folder gives, whose things a tokenizer "
    "spells with one token; their question ends with 'is', as the paper has it, where the authors' public code has "
    "'is a(n)'.",
    "Accuracy after removal: this study takes the most probable of the options, the paper that of the whole "
    "vocabulary. It asks a part of the questions; under Roads is what was done.",
    "Amplification: this study chooses alpha on other pictures than it scores, asks the right answers again, and takes "
    "the mean of several random directions at the probes' alpha. Its probes are fitted by logistic regression on the "
    "half of the composites that alpha is chosen on; the paper's by AdamW on What'sUp itself.",
    "Inside says that the figure lies in this study's 95 % interval, when half of its last printed digit is allowed "
    f"for on either side. Groups of fewer than {SMALLEST} are omitted.",
)
LIMITS = (
    "A figure outside of the interval need not be wrong: pictures, read-out, dtype and the number of questions may "
    "differ. One inside need not be right, above all where the interval is wide.",
    "The interval is this study's alone. The paper gives none.",
    "Of many figures some fall outside by chance: one in twenty where nothing differs.",
    "Listed is what the paper prints in tables. Layers that it reads off its own figures are not.",
)


class Ours(NamedTuple):
    """This study's number, with its interval and how many it is of; `why` says why there is none."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    why: str = ""


def published(study: Study) -> common.Part | None:
    """The section and what it says in the opening; None for a model that no paper measured."""
    model = mapping(study.data.get("model"))
    name, layers = text(model.get("name")), read_number(model.get("layers"))
    found = figures(name, layers=None if layers is None else int(layers))
    if not found:
        return None
    tables: dict[tuple[str, str], list[tuple[Published, Ours]]] = {}
    for one in found:
        tables.setdefault((one.source, one.table), []).append((one, _ours(study, one)))
    section = Section(
        anchor=ANCHOR,
        title="Beside the published figures",
        notes=_notes(study, found[0]),
        figures=(),
        tables=tuple(_table(study, pairs) for pairs in tables.values()),
        method=METHOD,
        limits=LIMITS,
        samples=(),
    )
    return common.Part(section, _answer(found, list(tables.values())))


def _notes(study: Study, one: Published) -> tuple[str, ...]:
    """What the model was taken for, and its dtype where that is not the authors'."""
    model = mapping(study.data.get("model"))
    name, dtype = text(model.get("name")), text(model.get("dtype"))
    notes = [f"{one.model} was measured in {one.paper} ({one.source})."]
    if by_folder(name):
        notes.append("This study's model is taken for it by the name of its folder. Its weights were not compared.")
    if dtype and dtype != "float32":
        notes.append(f"It ran in {dtype}; the authors' code runs this model in float32, and close answers may differ.")
    return tuple(notes)


def _answer(found: Sequence[Published], tables: Sequence[Sequence[tuple[Published, Ours]]]) -> Answer | None:
    """How many figures of each table lie inside this study's intervals; None where it measured none of them."""
    said = []
    for pairs in tables:
        inside = [_inside(one, ours) for one, ours in pairs if _comparable(one, ours)]
        if inside:
            first = pairs[0][0]
            corrected = sum(one.correction is not None for one, ours in pairs if _comparable(one, ours))
            words = f"Table {first.table}, {_kind(first)}{_directions(pairs)}: {_counted(first, inside)}"
            note = f"compared as corrected: {corrected}" if corrected else ""
            said.append(Statement(words, ANCHOR, note))
    papers = listed(dict.fromkeys(one.source for one in found))
    lead = f"Figures that {papers} prints of this model, against this study's 95 % intervals:"
    return Answer(QUESTION, lead, tuple(said)) if said else None


def _counted(one: Published, inside: Sequence[bool]) -> str:
    return f"{sum(inside)} of {len(inside)} {'the same' if one.condition == 'setting' else 'inside'}"


def _table(study: Study, pairs: Sequence[tuple[Published, Ours]]) -> Grid:
    """One table of the paper, a line a figure, with what is wrong and what was not measured below it."""
    first = pairs[0][0]
    rows = tuple((*_about(study, one), _printed(one), _corrected(one), _cell(one, ours)) for one, ours in pairs)
    words = {"setting": ("Setting",), "picture": ("Suite", "Direction"), "removed": ("Suite", "Direction")}.get(
        first.condition, ("Suite", "Directions", "Figure")
    )
    heading = f"Table {first.table} of {first.source}: {_kind(first)}{_directions(pairs)}"
    columns = (*words, "Published", "Corrected", "This study")
    return Grid(heading, columns, rows, words=len(words), folded=bool(_directions(pairs)), note=_below(study, pairs))


def _below(study: Study, pairs: Sequence[tuple[Published, Ours]]) -> str:
    """How many lie inside, what is wrong with which figures, and what was not measured and why."""
    said = []
    inside = [_inside(one, ours) for one, ours in pairs if _comparable(one, ours)]
    if inside:
        said.append(f"{_counted(pairs[0][0], inside)}.")
    reasons: dict[tuple[str, str], list[str]] = {}
    whys: dict[str, list[str]] = {}
    for one, ours in pairs:
        label = _label(study, one)
        if one.correction is not None:
            reasons.setdefault((one.correction.reason, one.correction.source), []).append(label)
        if ours.why:
            whys.setdefault(ours.why, []).append(label)
    for (reason, source), labels in reasons.items():
        said.append(f"Wrong, {listed(dict.fromkeys(labels))}: {reason} (Source: {source}.)")
    missing = "; ".join(f"{listed(dict.fromkeys(labels))} ({why})" for why, labels in whys.items())
    said += [f"Not measured in this study: {missing}."] if missing else []
    return " ".join(said)


def _label(study: Study, one: Published) -> str:
    if one.suite is not None:
        title = common.title(study, one.suite)
        return title if one.condition in KINDS else f"{title} ({AMPLIFIED[one.condition]})"
    return METRICS[one.metric].partition(",")[0].lower()


def _about(study: Study, one: Published) -> tuple[str, ...]:
    """A line's leading cells: what the figure is about."""
    if one.suite is None:
        return (unbroken(METRICS[one.metric]),)
    title = common.title(study, one.suite)
    if one.condition in KINDS:
        return (title, one.direction or "–")
    return (title, AMPLIFIED[one.condition], unbroken(METRICS[one.metric]))


def _kind(one: Published) -> str:
    return KINDS.get(one.condition, "amplification")


def _directions(pairs: Sequence[tuple[Published, Ours]]) -> str:
    return ", each direction" if len({one.direction for one, _ in pairs}) > 1 else ""


def _printed(one: Published) -> str:
    return one.printed + (f" (n={one.n})" if one.n is not None else "")


def _corrected(one: Published) -> str:
    if one.correction is None:
        return "–"
    n = f" (n={one.correction.n})" if one.correction.n is not None else ""
    return f"{one.correction.printed}{n}" if one.correction.printed else "none known"


def _cell(one: Published, ours: Ours) -> str:
    if ours.why:
        return "not measured"
    if ours.value is None:
        return f"omitted (n={ours.n})"
    if one.condition == "setting":
        return f"{ours.value:g}×{ours.value:g}" if "×" in one.printed else f"{ours.value:g}"
    said = decimal(ours.value) if ours.low is None else with_interval(ours.value, ours.low, ours.high)
    return f"{said} (n={ours.n})"


def _comparable(one: Published, ours: Ours) -> bool:
    """Whether there is a figure that holds, and a number of this study to set against it."""
    return bool(one.best) and ours.value is not None and (one.condition == "setting" or ours.low is not None)


def _inside(one: Published, ours: Ours) -> bool:
    """Whether the figure that holds lies in this study's interval, its printed digits allowed for."""
    if ours.value is None or ours.low is None or ours.high is None:
        return ours.value == number(one.best)
    half = rounding(one.best) + 1e-9
    return ours.low - half <= number(one.best) <= ours.high + half


def _ours(study: Study, one: Published) -> Ours:
    """What this study measured of the quantity that a figure is of."""
    if one.condition == "setting":
        return _setting(study, one.metric)
    wanted: dict[str, Any] = {"suite": one.suite}
    if one.condition == "picture":
        wanted |= {"direction": one.direction, "condition": "picture", "read_out": "free"}
        return _row(study, "behaviour", wanted, "accuracy", "questions")
    if one.condition == "removed":
        wanted |= {"direction": one.direction, "condition": "removed", "asked": "order"}
        return _row(study, "roads", wanted, "accuracy", "questions")
    wanted |= {"directions": one.condition, "form": None if one.condition == "none" else "projected"}
    return _row(study, "amplify", wanted, one.metric, "failures" if one.metric == "corrected" else "questions")


def _row(study: Study, kind: str, wanted: dict[str, Any], name: str, count: str) -> Ours:
    """The number of the one row of a summary that is as wanted."""
    found = [r for r in study.rows(f"{kind}_summary") if all(r[key] == value for key, value in wanted.items())]
    if len(found) != 1:
        return Ours(why="it was asked in several ways" if found else _why(study, kind, wanted["suite"]))
    prefix = "" if name == "accuracy" else f"{name}_"
    return Ours(found[0][name], found[0][f"{prefix}low"], found[0][f"{prefix}high"], found[0][count])


def _why(study: Study, kind: str, suite: str) -> str:
    """Why a summary has no row of a suite."""
    for one in records(study.data.get("skipped")):
        if text(one.get("set")) == suite and text(one.get("measurement")) in (kind, "all"):
            return f"skipped: {text(one.get('reason'))}"
    if suite in study.titles:
        there = any(row["suite"] == suite for row in study.rows(f"{kind}_summary"))
        return "not asked in this direction or read-out" if there else f"{kind} was not run on it"
    return "no What'sUp folder was given: --whatsup" if suite.startswith("whatsup") else "the set is not in this study"


def _setting(study: Study, metric: str) -> Ours:
    """A setting of the rows of three, from the model's token grid and the rule that lays rows out on it."""
    grid = mapping(mapping(study.data.get("model")).get("grid"))
    rows, columns, cell = grid.get("rows"), grid.get("columns"), grid.get("cell")
    square = isinstance(rows, int) and rows == columns and isinstance(cell, list) and len(set(cell)) == 1
    if not isinstance(rows, int) or not square or not cell:
        return Ours(why="the token grid is not on record as a square")
    if metric == "strip_width":
        return _strip_width(study, rows)
    if metric in ("object_tokens", "object_spacing") and not ROWS & study.titles.keys():
        return Ours(why="there are no rows of three in it")
    try:
        layout = Layout.for_grid(rows, rows, int(cell[0]))
    except CannotAnswer:
        return Ours(why="the token grid is too small for rows of three")
    settings = {"object_tokens": layout.entity, "object_spacing": layout.spacing}
    return Ours({"image_tokens": rows, "token_pixels": cell[0]}.get(metric, settings.get(metric)))


def _strip_width(study: Study, side: int) -> Ours:
    """The width of the outer strips that were swapped: a third of the grid unless the measurement says otherwise."""
    jobs = [text(job.get("measurement")) for job in study.jobs if job.get("kind") == "imageinterchange"]
    swapped = [row for row in study.rows("image_interchange_summary") if row["tokens"] == "strips"]
    if not swapped:
        return Ours(why="no strips were swapped")
    given = {int(width) for job in jobs for width in re.findall(r"strip_width=(\d+)", job)}
    return Ours(given.pop() if given else side // 3)
