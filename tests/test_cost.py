"""The cost of sweeps and of relevance, in FLOPs, held to counts by hand and to their limits."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from backsight.models import reach_contract


def benchmark(name: str) -> ModuleType:
    """A benchmark's module; they import one another as scripts in one folder do."""
    path = Path(__file__).parents[1] / "benchmarks" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    return benchmark("replay")


def test_flops_of_a_sweep_equal_a_count_by_hand(bench: ModuleType) -> None:
    """Linear layers and attention products of the language model, for every replayed row."""
    layers, tokens, width = 4, 200, 256
    vlm = bench.shape(layers, width)
    clean = bench.prompts(vlm, tokens, 1, 1)
    trace = bench.replay.record(vlm, clean)
    source = bench.torch.stack([trace.resid_pre(k)[:, -1] for k in range(layers + 1)])
    counted = bench.flops(lambda: trace.sweep_last(source))
    heads, head, kv, mlp = width // 64, 64, width // 4, 4 * width
    row = 2 * (width * width + 2 * width * kv + width * width + 3 * width * mlp)
    expected = 0
    for rows in range(1, layers + 1):
        expected += rows * row + 2 * (2 * heads * rows * (tokens - 1 + rows) * head)
    expected += (layers + 1) * 2 * width * vlm.model.config.get_text_config().vocab_size
    assert counted == expected


def test_a_sweep_stays_under_its_limit(bench: ModuleType) -> None:
    vlm = bench.shape(6, 256)
    clean, other = bench.prompts(vlm, 185, 1, 1), bench.prompts(vlm, 185, 1, 2)
    one = bench.flops(lambda: bench.call(vlm, clean))
    spent = bench.flops(lambda: bench.sweep(vlm, clean, other)) / one
    assert 1.9 < spent <= 2.03 + 7 / (2 * 185)


def test_both_baselines_give_the_same_curves(bench: ModuleType) -> None:
    vlm = bench.shape(3, 256)
    clean, other = bench.prompts(vlm, 185, 2, 1), bench.prompts(vlm, 185, 2, 2)
    swept = bench.sweep(vlm, clean, other)
    bench.torch.testing.assert_close(swept, bench.patched(vlm, clean, other), atol=1e-4, rtol=0)
    with bench.cached_images(vlm):
        bench.torch.testing.assert_close(swept, bench.patched(vlm, clean, other), atol=1e-4, rtol=0)


def test_an_image_sweep_stays_under_its_limit(bench: ModuleType) -> None:
    """Objects, strips, and both on one recording; each equal to one patched forward a layer."""
    for row in benchmark("image_sweep").measure(6, 128, 1, 1):
        assert 2 < row["language_forward_equivalents"] <= row["limit"], row["sets"]
        assert row["largest_difference"] < 1e-4


@pytest.mark.slow
def test_relevance_stays_under_its_limits(bench: ModuleType) -> None:
    """On 28 blocks, every sample with two targets; what measurements state are the same counts."""
    made = benchmark("relevance")
    vlm = bench.shape(28, 128)
    batch = made.asked(vlm, 185, 1)
    spent = made.counted(vlm, batch)
    for name, limit in made.LIMITS.items():
        assert 1 < spent[name] <= limit
        call = vlm.call(batch)
        blind = reach_contract.blind(vlm)
        planned = made.relevance.flops(call, made.PARTS[name], depth=4, steps=50, blind=blind)
        stated = call.equivalents(planned, vlm.seen)
        assert spent[name] == pytest.approx(stated, rel=0.02)


def test_relevance_is_captums(bench: ModuleType) -> None:
    """What the benchmark times are the same numbers."""
    made = benchmark("relevance")
    vlm = bench.shape(6, 128)
    batch = made.asked(vlm, 185, 1)
    ours = made.relevance.maps(vlm, batch, ["creg", "integrated_gradients"], depth=2)
    image = batch.image_mask[0]
    products = made.captum_creg(vlm, batch, [4])
    paths = made.captum_path(vlm, batch, 5)
    for number, target in enumerate(made.relevance.TARGETS):
        # Of two layers the upper one is zero by construction, so that CREG is the lower one's product, scaled.
        expected = made.saliency.scaled(products[number][0].sum(-1).abs()[image]).numpy()
        assert ours.relevance["creg", target][0] == pytest.approx(expected, abs=1e-3)
        expected = paths[number][0].sum(-1).abs()[image].numpy()
        assert ours.relevance["integrated_gradients", target][0] == pytest.approx(expected, abs=1e-4)
