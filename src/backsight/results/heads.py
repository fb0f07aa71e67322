"""Heads that look at the boxes, ablated: what becomes of the answers, beside as many others of the same layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, holm, mean_over_images
from backsight.results import by_head
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style
from backsight.results.looking.figure import suite_words
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, omitted, p_value, percent, whole_percent, with_interval
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
ROWS = Schema(
    "heads",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "condition": "str",  # plain, chosen, random
        "ablation": "str",  # zero, mean; missing for plain
        "draw": "int",  # of random heads
        "heads": "str",  # layer.head of each
        "chance": "float",
        "choice": "str",
        "correct": "bool",
        "p_answer": "float",
        "auroc": "float",  # of the ablated heads as the model is, the mean over them
        "gray": "float",  # the same on a gray picture
        "auroc_first": "float",  # the same heads on the pictures that they were chosen on
    },
    "Answers with heads ablated, one row a question and condition",
)
SUMMARY = Schema(
    "heads_summary",
    {
        "suite": "str",
        "prompt": "str",
        "condition": "str",
        "ablation": "str",
        "heads": "str",
        "questions": "int",
        "images": "int",
        "chance": "float",
        "auroc": "float",
        "auroc_first": "float",
        "gray": "float",
        "over": "float",  # auroc - gray
        "over_low": "float",
        "over_high": "float",
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "change": "float",  # of the accuracy, from plain
        "change_low": "float",
        "change_high": "float",
        "change_p": "float",  # Holm's, over all comparisons of a suite
        "beyond": "float",  # chosen heads: accuracy less that under random ones
        "beyond_low": "float",
        "beyond_high": "float",
        "beyond_p": "float",
        "omitted": "bool",
    },
    "What ablating the heads that find the boxes does to answers, with 95 % intervals",
)
LOOKS = {"plain": (style.INK, "o"), "chosen": (style.BLUE, "o"), "random": (style.ORANGE, "s")}
WORDS = {"plain": "as it is", "chosen": "heads that find the boxes", "random": "random heads"}
CAPTION = (
    "Accuracy with the heads ablated that find the boxes best, and with as many random heads of the same layers, with "
    "95 % intervals, on pictures that the heads were not chosen on. Dashed: chance."
)
DEPENDS = "answers depend on these heads, more than on others of the same layers"
LEAD = "The heads that find the boxes best, ablated, beside as many random heads of the same layers:"
METHOD = (
    "Heads are chosen on half of the pictures, by AUROC less that on a gray picture, for the target (subject, "
    "reference or both) that each finds best. On the other half their outputs are set to zero at every position of the "
    "prompt (or, as an option, to their mean over positions and questions of the first half). The control are as many "
    "others drawn from the same layers, of which no more than half of the heads are chosen; answers are the mean over "
    "the draws.",
    "Differences of accuracy are paired, with intervals and a randomisation test over pictures; all comparisons of a "
    "suite are corrected together (Holm).",
)
LIMITS = (
    "Heads that can be spared by themselves may stand in for one another; that their ablation changes nothing does not "
    "show that none of them is used.",
    "A head set to zero is nothing that the model was trained on: what random heads do is the measure.",
)


def heads_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy by suite, prompt, condition and ablation, paired with the plain answers and with random heads."""
    expect(rows, ROWS.name)
    summary: list[Row] = []
    for (suite, prompt), group in groups(rows.frame, ["suite", "prompt"]):
        summary += _of({"suite": suite, "prompt": prompt}, group, smallest)
    return Table.of(SUMMARY, summary, rows.provenance)


