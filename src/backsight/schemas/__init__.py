"""The schemas of the tables that measurements give, and of their summaries.

Rows are per sample and condition; a summary's rows carry the number of samples and an interval. A figure is chosen
by a table's schema.
"""

from backsight.schemas.answers import BEHAVIOUR, BEHAVIOUR_SUMMARY, COMPARE, WHATSUP_SUMMARY
from backsight.schemas.mechanisms import (
    AMPLIFY,
    AMPLIFY_SUMMARY,
    AXES,
    FLIP_LAYERS,
    IMAGE_INTERCHANGE,
    IMAGE_INTERCHANGE_SUMMARY,
    INTERCHANGE,
    INTERCHANGE_SUMMARY,
    ORDER_LAYERS,
    POSITION_BUDGET,
    PROBE_MAPS,
    PROBES,
    PROBES_SUMMARY,
    ROADS,
    ROADS_SUMMARY,
)

__all__ = [
    "AMPLIFY",
    "AMPLIFY_SUMMARY",
    "AXES",
    "BEHAVIOUR",
    "BEHAVIOUR_SUMMARY",
    "COMPARE",
    "FLIP_LAYERS",
    "IMAGE_INTERCHANGE",
    "IMAGE_INTERCHANGE_SUMMARY",
    "INTERCHANGE",
    "INTERCHANGE_SUMMARY",
    "ORDER_LAYERS",
    "POSITION_BUDGET",
    "PROBES",
    "PROBES_SUMMARY",
    "PROBE_MAPS",
    "ROADS",
    "ROADS_SUMMARY",
    "WHATSUP_SUMMARY",
]
