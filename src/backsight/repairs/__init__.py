"""Repairs: `with repair.fit(vlm, examples).applied(vlm): ...`. A fitted repair is frozen and knows its directions."""

from backsight.repairs.amplification import Amplification, Amplified

__all__ = ["Amplification", "Amplified"]
