"""What amplification gains of accuracy, question by question, from the rows of Amplify."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from backsight.maths.comparison import LEVEL, sign_flips
from backsight.maths.grouping import groups
from backsight.maths.intervals import Interval, difference_over_images
from backsight.results.amplification.tables import ALL
from backsight.results.pages.study import Study, text
from backsight.tables import Table

NEEDED = {"example_id", "image_id", "suite", "part", "form", "directions", "chosen", "correct"}


class Gain(NamedTuple):
    """The change of accuracy at the chosen alpha, and the lead over random directions at the same alpha.

    Both are paired by question, images as units; each has its p-value by Fisher's randomisation test.
    """

    gain: Interval
    p_nothing: float
    lead: Interval
    p_control: float

    @property
    def shown(self) -> bool:
        """Whether there is more accuracy with it than without, and than with random directions."""
        ahead = self.gain.low > 0 and self.lead.low > 0
        return ahead and max(self.p_nothing, self.p_control) < LEVEL

    @property
    def harms(self) -> bool:
        """Whether there is less accuracy with it than without."""
        return self.gain.high < 0 and self.p_nothing < LEVEL


def gains(rows: Table, form: str = "projected") -> dict[str, Gain]:
    """The gain by suite on the scored part, `ALL` first where there are several; only where all three were asked."""
    scored = rows.frame[rows.frame["part"] == "score"]
    parts: list[tuple[str, pd.DataFrame]] = [(str(suite), group) for (suite,), group in groups(scored, ["suite"])]
    if len(parts) > 1:
        parts = [(ALL, scored), *parts]
    by_suite = {suite: _gain(group, form) for suite, group in parts}
    return {suite: one for suite, one in by_suite.items() if one is not None}


def _gain(rows: pd.DataFrame, form: str) -> Gain | None:
    mine = rows[(rows["form"] == form).fillna(False) & rows["chosen"].astype("boolean").fillna(False)]
    plain = _by_question(rows[rows["directions"] == "none"])
    probe, random = (_by_question(mine[mine["directions"] == kind]) for kind in ("probe", "random"))
    both = random.index.intersection(probe.index)
    if probe.empty or both.empty:
        return None
    images = rows.drop_duplicates("example_id").set_index("example_id")["image_id"].astype(str)
    gain, lead = probe - plain.reindex(probe.index), probe[both] - random[both]
    of_gain, of_lead = images.reindex(gain.index), images.reindex(both)
    return Gain(
        difference_over_images(gain, of_gain), sign_flips(gain, of_gain),
        difference_over_images(lead, of_lead), sign_flips(lead, of_lead),
    )  # fmt: skip


def _by_question(rows: pd.DataFrame) -> pd.Series[float]:
    """The share of correct answers by question, over draws."""
    return rows.assign(value=rows["correct"].astype(float)).groupby("example_id")["value"].mean()


def gains_of(study: Study) -> dict[str, Gain]:
    """The gains in a study, from its stored rows; none where they are not there or are of an earlier layout."""
    tables = [table for one in study.sets_of("amplify") for table in study.tables_of("amplify", text(one.get("name")))]
    known = [table for table in tables if table.schema.name == "amplify" and table.schema.columns.keys() >= NEEDED]
    return gains(Table.concat(known)) if known else {}
