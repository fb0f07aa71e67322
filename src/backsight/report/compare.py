"""The page of a comparison: what moved against the baseline, by how much, and what could not be compared.

All words and numbers are decided here; the template only loops and escapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from backsight.maths.comparison import DRAWS, EXACT, ROUNDING
from backsight.maths.grouping import SMALLEST
from backsight.maths.intervals import RESAMPLES
from backsight.report import write_page
from backsight.results.comparison import draw as plot_differences
from backsight.results.drawing.style import counted
from backsight.results.pages import pictures
from backsight.results.pages.content import Grid
from backsight.results.pages.study import mapping, number, text
from backsight.results.pages.wording import decimal, listed, p_value, unbroken, whole_percent, with_interval
from backsight.studies.compare import Comparison
from backsight.studies.compare_answer import signed, worded
from backsight.studies.compare_reading import Finished

Row = dict[str, Any]
MOST = 5  # metrics that the opening names
FILES = (("compare.json", "every number, JSON"), ("tables/compare.csv", "csv"), ("tables/compare.parquet", "parquet"))
CAPTION = (
    "Difference from the baseline over the samples that both studies have, with its 95 % interval: right of the line "
    "is more, left is less. Filled where the metric is called better or worse: the interval lies wholly on one side of "
    "zero and p is below .05; hollow where a difference is not shown. Plotted are metrics of whole sets; accuracy is "
    "that among the options. The tables have all others."
)
METHOD = (
    "A sample is shared where both studies have it with the same id, the same picture and the same question or answer. "
    f"Where at least {SMALLEST} samples of at least two images are shared, the difference is the mean over them of the "
    "study's value less the baseline's. Where fewer are, the two means stand beside each other, each with its own "
    f"interval, and nothing is tested. Metrics of fewer than {SMALLEST} samples are omitted.",
    f"Intervals hold 95 %: percentile bootstrap over images ({RESAMPLES:,} draws), as an image is asked several times. "
    "They have no width where all images differ alike. p is that of Fisher's paired randomisation test, two-sided, "
    f"with images as its units: every pattern of signs up to {EXACT} images that differ, {DRAWS:,} random ones beyond. "
    "A metric is called better or worse, and --fail-if-worse fails, where the interval lies wholly on that side of "
    f"zero and p is below .05. Differences of a sample below {ROUNDING:g} count as none.",
    "Judged are the metrics that --fail-if-worse asks for; where it asks for none, the few of whole sets that the "
    "figure shows. Holm's correction is over the judged metrics of one study, and no other metric has such a p.",
    "Interchanges and probes are those of the layer with the highest mean over the samples compared, each study's own: "
    "the probability of the ordinal answer at the last token, of the flipped answer for image tokens, and the share of "
    "object tokens given their place. Of pairs, those count that both runs of a model answer right.",
    "Corrected is the share of failures that amplification turns right, broken that of right answers that it turns "
    "wrong: paired are the questions that both models fail without it, or that both answer right.",
)  # fmt: skip
LIMITS = (
    "Intervals are not corrected for their number: of a hundred metrics that did not move, about five have an interval "
    "that lies off zero. Holm's p-values of the judged metrics are.",
    "Where few images differ the bootstrap's interval is too narrow: four images lost and none won put it below zero, "
    "while p is 0.125.",
    "Metrics overlap: a set and its directions, or two read-outs, are of the same answers.",
    "Of interchanges and probes more is called better, whether or not it is the model's answer at that layer; a model "
    "may answer as well with less.",
    "Where a model answers only part of the pairs right, the interchanges compare the pairs that both models answer "
    "right, which are no random ones.",
    "The interval is over images. It says how the difference would vary over other pictures of the same kind, not over "
    "another run of the training.",
)


@dataclass(frozen=True)
class Part:
    """One study beside the baseline."""

    anchor: str
    title: str
    lead: str
    moved: tuple[str, ...]
    not_judged: str
    every: str
    tables: tuple[Grid, ...]


@dataclass(frozen=True)
class Page:
    """The whole page."""

    title: str
    parts: tuple[Part, ...]
    gate: tuple[str, ...]
    notes: tuple[str, ...]
    figure: pictures.FigureView | None
    verdicts: Grid | None
    studies: Grid
    method: tuple[str, ...]
    limits: tuple[str, ...]
    command: str
    files: tuple[tuple[str, str], ...]


def write_comparison(comparison: Comparison, folder: Path) -> Path:
    """Write figures/compare.svg and report.html into a folder that holds the comparison; the page's path."""
    page = _page(comparison, folder)
    return write_page(folder, "compare.html.j2", {field.name: getattr(page, field.name) for field in fields(page)})


