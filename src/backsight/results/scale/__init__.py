"""Scale and time: the what/where gap, the pathways and CREG against a model's size and against steps of training."""

from backsight.results.scale.figure import draw
from backsight.results.scale.tables import CHANGES, SCALE, Point, scale, scale_changes
from backsight.results.scale.text import markdown, statements

__all__ = ["CHANGES", "SCALE", "Point", "draw", "markdown", "scale", "scale_changes", "statements"]
