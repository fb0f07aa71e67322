"""Relevance of image tokens for an answer, by CREG and by its rivals, for a batch of questions.

One recording serves all methods that need the last layers only; attention rollout, Chefer's relevance and GradCAM share
a second one. A target says whose logit is explained: the answer's (`truth`) or that of the model's own choice
(`prediction`). Contrastive methods subtract the strongest competing logit (CREG, equation 1).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.maths import relevance as names
from backsight.maths import saliency
from backsight.measurements import memory
from backsight.models import embeds, gradients, reach_contract, replay
from backsight.models.facts import Sizes
from backsight.models.flops import Call, Flops
from backsight.models.prompts import Batch
from backsight.models.seam import Seam
from backsight.models.vlm import VLM

Target = Literal["truth", "prediction"]
TARGETS: tuple[Target, ...] = ("truth", "prediction")
METHODS, THIRD, INTEGRATED = names.METHODS, names.THIRD, names.INTEGRATED
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Chosen:
    """What a model answers to one question: logits of the options, its choice and the answer as numbers among them."""

    scores: tuple[float, ...]
    choice: int
    answer: int

    def of(self, target: Target) -> int:
        """The option that a target explains."""
        return self.answer if target == "truth" else self.choice

    def rival(self, target: Target) -> int:
        """The strongest competing option (CREG, equation 1)."""
        order = sorted(range(len(self.scores)), key=lambda option: -self.scores[option])
        return next(option for option in order if option != self.of(target))


@dataclass(frozen=True)
class Maps:
    """Relevance by method and target: one array (image_token,) a question, and why a method is missing.

    A method without a target stands under `truth`. `completeness` is, of integrated gradients, the share of
    f(h) - f(0) that the signed attributions of all tokens sum to, one number a question.
    """

    chosen: list[Chosen]
    relevance: dict[tuple[str, Target], list[Floats]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    completeness: dict[tuple[str, Target], list[float]] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[Target, ...]:
        """The targets that have to be told apart: where every choice is the answer they are one."""
        return TARGETS if any(one.choice != one.answer for one in self.chosen) else ("truth",)

    def of(self, methods: Sequence[str]) -> Maps:
        """What some of the methods gave, as if no other had been asked for."""
        relevance = {key: values for key, values in self.relevance.items() if key[0] in methods}
        complete = {key: values for key, values in self.completeness.items() if key[0] in methods}
        return Maps(self.chosen, relevance, {m: why for m, why in self.missing.items() if m in methods}, complete)

    def complete(self) -> Maps:
        """With the prediction's relevance where it is the truth's."""
        if self.targets != TARGETS:
            for of in (self.relevance, self.completeness):
                both = {(m, "prediction"): value for (m, _), value in of.items() if METHODS[m].targeted}
                of.update(both)  # type: ignore[arg-type]
        return self


def check(single_tokens: Callable[[tuple[str, ...]], object | None], options: set[tuple[str, ...]]) -> None:
    """CannotAnswer where single tokens cannot tell the options of a question apart.

    `single_tokens` gives the tokens of some options or None: `VLM.options` or `ModelFacts.token_options`.
    """
    for asked in options:
        if single_tokens(asked) is None or len(asked) < 2:
            raise CannotAnswer(
                "Relevance explains a token, and single tokens cannot tell these options apart", got=asked
            )


def option_logits(vlm: Seam, logits: Tensor, options: tuple[str, ...]) -> Tensor:
    """The logit of each option (option,): over its spellings, the logarithm of their summed exponentials."""
    spelled = vlm.options(options)
    if spelled is None:
        raise UsageError("Single tokens cannot tell these options apart", got=options)
    return torch.stack([torch.logsumexp(logits[ids].float(), 0) for ids in spelled])


def maps(
    vlm: VLM, batch: Batch, methods: Sequence[str] = tuple(METHODS), *, depth: int = 4, steps: int = 50,
    trace: replay.Trace | None = None,
) -> Maps:  # fmt: skip
    """The relevance of every image token of a batch by some methods, for both targets.

    `depth` layers from layer -2 down are aggregated, but for those where gradient times state is zero by construction
    (`reach_contract.blind`); `steps` points are taken of paths by right sums (CREG, appendix A.3). `trace` is a
    recording of the batch that is at hand.
    """
    unknown = [name for name in methods if name not in METHODS]
    if unknown:
        raise UsageError("There is no such method of relevance", got=unknown, do=f"choose from: {', '.join(METHODS)}")
    trace = trace if trace is not None else replay.record(vlm, batch)
    results = Maps([_chosen(vlm, e, logits) for e, logits in zip(batch.examples, trace.logits, strict=True)])
    results.missing.update(names.without(methods, reach_contract.blind(vlm), n_layers=vlm.n_layers, depth=depth))
    left = [name for name in methods if name not in results.missing]
    by_need = {need: [m for m in left if METHODS[m].needs == need] for need in ("upper", "path", "whole")}
    if by_need["upper"]:
        _upper(results, trace, by_need["upper"], depth)
    if by_need["path"]:
        _path(results, trace, by_need["path"], steps)
    if by_need["whole"]:
        _whole(results, vlm, batch, by_need["whole"])
    return results.complete()


def _chosen(vlm: VLM, example: Example, logits: Tensor) -> Chosen:
    scores = option_logits(vlm, logits, example.options)
    return Chosen(tuple(scores.tolist()), int(scores.argmax()), example.options.index(example.answer))


def score(vlm: Seam, batch: Batch, chosen: Sequence[Chosen], target: Target, contrastive: bool) -> gradients.Score:
    """tau of each question from next-token logits: z_target, less the rival's where contrastive (equation 1)."""

    def tau(logits: Tensor) -> Tensor:
        taken = []
        for example, one, row in zip(batch.examples, chosen, logits, strict=True):
            z = option_logits(vlm, row, example.options)
            taken.append(z[one.of(target)] - z[one.rival(target)] if contrastive else z[one.of(target)])
        return torch.stack(taken)

    return tau


