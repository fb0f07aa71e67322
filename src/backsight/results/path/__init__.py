"""The path of position through the model: the product's picture, its facts and its words."""

from backsight.results.path.facts import HasPath, PathFacts, path_facts
from backsight.results.path.figure import draw
from backsight.results.path.verdict import PathwayOutcome, Verdict, verdict_of
from backsight.results.path.words import CAPTION, describe

__all__ = [
    "CAPTION",
    "HasPath",
    "PathFacts",
    "PathwayOutcome",
    "Verdict",
    "describe",
    "draw",
    "path_facts",
    "verdict_of",
]