def _page(comparison: Comparison, folder: Path) -> Page:
    others = comparison.studies[1:]
    against = others[0].name if len(others) == 1 else f"{len(others)} studies"
    return Page(
        title=f"{against} against {comparison.baseline.name}",
        parts=tuple(_part(comparison, study, index) for index, study in enumerate(others)),
        gate=_gate(comparison),
        notes=comparison.notes,
        figure=_figure(comparison, folder),
        verdicts=_verdicts(comparison.studies),
        studies=_studies(comparison.studies),
        method=METHOD,
        limits=LIMITS,
        command=comparison.command,
        files=FILES,
    )


def _figure(comparison: Comparison, folder: Path) -> pictures.FigureView | None:
    if not any(row["drawn"] and row["how"] == "paired" for row in comparison.rows):
        (folder / "figures" / "compare.svg").unlink(missing_ok=True)  # of an earlier comparison
        return None
    return pictures.figure(
        folder, "compare", plot_differences, comparison.table(), label="Paired differences", caption=CAPTION
    )


def _part(comparison: Comparison, study: Finished, index: int) -> Part:
    rows = comparison.of(study)
    paired = [row for row in rows if row["how"] == "paired"]
    off = sorted((row for row in paired if row["moved"] != "no"), key=lambda row: -abs(row["difference"]))
    tables = [_paired("What moved", off, comparison.baseline.name, study.name)] if off else []
    for family in dict.fromkeys(row["family"] for row in paired):
        of = [row for row in paired if row["family"] == family]
        heading = f"{of[0]['title'] or family}: {counted(len(of), 'paired metric')}"
        tables.append(_paired(heading, of, comparison.baseline.name, study.name, folded=True))
    tables += _not_paired(rows, comparison.baseline, study)
    title = f"{study.name} against {comparison.baseline.name}"
    answer = comparison.judged[index]
    moved = tuple(map(worded, answer.farthest[:MOST]))
    every = f"Of all {counted(len(paired), 'paired metric')} {len(off)} moved: the tables name them." if paired else ""
    return Part(f"study-{index + 1}", title, answer.count(), moved, answer.left_out(), every, tuple(tables))


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


def _paired(heading: str, rows: Sequence[Row], baseline: str, study: str, *, folded: bool = False) -> Grid:
    layers = any(row["layer"] is not None for row in rows)
    lines = []
    for row in rows:
        at = f"{row['layer_baseline']}, {row['layer']}" if row["layer"] is not None else "–"
        lines.append((
            row["metric"], unbroken("" if row["moved"] == "no" else row["moved"]), decimal(row["baseline"]),
            decimal(row["value"]), signed(row), p_value(row["p_value"]), p_value(row["p_holm"]),
            f"{_shared(row)} ({row['images']})", *([at] if layers else []),
        ))  # fmt: skip
    columns = ("Metric", "", baseline, study, "Difference", "p", "Holm", "n (images)")
    partly = any(row["shared"] < max(row["samples_baseline"], row["samples"]) for row in rows)
    note = "n is the number of samples shared, of how many the baseline and the study have." if partly else ""
    return Grid(heading, (*columns, *(["Layers"] if layers else [])), tuple(lines), words=2, folded=folded, note=note)


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


def _verdicts(studies: Sequence[Finished]) -> Grid | None:
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
