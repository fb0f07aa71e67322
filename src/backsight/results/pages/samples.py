"""What a set was asked, to the letter, with the picture it was asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from backsight.results.drawing.style import counted, suite_title
from backsight.results.pages.content import Picture, Sample
from backsight.results.pages.study import Study, mapping, text, texts
from backsight.results.pages.wording import listed


def sample(
    study: Study, of: Mapping[str, Any], *, counterfactual: str = "", outcomes: Mapping[str, str]
) -> Sample | None:  # fmt: skip
    """What was asked of a set; None where the record has no sample.

    `counterfactual` is an outcome, "ordinal" or "flipped": a recorded pair that has it is shown in the sample's place,
    with what each of its outcomes answers, in the words of `outcomes`.
    """
    one = mapping(of.get("sample"))
    if not one:
        return None
    recorded = mapping(one.get("pairs")).values() if counterfactual else ()
    pair = next((p for p in map(mapping, recorded) if counterfactual in mapping(p.get("outcomes"))), None)
    shown = mapping(pair.get("clean")) if pair else one
    question, system = text(shown.get("question")), ("System sentence", text(shown.get("system")) or "none")
    options = [("Options", ", ".join(choices))] if (choices := texts(shown.get("options"))) else []
    picture = _picture(study, shown, f"Answer: {text(shown.get('answer'))}")
    if pair:
        other = mapping(pair.get("counterfactual"))
        asked = [("Clean question", question), ("Counterfactual question", text(other.get("question")))]
        facts = [*asked, system, *options, *_outcomes(mapping(pair.get("outcomes")), outcomes)]
        caption = f"Counterfactual. Answer: {text(other.get('answer'))}"
        pictures = [replace(picture, caption=f"Clean. {picture.caption}"), _picture(study, other, caption)]
    else:
        facts, pictures = [("Question", question), system, *options], [picture]
    counts = [counted(of[key], key[:-1]) for key in ("examples", "images") if isinstance(of.get(key), int)]
    about = " ".join(filter(None, (f"{', '.join(counts)}." if counts else "", text(of.get("note")))))
    title = study.titles.get(text(of.get("name")), text(of.get("name")))
    return Sample(title, about, tuple(facts), text(shown.get("prompt")), tuple(pictures), text(of.get("name")))


def _picture(study: Study, asked: Mapping[str, Any], caption: str) -> Picture:
    stored = study.picture(asked.get("picture"))
    return Picture(stored.uri, caption, stored.width, stored.height)


def system_sentences(sets: Sequence[Mapping[str, Any]]) -> str:
    """Which sets are asked with which system sentence, where they are not all asked alike; empty where they are.

    `sets` are records of a study. A set without a recorded sample is left out.
    """
    by_sentence: dict[str, list[str]] = {}
    for one in sets:
        asked = mapping(one.get("sample"))
        if asked:
            title = text(one.get("title")) or suite_title(text(one.get("name")))
            by_sentence.setdefault(text(asked.get("system")), []).append(title)
    if len(by_sentence) < 2:
        return ""
    parts = [f"{listed(dict.fromkeys(of))} {_with_sentence(sentence)}" for sentence, of in by_sentence.items()]
    return f"Not all sets are asked alike: {'; '.join(parts)}. Numbers of theirs in one table differ by that too."


def _with_sentence(sentence: str) -> str:
    return f'with the system sentence "{sentence}"' if sentence else "without a system sentence"


def _outcomes(answers: Mapping[str, Any], outcomes: Mapping[str, str]) -> list[tuple[str, str]]:
    words = ((word[:1].upper() + word[1:], answers.get(name)) for name, word in outcomes.items())
    return [(word, text(answer)) for word, answer in words if answer is not None]