def _upper(results: Maps, trace: replay.Trace, methods: Sequence[str], depth: int) -> None:
    vlm, batch = trace.vlm, trace.batch
    upper = gradients.Upper.of(trace, depth)
    states = [_by_sample(state.detach(), batch) for state in upper.states]
    seen = [
        k for k, layer in enumerate(gradients.layers_from_top(vlm, depth)) if layer not in reach_contract.blind(vlm)
    ]
    for contrastive in sorted({METHODS[m].contrastive for m in methods}):
        for target in results.targets:
            taken = upper.gradients(score(vlm, batch, results.chosen, target, contrastive))
            slopes = [_by_sample(g, batch) for g in taken]
            for method in (m for m in methods if METHODS[m].contrastive == contrastive):
                layers = [k for k in seen if k > 0] if method == THIRD else seen
                results.relevance[method, target] = [
                    _numbers(_from_layers(method, [(slopes[k][i], states[k][i]) for k in layers], vlm.dtype))
                    if method != "gradient_norm"
                    else _numbers(saliency.gradient_norm(slopes[0][i]))
                    for i in range(len(batch))
                ]


def _from_layers(method: str, taken: Sequence[tuple[Tensor, Tensor]], dtype: torch.dtype) -> Tensor:
    """One question's relevance (image_token,) from gradients and states of the layers, the highest first.

    A layer at which it is no more than its own rounding says nothing; where that is all of them it is zero.
    """
    layers = [(g, h) for g, h in taken if saliency.is_evidence(g, h, dtype)]
    if METHODS[method].top:
        layers = layers[:1] if saliency.is_evidence(*taken[0], dtype) else []
    if not layers:
        return torch.zeros_like(taken[0][0][:, 0])
    if METHODS[method].top:
        return saliency.gradient_times_state(*layers[0])
    stacked = torch.stack([saliency.gradient_times_state(g, h) for g, h in layers])
    scale: saliency.Scale = "maximum" if method == "creg_by_maximum" else "minmax"
    weights: saliency.LayerWeights = "meant" if method == "creg_meant_weights" else "printed"
    return saliency.aggregated(stacked, scale=scale, weights=weights)


def _path(results: Maps, trace: replay.Trace, methods: Sequence[str], steps: int) -> None:
    batch, layer = trace.batch, trace.vlm.n_layers - 1
    state = trace.resid_pre(layer)
    scores = [score(trace.vlm, batch, results.chosen, target, contrastive=False) for target in results.targets]
    shares = {"right": [alpha for alpha, _ in saliency.path(state[:0], steps)], "log": saliency.log_points()}
    weights = {"right": saliency.right_weights(steps), "log": saliency.log_weights()}
    apart = _from_zero(trace, layer, scores) if any(m != "integrated_magnitudes" for m in methods) else []
    for rule in dict.fromkeys(rule for m in methods if (rule := METHODS[m].rule)):
        # One point after another, each added up at once: a gradient is as large as all states of the batch.
        signed = [torch.zeros(state.shape[:2], device=state.device) for _ in scores]
        lengths = [torch.zeros_like(one) for one in signed]
        for alpha, weight in zip(shares[rule], weights[rule], strict=True):
            for number, (slope,) in enumerate(gradients.along_path(trace, layer, [state * alpha], scores)):
                signed[number] += saliency.attributed([slope.float()], state.float(), [weight])
                lengths[number] += saliency.gradient_norm(slope.float())
        for number, target in enumerate(results.targets):
            for method in (m for m in methods if METHODS[m].rule == rule):
                values = lengths[number] if method == "integrated_magnitudes" else signed[number].abs()
                results.relevance[method, target] = [_numbers(v) for v in _by_sample(values, batch)]
                if method != "integrated_magnitudes":
                    whole = (signed[number] * batch.attention_mask).sum(1)
                    results.completeness[method, target] = (whole / apart[number]).tolist()


