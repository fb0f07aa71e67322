"""The permutation test, from `permutation_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, in_list, p_value, unbroken, with_interval
from backsight.results.permutation import sentences
from backsight.results.permutation import text as words_of
from backsight.results.permutation.figure import draw

Row = dict[str, Any]
KINDS = {"relational": "Where", "semantic": "What", "other": "Own"}
SHUFFLES = {
    ("own", "kept"): "Positions kept",
    ("own", "moved"): "Moved along",
    ("text", "kept"): "At text norm",
    ("text", "moved"): "At text norm, moved",
}


def permutation(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = study.rows("permutation_summary")
    if not rows:
        return None
    titles = {row["suite"]: in_list(common.title(study, row["suite"])) for row in rows}
    return Section(
        anchor="permutation",
        question="where",
        title="Permutation of image tokens (Position Sensitivity Index)",
        claim=sentences.claim(rows, titles),
        null=sentences.null(rows, titles),
        notes=_notes(rows),
        figures=(common.figure(study, "permutation", draw, study.tables["permutation_summary"], words_of.CAPTION),),
        statements=sentences.statements(rows, titles),
        tables=(_indices(study, rows), *_norms(study, rows)),
        method=words_of.METHOD,
        limits=words_of.LIMITS,
        samples=common.samples(study, "permutation", {row["suite"] for row in rows}),
    )


def _notes(rows: Sequence[Row]) -> tuple[str, ...]:
    notes = []
    if not any(row["order"] == "moved" for row in rows):
        notes.append(words_of.BOTH_WAYS)
    without = sorted({r["suite"] for r in rows} - {r["suite"] for r in rows if r["kind"] == "semantic"})
    if without:
        notes.append(words_of.NO_SEMANTIC)
    return tuple(notes)


def _indices(study: Study, rows: Sequence[Row]) -> Grid:
    chances = {round(row["chance"], 3) for row in rows if row["chance"] is not None}
    several = len(chances) > 1
    lines = []
    for row in rows:
        names = (KINDS[row["kind"]], SHUFFLES[row["norm"], row["order"]])
        start = (common.title(study, row["suite"]), *map(unbroken, names), str(row["questions"]))
        why = f"omitted: {row['reason']}"
        accuracies = (_cell(row, name, "omitted") for name in ("accuracy", "shuffled"))
        chance = (decimal(row["chance"]),) if several else ()
        lines.append((*start, *accuracies, *chance, _cell(row, "psi", why), _cell(row, "corrected", why)))
    columns = ("Suite", "Question", "Shuffle", "Questions", "Accuracy", "Shuffled", *(("Chance",) if several else ()),
               "PSI", "Corrected")  # fmt: skip
    note = words_of.NOTE if several or not chances else f"{words_of.NOTE} Chance is {decimal(*chances)}."
    return Grid(
        "The Position Sensitivity Index", columns, tuple(lines), words=3, files=study.files("permutation_summary"),
        note=note, suites=tuple(row["suite"] for row in rows),
    )  # fmt: skip


def _cell(row: Row, name: str, without: str) -> str:
    if row[name] is None:
        return without
    return with_interval(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _norms(study: Study, rows: Sequence[Row]) -> list[Grid]:
    """What rescaling to the text's norm changes, paired; no table where it was not asked."""
    asked = [row for row in rows if row["gain"] is not None]
    lines = []
    for row in asked:
        start = (common.title(study, row["suite"]), KINDS[row["kind"]], str(row["questions"]))
        gain, more = (_cell(row, name, "omitted") for name in ("gain", "loss_gain"))
        lines.append((*start, gain, p_value(row["gain_p"]), more, p_value(row["loss_gain_p"])))
    columns = ("Suite", "Question", "Questions", "Gain", "p", "More lost", "p")
    suites = tuple(row["suite"] for row in asked)
    title = "Image tokens at the norm of text tokens"
    return [Grid(title, columns, tuple(lines), words=2, note=words_of.NORM_NOTE, suites=suites)] if lines else []
