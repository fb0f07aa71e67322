"""Backsight: what a vision-language model knows about *where*.

Names are loaded when they are used, so that `import backsight` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_WHERE = {
    "load": "backsight.models.opening",
    "VLM": "backsight.models.vlm",
    "Edit": "backsight.models.sites",
    "Family": "backsight.models.families",
    "Example": "backsight.examples",
    "ExampleSet": "backsight.examples",
    "Pair": "backsight.examples",
    "PairSet": "backsight.examples",
    "Table": "backsight.tables",
    "Verdict": "backsight.results.path",
    "TokenGrid": "backsight.grid",
    "Box": "backsight.grid",
    "Behaviour": "backsight.measurements",
    "Interchange": "backsight.measurements",
    "Pathways": "backsight.measurements",
    "Roads": "backsight.measurements",  # the name of Pathways in earlier releases
    "measure": "backsight.measurements",
    "plot": "backsight.results",
    "open_study": "backsight.report.opened",
    "explain": "backsight.measurements.explain",
    "BacksightError": "backsight.errors",
}
_PACKAGES = ("datasets", "maths", "measurements", "models", "repairs", "report", "results", "stimuli", "studies")

__all__ = [
    "VLM",
    "BacksightError",
    "Behaviour",
    "Box",
    "Edit",
    "Example",
    "ExampleSet",
    "Family",
    "Interchange",
    "Pair",
    "PairSet",
    "Table",
    "TokenGrid",
    "Verdict",
    "datasets",
    "explain",
    "load",
    "maths",
    "measure",
    "measurements",
    "models",
    "open_study",
    "plot",
    "repairs",
    "report",
    "results",
    "stimuli",
    "studies",
]

if TYPE_CHECKING:
    from backsight import datasets, maths, measurements, models, repairs, report, results, stimuli, studies
    from backsight.errors import BacksightError
    from backsight.examples import Example, ExampleSet, Pair, PairSet
    from backsight.grid import Box, TokenGrid
    from backsight.measurements import Behaviour, Interchange, measure
    from backsight.models.families import Family
    from backsight.models.opening import load
    from backsight.models.sites import Edit
    from backsight.models.vlm import VLM
    from backsight.report.opened import open_study
    from backsight.results import plot
    from backsight.results.path import Verdict
    from backsight.tables import Table


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(_WHERE[name]), name)
    if name in _PACKAGES:
        return import_module(f"backsight.{name}")
    raise AttributeError(f"module 'backsight' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
