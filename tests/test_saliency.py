"""Relevance formulas: by hand on three tokens, and against plain torch on a model, which knows none of them."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backsight import stimuli
from backsight.examples import ExampleSet
from backsight.maths import saliency
from backsight.maths.relevance import METHODS
from backsight.measurements import relevance
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM

LOWER = [[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.3, 0.5]]
UPPER = [[1.0, 0.0, 0.0], [0.4, 0.6, 0.0], [0.6, 0.2, 0.2]]


def two_heads(mean: list[list[float]], apart: float = 0.1) -> Tensor:
    """Weights (1, 2, 3, 3) of two heads with a given mean, which differ in the last row."""
    moved = torch.zeros(3, 3)
    moved[2] = torch.tensor([apart, -apart, 0.0])
    return torch.stack([torch.tensor(mean) + moved, torch.tensor(mean) - moved])[None]


def test_rollout_of_three_tokens_by_hand() -> None:
    """Half of (A + I): rows (1, 0, 0), (.25, .75, 0), (.1, .15, .75) below, and above the last row (.3, .1, .6)."""
    found = saliency.rolled_out([two_heads(LOWER), two_heads(UPPER)])
    # .3 * 1 + .1 * .25 + .6 * .1, .1 * .75 + .6 * .15, .6 * .75
    assert found[0].tolist() == pytest.approx([0.385, 0.165, 0.45])
    assert saliency.rolled_out([two_heads(UPPER)])[0].tolist() == pytest.approx([0.3, 0.1, 0.6])


def test_rollout_brings_rows_to_one_that_do_not_sum_to_it() -> None:
    """Rows that sum to a half, as where a key is hidden: (0, 0, .5) + (0, 0, 1) is all of the last token's own."""
    weights = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.5, 0.0], [0.25, 0.0, 0.25]])[None, None]
    assert saliency.rolled_out([weights])[0].tolist() == pytest.approx([1 / 6, 0, 5 / 6])


def test_relevance_through_attention_by_hand() -> None:
    """The positive part of weight times gradient in each head, then their mean, R + A R from the identity up."""
    lower, upper = torch.tensor(LOWER), torch.tensor(UPPER)
    slopes = torch.tensor([[[0.0, 0, 0], [1, -1, 0], [0, 2, 0]], [[0.0, 0, 0], [0, 0, 0], [1, 1, -1]]])
    # One head has twice the gradient, the other its negative: the positive parts are 2 A and 0, where A is positive.
    heads = [torch.stack([2 * slope, -slope])[None] for slope in slopes]
    weights = [torch.stack([one, one])[None] for one in (lower, upper)]
    # A of the layers: rows (0, 0, 0), (.5, .25, 0), (0, .6, 0), and the last row (.6, .2, .1).
    # Below: R = I + A = (1, 0, 0), (.5, 1.25, 0), (0, .6, 1). Its last row grows by .6, .2 and .1 of these rows.
    assert saliency.through_attention(weights, heads)[0].tolist() == pytest.approx(
        [0.6 + 0.1, 0.6 + 0.2 * 1.25 + 0.1 * 0.6, 1 + 0.1]
    )


def test_gradcam_by_hand() -> None:
    activation = torch.tensor([[1.0, 2.0], [3.0, -1.0], [-1.0, 1.0]])
    gradient = torch.tensor([[1.0, 0.0], [3.0, -2.0], [2.0, -1.0]])  # on average (2, -1)
    assert saliency.gradcam(activation, gradient).tolist() == [0.0, 7.0, 0.0]  # 2 - 2, 6 + 1, and -3 cut off


