"""Attention within the image: figure, tables and sentences, from `looking_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.comparison import DRAWS
from backsight.maths.grouping import spans
from backsight.results import by_head
from backsight.results.drawing.style import counted
from backsight.results.looking.figure import NAMES, draw, suite_words
from backsight.results.looking.tables import SUMMARY
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, omitted, p_value, with_interval

Row = dict[str, Any]
NULL_WORDS = {"gray": "gray picture", "mirrored": "mirrored box", "random": "random boxes"}
CAPTION = (
    "How well the attention of the answer position tells tokens inside of a box from those outside (AUROC), by layer "
    "and head; the column apart is the mean attention of a layer's heads. White is chance. A dot: above the same box "
    "on a gray picture, the mirrored box and random boxes."
)
LEAD = "How well attention finds the things that a question is about (AUROC; .5 is chance):"
METHOD = (
    "AUROC: the probability that an image token inside of a box gets more attention than one outside, a token at the "
    "edge counted by the share of its cell that lies inside. Tokens whose attention differs by less than a hundredth "
    "of the mean count as a tie. Subject and reference are those of the question; in rows of three the subject is the "
    "thing that is the answer and the reference the one in the middle.",
    "Three nulls: the same box on a uniform gray picture with the same question, the box mirrored along the axis of "
    "the question (not where it covers itself), and boxes of the same size put anywhere. Attention finds a box where "
    "its AUROC is above the highest of the three: paired difference with its interval over pictures, and a "
    f"randomisation test corrected over the layers, or over the heads, of a suite (Holm), p below {by_head.LEVEL}.",
    "A sink of a layer is a token that gets more than five times the uniform share both in the picture and in a gray "
    "one, in the mean over heads. AUROC is given with sinks and without.",
)
LIMITS = (
    "Attention that finds a box is no evidence that the answer uses it: what the heads contribute is told by ablating "
    "them.",
    f"The randomisation test knows no p-value below 1 / {DRAWS + 1:,}, so that of some thousand heads none can pass it "
    "after correction; the mean over a layer's heads can.",
    "Wrong answers are wrong for many reasons; that attention found the box in them speaks for none.",
)


def section(study: Study) -> Section | None:
    """The section and what it says; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    figure = common.figure(study, "looking", draw, study.tables[SUMMARY.name], CAPTION)
    layers = [row for row in rows if row["head"] is None]
    built = Section(
        anchor="looking", question="why", title="Attention within the image", notes=(), figures=(figure,),
        tables=(_table(study, layers), _best_heads(study, rows)), method=METHOD, limits=LIMITS,
        samples=common.samples(study, "looking", {row["suite"] for row in rows}),
    )  # fmt: skip
    statements = tuple(
        Statement(sentence(suite_words(group[0], study.titles), group, layers))
        for group in _by_target([row for row in layers if row["answered"] == "all"])
    )
    return built.concluding(LEAD, statements)


def _key(row: Row) -> tuple[str, ...]:
    return row["suite"], row["prompt"], row["queries"], row["target"]


def _by_target(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one suite, prompt and target each; both boxes together only where neither is named."""
    of: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        of.setdefault(_key(row), []).append(row)
    named = {key[:3] for key in of if key[3] == "subject"}
    return [group for key, group in of.items() if key[3] != "boxes" or key[:3] not in named]


def sentence(title: str, group: Sequence[Row], rows: Sequence[Row] = ()) -> str:
    """Where attention finds one target, at its best layer, beside the hardest null; right and wrong answers apart."""
    name = NAMES[group[0]["target"]]
    if group[0]["omitted"]:
        return f"{title}, {name}: {omitted(group[0]['questions'], 'question')}"
    scored = [row for row in group if row["over"] is not None]
    if not scored:
        return f"{title}, {name}: no layer attends to the image"
    best = max(scored, key=lambda row: row["over"])
    matched = [row["layer"] for row in group if row["finds"]]
    beside = (
        f"AUROC {with_interval(best['auroc'], best['low'], best['high'])} at layer {best['layer']}, "
        f"{NULL_WORDS[best['hardest']]} {decimal(best[best['hardest']])}"
    )
    at = f"found at {_layers(matched)} of {counted(len(group), 'layer')}" if matched else "found at no layer"
    best_word = "best: " if matched else "nearest: "
    apart = ""
    sides = {row["answered"]: row for row in rows if _key(row) == _key(best) and row["layer"] == best["layer"]}
    right, wrong = sides.get("right"), sides.get("wrong")
    if right and wrong and right["auroc"] is not None and wrong["auroc"] is not None:
        apart = (
            f"; there {decimal(right['auroc'])} for right answers (n={right['questions']}), {decimal(wrong['auroc'])} "
            f"for wrong ones (n={wrong['questions']})"
        )
    return f"{title}, {name}: {at} ({best_word}{beside}; {counted(best['questions'], 'question')}{apart})"


def _layers(layers: Sequence[int]) -> str:
    return f"layer{'s' if len(layers) > 1 else ''} {spans(list(layers))}"


def _cells(row: Row) -> tuple[str, ...]:
    if row["omitted"]:
        return (*["omitted"] * 9, str(row["questions"]))
    sinks = "–" if row["sinks"] is None else f"{row['sinks']:.1f} ({decimal(row['sink_share'])})"
    return (
        with_interval(row["auroc"], row["low"], row["high"]), decimal(row["kept"]), decimal(row["gray"]),
        decimal(row["mirrored"]), decimal(row["random"]), with_interval(row["over"], row["over_low"], row["over_high"]),
        p_value(row["p_holm"]), f"{decimal(row['share'])} ({decimal(row['area'])})", sinks, str(row["questions"]),
    )  # fmt: skip


NUMBERS = (
    "AUROC", "Without sinks", "Gray picture", "Mirrored box", "Random boxes", "Over the highest", "p (Holm)",
    "Share (area)", "Sinks (their share)", "n",
)  # fmt: skip


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    lines = [
        (suite_words(row, study.titles), NAMES[row["target"]], row["answered"], str(row["layer"]), *_cells(row))
        for row in rows
    ]
    columns = ("Suite", "Target", "Answers", "Layer", *NUMBERS)
    note = "Mean attention of each layer's heads. Share is of the image's attention, beside the target's share of area."
    heading = "How well attention finds the boxes, by layer"
    return Grid(heading, columns, tuple(lines), words=4, folded=True, files=study.files(SUMMARY.name), note=note)


def _best_heads(study: Study, rows: Sequence[Row]) -> Grid:
    """Of each suite and target the three heads furthest above their nulls."""
    lines = []
    for group in _by_target([row for row in rows if row["head"] is not None]):
        scored = sorted((row for row in group if row["over"] is not None), key=lambda row: -float(row["over"]))
        lines += [
            (suite_words(row, study.titles), NAMES[row["target"]], f"{row['layer']}.{row['head']}", *_cells(row))
            for row in scored[:3]
        ]
    note = "The best of many heads on the same questions: read the corrected p-value, not the number by itself."
    columns = ("Suite", "Target", "Layer.head", *NUMBERS)
    return Grid("The three heads furthest above their nulls", columns, tuple(lines), words=3, folded=True, note=note)
