"""The gallery: answers explained by CREG, chosen by the study's own rule, from the record of the study."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.results.pages.content import Section
from backsight.results.pages.pictures import FigureView, inline
from backsight.results.pages.study import Study, records, text

METHOD = (
    "Each figure explains one answer: the picture in gray with the relevance of its image tokens, the boxes of subject "
    "and reference, and the compass of the relevance (filled) over that of uniform relevance (dashed). The line is "
    "the true direction. `backsight explain` makes the same of a picture of your own.",
    "Nobody chose the pictures. Of each set on which CREG was measured, by the default projection and for the model's "
    "own choice: strong is the largest share in the peak's sector among peaks within 22.5 degrees of the true "
    "direction, diffuse the smallest share of all, wrong the largest share among peaks more than 90 degrees off.",
)
LIMITS = ("Single pictures show what a compass looks like. How often it is right, the tables above say.",)


def gallery(study: Study) -> Section | None:
    """The section; None where the study has no gallery."""
    views = [view for shown in records(study.data.get("gallery")) if (view := _view(study, shown)) is not None]
    if not views:
        return None
    section = Section(
        anchor="gallery", title="Answers explained", question="why", figures=tuple(views), tables=(), method=METHOD,
        limits=LIMITS,
    )  # fmt: skip
    return section


def _view(study: Study, shown: Mapping[str, Any]) -> FigureView | None:
    """One figure of the gallery; None where its files are not there, or outside of the study's folder."""
    stem = text(shown.get("file"))
    drawn = [_read(study.folder, f"{stem}.{ending}") for ending in ("svg", "narrow.svg")]
    if not stem or not all(drawn):
        return None
    title = study.titles.get(text(shown.get("set")), text(shown.get("set")))
    caption = f"{title}, {text(shown.get('rule'))}: {text(shown.get('said'))}. {text(shown.get('sentence'))}"
    wide, narrow = (inline(one, caption) for one in drawn)
    files = ((f"{stem}.svg", "this figure, SVG"), (f"{stem}.json", "its numbers, JSON"))
    return FigureView(f"figure-gallery-{Path(stem).name}", caption, wide, narrow, files)


def _read(folder: Path, name: str) -> str:
    """A file of the gallery as text; empty where there is none."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        return ""
    return target.read_text(encoding="utf-8")
