"""Scale and time: the what/where gap, the pathways and CREG against a model's size and against steps of training."""

from backsight.results.scale.claims import CLAIMS, scale_claims
from backsight.results.scale.figure import draw
from backsight.results.scale.page import page
from backsight.results.scale.tables import CHANGES, ROW, SCALE, Point, scale, scale_changes

__all__ = ["CHANGES", "CLAIMS", "ROW", "SCALE", "Point", "draw", "page", "scale", "scale_changes", "scale_claims"]
