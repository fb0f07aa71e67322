"""What the page says of token knockout: the claim, what it stands beside, a sentence a suite and form, the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from backsight.maths.relevance import BOX, EFFECTS, FLOOR, NULL, RANDOM
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Grid, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, with_interval
from backsight.results.relevance.cells import (
    Cells,
    Row,
    Said,
    degrees_between,
    leading_rows,
    missing_reason,
    none_shown,
    place_words,
    said_degrees,
    table,
)  # fmt: skip
from backsight.results.relevance.claims import Finding, Wording, over_all, side
from backsight.results.relevance.words import METHOD_WORDS, by_prompt, said_method

WITH = {"attention": "with attention to a token cut", "embedding": "with a token's embedding replaced"}
CAPTION = (
    "Agreement with the causal effect of each image token, with 95 % intervals; further right is better. Rank "
    "correlation: over tokens. Compass: how much closer a method's comes to that of the effects than uniform "
    "relevance, which is zero. Filled: attention to the token is cut; hollow: its embedding is the empty picture's."
)
METHOD = (
    "Knockout: each image token is taken away in turn; its effect is how much the logit of the model's choice less "
    "that of its strongest rival falls. Either attention to the token is cut for all other positions in every block, "
    "or its embedding becomes that of the empty picture. Methods are compared with the size of the effects by "
    "Spearman's rank correlation over tokens (values nearer than 1 % of the largest share a rank) and by the peaks of "
    "both compasses. This check is not in the paper."
)
LIMITS = (
    "What several tokens tell together has no effect when one is taken away. A token without attention, or with the "
    "empty picture's embedding, is nothing that the model was trained on.",
    "A method may agree with the effects by lighting the object, as the subject's box does.",
)
NOTE = (
    "For the model's choice. Closer: degrees that a method's compass lies closer to that of the effects than uniform "
    "relevance does on the same questions."
)
AGREES = Wording(
    above="agrees with the image tokens' causal effects",
    below="runs against the image tokens' causal effects",
    none="does not agree with the image tokens' causal effects",
    unsure="is not shown to agree with the image tokens' causal effects",
    it="it agrees",
    not_shown="agreement is not shown",
    value="rank correlation",
    values="rank correlations",
    places="case",
    among="in",
)
LESS = "agrees less than the subject's box with the image tokens' causal effects"
NO_MORE = "is not shown to agree more than the subject's box with the image tokens' causal effects"
BESIDE_BOX = replace(AGREES, not_shown="more agreement than the box's is not shown")


def say(study: Study, rows: Sequence[Row]) -> Said:
    """Whether CREG agrees with the tokens' effects, beside references, by suite and form."""
    given = [row for row in leading_rows(rows) if not row["omitted"] and row["correlation"] is not None]
    groups = by_prompt(rows)
    findings = [_finding(study, row, groups[row["suite"], row["prompt"]]) for row in given]
    title = "How relevance compares with the image tokens' causal effects is not shown:"
    missing = none_shown(study, leading_rows(rows), title)
    statements = (
        *(_statement(study, row, groups[row["suite"], row["prompt"]]) for row in given),
        *_effects(study, rows),
    )
    if not given:
        return Said("".join(one.text for one in missing), "", ())
    name = said_method(given[0]["method"])
    wording = BESIDE_BOX if any(one.instead for one in findings) else AGREES
    null = " ".join(part for part in (null_of(rows), beside_box(name, findings)) if part)
    return Said(over_all(name, wording, findings), null, (*statements, *missing))


def _finding(study: Study, row: Row, group: Sequence[Row]) -> Finding:
    where = f"on {place_words(study, (row['suite'], row['prompt']))} {WITH.get(row['form'], row['form'])}"
    low, high = row["correlation_low"], row["correlation_high"]
    shown = f"{with_interval(row['correlation'], low, high)}{_box(row, group)}"
    box = box_of(row, group)
    above, instead = (0.0, "") if box is None else (box, LESS if high < box else NO_MORE)
    return Finding(where, row["correlation"], low, high, shown, decimal(row["correlation"]), above, instead)


def box_of(row: Row, group: Sequence[Row]) -> float | None:
    """The correlation of the subject's box on the same suite by the same form; None where it has none."""
    of = (r["correlation"] for r in group if (r["method"], r["form"]) == (BOX, row["form"]))
    return next((value for value in of if value is not None), None)


def _box(row: Row, group: Sequence[Row]) -> str:
    """The same as what follows a method's."""
    box = box_of(row, group)
    return "" if box is None else f", the subject's box {decimal(box)}"


