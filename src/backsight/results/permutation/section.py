"""The permutation test, from `permutation_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, p_value, unbroken, with_interval
from backsight.results.permutation import text as words_of
from backsight.results.permutation.figure import draw

Row = dict[str, Any]
KINDS = {"relational": "Where", "semantic": "What", "other": "Own"}
ORDERS = {"kept": "Kept", "moved": "Moved along"}
NORMS = {"own": "Own", "text": "Text"}
LEAD = "With its image tokens shuffled behind the projector:"


def permutation(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = study.rows("permutation_summary")
    if not rows:
        return None
    section = Section(
        anchor="permutation",
        question="where",
        title="Permutation of image tokens",
        notes=_notes(rows),
        figures=(common.figure(study, "permutation", draw, study.tables["permutation_summary"], words_of.CAPTION),),
        tables=(_indices(study, rows), *_norms(study, rows)),
        method=words_of.METHOD,
        limits=words_of.LIMITS,
        samples=common.samples(study, "permutation", {row["suite"] for row in rows}),
    )
    suites = dict.fromkeys(row["suite"] for row in rows)
    statements = tuple(Statement(sentence(study, rows, suite)) for suite in suites)
    return section.concluding(LEAD, statements)


def sentence(study: Study, rows: Sequence[Row], suite: str) -> str:
    """What a shuffle with positions kept, and one with positions moved along, takes from each kind of question."""
    at = {(r["kind"], r["order"]): r for r in rows if r["suite"] == suite and r["norm"] == "own"}
    own = next((kind for kind in ("relational", "other") if (kind, "kept") in at), None)
    parts = []
    if own is not None:
        parts.append(f"of questions of {_about(own)}, {words_of.loss(at[own, 'kept'])}")
    if ("semantic", "kept") in at:
        parts.append(f"of what is there, {words_of.loss(at['semantic', 'kept'])}")
    if own is not None and (own, "moved") in at:
        parts.append(f"with positions moved along, {words_of.loss(at[own, 'moved'])}")
    claim = words_of.claim(at[own, "kept"]) if own is not None else ""
    return f"{common.title(study, suite)}: {'; '.join(parts)}{f': {claim}' if claim else ''}"


def _about(kind: str) -> str:
    return "where a thing is" if kind == "relational" else "the set's own"


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    notes = []
    if not any(row["order"] == "moved" for row in rows):
        notes.append(
            "Image tokens see one another both ways in this model, so their order in the prompt changes no answer: "
            "positions moved along are not asked."
        )
    without = sorted({r["suite"] for r in rows} - {r["suite"] for r in rows if r["kind"] == "semantic"})
    if without:
        notes.append(
            "Of some pictures no question about what is there could be asked; of these there are no such rows."
        )
    return tuple(notes)


def _indices(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        names = (KINDS[row["kind"]], NORMS[row["norm"]], ORDERS[row["order"]])
        start = (common.title(study, row["suite"]), *map(unbroken, names), str(row["questions"]))
        why = f"omitted: {row['reason']}"
        accuracies = (_cell(row, name, "omitted") for name in ("accuracy", "shuffled"))
        lines.append(
            (*start, *accuracies, decimal(row["chance"]), _cell(row, "psi", why), _cell(row, "corrected", why))
        )
    columns = ("Suite", "Question", "Norm", "Positions", "Questions", "Accuracy", "Shuffled", "Chance", "PSI",
               "Corrected for chance")  # fmt: skip
    files = study.files("permutation_summary")
    title = "The Position Sensitivity Index"
    return Grid(title, columns, tuple(lines), words=4, files=files, note=words_of.NOTE)


def _cell(row: Row, name: str, without: str) -> str:
    if row[name] is None:
        return without
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _norms(study: Study, rows: Sequence[Row]) -> list[Grid]:
    """What rescaling to the text's norm changes, paired; no table where it was not asked."""
    lines = []
    for row in rows:
        if row["gain"] is None:
            continue
        start = (common.title(study, row["suite"]), KINDS[row["kind"]], str(row["questions"]))
        gain, more = (_cell(row, name, "omitted") for name in ("gain", "loss_gain"))
        lines.append((*start, gain, p_value(row["gain_p"]), more, p_value(row["loss_gain_p"])))
    columns = ("Suite", "Question", "Questions", "Gain", "p", "More lost", "p")
    return [Grid("Image tokens at the norm of text tokens", columns, tuple(lines), words=2)] if lines else []
