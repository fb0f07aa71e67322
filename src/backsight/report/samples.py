"""What a set was asked, to the letter, with the picture it was asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.figures import FLIP_WORDS, OUTCOME_WORDS
from backsight.figures.style import counted
from backsight.report.content import Picture, Sample
from backsight.report.reading import Study, mapping, text, texts

WORDS = OUTCOME_WORDS | {"flipped": FLIP_WORDS["flipped"]}


def sample(study: Study, of: Mapping[str, Any], *, counterfactual: str = "") -> Sample | None:
    """What was asked of a set; None where the record has no sample.

    `counterfactual` is an outcome, "ordinal" or "flipped": a recorded counterfactual that has it is shown beside.
    """
    one = mapping(of.get("sample"))
    other = mapping(one.get("counterfactual"))
    if not one:
        return None
    facts = [("Question", text(one.get("question"))), ("System sentence", text(one.get("system")) or "none")]
    options = texts(one.get("options"))
    facts += [("Options", ", ".join(options))] if options else []
    pictures = [Picture(study.picture(one.get("picture")), f"Answer: {text(one.get('answer'))}")]
    if counterfactual and counterfactual in mapping(other.get("outcomes")):
        answers = f"Answer: {text(other.get('answer'))}"
        pictures = [
            Picture(pictures[0].uri, f"Clean. {pictures[0].caption}"),
            Picture(study.picture(other.get("picture")), f"Counterfactual. {answers}"),
        ]
        facts = [
            ("Clean question", facts[0][1]),
            ("Counterfactual question", text(other.get("question"))),
            *facts[1:],
        ]
        facts += _outcomes(mapping(other.get("outcomes")))
    counts = [counted(of[key], key[:-1]) for key in ("examples", "images") if isinstance(of.get(key), int)]
    about = " ".join(filter(None, (f"{', '.join(counts)}." if counts else "", text(of.get("note")))))
    title = study.titles.get(text(of.get("name")), text(of.get("name")))
    return Sample(title, about, tuple(facts), text(one.get("prompt")), tuple(pictures))


def _outcomes(outcomes: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = ((word[:1].upper() + word[1:], outcomes.get(name)) for name, word in WORDS.items())
    return [(word, text(answer)) for word, answer in words if answer is not None]
