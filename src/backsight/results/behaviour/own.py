"""A user's own questions, one by one: picture, answer, and the probability of every option, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages import common
from backsight.results.pages.content import Picture, Sample, Section, Statement
from backsight.results.pages.study import Study, mapping, text
from backsight.results.pages.wording import decimal

Row = dict[str, Any]
SHOWN = 200  # questions of a set; a page with more would be too large
METHOD = (
    "Each question is shown as it was asked, with what the model chose among its options and the probability of each "
    "option over the whole vocabulary (of the whole option, where it is longer than a token). Where the same question "
    "about a uniform gray picture is answered alike, the picture need not have been used.",
)
LIMITS = (
    "A few questions say what the model answered to them, not how often it is correct: no interval is given.",
    "The probabilities of the options need not sum to one: the rest of the vocabulary has what is left.",
)


def own_questions(study: Study) -> Section | None:
    """The section of the sets that are the user's own, and its answer; None where there are none."""
    samples: list[Sample] = []
    notes: list[str] = []
    asked: list[tuple[str, str, list[Row], dict[str, Row]]] = []  # stored name, title, answers, gray answers by id
    for one in study.sets:
        name = text(one.get("name"))
        rows = [row for table in study.tables_of("behaviour", name) for row in table.rows()] if one.get("own") else []
        shown = [row for row in rows if row["condition"] == "picture"]
        if not shown:
            continue
        grays = {row["example_id"]: row for row in rows if row["condition"] == "gray"}
        title, pictures = common.title(study, name), mapping(one.get("pictures"))
        asked.append((name, title, shown, grays))
        if len(shown) > SHOWN:
            notes.append(f"{title}: the first {SHOWN} of {len(shown)} questions are shown.")
        for number, row in enumerate(shown[:SHOWN], start=1):
            uri = study.picture(pictures.get(row["image_id"])).uri
            samples.append(_sample(name, f"{title}, question {number}", row, grays.get(row["example_id"]), uri))
    if not samples:
        return None
    every = [row for *_, shown, _ in asked for row in shown]
    blind = [row for *_, grays in asked for row in grays.values()]
    statements = [
        Statement(f"{title}: {_count(shown, list(grays.values()))}.", name, 1 - _correct(shown) / len(shown))
        for name, title, shown, grays in asked
        if len(asked) > 1
    ]
    return Section(
        anchor="own", title="Your own questions", question="can", claim=claim(every), null=null(blind),
        notes=tuple(notes), figures=(), statements=tuple(statements), tables=(), method=METHOD, limits=LIMITS,
        samples=tuple(samples),
    )  # fmt: skip


def claim(shown: Sequence[Row]) -> str:
    """How many questions are answered incorrectly, and how many correctly."""
    wrong = len(shown) - _correct(shown)
    return f"Of {counted(len(shown), 'own question')} {wrong or 'none'} {_is(wrong)} answered incorrectly."


def null(grays: Sequence[Row]) -> str:
    """How many of them are answered incorrectly with a gray picture; nothing where none was asked about."""
    wrong = len(grays) - _correct(grays)
    return f"With a gray picture {wrong or 'none'} of {len(grays)} {_is(wrong)} answered incorrectly." if grays else ""


def _is(number: int) -> str:
    return "is" if number < 2 else "are"


def _correct(rows: Sequence[Row]) -> int:
    return sum(bool(row["choice_correct"]) for row in rows)


def _count(shown: Sequence[Row], grays: Sequence[Row]) -> str:
    """How many questions are answered correctly, with the picture and with a gray one."""
    words = f"{_correct(shown)} of {counted(len(shown), 'question')} correct"
    return f"{words} (gray picture: {_correct(grays)} of {len(grays)})" if grays else words


def _sample(suite: str, title: str, row: Row, gray: Row | None, uri: str) -> Sample:
    facts = [
        ("Question", text(row["question"])),
        ("Correct answer", text(row["answer"])),
        ("Model's answer", f"{text(row['choice'])} ({'correct' if row['choice_correct'] else 'incorrect'})"),
        ("Probabilities", _probabilities(row)),
    ]
    if gray is not None:
        facts.append(("With a gray picture", f"{text(gray['choice'])}: {_probabilities(gray)}"))
    return Sample(title, "", tuple(facts), "", (Picture(uri, f"Answer: {text(row['answer'])}"),), suite)


def _probabilities(row: Row) -> str:
    """Every option with its probability, in the order of the question; those of an earlier release are two at most."""
    stored = json.loads(row["probabilities"]) if row.get("probabilities") else {}
    known = {text(row["answer"]): row["p_answer"], text(row["choice"]): row["p_choice"]}
    return ", ".join(f"{option} {decimal(p)}" for option, p in (stored or known).items())
