"""The section on resolution, from `resolution_summary` and `resolution_probes`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError
from backsight.results.drawing import panels, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.follows import cell
from backsight.results.pages.study import Study
from backsight.results.pages.trimmed import trimmed
from backsight.results.pages.wording import decimal, with_interval
from backsight.results.resolution import text
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = Mapping[str, Any]
Key = tuple[str, str | None]
MARK: dict[str, Any] = {"color": style.BLUE, "marker": "o", "markersize": 5}


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Accuracy by size, a panel a suite and prompt."""
    by_suite = _by_suite(table.rows())
    if not by_suite:
        raise DataError("The table has no rows to draw", where=table.schema.name)
    shown = []
    for key, rows in by_suite.items():
        title = panels.with_prompt(style.suite_title(key[0], titles), key, by_suite)
        counts = (max(row[name] for row in rows) for name in ("questions", "images"))
        questions, images = counts
        below = f"{style.counted(questions, 'question')}, {style.counted(images, 'picture')}"
        shown.append(panels.Panel(title, below, partial(_panel, rows=rows), height=0.9 + 0.36 * len(rows)))
    with style.style():
        entries = [
            (panels.line(**MARK, linewidth=1.3), "accuracy, with 95 % interval"),
            (panels.line(**panels.CHANCE), "chance"),
        ]
        return panels.draw(shown, entries, columns)


def _panel(axis: Axes, rows: Sequence[Row]) -> None:
    for place, row in enumerate(rows):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        if row["omitted"]:
            panels.note(axis, 0.0, place, f"omitted (n={row['questions']})")
            continue
        axis.plot([row["low"], row["high"]], [place, place], color=MARK["color"], linewidth=1.3, zorder=3)
        axis.plot([row["accuracy"]], [place], **MARK, linestyle="none", zorder=4, clip_on=False)
    axis.axvline(rows[0]["chance"], **panels.CHANCE, zorder=1)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(rows) - 0.4, -0.6), xlabel="accuracy")
    axis.set_yticks(range(len(rows)), labels=[text.label(row) for row in rows])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _by_suite(rows: Sequence[Row]) -> dict[Key, list[Row]]:
    by_suite: dict[Key, list[Row]] = {}
    for row in rows:
        by_suite.setdefault((row["suite"], row["prompt"]), []).append(row)
    return by_suite


def section(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    if "resolution_summary" not in study.tables:
        return None
    table = study.tables["resolution_summary"]
    by_suite = _by_suite(table.rows())
    named = [(panels.with_prompt(common.title(study, key[0]), key, by_suite), rows) for key, rows in by_suite.items()]
    probed: dict[str, list[Row]] = {}
    for row in study.rows("resolution_probes"):
        probed.setdefault(row["suite"], []).append(row)
    statements = [
        Statement(sentence, key[0], text.short(rows))
        for key, (title, rows) in zip(by_suite, named, strict=True)
        if (sentence := text.sentence(title, rows))
    ]
    statements += [
        Statement(text.probe_sentence(common.title(study, suite), rows), suite, text.probe_short(rows))
        for suite, rows in probed.items()
    ]
    tables = (_accuracies(study, named), *([_probes(study, probed)] if probed else []))
    return Section(
        anchor="resolution", question="can", title="Resolution", claim=text.claim(named), null=text.null(named),
        figures=(common.figure(study, "resolution", draw, table, text.CAPTION),), statements=tuple(statements),
        tables=tables, method=text.METHOD, limits=text.LIMITS,
        samples=common.samples(study, "resolution", {key[0] for key in by_suite}),
    )  # fmt: skip


def _accuracies(study: Study, named: Sequence[tuple[str, Sequence[Row]]]) -> Grid:
    shown = [(title, row) for title, rows in named for row in rows]
    lines = tuple(
        (title, row["size"], f"{row['columns']:.3g} x {row['rows']:.3g}", str(row["questions"]),
         "omitted" if row["omitted"] else with_interval(row["accuracy"], row["low"], row["high"]),
         decimal(row["chance"]), cell(row, "difference"))
        for title, row in shown
    )  # fmt: skip
    columns = ("Suite", "Size, of 12 x 12", "Grid", "Questions", "Accuracy", "Chance", "Difference")
    files, suites = study.files("resolution_summary"), tuple(row["suite"] for _, row in shown)
    return trimmed(Grid("Accuracy by size", columns, lines, words=3, files=files, note=text.NOTE, suites=suites))


def _probes(study: Study, probed: Mapping[str, Sequence[Row]]) -> Grid:
    """What probes fitted at the own size read at each size."""
    shown = [row for rows in probed.values() for row in rows if row["fitted"] == "own"]
    lines = tuple(
        (common.title(study, row["suite"]), row["axis"], str(row["layer"]), row["size"], str(row["pictures"]),
         "omitted" if row["omitted"] else cell(row, "share"), cell(row, "gain"))
        for row in shown
    )  # fmt: skip
    columns = ("Suite", "Thirds of", "Layer", "Read at", "Pictures", "Share", "Gain")
    title, files = "The third of the picture, by a probe fitted at the own size", study.files("resolution_probes")
    suites = tuple(row["suite"] for row in shown)
    return trimmed(Grid(title, columns, lines, 4, folded=True, files=files, note=text.PROBE_NOTE, suites=suites))
