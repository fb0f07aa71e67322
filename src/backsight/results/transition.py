"""The results, from the modules in which their parts still stand; each moves into a file of its own."""

from __future__ import annotations

import pandas as pd

from backsight import schemas
from backsight.figures.controls import flip_summary as draw_flip
from backsight.figures.controls import knockout_summary as draw_knockout
from backsight.figures.controls import moved_summary as draw_moved
from backsight.figures.controls import occlusion_summary as draw_occlusion
from backsight.figures.creg import creg_summary as draw_creg
from backsight.maths.compass import sector_of
from backsight.maths.controls import equivariance, flip_summary, knockout_summary, moved_summary
from backsight.maths.creg import DEFAULT, NULL, creg_pairs, creg_summary
from backsight.maths.creg_choices import creg_choices
from backsight.maths.occlusion import occlusion_summary
from backsight.results.base import Derived, Metric, Result
from backsight.results.sections.compass import compass
from backsight.results.sections.compass_controls import causal
from backsight.results.sections.gallery import gallery


def _compass(frame: pd.DataFrame) -> pd.DataFrame:
    """DAE of methods by the default projection, and what it gains on constant relevance on the same question."""
    plain = frame[frame["projection"] == DEFAULT]
    if plain.empty:
        return plain.assign(gain=plain["dae"])
    null = plain[plain["method"] == NULL].set_index("example_id")["dae"]
    mine = plain[plain["target"].notna() | (plain["method"] == "rollout")]
    return mine.assign(gain=mine["example_id"].map(null) - mine["dae"])


def _occluded(frame: pd.DataFrame) -> pd.DataFrame:
    """COS of the true sector by question and variant: log p with the opposite sector hidden less that with its own."""
    hidden = frame[frame["variant"].notna()]
    count = hidden["sector"].nunique()
    place = (hidden["sector"] / (360.0 / max(count, 1))).round()
    true = hidden["true"].map(lambda angle: sector_of(angle, count))
    keys = ["example_id", "variant"]
    across = hidden[place == (true + count // 2) % count].set_index(keys)["log_p"]
    own = hidden[place == true].set_index(keys)
    return own.assign(cos=across - own["log_p"]).reset_index()


def _mirrored(frame: pd.DataFrame) -> pd.DataFrame:
    """Pearson's r of a compass and its mirror image turned back, a row a question, method and target."""
    frame = _methods(frame)
    if frame.empty:
        return frame.assign(r=frame["share"])
    keys = [name for name in frame if name not in ("sector", "share", "share_mirrored")]
    each = frame.groupby(keys, dropna=False, sort=False)[["share", "share_mirrored"]].apply(equivariance)
    return each.rename("r").reset_index()


def _methods(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of methods: the effects of the tokens are none, nor is what knows no relevance."""
    return frame[~frame["method"].isin(("knockout", NULL, "random_relevance", "point_at_subject", "subject_box"))]


ALL = (
    Result(
        schemas.CREG, Derived(schemas.CREG_SUMMARY, creg_summary),
        (Derived(schemas.CREG_PAIRS, creg_pairs), Derived(schemas.CREG_CHOICES, creg_choices)),
        draw_creg, (compass,),
        (
            Metric(
                "dae", "example_id", "dae", ("method", "target", "prompt"), ("answer",), _compass, better="less",
                plotted={"method": "creg", "target": "prediction"},
            ),
            Metric("dae_gain", "example_id", "gain", ("method", "target", "prompt"), ("answer",), _compass),
        ),
    ),
    Result(
        schemas.KNOCKOUT, Derived(schemas.KNOCKOUT_SUMMARY, knockout_summary), (), draw_knockout, (causal,),
        (Metric("knockout", "example_id", "correlation", ("form", "method"), rows=_methods),),
    ),
    Result(
        schemas.OCCLUSION, Derived(schemas.OCCLUSION_SUMMARY, occlusion_summary, beside="creg"), (), draw_occlusion,
        (causal,), (Metric("cos", "example_id", "cos", ("variant", "prompt"), ("answer",), _occluded),),
    ),
    Result(
        schemas.MOVED, Derived(schemas.MOVED_SUMMARY, moved_summary), (), draw_moved, (causal,),
        (Metric("followed", "example_id", "followed", ("method", "target", "prompt"), ("direction",), _methods,
                better="less"),),
    ),
    Result(
        schemas.FLIP, Derived(schemas.FLIP_SUMMARY, flip_summary), (), draw_flip, (causal, gallery),
        (Metric("mirror", "example_id", "r", ("method", "target", "prompt"), ("direction",), _mirrored),),
    ),
)  # fmt: skip
