"""What is said of localization: sentences that are functions of the summary's numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.boxes import FORMS
from backsight.maths.grouping import SMALLEST
from backsight.results.localization.tables import BASELINES, FEW, HIT, MIDDLES
from backsight.results.pages.wording import listed, omitted, whole_percent, with_interval

Row = Mapping[str, Any]
CAPTION = (
    "Mean intersection over union of the boxes that the model names (filled) with the right ones, beside boxes named "
    "for a gray picture, boxes named for other pictures, and the one box that fits the other pictures best (hollow), "
    "with 95 % intervals. A text in which no box can be read counts as 0."
)
METHOD = (
    "Each thing is asked for by name in the format that is named in the table; the model writes greedily, and the "
    "first box of that format in its text is read. A text with no such box, with reversed corners, or with a box that "
    "reaches over the edge by more than a hundredth of the picture is unreadable, and so are pixels or thousandths "
    "none of which is above one: the IoU is 0 and there is no location error.",
    "IoU is the shared area of the named and the right box over the area of both. Location error is the distance of "
    "their middles over the picture's diagonal, of readable boxes only and where there are at least "
    f"{SMALLEST}. Beside it, on the same questions: the mean middle of the other pictures' right boxes, and the boxes "
    "named for a gray picture.",
    "Three baselines stand beside it: the box that is named for a gray picture; the boxes named for the other pictures "
    "of the suite (all pairings, which keeps what the model prefers and takes away what it sees); and the one box of a "
    "grid that fits the other pictures' right boxes best, which needs no model.",
)
LIMITS = (
    "A model that knows where a thing is and writes boxes in another format is unreadable here or misread: fractions "
    "are told from thousandths and pixels, but pixels and thousandths are not told from each other, nor the order of x "
    "and y. See the texts in the rows, and name its format.",
    "A box can fit by the shape that is usual for a thing. The three baselines bound that, and do not exclude it.",
)


def omitted_why(row: Row) -> str:
    """Why a suite has no numbers; empty where it has some."""
    if not row["reason"]:
        return ""
    return omitted(row["questions"], "question") if row["reason"] == FEW else str(row["reason"])


def unreadable(row: Row) -> bool:
    """Whether no box of a suite can be read."""
    return not row["reason"] and row["boxes"] == 0


def number(row: Row) -> str:
    """The mean IoU with its interval."""
    return with_interval(row["iou"], row["iou_low"], row["iou_high"])


def above(row: Row) -> bool:
    """Whether the mean IoU is shown to be above the best baseline's."""
    return row["above_low"] is not None and float(row["above_low"]) > 0


def claim(rows: Sequence[Row], titles: Mapping[str, str]) -> str:
    """How well the named boxes fit, over all suites, the worst first."""
    there = sorted((row for row in rows if not row["reason"]), key=lambda row: float(row["iou"]))
    missing = [f"{titles[row['suite']]} ({row['reason']})" for row in rows if row["reason"]]
    if not there:
        return f"Whether the model can name a thing's box is not shown: {listed(missing)}."
    none = [row for row in there if unreadable(row)]
    no_better = [row for row in there if not unreadable(row) and not above(row)]
    better = [row for row in there if not unreadable(row) and above(row)]
    parts = []
    if none:
        parts.append(f"the model writes no box that can be read in {listed(titles[row['suite']] for row in none)}")
    if no_better:
        in_each = listed(f"{titles[row['suite']]} ({number(row)})" for row in no_better)
        whose = "its" if parts else "the model's"
        parts.append(f"{whose} boxes are not shown to fit better than boxes named without the picture in {in_each}")
    if better:
        in_each = listed(f"{number(row)} in {titles[row['suite']]}" for row in better)
        parts.append(f"the boxes that {'it' if parts else 'the model'} names fit by a mean IoU of {in_each}")
    words = "; ".join(parts)
    beside = f"; not shown in {listed(missing)}" if missing else ""
    return f"Asked where a thing is, {words}{beside}."


def null(rows: Sequence[Row]) -> str:
    """The best of the baselines of the suite where it is highest; empty without numbers."""
    there = [row for row in rows if row["best"] is not None]
    if not there:
        return ""
    most = max(there, key=lambda row: float(row[row["best"]]))
    best = str(most["best"])
    value = with_interval(*(most[f"{best}{end}"] for end in ("", "_low", "_high")))
    return f"Without the picture the mean IoU is {'at most ' if len(there) > 1 else ''}{value} ({BASELINES[best]})."


def sentence(title: str, row: Row) -> str:
    """How well one suite's boxes fit, in the words that the intervals allow."""
    if row["reason"]:
        return f"{title}: whether the model can name a box is {omitted_why(row)}."
    if unreadable(row):
        return (
            f"{title}: none of {row['questions']} texts has a box that can be read as {FORMS[row['form']]} "
            f"(most often: {row['why']}), so the mean IoU is 0."
        )
    readable = whole_percent(row["readable"], row["readable_low"], row["readable_high"])
    hits = whole_percent(row["hit"], row["hit_low"], row["hit_high"])
    best = str(row["best"])
    compared = f"above {BASELINES[best]} ({row[best]:.3f})" if above(row) else (
        f"not shown to be above {BASELINES[best]} ({row[best]:.3f})"
    )  # fmt: skip
    return (
        f"{title}: {readable} of the texts can be read; the mean IoU is {number(row)}, {compared}; {hits} have an IoU "
        f"of at least {HIT:g}; {_off(row)}."
    )


def closer(row: Row) -> bool:
    """Whether the middles of readable boxes are shown to be nearer than the best that is not of the picture."""
    return row["closer_low"] is not None and float(row["closer_low"]) > 0


def _off(row: Row) -> str:
    """How far the middles are off, beside the best that is not of the picture."""
    if row["error"] is None:
        few = row["boxes"] < SMALLEST
        return f"the location error is {omitted(row['boxes'], 'readable text') if few else 'omitted (of one picture)'}"
    error, best = with_interval(row["error"], row["error_low"], row["error_high"]), str(row["error_best"])
    return (
        f"the middle of a readable box is off by {error} of the diagonal, {'' if closer(row) else 'not shown to be '}"
        f"nearer than {MIDDLES[best]} ({row[f'error_{best}']:.3f})"
    )


def short(row: Row) -> float:
    """How far the boxes are from fitting, from 0 to 1; 1 where it is not known."""
    return 1.0 if row["reason"] else 1.0 - float(row["iou"])