def beside_box(name: str, findings: Sequence[Finding]) -> str:
    """In how many cases a method agrees more than the subject's box; empty where no case has the box."""
    beside = [one for one in findings if one.instead]
    if not beside:
        return ""
    more = sum(one.low > one.above for one in beside)
    less = sum(one.high < one.above for one in beside)
    return f"{name} agrees more than the box in {more} of {counted(len(beside), 'case')}, less in {less}."


def null_of(rows: Sequence[Row]) -> str:
    """What references that know nothing of the model agree with the effects by; empty without any."""
    parts = []
    for name, words in ((BOX, "the subject's box, which knows nothing of the model,"), (RANDOM, "random relevance")):
        of = [row["correlation"] for row in rows if row["method"] == name and row["correlation"] is not None]
        if of:
            low, high = decimal(min(of)), decimal(max(of))
            parts.append(f"{words} gives {low if low == high else f'{low} to {high}'}")
    return f"In rank correlation with the effects, {' and '.join(parts)}." if parts else ""


def _statement(study: Study, row: Row, group: Sequence[Row]) -> Statement:
    """CREG on one suite by one form: its correlation, the box's, the highest, and whether its compass comes closer."""
    beside = [r for r in group if r["form"] == row["form"] and r["correlation"] is not None]
    best = max((r for r in beside if r["method"] in METHOD_WORDS), key=lambda r: r["correlation"], default=row)
    ranks = with_interval(best["correlation"], best["correlation_low"], best["correlation_high"])
    highest = "" if best["method"] == row["method"] else f"; highest is {said_method(best['method'])}, {ranks}"
    where = f"On {place_words(study, (row['suite'], row['prompt']))} {WITH.get(row['form'], row['form'])}"
    own = with_interval(row["correlation"], row["correlation_low"], row["correlation_high"])
    text = (
        f"{where}, {said_method(row['method'])} has a rank correlation with the effects of {own}{_box(row, group)}"
        f"{highest} ({counted(row['questions'], 'question')}).{_closer(row)}"
    )
    return Statement(text, row["suite"], min(1.0, max(0.0, 1.0 - row["correlation"])))


def _closer(row: Row) -> str:
    """Whether a method's compass comes closer to that of the effects than uniform relevance does."""
    if row["angle_gain"] is None:
        return ""
    where = side(row["gain_low"], row["gain_high"])
    unsure = "is not shown to come closer" if row["angle_gain"] > 0 else "comes no closer"
    verb = {"above": "comes closer", "below": "stays further"}.get(where, unsure)
    gain = said_degrees(row["angle_gain"], row["gain_low"], row["gain_high"])
    return f" Its compass {verb} to that of the effects than uniform relevance does (improvement {gain})."


def _effects(study: Study, rows: Sequence[Row]) -> Iterator[Statement]:
    """Whether the effects themselves point at the object: where they do not, no method that agrees with them does."""
    for place, group in by_prompt([row for row in rows if row["method"] == EFFECTS]).items():
        of = [row for row in group if not row["omitted"] and row["dae"] is not None]
        if of:
            null = next((r["dae"] for r in rows if r["method"] == NULL and _same(r, of[0])), None)
            each = " and ".join(f"{said_degrees(row['dae'])} {WITH.get(row['form'], row['form'])}" for row in of)
            beside = "" if null is None else f"; uniform relevance {said_degrees(null)}"
            text = (
                f"On {place_words(study, place)}, the effects themselves point away from the object by {each}{beside}"
            )
            yield Statement(f"{text} (means over {counted(of[0]['questions'], 'question')}).", place[0])


def _same(one: Row, other: Row) -> bool:
    return all(one[key] == other[key] for key in ("suite", "prompt", "form"))


def tables(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """Rank correlation and what the compass gains on uniform relevance, a line a method, both forms beside."""
    forms = [form for form in WITH if any(row["form"] == form for row in rows)]

    def cells(of: Sequence[Row]) -> Cells:
        by_form = {row["form"]: row for row in of}
        return (*(cell for form in forms for cell in _cells(by_form.get(form))), str(of[0]["questions"]))

    heads = {"attention": "Attention cut", "embedding": "Embedding replaced"}
    numbers = (*(f"{heads[form]}: {what}" for form in forms for what in ("correlation", "closer")), "Questions")
    title = "Agreement with the image tokens' causal effects"
    yield from table(study, _ranked(rows), title, numbers, cells, NOTE, "knockout_summary")


def _cells(row: Row | None) -> Cells:
    if row is None or row["omitted"]:
        return missing_reason(row, "question"), "–"
    correlation = with_interval(row["correlation"], row["correlation_low"], row["correlation_high"])
    return correlation, degrees_between(row["angle_gain"], row["gain_low"], row["gain_high"])


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Without references that only repeat others: uniform relevance has no ranks, and the effects agree themselves."""
    return [row for row in rows if row["method"] not in (NULL, EFFECTS, FLOOR, RANDOM)]
