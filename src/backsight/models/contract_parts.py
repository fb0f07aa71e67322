"""What contracts share: the questions that they ask, an edit that no norm is blind to, and when logits agree."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from backsight.examples import Example, MemoryPicture
from backsight.models.seam import Seam

TOLERANCE = 1e-4


def examples(vlm: Seam) -> list[Example]:
    """Three questions of different lengths about small, wide, noisy pictures."""
    rng = np.random.default_rng(0)
    width, height = vlm.prompter.native_size()
    questions = ["Where is it?", "Which color is in the picture, red or blue?", "What is it?"]
    asked = []
    for number, question in enumerate(questions):
        noise = rng.integers(0, 256, (height // 2, width * 3 // 4, 3), dtype=np.uint8)
        asked.append(Example(f"contract-{number}", MemoryPicture(Image.fromarray(noise)), question, (), ""))
    return asked


def close(vlm: Seam, one: Tensor, two: Tensor) -> tuple[bool, str]:
    """Equal to 1e-4 in fp32; in half precision the same top token and a KL divergence under 1e-2."""
    gap = float((one - two).abs().max())
    if vlm.dtype == torch.float32:
        return gap <= TOLERANCE, f"largest difference in logits {gap:.1e}"
    p, q = torch.log_softmax(one.float(), -1), torch.log_softmax(two.float(), -1)
    divergence = float((p.exp() * (p - q)).sum(-1).max())
    same = bool((one.argmax(-1) == two.argmax(-1)).all())
    return same and divergence < 1e-2, f"KL {divergence:.1e}, top token {'equal' if same else 'different'}"


def disturb(rows: Tensor) -> Tensor:
    """Reversed features with a shift: no norm is blind to it."""
    return rows.flip(-1) * 1.5 + 0.25 * torch.linspace(-1, 1, rows.shape[-1], dtype=rows.dtype, device=rows.device)