def test_path_and_accumulated_lengths_by_hand() -> None:
    state = torch.tensor([[4.0, -2.0]])
    assert [(share, point.tolist()) for share, point in saliency.path(state, 4)] == [
        (0.25, [[1.0, -0.5]]), (0.5, [[2.0, -1.0]]), (0.75, [[3.0, -1.5]]), (1.0, [[4.0, -2.0]])
    ]  # fmt: skip
    gradients = [torch.tensor([[3.0, 4.0]]), torch.tensor([[0.0, 0.0]]), torch.tensor([[-5.0, 12.0]])]
    assert saliency.accumulated(gradients).tolist() == [18.0]  # 5 + 0 + 13
    # The mean gradient is (-2/3, 16/3): 4 * -2/3 - 2 * 16/3 = -40/3.
    assert saliency.attributed(gradients, state, saliency.right_weights(3)).tolist() == pytest.approx([-40 / 3])


def test_points_evenly_spaced_in_log_alpha_by_hand() -> None:
    """Two points a decade, two decades: .01 to 1, each sqrt(10) times the one before."""
    root = 10**0.5
    assert saliency.log_points(2, 2) == pytest.approx([0.01, 0.01 * root, 0.1, 0.1 * root, 1])
    step = np.log(10) / 2
    shares = [0.01 / 2, 0.01 * root, 0.1 * 23 / 24, 0.1 * root * 7 / 6, 3 / 8]
    expected = [shares[0] * step + 0.01, *(share * step for share in shares[1:])]
    assert saliency.log_weights(2, 2) == pytest.approx(expected)
    assert len(saliency.log_points()) == METHODS["integrated_gradients"].points(50) == 217


@pytest.mark.parametrize("norms", [1, 3])
@pytest.mark.parametrize("length", [1.0, 1000.0])
def test_points_in_log_alpha_meet_completeness_behind_norms_where_right_sums_do_not(norms: int, length: float) -> None:
    """f(h) = w . norm(norm(...h)), each norm with an epsilon: one third of it at most comes from k / 50."""
    generator = torch.Generator().manual_seed(norms)
    state, weight = torch.randn(2, 1, 16, generator=generator, dtype=torch.float64)
    state = length * state

    def value(h: Tensor) -> Tensor:
        for _ in range(norms):
            h = h / (h.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt()
        return (h * weight).sum(-1)

    def gradient(point: Tensor) -> Tensor:
        leaf = point.clone().requires_grad_(True)
        return torch.autograd.grad(value(leaf).sum(), leaf)[0]

    whole = float(value(state))
    taken = [gradient(alpha * state) for alpha in saliency.log_points()]
    assert float(saliency.attributed(taken, state, saliency.log_weights())) == pytest.approx(whole, rel=0.01)
    taken = [gradient(point) for _, point in saliency.path(state, 50)]
    assert abs(float(saliency.attributed(taken, state, saliency.right_weights(50)))) < abs(whole) / 3


def test_points_in_log_alpha_serve_a_function_without_a_norm_too() -> None:
    """sum h^3 from zero to (1, 2): 9, its gradient 3 h^2."""
    state = torch.tensor([[1.0, 2.0]], dtype=torch.float64)
    taken = [3 * (alpha * state) ** 2 for alpha in saliency.log_points()]
    assert float(saliency.attributed(taken, state, saliency.log_weights())) == pytest.approx(9, rel=0.01)


def test_scaling_and_aggregation_by_hand() -> None:
    layers = torch.tensor([[1.0, 2.0, 3.0], [0.0, 0.5, 4.0], [7.0, 7.0, 7.0]])
    assert saliency.scaled(layers).tolist() == [[0.0, 0.5, 1.0], [0.0, 0.125, 1.0], [0.0, 0.0, 0.0]]
    torch.testing.assert_close(
        saliency.scaled(layers, "maximum"), torch.tensor([[1 / 3, 2 / 3, 1.0], [0.0, 0.125, 1.0], [1.0, 1.0, 1.0]])
    )
    assert saliency.scaled(torch.zeros(3), "maximum").tolist() == [0.0, 0.0, 0.0]
    e = np.e
    printed = [0.0, e * (0.5 + 0.125) / (2 * e + 1), 2 * e / (2 * e + 1)]
    assert saliency.aggregated(layers).tolist() == pytest.approx(printed)
    share = np.exp([3.0, 4.0, 7.0]) / np.exp([3.0, 4.0, 7.0]).sum()
    meant = [0.0, 0.5 * share[0] + 0.125 * share[1], share[0] + share[1]]
    assert saliency.aggregated(layers, weights="meant").tolist() == pytest.approx(meant)
    assert saliency.gradient_times_state(layers, torch.tensor([1.0, -1.0, 0.0])).tolist() == [1.0, 0.5, 0.0]


def test_a_batch_is_its_questions_each_by_itself() -> None:
    """Axes are counted from the last: what is done to (question, token, feature) is done to each (token, feature)."""
    generator = torch.Generator().manual_seed(0)
    gradients, states = torch.randn(2, 3, 2, 5, 4, generator=generator)
    for formula in (saliency.gradient_times_state, lambda g, h: saliency.attributed([g, h], h, [0.5, 0.5])):
        torch.testing.assert_close(
            torch.stack([formula(gradients, states)[n, 1] for n in range(3)]),
            torch.stack([formula(gradients[n, 1], states[n, 1]) for n in range(3)]),
        )
    layers = gradients.norm(dim=-1)  # (layer, question, token)
    for weights in ("printed", "meant"):
        together = saliency.aggregated(layers, weights=weights)  # type: ignore[arg-type]
        for question in range(2):
            by_itself = saliency.aggregated(layers[:, question], weights=weights)  # type: ignore[arg-type]
            torch.testing.assert_close(together[question], by_itself)
    assert saliency.scaled(torch.tensor([0.1, 0.2, 0.5])).tolist() == pytest.approx([0.0, 0.25, 1.0])


def test_every_layer_has_its_gradient() -> None:
    weights = two_heads(LOWER)
    with pytest.raises(ValueError, match="shorter"):
        saliency.through_attention([weights, weights], [weights])


# On a recording: two questions of unlike length, so that one of them is padded.


@pytest.fixture(scope="module")
def asked(tiny_vlm: VLM) -> Batch:
    """Two questions about two pictures."""
    rows = stimuli.squares(tiny_vlm.grid)
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=4)
    return tiny_vlm.prepare(ExampleSet("two", (rows[0], pairs[0])).items)


