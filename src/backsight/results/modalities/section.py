"""Attention between modalities: figure, tables and sentences, from `modalities_summary`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from backsight.maths.grouping import SMALLEST
from backsight.results import by_head
from backsight.results.drawing import panels
from backsight.results.drawing.style import counted
from backsight.results.looking.figure import suite_words
from backsight.results.modalities.figure import QUERY_WORDS, draw
from backsight.results.modalities.tables import SUMMARY
from backsight.results.pages import common
from backsight.results.pages.alike import among, slim
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.layers import between, whole
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, in_list, listed, omitted, p_value, whole_percent, with_interval

Row = dict[str, Any]
CAPTION = (
    "Share of attention that image, question and system prompt get, by layer, the mean over heads and questions. "
    "The line across each bar: the image's share under uniform attention. Hatched: the prompt's first position, where "
    "attention sinks whatever is asked, a part of the share that it stands in."
)
METHOD = (
    "Attention of the last prompt position, from which the answer is read (or, as an option, of all tokens of the "
    "question), behind the softmax. System prompt is all text before the picture, question all text behind it. Uniform "
    "attention, the null, is the same for every position that the queries see: it gives each part the share of its "
    "length.",
    "Cross-Modality Balance is image / (image + question), the system prompt left out as published (Beyond Semantics, "
    "arXiv 2503.17349).",
    "Differences from uniform are paired, with a randomisation test over pictures, corrected over the layers of a "
    "suite (Holm).",
)
LIMITS = (
    "A share of attention is not a share of the evidence: values may be small where weights are large. What an answer "
    "owes to the picture shows when the picture is changed.",
    "Attention sinks into the first position whatever is asked; it is marked, and counts where it stands.",
)


def section(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = [row for row in study.rows(SUMMARY.name) if row["head"] is None]
    if not rows:
        return None
    figure = common.figure(study, "modalities", draw, study.tables[SUMMARY.name], CAPTION)
    named = {_named(g[0], study.titles): g for g in panels.grouped(rows, SUMMARY.name, *by_head.KEYS).values()}
    return Section(
        anchor="modalities", question="why", title="Attention between modalities", claim=claim(named),
        null=null(rows), figures=(figure,),
        statements=tuple(Statement(sentence(name, g), g[0]["suite"], short(g)) for name, g in named.items()),
        tables=(_table(study, rows), _balances(study, rows)), method=METHOD, limits=LIMITS,
        samples=common.samples(study, "modalities", {row["suite"] for row in rows}),
    )  # fmt: skip


def _named(row: Row, titles: Mapping[str, str] | None) -> str:
    """A suite with its prompt, and with its queries where they are not the last position."""
    queries = "" if row["queries"] == "last" else f" ({QUERY_WORDS[row['queries']]})"
    return f"{in_list(suite_words(row, titles))}{queries}"


def sides(group: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The layers at which the image is shown to get less than uniform attention gives it, and more."""
    shown = [row for row in group if row["p_holm"] is not None and row["p_holm"] < by_head.LEVEL]
    less = [row for row in shown if row["over"] < 0 and row["over_high"] < 0]
    return less, [row for row in shown if row["over"] > 0 and row["over_low"] > 0]


def short(group: Sequence[Row]) -> float:
    """The share of layers at which the image is shown to get less than uniform; 0 where that is omitted."""
    return len(sides(group)[0]) / len(group)


def claim(named: Mapping[str, Sequence[Row]]) -> str:
    """At how many layers the image gets less than uniform, and where it gets least; the suite with the most first."""
    known = {name: group for name, group in named.items() if not any(row["omitted"] for row in group)}
    if not known:
        return f"Not shown: fewer than {SMALLEST} questions on {listed(named)}."
    worst = max(known, key=lambda name: short(known[name]))
    less, more = sides(known[worst])
    layers = counted(len(known[worst]), "layer")
    others = [name for name in known if name != worst]
    rest = (
        f"; on {among(others, len(known))} it gets less at {_numbers([known[name] for name in others])}"
        if others
        else ""
    )
    if not less:
        groups = list(known.values())
        above = f"; it gets more at {_numbers(groups, side=1)}" if any(sides(group)[1] for group in groups) else ""
        every = among(list(known), len(known))
        return f"At no layer is the picture shown to get less attention than uniform, on {every}{above}."
    least = min(less, key=lambda row: row["image"])
    share = whole_percent(least["image"], least["low"], least["high"])
    return (
        f"On {worst} the picture gets less attention than uniform at {_count(less)} of {layers} and more at "
        f"{_count(more)}; "
        f"least at layer {least['layer']}, {share} where uniform attention gives {whole(least['image_uniform'])}{rest}."
    )


