"""The repairs by name: what `fit` is called on, and what it gives and a file holds. One line each."""

from __future__ import annotations

from backsight.repairs.amplification import Amplification, Amplified
from backsight.repairs.base import Fitted, Repair

REPAIRS: dict[str, type[Repair]] = {repair.name: repair for repair in (Amplification,)}
FITTED: dict[str, type[Fitted]] = {fitted.name: fitted for fitted in (Amplified,)}
