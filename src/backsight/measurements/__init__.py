"""Measurements: frozen dataclasses of parameters, called as `measurement(vlm, examples) -> Table`."""

from backsight.measurements.amplify import Amplify
from backsight.measurements.base import Measurement, batches, measure
from backsight.measurements.behaviour import Behaviour
from backsight.measurements.creg import Creg
from backsight.measurements.image_interchange import Backup, ImageInterchange
from backsight.measurements.interchange import Interchange
from backsight.measurements.knockout import Knockout
from backsight.measurements.mirror import Flip, Moved
from backsight.measurements.occlusion import Occlusion
from backsight.measurements.pathways import Pathways
from backsight.measurements.probes import ProbeMaps, Probes

Roads = Pathways  # its name in earlier releases

MEASUREMENTS: dict[str, type[Measurement]] = {
    kind.__name__.lower(): kind
    for kind in (
        Behaviour,
        Pathways,
        Interchange,
        ImageInterchange,
        Backup,
        Probes,
        ProbeMaps,
        Amplify,
        Creg,
        Occlusion,
        Knockout,
        Flip,
        Moved,
    )
}

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
    "Occlusion",
    "Pathways",
    "ProbeMaps",
    "Probes",
    "Roads",
    "batches",
    "measure",
]
