"""The page of a comparison: what got worse, what got better, and what could not be compared.

All words and numbers are decided here; the template only loops and escapes. A study beside the baseline is a section of
the same shape as those of a report: claim, figure, null, and behind them the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from backsight.report import write_page
from backsight.report.compare_words import LIMITS, METHOD, claim, null, statements
from backsight.results.compared import MANY, draw_counts, judged_rows, reach
from backsight.results.comparison import ROWS
from backsight.results.comparison import draw as plot_differences
from backsight.results.drawing.style import counted, suite_title
from backsight.results.pages import pictures
from backsight.results.pages.content import Grid, Statement
from backsight.results.pages.study import mapping, number, text
from backsight.results.pages.wording import decimal, listed, p_value, unbroken, whole_percent, with_interval
from backsight.studies.compare import Comparison
from backsight.studies.compare_answer import within
from backsight.studies.compare_reading import Finished
from backsight.tables import Table

Row = dict[str, Any]
FILES = (("compare.json", "every number, JSON"), ("tables/compare.csv", "csv"), ("tables/compare.parquet", "parquet"))
COUNTS = (
    "Metrics of whole sets by what they measure: left of the line those that are worse, right of it those that are "
    "better; gray is not shown to differ."
)
CAPTION = (
    "Difference from the baseline over the samples that both studies have, with its 95 % interval. Filled: better or "
    "worse; hollow: not shown to differ. Accuracy is that among the options."
)


@dataclass(frozen=True)
class Part:
    """One study beside the baseline, in the shape of a report's section."""

    anchor: str
    title: str
    claim: str
    null: str
    figures: tuple[pictures.FigureView, ...]
    statements: tuple[Statement, ...]
    tables: tuple[Grid, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    suites: tuple[tuple[str, str], ...]
    parts: tuple[Part, ...]
    figure: pictures.FigureView | None
    gate: tuple[str, ...]
    notes: tuple[str, ...]
    verdicts: Grid | None
    studies: Grid
    method: tuple[str, ...]
    limits: tuple[str, ...]
    command: str
    files: tuple[tuple[str, str], ...]
    heading: str  # of the only part; empty where several have titles of their own
    lead: str = "A difference is the study's mean less the baseline's."
    each: str = "Differences, metric by metric"
    kind: str = "The studies"


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write figures/*.svg and report.html into a folder that holds the comparison; the page's path."""
    page = _page(comparison, folder)
    return write_page(folder, "compare.html.j2", {field.name: getattr(page, field.name) for field in fields(page)})


def _page(comparison: Comparison, folder: Path) -> Page:
    others = comparison.studies[1:]
    against = others[0].name if len(others) == 1 else f"{len(others)} studies"
    for stale in (folder / "figures").glob("compare*.svg"):  # of an earlier comparison
        stale.unlink()
    each = _figure(comparison, folder)
    parts = tuple(_part(comparison, study, index, folder) for index, study in enumerate(others))
    if len(parts) == 1 and each is not None and not parts[0].figures:
        parts, each = (replace(parts[0], figures=(each,)),), None
    sets = dict.fromkeys(row["set"] for row in comparison.rows)
    return Page(
        title=f"{against} against {comparison.baseline.name}",
        suites=tuple((name, suite_title(name)) for name in sets),
        parts=parts,
        figure=each,
        gate=_gate(comparison),
        notes=comparison.notes,
        verdicts=verdicts(comparison.studies),
        studies=_studies(comparison.studies),
        method=METHOD,
        limits=LIMITS,
        command=comparison.command,
        files=FILES,
        heading="What got worse, and what got better" if len(parts) == 1 else "",
    )


def _figure(comparison: Comparison, folder: Path) -> pictures.FigureView | None:
    if not judged_rows(comparison.rows):
        return None
    return pictures.figure(
        folder, "compare", plot_differences, comparison.table(), label="Paired differences", caption=CAPTION
    )


def _part(comparison: Comparison, study: Finished, index: int, folder: Path) -> Part:
    rows, answer = comparison.of(study), comparison.judged[index]
    anchor = f"study-{index + 1}"
    figures: tuple[pictures.FigureView, ...] = ()
    if len(judged_rows(rows)) > MANY:
        table = Table.of(ROWS, rows)
        figures = (pictures.figure(folder, f"compare-{anchor}", draw_counts, table, label=COUNTS, caption=COUNTS),)
    return Part(
        anchor=anchor,
        title=f"{study.name} against {comparison.baseline.name}",
        claim=claim(answer),
        null=null(answer),
        figures=figures,
        statements=statements(answer, rows),
        tables=_tables(rows, comparison.baseline, study),
    )


def _tables(rows: Sequence[Row], baseline: Finished, study: Finished) -> tuple[Grid, ...]:
    """What moved, the worse first; then, folded, each family, and what could not be compared paired."""
    paired = [row for row in rows if row["how"] == "paired"]
    off = [row for row in paired if row["moved"] != "no"]
    off.sort(key=lambda row: (row["moved"] != "worse", -reach(row)))
    note = "A metric is called as --fail-if-worse takes it."
    tables = [_paired("What moved", off, baseline.name, study.name, note)] if off else []
    for family in dict.fromkeys(row["family"] for row in paired):
        of = [row for row in paired if row["family"] == family]
        heading = f"{of[0]['title'] or family}: {counted(len(of), 'paired metric')}"
        tables.append(_paired(heading, of, baseline.name, study.name, folded=True))
    return (*tables, *_not_paired(rows, baseline, study))


def _gate(comparison: Comparison) -> tuple[str, ...]:
    """What was asked not to be worse, and what came of it."""
    gate = comparison.gate
    if not gate.asked and not gate.strict:
        return ()
    asked = [f"worse: {listed(gate.asked)}"] if gate.asked else []
    asked += ["not judged"] if gate.strict else []
    left = sum(len(one.not_judged) for one in comparison.judged) if gate.strict else 0
    counts = [f"{counted(len(comparison.worse), 'metric')} worse"] if comparison.worse else []
    counts += [f"{counted(left, 'metric')} not judged"] if left else []
    came = f"failed: {listed(counts)}" if comparison.failed else "passed"
    return (f"Asked to fail if {', or if '.join(asked)}. It {came}.",)


def _paired(
    heading: str, rows: Sequence[Row], baseline: str, study: str, note: str = "", *, folded: bool = False
) -> Grid:
    layers = any(row["layer"] is not None for row in rows)
    lines = []
    for row in rows:
        at = f"{row['layer_baseline']}, {row['layer']}" if row["layer"] is not None else "–"
        lines.append((
            row["metric"], unbroken("" if row["moved"] == "no" else row["moved"]), decimal(row["baseline"]),
            decimal(row["value"]), within(row), p_value(row["p_value"]), p_value(row["p_holm"]),
            f"{_shared(row)} ({row['images']})", *([at] if layers else []),
        ))  # fmt: skip
    columns = ("Metric", "", baseline, study, "Difference", "p", "Holm", "n (images)")
    partly = any(row["shared"] < max(row["samples_baseline"], row["samples"]) for row in rows)
    notes = [note, "n is the number of samples shared, of how many the baseline and the study have." if partly else ""]
    return Grid(
        heading, (*columns, *(["Layers"] if layers else [])), tuple(lines), words=2, folded=folded,
        note=" ".join(filter(None, notes)), suites=tuple(row["set"] for row in rows),
    )  # fmt: skip


def _shared(row: Row) -> str:
    """The number of shared samples; where either study has more, of how many each."""
    whole = (row["samples_baseline"], row["samples"])
    return str(row["shared"]) if set(whole) == {row["shared"]} else f"{row['shared']} of {whole[0]}, {whole[1]}"


def _not_paired(rows: Sequence[Row], baseline: Finished, study: Finished) -> list[Grid]:
    """What both studies have with other samples, what is too little, and what only one of them has."""
    grids = []
    unpaired = [row for row in rows if row["how"] == "unpaired"]
    if unpaired:
        columns = ("Metric", baseline.name, study.name, "Difference of the means", "Shared samples")
        note = "These are of other samples in each study: the intervals are each study's own, and nothing is tested."
        sides = [(_side(row, "baseline"), _side(row, "value"), decimal(row["difference"])) for row in unpaired]
        of = tuple((row["metric"], *side, _shared(row)) for row, side in zip(unpaired, sides, strict=True))
        grids.append(Grid("Unpaired", columns, of, note=note))
    omitted = tuple((row["metric"], _shared(row)) for row in rows if row["how"] == "omitted")
    if omitted:
        grids.append(Grid("Omitted: too few samples", ("Metric", "Shared samples"), omitted, folded=True))
    for how, one, column in (("baseline", baseline, "baseline"), ("study", study, "value")):
        mine = [row for row in rows if row["how"] == how]
        if mine:
            alone = tuple((row["metric"], _side(row, column), _count(row)) for row in mine)
            heading = f"Only in {one.name}: {counted(len(mine), 'metric')}"
            grids.append(Grid(heading, ("Metric", one.name, "Samples"), alone, folded=True))
    return grids


def _side(row: Row, column: str) -> str:
    if row[column] is None:
        return "omitted"
    return with_interval(row[column], row[f"{column}_low"], row[f"{column}_high"])


def _count(row: Row) -> str:
    return str(max(row["samples_baseline"], row["samples"]))


def verdicts(studies: Sequence[Finished]) -> Grid | None:
    """Each study's verdict on where the order comes from; None where no study has one."""
    if not any(mapping(study.record.get("verdict")) for study in studies):
        return None
    lines = []
    for study in studies:
        verdict = mapping(study.record.get("verdict"))
        asked = number(mapping(verdict.get("accuracy")).get("n"))
        shares = (_share(verdict.get("accuracy")), *(_pathway(verdict, name) for name in ("vision", "language")))
        source = text(verdict.get("source")) or "none"
        count = "–" if asked is None else f"{asked:.0f}"
        lines.append((study.name, source, text(verdict.get("suite")), *shares, count))
    columns = ("Study", "Source", "Set", "Accuracy of two", "Vision suffices", "Language suffices", "Questions")
    note = (
        "Vision suffices is the share of the accuracy above chance that is left with shuffled image tokens, language "
        "suffices that after removal, with 95 % intervals. The rule stands in each study's report."
    )
    return Grid("Where the order comes from", columns, tuple(lines), words=3, note=note)


def _pathway(verdict: Mapping[str, Any], name: str) -> str:
    """What was found of a pathway, and its share; of a study of an earlier release the share alone."""
    outcome = text(mapping(mapping(verdict.get("pathways")).get(name)).get("outcome"))
    return " ".join(filter(None, (outcome, _share(verdict.get(f"{name}_suffices")))))


def _share(value: object) -> str:
    numbers = [number(mapping(value).get(key)) for key in ("value", "low", "high")]
    there = [one for one in numbers if one is not None]
    return whole_percent(there[0], there[1], there[2]) if len(there) == 3 else "–"


def _studies(studies: Sequence[Finished]) -> Grid:
    """What was compared: a column a study."""
    facts: list[tuple[str, Callable[[dict[str, Any]], object]]] = [
        ("Folder", lambda summaries: summaries["folder"]),
        ("Model", lambda summaries: summaries["model"]["name"]),
        ("Fingerprint", lambda summaries: summaries["model"]["fingerprint"]),
        ("Dtype", lambda summaries: summaries["model"]["dtype"]),
        ("Seed", lambda summaries: summaries["seed"]),
        ("Limit", lambda summaries: summaries["options"]["limit"]),
        ("Quick", lambda summaries: summaries["options"]["quick"]),
        ("Backsight", lambda summaries: summaries["backsight"]),
    ]
    summaries = [study.summary() for study in studies]
    lines = tuple((name, *(text(get(one)) or "–" for one in summaries)) for name, get in facts)
    return Grid("", ("", *(study.name for study in studies)), lines, words=1 + len(studies))
