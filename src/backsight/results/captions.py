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
from backsight.results.pages.wording import whole_percent, with_interval
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
    "pictures (hollow), with 95 % intervals over pictures."
)
METHOD = (
    "Each picture is described in one sentence, greedily, as it is and with its image tokens shuffled behind the "
    "projector (positions kept). Token F1 is SQuAD's, on words in lower case without punctuation and articles; "
    "sentence similarity is the cosine of mean-pooled embeddings of a model that the user gives.",
    "The null is a caption beside those of other pictures of the set. Kept is (same - other) / (1 - other): of what "
    "sets a picture's caption apart from another's, how much is left.",
)
LIMITS = (
    "Captions that stay alike may name the same things and place them elsewhere: words are counted, not relations.",
    "A caption that says little of its picture stays alike whatever is done to it; the null shows that.",
)
LEAD = "Captions before and after the image tokens are shuffled:"


def sentence(title: str, row: Mapping[str, Any]) -> str:
    """How much of what sets a caption apart is left, in the words that the intervals allow."""
    if row["reason"] or row["kept"] is None:
        return f"{title}: omitted ({row['reason'] or 'captions of all pictures are the same'})"
    kept = whole_percent(row["kept"], row["kept_low"], row["kept_high"])
    alike = f"{MEASURES[row['measure']]} {row['same']:.2f}, of two pictures {row['other']:.2f}"
    if row["above_low"] <= 0:
        return f"{title}: not shown to be more alike than those of two pictures ({alike})"
    near = " and are nearly the same" if row["kept_low"] > 0.9 and row["same_low"] > 0.9 else ""
    return f"{title}: they keep {kept} of what sets them apart from other pictures'{near} ({alike})"


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
                 files=study.files("captions_summary"))  # fmt: skip
    view = common.figure(study, "captions", draw, study.tables["captions_summary"], CAPTION)
    suites = {row["suite"] for row in rows}
    built = Section(
        anchor="permutation", title="Permutation of image tokens", question="where", figures=(view,), tables=(table,),
        method=METHOD, limits=LIMITS, samples=common.samples(study, "captions", suites),
    )  # fmt: skip
    sentences = tuple(Statement(sentence(common.title(study, r["suite"]), r)) for r in rows)
    return built.concluding(LEAD, sentences)


def _cell(row: Row, name: str) -> str:
    return row["reason"] or with_interval(*(row[f"{name}{end}"] for end in _ENDS))


RESULT = Result(
    CAPTIONS,
    Derived(CAPTIONS_SUMMARY, captions_summary),
    draw=draw,
    sections=(section,),
    metrics=(Metric("captions", "example_id", "f1", (), plotted=None, title="Captions alike after a shuffle"),),
)
