"""Tables on choices: of a prompt, and of the method and option that the development split would choose."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backsight.maths.grouping import SMALLEST
from backsight.maths.relevance import CHOICE, DEFAULT, LEADING, NULL
from backsight.results.creg import text
from backsight.results.creg.reading import PROJECTION_WORDS, Group, dae_cell, gain_cell
from backsight.results.pages import common
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, listed, unbroken
from backsight.results.relevance.cells import Place, degrees, degrees_between, missing_reason, place_words
from backsight.results.relevance.claims import apart
from backsight.results.relevance.words import short


def prompts(study: Study, by_place: Mapping[Place, Group], whole: Mapping[Place, Group]) -> Iterator[Grid]:
    """Accuracy and CREG by prompt, as table 6; and which prompt the development split would choose."""
    lines, suites, notes = [], [], []
    for suite in dict.fromkeys(suite for suite, _ in by_place):
        places = [place for place in by_place if place[0] == suite and ("all", NULL, None, DEFAULT) in by_place[place]]
        if len(places) < 2:
            continue
        for place in places:
            row = by_place[place].get(("all", LEADING, CHOICE, DEFAULT))
            accuracy = decimal(by_place[place]["all", NULL, None, DEFAULT]["accuracy"])
            start = (unbroken(common.title(study, suite)), place[1] or "–", accuracy)
            suites.append(suite)
            if row is None or missing_reason(row):
                lines.append((*start, "0" if row is None else str(row["questions"]), missing_reason(row), "–", "–"))
                continue
            lines.append((*start, str(row["questions"]), dae_cell(row), degrees(row["dae_null"]), gain_cell(row)))
        notes += [*_own_set(study, suite, by_place), *_chosen(study, places, by_place, whole)]
    if lines:
        columns = ("Suite", "Prompt", "Accuracy", "Questions", "DAE", "Uniform", "Improvement")
        note = " ".join([text.PROMPTS_NOTE, *notes])
        yield Grid("Prompts, as table 6", columns, tuple(lines), words=2, folded=True, note=note, suites=tuple(suites))


def _own_set(study: Study, suite: str, by_place: Mapping[Place, Group]) -> Iterator[str]:
    """What sets a comparison of prompts apart from the set that the section's other numbers are of."""
    own = next((place for place in by_place if place[0] == f"{suite}_a"), None)
    if own is not None:
        others = f"All other numbers are of {place_words(study, own)}"
        yield f"{others}: more questions, on other pictures of the same kind than {common.title(study, suite)}."


def _chosen(
    study: Study, places: list[Place], by_place: Mapping[Place, Group], whole: Mapping[Place, Group]
) -> Iterator[str]:
    held = {place: _held(by_place[place], whole[place]) for place in places}
    shares = {place[1]: share for place, (n, share) in held.items() if n >= SMALLEST and share is not None}
    best = [prompt for prompt, share in shares.items() if share == max(shares.values())]
    if len(shares) == len(places) and len(best) == 1:
        each = listed(f"{prompt} {decimal(share)}" for prompt, share in shares.items())
        title = common.title(study, places[0][0])
        yield f"On {title} the development split would choose prompt {best[0]} (accuracy there: {each})."


def _held(rest: Group, whole: Group) -> tuple[int, float | None]:
    """Questions of the development split, and the accuracy on them: what all samples have beyond the rest."""
    row, kept = (group.get(("all", NULL, None, DEFAULT)) for group in (whole, rest))
    if row is None or kept is None:
        return 0, None
    counts = [int(one["questions"]) + int(one["empty"]) for one in (row, kept)]
    correct = counts[0] * row["accuracy"] - counts[1] * kept["accuracy"]
    held = counts[0] - counts[1]
    return held, round(correct / held, 6) if held else None


def choices(study: Study) -> Iterator[Grid]:
    """What the development split would choose, and its improvement on all other pictures, where there are enough."""
    rows = study.rows("creg_choices")
    lines, suites = [], []
    for row in rows:
        if row["omitted"]:
            continue
        title = unbroken(place_words(study, (row["suite"], row["prompt"])))
        option = unbroken(PROJECTION_WORDS.get(row["projection"], row["projection"]))
        own = "–" if row["gain"] is None else degrees_between(row["gain"], row["low"], row["high"])
        lines.append((title, short(row["method"]), option, str(row["dev_questions"]), degrees(row["dev_gain"]),
                      str(row["questions"] or 0), own, degrees(row["default_gain"])))  # fmt: skip
        suites.append(row["suite"])
    if not lines:
        return
    columns = (
        "Suite",
        "Method",
        "Option",
        "n, development",
        "Improvement there",
        "n",
        "Improvement",
        "CREG's, default",
    )
    few = [place_words(study, (row["suite"], row["prompt"])) for row in rows if row["omitted"]]
    left = f" Omitted for fewer than {SMALLEST} pictures in one of both parts: {apart(few)}." if few else ""
    yield Grid("What the development split would choose", columns, tuple(lines), words=3, folded=True,
               files=study.files("creg_choices"), note=text.CHOICES_NOTE + left, suites=tuple(suites))  # fmt: skip
