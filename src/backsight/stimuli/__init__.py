"""Generated worlds with exact geometry. No torch here: a suite is made of numbers, pictures and words."""

from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.suites import SUITES, build, jittered, objects, pairs, pairs_textured, shapes, squares

__all__ = [
    "PRESETS",
    "SUITES",
    "Layout",
    "build",
    "jittered",
    "objects",
    "pairs",
    "pairs_textured",
    "shapes",
    "squares",
]
