"""Repairs: `with repair.fit(vlm, examples).applied(vlm): ...`. A fitted repair is frozen."""

from backsight.repairs.adaptvis import AdaptedAttention, AdaptVis, ScaledAttention, ScalingVis, constant
from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.base import Affine, Fitted, Repair
from backsight.repairs.both_sides import BothSides, Voted
from backsight.repairs.boxes import AttendedBoxes, BoxAttention
from backsight.repairs.norms import NormRescale, Rescaled

REPAIRS: dict[str, type[Repair]] = {
    repair.name: repair for repair in (Amplification, AdaptVis, ScalingVis, NormRescale, BothSides, BoxAttention)
}
FITTED: dict[str, type[Fitted]] = {
    fitted.name: fitted for fitted in (Amplified, AdaptedAttention, ScaledAttention, Rescaled, Voted, AttendedBoxes)
}

__all__ = [
    "FITTED",
    "REPAIRS",
    "AdaptVis",
    "AdaptedAttention",
    "Affine",
    "Amplification",
    "Amplified",
    "AttendedBoxes",
    "BothSides",
    "BoxAttention",
    "Fitted",
    "NormRescale",
    "Repair",
    "Rescaled",
    "ScaledAttention",
    "ScalingVis",
    "Voted",
    "constant",
]
