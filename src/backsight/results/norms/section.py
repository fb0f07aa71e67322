"""Embedding norms and positional signal, from `embedding_norms_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.norms import text as words_of
from backsight.results.norms.figure import draw, place
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import in_list, listed, omitted, p_value

Row = dict[str, Any]
PARTS = {"vision": "Vision encoder", "resid_pre": "Language model"}


def embedding_norms(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = sorted(study.rows("embedding_norms_summary"), key=place)
    if not rows:
        return None
    suites = list(dict.fromkeys(row["suite"] for row in study.rows("embedding_norms_summary")))
    titles = {suite: in_list(common.title(study, suite)) for suite in suites}
    entering = [row for suite in suites for row in rows
                if (row["suite"], row["site"], row["layer"]) == (suite, "resid_pre", 0)]  # fmt: skip
    ordered = [row for suite in suites for row in rows if row["suite"] == suite]
    table = study.tables["embedding_norms_summary"]
    return Section(
        anchor="embedding_norms",
        question="where",
        title="Embedding norms and positional signal",
        claim=words_of.claim(entering, titles),
        null=words_of.null(entering),
        figures=(common.figure(study, "embedding_norms", draw, table, words_of.CAPTION),),
        statements=statements(entering, rows, study.rows("permutation_summary"), titles),
        tables=(_shares(study, ordered), _norms(study, ordered)),
        method=words_of.METHOD,
        limits=words_of.LIMITS,
        samples=common.samples(study, "embeddingnorms", set(suites)),
    )


def statements(
    entering: Sequence[Row], rows: Sequence[Row], permuted: Sequence[Row], titles: words_of.Titles
) -> tuple[Statement, ...]:
    """Positional signal and norms, a sentence each of a suite; one sentence of all suites with too few pictures.

    `entering` are the rows of the language model's input, `rows` those of all layers, `permuted` those of the shuffle.
    """
    lines: list[Statement] = []
    for row in (row for row in entering if not row["omitted"]):
        suite, of = row["suite"], [one for one in rows if one["suite"] == row["suite"]]
        at_text = next((r for r in permuted if (r["suite"], r["norm"], r["order"]) == (suite, "text", "kept")
                        and r["kind"] != "semantic"), None)  # fmt: skip
        lines.append(Statement(words_of.position(titles[suite], row, of), suite, words_of.short(of)))
        if row["ratio"] is not None:
            lines.append(Statement(words_of.norms(titles[suite], row, at_text), suite))
    few = [row for row in entering if row["omitted"]]
    if few:
        named = listed(f"{titles[row['suite']]}: {omitted(row['pictures'], 'picture')}" for row in few)
        lines.append(Statement(f"{named}.", few[0]["suite"] if len(few) == 1 else "", 1.0))
    return tuple(lines)


def _start(study: Study, row: Row) -> tuple[str, ...]:
    return (common.title(study, row["suite"]), PARTS.get(row["site"], str(row["site"])), str(row["layer"]))


def _pictures(rows: Sequence[Row]) -> str:
    """How many pictures the rows are of, for the note below a table."""
    counts = dict.fromkeys(row["pictures"] for row in rows)
    return f"Of {listed(counts)} pictures."


def _norms(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        if row["omitted"]:
            lines.append((*_start(study, row), *("omitted" for _ in range(5))))
            continue
        norms = (row[f"{of}_{name}"] for of in ("image", "text") for name in ("mean", "median"))
        ratio = "–" if row["ratio"] is None else words_of.ratio(row)
        lines.append((*_start(study, row), *("–" if one is None else f"{one:.3g}" for one in norms), ratio))
    columns = ("Suite", "Part", "Layer", "Image mean", "Median", "Text mean", "Median", "Ratio")
    note = f"{words_of.NORM_NOTE} {_pictures(rows)}"
    suites = tuple(row["suite"] for row in rows)
    return Grid("Norms by layer", columns, tuple(lines), words=2, folded=True, note=note, suites=suites)


def _shares(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        if row["omitted"]:
            cells = ["omitted" for _ in range(4)]
        else:
            cells = [one for name in words_of.GROUPS for one in (_share(row, name), p_value(row[f"{name}_p"]))]
        lines.append((*_start(study, row), *cells))
    columns = ("Suite", "Part", "Layer", "Object tokens", "p", "Other image tokens", "p")
    return Grid(
        "Share of the variance that position explains, by layer", columns, tuple(lines), words=2, folded=True,
        files=study.files("embedding_norms_summary"), note=f"{words_of.SHARE_NOTE} {_pictures(rows)}",
        suites=tuple(row["suite"] for row in rows),
    )  # fmt: skip


def _share(row: Row, name: str) -> str:
    if row[name] is None:
        return "–"
    return f"{row[name]:.3f} [{row[f'{name}_low']:.3f}, {row[f'{name}_high']:.3f}] ({row[f'{name}_null']:.3f})"
