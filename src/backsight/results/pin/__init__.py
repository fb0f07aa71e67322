"""The experiment with PIN: boxes, relations and *what* of frozen models, with an insert or its control."""

from backsight.results.pin.claims import claims
from backsight.results.pin.page import page
from backsight.results.pin.tables import ENDS, INSERTS, MEASURES, PIN

__all__ = ["ENDS", "INSERTS", "MEASURES", "PIN", "claims", "page"]
