"""What a last-token sweep costs, and what it gains over one patched forward a layer.

A random Qwen2-VL shape, eager attention, a causal prompt. The floor is 2 + (L + 1) / (2T) forward equivalents a pair:
two plain forwards and a growing batch of single rows. FLOPs are counted by torch's counter; seconds are the median of
several runs, sweep and baselines in turn. Run: python benchmarks/replay.py [--json] [--layers 28] [--tokens 185]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from backsight.examples import Example, MemoryPicture
from backsight.models import replay, small
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.vlm import VLM

CELL = 28


def shape(layers: int, width: int, seed: int = 0) -> VLM:
    """A random Qwen2-VL with `layers` decoder blocks, 144 image tokens and eager attention."""
    text = dict(
        hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers, num_attention_heads=width // 64,
        num_key_value_heads=max(1, width // 256), max_position_embeddings=4096,
        rope_parameters=dict(rope_type="default", rope_theta=1e6, mrope_section=[8, 12, 12]),
    )  # fmt: skip
    vision = dict(depth=4, embed_dim=width // 2, num_heads=4, mlp_ratio=4, patch_size=14, spatial_merge_size=2)
    words = ["the", " the", "red", " red", "system", "user", "assistant"]
    model, processor = small.qwen2_vl(words, text=text, vision=vision, tokens=144, seed=seed)
    model.set_attn_implementation("eager")
    return VLM(model, processor, name=f"random Qwen2-VL, {layers} blocks of width {width}", check=False)


def prompts(vlm: VLM, tokens: int, count: int, seed: int) -> Batch:
    """`count` prompts of exactly `tokens` tokens, one picture each."""
    from PIL import Image

    rng = torch.Generator().manual_seed(seed)
    examples = []
    for number in range(count):
        pixels = torch.randint(0, 256, (12 * CELL, 12 * CELL, 3), generator=rng, dtype=torch.uint8).numpy()
        examples.append(Example(str(number), MemoryPicture(Image.fromarray(pixels)), "", (), ""))
    missing = tokens - vlm.prepare(examples).input_ids.shape[1]
    if missing < 0:
        raise SystemExit(f"--tokens: a prompt with a picture has at least {tokens - missing} tokens")
    return vlm.prepare([Example(e.id, e.picture, " the" * missing, (), "") for e in examples])


def sweep(vlm: VLM, clean: Batch, other: Batch) -> Tensor:
    """The last-token sweep of Interchange: (layer, pair, vocabulary)."""
    trace = replay.record(vlm, clean)
    with vlm.recording("resid_pre", positions="last") as recorded:
        vlm.forward(other)
    return trace.sweep_last(torch.stack([recorded["resid_pre", k] for k in range(vlm.n_layers + 1)]))


def patched(vlm: VLM, clean: Batch, other: Batch) -> Tensor:
    """The same by plain forwards: two, and one patched forward a layer, as tools of today run it."""
    call(vlm, clean)
    with vlm.recording("resid_pre", positions="last") as recorded:
        call(vlm, other)
    source = [recorded["resid_pre", k] for k in range(vlm.n_layers + 1)]
    found = []
    for layer, value in enumerate(source):
        with vlm.editing(Edit("resid_pre", lambda rows, value=value: value, (layer,), "last")):  # type: ignore[misc]
            found.append(call(vlm, clean))
    return torch.stack(found)


def call(vlm: VLM, batch: Batch) -> Tensor:
    """One plain Hugging Face call: vision encoder and all logits included."""
    with torch.no_grad():
        logits: Tensor = vlm.model(**batch.inputs, use_cache=False).logits[:, -1]
    return logits


@contextmanager
def cached_images(vlm: VLM) -> Any:
    """Run the vision encoder once a batch: the second baseline."""
    base, kept = vlm.model.base_model, {}
    original = base.get_image_features

    def once(pixel_values: Tensor, *args: Any, **kwargs: Any) -> Any:
        key = pixel_values.data_ptr()
        if key not in kept:
            kept[key] = original(pixel_values, *args, **kwargs)
        return kept[key]

    base.get_image_features = once
    try:
        yield
    finally:
        del base.get_image_features


def flops(work: Callable[[], object]) -> int:
    """FLOPs of some work, by torch's counter."""
    with FlopCounterMode(display=False) as counter:
        work()
    return int(counter.get_total_flops())


def seconds(works: dict[str, Callable[[], object]], runs: int) -> dict[str, float]:
    """Median seconds of each, run in turn."""
    taken: dict[str, list[float]] = {name: [] for name in works}
    for number in range(runs + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if number:  # the first round warms up
                taken[name].append(time.perf_counter() - start)
    return {name: statistics.median(times) for name, times in taken.items()}


def measure(layers: int, tokens: int, width: int, pairs: int, runs: int) -> dict[str, Any]:
    """One row: forward equivalents, floor, counted gain, and gains in wall time over both baselines."""
    vlm = shape(layers, width)
    clean, other = prompts(vlm, tokens, pairs, 1), prompts(vlm, tokens, pairs, 2)
    gap = float((sweep(vlm, clean, other) - patched(vlm, clean, other)).abs().max())
    one = flops(lambda: call(vlm, clean))
    spent = flops(lambda: sweep(vlm, clean, other)) / one

    def cached() -> None:
        with cached_images(vlm):
            patched(vlm, clean, other)

    taken = seconds(
        {"sweep": lambda: sweep(vlm, clean, other), "patched": lambda: patched(vlm, clean, other), "cached": cached},
        runs,
    )
    gain, counted = taken["patched"] / taken["sweep"], (layers + 3) / spent
    return {
        "layers": layers, "tokens": tokens, "width": width, "pairs": pairs, "largest_difference": gap,
        "forward_equivalents": spent, "floor": 2 + (layers + 1) / (2 * tokens),
        "limit": 2.03 + (layers + 1) / (2 * tokens),
        "counted_gain": counted, "wall_gain": gain, "share_of_counted": gain / counted,
        "wall_gain_over_cached_images": taken["cached"] / taken["sweep"], "seconds_sweep": taken["sweep"],
        "seconds_patched": taken["patched"], "seconds_cached": taken["cached"],
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--tokens", type=int, default=185)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--pairs", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = [measure(given.layers, given.tokens, given.width, pairs, given.runs) for pairs in given.pairs]
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "machine": platform.machine()}
    if given.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
        return
    print(f"{given.layers} blocks of width {given.width}, {given.tokens} tokens, eager; {machine}")
    print("pairs  FE     limit  gain counted  gain measured  share  gain over cached images  largest difference")
    for r in rows:
        print(
            f"{r['pairs']:5d}  {r['forward_equivalents']:.3f}  {r['limit']:.3f}  {r['counted_gain']:12.1f}"
            f"  {r['wall_gain']:13.1f}  {r['share_of_counted']:5.2f}  {r['wall_gain_over_cached_images']:23.1f}"
            f"  {r['largest_difference']:.1e}"
        )


if __name__ == "__main__":
    main()
