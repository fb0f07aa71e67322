"""Controls of what says where evidence lies, on models whose weights are set by hand (`selftest.lookup`).

In the first all evidence lies in the tokens of the subject, in the second in a corner whatever the picture shows, and
in the third nowhere. So relevance must point to the subject of the first, turn with it in a mirror, follow it, and be
what knockout and occlusion act on; of the others it must not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from backsight.maths import compass
from backsight.maths.relevance import BOX, CHOICE, DEFAULT, EFFECTS, FLOOR, METHODS, NULL
from backsight.measurements import Behaviour, Creg, Flip, Knockout, Measurement, Moved, Occlusion, creg, relevance
from backsight.measurements.explain import explained
from backsight.models import by_hand
from backsight.results import RESULTS
from backsight.results.explanation import Explanation
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen

SECTOR = 45.0  # degrees of a compass of eight
CHANCE = 0.25
# What is read of a token before the last block is its normalised state, so that the gradient times the state is zero
# there whatever the model: methods of that one layer have no known answer other than none, and CREG without it is CREG.
# GradCAM looks at the vision encoder, where every cell of a direction is alike.
UNKNOWN = ("single_layer", "single_layer_contrastive", "integrated_gradients_right", "creg_from_third", "gradcam")
KNOWN = tuple(name for name in METHODS if name not in UNKNOWN)
FEW = ("creg", "rollout", "chefer")  # of those that are repeated for a changed picture


def behaviour(bench: Bench) -> Seen:
    """Accuracy where everything is answered right by construction, and where nothing can be seen."""
    scenes = lookup.scenes(bench.count("scenes"))
    shown = bench.rows(bench.lookup(), Behaviour(), scenes, len(scenes)).frame
    blind = bench.rows(bench.lookup("nowhere"), Behaviour(), scenes, len(scenes)).frame
    right = shown.groupby("condition")["choice_correct"].mean()
    return accurate(float(right["picture"]), float(right["gray"]), float(blind["choice_correct"].mean()))


def accurate(picture: float, gray: float, blind: float) -> Seen:
    """Accuracy from the picture, from a gray one, and of a model to which the picture does not come through.

    A quarter of the questions has each answer, and without a picture all have one.
    """
    chance = all(abs(one - CHANCE) < 1e-9 for one in (gray, blind))
    return Seen(f"accuracy {picture:.2f}", picture == 1, f"gray {gray:.2f}, blind {blind:.2f}; chance .25", chance)


def summarised(bench: Bench, measurement: Measurement, evidence: by_hand.Evidence) -> pd.DataFrame:
    """The summary of a measurement of the scenes on one of the models."""
    scenes = lookup.scenes(bench.count("scenes"))
    rows = bench.rows(bench.lookup(evidence), measurement, scenes, len(scenes))
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    return result.summary.make(rows).frame


def of_choice(frame: pd.DataFrame, methods: Sequence[str]) -> pd.DataFrame:
    """The rows of some methods that explain the model's choice, or have no target, by method."""
    target = frame["target"].isna() | (frame["target"] == CHOICE)
    return frame[target & frame["method"].isin(methods)].set_index("method")


def aligned(bench: Bench) -> Seen:
    """CREG and its rivals, with the compass."""
    subject, corner = (
        _default(summarised(bench, Creg(steps=10), name)) for name in ("subject", "corner")
    )  # fmt: skip
    return pointing(of_choice(subject, KNOWN), of_choice(corner, KNOWN), uniform_gain(bench))


def _default(frame: pd.DataFrame) -> pd.DataFrame:
    whole = (frame["samples"] == "all") & (frame["subset"] == "all")
    return frame[whole & (frame["projection"] == DEFAULT)]


def pointing(subject: pd.DataFrame, corner: pd.DataFrame, uniform: float) -> Seen:
    """Improvement over uniform relevance by method: intervals above zero where evidence lies at the subject."""
    fired = (subject["dae_gain_low"] > 0).fillna(False)
    off = (corner["dae_gain_low"] > 0).fillna(False)
    return Seen(
        f"{int(fired.sum())} of {len(KNOWN)} methods; DAE {_degrees(subject['dae'])}",
        bool(fired.sum() == len(KNOWN)),
        f"corner: {int(off.sum())} of {len(KNOWN)} methods; uniform relevance {uniform:+.1f}°",
        not off.any() and uniform == 0,
    )  # fmt: skip


def _degrees(errors: pd.Series[float]) -> str:
    return f"{errors.min():.0f} to {errors.max():.0f}°" if errors.notna().any() else "none"


def uniform_gain(bench: Bench) -> float:
    """The largest improvement over uniform relevance that a uniform map is given, in degrees, of the rows of Creg."""
    examples = lookup.scenes(bench.count("scenes"))
    chosen = relevance.Chosen((1.0, 0.0, 0.0, 0.0), 0, 0)
    gains = []
    for example in examples:
        grid = bench.lookup().grid_of(example.picture)
        shown: dict[tuple[str, relevance.Target], compass.Floats] = {("creg", "prediction"): np.full(len(grid), 3.0)}
        rows = pd.DataFrame(creg.sample_rows(example, grid, chosen, shown))
        at = rows[rows["projection"] == DEFAULT].set_index("method")["dae"]
        gains.append(float(at[NULL] - at["creg"]))
    return max(gains, key=abs)


def knockout(bench: Bench) -> Seen:
    """The effect of each token taken away."""
    methods = ("creg", "rollout")
    subject, nowhere = (summarised(bench, Knockout(methods=methods), name) for name in ("subject", "nowhere"))
    return effects(subject, nowhere)


