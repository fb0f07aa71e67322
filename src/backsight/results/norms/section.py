"""Embedding norms and positional signal, from `embedding_norms_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.norms import text as words_of
from backsight.results.norms.figure import draw, place
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import omitted, p_value

Row = dict[str, Any]
LEAD = "At the input of the language model, and through its layers:"


def embedding_norms(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = sorted(study.rows("embedding_norms_summary"), key=place)
    if not rows:
        return None
    suites = dict.fromkeys(row["suite"] for row in study.rows("embedding_norms_summary"))
    table = study.tables["embedding_norms_summary"]
    section = Section(
        anchor="embedding_norms",
        question="where",
        title="Embedding norms and positional signal",
        notes=(),
        figures=(common.figure(study, "embedding_norms", draw, table, words_of.CAPTION),),
        tables=(_table(study, rows, list(suites)),),
        method=words_of.METHOD,
        limits=words_of.LIMITS,
        samples=common.samples(study, "embeddingnorms", set(suites)),
    )
    permuted = study.rows("permutation_summary")
    statements = tuple(Statement(sentence(study, rows, permuted, s)) for s in suites)
    return section.concluding(LEAD, statements)


def sentence(study: Study, rows: Sequence[Row], permuted: Sequence[Row], suite: str) -> str:
    """Norms and positional signal at the language model's input, through the layers, and the intervention."""
    title = common.title(study, suite)
    of = [row for row in rows if row["suite"] == suite]
    entering = next(row for row in of if (row["site"], row["layer"]) == ("resid_pre", 0))
    if entering["omitted"]:
        return f"{title}: {omitted(entering['pictures'], 'picture')}"
    same = (r for r in permuted if r["suite"] == suite and r["norm"] == "text" and r["order"] == "kept")
    at_text = next((r for r in same if r["kind"] != "semantic"), None)
    parts = (words_of.norms(entering), words_of.signal(entering), words_of.layers(of),
             words_of.drowned(entering, at_text))  # fmt: skip
    return f"{title}: {'; '.join(part for part in parts if part)}"


def _table(study: Study, rows: Sequence[Row], suites: Sequence[str]) -> Grid:
    lines = []
    for suite in suites:
        for row in (r for r in rows if r["suite"] == suite):
            site = "Vision encoder" if row["site"] == "vision" else "Language model"
            start = (common.title(study, suite), site, str(row["layer"]), str(row["pictures"]))
            if row["omitted"]:
                lines.append((*start, *("omitted" for _ in range(7))))
                continue
            ratio = "–" if row["ratio"] is None else words_of.ratio(row)
            text = "–" if row["text_mean"] is None else f"{row['text_mean']:.3g}"
            shares = (cell for name in words_of.GROUP_WORDS for cell in (_share(row, name), p_value(row[f"{name}_p"])))
            lines.append((*start, f"{row['image_mean']:.3g}", text, ratio, *shares))
    columns = ("Suite", "Part", "Layer", "Pictures", "Image norm", "Text norm", "Ratio", "Objects: position", "p",
               "Rest: position", "p")  # fmt: skip
    files = study.files("embedding_norms_summary")
    title = "Norms and the share of the variance that position explains, by layer"
    return Grid(title, columns, tuple(lines), words=2, folded=True, files=files, note=words_of.NOTE)


def _share(row: Row, name: str) -> str:
    if row[name] is None:
        return "–"
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}] ({row[f'{name}_null']:.3f})"
