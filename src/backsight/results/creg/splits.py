"""Tables on which samples a figure is of: rendered scenes, prompts, and the development split."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from backsight.maths.grouping import SMALLEST
from backsight.maths.relevance import CHOICE, DEFAULT, FLOOR, LEADING, NULL, SECTOR
from backsight.results.creg import text
from backsight.results.creg.reading import PROJECTION_WORDS, Group, figure_cells, value_of
from backsight.results.pages import common
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, omitted, unbroken
from backsight.results.relevance.cells import Place, Row, degrees, degrees_between, missing_reason, place_cells
from backsight.results.relevance.words import short

RENDERED = {"squares", "shapes", "objects", "tabletop_a", "tabletop_b"} | {
    f"{name}{end}" for name in ("pairs", "pairs_textured") for end in ("", "_a")
}
VALIDATED = ((NULL, None), (FLOOR, None), (SECTOR, None), (LEADING, CHOICE))


def validation(study: Study, by_place: Mapping[Place, Group]) -> Iterator[Grid]:
    """Both metrics on rendered scenes where what they should say is known: references first, CREG last."""
    lines = []
    for place, group in by_place.items():
        of = [group.get(("all", method, target, DEFAULT)) for method, target in VALIDATED]
        if place[0] not in RENDERED or any(row is None or missing_reason(row) for row in of):
            continue
        own = of[-1]
        start = (*place_cells(study, place), decimal(value_of(own, "accuracy")), str(value_of(own, "questions")))
        cells = (cell for row in of for cell in (degrees(value_of(row, "dae")), decimal(value_of(row, "ea"))))
        lines.append((*start, *cells))
    if lines:
        columns = ("Uniform: DAE", "EA", "Best possible: DAE", "EA", "Random sector: DAE", "EA", "CREG: DAE", "EA")
        yield Grid("Metric validation on rendered scenes, as section 4", ("Suite", "Prompt", "Accuracy", "n", *columns),
                   tuple(lines), words=2, folded=True, note=text.VALIDATION_NOTE)  # fmt: skip


def prompts(study: Study, by_place: Mapping[Place, Group], whole: Mapping[Place, Group]) -> Iterator[Grid]:
    """Accuracy and CREG's DAE by prompt, as table 6, and the accuracy on the development split."""
    lines, sentences = [], []
    for suite in dict.fromkeys(suite for suite, _ in by_place):
        places = [place for place in by_place if place[0] == suite and ("all", NULL, None, DEFAULT) in by_place[place]]
        if len(places) < 2:
            continue
        held = {place: _held(by_place[place], whole[place]) for place in places}
        for place in places:
            row = by_place[place].get(("all", LEADING, CHOICE, DEFAULT))
            accuracy = by_place[place]["all", NULL, None, DEFAULT]["accuracy"]
            cells = figure_cells(row, ends=False) if row is not None else ("–",) * 5
            questions, share = held[place]
            kept = omitted(questions, "question") if questions < SMALLEST else f"{decimal(share)} (n={questions})"
            lines.append((*place_cells(study, place), decimal(accuracy), *cells, kept))
        shares = {place[1]: share for place, (n, share) in held.items() if n >= SMALLEST and share is not None}
        best = [prompt for prompt, share in shares.items() if share == max(shares.values())]
        if len(shares) == len(places) and len(best) == 1:
            sentences.append(f"On {common.title(study, suite)} it would choose prompt {best[0]}.")
    if lines:
        columns = ("Suite", "Prompt", "Accuracy", "n", "DAE", "EA", "Uniform", "Gain", "Development split")
        note = " ".join([text.PROMPTS_NOTE, *sentences])
        yield Grid("Prompts, as table 6", columns, tuple(lines), words=2, note=note)


def _held(rest: Group, whole: Group) -> tuple[int, float | None]:
    """Questions of the development split, and the accuracy on them: what all samples have beyond the rest."""
    row, kept = (group.get(("all", NULL, None, DEFAULT)) for group in (whole, rest))
    if row is None or kept is None:
        return 0, None
    counts = [int(one["questions"]) + int(one["empty"]) for one in (row, kept)]
    right = counts[0] * row["accuracy"] - counts[1] * kept["accuracy"]
    held = counts[0] - counts[1]
    return held, round(right / held, 6) if held else None


def choices(study: Study) -> Iterator[Grid]:
    """What the development split would choose, and its gain on the rest."""
    lines = []
    for row in study.rows("creg_choices"):
        start = place_cells(study, (row["suite"], row["prompt"]))
        if row["omitted"]:
            lines.append((*start, "–", "–", _few(row), "–", "–", "–", "–"))
            continue
        chosen = (short(row["method"]), unbroken(PROJECTION_WORDS.get(row["projection"], row["projection"])))
        dev = (str(row["dev_questions"]), degrees(row["dev_gain"]))
        own = "–" if row["gain"] is None else degrees_between(row["gain"], row["low"], row["high"])
        lines.append((*start, *chosen, *dev, str(row["questions"] or 0), own, degrees(row["default_gain"])))
    if lines:
        columns = (
            "Suite",
            "Prompt",
            "Method",
            "Option",
            "n, development",
            "Gain there",
            "n",
            "Gain",
            "CREG's, default",
        )
        yield Grid("What the development split would choose", columns, tuple(lines), words=4, folded=True,
                   files=study.files("creg_choices"), note=text.CHOICES_NOTE)  # fmt: skip


def _few(row: Row) -> str:
    """Why nothing is chosen: too few pictures in one of both parts, or too few that any method has a compass for."""
    parts = {"development picture": row["dev_images"], "other picture": row["images"]}
    few = min(parts, key=lambda part: int(parts[part]))
    if parts[few] >= SMALLEST:
        return f"omitted (no method has {SMALLEST} development pictures)"
    return omitted(parts[few], few)
