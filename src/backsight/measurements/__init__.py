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
    from backsight.measurements.captions import Captions
    from backsight.measurements.creg import Creg
    from backsight.measurements.gap import Gap
    from backsight.measurements.heads import Heads
    from backsight.measurements.image_interchange import Backup, ImageInterchange
    from backsight.measurements.interchange import Interchange
    from backsight.measurements.knockout import Knockout
    from backsight.measurements.localization import Localization
    from backsight.measurements.looking import Looking
    from backsight.measurements.mirror import Flip, Moved
    from backsight.measurements.modalities import Modalities
    from backsight.measurements.needs import Needs
    from backsight.measurements.norms import EmbeddingNorms
    from backsight.measurements.occlusion import Occlusion
    from backsight.measurements.pathways import Pathways
    from backsight.measurements.pathways import Pathways as Roads
    from backsight.measurements.permutation import Permutation
    from backsight.measurements.priors import Priors
    from backsight.measurements.probes import ProbeMaps, Probes
    from backsight.measurements.resolution import Resolution
    from backsight.measurements.rotary import Rotary
    from backsight.measurements.text import Text
    from backsight.measurements.tournament import Tournament

    MEASUREMENTS: dict[str, type[Measurement]]

_KINDS = {
    "Behaviour": "behaviour",
    "Gap": "gap",
    "Pathways": "pathways",
    "Permutation": "permutation",
    "Captions": "captions",
    "Localization": "localization",
    "EmbeddingNorms": "norms",
    "Interchange": "interchange",
    "ImageInterchange": "image_interchange",
    "Backup": "image_interchange",
    "Probes": "probes",
    "ProbeMaps": "probes",
    "Modalities": "modalities",
    "Looking": "looking",
    "Heads": "heads",
    "Rotary": "rotary",
    "Priors": "priors",
    "Text": "text",
    "Resolution": "resolution",
    "Amplify": "amplify",
    "Tournament": "tournament",
    "Creg": "creg",
    "Occlusion": "occlusion",
    "Knockout": "knockout",
    "Flip": "mirror",
    "Moved": "mirror",
}
_WHERE = _KINDS | {"Measurement": "base", "measure": "base", "batches": "batching", "Needs": "needs"}

__all__ = [
    "MEASUREMENTS",
    "Amplify",
    "Backup",
    "Behaviour",
    "Captions",
    "Creg",
    "EmbeddingNorms",
    "Flip",
    "Gap",
    "Heads",
    "ImageInterchange",
    "Interchange",
    "Knockout",
    "Localization",
    "Looking",
    "Measurement",
    "Modalities",
    "Moved",
    "Needs",
    "Occlusion",
    "Pathways",
    "Permutation",
    "Priors",
    "ProbeMaps",
    "Probes",
    "Resolution",
    "Roads",
    "Rotary",
    "Text",
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
