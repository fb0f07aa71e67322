"""Captions before and after a shuffle of the image tokens, beside those of two different pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import pandas as pd

from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, mean_over_images
from backsight.maths.ratios import share
from backsight.results.base import Derived, Metric, Result
from backsight.results.drawing import panels, style
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import in_list, listed, whole_percent, with_interval
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Row = dict[str, Any]
_ENDS = ("", "_low", "_high")
MEASURES = {"f1": "token F1", "similarity": "sentence similarity"}
CAPTIONS = Schema(
    "captions",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "seed": "int",
        "caption": "str",
        "shuffled": "str",  # the caption with image tokens shuffled
        "words": "int",  # of the caption, articles left out
        "f1": "float",
        "f1_other": "float",  # of the caption and those of other pictures
        "similarity": "float",  # cosine of sentence embeddings; missing without an embedder
        "similarity_other": "float",
    },
    "Captions before and after a shuffle of the image tokens, one row a picture and shuffle",
)
CAPTIONS_SUMMARY = Schema(
    "captions_summary",
    {
        "suite": "str",
        "measure": "str",  # f1, similarity
        "pictures": "int",
        "words": "float",
        **{f"same{end}": "float" for end in _ENDS},  # before and after the shuffle
        **{f"other{end}": "float" for end in _ENDS},  # of two pictures
        **{f"above{end}": "float" for end in _ENDS},  # the difference, paired
        **{f"kept{end}": "float" for end in _ENDS},  # (same - other) / (1 - other)
        "reason": "str",  # why there are no numbers: few pictures, no sentences
    },
    "How alike captions are before and after a shuffle, and those of two pictures, with 95 % intervals",
)
FEW, NO_SENTENCES = "few pictures", "captions of one word"


def captions_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Similarity before and after a shuffle and that of two pictures, by suite and measure."""
    expect(rows, CAPTIONS.name)
    summary: list[Row] = []
    for (suite,), group in groups(rows.frame, ["suite"]):
        for measure in MEASURES:
            if group[measure].isna().all():
                continue
            columns = [measure, f"{measure}_other", "words"]
            each = group.groupby("image_id", sort=False)[columns].mean().astype(float)
            line: Row = dict.fromkeys(CAPTIONS_SUMMARY.columns) | {"suite": suite, "measure": measure}
            line |= {"pictures": len(each), "words": float(each["words"].mean())}
            line["reason"] = FEW if len(each) < smallest else NO_SENTENCES if line["words"] < 2 else None
            if not line["reason"]:
                # A cosine may be negative, so that a difference of two reaches from -2 to 2.
                reach = 1.0 if measure == "f1" else 2.0
                line |= _numbers(each[measure], each[f"{measure}_other"], reach)
            summary.append(line)
    return Table.of(CAPTIONS_SUMMARY, summary, rows.provenance)


def _numbers(same: pd.Series[float], other: pd.Series[float], reach: float) -> Row:
    numbers: Row = {}
    for name, values, most in (("same", same, 1.0), ("other", other, 1.0), ("above", same - other, reach)):
        images = values.index.astype(str)
        is_share = reach == 1.0 and name != "above"
        interval = mean_over_images(values, images) if is_share else difference_over_images(values, images, reach=most)
        numbers |= dict(zip((f"{name}{end}" for end in _ENDS), interval[:3], strict=True))
    if (1 - other).sum() > 0:
        numbers |= dict(zip((f"kept{end}" for end in _ENDS), share(same - other, 1 - other), strict=True))
    return numbers


def draw(table: Table, *, columns: int | None = None, titles: Mapping[str, str] | None = None) -> Figure:
    """How alike captions are before and after a shuffle (filled) and those of two pictures (hollow), a panel a suite.

    `columns` is the number of panels across; 1 is for a phone. `titles` gives suites the names to print.
    """
    shown = []
    for (suite,), group in panels.grouped(table.rows(), table.schema.name, "suite").items():
        below = style.counted(group[0]["pictures"], "picture")
        empty = f"omitted: {group[0]['reason']}" if all(row["reason"] for row in group) else ""
        title = style.suite_title(suite, titles)
        shown.append(panels.Panel(title, below, partial(_panel, group=group), empty, height=1.7))
    with style.style():
        entries: list[panels.Entry] = [
            (panels.look(style.BLUE, "o"), "before and after the shuffle, with 95 % interval"),
            (panels.line(**_HOLLOW, linewidth=1.3), "two different pictures (hollow)"),
        ]
        return panels.draw(shown, entries, columns)


_HOLLOW: dict[str, Any] = {
    "color": style.SOFT, "marker": "s", "markersize": 4.6, "markerfacecolor": "white", "markeredgewidth": 1.1,
}  # fmt: skip


def _panel(axis: Axes, group: Sequence[Row]) -> None:
    for place, row in enumerate(group):
        axis.axhline(place, color=style.FAINT, linewidth=0.6, zorder=0)
        looks = (("same", {"color": style.BLUE, "marker": "o", "markersize": 5}, -0.12), ("other", _HOLLOW, 0.12))
        for name, look, apart in looks:
            axis.plot(
                [row[f"{name}_low"], row[f"{name}_high"]], [place + apart] * 2, color=look["color"], linewidth=1.3
            )
            axis.plot([row[name]], [place + apart], **look, linestyle="none", clip_on=False)
    axis.set(xlim=(-0.02, 1.02), ylim=(len(group) - 0.4, -0.6), xlabel="how alike two captions are")
    axis.set_yticks(range(len(group)), labels=[MEASURES[row["measure"]] for row in group])
    axis.set_xticks(panels.SHARES, labels=panels.SHARE_LABELS)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)


