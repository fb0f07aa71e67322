"""Whether an answer sees the length of an image token's state: where it does not, gradient times state is zero.

A block with a norm in front sees the direction of a state alone. What else carries a state onward is the residual
stream of its own position, which nobody reads behind the last block but at the last position. So the next-token logits
are a function of degree zero of each image token's state before the last block, and the sum over features of gradient
times state is zero there (Euler), but for the norm's epsilon and rounding. A block without such a norm, or one layer
further down, sees the length as well. Which of both a model is, is tried on one picture and not taken for granted.
"""

from __future__ import annotations

import torch

from backsight.maths import saliency
from backsight.models import contract_parts, gradients, replay
from backsight.models.findings import Finding, Tried
from backsight.models.seam import Seam

LONGER = 4.0  # how much longer states are made; what the epsilon of a norm does falls with the square
FALLEN = 8.0  # how many times smaller the product is then, at least
# An addition across the state falls with the square as well. So what falls is an epsilon's only where it is no more
# than so many times epsilon over the state's mean square.
EPSILONS = 100.0
NAME = "gradient times state at image tokens"


def blind(vlm: Seam) -> tuple[int, ...]:
    """The layers of resid_pre at which gradient times state is zero by construction, the highest first."""
    return tuple(one.layer for one in tried(vlm) if one.blind)


def tried(vlm: Seam, trace: replay.Trace | None = None) -> tuple[Tried, ...]:
    """Layers from the last block's input downwards, to the first at which the length is seen.

    On one small picture, or a recording of one, for a mixture of all logits, so that whatever is read of a token
    counts. A model is tried once, and the cost is not counted.
    """
    if vlm.length_tried is None:
        with vlm.uncounted():
            given = trace or replay.record(vlm, vlm.prepare(contract_parts.examples(vlm)[:1]))
            vlm.length_tried = tuple(_tried(vlm, given))
    return vlm.length_tried


def _tried(vlm: Seam, trace: replay.Trace) -> list[Tried]:
    image = trace.batch.image_mask
    mixed = torch.cos(torch.arange(trace.logits.shape[-1], device=vlm.device)).to(trace.logits.dtype)
    layers: list[Tried] = []
    for layer in range(vlm.n_layers - 1, -1, -1):
        plain = trace.resid_pre(layer)
        longer = plain.clone()
        longer[image] *= LONGER
        slopes = gradients.along_path(trace, layer, [plain, longer], [lambda z: z @ mixed])[0]
        taken = [(g[image].float(), h[image].float()) for g, h in zip(slopes, (plain, longer), strict=True)]
        if not any(g.any() for g, _ in taken):
            layers.append(Tried(layer, False, None))
            break
        shares = [float(saliency.share_of_length(g, h)) for g, h in taken]
        epsilon = getattr(vlm.model.config.get_text_config(), "rms_norm_eps", 1e-5)
        within = float(epsilon / plain[image].float().square().mean(-1).min().clamp_min(1e-30))
        layers.append(Tried(layer, is_blind(*shares, dtype=vlm.dtype, within=within), shares[0]))
        if not layers[-1].blind:
            break
    return layers


def is_blind(plain: float, longer: float, *, dtype: torch.dtype, within: float) -> bool:
    """Whether a share of gradient times state is rounding, or what a norm's epsilon leaves of it.

    That falls with the square of the state's length and is of the size of `within`, epsilon over the mean square.
    """
    fallen = longer <= max(saliency.rounding(), plain / FALLEN)
    return plain <= saliency.rounding(dtype) or (fallen and plain <= EPSILONS * within)


def reach(vlm: Seam, trace: replay.Trace | None = None) -> Finding:
    """Which layers are blind to the length of an image token's state: nothing to fail at, but to know of relevance."""
    words = [
        f"layer {one.layer - vlm.n_layers - 1}: "
        + (
            "no gradient"
            if one.share is None
            else f"{'zero by construction' if one.blind else 'not zero'} ({one.share:.0e})"
        )
        for one in tried(vlm, trace)
    ]
    return Finding(NAME, True, ", ".join(words))
