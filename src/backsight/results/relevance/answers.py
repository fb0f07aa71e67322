"""One answer and its evidence in a sentence, from the numbers of an explanation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.results.pages.study import mapping, number, text, texts


def answered(choice: str, answer: str, probability: float) -> str:
    """What the model answers, and whether that is correct."""
    outcome = "correct" if choice == answer else f'incorrect; correct is "{answer}"'
    return f'The model answers "{choice}" (p = {probability:.2f} among the options): {outcome}.'


def pointed(subject: str, dae: float | None, null: float | None, *, zero: bool = False) -> str:
    """How far the evidence points from the subject, and uniform relevance, in degrees.

    `dae` is None where there is no compass, as no relevance lies where the projection looks, or where all relevance is
    `zero` within its rounding.
    """
    if dae is None:
        if zero:
            return "Its relevance is zero within its rounding, so there is no compass."
        return "No relevance lies near the objects, so there is no compass."
    beside = "" if null is None else f"; uniform relevance points {null:.0f}\u00b0 away"
    return f"The evidence points {dae:.0f}\u00b0 away from the {subject}{beside}."


def recorded(record: Mapping[str, Any]) -> str:
    """The sentence of an explanation that was written as JSON; empty where the record lacks a number that it needs."""
    options, chances = texts(record.get("options")), record.get("probabilities")
    choice, words = text(record.get("choice")), mapping(record.get("words"))
    given = chances if isinstance(chances, list) else []
    p = number(given[options.index(choice)]) if choice in options and len(given) == len(options) else None
    if p is None:
        return ""
    relevance = record.get("relevance")
    zero = isinstance(relevance, list) and not any(relevance)
    chosen, correct = (text(words.get(one, one)) for one in (choice, text(record.get("answer"))))
    first = answered(chosen, correct, p)
    dae, null = number(record.get("dae")), number(record.get("dae_null"))
    return f"{first} {pointed(text(record.get('subject')), dae, null, zero=zero)}"
