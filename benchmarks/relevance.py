"""What relevance costs, and what it gains over captum doing the same.

A random Qwen2-VL shape, eager attention. FLOPs are counted by torch's counter in forward equivalents (a plain Hugging
Face call, vision encoder and all logits included) a sample, backward passes included; seconds are the median of several
runs, in turn. Captum runs CREG's gradients (four layers, two targets) and integrated gradients (the same points, two
targets) on the same model and prompts. Run: python benchmarks/relevance.py [--json] [--layers 28] [--width 256]
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from captum.attr import IntegratedGradients, LayerGradientXActivation
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from backsight.maths import saliency
from backsight.measurements import relevance
from backsight.models import reach_contract
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from replay import call, prompts, seconds, shape

OPTIONS = ("red", "user")
PARTS: dict[str, tuple[str, ...]] = {
    "CREG": ("creg",),
    "integrated gradients": ("integrated_gradients",),
    "rollout, GradCAM, Chefer": ("rollout", "gradcam", "chefer"),
    "all methods": tuple(relevance.METHODS),
}
LIMITS = {"CREG": 1.6, "all methods": 11.0}
CHUNK = 10  # points of the path that captum's forward takes at once


class NoModules:
    """Stands for the counter's tracker of modules, which cannot follow a backward pass down to a module's input."""

    parents = frozenset({"Global"})

    def __enter__(self) -> NoModules:
        return self

    def __exit__(self, *_: object) -> None:
        return None


def flops(work: Callable[[], object]) -> int:
    """FLOPs of some work and its backward passes, by torch's counter."""
    counter = FlopCounterMode(display=False)
    counter.mod_tracker = NoModules()
    with counter:
        work()
    return int(counter.get_total_flops())


def asked(vlm: VLM, tokens: int, count: int) -> Batch:
    """Prompts with two options, the answer of each the one that the model does not choose: two targets a sample."""
    batch = prompts(vlm, tokens, count, 1)
    examples = [replace(e, options=OPTIONS, answer=OPTIONS[0]) for e in batch.examples]
    chosen = [vlm.choose(logits, OPTIONS)[0] for logits in vlm.forward(batch)]
    examples = [replace(e, answer=next(o for o in OPTIONS if o != c)) for e, c in zip(examples, chosen, strict=True)]
    return vlm.prepare(examples)


def scores(vlm: VLM, batch: Batch, contrastive: bool) -> list[Callable[[Tensor], Tensor]]:
    """The scores of both targets, as functions of next-token logits."""
    chosen = relevance.maps(vlm, batch, ["creg"]).chosen
    return [relevance.score(vlm, batch, chosen, target, contrastive) for target in relevance.TARGETS]


def captum_creg(vlm: VLM, batch: Batch, layers: Sequence[int]) -> list[Tensor]:
    """Gradient times activation of each layer and target by captum: a forward and a backward pass each."""
    vlm.model.get_input_embeddings().weight.requires_grad_(True)
    try:
        found = []
        for score in scores(vlm, batch, contrastive=True):

            def forward(ids: Tensor, score: Callable[[Tensor], Tensor] = score) -> Tensor:
                inputs = {**batch.inputs, "input_ids": ids}
                return score(vlm.model(**inputs, use_cache=False, logits_to_keep=1).logits[:, -1])

            for layer in layers:
                captum = LayerGradientXActivation(forward, vlm.parts.layers[layer])
                made = captum.attribute(batch.input_ids, attribute_to_layer_input=True)
                found.append((made[0] if isinstance(made, tuple) else made).detach())
        return found
    finally:
        vlm.model.requires_grad_(False)


def captum_path(vlm: VLM, batch: Batch, layer: int) -> list[Tensor]:
    """Integrated gradients of each target by captum, from a zero state, whole forward passes with the state put in.

    It is given our points, evenly spaced in log alpha, some at a time.
    """
    alphas, weights = saliency.log_points(), saliency.log_weights()
    with vlm.recording("resid_pre", layers=[layer]) as recorded:
        call(vlm, batch)
    state = recorded["resid_pre", layer]
    found = []
    for score in scores(vlm, batch, contrastive=False):

        def forward(points: Tensor, score: Callable[[Tensor], Tensor] = score) -> Tensor:
            put = Edit("resid_pre", lambda rows: points.reshape(rows.shape), (layer,))
            copies = {name: torch.cat([value] * len(points)) for name, value in batch.inputs.items()}
            with vlm.editing(put), torch.enable_grad():
                logits = vlm.model(**copies, use_cache=False, logits_to_keep=1).logits[:, -1]
            return torch.cat([score(one[None]) for one in logits])

        captum, total = IntegratedGradients(forward), torch.zeros_like(state)
        for begin in range(0, len(alphas), CHUNK):
            some = slice(begin, begin + CHUNK)
            rule = (weights[some], alphas[some])
            (made,) = captum._attribute(
                (state,), (torch.zeros_like(state),), n_steps=len(rule[0]), step_sizes_and_alphas=rule
            )
            total += made.detach()
        found.append(total)
    return found


def counted(vlm: VLM, batch: Batch, steps: int = 50) -> dict[str, float]:
    """Forward equivalents of each part, both targets."""
    reach_contract.tried(vlm)  # at the first call of a model that was not proved
    one = flops(lambda: call(vlm, batch))
    return {
        name: flops(lambda methods=methods: relevance.maps(vlm, batch, methods, steps=steps)) / one  # type: ignore[misc]
        for name, methods in PARTS.items()
    }


def measure(layers: int, tokens: int, width: int, runs: int, steps: int = 50) -> dict[str, Any]:
    """Forward equivalents of each part, and seconds beside captum's."""
    vlm = shape(layers, width)
    batch = asked(vlm, tokens, 1)
    spent = counted(vlm, batch, steps)
    upper = [layers - 1 - k for k in range(4)]
    works: dict[str, Callable[[], object]] = {
        "ours": lambda: relevance.maps(vlm, batch, ("creg", "integrated_gradients"), steps=steps),
        "captum": lambda: [captum_creg(vlm, batch, upper), captum_path(vlm, batch, layers - 1)],
        "forward": lambda: call(vlm, batch),
    }
    taken = seconds(works, runs)
    return {
        "layers": layers, "tokens": batch.input_ids.shape[1], "width": width, "forward_equivalents": spent,
        "limits": LIMITS, "seconds": taken, "gain_over_captum": taken["captum"] / taken["ours"],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--tokens", type=int, default=185)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    found = measure(given.layers, given.tokens, given.width, given.runs)
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "machine": platform.machine()}
    if given.json:
        print(json.dumps({"machine": machine, **found}, indent=1))
        return
    print(f"{found['layers']} blocks of width {found['width']}, {found['tokens']} tokens, eager; {machine}")
    for name, spent in found["forward_equivalents"].items():
        limit = f", limit {LIMITS[name]:g}" if name in LIMITS else ""
        print(f"{name}, both targets: {spent:.2f} forward equivalents a sample{limit}")
    ours, captum, forward = (found["seconds"][name] for name in ("ours", "captum", "forward"))
    print(f"CREG and integrated gradients: {ours:.2f} s, captum {captum:.2f} s: {found['gain_over_captum']:.1f} times")
    print(f"one plain forward: {forward:.3f} s")


if __name__ == "__main__":
    main()
