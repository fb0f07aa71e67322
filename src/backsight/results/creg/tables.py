"""The tables of the section on the compass: methods, ablations, directions, options of the projection, pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from backsight.maths.relevance import CHOICE, DEFAULT, ELSEWHERE, INTEGRATED, LEADING, NULL, RIGHT_SUMS, THIRD, TRUTH
from backsight.results.creg import text
from backsight.results.creg.decision import decision_sentence
from backsight.results.creg.opening import of_choice
from backsight.results.creg.reading import (
    PROJECTION_WORDS,
    Group,
    dae_cell,
    figure_cells,
    gain_cell,
    listed_methods,
    value_of,
    with_baseline,
)
from backsight.results.pages.content import Grid
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, p_value, percent, unbroken
from backsight.results.relevance.cells import (
    Cells,
    Place,
    Row,
    degrees,
    degrees_between,
    missing_reason,
    place_cells,
    place_words,
)
from backsight.results.relevance.words import TARGET_WORDS, in_order, left_out_words, short

DIRECTIONS = ("left", "right", "above", "below")
ABLATIONS: tuple[tuple[str, str, str], ...] = (  # method, projection, what it is
    (LEADING, DEFAULT, "Default: 8 sectors, four layers, contrastive"),
    (LEADING, "4 sectors", "4 sectors"),
    (LEADING, "16 sectors", "16 sectors"),
    ("single_layer_contrastive", DEFAULT, "Single layer"),
    ("creg_plain", DEFAULT, "Not contrastive"),
    (THIRD, DEFAULT, "Without layer -2"),
    ("creg_meant_weights", DEFAULT, "Layer weights as meant"),
    ("creg_by_maximum", DEFAULT, "Layers scaled by the maximum"),
)


METHODS = (
    ("Method", "Target"), ("n", "Empty", "DAE", "EA", "Uniform", "Best possible", "Gain"),
)  # fmt: skip


def methods(group: Group) -> Iterator[Cells]:
    """DAE, EA, null, floor and gain of every method and target, the references last."""
    keys = [(m, t) for subset, m, t, projection in group if (subset, projection) == ("all", DEFAULT)]
    for method in in_order([method for method, _ in keys]):
        of = [group["all", m, t, DEFAULT] for m, t in sorted(keys, key=lambda key: key[1] or "") if m == method]
        values = {(row["questions"], row["dae"], row["ea"]) for row in of}
        alike = len(of) > 1 and len(values) == 1 and not missing_reason(of[0])
        for row in of[:1] if alike else of:
            target = "both" if alike else TARGET_WORDS.get(row["target"], str(row["target"]))
            start = (short(method), target)
            if missing := missing_reason(row):
                yield (*start, str(row["questions"]), str(row["empty"]), missing, "–", "–", "–", "–")
                continue
            plain = (degrees(row["dae_null"]), degrees(row["dae_floor"]))
            counted = (str(row["questions"]), str(row["empty"]))
            yield (*start, *counted, dae_cell(row), decimal(row["ea"]), *plain, gain_cell(row))


WITHIN = 0.05  # of completeness: a path's points are enough where all of f(h) - f(0) but this is attributed


def complete_sentences(rows: Sequence[Row]) -> Iterator[str]:
    """How much of f(h) - f(0) integrated gradients attribute to all tokens, a sentence a method.

    `rows` are those of `creg_summary`; over all suites and prompts, of the default projection.
    """
    for method in (INTEGRATED, RIGHT_SUMS):
        about = (method, "all", DEFAULT, "all")
        mine = [r for r in rows if (r["method"], r["subset"], r["projection"], r["samples"]) == about]
        of = [r for r in mine if r.get("completeness") is not None]
        if not of:
            continue
        medians = sorted({round(r["completeness"], 3) for r in of})
        low, high = min(r["completeness_low"] for r in of), max(r["completeness_high"] for r in of)
        name = "Integrated gradients" if method == INTEGRATED else "Their 50 right sums"
        middle = percent(medians[0]) if len(medians) == 1 else f"{percent(medians[0])} to {percent(medians[-1])}"
        whole = low >= 1 - WITHIN and high <= 1 + WITHIN
        verdict = "complete within 5 % on every question" if whole else "not complete on every question"
        yield (
            f"{name} attribute {middle} of f(h) - f(0) to all tokens (median over questions; {percent(low)} at least, "
            f"{percent(high)} at most): {verdict}."
        )


ABLATED = (("Configuration",), ("n", "DAE", "EA", "Uniform", "Gain"))


def ablations(group: Group) -> Iterator[Cells]:
    """CREG with one thing changed at a time."""
    known = dict(listed_methods(group))
    for method, projection, words in ABLATIONS:
        row = group.get(("all", method, known.get(method), projection))
        if row is not None:
            yield unbroken(words), *figure_cells(row)


DIRECTED = (("Direction",), ("Accuracy", "n", "DAE", "EA", "Uniform", "Gain"))


def directions(group: Group) -> Iterator[Cells]:
    """CREG for the model's choice, a line a direction of the truth."""
    there = [subset for subset, method, target, _ in group if (method, target) == (LEADING, CHOICE)]
    named = [subset for subset in dict.fromkeys(there) if subset not in ("all", "correct", "incorrect")]
    for direction in sorted(named, key=lambda d: DIRECTIONS.index(d) if d in DIRECTIONS else len(DIRECTIONS)):
        row = group[direction, LEADING, CHOICE, DEFAULT]
        yield direction, decimal(row["accuracy"]), *figure_cells(row)


