"""The section's words: fixed ones, and sentences that follow from the numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import spans
from backsight.results.norms.tables import shown
from backsight.results.pages.wording import listed, omitted, whole_percent
from backsight.results.permutation.text import helps, rescaled

CAPTION = (
    "The share of the variance of image tokens that row and column explain beyond what the tokens show, with 95 % "
    "intervals; dotted, the same of shifted positions. Layer 0 is the language model's input."
)
NORM_CAPTION = "Mean norms of image and text tokens by layer, on a logarithmic scale. Layer 0 is the input."
METHOD = (
    "Norms are those of the residual stream before each block of the language model, and of the output of each block "
    "of the vision encoder (the mean of a token's patches). Text tokens are all tokens of the prompt that are neither "
    "of the picture nor padding; the first of them may be a sink, so the table has medians too.",
    "Position's share is a partial R^2: states are regressed on what a token shows (the thing in whose box it lies, "
    "part of one, or none), on its row and on its column, all as categories. Each picture is centred by itself; "
    "effects are fitted on one half of the pictures and scored on the other, so a factor that explains nothing has a "
    "share of zero or a little less. Object tokens and the others are fitted apart.",
    "The null is the same fit with each picture's rows and columns shifted around its grid. A share counts as shown "
    "where p (sign flips over pictures, Holm's over layers and groups) is below .05 and the interval of the difference "
    "from the null lies above zero.",
)
LIMITS = (
    "Only the linear, additive part of position that is common to all pictures is in the share.",
    "In photographs what is shown goes with position (sky is above): there a share is no evidence of a position "
    "encoding.",
    "A model can use a direction that holds little of the variance. The shuffles and rescaled tokens of the section on "
    "permutation are the interventions.",
    "Rotary positions act inside of attention and are not in the states at all.",
)
NORM_NOTE = "Ratio: mean norm of image tokens over that of text tokens."
SHARE_NOTE = "Shares are partial R^2, in brackets behind them those of shifted positions."
UNSHOWN = "are not shown to explain any"
BEYOND = " beyond both zero and shifted positions"
GROUPS = {"objects": "object tokens", "rest": "the other image tokens"}
Row = Mapping[str, Any]
Titles = Mapping[str, str]


def claim(rows: Sequence[Row], titles: Titles) -> str:
    """What position explains at the language model's input over all suites, what is not shown before what is."""
    there = [row for row in rows if not row["omitted"]]
    if not there:
        return f"Norms and positional signal are {omitted(min(row['pictures'] for row in rows), 'picture')}."
    explain = {name: words for name in GROUPS if (words := _explained(there, name, titles))}
    if not explain:
        return "Beyond what they show, image tokens do not vary at the language model's input: no position is shown."
    unshown = [name for name, words in explain.items() if words == (UNSHOWN, BEYOND)]
    near = _nearest(there, unshown, titles) if unshown else ""
    if len(unshown) > 1:
        explain = {"all": (UNSHOWN, BEYOND)}
    first, *others = sorted(explain, key=lambda name: explain[name][0] != UNSHOWN)
    suites = f" ({len(there)} suites)" if len(there) > 1 else f" ({titles[there[0]['suite']]})"
    start = f"{explain[first][0]} of the variance of {GROUPS.get(first, 'image tokens')} at the language model's input"
    rest = "".join(f"; of {GROUPS[name]} they {''.join(explain[name])}" for name in others)
    return f"Row and column {start}{explain[first][1]}{suites}{near}{rest}."


def _explained(rows: Sequence[Row], name: str, titles: Titles) -> tuple[str, str] | None:
    """What row and column do to the variance of one group of tokens: before and behind its name; None where it has
    none. That is the least share over suites, and the suites in which none is shown."""
    of = [row for row in rows if row[name] is not None]
    there = [row for row in of if shown(row, name)]
    if not there:
        return (UNSHOWN, BEYOND) if of else None
    least = min(there, key=lambda row: float(row[name]))
    words = f"{'at least ' if len(there) > 1 else ''}{explained(least, name)}"
    lacking = [titles[row["suite"]] for row in of if not shown(row, name)]
    if lacking:
        return UNSHOWN, f"{BEYOND} in {listed(lacking)}, and explain {words} elsewhere"
    return f"explain {words}", ""