def effects(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Summaries of Knockout: the direction of the effects, and that there are none where no evidence is."""
    own = subject[subject["method"] == EFFECTS].set_index("form")["dae"].astype(float)
    floor = subject[subject["method"] == FLOOR].set_index("form")["dae"].astype(float)
    boxes = subject[subject["method"] == BOX]["correlation"].astype(float)
    none = nowhere[nowhere["method"] == EFFECTS]
    there = int(none["angles"].sum())
    fires = bool((own <= floor + SECTOR / 2).all() and len(own) and (boxes > 0).all())
    angles = ", ".join(f"{form} {value:.0f}°" for form, value in own.items())
    return Seen(
        f"effects point to the subject: {angles} off", fires,
        f"effects in {there} question{'' if there == 1 else 's'}", there == 0 and len(none) > 0,
    )  # fmt: skip


def occlusion(bench: Bench) -> Seen:
    """What hiding one sector does to the answer."""
    subject, nowhere = (summarised(bench, Occlusion(varied=0), name) for name in ("subject", "nowhere"))
    return hidden(subject, nowhere)


def hidden(subject: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """Causal occlusion scores of the true sector, on the model's choice among the options."""
    one, other = (
        frame[(frame["sector"] == "true") & (frame["of"] == CHOICE) & (frame["over"] == "options")].iloc[0]
        for frame in (subject, nowhere)
    )
    return Seen(
        f"COS {one['score']:.2f} [{one['low']:.2f}, {one['high']:.2f}]", bool(one["low"] > 0),
        f"COS {other['score']:.2g}, change {other['change']:.2g}",
        bool(abs(other["score"]) < 1e-6 and abs(other["change"]) < 1e-6),
    )  # fmt: skip


def flip(bench: Bench) -> Seen:
    """The compass in a mirror."""
    subject, corner = (summarised(bench, Flip(methods=FEW), name) for name in ("subject", "corner"))
    return turned(of_choice(subject, FEW), of_choice(corner, ("creg",)))


def turned(subject: pd.DataFrame, corner: pd.DataFrame) -> Seen:
    """Pearson's r of the compass and that of the mirrored picture turned back."""
    least, most = float(subject["low"].min()), float(corner["high"].max())
    return Seen(
        f"r at least {least:.2f} of {len(subject)} methods", len(subject) == len(FEW) and least >= 0.9,
        f"corner: r at most {most:.2f}", most < 0.5,
    )  # fmt: skip


def moved(bench: Bench) -> Seen:
    """The compass when the subject is put elsewhere."""
    subject, corner = (summarised(bench, Moved(methods=FEW), name) for name in ("subject", "corner"))
    return followed(of_choice(subject, FEW), of_choice(corner, FEW))


def followed(subject: pd.DataFrame, corner: pd.DataFrame) -> Seen:
    """How much nearer than uniform relevance the compass follows."""
    fired, off = ((frame["gain_low"] > 0).fillna(False) for frame in (subject, corner))
    return Seen(
        f"{int(fired.sum())} of {len(FEW)} methods follow; off by {_degrees(subject['followed'])}",
        bool(fired.sum() == len(FEW)),
        f"corner: {int(off.sum())} of {len(FEW)} methods follow", not off.any() and len(corner) > 0,
    )  # fmt: skip


def explain(bench: Bench) -> Seen:
    """The explanation of single answers."""
    examples = lookup.scenes(bench.count("scenes"))
    shown = [[explained(bench.lookup(name), e) for e in examples] for name in ("subject", "nowhere")]
    return told(*shown)


def told(subject: Sequence[Explanation], nowhere: Sequence[Explanation]) -> Seen:
    """Explanations whose peak is the sector that the subject lies in, and explanations with a peak at all."""
    right = sum(e.dae is not None and e.dae <= SECTOR / 2 for e in subject)
    peaks = sum(e.peak is not None for e in nowhere)
    return Seen(
        f"the subject's sector in {right} of {len(subject)}", right == len(subject) > 0,
        f"a direction in {peaks} of {len(nowhere)}", peaks == 0 and len(nowhere) > 0,
    )  # fmt: skip


SUBJECT = "by hand, evidence at the subject"
CORNER = "by hand, evidence in a corner"
NOWHERE = "by hand, no evidence"

CONTROLS: tuple[Control, ...] = (
    Control("behaviour", "accuracy", f"{SUBJECT}: every answer right",
            f"a gray picture, and {NOWHERE}: a quarter right, as by one answer", behaviour),
    Control("creg", f"compass of {len(KNOWN)} methods", f"{SUBJECT}: each nearer than uniform relevance",
            f"{CORNER}: none nearer; a uniform map: no improvement over itself", aligned),
    Control("knockout", "effects of tokens", f"{SUBJECT}: effects point to it", f"{NOWHERE}: no effects", knockout),
    Control("occlusion", "score of the true sector", f"{SUBJECT}: above zero", f"{NOWHERE}: zero", occlusion),
    Control("moved", "the compass follows", f"{SUBJECT}: every method follows", f"{CORNER}: none does", moved),
    Control("flip", "the compass in a mirror", f"{SUBJECT}: turns, r near 1", f"{CORNER}: does not turn", flip),
    Control("explain", "direction of one answer", f"{SUBJECT}: its sector", f"{NOWHERE}: no direction", explain),
)  # fmt: skip
