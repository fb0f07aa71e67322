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

    `counterfactual` is an outcome, "ordinal" or "flipped": a recorded pair that has it is shown in the sample's place.
    """
    one = mapping(of.get("sample"))
    if not one:
        return None
    recorded = mapping(one.get("pairs")).values() if counterfactual else ()
    pair = next((p for p in map(mapping, recorded) if counterfactual in mapping(p.get("outcomes"))), None)
    shown = mapping(pair.get("clean")) if pair else one
    question, system = text(shown.get("question")), ("System sentence", text(shown.get("system")) or "none")
    options = [("Options", ", ".join(found))] if (found := texts(shown.get("options"))) else []
    picture = Picture(study.picture(shown.get("picture")), f"Answer: {text(shown.get('answer'))}")
    if pair:
        other = mapping(pair.get("counterfactual"))
        asked = [("Clean question", question), ("Counterfactual question", text(other.get("question")))]
        facts = [*asked, system, *options, *_outcomes(mapping(pair.get("outcomes")))]
        caption = f"Counterfactual. Answer: {text(other.get('answer'))}"
        pictures = [
            Picture(picture.uri, f"Clean. {picture.caption}"), Picture(study.picture(other.get("picture")), caption),
        ]  # fmt: skip
    else:
        facts, pictures = [("Question", question), system, *options], [picture]
    counts = [counted(of[key], key[:-1]) for key in ("examples", "images") if isinstance(of.get(key), int)]
    about = " ".join(filter(None, (f"{', '.join(counts)}." if counts else "", text(of.get("note")))))
    title = study.titles.get(text(of.get("name")), text(of.get("name")))
    return Sample(title, about, tuple(facts), text(shown.get("prompt")), tuple(pictures))


def _outcomes(outcomes: Mapping[str, Any]) -> list[tuple[str, str]]:
    words = ((word[:1].upper() + word[1:], outcomes.get(name)) for name, word in WORDS.items())
    return [(word, text(answer)) for word, answer in words if answer is not None]
