"""How much of a state gradient times state sees at each of CREG's layers: the cosine of both at image tokens.

python benchmarks/layers.py: the median over the image tokens of eight pictures (Pairs, prompt A, contrastive score), by
model, precision and layer. At layer -2 it is zero by construction (docs/method.md, models/reach_contract.py).
"""

from __future__ import annotations

import torch

from backsight import stimuli
from backsight.measurements import relevance
from backsight.models import gradients, replay
from backsight.models.opening import load

DEPTH = 3


def main() -> None:
    for name in ("plain", "gemma", "vision"):
        vlm = load(f"builtin:{name}")
        asked = stimuli.pairs(vlm.grid, scenes=8).where(lambda e: e.tags["prompt"] == "A").items
        for dtype in (torch.float64, torch.float32, torch.bfloat16):
            vlm.model.to(dtype)
            batch = vlm.prepare(asked)
            trace = replay.record(vlm, batch)
            upper = gradients.Upper.of(trace, DEPTH)
            chosen = relevance.maps(vlm, batch, [], trace=trace).chosen
            slopes = upper.gradients(relevance.score(vlm, batch, chosen, "truth", contrastive=True))
            for back, (slope, state) in enumerate(zip(slopes, upper.states, strict=True)):
                g, h = (values.detach()[batch.image_mask].double() for values in (slope, state))
                median = torch.cosine_similarity(g, h, dim=-1).abs().median()
                print(f"{name}, {dtype}, layer {-2 - back}: {median:.1e}")


if __name__ == "__main__":
    main()
