"""A user's own questions, one by one: picture, answer, and the probability of every option, whatever their number."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages import common
from backsight.results.pages.content import Picture, Sample, Section, Statement
from backsight.results.pages.study import Study, mapping, text
from backsight.results.pages.webp import Packed
from backsight.results.pages.wording import decimal

Row = dict[str, Any]
SHOWN = 200  # questions of a set; a page with more would be too large
METHOD = (
    "Each question is shown as it was asked, with what the model chose among its options and the probability of each "
    "option over the whole vocabulary (of the whole option, where it is longer than a token). The same question about "
    "a uniform gray picture stands beside: where it is answered alike, the picture need not have been used.",
)
LIMITS = (
    "A few questions say what the model answered to them, not how often it is right: no interval is given.",
    "The probabilities of the options need not sum to one: the rest of the vocabulary has what is left.",
)


def own_questions(study: Study) -> Section | None:
    """The section of the sets that are the user's own, and its answer; None where there are none."""
    samples: list[Sample] = []
    notes: list[str] = []
    statements: list[Statement] = []
    for one in study.sets:
        name = text(one.get("name"))
        rows = [row for table in study.tables_of("behaviour", name) for row in table.rows()] if one.get("own") else []
        shown = [row for row in rows if row["condition"] == "picture"]
        if not shown:
            continue
        grays = {row["example_id"]: row for row in rows if row["condition"] == "gray"}
        title, pictures = common.title(study, name), mapping(one.get("pictures"))
        statements.append(Statement(f"{title}: {_count(shown, grays)}"))
        if len(shown) > SHOWN:
            notes.append(f"{title}: the first {SHOWN} of {len(shown)} questions are shown.")
        for number, row in enumerate(shown[:SHOWN], start=1):
            stored = study.picture(pictures.get(row["image_id"]))
            samples.append(_sample(f"{title}, question {number}", row, grays.get(row["example_id"]), stored))
    if not samples:
        return None
    section = Section(
        anchor="own", title="Your own questions", question="can", notes=tuple(notes), figures=(), tables=(),
        method=METHOD, limits=LIMITS, samples=tuple(samples),
    )  # fmt: skip
    lead = "Each is shown below with its picture, its answer and the probability of every option:"
    return section.concluding(lead, tuple(statements))


def _count(shown: list[Row], grays: Mapping[str, Row]) -> str:
    """How many questions are answered right, with the picture and with a gray one."""
    right = sum(bool(row["choice_correct"]) for row in shown)
    words = f"{right} of {counted(len(shown), 'question')} right"
    blind = sum(bool(row["choice_correct"]) for row in grays.values())
    return f"{words} (gray picture: {blind} of {len(grays)})" if grays else words


def _sample(title: str, row: Row, gray: Row | None, stored: Packed) -> Sample:
    facts = [
        ("Question", text(row["question"])),
        ("Right answer", text(row["answer"])),
        ("Model's answer", f"{text(row['choice'])} ({'right' if row['choice_correct'] else 'wrong'})"),
        ("Probabilities", _probabilities(row)),
    ]
    if gray is not None:
        facts.append(("With a gray picture", f"{text(gray['choice'])}: {_probabilities(gray)}"))
    return Sample(title, "", tuple(facts), "", (Picture.of(stored, f"Answer: {text(row['answer'])}"),))


def _probabilities(row: Row) -> str:
    """Every option with its probability, in the order of the question; those of an earlier release are two at most."""
    stored = json.loads(row["probabilities"]) if row.get("probabilities") else {}
    known = {text(row["answer"]): row["p_answer"], text(row["choice"]): row["p_choice"]}
    return ", ".join(f"{option} {decimal(p)}" for option, p in (stored or known).items())