CAPTION = (
    "How alike greedy captions are before and after the image tokens are shuffled (filled), and those of two different "
    "pictures (hollow), with 95 % intervals."
)
METHOD = (
    "Each picture is described in one sentence, greedily, as it is and with its image tokens shuffled (positions "
    "kept). Token F1 is SQuAD's, on words in lower case without punctuation and articles; sentence similarity is the "
    "cosine of mean-pooled embeddings of a model that the user gives.",
    "Kept is (same - other) / (1 - other), where other is a caption beside those of other pictures of the suite: of "
    "what sets a picture's caption apart, how much is left.",
)
LIMITS = (
    "Captions that stay alike may name the same things and place them elsewhere: words are counted, not relations.",
    "A caption that says little of its picture stays alike whatever is done to it; the other pictures' show that.",
)
APART = "what sets captions apart from those of other pictures"
SAME = "captions of all pictures are the same"


def why(row: Mapping[str, Any]) -> str:
    """Why a row has no share that is kept; empty where it has one."""
    return str(row["reason"] or ("" if row["kept"] is not None else SAME))


def kept(row: Mapping[str, Any]) -> str:
    """The share that is kept, with its interval."""
    return whole_percent(row["kept"], row["kept_low"], row["kept_high"])


def claim(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    """How much of what sets captions apart survives a shuffle, by token F1, those that keep least first."""
    of = [row for row in rows if row["measure"] == "f1"] or list(rows)
    there = sorted((row for row in of if not why(row)), key=lambda row: float(row["kept"]))
    lost = [titles[row["suite"]] for row in there if row["above_low"] <= 0]
    parts = [f"no measurable part of {APART} in {listed(lost)}"] if lost else []
    left = [f"{kept(row)} in {titles[row['suite']]}" for row in there if row["above_low"] > 0]
    if left:
        parts.append(f"{listed(left)}{'' if lost else f' of {APART}'}")
    missing = [f"{titles[row['suite']]} ({why(row)})" for row in of if why(row)]
    if not parts:
        return f"Whether captions survive a shuffle of the image tokens is not shown: {listed(missing)}."
    beside = f"; not shown in {listed(missing)}" if missing else ""
    return f"With image tokens shuffled, captions keep {'; '.join(parts)}{beside}."


def null(rows: Sequence[Row]) -> str:
    """How alike captions of two pictures are; empty without numbers."""
    others = [row for row in rows if row["measure"] == "f1" and row["other"] is not None]
    if not others:
        return ""
    most = max(others, key=lambda row: float(row["other"]))
    alike = with_interval(most["other"], most["other_low"], most["other_high"])
    return f"Captions of two different pictures have a token F1 of {'at most ' if len(others) > 1 else ''}{alike}."


def sentence(title: str, row: Mapping[str, Any]) -> str:
    """How much of what sets one suite's captions apart is left, in the words that the intervals allow."""
    if reason := why(row):
        return f"{title}: whether captions survive a shuffle is omitted ({reason})."
    alike = f"{MEASURES[row['measure']]} {row['same']:.2f}, of two pictures {row['other']:.2f}"
    if row["above_low"] <= 0:
        return f"{title}: shuffled, captions are not shown to be more alike than those of two pictures ({alike})."
    near = "; they are nearly the same" if row["kept_low"] > 0.9 and row["same_low"] > 0.9 else ""
    return f"{title}: a shuffle leaves {kept(row)} of {APART} ({alike}){near}."


def short(row: Mapping[str, Any]) -> float:
    """The share that a shuffle takes, from 0 to 1; 1 where it is not known."""
    return 1.0 if why(row) else min(1.0, max(0.0, 1.0 - float(row["kept"])))


def section(study: Study) -> Section | None:
    """The captions' part of the section on permutation; None without the summary."""
    rows = study.rows("captions_summary")
    if not rows:
        return None
    cells = (
        (
            *(common.title(study, row["suite"]), MEASURES[row["measure"]], str(row["pictures"]), f"{row['words']:.1f}"),
            *(_cell(row, name) for name in ("same", "other", "above", "kept")),
        )
        for row in rows
    )
    columns = ("Suite", "Measure", "Pictures", "Words", "Same picture", "Two pictures", "Difference", "Kept")
    table = Grid("Captions before and after a shuffle", columns, tuple(cells), words=2,
                 files=study.files("captions_summary"), suites=tuple(row["suite"] for row in rows))  # fmt: skip
    titles = {row["suite"]: in_list(common.title(study, row["suite"])) for row in rows}
    return Section(
        anchor="permutation", title="Permutation of image tokens", question="where", claim=claim(rows, titles),
        null=null(rows),
        figures=(common.figure(study, "captions", draw, study.tables["captions_summary"], CAPTION),),
        statements=tuple(Statement(sentence(titles[r["suite"]], r), r["suite"], short(r)) for r in rows),
        tables=(table,), method=METHOD, limits=LIMITS, samples=common.samples(study, "captions", set(titles)),
    )  # fmt: skip


def _cell(row: Row, name: str) -> str:
    return row["reason"] or with_interval(*(row[f"{name}{end}"] for end in _ENDS))


RESULT = Result(
    CAPTIONS,
    Derived(CAPTIONS_SUMMARY, captions_summary),
    draw=draw,
    sections=(section,),
    metrics=(Metric("captions", "example_id", "f1", (), plotted=None, title="Captions alike after a shuffle"),),
)
