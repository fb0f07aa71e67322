"""What the section on what and where says: its sentences are functions of the summary's rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.follows import span
from backsight.results.pages.wording import listed

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
    "what": "Where things are is answered worse than what they are in",
    "guessed": "neither what nor where is answered better than by guessing in",
    "where": "what things are is answered worse than where they are in",
    "cannot tell": "which is answered better cannot be told in",
    "none": f"both are answered alike, within {NO_GAP:g}, in",
}


def headline(rows: Sequence[Row]) -> Row | None:
    """The row of a suite's summary that its gap is of, None where both questions were asked of too few pictures."""
    row = next((row for row in rows if row["headline"] and row["axis"] == "all"), None)
    return None if row is None or row["omitted"] else row


def claim(named: Sequence[Headline]) -> str:
    """Where which of the two is answered worse, over all suites: where worse than what first."""
    groups: dict[str, list[tuple[str, Row]]] = {}
    for title, row in named:
        if row is not None:
            groups.setdefault(_kind(row), []).append((title, row))
    if not groups:
        return f"No gap is given: no suite has {SMALLEST} pictures with both questions."
    parts = [f"{start} {_suites(groups[kind])}" for kind, start in PARTS.items() if kind in groups]
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _suites(group: Sequence[tuple[str, Row]]) -> str:
    """The suites of a part; where one of the two is worse, with the largest gap."""
    titles = listed(title for title, _ in group)
    if group[0][1]["verdict"] not in ("what", "where"):
        return titles
    title, row = max(group, key=lambda one: abs(one[1]["gap"]))
    return f"{titles} ({'' if len(group) == 1 else f'largest gap in {title}: '}{_gap(row)})"


def null(rows: Sequence[Row]) -> str:
    """What guessing is in the suites: of what, and of where."""
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
    return f"{title}: {_verdict(row)}, {_gap(row)} ({numbers}; {pictures}{assumed})."


def short(rows: Sequence[Row]) -> float:
    """How far the worse of what and where is from being answered without an error, corrected for guessing."""
    row = headline(rows)
    return UNKNOWN if row is None else min(1.0, 1.0 - max(0.0, min(row["what_corrected"], row["where_corrected"])))


def left_out(named: Sequence[tuple[str, Row]]) -> str:
    """Which kinds are not asked of which suites and why; empty where all are."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for title, row in named:
        if row["axis"] == "all" and row["skipped"]:
            reasons.setdefault((row["kind"], row["skipped"]), []).append(title)
    parts = [f"{kind} in {listed(of)}: {why}" for (kind, why), of in reasons.items()]
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
