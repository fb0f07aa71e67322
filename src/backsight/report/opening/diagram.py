"""The path of position on the first screen: wide at a desk, narrow on a phone."""

from __future__ import annotations

from markupsafe import Markup

from backsight.results.drawing.style import to_svg
from backsight.results.pages.cutting import whole
from backsight.results.pages.study import Study
from backsight.results.path import describe, draw, path_facts

FORMS: dict[str, int | None] = {"wide": None, "narrow": 1}


def diagram(study: Study) -> Markup:
    """Both drawings with what they show in words; the page's style shows the one that fits."""
    facts = path_facts(study)
    words = describe(facts)
    drawings = {form: to_svg(draw(facts, columns=columns), f"path.{form}") for form, columns in FORMS.items()}
    pieces = {form: Markup(whole(one, f"path-{form}", words).svg) for form, one in drawings.items()}
    return Markup("").join(Markup('<div class="{}">{}</div>').format(form, one) for form, one in pieces.items())
