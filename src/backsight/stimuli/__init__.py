"""Generated worlds with exact geometry. No torch here: a suite is made of numbers, pictures and words."""

from backsight.stimuli.degraded import degraded
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.suites import (
    SUITES,
    build,
    grid,
    jittered,
    located,
    objects,
    pairs,
    pairs_textured,
    shapes,
    squares,
    tabletop_a,
    tabletop_b,
)

__all__ = [
    "PRESETS",
    "SUITES",
    "Layout",
    "build",
    "degraded",
    "grid",
    "jittered",
    "located",
    "objects",
    "pairs",
    "pairs_textured",
    "shapes",
    "squares",
    "tabletop_a",
    "tabletop_b",
]
