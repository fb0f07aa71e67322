"""What the sections share: titles, figures, samples, and the tables of layers and probabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from backsight.results.drawing.style import suite_title
from backsight.results.drawing.sweeps import TOKEN_WORDS
from backsight.results.pages import pictures
from backsight.results.pages.alike import slim
from backsight.results.pages.content import Grid, Sample
from backsight.results.pages.samples import sample, system_sentences
from backsight.results.pages.study import Study
from backsight.results.pages.wording import unbroken, with_interval
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Draw = Callable[..., "Figure"]
Row = dict[str, Any]


def title(study: Study, suite: str) -> str:
    """What a suite is called."""
    return study.titles.get(suite) or suite_title(suite)


def figure(
    study: Study, name: str, draw: Draw, table: Table, caption: str, **options: Any
) -> pictures.FigureView:  # fmt: skip
    """A table's figure with the study's titles, written as figures/NAME.svg."""
    label = table.schema.title or name
    return pictures.figure(
        study.folder, name, draw, table, label=label, caption=caption, titles=study.titles, **options
    )


def samples(
    study: Study, kind: str, suites: set[str], *, counterfactual: str = "", outcomes: Mapping[str, str] | None = None
) -> tuple[Sample, ...]:  # fmt: skip
    """The samples of the sets that were measured: those of the jobs, or named like a suite of the table.

    `counterfactual` is an outcome that a recorded counterfactual must have to be shown beside, and
    `outcomes` what each outcome is called.
    """
    of = study.sets_of(kind) or [s for s in study.sets if s.get("name") in suites]
    recorded = (sample(study, one, counterfactual=counterfactual, outcomes=outcomes or {}) for one in of)
    return tuple(one for one in recorded if one is not None)


def asked_apart(study: Study, kind: str) -> tuple[str, ...]:
    """What is to be said where the sets of a measurement stand in one table and are not asked alike."""
    sentence = system_sentences(study.sets_of(kind))
    return (sentence,) if sentence else ()


def layers_table(
    study: Study, orders: Sequence[Row], heading: str, files: tuple[tuple[str, str], ...], note: str = ""
) -> Grid:
    """Layers that stand out, a line a suite (and set of tokens), a column a direction, each with the pairs kept."""
    directions = list(dict.fromkeys(row["direction"] for row in orders))
    by_about = {(*key(row), row["direction"]): row for row in orders}
    keys = dict.fromkeys(key(row) for row in orders)
    rows = tuple((*named(study, one), *(_layers(by_about.get((*one, d))) for d in directions)) for one in keys)
    words = _columns(orders)
    columns = (*words, *("All directions" if d == "all" else d.capitalize() for d in directions))
    suites = tuple(one[0] for one in keys)
    return slim(Grid(heading, columns, rows, words=len(words), files=files, note=note, suites=suites), "Tokens")


def _layers(row: Row | None) -> str:
    if row is None:
        return "–"
    layers = "omitted" if row["omitted"] else (row["layers"] if row["found"] else "none")
    return f"{layers} (n={row['pairs']})"


def probabilities(
    study: Study, rows: Sequence[Row], outcomes: Mapping[str, str], files: tuple[tuple[str, str], ...]
) -> Grid:
    """The probability of each outcome by layer, all directions together; `outcomes` gives each one's column."""
    by_about = {(*key(r), r["layer"], r["outcome"]): r for r in rows if r["direction"] == "all"}
    lines: list[tuple[str, ...]] = []
    suites: list[str] = []
    for *group, layer in dict.fromkeys(one[:-1] for one in by_about):
        one = next(r for k, r in by_about.items() if k[:-1] == (*group, layer))
        suites.append(str(group[0]))
        start = (*named(study, tuple(group)), "–" if one["omitted"] else str(layer), str(one["pairs"]))
        if one["omitted"]:
            lines.append((*start, *("omitted" for _ in outcomes)))
            continue
        of = [by_about.get((*group, layer, outcome)) for outcome in outcomes]
        lines.append(
            (*start, *("–" if r is None else with_interval(r["probability"], r["low"], r["high"]) for r in of))
        )
    words = _columns(rows)
    columns = (*words, "Layer", "Pairs", *outcomes.values())
    heading = "Probabilities by layer, all directions together"
    grid = Grid(
        heading, columns, tuple(lines), words=len(words), folded=True, files=files, suites=tuple(suites)
    )  # fmt: skip
    return slim(grid, "Tokens", "Pairs")


def key(row: Row) -> tuple[str, ...]:
    """What a line of a table is about: the suite, and the set of image tokens where there is one."""
    return (row["suite"], row["tokens"]) if "tokens" in row else (row["suite"],)


def named(study: Study, one: tuple[str, ...]) -> tuple[str, ...]:
    """A line's leading cells."""
    return (title(study, one[0]), *(unbroken(TOKEN_WORDS.get(tokens, tokens)) for tokens in one[1:]))


def _columns(rows: Sequence[Row]) -> tuple[str, ...]:
    return ("Suite", "Tokens") if rows and "tokens" in rows[0] else ("Suite",)
