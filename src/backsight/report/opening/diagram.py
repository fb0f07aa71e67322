"""The path of position on the first screen: wide at a desk, narrow on a phone."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from backsight.results.drawing.style import to_svg
from backsight.results.pages.beside import Later
from backsight.results.pages.cutting import whole
from backsight.results.pages.study import Study
from backsight.results.path import PathFacts, describe, draw, path_facts

FORMS: dict[str, int | None] = {"wide": None, "narrow": 1}


@dataclass(frozen=True)
class Diagram:
    """Both drawings, on their way or there; the page's style shows the one that fits."""

    forms: tuple[tuple[str, Later[str]], ...]

    def __html__(self) -> str:
        """The drawings as markup, once they are there."""
        pieces = (Markup('<div class="{}">{}</div>').format(form, Markup(one.result())) for form, one in self.forms)
        return str(Markup("").join(pieces))


def diagram(study: Study) -> Diagram:
    """The drawings of a study's path, each with what it shows in words."""
    facts = path_facts(study)
    return Diagram(tuple((form, Later(_drawn, facts, form)) for form in FORMS))


def _drawn(facts: PathFacts, form: str) -> str:
    return whole(to_svg(draw(facts, columns=FORMS[form]), f"path.{form}"), f"path-{form}", describe(facts)).svg
