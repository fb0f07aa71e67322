"""What the section on what and where says: its sentences are functions of the summary's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.follows import span
from backsight.results.pages.wording import in_list, listed, percent

Row = Mapping[str, Any]
Headline = tuple[str, Row | None]  # a suite's title, and the row that its gap is of
UNKNOWN = 0.5  # how short of what it should be a suite is that was asked too little
CAPTION = (
    "Corrected for guessing, with 95 % intervals: what is there (blue) and where it is (orange), on the same pictures. "
    "The distance between the two is the gap. Below 0 the picture misleads."
)
METHOD = (
    "Where: the suite's own question about a relation. What, of the same picture: presence (which of two named things "
    "is there), naming (one thing that is there, among it and up to three that are not) and colour. What is absent is "
    "known of drawn scenes and of photographs with exhaustive annotations; of other pictures it is assumed, which is "
    "said where it is.",
    "Each question is asked with the picture and with a uniform gray one. Guessing is chance, or the gray picture's "
    "accuracy where that is higher; corrected is (accuracy - guessing) / (1 - guessing).",
    "The gap is what less where, over the pictures that both are asked about: of presence, and where fewer than "
    f"{SMALLEST} pictures have that question, of naming, then of colour. Better is said where the interval excludes 0, "
    f"as well where it lies within {NO_GAP:g} of 0. The interval is over pictures, to first order in the four "
    "accuracies, with four pseudo-images.",
    "Kinds whose words the tokenizer lacks are left out. Naming and colour are worded as the suites are, in words that "
    "built-in models know but were not asked in.",
)
LIMITS = (
    "The two kinds of question differ in wording, and the model may be more used to one: correction for guessing does "
    "not change that.",
    "Presence among two names is an easy question: that it is answered says that the thing is recognised, not that it "
    "would be named.",
    "Where what and where both lie at guessing, the correction is too strict by some .05 at 48 pictures, as the larger "
    "of chance and the gray picture's estimate lies a little above both.",
)
# By what is answered worse, in the order of the claim: the beginning of its part, before the suites.
PARTS = {
    "what": "where things are is answered worse than what they are in",
    "guessed": "neither what nor where is answered better than by guessing in",
    "where": "what things are is answered worse than where they are in",
    "cannot tell": "which is answered better cannot be told in",
    "none": f"both are answered alike, within {NO_GAP:g}, in",
}


def headline(rows: Sequence[Row]) -> Row | None:
    """The row of a suite's summary that its gap is of, None where both questions were asked of too few pictures."""
    row = next((row for row in rows if row["headline"] and row["axis"] == "all"), None)
    return None if row is None or row["omitted"] else row


def claim(named: Sequence[Headline], every: Sequence[tuple[str, Row]] = ()) -> str:
    """Where which of the two is answered worse, over all suites: where worse than what first.

    `every` are the rows of all kinds, each with its suite's title: the lowest of their numbers ends the claim.
    """
    groups: dict[str, list[tuple[str, Row]]] = {}
    for title, row in named:
        if row is not None:
            groups.setdefault(_kind(row), []).append((title, row))
    if not groups:
        return f"No gap is given: no suite has {SMALLEST} pictures with both questions."
    kinds = {row["kind"] for of in groups.values() for _, row in of}
    one = kinds.pop() if len(kinds) == 1 else None
    parts = [f"{start} {_suites(groups[kind], one)}" for kind, start in PARTS.items() if kind in groups]
    sentence = "; ".join([*parts, *_lowest(every)])
    return f"By {one}, {sentence}." if one else f"{sentence[:1].upper()}{sentence[1:]}."


def _lowest(every: Sequence[tuple[str, Row]]) -> list[str]:
    """The lowest number of all kinds and of where, corrected for guessing; nothing where none is short of 1."""
    numbers = [
        (row[f"{side}_corrected"], title, kind, row, side)
        for title, row in every
        if row["axis"] == "all" and not row["omitted"]
        for side, kind in (("what", row["kind"]), ("where", "the relation"))
    ]
    if not numbers:
        return []
    value, title, kind, row, side = min(numbers, key=lambda one: one[0])
    if value >= 1:
        return []
    guessing = max(row[f"{side}_blank"], row[f"{side}_chance"])
    if row[f"{side}_high"] < 0:
        remark = ", worse than guessing"
    else:
        remark = "" if row[f"{side}_low"] > 0 else ", not shown to be better than guessing"
    corrected = _ends(row, f"{side}_corrected", f"{side}_")
    shares = f"{percent(row[side])} correct, guessing {percent(guessing)}"
    return [f"lowest of all is {kind} in {in_list(title)}{remark}: {corrected} corrected for guessing ({shares})"]