SEEN = (("Method",), tuple(words for name in (DEFAULT, *ELSEWHERE) for words in (PROJECTION_WORDS[name], "Gain")))


def elsewhere(group: Group) -> Iterator[Cells]:
    """Every method seen from the reference, from a random centre, and from the subject."""
    if not any(projection in ELSEWHERE for *_, projection in group):
        return
    known = dict(listed_methods(group))
    for method in in_order(list(known)):
        of = [group.get(("all", method, known[method], view)) for view in (DEFAULT, *ELSEWHERE)]
        cells = [(with_baseline(row), "–" if row is None or missing_reason(row) else gain_cell(row)) for row in of]
        yield short(method), *(cell for pair in cells for cell in pair)


def subsets(study: Study, by_place: Mapping[Place, Group]) -> Iterator[Grid]:
    """CREG where the model is right and where it is wrong, for both targets, as table 3."""
    lines, sentences = [], []
    for place, group in by_place.items():
        if ("all", LEADING, CHOICE, DEFAULT) not in group:
            continue
        for subset, words in (("all", "all"), ("correct", "right"), ("incorrect", "wrong")):
            of = [group.get((subset, LEADING, target, DEFAULT)) for target in (TRUTH, CHOICE)]
            shown = next((row for row in of if row is not None), None)
            start = (*place_cells(study, place), words, "0" if shown is None else str(shown["questions"]))
            pairs = [(missing_reason(row) or degrees(value_of(row, "dae")), decimal(value_of(row, "ea"))) for row in of]
            lines.append((*start, *(cell for pair in pairs for cell in pair), degrees(value_of(shown, "dae_null"))))
            if subset == "incorrect" and shown is not None and not missing_reason(shown):
                null = group.get((subset, NULL, None, DEFAULT))
                named = [degrees(value_of(row, "dae_chosen")) for row in (*of, null)]
                count = str(shown["chosen_questions"] or 0)
                start = (*place_cells(study, place), unbroken("wrong, to the choice"), count)
                lines.append((*start, named[0], "–", named[1], "–", named[2]))
                sentences.append(decision_sentence(place_words(study, place), of[1], null))
    if lines:
        columns = ("Suite", "Prompt", "Answers", "n", "Truth: DAE", "EA", "Choice: DAE", "EA", "Uniform")
        title = "CREG where the model is right and where it is wrong, as table 3"
        note = " ".join([text.SUBSETS_NOTE, *filter(None, sentences)])
        yield Grid(title, columns, tuple(lines), words=3, note=note)


def projections(study: Study, by_place: Mapping[Place, Group]) -> Iterator[Grid]:
    """Every method under every option of the projection, beside uniform relevance under the same."""
    there = {projection for group in by_place.values() for *_, projection in group}
    shown = [name for name in PROJECTION_WORDS if name in there and name not in ELSEWHERE]
    if len(shown) < 2:
        return
    lines = []
    for place, group in by_place.items():
        known = dict(listed_methods(group))
        for method in in_order(list(known)):
            cells = (with_baseline(group.get(("all", method, known[method], name))) for name in shown)
            lines.append((*place_cells(study, place), short(method), *cells))
    columns = ("Suite", "Prompt", "Method", *(PROJECTION_WORDS[name] for name in shown))
    title = "Every method under every option of the projection"
    yield Grid(title, columns, tuple(lines), words=3, folded=True, note=text.PROJECTIONS_NOTE)


def pairs(study: Study) -> Iterator[Grid]:
    """Every method against every other, where the model's choice is explained or nothing."""
    lines = []
    for row in of_choice(study.rows("creg_pairs")):
        start = (*place_cells(study, (row["suite"], row["prompt"])), short(row["method"]), short(row["other"]))
        if row["omitted"]:
            lines.append((*start, str(row["questions"]), left_out_words(row), "–", "–"))
            continue
        difference = degrees_between(row["difference"], row["low"], row["high"])
        lines.append((*start, str(row["questions"]), difference, p_value(row["p_value"]), p_value(row["p_holm"])))
    if lines:
        columns = ("Suite", "Prompt", "First", "Second", "n", "Difference", "p", "p, Holm")
        files = study.files("creg_pairs")
        yield Grid("Every pair of methods", columns, tuple(lines), words=4, folded=True, files=files,
                   note=text.PAIRS_NOTE)  # fmt: skip
