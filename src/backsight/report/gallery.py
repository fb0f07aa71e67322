"""The gallery: answers explained by CREG, chosen by the study's own rule, from the record of the study."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.content import Section
from backsight.results.pages.pictures import FigureView, view
from backsight.results.pages.study import Study, mapping, records, text
from backsight.results.pages.wording import listed
from backsight.results.relevance.answers import recorded

RULES = {
    "strong": "the strongest peak toward the object",
    "diffuse": "the most diffuse compass",
    "wrong": "the strongest peak away from the object",
}
METHOD = (
    "Each figure explains one answer: the picture in gray with the relevance of its image tokens, the boxes of both "
    "objects, and the compass of the relevance (filled) over that of uniform relevance (dashed). The line is the true "
    "direction. `backsight explain` makes the same of a picture of your own.",
    "Nobody chose the pictures: of each suite, for the model's own choice, the rule takes the largest share in the "
    "peak's sector among peaks within 22.5 degrees of the true direction, the smallest share of all, and the largest "
    "share among peaks more than 90 degrees off.",
)
LIMITS = ("Single pictures show what a compass looks like, not how often it points at the object.",)
EARLIER_ANSWER = re.compile(r"<text\b[^>]*>\s*answer:[^<]*</text>")
NULL = "Dashed in each compass is uniform relevance, which knows nothing but both boxes."


def gallery(study: Study) -> Section | None:
    """The section; None where the study has no gallery. A set that only compares prompts is left out beside its own."""
    shown = records(study.data.get("gallery"))
    suites = {text(one.get("set")) for one in shown}
    shown = [one for one in shown if f"{text(one.get('set'))}_a" not in suites]
    views = [(one, drawn) for one in shown if (drawn := _view(study, one)) is not None]
    if not views:
        return None
    claim = claim_of([one for one, _ in views])
    return Section(
        anchor="gallery", title="Answers explained", question="why", claim=claim, null=NULL,
        figures=tuple(drawn for _, drawn in views), tables=(), method=METHOD, limits=LIMITS, kinds=("creg",),
    )  # fmt: skip


def claim_of(shown: Sequence[Mapping[str, Any]]) -> str:
    """How many answers are shown, of how many suites, and by which rules."""
    suites = len({text(one.get("set")) for one in shown})
    kinds = dict.fromkeys(RULES.get(text(one.get("rule")), text(one.get("rule"))) for one in shown)
    answers = f"{counted(len(shown), 'answer')} of {counted(suites, 'suite')}"
    return f"{answers} {'is' if len(shown) == 1 else 'are'} explained, chosen by rule: {listed(kinds)}."


def caption(study: Study, shown: Mapping[str, Any]) -> str:
    """The suite, the rule, and what the record's numbers say; of a record without them, what the study wrote down."""
    return f"{_named(study, shown)}. {_sentence(study, text(shown.get('file'))) or text(shown.get('sentence'))}"


def _named(study: Study, shown: Mapping[str, Any]) -> str:
    """The suite and the rule."""
    title = study.titles.get(text(shown.get("set")), text(shown.get("set")))
    return f"{title}, {RULES.get(text(shown.get('rule')), text(shown.get('rule')))}"


def _sentence(study: Study, stem: str) -> str:
    """The sentence of an explanation from its numbers; empty where they cannot be read."""
    try:
        record = json.loads(_read(study.folder, f"{stem}.json") or "{}")
    except ValueError:
        return ""
    return recorded(mapping(record))


def _view(study: Study, shown: Mapping[str, Any]) -> FigureView | None:
    """One figure of the gallery; None where its file is not there, is no SVG, or outside of the study's folder."""
    stem = text(shown.get("file"))
    svg = _read(study.folder, f"{stem}.svg")
    if not stem or not svg:
        return None
    label = _named(study, shown)
    files = ((f"{stem}.svg", "this figure, SVG"), (f"{stem}.json", "its numbers, JSON"))
    try:
        return view(f"gallery-{Path(stem).name}", in_words_of_today(svg), label, caption(study, shown), files)
    except ValueError:
        return None


def in_words_of_today(svg: str) -> str:
    """A figure without the line of its answer, where an earlier release drew it in words of its own.

    Such figures have no list of panels. The caption has the answer from the record's numbers.
    """
    return svg if "data-panels" in svg else EARLIER_ANSWER.sub("", svg)


def _read(folder: Path, name: str) -> str:
    """A file of the gallery as text; empty where there is none."""
    target = (folder / name).resolve()
    if not target.is_relative_to(folder.resolve()) or not target.is_file():
        return ""
    return target.read_text(encoding="utf-8", errors="replace")