def _from_zero(trace: replay.Trace, layer: int, scores: Sequence[gradients.Score]) -> list[Tensor]:
    """f(h) - f(0) of each score, (batch,), with all states of a layer set to zero."""
    _, empty = trace.forward_from(layer, torch.zeros_like(trace.resid_pre(layer)))
    return [score(trace.logits) - score(empty) for score in scores]


def _whole(results: Maps, vlm: VLM, batch: Batch, methods: Sequence[str]) -> None:
    whole = gradients.Whole.of(vlm, batch)
    if "rollout" in methods:
        rolled = saliency.rolled_out([a.detach().float() for a in whole.attentions])
        results.relevance["rollout", "truth"] = [_numbers(v) for v in _by_sample(rolled, batch)]
    for target in results.targets if any(METHODS[m].targeted for m in methods) else ():
        by_weights, by_vision = whole.gradients(score(vlm, batch, results.chosen, target, contrastive=False))
        if "chefer" in methods:
            weights = [a.detach().float() for a in whole.attentions]
            through = saliency.through_attention(weights, [g.float() for g in by_weights])
            results.relevance["chefer", target] = [_numbers(v) for v in _by_sample(through, batch)]
        if "gradcam" in methods:
            try:
                results.relevance["gradcam", target] = _gradcam(vlm, batch, whole.vision, by_vision)
            except CannotAnswer as error:
                results.missing["gradcam"] = error.what


def _gradcam(vlm: VLM, batch: Batch, activation: Tensor | None, gradient: Tensor | None) -> list[Floats]:
    """GradCAM at the vision encoder's last block, each token the mean of its patches."""
    if activation is None or gradient is None:
        raise CannotAnswer("The vision encoder has no blocks that GradCAM could look at")
    width = activation.shape[-1]
    counts = [len(grid) for grid in batch.grids]
    flat, slopes = activation.detach().reshape(-1, width).float(), gradient.reshape(-1, width).float()
    each = len(flat) // sum(counts)
    parts = [n * each for n in counts]
    cams = [saliency.gradcam(a, g) for a, g in zip(torch.split(flat, parts), torch.split(slopes, parts), strict=True)]
    cam = torch.cat(cams).reshape(*activation.shape[:-1], 1)
    return [_numbers(v) for v in torch.split(embeds.by_cell(vlm, cam, batch)[:, 0], counts)]


def _by_sample(values: Tensor, batch: Batch) -> list[Tensor]:
    """The image tokens' part of (batch, position, ...), one tensor (image_token, ...) a question, in float32."""
    return [value[mask].float() for value, mask in zip(values, batch.image_mask, strict=True)]


def _numbers(values: Tensor) -> Floats:
    return values.detach().cpu().double().numpy()


def flops(
    call: Call, methods: Sequence[str], *, depth: int, steps: int, blind: Sequence[int] = ()
) -> Flops:  # fmt: skip
    """What the maps of a batch take for both targets, the recording among it; `blind` as `names.without` takes them."""
    missing = names.without(methods, blind, n_layers=call.work.layers, depth=depth)
    methods = [name for name in methods if name not in missing]
    needs = {METHODS[name].needs for name in methods}
    contrasts = len({METHODS[name].contrastive for name in methods if METHODS[name].needs == "upper"})
    layers, spent = call.work.layers, call.forward()
    if "upper" in needs:
        lowest = layers - depth
        spent += call.upper(lowest) + call.upper_backward(lowest) * (len(TARGETS) * contrasts)
    if "path" in needs:
        points = names.path_points(methods, steps)
        spent += (call.upper(layers - 1) + call.upper_backward(layers - 1) * len(TARGETS)) * points
        spent += call.upper(layers - 1)  # the end of the path, from nothing
    if "whole" in needs:
        backward = any(METHODS[m].needs == "whole" and METHODS[m].targeted for m in methods)
        spent += call.forward() + call.whole_backward() * (len(TARGETS) if backward else 0)
    return spent


def bytes_each(sizes: Sizes, depth: int) -> int:
    """The bytes of one question: its recording, and the fuller of two graphs with their gradients.

    The upper layers keep every activation of `depth` blocks, and a path one point after another; a whole forward keeps
    those of all blocks of both halves, with the attention weights.
    """
    scores = sizes.text.heads * sizes.tokens**2 * memory.FLOAT
    block = memory.block(sizes.text, sizes.tokens, sizes.tokens, sizes.item) + 4 * scores
    upper = depth * 2 * block
    whole = sizes.text.layers * 2 * block + memory.seen(sizes)
    states = 2 * depth * sizes.tokens * sizes.text.width * sizes.item
    return memory.recorded(sizes) + states + max(upper, whole)
