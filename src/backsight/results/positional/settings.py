"""The settings that are compared: where each has its position from, and what is said of an encoding, of which of them.

Names are those of the recipes `positions-NAME`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["vision encoder", "language model", "none"]
Encoding = Literal["none", "learned", "sinusoidal", "relative", "rotary", "rotary 2-D", "mrope"]


@dataclass(frozen=True)
class Setting:
    """A setting: its name, the part that carries position, the encoding, and what a reader calls it."""

    name: str
    part: Part
    encoding: Encoding
    title: str
    causal: bool = False  # image tokens see only those before them (Qwen2-VL), else each other both ways (Gemma-3)


SETTINGS: tuple[Setting, ...] = (
    Setting("none", "none", "none", "none"),
    Setting("vision-learned", "vision encoder", "learned", "learned absolute"),
    Setting("vision-sinusoidal", "vision encoder", "sinusoidal", "sinusoidal absolute"),
    Setting("vision-relative", "vision encoder", "relative", "relative bias"),
    Setting("vision-rotary-1d", "vision encoder", "rotary", "1-D rotary"),
    Setting("vision-rotary-2d", "vision encoder", "rotary 2-D", "2-D rotary"),
    Setting("language-learned", "language model", "learned", "learned absolute"),
    Setting("language-sinusoidal", "language model", "sinusoidal", "sinusoidal absolute"),
    Setting("language-relative", "language model", "relative", "relative bias"),
    Setting("language-rotary", "language model", "rotary", "1-D rotary, base 10,000"),
    Setting("language-rotary-fitted", "language model", "rotary", "1-D rotary, base 100"),
    Setting("language-causal", "language model", "none", "none, causal order", causal=True),
    Setting("mrope-chunked", "language model", "mrope", "M-RoPE chunked, base 10,000", causal=True),
    Setting("mrope-chunked-fitted", "language model", "mrope", "M-RoPE chunked, base 20", causal=True),
    Setting("mrope-interleaved", "language model", "mrope", "M-RoPE interleaved, base 10,000", causal=True),
    Setting("mrope-interleaved-fitted", "language model", "mrope", "M-RoPE interleaved, base 20", causal=True),
)
BY_NAME = {setting.name: setting for setting in SETTINGS}
# The encoder hands its table to the language model inside the image tokens: the language model's own encoding is none.
TABLES = ("language-learned", "language-sinusoidal")


def title(name: str) -> str:
    """What a reader calls a setting, with its part; of an unknown one its name."""
    one = BY_NAME.get(name)
    if one is None:
        return name
    return one.title if one.part == "none" else f"{one.title} ({one.part})"


def run_title(run: str) -> str:
    """What a reader calls a setting, or one of its seeds ("none 2")."""
    name, _, seed = run.partition(" ")
    return f"{title(name)}, seed {seed}" if seed else title(name)
