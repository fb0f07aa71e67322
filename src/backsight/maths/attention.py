"""Where attention goes: shares of the parts of a prompt, and how well it finds a box.

Attention of a query is a distribution over the positions that it sees. Its null is the uniform one over the same
positions, which gives each part of the prompt the share that its length has. Within the image the question is one of
ranks: does a token inside of a box get more than one outside? That probability is the AUROC; it knows no threshold, and
.5 is what any attention gets that does not depend on where the box is.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

PARTS = ("image", "system", "question")
TIE = 0.01  # of the uniform share: tokens whose attention differs by less count as a tie, the more so the nearer


class Prompt(NamedTuple):
    """The parts of one prompt, each a mask over its positions (position,), padding in none.

    `image` are the image tokens, `system` all before the last of them that is none (template and system sentence),
    `question` all behind the last. `first` is the first position alone, where attention sinks.
    """

    image: Mask
    system: Mask
    question: Mask
    first: Mask


def parts_of(image: Mask, seen: Mask) -> Prompt:
    """The parts of a prompt with image tokens at `image` (position,); `seen` is false at padding."""
    place = np.arange(len(image))
    last = int(place[image].max())
    first = place == int(place[seen].min())
    return Prompt(image, seen & ~image & (place < last), seen & (place > last), first)


def share(attention: Floats, part: Mask) -> Floats:
    """What a part (position,) gets of attention (..., position)."""
    given: Floats = attention[..., part].sum(-1)
    return given


def balance(image: Floats, question: Floats) -> Floats:
    """Cross-Modality Balance: image / (image + question), the system prompt left out; NaN where neither gets any.

    Source: Beyond Semantics (arXiv 2503.17349). With the system prompt among the text it is the share of the image.
    """
    total = image + question
    balanced: Floats = np.divide(image, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return balanced


def auroc(scores: Floats, inside: Floats, *, tie: float = TIE) -> Floats:
    """The probability that a token inside of a region has the higher score than one outside, (region,).

    `scores` are (token,). `inside` (region, token) is the share of each token's cell that lies in a region: a token
    counts as inside with that weight and as outside with the rest. Scores nearer than `tie` times their mean count as a
    tie in proportion to how near they are (Mann and Whitney's U with a ramp in place of its step), so that rounding
    moves nothing. NaN where nothing is inside, or nothing outside.
    """
    order = np.argsort(scores, kind="stable")
    value, one, other = scores[order], inside[:, order], 1 - inside[:, order]
    reach = max(tie * float(value.mean()), np.finfo(float).tiny) if len(value) else 1.0
    centred = value - (value.mean() if len(value) else 0.0)
    start = np.searchsorted(value, value - reach, side="left")
    end = np.searchsorted(value, value + reach, side="right")
    below, weighted = _summed(other), _summed(other * centred)
    near = below[:, end] - below[:, start]
    ramp = 0.5 * near + (near * centred - (weighted[:, end] - weighted[:, start])) / (2 * reach)
    won = (one * (below[:, start] + ramp)).sum(1)
    pairs = one.sum(1) * other.sum(1)
    area: Floats = np.divide(won, pairs, out=np.full(len(pairs), np.nan), where=pairs > 1e-12)
    return area


def _summed(values: Floats) -> Floats:
    """Sums (region, token + 1) of all before each token."""
    return np.concatenate([np.zeros((len(values), 1)), np.cumsum(values, axis=1)], axis=1)


def sinks(shown: Floats, gray: Floats, times: float) -> Mask:
    """Tokens (token,) that get more than `times` the uniform share of the image's attention whatever is shown.

    That is, both in the picture and in a uniform gray one: `shown` and `gray` (token,) are attention to the image
    tokens, the mean over a layer's heads. Objects are no sinks by this rule, since the gray picture has none.
    """
    mask: Mask = (shown > times * shown.mean()) & (gray > times * gray.mean())
    return mask
