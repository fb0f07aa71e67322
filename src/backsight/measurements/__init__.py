"""Measurements: frozen dataclasses of parameters, called as `measurement(vlm, examples) -> Table`.

Names are loaded when they are used: planning with a measurement of one's own needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backsight.measurements.amplify import Amplify
    from backsight.measurements.base import Measurement, measure
    from backsight.measurements.batching import batches
    from backsight.measurements.behaviour import Behaviour
    from backsight.measurements.creg import Creg
    from backsight.measurements.image_interchange import Backup, ImageInterchange
    from backsight.measurements.interchange import Interchange
    from backsight.measurements.knockout import Knockout
    from backsight.measurements.mirror import Flip, Moved
    from backsight.measurements.needs import Needs
    from backsight.measurements.occlusion import Occlusion
    from backsight.measurements.pathways import Pathways
    from backsight.measurements.pathways import Pathways as Roads
    from backsight.measurements.probes import ProbeMaps, Probes
    from backsight.measurements.tournament import Tournament

    MEASUREMENTS: dict[str, type[Measurement]]

_KINDS = {
    "Behaviour": "behaviour",
    "Pathways": "pathways",
    "Interchange": "interchange",
    "ImageInterchange": "image_interchange",
    "Backup": "image_interchange",
    "Probes": "probes",
    "ProbeMaps": "probes",
    "Amplify": "amplify",
    "Creg": "creg",
    "Occlusion": "occlusion",
    "Knockout": "knockout",
    "Flip": "mirror",
    "Moved": "mirror",
    "Tournament": "tournament",
}
_WHERE = _KINDS | {"Measurement": "base", "measure": "base", "batches": "batching", "Needs": "needs"}

__all__ = [
    "MEASUREMENTS",
    "Amplify",
    "Backup",
    "Behaviour",
    "Creg",
    "Flip",
    "ImageInterchange",
    "Interchange",
    "Knockout",
    "Measurement",
    "Moved",
    "Needs",
    "Occlusion",
    "Pathways",
    "ProbeMaps",
    "Probes",
    "Roads",
    "Tournament",
    "batches",
    "measure",
]


def __getattr__(name: str) -> Any:
    if name == "Roads":  # its name in earlier releases
        name = "Pathways"
    if name in _WHERE:
        return getattr(import_module(f"backsight.measurements.{_WHERE[name]}"), name)
    if name == "MEASUREMENTS":
        return {kind.lower(): __getattr__(kind) for kind in _KINDS}
    raise AttributeError(f"module 'backsight.measurements' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