def _of(about: Row, frame: pd.DataFrame, smallest: int) -> list[Row]:
    images = frame.groupby("example_id")["image_id"].first()
    by_kind = {key: part for key, part in groups(frame, ["condition", "ablation"])}
    answers = {key: part["correct"].astype(float).groupby(part["example_id"]).mean().reindex(images.index)
               for key, part in by_kind.items()}  # fmt: skip
    plain = answers["plain", None]
    built: list[Row] = []
    for key, part in by_kind.items():
        row: Row = dict.fromkeys(SUMMARY.columns) | about | dict(zip(("condition", "ablation"), key, strict=True))
        row |= {"questions": len(images), "images": images.nunique(), "omitted": len(images) < smallest}
        row |= {"chance": float(part["chance"].mean()), "heads": _heads(part) if key[0] != "plain" else None}
        if not row["omitted"]:
            right = answers[key]
            row |= by_head.named(mean_over_images(right, images), "accuracy")
            if key[0] != "plain":
                row |= _looked(part) | _paired(right - plain, images, "change")
            if key[0] == "chosen":
                row |= _paired(right - answers["random", key[1]], images, "beyond")
        built.append(row)
    _correct(built)
    return built


def _heads(part: pd.DataFrame) -> str:
    return "; ".join(dict.fromkeys(part["heads"].dropna()))


def _looked(part: pd.DataFrame) -> Row:
    row: Row = {
        name: by_head.finite(float(part[name].astype(float).mean())) for name in ("auroc", "auroc_first", "gray")
    }
    there = part[part["auroc"].notna()]
    over = (there["auroc"] - there["gray"]).to_numpy(float)
    if len(over):
        row |= by_head.named(difference_over_images(over, there["image_id"].astype(str)), "over", "over")
    return row


def _paired(difference: pd.Series[float], images: pd.Series[str], name: str) -> Row:
    interval = difference_over_images(difference, images)
    return by_head.named(interval, name, name) | {f"{name}_p": sign_flips(difference, images)}


def _correct(rows: list[Row]) -> None:
    """Holm's correction in place of the p-values, over all comparisons of the rows."""
    at = [(row, name) for row in rows for name in ("change_p", "beyond_p") if row[name] is not None]
    for (row, name), value in zip(at, holm([row[name] for row, name in at]), strict=True):
        row[name] = value


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """Accuracy as the model is and with heads ablated, one panel a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    shown = []
    for group in panels.grouped(table.rows(), table.schema.name, "suite", "prompt").values():
        empty = omitted(group[0]["questions"], "question") if group[0]["omitted"] else ""
        below = f"{style.counted(group[0]['questions'], 'question')}, {style.counted(group[0]['images'], 'picture')}"
        height = 1.0 + 0.42 * len(group)
        shown.append(panels.Panel(suite_words(group[0], titles), below, partial(_panel, group=group), empty, height))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.line(color=color, marker=marker, markersize=5, linewidth=1.3), WORDS[name])
            for name, (color, marker) in LOOKS.items()
        ]
        return panels.draw(shown, [*entries, (panels.line(**panels.CHANCE), "chance")], columns, across=4)


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    axis.axvline(group[0]["chance"], **panels.CHANCE, zorder=1)
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        color, marker = LOOKS[row["condition"]]
        axis.plot([row["low"], row["high"]], [place] * 2, color=color, linewidth=1.3, zorder=3, clip_on=False)
        axis.plot([row["accuracy"]], [place], marker=marker, color=color, markersize=5, zorder=4, clip_on=False)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(group) - 0.4, -0.6), xlabel="accuracy")
    axis.set_yticks(range(len(group)), labels=[_label(row) for row in group])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


def _label(row: Row) -> str:
    if row["condition"] == "plain":
        return "plain"
    how = "to zero" if row["ablation"] == "zero" else "to their mean"
    return f"{row['heads'] if row['condition'] == 'chosen' else 'random'}\n{how}"


def section(study: Study) -> Section | None:
    """The section's part and what it says; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    figure = common.figure(study, "heads", draw, study.tables[SUMMARY.name], CAPTION)
    built = Section(
        anchor="looking", question="why", title="Attention within the image", notes=(), figures=(figure,),
        tables=(_table(study, rows),), method=METHOD, limits=LIMITS,
        samples=common.samples(study, "heads", {row["suite"] for row in rows}),
    )  # fmt: skip
    of = [[row for row in rows if (row["suite"], row["prompt"]) == key]
          for key in dict.fromkeys((row["suite"], row["prompt"]) for row in rows)]  # fmt: skip
    statements = tuple(Statement(sentence(suite_words(g[0], study.titles), g)) for g in of)
    return built.concluding(LEAD, statements)


