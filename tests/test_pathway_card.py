"""The card of the verdict on where position comes from: sentence, shares, and what other suites give."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backsight.report.reading import read_study
from backsight.results.pathways import reading
from backsight.results.pathways.card import PathwayCard, pathway_card, sentence
from backsight.results.pathways.reading import Judged, Share, leading

from .test_report import study_record, write_study
from .test_report_pathways import pathway, pathways_rows, share, verdict, write_pathways

Row = dict[str, Any]
LANGUAGE = {"vision": pathway("does not suffice", share(0.1, -0.1, 0.3)),
            "language": pathway("suffices", share(1.0, 0.9, 1.1))}  # fmt: skip


def card_of(folder: Path, verdicts: dict[str, Row]) -> PathwayCard | None:
    """The card of a study whose sets have these verdicts."""
    rows = [row for name in verdicts for row in pathways_rows(name)]
    first = next(iter(verdicts.values()), None)
    return pathway_card(read_study(write_pathways(folder, rows, verdict=first, verdicts=verdicts)))


def language(suite: str = "squares", **changes: Any) -> Row:
    """A verdict on a model whose language model's position encoding is enough."""
    shares = {"vision_suffices": share(0.1, -0.1, 0.3), "language_suffices": share(1.0, 0.9, 1.1)}
    return verdict(source="language", suite=suite, pathways=LANGUAGE, **(shares | changes))


def test_the_card_holds_the_verdict_and_its_numbers(tmp_path: Path) -> None:
    control = {"shuffled": share(0.9, 0.8, 1.0), "removed": share(0.7, 0.6, 0.8)}
    card = card_of(tmp_path / "s", {"squares": language(control=control)})
    assert card == PathwayCard(
        source="language",
        sentence="Position comes from the language model's position encoding.",
        outcomes={"vision": "does not suffice", "language": "suffices"},
        vision=Share(0.1, -0.1, 0.3),
        language=Share(1.0, 0.9, 1.1),
        suite="Squares",
        questions=160,
        presence_vision=Share(0.9, 0.8, 1.0),
        presence_language=Share(0.7, 0.6, 0.8),
        reason="",
        elsewhere="",
    )


def test_every_sentence_has_at_most_twelve_words() -> None:
    outcomes = ("suffices", "does not suffice", "cannot tell")
    seen = set()
    for vision in outcomes:
        for other in outcomes:
            judged = of_outcomes(vision, other)
            words = sentence(judged)
            assert len(words.split()) <= 12 and words.endswith("."), words
            seen.add(words)
    assert len(seen) == 9


def of_outcomes(vision: str, other: str) -> Judged:
    """A verdict of these outcomes, its word by the rule."""
    enough = [name for name, of in (("vision", vision), ("language", other)) if of == "suffices"]
    word = "both" if len(enough) == 2 else enough[0] if enough and "cannot tell" not in (vision, other) else ""
    of = {"vision": pathway(vision, None), "language": pathway(other, None)}
    judged = reading.judged("squares", verdict(source=word or "cannot tell", pathways=of))
    assert judged is not None
    return judged


@pytest.mark.parametrize(
    ("vision", "language", "words"),
    [
        ("suffices", "does not suffice", "Position comes from the vision encoder."),
        ("does not suffice", "does not suffice", "Neither pathway suffices by itself."),
        ("suffices", "suffices", "Position comes from both pathways, each enough by itself."),
        ("cannot tell", "cannot tell", "Where position comes from is not shown."),
        ("suffices", "cannot tell", "The vision encoder's pathway suffices; the language model's is undecided."),
        (
            "cannot tell",
            "does not suffice",
            "The language model's pathway does not suffice; the vision encoder's is undecided.",
        ),
    ],
)
def test_the_sentence_follows_from_the_outcomes(vision: str, language: str, words: str) -> None:
    assert sentence(of_outcomes(vision, language)) == words


def test_a_study_of_an_earlier_release_has_its_word_only(tmp_path: Path) -> None:
    old = {key: value for key, value in verdict().items() if key != "control"}
    card = card_of(tmp_path / "s", {"squares": old})
    assert card is not None and card.sentence == "Position comes from the vision encoder."
    assert card.outcomes == {"vision": "suffices", "language": "does not suffice"}
    assert card.vision == Share(0.75, 0.625, 0.875) and card.presence_vision is None
    folder = write_pathways(tmp_path / "t", pathways_rows(), verdict=old)  # one verdict, of no set's name
    again = pathway_card(read_study(folder))
    assert again == card


def test_where_it_cannot_tell_the_card_says_why(tmp_path: Path) -> None:
    why = "the accuracy, 0.52 [0.41, 0.60], is not above chance (.5)"
    card = card_of(tmp_path / "s", {"squares": verdict(source="cannot tell", reason=why, vision_suffices=None)})
    assert card is not None and card.sentence == "Where position comes from is not shown."
    assert card.reason.replace("\u00a0", " ") == "the accuracy, 52 % [41, 60], is not above chance (.5)"
    assert card.vision is None


def test_the_first_suite_with_an_answer_speaks_and_the_others_stand_beside(tmp_path: Path) -> None:
    open_ = verdict(source="cannot tell", reason="the accuracy is not above chance (.5)")
    neither = {name: LANGUAGE["vision"] for name in ("vision", "language")}
    card = card_of(
        tmp_path / "s",
        {
            "objects": open_,
            "shapes": language("shapes"),
            "squares": language(),
            "pairs": verdict(suite="pairs"),
            "vsr": verdict(source="cannot tell", pathways=neither),
        },
    )
    assert card is not None and (card.suite, card.source) == ("Shapes", "language")
    assert card.elsewhere == "Not shown in Objects; from the vision encoder in Pairs; neither pathway suffices in Vsr."
    assert (card.same, card.suites) == (2, 5)


def test_a_half_answer_speaks_before_none() -> None:
    none, half = of_outcomes("cannot tell", "cannot tell"), of_outcomes("suffices", "cannot tell")
    assert leading((none, replace(half, suite="shapes"))).suite == "shapes"
    assert leading((none, replace(none, suite="shapes"))).suite == "squares"


def test_there_is_no_card_without_a_verdict_or_its_table(tmp_path: Path) -> None:
    for number, nothing in enumerate((None, {}, 3, {"source": "the moon"}, {"source": None})):
        folder = write_pathways(tmp_path / str(number), pathways_rows(), verdict=nothing)
        assert pathway_card(read_study(folder)) is None
    folder = write_study(tmp_path / "s", study_record("squares", verdict=verdict()))
    assert pathway_card(read_study(folder)) is None
