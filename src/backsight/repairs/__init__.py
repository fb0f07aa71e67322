"""Repairs: `with repair.fit(vlm, examples).applied(vlm): ...`. A fitted repair is frozen."""

from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.baking import bake
from backsight.repairs.base import Affine, Fitted, Repair
from backsight.repairs.files import load, save
from backsight.repairs.registry import FITTED, REPAIRS

__all__ = ["FITTED", "REPAIRS", "Affine", "Amplification", "Amplified", "Fitted", "Repair", "bake", "load", "save"]
