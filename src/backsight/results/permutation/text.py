"""The section's words: fixed ones, and sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.pages.wording import percent, whole_percent

NEGLIGIBLE = 0.1  # of the accuracy above chance; less than that is what a shuffle "hardly" takes
CAPTION = (
    "Share of the accuracy above chance that is lost when the image tokens are shuffled behind the projector, with "
    "95 % intervals. Filled: questions of where a thing is. Hollow: questions of what is there, which need no "
    "position. Dashed: nothing is lost, and chance is left."
)
METHOD = (
    "The image tokens of each picture are shuffled behind the projector, in several orders that are fixed by the "
    "picture. The Position Sensitivity Index is (accuracy - accuracy shuffled) / accuracy (Beyond Semantics, arXiv "
    "2503.17349); the corrected index divides by the accuracy above chance, so that 1 is chance whatever chance is.",
    "Positions kept: the tokens' contents change places and each place in the prompt keeps its rotary position. "
    "Positions moved along: each token keeps the rotary position of its cell, and its place in the order of the prompt "
    "alone changes. What the second shuffle takes went by causal order, or by an attention window that ends "
    "within the picture. Where image tokens see one another both ways in all layers, moved positions change no answer, "
    "by construction, and are not asked.",
    "At text norm: before anything else each image token is rescaled to the mean norm of the prompt's text tokens, its "
    "direction kept. It is the intervention behind the claim that large norms of image tokens drown their positions.",
    "Answers are read out between two alternatives where a question has them (chance is one half), else among all "
    f"options. Intervals hold 95 % over images: Fieller's of both indices. With fewer than {SMALLEST} questions, or an "
    "accuracy that is not told from chance, there is no index: a model that guesses loses nothing by a shuffle.",
)
LIMITS = (
    "A shuffle also tears things apart that cover several tokens; what questions of what is there lose by it tells how "
    "much of the loss that is.",
    "An index near zero does not say that a model has no position encoding: what the vision encoder wrote into the "
    "tokens moves along with them.",
    "A rescaled token stands outside of what the model was trained on; that it is answered worse does not show that "
    "norms carry position.",
)
NOTE = (
    "PSI as published divides the loss by the accuracy, the corrected index by the accuracy above chance. Gain: "
    "accuracy at text norm less that at the tokens' own norm, paired. More lost: how much more accuracy the shuffle "
    "takes at text norm. p by sign flips over images, Holm's over the suite."
)


def loss(row: Mapping[str, Any]) -> str:
    """What a shuffle takes of the accuracy above chance, in the words that its interval allows."""
    if row["reason"]:
        return f"omitted ({row['reason']})"
    words = whole_percent(row["corrected"], row["corrected_low"], row["corrected_high"])
    if row["corrected_high"] < 0:
        return f"accuracy rises ({words} of the accuracy above chance is lost)"
    if row["corrected_low"] <= 0:
        return f"no loss is shown ({words} of the accuracy above chance)"
    if row["corrected_high"] >= 1 and row["corrected_low"] > 0.5:
        return f"as good as all of the accuracy above chance is lost ({words})"
    return f"{words} of the accuracy above chance is lost"


def claim(row: Mapping[str, Any]) -> str:
    """Whether the shuffle hardly changes the answers, as the blog post says of many models; empty without an index."""
    if row["reason"]:
        return ""
    if row["corrected_high"] < NEGLIGIBLE:
        return "a shuffle hardly changes these answers"
    return "a shuffle changes these answers" if row["corrected_low"] > NEGLIGIBLE else "whether it matters is open"


def rescaled(row: Mapping[str, Any]) -> str:
    """What rescaling to the text's norm does to the accuracy and to what a shuffle takes, by intervals and p."""
    if row["gain"] is None or row["loss_gain"] is None:
        return ""
    gain = f"accuracy {_change(row, 'gain', 'rises', 'falls', 'does not measurably change')}"
    more = f"a shuffle takes {_change(row, 'loss_gain', 'more', 'less', 'no measurably different share')} of it"
    return f"{gain}; {more}"


def _change(row: Mapping[str, Any], name: str, up: str, down: str, none: str) -> str:
    value, low, high = (row[f"{name}{end}"] for end in ("", "_low", "_high"))
    shown = (low > 0 or high < 0) and row[f"{name}_p"] < 0.05
    word = none if not shown else up if value > 0 else down
    return f"{word} ({'+' if value > 0 else ''}{percent(value)} [{100 * low:.1f}, {100 * high:.1f}])"
