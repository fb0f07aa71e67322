"""The page of a sweep: what seeds say of each recipe, beside the baseline where there is one.

It is the page of a comparison with recipes in the place of studies, and seeds in the place of pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.report import write_page
from backsight.report.compare import Page, Part, verdicts
from backsight.report.sweep_words import LIMITS, METHOD, change, claim, null, statements
from backsight.results import seeds
from backsight.results.compared import keys_words
from backsight.results.drawing.style import counted, suite_title
from backsight.results.pages import pictures
from backsight.results.pages.content import Grid
from backsight.results.pages.study import mapping, text
from backsight.results.pages.wording import decimal, p_value, unbroken, with_interval
from backsight.tables import Table

if TYPE_CHECKING:
    from backsight.studies.sweep_compare import Compared
    from backsight.studies.sweep_file import Sweep

Row = dict[str, Any]
FILES = (
    ("sweep.json", "what was asked for, JSON"), ("tables/sweep.csv", "every run, csv"),
    ("tables/sweep.parquet", "parquet"), ("tables/sweep_summary.csv", "over seeds, csv"),
    ("tables/sweep_summary.parquet", "parquet"),
)  # fmt: skip
CAPTION = (
    "Metrics of whole sets by recipe: a dot a seed, the mean over seeds, and Student's 95 % interval where it is known."
)


def write_sweep(compared: Compared, folder: Path) -> Path:
    """Write figures/sweep.svg and report.html into the folder of a sweep; the page's path."""
    page = _page(compared, folder)
    return write_page(folder, "compare.html.j2", {field.name: getattr(page, field.name) for field in fields(page)})


def _page(compared: Compared, folder: Path) -> Page:
    rows = compared.summary.rows()
    baseline = compared.sweep.baseline
    others = [name for name in compared.recipes if baseline in compared.recipes and name != baseline]
    parts = [_means(compared, rows, folder)]
    parts += [_part(name, str(baseline), [row for row in rows if row["recipe"] == name], rows) for name in others]
    studies = tuple(study for _, study in compared.studies)
    sets = dict.fromkeys(row["set"] for row in rows)
    return Page(
        title=f"{counted(len(compared.sweep.recipes), 'recipe')}, {counted(len(compared.sweep.seeds), 'seed')}",
        suites=tuple((name, suite_title(name)) for name in sets),
        parts=tuple(parts),
        figure=None,
        gate=missing(compared),
        notes=(),
        verdicts=verdicts(studies),
        studies=_runs(compared),
        method=METHOD,
        limits=LIMITS,
        command=compared.command,
        files=FILES,
        heading="",
        lead=f"A run is a recipe trained with a seed and studied; intervals are over seeds.{shortened(compared.sweep)}",
        kind="The runs",
    )


def shortened(sweep: Sweep) -> str:
    """That runs are shorter than their recipes, and studies than a whole one, where the sweep's file says so."""
    parts = [f"at most {counted(sweep.train.steps, 'step')} of each phase were trained"] if sweep.train.steps else []
    limits = [f"{name} = {value}" for name in ("limit", "samples", "budget") if (value := getattr(sweep.study, name))]
    limits += ["quick = true"] if sweep.study.quick else []
    parts += [f"studies are cut by {', '.join(limits)}"] if limits else []
    return f" Shortened: {'; '.join(parts)}." if parts else ""


def missing(compared: Compared) -> tuple[str, ...]:
    """The runs that failed, each with its reason."""
    runs = len(compared.studies) + len(compared.failed)
    if not compared.failed:
        return ()
    count = (
        f"{len(compared.failed)} of {counted(runs, 'run')} failed and {'is' if len(compared.failed) == 1 else 'are'}"
    )
    return (f"{count} not on this page.", *(f"{one.run.label}: {one.reason}" for one in compared.failed))


def _means(compared: Compared, rows: Sequence[Row], folder: Path) -> Part:
    """Every recipe beside the others, and all their metrics family by family."""
    drawn = [row for row in rows if row["drawn"]]
    figures: tuple[pictures.FigureView, ...] = ()
    if any(row["drawn"] and row["value"] is not None for row in compared.rows.rows()):
        figures = (
            pictures.figure(folder, "sweep", seeds.draw, compared.rows, label="Metrics over seeds", caption=CAPTION),
        )
    families = dict.fromkeys(row["family"] for row in rows)
    return Part(
        anchor="means",
        title="Means over seeds",
        claim=means_claim(drawn, compared.recipes, compared.sweep.baseline),
        null="",
        figures=figures,
        statements=(),
        tables=tuple(_family([row for row in rows if row["family"] == name], compared.recipes) for name in families),
    )


