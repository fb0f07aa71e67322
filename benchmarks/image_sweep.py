"""What an image-token sweep costs, and what it gains over one patched forward a layer.

Objects and strips of rows of three are swapped at every layer of a random Qwen2-VL shape, eager attention, on one
recording. Counted in language-model forward equivalents (LM-FE: a plain forward without the vision encoder) a pair and
set of tokens: the floor is (L + 1) / 2 + 2, both runs included. Run: python benchmarks/image_sweep.py [--json]
"""

from __future__ import annotations

import argparse
import json
import platform
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from backsight import stimuli
from backsight.examples import Example, Pair
from backsight.measurements import ImageInterchange
from backsight.measurements.image_interchange import crosswise, prompt_mask, prompt_positions
from backsight.measurements.regions import Tokens, regions
from backsight.models import embeds, replay
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from replay import call, flops, seconds, shape

SETS: tuple[Tokens, ...] = ("objects", "strips")


def sides(pairs: Sequence[Pair]) -> tuple[list[Example], list[Example]]:
    """The clean and the counterfactual examples."""
    return [p.clean for p in pairs], [p.counterfactual for p in pairs]


def sweep(vlm: VLM, pairs: Sequence[Pair], sets: Sequence[Tokens]) -> dict[str, Tensor]:
    """Logits (layer, pair, vocabulary) of each set, as ImageInterchange makes them: two recordings in all."""
    clean, other = (replay.record(vlm, vlm.prepare(side)) for side in sides(pairs))
    measurement = ImageInterchange(tokens=tuple(sets))
    return {tokens: torch.stack(measurement.sweep(clean, other, tokens)) for tokens in sets}


def patched(vlm: VLM, pairs: Sequence[Pair], tokens: Tokens) -> Tensor:
    """The same by plain forwards: two, and one patched forward a layer."""
    clean, other = (vlm.prepare(side) for side in sides(pairs))
    call(vlm, clean)
    with vlm.recording("resid_pre") as recorded:
        call(vlm, other)
    states = [recorded["resid_pre", k] for k in range(vlm.n_layers + 1)]
    places = [regions(e, g, tokens) for e, g in zip(clean.examples, clean.grids, strict=True)]
    into = prompt_mask(clean, [torch.cat([torch.from_numpy(a), torch.from_numpy(b)]).numpy() for a, b in places])
    taken = [prompt_positions(other, i, crosswise(*place)) for i, place in enumerate(places)]
    found = []
    for layer, state in enumerate(states):
        value = torch.cat([state[i, at] for i, at in enumerate(taken)])
        with vlm.editing(Edit("resid_pre", lambda rows, value=value: value, (layer,), into)):  # type: ignore[misc]
            found.append(call(vlm, clean))
    return torch.stack(found)


def measure(layers: int, width: int, count: int, runs: int) -> list[dict[str, Any]]:
    """A row a set of tokens, and one for both on one recording."""
    vlm = shape(layers, width)
    pairs = list(stimuli.squares().pairs("reversed"))[:count]
    batch = vlm.prepare(sides(pairs)[0])
    vision = flops(lambda: embeds.features(vlm.model, batch.inputs["pixel_values"], batch.inputs["image_grid_thw"]))
    language = flops(lambda: call(vlm, batch)) - vision
    rows = []
    for sets in ((SETS[0],), (SETS[1],), SETS):
        spent = (flops(lambda sets=sets: sweep(vlm, pairs, sets)) - 2 * vision) / language  # type: ignore[misc]
        plain = len(sets) * (layers + 3)  # forwards, vision encoder and all
        whole = flops(lambda: call(vlm, batch)) / language
        counted = plain * whole / (spent + 2 * vision / language)
        works = {
            "sweep": lambda sets=sets: sweep(vlm, pairs, sets),  # type: ignore[misc]
            "patched": lambda sets=sets: [patched(vlm, pairs, tokens) for tokens in sets],  # type: ignore[misc]
        }
        gap = max(float((sweep(vlm, pairs, sets)[t] - patched(vlm, pairs, t)).abs().max()) for t in sets)
        taken = seconds(works, runs)
        gain = taken["patched"] / taken["sweep"]
        rows.append(
            {
                "sets": " and ".join(sets), "layers": layers, "tokens": batch.input_ids.shape[1], "pairs": count,
                "language_forward_equivalents": spent / len(sets), "floor": (layers + 1) / 2 + 2,
                "limit": (layers + 1) / 2 + 2.1, "counted_gain": counted, "wall_gain": gain,
                "share_of_counted": gain / counted, "largest_difference": gap, "seconds_sweep": taken["sweep"],
            }
        )  # fmt: skip
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=28)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--pairs", type=int, default=1)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    rows = measure(given.layers, given.width, given.pairs, given.runs)
    machine = {"torch": torch.__version__, "threads": torch.get_num_threads(), "machine": platform.machine()}
    if given.json:
        print(json.dumps({"machine": machine, "rows": rows}, indent=1))
        return
    print(f"{given.layers} blocks of width {given.width}, {given.pairs} pairs, eager; {machine}")
    print("swapped             tokens  LM-FE a set  limit  gain counted  gain measured  share  largest difference")
    for r in rows:
        print(
            f"{r['sets']:19s}  {r['tokens']:5d}  {r['language_forward_equivalents']:11.2f}  {r['limit']:5.1f}"
            f"  {r['counted_gain']:12.2f}  {r['wall_gain']:13.2f}  {r['share_of_counted']:5.2f}"
            f"  {r['largest_difference']:.1e}"
        )


if __name__ == "__main__":
    main()