class Plain:
    """One forward pass of transformers' own in eager attention, with its graph: no hook of the package's."""

    def __init__(self, vlm: VLM, batch: Batch) -> None:
        self.vlm, self.batch = vlm, batch
        before = vlm.attention
        blocks: list[Tensor] = []

        def keep(_: Any, __: Any, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            value.requires_grad_(True)
            blocks.append(value)

        last = vlm.model.model.visual.blocks[-1]
        handle = last.register_forward_hook(keep)
        vlm.model.set_attn_implementation({"text_config": "eager"})
        try:
            with torch.enable_grad():
                given = vlm.model(**batch.inputs, use_cache=False, output_attentions=True)
        finally:
            handle.remove()
            vlm.model.set_attn_implementation({"text_config": before})
        self.attentions, self.logits, self.vision = list(given.attentions), given.logits[:, -1], blocks[0]

    def score(self) -> Tensor:
        """The logit of each question's answer, over its spellings, summed over the batch."""
        spelled = [self.vlm.options(e.options) for e in self.batch.examples]
        found = []
        for example, options, row in zip(self.batch.examples, spelled, self.logits, strict=True):
            assert options is not None
            found.append(torch.logsumexp(row[list(options[example.options.index(example.answer)])], 0))
        return torch.stack(found).sum()


@pytest.fixture(scope="module")
def plain(tiny_vlm: VLM, asked: Batch) -> Plain:
    return Plain(tiny_vlm, asked)


def of_images(values: Tensor, batch: Batch) -> list[np.ndarray]:  # type: ignore[type-arg]
    return [value[mask].detach().numpy() for value, mask in zip(values, batch.image_mask, strict=True)]


def test_rollout_is_the_mean_over_all_ways_through_the_layers(tiny_vlm: VLM, asked: Batch, plain: Plain) -> None:
    """A way attends in some layers and stays in the others: (A + I) / 2 of L layers multiplied out has 2 ** L ways."""
    means = [layer.detach().mean(1).double() for layer in plain.attentions]
    ways = list(product((False, True), repeat=len(means)))
    total = torch.zeros(len(asked), means[0].shape[-1], dtype=torch.float64)
    for way in ways:
        row = torch.zeros_like(total)
        row[:, -1] = 1
        for attends, layer in reversed(list(zip(way, means, strict=True))):
            row = torch.einsum("bq,bqk->bk", row, layer) if attends else row
        total += row
    expected = of_images(total / len(ways), asked)
    found = relevance.maps(tiny_vlm, asked, ["rollout"]).relevance["rollout", "truth"]
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-7)
        assert other.max() > 1e-3 and len(set(other.round(6))) > 5


