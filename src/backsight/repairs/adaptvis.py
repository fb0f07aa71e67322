"""ScalingVis and AdaptVis: attention of the last prompt position to the image, reweighted before the softmax.

As run by their authors, `multiplied` is a factor on raw, signed scores, after the rotary embedding and before mask and
softmax: in every layer and head, of the last query row and the image's columns, for the prompt and not for decoded
tokens. A negative score with a factor above 1 gets *less* attention, so this is no temperature. The other forms are
what one might mean instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.models import attention
from backsight.models.prompts import Batch
from backsight.models.sites import AnyTokens, Edit, Positions, SiteName
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.base import Fitted, Repair

Form = Literal["multiplied", "added", "temperature"]
FORMS: tuple[Form, ...] = ("multiplied", "added", "temperature")
LOW, HIGH = (0.5, 0.8), (1.2, 1.5, 2.0)  # the authors' weights
PUBLISHED = 0.4  # the authors' threshold on What'sUp's set A
QUANTILES = tuple(q / 10 for q in range(1, 10))
LARGEST = 10.0


def reweighted(scores: Tensor, weight: Tensor | float, form: Form, prompts: Tensor) -> Tensor:
    """Scores (entry, head) of some columns, of one query row a prompt, with more or less attention to them.

    `weight` is a number or one an entry (entry, 1), `prompts` (entry,) says whose an entry is. `multiplied`: weight
    times the score. `added`: log weight on top, which multiplies the odds of these columns against all others by the
    weight. `temperature`: weight times the score, shifted so that these columns together get the attention that they
    had; where a window of attention ends among them, the columns outside of it are counted too.
    """
    weight = torch.as_tensor(weight, dtype=torch.float32, device=scores.device)
    if form == "added":
        return (scores.float() + weight.log()).to(scores.dtype)
    scaled = scores.float() * weight
    if form == "temperature":
        before, behind = (_log_sum(values, prompts) for values in (scores.float(), scaled))
        scaled = scaled + (before - behind)[prompts]
    return scaled.to(scores.dtype)


def _log_sum(values: Tensor, prompts: Tensor) -> Tensor:
    """log of the sum of exp of values (entry, head) a prompt, (prompt, head)."""
    count = int(prompts.max()) + 1
    index = prompts[:, None].expand_as(values)
    largest = values.new_full((count, values.shape[1]), -math.inf).scatter_reduce(0, index, values, "amax")
    total = torch.zeros_like(largest).scatter_add(0, index, (values - largest[prompts]).exp())
    return largest + total.log()


def _columns(target: int | None) -> Positions:
    return "image" if target is None else AnyTokens(target)


class OfScores(Fitted):
    """A repair of attention scores."""

    sites: ClassVar[tuple[SiteName | Literal["logits"], ...]] = ("scores",)

    def check(self, vlm: VLM) -> None:
        """CannotAnswer where a layer has no attention, or none that can be replaced."""
        super().check(vlm)
        attention.refuse(vlm.model, vlm.parts.layers, self.name)


@dataclass(frozen=True)
class ScaledAttention(OfScores):
    """One weight for all questions. With a `target` the columns are sampled by that seed: the control."""

    name: ClassVar[str] = "scalingvis"

    weight: float
    form: Form = "multiplied"
    target: int | None = None

    def __post_init__(self) -> None:
        _demand_weights(self.weight)
        _demand_form(self.form)

    @property
    def group(self) -> str:
        """Factors commute with factors, constants with constants, and temperatures of the same columns."""
        return _group(self.form, self.target)

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One edit of the scores of the last row."""
        return (
            Edit("scores", lambda rows, prompts: reweighted(rows, self.weight, self.form, prompts),
                 positions="last", keys=_columns(self.target), by_prompt=True),
        )  # fmt: skip

    def control(self, seed: int) -> ScaledAttention:
        """A random target: the same weight on as many columns, sampled from the whole prompt, text and image alike.

        So it does not prefer the image. Which columns follows from the seed and the prompt.
        """
        return replace(self, target=seed)


@dataclass(frozen=True)
class AdaptedAttention(OfScores):
    """Weight `low` where the plain answer's confidence is below `threshold`, else `high`."""

    name: ClassVar[str] = "adaptvis"
    passes: ClassVar[float] = 2.0

    threshold: float
    low: float
    high: float
    form: Form = "multiplied"
    target: int | None = None

    def __post_init__(self) -> None:
        _demand_weights(self.low, self.high)
        _demand_form(self.form)
        _demand_threshold(self.threshold)

    @property
    def group(self) -> str:
        """As of one weight: the gate looks at the pass without gated edits, whatever else is applied."""
        return _group(self.form, self.target)

    def gate(self, logits: Tensor) -> Tensor:
        """The weight of each prompt (batch,) by its plain next-token logits (batch, vocabulary)."""
        return torch.where(choosing.sureness(logits) < self.threshold, self.low, self.high)

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        """One gated edit of the scores of the last row."""
        return (
            Edit("scores", lambda rows, weight, prompts: reweighted(rows, weight[:, None], self.form, prompts),
                 positions="last", keys=_columns(self.target), gate=self.gate, by_prompt=True),
        )  # fmt: skip

    def control(self, seed: int) -> AdaptedAttention:
        """A random target, as of `ScaledAttention`, with the same gate."""
        return replace(self, target=seed)


