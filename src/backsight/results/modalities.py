"""Attention between modalities: what image, system prompt and question get, by layer and head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backsight.maths.attention import PARTS, balance
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.results import by_head
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, omitted, p_value, percent, with_interval
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
ROWS = Schema(
    "modalities",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "correct": "bool",  # missing where single tokens cannot tell the options apart
        "queries": "str",  # last: the last position; question: the mean over the question's tokens
        "layer": "int",
        "head": "int",  # missing: the mean over the layer's heads
        "image": "float",
        "system": "float",  # all text before the picture
        "question": "float",  # all text behind it
        "first": "float",  # the prompt's first position, which is in one of the three
        "image_uniform": "float",  # of attention that is the same for every position the queries see
        "system_uniform": "float",
        "question_uniform": "float",
        "first_part": "str",  # which of the three the first position is in
    },
    "Attention to the parts of the prompt, one row a question, layer and head",
)
SUMMARY = Schema(
    "modalities_summary",
    {
        "suite": "str",
        "prompt": "str",
        "queries": "str",
        "layer": "int",
        "head": "int",
        "questions": "int",
        "images": "int",
        "image": "float",
        "low": "float",
        "high": "float",
        "system": "float",
        "question": "float",
        "first": "float",
        "first_part": "str",
        "image_uniform": "float",
        "system_uniform": "float",
        "question_uniform": "float",
        "over": "float",  # image - image_uniform
        "over_low": "float",
        "over_high": "float",
        "p_holm": "float",  # over all layers, or over all heads, of a suite and prompt
        "balance": "float",  # image / (image + question)
        "balance_low": "float",
        "balance_high": "float",
        "balance_uniform": "float",
        "omitted": "bool",
    },
    "Attention to image, system prompt and question, with 95 % intervals",
)
LOOKS = {"image": (style.BLUE, "image"), "question": (style.ORANGE, "question"),
         "system": (style.FAINT, "system prompt")}  # fmt: skip
QUERY_WORDS = {"last": "the last position", "question": "the question's tokens"}
CAPTION = (
    "Share of attention that image, question and system prompt get, by layer, the mean over heads and questions. Black "
    "bars: the share of the image under attention that is the same for all positions. Hatched: the prompt's first "
    "position, where attention sinks whatever is asked; it is a part of the share that it stands in."
)
LEAD = "The share of the answer position's attention that goes to the picture, beside that of uniform attention:"
METHOD = (
    "Attention of the last prompt position, from which the answer is read (or, as an option, of all tokens of the "
    "question), behind the softmax. System prompt is all text before the picture, question all text behind it. The "
    "null is attention that is the same for every position that the queries see: it gives each part the share of its "
    "length.",
    "Cross-Modality Balance is image / (image + question), the system prompt left out as published (Beyond Semantics, "
    "arXiv 2503.17349); with the system prompt among the text it is the share of the image.",
    "Differences from the null are paired, with intervals and a randomisation test over pictures, corrected over the "
    "layers of a suite (Holm).",
)
LIMITS = (
    "A share of attention is not a share of the evidence: values may be small where weights are large. What an answer "
    "owes to the picture is told by changing the picture.",
    "The first position takes attention that is needed nowhere; it is marked, and counts where it stands.",
)


def modalities_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Shares by suite, prompt, queries, layer and head, with intervals over images."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for values, group in groups(rows.frame, list(by_head.KEYS)):
        summary += _of(dict(zip(by_head.KEYS, values, strict=True)), by_head.indexed(group), smallest)
    return Table.of(SUMMARY, summary, rows.provenance)


def _of(common_: Row, rows: pd.DataFrame, smallest: int) -> list[Row]:
    shares = {name: by_head.matrix(rows, name) for name in (*PARTS, "first", *(f"{n}_uniform" for n in PARTS))}
    images = by_head.images_of(rows)
    null = shares["image_uniform"]
    balances = shares["image"].copy()
    balances[:] = balance(shares["image"].to_numpy(), shares["question"].to_numpy())
    uniform = balance(null.to_numpy(), shares["question_uniform"].to_numpy())
    difference = shares["image"] - null
    of = {
        "image": by_head.means(shares["image"], images, shares=True),
        "balance": by_head.means(balances, images, shares=True),
        "over": by_head.means(difference, images, shares=False),
    }
    plain = {name: values.mean().to_numpy() for name, values in shares.items()}
    first_part = rows["first_part"].mode().iloc[0]
    p = by_head.corrected(by_head.p_values(difference, images), by_head.places(difference))
    summary: list[Row] = []
    for number, (layer, head) in enumerate(by_head.places(null)):
        row: Row = dict.fromkeys(SUMMARY.columns) | common_ | {"layer": layer, "questions": len(null)}
        row |= {"head": None if head == by_head.MEAN else head, "images": len(set(images))}
        row |= {"omitted": len(null) < smallest, "first_part": first_part}
        if not row["omitted"]:
            row |= {name: float(values[number]) for name, values in plain.items()}
            row |= by_head.named(of["image"][number], "image")
            row |= by_head.named(of["balance"][number], "balance", "balance")
            row |= by_head.named(of["over"][number], "over", "over")
            row |= {"p_holm": p[number], "balance_uniform": by_head.finite(float(np.mean(uniform[:, number])))}
        summary.append(row)
    return summary


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Shares of the parts of the prompt by layer, one panel a suite and prompt.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    rows = [row for row in table.rows() if row["head"] is None]
    shown = []
    for group in panels.grouped(rows, table.schema.name, *by_head.KEYS).values():
        below = f"{QUERY_WORDS[group[0]['queries']]}, {style.counted(group[0]['questions'], 'question')}"
        empty = omitted(group[0]["questions"], "question") if group[0]["omitted"] else ""
        shown.append(panels.Panel(_title(group[0], titles), below, partial(_panel, group=group), empty))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.patch(facecolor=color, linewidth=0), words) for color, words in LOOKS.values()
        ]
        entries += [(panels.line(color=style.INK, linewidth=1.6), "image under uniform attention"),
                    (panels.patch(facecolor="white", edgecolor=style.SOFT, hatch="////", linewidth=0),
                     "first position of the prompt")]  # fmt: skip
        return panels.draw(shown, entries, columns, across=3)


def _title(row: Row, titles: Mapping[str, str] | None) -> str:
    title = style.suite_title(row["suite"], titles)
    return title + (f", prompt {row['prompt']}" if row["prompt"] and "prompt" not in title else "")


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    from matplotlib.ticker import MaxNLocator

    layers = [row["layer"] for row in group]
    base = np.zeros(len(group))
    for name, (color, _) in LOOKS.items():
        heights = np.array([row[name] for row in group])
        axis.bar(layers, heights, 0.82, bottom=base, color=color, linewidth=0)
        if group[0]["first_part"] == name:
            axis.bar(layers, [r["first"] for r in group], 0.82, bottom=base + heights - [r["first"] for r in group],
                     facecolor="none", edgecolor=style.SOFT, hatch="////", linewidth=0)  # fmt: skip
        base = base + heights
    for row in group:
        ends = [row["layer"] - 0.41, row["layer"] + 0.41]
        axis.plot(ends, [row["image_uniform"]] * 2, color=style.INK, linewidth=1.6, solid_capstyle="butt")
    panels.shares(axis, "share of attention")
    axis.set(xlim=(min(layers) - 0.6, max(layers) + 0.6), xlabel="layer")
    axis.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True, steps=[1, 2, 4, 5, 10]))


def section(study: Study) -> Section | None:
    """The section and what it says; None without the summary."""
    rows = [row for row in study.rows(SUMMARY.name) if row["head"] is None]
    if not rows:
        return None
    figure = common.figure(study, "modalities", draw, study.tables[SUMMARY.name], CAPTION)
    built = Section(
        anchor="modalities", question="why", title="Attention between modalities", notes=(), figures=(figure,),
        tables=(_table(study, rows),), method=METHOD, limits=LIMITS,
        samples=common.samples(study, "modalities", {row["suite"] for row in rows}),
    )  # fmt: skip
    statements = tuple(
        Statement(sentence(_title(g[0], study.titles), g))
        for g in panels.grouped(rows, "modalities_summary", *by_head.KEYS).values()
    )
    return built.concluding(LEAD, statements)


def sentence(title: str, group: Sequence[Row]) -> str:
    """Over layers the mean share of the image beside that of uniform attention, and at how many layers it is less."""
    if any(row["omitted"] for row in group):
        return f"{title}: {omitted(group[0]['questions'], 'question')}"
    shown = [row for row in group if row["p_holm"] is not None and row["p_holm"] < by_head.LEVEL]
    less, more = (sum(sign * row["over"] > 0 and sign * row[end] > 0 for row in shown)
                  for sign, end in ((-1, "over_high"), (1, "over_low")))  # fmt: skip
    image, uniform, system = (float(np.mean([row[name] for row in group])) for name in
                              ("image", "image_uniform", "system"))  # fmt: skip
    return (
        f"{title}: {percent(image)} (uniform: {percent(uniform)}), {percent(system)} to the system prompt, means over "
        f"{style.counted(len(group), 'layer')}; less than uniform at {less}, more at {more} "
        f"({style.counted(group[0]['questions'], 'question')})"
    )


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        start = (_title(row, study.titles), QUERY_WORDS[row["queries"]], str(row["layer"]))
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 9, str(row["questions"])))
            continue
        numbers = (
            with_interval(row["image"], row["low"], row["high"]), decimal(row["image_uniform"]),
            with_interval(row["over"], row["over_low"], row["over_high"]), p_value(row["p_holm"]),
            decimal(row["system"]), decimal(row["question"]), f"{row['first']:.3f} ({row['first_part']})",
            with_interval(row["balance"], row["balance_low"], row["balance_high"]), decimal(row["balance_uniform"]),
        )  # fmt: skip
        lines.append((*start, *numbers, str(row["questions"])))
    columns = (
        "Suite", "Queries", "Layer", "Image", "Uniform", "Difference", "p (Holm)", "System", "Question",
        "First position (in)", "Balance", "Uniform balance", "n",
    )  # fmt: skip
    note = (
        "Means over heads; single heads are in the files. Balance leaves the system prompt out; with it, it is the "
        "column of the image."
    )
    heading = "Shares of attention by layer"
    return Grid(heading, columns, tuple(lines), words=3, folded=True, files=study.files(SUMMARY.name), note=note)


def _of_layers(frame: pd.DataFrame) -> pd.DataFrame:
    """Means over heads, with the balance beside the share."""
    mine = frame[frame["head"].isna()]
    image, question = (mine[name].to_numpy(dtype=float) for name in ("image", "question"))
    return mine.assign(balance=balance(image, question))


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, modalities_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("image_attention", "example_id", "image", ("queries", "prompt"), ("direction",), _of_layers,
               plotted=None, title="Share of attention that the image gets, mean over layers"),
        Metric("modality_balance", "example_id", "balance", ("queries", "prompt"), ("direction",), _of_layers,
               plotted=None, title="Cross-Modality Balance, mean over layers"),
    ),
)  # fmt: skip
