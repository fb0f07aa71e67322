"""The results, from the modules in which their parts still stand; each moves into a file of its own."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from backsight import schemas
from backsight.figures.amplification import amplify_summary as draw_amplify
from backsight.figures.behaviour import behaviour_summary as draw_behaviour
from backsight.figures.image_interchange import image_interchange_summary as draw_image_interchange
from backsight.figures.interchange import interchange_summary as draw_interchange
from backsight.figures.position_budget import position_budget as draw_position_budget
from backsight.figures.probe_maps import probe_maps as draw_probe_maps
from backsight.figures.probes import probes_summary as draw_probes
from backsight.figures.roads import roads_summary as draw_roads
from backsight.maths import summaries
from backsight.results import creg, flip, knockout, moved, occlusion
from backsight.results.base import Derived, Metric, Result
from backsight.results.sections.amplification import amplification
from backsight.results.sections.behaviour import behaviour
from backsight.results.sections.images import backup, image_interchange
from backsight.results.sections.interchange import interchange
from backsight.results.sections.positions import positions
from backsight.results.sections.probes import probes
from backsight.results.sections.roads import roads


def _answers(frame: pd.DataFrame) -> pd.DataFrame:
    """Answers to the picture by both read-outs, all together and by direction."""
    shown = frame[frame["condition"] == "picture"]
    every = pd.concat([shown.assign(direction="all"), shown[shown["direction"].notna()]])
    read = {"options": "choice_correct", "free": "free_correct"}
    return pd.concat([every.assign(read_out=name, right=every[column]) for name, column in read.items()])


def _kept(frame: pd.DataFrame) -> pd.DataFrame:
    """Pairs that both runs answer right; the place stands in what is called the ordinal answer."""
    return frame[frame["kept"].fillna(False)].assign(outcome="ordinal")


def _standard(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["shown"] == "standard"]


def _repaired(*, failures: bool) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Answers with the probes' directions at the chosen alpha, to what was a failure before, or was right."""

    def rows(frame: pd.DataFrame) -> pd.DataFrame:
        scored = frame[frame["part"] == "score"]
        plain = scored[scored["directions"] == "none"].set_index("example_id")["correct"].astype(bool)
        tried = scored[(scored["directions"] == "probe") & scored["chosen"].fillna(False)]
        was_right = tried["example_id"].map(plain).astype(bool)
        mine = tried[was_right != failures]
        return mine.assign(corrected=mine["correct"].astype(float), broken=1 - mine["correct"].astype(float))

    return rows


ALL = (
    Result(
        schemas.BEHAVIOUR, Derived(schemas.BEHAVIOUR_SUMMARY, summaries.behaviour_summary),
        (Derived(schemas.WHATSUP_SUMMARY, summaries.whatsup_summary),), draw_behaviour, (behaviour,),
        (
            Metric(
                "accuracy", "example_id", "right", ("direction", "prompt", "read_out"), ("question", "answer"),
                _answers, plotted={"direction": "all", "read_out": "options"}, title="Accuracy",
            ),
        ),
    ),
    Result(
        schemas.ROADS, Derived(schemas.ROADS_SUMMARY, summaries.roads_summary), (), draw_roads, (roads,),
        (Metric("roads", "example_id", "correct_of_two", ("condition", "asked"), ("answer",),
                title="Accuracy between two, roads closed"),),
        leads=True,
    ),
    Result(
        schemas.INTERCHANGE, Derived(schemas.INTERCHANGE_SUMMARY, summaries.interchange_summary),
        (Derived(schemas.ORDER_LAYERS, summaries.order_layers, of="summary"),), draw_interchange, (interchange,),
        (Metric("interchange", "pair_id", "p_ordinal", ("outcome",), rows=_kept, layered=True,
                title="Interchange at the last token"),),
    ),
    Result(
        schemas.PROBES, Derived(schemas.PROBES_SUMMARY, summaries.probes_summary), (), draw_probes, (probes,),
        (Metric("probes", "example_id", "objects", ("arrangement", "site"), rows=_standard, layered=True,
                title="Probes"),),
    ),
    Result(schemas.PROBE_MAPS, draw=draw_probe_maps),
    Result(
        schemas.IMAGE_INTERCHANGE, Derived(schemas.IMAGE_INTERCHANGE_SUMMARY, summaries.image_interchange_summary),
        (Derived(schemas.FLIP_LAYERS, summaries.flip_layers, of="summary"), Derived(schemas.AXES, summaries.axes)),
        draw_image_interchange, (image_interchange, backup),
        (Metric("image_interchange", "pair_id", "p_flipped", ("tokens", "vision"), rows=_kept, layered=True,
                title="Interchange of image tokens"),),
    ),
    creg.RESULT,
    knockout.RESULT,
    occlusion.RESULT,
    moved.RESULT,
    flip.RESULT,
    Result(schemas.POSITION_BUDGET, draw=draw_position_budget, sections=(positions,)),
    Result(
        schemas.AMPLIFY, Derived(schemas.AMPLIFY_SUMMARY, summaries.amplify_summary), (), draw_amplify,
        (amplification,),
        (
            Metric("corrected", "example_id", "corrected", ("form",), rows=_repaired(failures=True),
                   title="Amplification: failures corrected"),
            Metric("broken", "example_id", "broken", ("form",), rows=_repaired(failures=False), better="less",
                   title="Amplification: right answers broken"),
        ),
    ),
)  # fmt: skip
