"""The repairs by name: what `fit` is called on, and what it gives and a file holds. One line each."""

from __future__ import annotations

from backsight.repairs.adaptvis import AdaptedAttention, AdaptVis, ScaledAttention, ScalingVis
from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.base import Fitted, Repair
from backsight.repairs.both_sides import BothSides, Voted
from backsight.repairs.boxes import AttendedBoxes, BoxAttention
from backsight.repairs.norms import NormRescale, Rescaled
from backsight.repairs.pin import Inserted, Pin

REPAIRS: dict[str, type[Repair]] = {
    repair.name: repair for repair in (Amplification, AdaptVis, ScalingVis, NormRescale, BothSides, BoxAttention, Pin)
}
FITTED: dict[str, type[Fitted]] = {
    fitted.name: fitted
    for fitted in (Amplified, AdaptedAttention, ScaledAttention, Rescaled, Voted, AttendedBoxes, Inserted)
}
