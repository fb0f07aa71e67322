"""A norm behind the projector against the plain one: rows, means over seeds, sentences, figure and page."""

from __future__ import annotations

from backsight.results.projector.claims import PROJECTOR_CLAIMS, projector_claims
from backsight.results.projector.figure import draw
from backsight.results.projector.page import page
from backsight.results.projector.tables import PROJECTOR, PROJECTOR_CURVES, PROJECTOR_SUMMARY, projector_summary

__all__ = [
    "PROJECTOR", "PROJECTOR_CLAIMS", "PROJECTOR_CURVES", "PROJECTOR_SUMMARY", "draw", "page", "projector_claims",
    "projector_summary",
]  # fmt: skip