def sentence(title: str, rows: Sequence[Row]) -> str:
    """What the ablation of the chosen heads does, set to zero where that was asked, and what it is evidence of."""
    plain = next(row for row in rows if row["condition"] == "plain")
    if plain["omitted"]:
        return f"{title}: {omitted(plain['questions'], 'question')}"
    chosen = next(row for row in rows if row["condition"] == "chosen")
    random = next(row for row in rows if row["condition"] == "random" and row["ablation"] == chosen["ablation"])
    change = whole_percent(*(chosen[name] for name in ("change", "change_low", "change_high")))
    numbers = (
        f"accuracy {percent(plain['accuracy'])}, {percent(chosen['accuracy'])} without heads {chosen['heads']} (change "
        f"{change}), {percent(random['accuracy'])} without random ones; {style.counted(plain['questions'], 'question')}"
    )
    return f"{title}: {verdict(plain, chosen)} ({numbers})"


def verdict(plain: Row, chosen: Row) -> str:
    """What a summary's rows of a suite, plain and chosen, let one say."""
    if plain["low"] <= plain["chance"]:
        return "nothing can be lost: the model is not shown to answer above chance"
    if chosen["over_low"] is None or chosen["over_low"] <= 0:
        return "no head finds the boxes on other pictures better than on a gray one"
    if not _falls(chosen, "change"):
        return "that these heads look there is no evidence: no loss by their ablation can be told from none"
    if not _falls(chosen, "beyond"):
        return "that these heads look there is no evidence: random heads take as much with them"
    return DEPENDS


def _falls(row: Row, name: str) -> bool:
    return row[f"{name}_high"] is not None and row[f"{name}_high"] < 0 and row[f"{name}_p"] < by_head.LEVEL


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        start = (suite_words(row, study.titles), WORDS[row["condition"]], row["ablation"] or "–", row["heads"] or "–")
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 7, str(row["questions"])))
            continue
        lines.append(
            (*start, decimal(row["auroc_first"]), f"{decimal(row['auroc'])} ({decimal(row['gray'])})",
             with_interval(row["accuracy"], row["low"], row["high"]),
             with_interval(row["change"], row["change_low"], row["change_high"]), p_value(row["change_p"]),
             with_interval(row["beyond"], row["beyond_low"], row["beyond_high"]), p_value(row["beyond_p"]),
             str(row["questions"]))
        )  # fmt: skip
    columns = (
        "Suite", "Ablated", "To", "Heads (layer.head)", "AUROC where chosen", "AUROC (gray picture)", "Accuracy",
        "Change", "p (Holm)", "Beyond random", "p (Holm) beyond", "n",
    )  # fmt: skip
    heading = "Heads that find the boxes, ablated"
    return Grid(heading, columns, tuple(lines), words=4, files=study.files(SUMMARY.name))


def _ablated(frame: pd.DataFrame) -> pd.DataFrame:
    """What is lost of the answers with the chosen heads ablated: 1 where right becomes wrong, -1 the other way."""
    plain = frame[frame["condition"] == "plain"].set_index("example_id")["correct"].astype(float)
    mine = frame[frame["condition"] == "chosen"]
    before = mine["example_id"].map(plain).to_numpy(dtype=float)
    return mine.assign(lost=before - np.asarray(mine["correct"].astype(float)))


RESULT = Result(
    ROWS,
    summary=Derived(SUMMARY, heads_summary),
    draw=draw,
    sections=(section,),
    metrics=(
        Metric("heads_ablated", "example_id", "lost", ("ablation", "prompt"), ("direction",), _ablated, better="less",
               plotted=None, title="Accuracy lost without the heads that find the boxes"),
    ),
)  # fmt: skip
