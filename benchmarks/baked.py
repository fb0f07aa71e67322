"""What a repair costs as a hook and folded into the weights, and how far both differ.

    python benchmarks/baked.py [builtin:plain]

Amplification (alpha 4, fitted on jittered Squares) on questions of `hard`, batches of 16: CPU seconds a forward pass,
plain, hooked and folded, the fastest of five rounds in turn; then the largest difference in logits of folded and
hooked, in float32, and of the folded checkpoint opened in bfloat16, with the questions whose best option differs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from backsight import repairs, stimuli
from backsight.examples import Example
from backsight.models.opening import load, quiet
from backsight.models.prompts import Batch
from backsight.models.vlm import VLM

ROUNDS, QUESTIONS, BATCH = 5, 128, 16


def main(name: str) -> None:
    """Print seconds a pass, differences of logits and of answers."""
    quiet()
    vlm = load(name, dtype="float32", check=False)
    fitted = repairs.Amplification(alpha=4).fit(vlm, stimuli.build("jittered_squares", vlm.grid).limit(240))
    items = stimuli.build("hard", vlm.grid).limit(QUESTIONS).items
    with tempfile.TemporaryDirectory() as scratch:
        folder = repairs.bake(vlm, fitted, Path(scratch) / "baked")
        baked = load(folder, dtype="float32", check=False)
        half = load(folder, dtype="bfloat16", check=False)
        batches = [list(items[start : start + BATCH]) for start in range(0, len(items), BATCH)]
        kinds: dict[str, tuple[VLM, repairs.Fitted | None]] = {
            "plain": (vlm, None), "hooked": (vlm, fitted), "folded": (baked, None)
        }  # fmt: skip
        prepared = {kind: [of.prepare(b) for b in batches] for kind, (of, _) in kinds.items()}
        best = dict.fromkeys(kinds, float("inf"))
        for _ in range(ROUNDS):
            for kind, (of, repair) in kinds.items():
                start = time.process_time()  # others on the machine do not count
                logits(of, prepared[kind], repair)
                best[kind] = min(best[kind], time.process_time() - start)
        for kind, taken in best.items():
            speed = best["plain"] / taken
            print(f"{kind:<8}{taken / len(batches):.4f} s a pass of {BATCH}, {speed:.2f} of plain speed")
        repaired = logits(vlm, prepared["hooked"], fitted)
        report("folded, float32", vlm, items, logits(baked, prepared["folded"], None), repaired)
        report("folded, bfloat16", vlm, items, logits(half, [half.prepare(b) for b in batches], None), repaired)
        report("not repaired", vlm, items, logits(vlm, prepared["plain"], None), repaired)


def logits(vlm: VLM, batches: list[Batch], repair: repairs.Fitted | None) -> Tensor:
    """Next-token logits (question, vocabulary) of all batches."""
    with nullcontext() if repair is None else repair.applied(vlm):
        return torch.cat([vlm.forward(batch).float() for batch in batches])


def report(what: str, vlm: VLM, items: tuple[Example, ...], one: Tensor, other: Tensor) -> None:
    """Print the largest difference and how many best options differ."""
    asked = [item.options for item in items]
    answers = [[vlm.choose(row, o)[0] for row, o in zip(rows, asked, strict=True)] for rows in (one, other)]
    differ = sum(a != b for a, b in zip(*answers, strict=True))
    right = sum(a == item.answer for a, item in zip(answers[0], items, strict=True))
    gap = float((one - other).abs().max())
    print(f"{what:<18}logits differ from hooked by {gap:.1e}, {differ} of {len(items)} answers; {right} right")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "builtin:plain")
