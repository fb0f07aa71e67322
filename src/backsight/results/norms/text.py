"""The section's words: fixed ones, and sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST, spans
from backsight.results.norms.tables import shown
from backsight.results.pages.wording import listed, percent
from backsight.results.permutation.text import rescaled

CAPTION = (
    "Left: mean norms of image and text tokens by layer, with the middle 90 % of the tokens. Right: the share of the "
    "variance of image tokens that row and column explain beyond what they show, with 95 % intervals over pictures, "
    "and dotted that of positions shifted around each picture. Layer 0 is the language model's input."
)
METHOD = (
    "Norms are those of the residual stream before each block of the language model, and of what each block of the "
    "vision encoder gives (the mean of a token's patches). Text tokens are all tokens of the prompt that are neither "
    "of the picture nor padding; the first of them may be a sink with a norm of its own, so medians stand beside.",
    "Position's share is a partial R^2 over all features together: states are regressed on what a token shows (the "
    "thing in whose box it lies, part of one, or none), on its row and on its column, all as categories. Each picture "
    "is centred by itself; effects are fitted on one half of the pictures and scored on the other, so that a factor "
    "that explains nothing has a share of zero or a little less. Object tokens and the others are fitted apart.",
    "The null is the same fit with each picture's rows and columns shifted around its grid, as far as is sampled "
    "for the picture, so that neighbours stay neighbours. Where p (sign flips over pictures, Holm's "
    "over layers and groups) is below .05 and the interval of the difference lies above zero, position is said to be "
    f"there. Fewer than {SMALLEST} pictures are omitted.",
)
LIMITS = (
    "It is the linear, additive part of position that is common to all pictures: what depends on the picture is not in "
    "it.",
    "In photographs what is shown goes with position (sky is above); there a share is no evidence of a position "
    "encoding by itself.",
    "A model can use a direction that holds little of the variance: a small share is no proof that position is not "
    "read. Shuffles and rescaled tokens, in the section on permutation, are the interventions.",
    "Rotary positions are not in the states at all: they act inside of attention.",
)
NOTE = (
    "Ratio: mean norm of image tokens over that of text tokens. Shares are partial R^2; those of shifted positions "
    "stand in brackets behind them."
)
GROUP_WORDS = {"objects": "object tokens", "rest": "the other image tokens"}


def norms(row: Mapping[str, Any]) -> str:
    """The norms at one layer and their ratio."""
    both = f"{row['image_mean']:.3g} and {row['text_mean']:.3g}"
    return f"norms of image tokens are {ratio(row)} times those of text tokens ({both})"


def ratio(row: Mapping[str, Any]) -> str:
    """The ratio of the mean norms with its interval."""
    return f"{row['ratio']:.3g} [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]"


def signal(row: Mapping[str, Any]) -> str:
    """What position explains at one layer, by group of tokens."""
    parts = []
    for name, words in GROUP_WORDS.items():
        if row[name] is None:
            continue
        share, null = percent(row[name]), percent(row[f"{name}_null"])
        if shown(row, name):
            parts.append(f"{share} of the variance of {words} (shifted positions {null})")
        else:
            parts.append(f"no known share of that of {words} ({share}, shifted positions {null})")
    if not parts:
        return "beyond what they show, image tokens do not vary: there is nothing for position to explain"
    return f"row and column explain {listed(parts)}"


def layers(rows: Sequence[Mapping[str, Any]]) -> str:
    """The layers of the language model at which position is there, by group of tokens; of one suite."""
    parts = []
    for name, words in GROUP_WORDS.items():
        of = [row for row in rows if row["site"] == "resid_pre" and row[name] is not None]
        if not of:
            continue
        there = [row["layer"] for row in of if shown(row, name)]
        best = max(of, key=lambda row: float(row[name]) if shown(row, name) else 0.0)
        largest = f", most at {best['layer']} ({percent(best[name])})" if there else ""
        parts.append(f"in {words} at {f'layers {spans(there)}' if there else 'no layer'}{largest}")
    return f"position is there {'; '.join(parts)}" if parts else ""


def drowned(row: Mapping[str, Any], permuted: Mapping[str, Any] | None) -> str:
    """Whether rescaling to the text's norm does what it must if norms drown positions; empty without the intervention.

    `row` are the norms at the language model's input, `permuted` the summary of the shuffle at text norm.
    """
    if permuted is None or not (words := rescaled(permuted)):
        return ""
    helped = any(
        permuted[f"{name}_low"] > 0 and permuted[f"{name}_p"] < 0.05 for name in ("gain", "loss_gain")
    )  # fmt: skip
    if row["ratio_high"] <= 1:
        verdict = "image tokens are not longer than text tokens here, so no position can be drowned that way"
    elif row["ratio_low"] <= 1 and not helped:
        verdict = "image tokens are not shown to be longer than text tokens here"
    elif helped:
        verdict = "as the claim has it that large norms drown positions"
    else:
        verdict = "the claim that large norms drown positions is not confirmed here"
    return f"with image tokens at text norm, {words}: {verdict}"
