"""What each repair corrects, breaks and costs beside nothing and beside its controls, from the rows of Tournament.

A repair is worth having where it answers more held-out questions right than nothing does, and more than each of its
controls, and loses no class of question. Both comparisons are Fisher's paired randomisation test with the picture as
its unit (`maths.comparison.sign_flips`; with one question a picture it is McNemar's exact test). The larger of the two
p-values stands for both (Berger, Multiparameter hypothesis testing and acceptance sampling, 1982), and is corrected by
Holm over the repairs of a set. So under no effect of any repair one is named in at most 5 % of such sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from backsight.maths.comparison import sign_flips
from backsight.maths.grouping import SMALLEST, expect, groups
from backsight.maths.intervals import difference_over_images, holm, mean_over_images
from backsight.results.tournament import schema as of
from backsight.results.tournament.classes import classes, lost_by
from backsight.tables import Table

Row = dict[str, Any]


def summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """A row for nothing, the blank image, each repair and each control; first of the held-out questions, then of the
    relation that is absent from training; then what is left out, with the reason as its setting."""
    expect(rows, "tournament")
    matched: list[Row] = []
    frame = rows.frame
    suite = set_name(rows)
    lost = lost_by(classes(rows, smallest=smallest).rows())
    for part in (of.SCORE, of.ABSENT):
        asked = frame[frame["part"] == part]
        if len(asked):
            matched += _part(asked, suite, part, lost if part == of.SCORE else {}, smallest)
    for row in frame[frame["part"] == of.LEFT_OUT].to_dict("records"):
        named = {"suite": suite, "part": of.LEFT_OUT, "repair": row["repair"], "setting": row["setting"]}
        matched.append(named | {"upper_bound": bool(row["upper_bound"]), "verdict": of.LEFT_OUT})
    return Table.of(of.SUMMARY, [dict.fromkeys(of.SUMMARY.columns) | row for row in matched], rows.provenance)


def set_name(rows: Table) -> str:
    """What the held-out questions are called: their suite, or where there are several the set."""
    suites = list(dict.fromkeys(rows.frame.loc[rows.frame["part"] == of.SCORE, "suite"]))
    named = rows.provenance.get("samples")
    return str(suites[0]) if len(suites) == 1 else str(named or "all")


def _part(asked: pd.DataFrame, suite: str, part: str, lost: Mapping[str, str], smallest: int) -> list[Row]:
    """The rows of one part."""
    values = Answers(asked)
    common = {"suite": suite, "part": part, "trained": _first(asked, "trained")}
    common |= {"questions": len(values.images), "failures": int((~values.right).sum())}
    common |= {"failed_images": len(np.unique(values.images[~values.right]))}
    matched: list[Row] = []
    for (repair, control), group in groups(asked, ["repair", "control"]):
        named = control and str(control)
        about = {"repair": repair, "control": named, "setting": _first(group, "setting"), "cost": _cost(group)}
        about |= {"upper_bound": bool(group["upper_bound"].iloc[0])}
        matched.append(common | about | values.numbers(str(repair), named, smallest))
    tried = [row for row in matched if row["control"] is None and row["repair"] not in (of.NONE, of.BLANK)]
    for row in tried:
        row |= values.beside(row["repair"], [r for r in matched if r["repair"] == row["repair"] and r["control"]])
        row["lost"] = lost.get(row["repair"])
    corrected(tried)
    for row in tried:
        row["verdict"] = verdict(row, smallest) if part == of.SCORE else _supplied(row, smallest)
    return matched


class Answers:
    """Right or wrong by question (question,), in one order, of nothing, each repair and the mean of each control."""

    def __init__(self, asked: pd.DataFrame) -> None:
        plain = asked[asked["repair"] == of.NONE]
        self.ids = plain["example_id"].astype(str)
        self.images: NDArray[Any] = plain["image_id"].astype(str).to_numpy()
        self.right = plain["correct"].astype(bool).to_numpy()
        self._frame = asked
        self.free = self._values(plain, "free_correct")

    def _of(self, repair: str, control: str | None) -> pd.DataFrame:
        mine = self._frame["repair"] == repair
        named = self._frame["control"].isna() if control is None else self._frame["control"] == control
        return self._frame[mine & named.fillna(False)]

    def _values(self, rows: pd.DataFrame, column: str) -> NDArray[np.float64] | None:
        """The mean over draws by question; None where a read-out was not made."""
        if rows[column].isna().any():
            return None
        mean = rows.assign(value=rows[column].astype(float)).groupby("example_id")["value"].mean()
        return mean.reindex(self.ids).to_numpy(dtype=float)

    def numbers(self, repair: str, control: str | None, smallest: int) -> Row:
        """Accuracy by both read-outs, and the shares of failures corrected and of right answers broken."""
        rows = self._of(repair, control)
        correct, free = self._values(rows, "correct"), self._values(rows, "free_correct")
        assert correct is not None
        everything = np.ones(len(correct), dtype=bool)
        shares = {"accuracy": (correct, everything)}
        if free is not None:
            shares["free"] = (free, everything)
        if repair not in (of.NONE, of.BLANK):
            shares |= {"corrected": (correct, ~self.right), "broken": (1 - correct, self.right)}
        numbers: Row = {}
        for name, (values, chosen) in shares.items():
            enough = name in ("accuracy", "free") or int(chosen.sum()) >= smallest
            interval = mean_over_images(values[chosen], self.images[chosen]) if enough else None
            low, high = ("low", "high") if name == "accuracy" else (f"{name}_low", f"{name}_high")
            numbers |= {name: interval and interval.mean, low: interval and interval.low}
            numbers[high] = interval and interval.high
        return numbers

    def beside(self, repair: str, controls: list[Row]) -> Row:
        """A repair's paired differences from nothing, and from the control that it is hardest to tell from."""
        correct, free = (self._values(self._of(repair, None), name) for name in ("correct", "free_correct"))
        assert correct is not None
        row = self._difference("gain", "p_nothing", correct - self.right)
        row["p_free"] = None
        if free is not None and self.free is not None:
            row |= self._difference("free_gain", "p_free", free - self.free)
        hardest: tuple[float, float] | None = None
        for one in controls:
            other = self._values(self._of(repair, one["control"]), "correct")
            assert other is not None
            against = self._difference("lead", "p_control", correct - other)
            # The control that is ahead is harder to beat than any that is behind; then the larger p is.
            rank = (float(against["lead"] <= 0), against["p_control"])
            if hardest is None or rank > hardest:
                hardest = rank
                row |= against | {"nearest": one["control"]}
        best = max((self._best_draw(repair, one["control"]) for one in controls), default=-1.0)
        row["above_draws"] = bool(controls) and bool(correct.mean() > best)
        return row

    def _difference(self, name: str, p_name: str, values: NDArray[np.float64]) -> Row:
        interval = difference_over_images(values, self.images)
        ends = {f"{name}_low": interval.low, f"{name}_high": interval.high}
        return {name: interval.mean, **ends, p_name: sign_flips(values, self.images)}

    def _best_draw(self, repair: str, control: str) -> float:
        """The accuracy of a control's best draw."""
        rows = self._of(repair, control)
        return float(rows.assign(value=rows["correct"].astype(float)).groupby("draw")["value"].mean().max())