def _count(rows: Sequence[Row]) -> str:
    """How many layers, in words where there is none."""
    return str(len(rows)) if rows else "none"


def _numbers(groups: Sequence[Sequence[Row]], side: int = 0) -> str:
    """At how many layers of how many the image gets less (or, of side 1, more): "4 of 6", "2 to 4 of 6"."""
    counts = [len(sides(group)[side]) for group in groups]
    numbers = " to ".join(dict.fromkeys((str(min(counts)), str(max(counts)))))
    return f"{numbers} of {counted(max(len(group) for group in groups), 'layer')}"


def null(rows: Sequence[Row]) -> str:
    """What uniform attention gives the picture in the suites; empty where all are omitted."""
    shares = [row["image_uniform"] for row in rows if not row["omitted"]]
    return f"Uniform attention gives the picture the share of its length: {between(shares)}." if shares else ""


def sentence(title: str, group: Sequence[Row]) -> str:
    """Over layers the mean share of the image beside that of uniform attention, and at how many layers it is less."""
    if any(row["omitted"] for row in group):
        return f"{title}: {omitted(group[0]['questions'], 'question')}."
    less, more = sides(group)
    image, uniform, system = (float(np.mean([row[name] for row in group])) for name in
                              ("image", "image_uniform", "system"))  # fmt: skip
    return (
        f"{title}: the picture gets less attention than uniform at {_count(less)} of "
        f"{counted(len(group), 'layer')} and more at {_count(more)}; over all layers it gets {whole(image)}, uniform "
        f"{whole(uniform)}, and the system prompt {whole(system)} ({counted(group[0]['questions'], 'question')})."
    )


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        start = _start(study, row)
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 7, str(row["questions"])))
            continue
        numbers = (
            with_interval(row["image"], row["low"], row["high"]), decimal(row["image_uniform"]),
            with_interval(row["over"], row["over_low"], row["over_high"]), p_value(row["p_holm"]),
            decimal(row["system"]), decimal(row["question"]), f"{row['first']:.3f} ({row['first_part']})",
        )  # fmt: skip
        lines.append((*start, *numbers, str(row["questions"])))
    columns = ("Suite", "Queries", "Layer", "Image", "Uniform", "Difference", "p (Holm)", "System", "Question",
               "First position", "n")  # fmt: skip
    note = "Means over heads; single heads are in the files. In brackets, the part that the first position is in."
    return _grid(study, "Shares of attention by layer", columns, lines, rows, note)


def _balances(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        numbers = (
            with_interval(row["balance"], row["balance_low"], row["balance_high"]),
            decimal(row["balance_uniform"]),
        )
        lines.append((*_start(study, row), *(["omitted"] * 2 if row["omitted"] else numbers), str(row["questions"])))
    columns = ("Suite", "Queries", "Layer", "Balance", "Uniform balance", "n")
    note = "Balance leaves the system prompt out; with it, it is the share of the image."
    return _grid(study, "Cross-Modality Balance by layer", columns, lines, rows, note)


def _start(study: Study, row: Row) -> tuple[str, str, str]:
    return suite_words(row, study.titles), QUERY_WORDS[row["queries"]], str(row["layer"])


def _grid(
    study: Study,
    heading: str,
    columns: tuple[str, ...],
    lines: Sequence[tuple[str, ...]],
    rows: Sequence[Row],
    note: str,
) -> Grid:
    suites = tuple(row["suite"] for row in rows)
    files = study.files(SUMMARY.name)
    grid = Grid(heading, columns, tuple(lines), words=3, folded=True, files=files, note=note, suites=suites)
    return slim(grid, "Queries", "n")
