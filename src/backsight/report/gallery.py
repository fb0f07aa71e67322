"""The gallery: answers explained by CREG, chosen by the study's own rule, from the record of the study."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backsight.results.pages.content import Section
from backsight.results.pages.pictures import FigureView, view
from backsight.results.pages.study import Study, mapping, records, text
from backsight.results.relevance.answers import recorded

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
    """One figure of the gallery; None where its file is not there, is no SVG, or outside of the study's folder."""
    stem = text(shown.get("file"))
    svg = _read(study.folder, f"{stem}.svg")
    if not stem or not svg:
        return None
    title = study.titles.get(text(shown.get("set")), text(shown.get("set")))
    of = f"{title}, {text(shown.get('rule'))}"
    caption = f"{of}: {text(shown.get('said'))}. {_sentence(study, stem, shown)}"
    files = ((f"{stem}.svg", "this figure, SVG"), (f"{stem}.json", "its numbers, JSON"))
    try:
        return view(f"gallery-{Path(stem).name}", svg, of, caption, files)
    except ValueError:
        return None


def _sentence(study: Study, stem: str, shown: Mapping[str, Any]) -> str:
    """What the explanation says, in the words of today; those that were stored where its numbers are not there."""
    try:
        record = mapping(json.loads(_read(study.folder, f"{stem}.json")))
    except ValueError:
        record = {}
    return recorded(record) or text(shown.get("sentence"))


def _read(folder: Path, name: str) -> str:
    """A file of the gallery as text; empty where there is none."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        return ""
    return target.read_text(encoding="utf-8")