@dataclass(frozen=True)
class ScalingVis(Repair):
    """One `weight` for all questions; None chooses it among the authors' five on the development split.

    Of equally accurate weights the one nearest to 1 is taken, as a ratio. UsageError for a weight outside of
    0 < weight <= 10, or an unknown form.
    """

    name: ClassVar[str] = "scalingvis"

    weight: float | None = None
    form: Form = "multiplied"

    def __post_init__(self) -> None:
        _demand_weights(*([] if self.weight is None else [self.weight]))
        _demand_form(self.form)

    def fit(self, vlm: VLM, examples: ExampleSet) -> ScaledAttention:
        """The weight that answers most of the development split right; UsageError where that is empty."""
        choosing.demand_some(examples, self.name)
        tried = [ScaledAttention(w, self.form) for w in ((*LOW, *HIGH) if self.weight is None else (self.weight,))]
        tried[0].check(vlm)
        if len(tried) == 1:
            return tried[0]
        right = [float(choosing.outcome(vlm, examples, one).right.mean()) for one in tried]
        return choosing.best((one, share, abs(math.log(one.weight))) for one, share in zip(tried, right, strict=True))


@dataclass(frozen=True)
class AdaptVis(Repair):
    """A weight by confidence: `low` below `threshold`, else `high`; what is None is chosen on the development split.

    Weights are the authors' (low .5 or .8, high 1.2, 1.5 or 2), thresholds their .4 and the deciles of the
    development split's confidences. Of equally accurate choices the one is taken whose weights change least there (the
    mean |log weight|), of those the lowest threshold. UsageError for weights outside of 0 < weight <= 10, a threshold
    outside of 0 .. 1, or an unknown form.
    """

    name: ClassVar[str] = "adaptvis"

    threshold: float | None = None
    low: float | None = None
    high: float | None = None
    form: Form = "multiplied"

    def __post_init__(self) -> None:
        _demand_weights(*(w for w in (self.low, self.high) if w is not None))
        _demand_form(self.form)
        if self.threshold is not None:
            _demand_threshold(self.threshold)

    def fit(self, vlm: VLM, examples: ExampleSet) -> AdaptedAttention:
        """The choice that answers most of the development split right.

        UsageError where that is empty, or where every threshold leaves all of its questions on one side: that is one
        constant weight.
        """
        choosing.demand_some(examples, self.name)
        lows = LOW if self.low is None else (self.low,)
        highs = HIGH if self.high is None else (self.high,)
        AdaptedAttention(0.5, lows[0], highs[0], self.form).check(vlm)
        confidence = choosing.outcome(vlm, examples).confidence
        thresholds = _thresholds(confidence, self.threshold)
        if len(thresholds) == len(lows) == len(highs) == 1:
            return AdaptedAttention(thresholds[0], lows[0], highs[0], self.form)
        right = {
            w: choosing.outcome(vlm, examples, ScaledAttention(w, self.form)).right for w in dict.fromkeys(lows + highs)
        }

        def tried(threshold: float, low: float, high: float) -> tuple[AdaptedAttention, float, float]:
            unsure = confidence < threshold
            share = float(np.where(unsure, right[low], right[high]).mean())
            change = float(np.where(unsure, abs(math.log(low)), abs(math.log(high))).mean())
            return AdaptedAttention(threshold, low, high, self.form), share, change

        return choosing.best(tried(t, low, high) for t in thresholds for low in lows for high in highs)


def constant(fitted: AdaptedAttention, vlm: VLM, examples: ExampleSet) -> ScaledAttention:
    """The control of the gate: the better of both weights for every question, by the development split."""
    both = [ScaledAttention(weight, fitted.form) for weight in (fitted.low, fitted.high)]
    right = [float(choosing.outcome(vlm, examples, one).right.mean()) for one in both]
    return choosing.best((one, share, abs(math.log(one.weight))) for one, share in zip(both, right, strict=True))


def _thresholds(confidence: np.ndarray, given: float | None) -> list[float]:
    """Thresholds with development questions on both sides, ascending; UsageError where there is none."""
    asked = {PUBLISHED, *_deciles(confidence)} if given is None else {given}
    split = [float(t) for t in sorted(asked) if 0 < (confidence < t).mean() < 1]
    if split:
        return split
    raise UsageError(
        "No threshold has development questions on both sides, so that the gate would be a constant weight",
        where=f"{len(confidence)} questions, confidence {confidence.min():.4g} to {confidence.max():.4g}",
        got=f"threshold {given:g}" if given is not None else "equal confidences",
        do="give a threshold within that range, or use ScalingVis",
    )  # fmt: skip


def _deciles(confidence: np.ndarray) -> list[float]:
    """The middles between the two confidences around each decile: no question stands on one of them."""
    ordered = np.sort(confidence)
    above = [min(max(round(q * len(ordered)), 1), len(ordered) - 1) for q in QUANTILES] if len(ordered) > 1 else []
    return [float(ordered[k - 1] + ordered[k]) / 2 for k in above]


def _group(form: Form, target: int | None) -> str:
    return f"scores {form}" + (f" {target}" if form == "temperature" else "")


def _demand_weights(*weights: float) -> None:
    wrong = [weight for weight in weights if not 0 < weight <= LARGEST]
    if wrong:
        raise UsageError(
            "A weight of attention is outside of its range", got=", ".join(f"{w:g}" for w in wrong),
            do=f"give more than 0 and at most {LARGEST:g}; 1 changes nothing",
        )  # fmt: skip


def _demand_form(form: str) -> None:
    if form not in FORMS:
        raise UsageError(
            "There is no such form of reweighted attention", got=form, do=f"choose from: {', '.join(FORMS)}"
        )


def _demand_threshold(threshold: float) -> None:
    if not 0 <= threshold <= 1:
        raise UsageError("A threshold of confidence is a probability", got=threshold, do="give 0 to 1")