def means_claim(drawn: Sequence[Row], recipes: Sequence[str], baseline: str | None) -> str:
    """What the page holds, in numbers, and whether anything is tested."""
    if not drawn:
        return "No run has a metric of a whole set."
    metrics = len({row["metric"] for row in drawn})
    span = sorted({row["seeds"] for row in drawn})
    over = counted(span[0], "seed") if len(span) == 1 else f"{span[0]} to {span[-1]} seeds"
    start = f"{counted(metrics, 'metric')} of whole sets of {counted(len(recipes), 'recipe')}, over {over}"
    if baseline is None:
        return f"{start}; no baseline is named, so no difference is tested."
    if baseline not in recipes:
        return f"{start}; the baseline {baseline} has no study, so no difference is tested."
    return f"{start}, each beside {baseline}."


def _family(rows: Sequence[Row], recipes: Sequence[str]) -> Grid:
    """A family's metrics by recipe, each with its interval over seeds."""
    by = {(row["metric"], row["recipe"]): row for row in rows}
    first = {row["metric"]: row for row in reversed(rows)}
    lines, suites = [], []
    for metric in dict.fromkeys(row["metric"] for row in rows):
        lines.append((metric, *(_mean(by.get((metric, recipe))) for recipe in recipes)))
        suites.append(first[metric]["set"])
    heading = f"{rows[0]['title'] or rows[0]['family']}: {counted(len(lines), 'metric')}"
    return Grid(heading, ("Metric", *recipes), tuple(lines), folded=True, suites=tuple(suites),
                note=f"Means over seeds; {rows[0]['better']} is better.")  # fmt: skip


def _mean(row: Row | None) -> str:
    if row is None:
        return "–"
    return f"{with_interval(row['mean'], row['low'], row['high'])} ({row['seeds']})"


def _part(name: str, baseline: str, mine: Sequence[Row], rows: Sequence[Row]) -> Part:
    """One recipe beside the baseline."""
    base = {row["metric"]: row for row in rows if row["recipe"] == baseline}
    shown = [row for row in mine if row["drawn"] and row["difference"] is not None]
    lines = tuple(
        (
            f"{row['title'] or row['family']}, {keys_words(row)}",
            unbroken(row["moved"] if row["moved"] in ("better", "worse") else ""),
            _mean(base.get(row["metric"])), _mean(row), change(row), p_value(row["p_value"]), p_value(row["p_holm"]),
        )
        for row in shown
    )  # fmt: skip
    columns = ("Metric", "", baseline, name, "Difference", "p", "Holm")
    note = "Behind a mean stands its number of seeds."
    suites = tuple(row["set"] for row in shown)
    table = Grid("Metrics of whole sets", columns, lines, words=2, note=note, suites=suites)
    return Part(
        anchor=f"recipe-{name}", title=f"{name} against {baseline}", claim=claim(mine, baseline), null=null(mine),
        figures=(), statements=statements(mine, baseline), tables=(table,) if lines else (),
    )  # fmt: skip


def _runs(compared: Compared) -> Grid:
    """The runs that were studied: each with its address, its model and what it ran on."""
    lines = []
    for run, study in compared.studies:
        model, machine = mapping(study.record.get("model")), mapping(study.record.get("machine"))
        lines.append((
            run.label, run.recipe.name, str(run.recipe.seed), *_trained(run.work / "training.parquet"),
            text(model.get("family")), f"{model.get('parameters') or 0:,}", text(model.get("fingerprint")),
            f"{text(machine.get('cpu'))}, {text(machine.get('cores'))} cores",
        ))  # fmt: skip
    columns = (
        "Run", "Recipe", "Seed", "Loss at the end", "Minutes of training", "Architecture", "Parameters", "Fingerprint",
        "Studied on",
    )  # fmt: skip
    return Grid("", columns, tuple(lines), words=len(columns))


def _trained(log: Path) -> tuple[str, str]:
    """The loss at the end, a mean over the last steps, and the minutes of a log; dashes where it cannot be read."""
    try:
        frame = Table.read(log).frame
    except DataError:
        return "–", "–"
    losses = frame.loc[frame["figure"] == "loss", "value"]
    return decimal(float(losses.iloc[-1])) if len(losses) else "–", f"{frame['seconds'].max() / 60:.1f}"
