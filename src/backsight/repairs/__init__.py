"""Repairs: `with repair.fit(vlm, examples).applied(vlm): ...`. A fitted repair is frozen."""

from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.base import Affine, Fitted, Repair

FITTED: dict[str, type[Fitted]] = {fitted.name: fitted for fitted in (Amplified,)}

__all__ = ["FITTED", "Affine", "Amplification", "Amplified", "Fitted", "Repair"]
