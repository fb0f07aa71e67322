"""Measurements: frozen dataclasses of parameters, called as `measurement(vlm, examples) -> Table`."""

from backsight.measurements.base import Measurement, batches, measure
from backsight.measurements.behaviour import Behaviour
from backsight.measurements.interchange import Interchange

MEASUREMENTS: dict[str, type[Measurement]] = {"behaviour": Behaviour, "interchange": Interchange}

__all__ = ["MEASUREMENTS", "Behaviour", "Interchange", "Measurement", "batches", "measure"]
