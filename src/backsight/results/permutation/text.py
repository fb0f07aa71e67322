"""The section's words: fixed ones, and sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.results.pages.wording import points_within, whole_percent

NEGLIGIBLE = 0.1  # of the accuracy above chance; less than that is what a shuffle "hardly" takes
CAPTION = (
    "Share of the accuracy above chance that a shuffle of the image tokens takes, with 95 % intervals. Filled: "
    "questions of where a thing is; hollow: questions of what is there, which need no position. Dashed: nothing is "
    "lost (0), and chance is left (1)."
)
METHOD = (
    "The image tokens are shuffled behind the projector, in several orders that are fixed by the picture. The Position "
    "Sensitivity Index (PSI) is (accuracy - accuracy shuffled) / accuracy (Beyond Semantics, arXiv 2503.17349); the "
    "corrected index divides by the accuracy above chance. It is one less the share that position pathways give for "
    "the same shuffle, there of more questions.",
    "Positions kept: the tokens' contents change places, each place in the prompt keeps its rotary position. Positions "
    "moved along: each token keeps the rotary position of its cell, and only its place in the order of the prompt "
    "changes; what this takes went by causal order, or by an attention window that ends within the picture.",
    "At text norm: each image token is first rescaled to the mean norm of the prompt's text tokens, its direction kept "
    "(the intervention behind the claim that large norms drown positions).",
    "Answers are read out between two alternatives where a question has them, else among all options.",
)
LIMITS = (
    "A shuffle also tears apart things that cover several tokens; what questions of what is there lose tells how much "
    "of the loss that is.",
    "An index near zero does not say that a model has no position encoding: what the vision encoder wrote into the "
    "tokens moves along with them.",
    "Rescaled tokens are outside of what the model was trained on; a loss there does not show that norms carry "
    "position.",
)
NOTE = "PSI divides the loss by the accuracy, the corrected index by the accuracy above chance."
NORM_NOTE = (
    "Gain: accuracy at text norm less that at the tokens' own norm, paired. More lost: how much more accuracy the "
    "shuffle takes at text norm. p by sign flips over images, Holm's over the suite."
)
BOTH_WAYS = (
    "Image tokens see one another both ways in this model, so their order in the prompt changes no answer: positions "
    "moved along are not asked."
)
NO_SEMANTIC = "Of some pictures no question of what is there could be asked."
# What a shuffle takes, from all of the accuracy above chance to less than nothing.
TAKEN = {"all": "as good as all", "part": "a part", "none": "no measurable part", "hardly": "hardly any",
         "rises": "less than nothing"}  # fmt: skip
ABOVE = "of the accuracy above chance"
WHY = {"few questions": "there are too few questions", "not above chance": "accuracy is not above chance"}


def why(row: Mapping[str, Any]) -> str:
    """Why a row has no index, in words that go on behind "where" and "since"."""
    reason = str(row["reason"])
    return WHY.get(reason, reason)


def taken(row: Mapping[str, Any]) -> str:
    """A key of `TAKEN`, as the interval of the corrected index allows it; "omitted" without an index."""
    if row["reason"]:
        return "omitted"
    low, high = row["corrected_low"], row["corrected_high"]
    if high < 0:
        return "rises"
    if low <= 0:
        return "hardly" if high < NEGLIGIBLE else "none"
    return "all" if high >= 1 and low > 0.5 else "part"


def index(row: Mapping[str, Any]) -> str:
    """The corrected index in percent, with its interval."""
    return whole_percent(row["corrected"], row["corrected_low"], row["corrected_high"])


def rescaled(row: Mapping[str, Any]) -> str:
    """What rescaling to the text's norm does to the accuracy and to what a shuffle takes, by intervals and p."""
    if row["gain"] is None or row["loss_gain"] is None:
        return ""
    gain = f"accuracy {_change(row, 'gain', 'rises', 'falls', 'does not measurably change')}"
    return f"{gain} and a shuffle takes {_change(row, 'loss_gain', 'more', 'less', 'no measurably different part')}"


def helps(row: Mapping[str, Any]) -> bool:
    """Whether rescaling does what it must if large norms drown positions: more is correct, or a shuffle takes more."""
    return any(row[f"{name}_low"] > 0 and row[f"{name}_p"] < 0.05 for name in ("gain", "loss_gain"))


def _change(row: Mapping[str, Any], name: str, up: str, down: str, none: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    shown = (low > 0 or high < 0) and row[f"{name}_p"] < 0.05
    return f"{none if not shown else up if value > 0 else down} ({points_within(value, low, high)})"
