"""Language prior against pixels: what is made of the rows of `Priors`."""

from __future__ import annotations

import pandas as pd

from backsight.results.base import Derived, Metric, Result
from backsight.results.priors.section import draw, section
from backsight.results.priors.tables import PRIORS, PRIORS_SUMMARY, priors_summary

__all__ = ["PRIORS", "PRIORS_SUMMARY", "RESULT", "draw", "priors_summary"]


def followed(frame: pd.DataFrame) -> pd.DataFrame:
    """Whether each answer upside down follows the pixels, and whether it stays what was right upright."""
    turned = frame[(frame["asked"] == "where") & (frame["condition"] == "upside down")]
    sides = [
        turned.assign(follows=name, share=(turned["choice"] == turned[column]).astype(float))
        for name, column in (("pixels", "answer"), ("prior", "upright"))
    ]
    return pd.concat(sides, ignore_index=True)


def _of(name: str, frame: pd.DataFrame) -> pd.DataFrame:
    sides = followed(frame)
    return sides[sides["follows"] == name]


def _pixels(frame: pd.DataFrame) -> pd.DataFrame:
    return _of("pixels", frame)


def _prior(frame: pd.DataFrame) -> pd.DataFrame:
    return _of("prior", frame)


RESULT = Result(
    PRIORS,
    summary=Derived(PRIORS_SUMMARY, priors_summary),
    draw=draw,
    sections=(section,),
    later=("excess_null",),
    metrics=(
        Metric("upside_down_pixels", "example_id", "share", ("prompt",), ("direction",), _pixels,
               title="Upside down: answers that follow the pixels"),
        Metric("upside_down_prior", "example_id", "share", ("prompt",), ("direction",), _prior, better="less",
               title="Upside down: answers that stay as they were right upright"),
    ),
)  # fmt: skip
