"""The tables of the section on the compass: methods, what changes with one thing, correct and incorrect answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backsight.maths.relevance import (
    CHOICE,
    DEFAULT,
    INTEGRATED,
    LEADING,
    RANDOM_CENTRE,
    RIGHT_SUMS,
    SWAPPED,
    THIRD,
    TRUTH,
)  # fmt: skip
from backsight.results.creg import text
from backsight.results.creg.reading import Group, dae_cell, gain_cell, leading, listed_methods, value_of
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.wording import listed, percent, unbroken
from backsight.results.relevance.cells import Cells, Place, Row, degrees, missing_reason, place_words, said_range
from backsight.results.relevance.claims import apart
from backsight.results.relevance.words import (
    REFERENCE_WORDS,
    VARIANTS,
    in_order,
    said_method,
    short,
    unavailable,
    why_missing,
)  # fmt: skip

WIDEST = 4  # suites that stand side by side in a table; the others are in its files
Change = tuple[str, str, str, str]  # subset, method, projection, what it is called
ABLATIONS: tuple[Change, ...] = (
    ("all", LEADING, DEFAULT, "Unchanged: 8 sectors, four layers, contrastive"),
    ("all", LEADING, "4 sectors", "4 sectors"),
    ("all", LEADING, "16 sectors", "16 sectors"),
    ("all", "single_layer_contrastive", DEFAULT, "Single layer"),
    ("all", "creg_plain", DEFAULT, "Not contrastive"),
    ("all", THIRD, DEFAULT, "Without layer -2"),
    ("all", "creg_meant_weights", DEFAULT, "Layer weights as meant"),
    ("all", "creg_by_maximum", DEFAULT, "Layers scaled by the maximum"),
)
OPTIONS = (
    "beyond kept", "reference dropped", "beyond kept, reference dropped", "middle to the right", "cells to the edges",
)  # fmt: skip
PARTS: tuple[Change, ...] = (
    *(
        (direction, LEADING, DEFAULT, f'Correct answer "{direction}"')
        for direction in ("left", "right", "above", "below")
    ),
    ("all", LEADING, RANDOM_CENTRE, "From a random centre"),
    ("all", LEADING, SWAPPED, "Swapped: from the subject"),
)


def methods(study: Study, by_place: Mapping[Place, Group], rows: Sequence[Row]) -> Iterator[Grid]:
    """The improvement of the main methods, a line a method and a column a suite; the variants stand in the files."""
    places = list(by_place)
    files = tuple(
        (path, f"{words}, {kind}")
        for name, words in (("creg_summary", "every number"), ("creg_pairs", "methods in pairs"))
        for path, kind in study.files(name)
    )
    notes = (text.METHODS_NOTE, *_not_available(by_place), *complete_sentences(rows))
    for start in range(0, len(places), WIDEST):
        shown = {place: by_place[place] for place in places[start : start + WIDEST]}
        of = {place: _known(group) for place, group in shown.items()}
        present = in_order([method for known in of.values() for method in known])
        lines = tuple((short(method), *(_improvement(of[place].get(method)) for place in shown)) for method in present)
        title = "Every method, as table 1" + (": the other suites" if start else "")
        if lines:
            yield Grid(title, ("Method", *_headings(study, shown)), lines, files=() if start else files,
                       note="" if start else " ".join(notes))  # fmt: skip


def _known(group: Group) -> dict[str, Row]:
    """The rows of the main methods of a suite, those that the model cannot give left out."""
    named = {m: t for m, t in listed_methods(group) if m not in REFERENCE_WORDS and m not in VARIANTS}
    rows = {method: group.get(("all", method, target, DEFAULT)) for method, target in named.items()}
    return {method: row for method, row in rows.items() if row is not None and not unavailable(row)}


def _headings(study: Study, by_place: Mapping[Place, Group]) -> Cells:
    """A suite's title with the number of its questions, as the leading method has them."""
    leads = ((place_words(study, place), leading(group)) for place, group in by_place.items())
    return tuple(title if row is None else f"{title} (n = {row['questions']})" for title, row in leads)


def _improvement(row: Row | None) -> str:
    return "–" if row is None or missing_reason(row) else gain_cell(row)


def _not_available(by_place: Mapping[Place, Group]) -> Iterator[str]:
    """Which methods the model cannot give, by reason."""
    by_reason: dict[str, list[str]] = {}
    for group in by_place.values():
        for (_, method, *_), row in group.items():
            if unavailable(row):
                by_reason.setdefault(why_missing(row), []).append(said_method(method))
    for reason, names in by_reason.items():
        yield (
            f"Not shown as {reason}: {listed(dict.fromkeys(names))}."
            if reason != "not available"
            else (f"Not available on this model: {listed(dict.fromkeys(names))}.")
        )