def test_relevance_through_attention_is_the_matrices_multiplied_out(tiny_vlm: VLM, asked: Batch, plain: Plain) -> None:
    """R as a whole matrix from the lowest layer up, from autograd through transformers' own attention."""
    slopes = torch.autograd.grad(plain.score(), plain.attentions, retain_graph=True)
    found = relevance.maps(tiny_vlm, asked, ["chefer"]).relevance["chefer", "truth"]
    for index, mask in enumerate(asked.image_mask):
        relevances = np.eye(plain.attentions[0].shape[-1])
        for weights, slope in zip(plain.attentions, slopes, strict=True):
            heads = [(a * g).detach().double().numpy() for a, g in zip(weights[index], slope[index], strict=True)]
            relevances = relevances + np.mean([np.maximum(head, 0) for head in heads], 0) @ relevances
        expected = relevances[-1][mask.numpy()]
        np.testing.assert_allclose(found[index], expected, rtol=1e-3, atol=1e-4 * expected.max())
        assert expected.max() > 0


def test_gradcam_is_that_of_each_picture_by_itself(tiny_vlm: VLM, asked: Batch, plain: Plain) -> None:
    """Patch by patch, from autograd; a token has the mean of the four patches that are merged into it."""
    (slope,) = torch.autograd.grad(plain.score(), [plain.vision], retain_graph=True)
    found = relevance.maps(tiny_vlm, asked, ["gradcam"]).relevance["gradcam", "truth"]
    begin = 0
    for cam, grid in zip(found, asked.grids, strict=True):
        patches = range(begin, begin + 4 * len(grid))
        begin = patches.stop
        channel = sum(slope[p].double() for p in patches) / len(patches)
        cams = [max(0.0, float(channel @ plain.vision[p].detach().double())) for p in patches]
        expected = [sum(cams[k : k + 4]) / 4 for k in range(0, len(cams), 4)]
        assert max(expected) > 0
        np.testing.assert_allclose(cam, expected, rtol=1e-3, atol=1e-4 * max(expected))
    assert begin == len(plain.vision)


def test_accumulated_gradients_are_plain_torchs_along_the_path(tiny_vlm: VLM, asked: Batch) -> None:
    """The input of the last block from a fifth of it to all, by a hook of torch's own; lengths summed, not averaged."""
    block = tiny_vlm.model.get_decoder().layers[-1]
    lengths: Tensor | float = 0.0
    for step in range(1, 6):
        leaves: list[Tensor] = []

        def put(_: Any, args: Any, step: int = step, leaves: list[Tensor] = leaves) -> Any:
            leaves.append((args[0].detach() * step / 5).requires_grad_(True))
            return (leaves[0], *args[1:])

        handle = block.register_forward_pre_hook(put)
        try:
            at = Plain(tiny_vlm, asked)
        finally:
            handle.remove()
        (slope,) = torch.autograd.grad(at.score(), leaves)
        lengths = lengths + slope.pow(2).sum(-1).sqrt()
    assert isinstance(lengths, Tensor)
    found = relevance.maps(tiny_vlm, asked, ["integrated_magnitudes"], steps=5)
    for one, other in zip(found.relevance["integrated_magnitudes", "truth"], of_images(lengths, asked), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-4 * other.max())
        assert other.max() > 0
