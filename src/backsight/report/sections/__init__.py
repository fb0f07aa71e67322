"""The measurements of a report, in the order of the page.

Each is made of summary tables and gives a section with the answer, for the opening, that is read from it; without
its table there is neither. `FIRST` is the one whose answer stands before the others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from backsight.report.reading import Study
from backsight.report.sections.amplification import amplification
from backsight.report.sections.behaviour import behaviour
from backsight.report.sections.common import Part
from backsight.report.sections.compass import compass
from backsight.report.sections.compass_controls import causal
from backsight.report.sections.gallery import gallery
from backsight.report.sections.images import backup, image_interchange
from backsight.report.sections.interchange import interchange
from backsight.report.sections.positions import positions
from backsight.report.sections.probes import probes
from backsight.report.sections.published import published
from backsight.report.sections.roads import roads

SECTIONS: Mapping[str, Callable[[Study], Part | None]] = {
    "behaviour": behaviour,
    "roads": roads,
    "interchange": interchange,
    "probes": probes,
    "image_interchange": image_interchange,
    "backup": backup,
    "compass": compass,
    "causal": causal,
    "gallery": gallery,
    "positions": positions,
    "amplification": amplification,
    "published": published,
}
FIRST = "roads"

__all__ = ["FIRST", "SECTIONS", "Part"]