def corrected(tried: list[Row]) -> None:
    """Holm's correction over the repairs of a part; an upper bound is no candidate, but is tried, and counts."""
    for name, p_values in (
        ("p_nothing_holm", [row["p_nothing"] for row in tried]),
        ("p_control_holm", [row.get("p_control", 1.0) for row in tried]),
        ("p_holm", [max(row["p_nothing"], row.get("p_control", 1.0)) for row in tried]),
        ("p_free_holm", [1.0 if row["p_free"] is None else row["p_free"] for row in tried]),
    ):
        for row, adjusted in zip(tried, holm(p_values), strict=True):
            row[name] = adjusted
    for row in tried:
        if row.pop("p_free") is None:
            row["p_free_holm"] = None


def verdict(row: Row, smallest: int = SMALLEST) -> str:
    """What is to be said of a repair, from its numbers in the summary."""
    gains = row["gain"] > 0 and row["p_nothing_holm"] < of.LEVEL
    if row["upper_bound"]:
        return of.BOUND
    if row["gain"] < 0 and row["p_nothing_holm"] < of.LEVEL:
        return of.HARMS
    if of.lowers(row):
        return of.LOWERS
    if row["failures"] < smallest or row["failed_images"] < smallest:
        return of.FEW
    if not gains:
        free = row.get("free_gain")
        return of.FORMAT if free is not None and free > 0 and row["p_free_holm"] < of.LEVEL else of.NOTHING
    if row["p_holm"] >= of.LEVEL or not row["lead"] > 0 or not row["above_draws"]:
        return of.CONTROL
    return of.PRICE if row["lost"] else of.WINS


def _supplied(row: Row, smallest: int) -> str:
    """Of the absent relation: whether a repair changes its accuracy."""
    if row["p_nothing_holm"] >= of.LEVEL:
        return of.FEW if row["failures"] < smallest else of.NOTHING
    return of.MORE if row["gain"] > 0 else of.FEWER


def _first(rows: pd.DataFrame, column: str) -> Any:
    value = rows[column].iloc[0]
    return None if pd.isna(value) else value


def _cost(rows: pd.DataFrame) -> float | None:
    value = rows["cost"].astype(float).mean()
    return None if pd.isna(value) else float(value)
