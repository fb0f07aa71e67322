"""Repairs: `with repair.fit(vlm, examples).applied(vlm): ...`. A fitted repair is frozen."""

from backsight.repairs.adaptvis import AdaptedAttention, AdaptVis, ScaledAttention, ScalingVis, constant
from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.baking import bake
from backsight.repairs.base import Affine, Fitted, Repair
from backsight.repairs.both_sides import BothSides, Voted
from backsight.repairs.boxes import AttendedBoxes, BoxAttention
from backsight.repairs.files import load, save
from backsight.repairs.norms import NormRescale, Rescaled
from backsight.repairs.pin import Inserted, Pin
from backsight.repairs.registry import FITTED, REPAIRS

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
    "Inserted",
    "NormRescale",
    "Pin",
    "Repair",
    "Rescaled",
    "ScaledAttention",
    "ScalingVis",
    "Voted",
    "bake",
    "constant",
    "load",
    "save",
]