def _suites(group: Sequence[tuple[str, Row]], one: str | None) -> str:
    """The suites of a part, each with its kind where not all have `one`; where one of the two is worse, with the
    largest gap."""
    titles = listed(in_list(title) if one else f"{in_list(title)} by {row['kind']}" for title, row in group)
    if group[0][1]["verdict"] not in ("what", "where"):
        return titles
    title, row = max(group, key=lambda one: abs(one[1]["gap"]))
    return f"{titles} ({'' if len(group) == 1 else f'largest gap in {title}: '}{_gap(row)})"


def null(rows: Sequence[Row]) -> str:
    """What guessing is in the suites: of what, over all its kinds, and of where."""
    spans = []
    for name in ("what", "where"):
        spans.append(span([max(row[f"{name}_blank"], row[f"{name}_chance"]) for row in rows]))
    return (
        "0 is guessing, chance or the gray picture's accuracy where that is higher; it gives "
        f"{spans[0]} of what and {spans[1]} of where."
    )


def sentence(title: str, rows: Sequence[Row]) -> str:
    """Whether what or where is answered better in a suite; `rows` are its summary's, all axes and kinds."""
    row = headline(rows)
    if row is None:
        images = max((row["images"] for row in rows if row["axis"] == "all"), default=0)
        return f"{title}: omitted, {counted(images, 'picture')} with both questions ({SMALLEST} needed)."
    assumed = "; that the names are absent is assumed" if "assumed" in (row["absence"] or "") else ""
    numbers = (
        f"{row['kind']} {_ends(row, 'what_corrected', 'what_')}, relation {_ends(row, 'where_corrected', 'where_')}"
    )
    pictures = counted(row["images"], "picture")
    return f"{title}: {_verdict(row)}, {_gap(row)} ({numbers}; {pictures}{assumed}){_others(row, rows)}."


def _others(headline: Row, rows: Sequence[Row]) -> str:
    """The other kinds of what, each with its own gap."""
    others = [row for row in rows if row["axis"] == "all" and row["kind"] != headline["kind"] and not row["omitted"]]
    return "".join(f"; {row['kind']} {_ends(row, 'what_corrected', 'what_')}, {_gap(row)}" for row in others)


def short(rows: Sequence[Row]) -> float:
    """How far the worst of where and all kinds of what is from being answered without an error, corrected for
    guessing."""
    if headline(rows) is None:
        return UNKNOWN
    given = [row for row in rows if row["axis"] == "all" and not row["omitted"]]
    lowest = float(min(row[side] for row in given for side in ("what_corrected", "where_corrected")))
    return min(1.0, 1.0 - max(0.0, lowest))


def left_out(named: Sequence[tuple[str, Row]]) -> str:
    """Which kinds are not asked of which suites and why; empty where all are."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for title, row in named:
        if row["axis"] == "all" and row["skipped"]:
            reasons.setdefault((row["kind"], row["skipped"]), []).append(title)
    parts = [f"{kind} in {listed(map(in_list, of))}: {why}" for (kind, why), of in reasons.items()]
    return f"Left out: {'; '.join(parts)}." if parts else ""


def _kind(row: Row) -> str:
    guessed = row["verdict"] == "cannot tell" and max(row["what_low"], row["where_low"]) <= 0
    return "guessed" if guessed else str(row["verdict"])


def _verdict(row: Row) -> str:
    return {
        "what": "where things are is answered worse than what they are",
        "where": "what things are is answered worse than where they are",
        "none": f"what things are and where are answered alike, within {NO_GAP:g}",
        "guessed": "neither what things are nor where is answered better than by guessing",
        "cannot tell": "which of what and where is answered better cannot be told",
    }[_kind(row)]


def _gap(row: Row) -> str:
    return f"gap {_ends(row, 'gap', '')}"


def _ends(row: Row, value: str, start: str) -> str:
    return f"{row[value]:z.2f} [{row[f'{start}low']:z.2f},\u00a0{row[f'{start}high']:z.2f}]"