WITHIN = 0.05  # of completeness: a path's points are enough where all of f(h) - f(0) but this is attributed


def complete_sentences(rows: Sequence[Row]) -> Iterator[str]:
    """How much of f(h) - f(0) integrated gradients attribute to all tokens, a sentence a method.

    `rows` are those of `creg_summary`; over all suites and prompts, of the default projection.
    """
    for method in (INTEGRATED, RIGHT_SUMS):
        about = (method, "all", DEFAULT, "all")
        mine = [r for r in rows if (r["method"], r["subset"], r["projection"], r["samples"]) == about]
        of = [r for r in mine if r.get("completeness") is not None]
        if not of:
            continue
        medians = sorted({round(r["completeness"], 3) for r in of})
        low, high = min(r["completeness_low"] for r in of), max(r["completeness_high"] for r in of)
        name = "Integrated gradients" if method == INTEGRATED else "Their 50 right sums"
        middle = percent(medians[0]) if len(medians) == 1 else f"{percent(medians[0])} to {percent(medians[-1])}"
        whole = low >= 1 - WITHIN and high <= 1 + WITHIN
        verdict = "complete within 5 % on every question" if whole else "not complete on every question"
        yield (
            f"{name} attribute {middle} of f(h) - f(0) to all tokens (median over questions; {percent(low)} at least, "
            f"{percent(high)} at most): {verdict}."
        )


def changes(
    study: Study, by_place: Mapping[Place, Group], title: str, changed: Sequence[Change], note: str
) -> Iterator[Grid]:
    """CREG's improvement with one thing changed, a line a change and a column a suite, worst suites first."""
    shown = dict(list(by_place.items())[:WIDEST])
    lines = []
    for subset, method, projection, words in changed:
        rows = [_of_change(group, subset, method, projection) for group in shown.values()]
        cells = tuple(_improvement(row) for row in rows)
        if any(cell != "–" for cell in cells):
            lines.append((words, *cells))
    if len(lines) > (changed is ABLATIONS):
        more = len(by_place) - len(shown)
        rest = f" The files also hold {counted(more, 'other suite')}." if more > 0 else ""
        columns = ("Configuration", *(place_words(study, place) for place in shown))
        yield Grid(title, columns, tuple(lines), folded=True, note=note + rest, files=study.files("creg_summary"))


def options_note(study: Study, by_place: Mapping[Place, Group]) -> str:
    """What the other options of the projection make of CREG's improvement, from the least to the most, by suite."""
    parts = []
    for place, group in list(by_place.items())[:WIDEST]:
        rows = [_of_change(group, "all", LEADING, option) for option in OPTIONS]
        given = [row["dae_gain"] for row in rows if row is not None and not missing_reason(row)]
        if given:
            parts.append(f"{said_range(given)} on {place_words(study, place)}")
    return f" Under the other options of the projection (in the files) it is {apart(parts)}." if parts else ""


def _of_change(group: Group, subset: str, method: str, projection: str) -> Row | None:
    return group.get((subset, method, dict(listed_methods(group)).get(method), projection))


def answers(study: Study, by_place: Mapping[Place, Group]) -> Iterator[Grid]:
    """CREG on correct and on incorrect answers, for both targets, as table 3: suites that have both."""
    lines, suites, few = [], [], []
    for place, group in by_place.items():
        of = {
            subset: [group.get((subset, LEADING, target, DEFAULT)) for target in (CHOICE, TRUTH)]
            for subset in ("correct", "incorrect")
        }
        if all(missing_reason(row) for row in of["incorrect"]):
            few.append(place_words(study, place))
            continue
        for subset, rows in of.items():
            first = next((row for row in rows if row is not None), None)
            cells = (missing_reason(row) or dae_cell(row) if row is not None else "–" for row in rows)
            count = "0" if first is None else str(first["questions"])
            title = unbroken(place_words(study, place))
            lines.append((title, subset, count, *cells, degrees(value_of(first, "dae_null"))))
            suites.append(place[0])
    if lines:
        columns = ("Suite", "Answers", "Questions", "For the choice", "For the correct answer", "Uniform")
        title = "CREG on correct and on incorrect answers, as table 3"
        left = f" Too few incorrect answers: {apart(few)}." if few else ""
        yield Grid(
            title, columns, tuple(lines), words=2, folded=True, note=text.ANSWERS_NOTE + left, suites=tuple(suites)
        )
