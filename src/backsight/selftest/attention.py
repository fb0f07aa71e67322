"""Controls of attention, on models whose weights are set by hand (`selftest.lookup`).

In the last block of the first the answer position attends to the red subject and to nothing else, and all that the
answer is made of comes by that one head. In the one without evidence every score is zero, so that attention is uniform:
each part of the prompt gets the share of its length, each box that of its area.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from backsight.measurements import Heads, Looking, Measurement, Modalities
from backsight.models import by_hand
from backsight.results import RESULTS
from backsight.results.heads import DEPENDS, verdict
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen
from backsight.selftest.evidence import CHANCE, NOWHERE, SUBJECT

READING = by_hand.BLOCKS - 1  # the block in which the last position looks
EXACT = 1e-6
SPREAD = 0.1  # of the answers' shares in a half of the scenes


def _summary(bench: Bench, measurement: Measurement, evidence: by_hand.Evidence) -> pd.DataFrame:
    scenes = lookup.scenes(bench.count("rows"))  # as halves are to have ten questions
    rows = bench.rows(bench.lookup(evidence), measurement, scenes, len(scenes))
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    return result.summary.make(rows).frame


def modalities(bench: Bench) -> Seen:
    """The share of the image at each layer."""
    return shared(*(_summary(bench, Modalities(), name) for name in ("subject", "nowhere")))


def shared(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Summaries of Modalities: nearly all to the image where it is looked at, else the share of its length."""
    one = subject[subject["layer"] == READING].iloc[0]
    fires = bool(one["image"] > 0.9 and one["over_low"] > 0)
    off = float((nowhere["image"] - nowhere["image_uniform"]).abs().max())
    return Seen(
        f"image {one['image']:.2f}, uniform {one['image_uniform']:.2f}", fires,
        f"at most {off:.1g} from uniform attention", off < EXACT,
    )  # fmt: skip


def looking(bench: Bench) -> Seen:
    """How well attention finds the subject at each layer."""
    return finding(*(_summary(bench, Looking(), name) for name in ("subject", "nowhere")))


def finding(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Summaries of Looking: the reading block finds the subject, no other does, and uniform scores find nothing."""
    one, none = (frame[(frame["answered"] == "all") & frame["head"].isna()] for frame in (subject, nowhere))
    one = one[one["target"] == "subject"].set_index("layer")
    there = one.loc[READING]
    below = bool(one[one.index < READING]["finds"].any())
    off = float(max((none["auroc"] - 0.5).abs().max(), (none["share"] - none["area"]).abs().max()))
    return Seen(
        f"AUROC {there['auroc']:.2f}, gray picture {there['gray']:.2f}",
        bool(there["finds"] and there["auroc"] > 0.99 and not below),
        f"AUROC and shares at most {off:.1g} from .5 and area", off < EXACT and not none["finds"].any(),
    )  # fmt: skip


def heads(bench: Bench) -> Seen:
    """What is lost with the reading head, and with any other."""
    return depending(*(_summary(bench, Heads(top=1), name) for name in ("subject", "nowhere")))


def depending(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Summaries of Heads: accuracy falls to chance with the one head that reads, and other heads change nothing."""
    mine, none = ({row["condition"]: row for row in _rows(frame)} for frame in (subject, nowhere))
    plain, chosen, random = (mine[name] for name in ("plain", "chosen", "random"))
    sentences = verdict(none["plain"], none["chosen"])
    return Seen(
        f"accuracy {plain['accuracy']:.2f}, {chosen['accuracy']:.2f} without head {chosen['heads']}",
        bool(chosen["heads"] == f"{READING}.0" and chosen["accuracy"] <= CHANCE + SPREAD
             and verdict(plain, chosen) == DEPENDS),
        f"{random['accuracy']:.2f} without others; {sentences}", random["change"] == 0 and sentences != DEPENDS,
    )  # fmt: skip


def _rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a frame, with None for what is missing."""
    return [{str(k): None if pd.isna(v) else v for k, v in row.items()} for row in frame.to_dict("records")]


CONTROLS: tuple[Control, ...] = (
    Control("modalities", "share of the image", f"{SUBJECT}: nearly all, where it is read",
            f"{NOWHERE}: the share of its length", modalities),
    Control("looking", "attention finds the subject", f"{SUBJECT}: AUROC 1 at the block that reads, at no other",
            f"{NOWHERE}: .5, and the share of its area", looking),
    Control("heads", "ablation of the head that looks", f"{SUBJECT}: accuracy falls to chance, more than by others",
            f"random heads of it: nothing lost; {NOWHERE}: no head is evidence", heads),
)  # fmt: skip
