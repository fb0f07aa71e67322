"""What'sUp (Kamath et al., 2023): where is one thing in a photograph in relation to another?

Set A has a thing left of, right of, on or under furniture, set B left of, right of, in front of or behind another
thing; four pictures of the same two make a set. They are asked with AdaptVis' question, whose accuracies are the ones
to compare with, or as a choice among the published captions. Tabletop's folders have the same form and are read here
too. `results.behaviour.whatsup` has What'sUp's own numbers: single pictures, pairs and sets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from backsight.datasets import whatsup_files
from backsight.datasets.files import conversion_note
from backsight.datasets.whatsup_files import Entry, Reading
from backsight.errors import DataError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.stimuli.groups import GroupedSet
from backsight.stimuli.questions import CAPTION_PROMPT, SYSTEM, WHATSUP_RELATIONS, WhatsUpSet, whatsup_question

Ask = Literal["words", "captions"]
LISTED = 8  # names of rows that are left out, at most, in the text of an audit


@dataclass(frozen=True)
class SetAudit:
    """What one set holds: rows, those used, by relation, whole sets of four, and the left-out rows by reason.

    A row is left out under the first reason that it meets; `left_out` holds image paths.
    """

    rows: int
    used: int
    relations: Mapping[str, int]
    whole_sets: int
    objects: int
    references: tuple[str, ...]
    left_out: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Audit:
    """What a folder holds: the suites that `load` makes of it, each with its counts."""

    suites: Mapping[str, SetAudit]

    def as_dict(self) -> dict[str, Any]:
        """All counts and names as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines: list[str] = []
        for name, one in self.suites.items():
            counts = [
                ("rows", one.rows),
                *((f"  left out: {reason}", len(names)) for reason, names in one.left_out.items()),
                ("  used", one.used),
                *((f"    {relation}", number) for relation, number in one.relations.items()),
                ("whole sets of four", one.whole_sets),
                ("objects", one.objects),
            ]
            width = max(len(label) for label, _ in counts)
            lines += [name, *(f"  {label:<{width}}  {number:>5}" for label, number in counts)]
            lines += [f"  references: {', '.join(one.references) or 'none'}"]
            lines += [f"  {reason}: {_some(names)}" for reason, names in one.left_out.items() if names]
        return "\n".join(lines)


def audit(root: Path) -> Audit:
    """The counts behind `load`; a folder of which no row can be used is no error here."""
    read = whatsup_files.read(root)
    return Audit({_suite(root, which): _audited(which, reading) for which, reading in read.items()})


def load(
    root: Path, *, sets: Sequence[WhatsUpSet] = ("a", "b"), ask: Ask = "words", limit: int | None = None
) -> tuple[ExampleSet, ...]:
    """One example set a set of What'sUp that is there, named whatsup_a and whatsup_b (tabletop_a, tabletop_b).

    `ask` is "words" (AdaptVis' question, four words to choose from) or "captions" (the published captions, scored as
    sequences; the suite's name ends in _captions). `limit` keeps at most so many questions of a set, whole sets of
    four. The tag `group` names the set of four. UsageError where there is no folder or an option is unknown;
    DataError for files that are not in the published form, and where no row is left.
    """
    unknown = [which for which in sets if which not in WHATSUP_RELATIONS]
    if unknown or not sets:
        raise UsageError("There is no such set of What'sUp", got=unknown or "no set at all", do="choose from: a, b")
    if ask not in get_args(Ask):
        raise UsageError("What'sUp cannot be asked in this way", got=ask, do=f"choose from: {', '.join(get_args(Ask))}")
    if limit is not None and limit < 1:
        raise UsageError("A limit keeps at least one question", got=limit)
    read = whatsup_files.read(root, sets)
    loaded = []
    for which, reading in read.items():
        suite = _suite(root, which) + ("_captions" if ask == "captions" else "")
        items = tuple(_example(entry, which, suite, ask) for entry in reading.entries)
        if items:
            scoring: Literal["token", "sequence"] = "token" if ask == "words" else "sequence"
            notes = (_note(root, which), conversion_note(item.picture for item in items))
            loaded.append(GroupedSet(suite, items, scoring, note=" ".join(filter(None, notes))).limit(limit))
    if not loaded:
        raise DataError(
            "No row of What'sUp is left that can be used",
            where=root,
            got="; ".join(_why(which, reading) for which, reading in read.items())
            or f"no file of set {', '.join(sets)}",
            do="see what is left out and why: `backsight data whatsup DIR`",
        )
    return tuple(loaded)


def _suite(root: Path, which: WhatsUpSet) -> str:
    return f"{'tabletop' if whatsup_files.is_tabletop(root) else 'whatsup'}_{which}"


def _note(root: Path, which: WhatsUpSet) -> str:
    if whatsup_files.is_tabletop(root):
        return f"Drawn scenes in the form of What'sUp's set {which.upper()}, from files."
    return f"What'sUp's set {which.upper()} (Kamath et al., 2023), asked as AdaptVis asks it."


def _example(entry: Entry, which: WhatsUpSet, suite: str, ask: Ask) -> Example:
    named = entry.named
    words = ask == "words"
    # The right caption stands first in the file; sorted, its position says nothing.
    options = WHATSUP_RELATIONS[which] if words else tuple(sorted(entry.captions))
    return Example(
        id=f"{suite}-{entry.stem}",
        picture=entry.picture,
        question=whatsup_question(which, named.subject, named.reference_words) if words else CAPTION_PROMPT,
        options=options,
        answer=named.relation if words else entry.captions[0],
        suite=suite,
        direction=named.relation,
        subject=named.subject,
        reference=named.reference_words,
        boxes=entry.boxes,
        system=SYSTEM if words else None,  # a caption is no answer "in one token"
        tags={"group": named.group},
        source=named,
    )


def _audited(which: WhatsUpSet, reading: Reading) -> SetAudit:
    groups: dict[str, set[str]] = {}
    for entry in reading.entries:
        groups.setdefault(entry.named.group, set()).add(entry.named.relation)
    relations = Counter(entry.named.relation for entry in reading.entries)
    return SetAudit(
        rows=reading.rows,
        used=len(reading.entries),
        relations={relation: relations[relation] for relation in WHATSUP_RELATIONS[which]},
        whole_sets=sum(len(seen) == len(WHATSUP_RELATIONS[which]) for seen in groups.values()),
        objects=len({entry.named.subject for entry in reading.entries}),
        references=tuple(sorted({entry.named.reference_words for entry in reading.entries})),
        left_out=reading.left_out,
    )


def _why(which: WhatsUpSet, reading: Reading) -> str:
    counts = [f"{len(names)} where {reason}" for reason, names in reading.left_out.items() if names]
    return f"set {which.upper()}: {', '.join(counts) or 'no rows'}"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more