def _nearest(rows: Sequence[Row], names: Sequence[str], titles: Titles) -> str:
    """Of groups of tokens in which no share is shown, the one furthest above shifted positions, with its numbers."""
    of = [(row, name) for row in rows for name in names if row[name] is not None]
    row, name = max(of, key=lambda one: float(one[0][f"{one[1]}_above"]))
    where = [GROUPS[name]] if len(names) > 1 else []
    where += [f"in {titles[row['suite']]}" if where else titles[row["suite"]]] if len(rows) > 1 else []
    start = f"; nearest {'are' if len(names) > 1 else 'is'} {' '.join(where)}: " if where else ": "
    return f"{start}{_beside(row, name)}"


def _beside(row: Row, name: str) -> str:
    """A share beside that of shifted positions."""
    shifted = whole_percent(*(row[f"{name}_null{end}"] for end in ("", "_low", "_high")))
    return f"{explained(row, name)}, shifted positions {shifted}"


def null(rows: Sequence[Row]) -> str:
    """What shifted positions explain at the language model's input, the most over suites and groups of tokens."""
    shares = [[row[f"{name}_null{end}"] for end in ("", "_low", "_high")] for row in rows for name in GROUPS
              if row[name] is not None]  # fmt: skip
    if not shares:
        return ""
    most = max(shares, key=lambda one: float(one[0]))
    return f"Positions shifted around each picture explain {whole_percent(*most)} at most."


def explained(row: Row, name: str) -> str:
    """The share of a group's variance that position explains, with its interval."""
    return whole_percent(row[name], row[f"{name}_low"], row[f"{name}_high"])


def ratio(row: Row) -> str:
    """The ratio of the mean norms with its interval."""
    return f"{row['ratio']:.3g} [{row['ratio_low']:.3g}, {row['ratio_high']:.3g}]"


def position(title: str, entering: Row, rows: Sequence[Row]) -> str:
    """What position explains in one suite, at the language model's input and through its layers.

    `entering` is the row of the input, `rows` those of all layers.
    """
    parts: list[str] = []
    for name, words in GROUPS.items():
        if entering[name] is None:
            continue
        known = shown(entering, name)
        share = f"explain {explained(entering, name)}" if known else UNSHOWN
        beside = "" if known else f"{BEYOND} ({_beside(entering, name)})"
        of = (
            f"of {words} they {share}" if parts else f"{share} of the variance of {words} at the language model's input"
        )
        parts.append(f"{of}{beside}, {_layers(rows, name)}")
    if not parts:
        return f"{title}: beyond what they show, image tokens do not vary, so there is nothing for position to explain."
    return f"{title}: row and column {'; '.join(parts)}."


def _layers(rows: Sequence[Row], name: str) -> str:
    """The layers of the language model at which position is shown in a group of tokens, and where most."""
    of = [row for row in rows if row["site"] == "resid_pre" and row[name] is not None]
    there = [row for row in of if shown(row, name)]
    if not there:
        return "shown at no layer"
    best = max(there, key=lambda row: float(row[name]))
    layers = [int(row["layer"]) for row in there]
    if len(there) == 1:
        return f"shown at layer {layers[0]} only ({explained(best, name)})"
    return f"shown at layers {spans(layers)}, most at layer {best['layer']} ({explained(best, name)})"


def short(rows: Sequence[Row]) -> float:
    """The part of one suite's layers and groups of tokens at which position is not shown."""
    asked = [(row, name) for row in rows if row["site"] == "resid_pre" for name in GROUPS if row[name] is not None]
    return 1 - sum(shown(row, name) for row, name in asked) / len(asked) if asked else 1.0


def norms(title: str, row: Row, permuted: Row | None) -> str:
    """The norms at the language model's input, and whether rescaling does what it must if norms drown positions.

    `permuted` is the summary of the shuffle at text norm; None where it was not asked.
    """
    start = (
        f"{title}: norms of image tokens are {ratio(row)} times those of text tokens at the language model's input "
        f"({row['image_mean']:.3g} and {row['text_mean']:.3g})"
    )
    words = rescaled(permuted) if permuted is not None else ""
    if permuted is None or not words:
        return f"{start}."
    if row["ratio_high"] <= 1:
        verdict = "large norms cannot drown positions here"
    elif helps(permuted):
        verdict = "this is what the claim that large norms drown positions predicts"
    elif row["ratio_low"] <= 1:
        verdict = "image tokens are not shown to be longer than text tokens"
    else:
        verdict = "the claim that large norms drown positions is not confirmed"
    return f"{start}; at text norm, {words}: {verdict}."
