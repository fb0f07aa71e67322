"""VSR (Visual Spatial Reasoning, Liu et al., 2023) with COCO's boxes, as CREG asks it (section 5.1, appendix A.2).

VSR's captions name two things in a photograph of COCO and say how they lie; boxes they have none. The names lead to
COCO's categories, those to boxes, and CREG's prompt A asks where the one thing is relative to the other. What is
right is where the boxes lie or what the caption says: two things, counted apart.

CREG's table 7 reports 240, 121 and 828 matched positives in test, dev and train of the random split, and as its rule
that both names match a COCO category. That rule covers every positive. The counts come of a true label and one of
five relations, which say above or below and never left or right: CREG's four classes can only be those of the boxes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from backsight.datasets import coco, vsr_files, vsr_relations
from backsight.datasets.coco_pairs import PROMPT, RATIO
from backsight.datasets.files import conversion_note
from backsight.datasets.vsr_files import FIVE, OF_WORDS, STEPS, Candidate, Row
from backsight.datasets.vsr_relations import DIRECTIONAL, PAPER_RELATIONS, Match
from backsight.errors import DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture
from backsight.stimuli.questions import DIRECTIONS, NUMBER, Direction, relation_question
from backsight.stimuli.what import Annotated

Labels = Literal["geometry", "caption"]
Relations = Literal["paper", "directional"]
CHOICES = {
    "match": (Match, "Names cannot be matched in this way"),
    "labels": (Labels, "Right answers cannot be had from there"),
    "relations": (Relations, "There is no such choice of relations"),
}


class Published(NamedTuple):
    """A row of CREG's table 7: positives, those it calls matched, and their share of the positives in percent."""

    positives: int
    matched: int
    coverage: float


PUBLISHED: Mapping[str, Published] = {
    "random/test": Published(1181, 240, 20.3),
    "random/dev": Published(564, 121, 21.5),
    "random/train": Published(3876, 828, 21.4),
}


@dataclass(frozen=True)
class SplitAudit:
    """The counts of one split.

    `steps` counts the rows left after each step, None where it was not taken: those about boxes without photographs.
    Of the positives, `unparsed` counts captions that do not say who lies how (their names are known if `subj` and
    `obj` give them), `disagreements` those whose `subj` or `obj` is not what the caption says, `matched` those with
    both names matched, in both ways, `relations` those of each relation with a direction, `frames` those about left
    or right by the noted reference frame. `said` has the captions' directions among the rows left after the last step
    about words; `asked_again` of these rows name the same two things of a photograph as a row before. `used` has the
    classes of the questions that `load` makes, by the labels it is asked for.
    """

    rows: int
    steps: Mapping[str, int | None]
    unparsed: int
    disagreements: int
    matched: Mapping[str, int]
    relations: Mapping[str, int]
    frames: Mapping[str, int]
    said: Mapping[str, int]
    asked_again: int
    used: Mapping[str, Mapping[str, int]] | None
    published: Published | None


@dataclass(frozen=True)
class Audit:
    """The counts by split, and whose each rule is."""

    splits: Mapping[str, SplitAudit]
    rules: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All counts as plain values, ready for JSON."""
        record = asdict(self)
        for name, split in self.splits.items():
            record["splits"][name]["published"] = split.published and split.published._asdict()
        return record

    def __str__(self) -> str:
        splits = [line for name, split in self.splits.items() for line in _lines(name, split)]
        return "\n".join([*splits, "rules", *(f"  {rule}: {source}" for rule, source in self.rules.items())])


def audit(root: Path, *, photos: Path | None = None, match: Match = "exact", relations: Relations = "paper") -> Audit:
    """The counts behind `load`, by split; without `photos` those that need no boxes. No row left is no error here."""
    _check_options(match=match, relations=relations)
    by_split = {split: vsr_files.read(path) for split, path in vsr_files.files(root).items()}
    at_hand = {} if photos is None else vsr_files.at_hand(photos)
    joined = {split: [vsr_files.join(row, at_hand, match) for row in rows] for split, rows in by_split.items()}
    return Audit(
        {split: _audited(split, rows, relations, boxes=photos is not None) for split, rows in joined.items()},
        {
            "label true, both names match a COCO category, boxes of some size": "CREG's",
            f"relation one of {', '.join(PAPER_RELATIONS)}": "ours; gives CREG's counts, as its rule does not",
            "what the relations mean, left and right in the viewer's frame alone": "ours",
            "the only one of its category in the photograph, no crowd": "ours",
            f"centre displacement on one axis more than {RATIO:g} times the other": "CREG's for COCO-Pairs",
        },
    )


def load(
    root: Path,
    *,
    photos: Path,
    split: str = "random/test",
    match: Match = "exact",
    labels: Labels = "geometry",
    relations: Relations = "paper",
    limit: int | None = None,
) -> ExampleSet:
    """CREG's prompt A about the positives of a split whose two things have a box in `photos`, in the file's order.

    `photos` is a folder in COCO's form; a photograph is found by its file name, and every one that is there is
    checked. `match` says how names lead to categories (`vsr_relations.category`). `labels` says what is right:
    "geometry" where the boxes lie, of those with a clear relation; "caption" what the caption says, however the
    boxes lie. `relations` takes the five of CREG's counts or all with a direction (`vsr_relations.RELATIONS`).
    `limit` keeps at most so many questions, evenly over directions and relations and always the same.

    UsageError where a folder, the split or an option does not exist; DataError for files that cannot be used, and
    where no question is left, with the counts.
    """
    _check_options(match=match, labels=labels, relations=relations)
    if limit is not None and limit < 1:
        raise UsageError("A limit keeps at least one question", got=limit)
    paths = vsr_files.files(root)
    if split not in paths:
        raise UsageError("There is no such split", where=root, got=split, do=f"choose from: {', '.join(paths)}")
    rows = vsr_files.read(paths[split])
    at_hand = vsr_files.at_hand(photos)
    joined = [vsr_files.join(row, at_hand, match) for row in rows]
    kept = _used(joined, labels, relations)
    if not kept:
        counts = {"rows": rows, **_steps(joined, relations)}
        raise DataError(
            "No row of VSR is left to ask about",
            where=paths[split],
            got=", ".join(f"{step} {len(left)}" for step, left in counts.items()),
            do=f"see what is left out: `backsight data vsr DIR --photos {photos}`",
        )
    numbers: Counter[str] = Counter()
    items = []
    categories = coco.categories(list(at_hand.values()))
    for example in (_example(candidate, labels, categories) for candidate in kept):
        numbers[example.id] += 1
        # By "substring", two captions about a photograph may lead to the same question.
        again = numbers[example.id]
        items.append(example if again == 1 else replace(example, id=f"{example.id}-{again}"))
    right = "where the boxes lie" if labels == "geometry" else "what the captions say"
    note = f"VSR (Liu et al., 2023), {split}, with COCO's boxes; right is {right}."
    notes = (note, conversion_note(item.picture for item in items))
    return ExampleSet("vsr", tuple(items), note=" ".join(filter(None, notes))).limit(limit)


def _check_options(**options: str) -> None:
    for name, got in options.items():
        known, what = CHOICES[name]
        if got not in get_args(known):
            raise UsageError(what, got=got, do=f"choose from: {', '.join(get_args(known))}")


def _steps(joined: Sequence[Candidate], relations: Relations) -> dict[str, list[Candidate]]:
    """What is left after each step that is taken."""
    by_step: dict[str, list[Candidate]] = {}
    left = list(joined)
    for name, passes in STEPS.items():
        if name != FIVE or relations == "paper":
            by_step[name] = left = [candidate for candidate in left if passes(candidate)]
    return by_step


def _used(joined: Sequence[Candidate], labels: Labels, relations: Relations) -> list[Candidate]:
    """The rows that make a question."""
    left = _steps(joined, relations)
    return left["geometry clear"] if labels == "geometry" else [c for c in left["boxes valid"] if c.stated is not None]


def _example(candidate: Candidate, labels: Labels, categories: tuple[str, ...]) -> Example:
    row, subject, reference = candidate.row, candidate.subject, candidate.reference
    right = candidate.seen if labels == "geometry" else candidate.stated
    assert subject and reference and candidate.photo and candidate.photo.path and candidate.boxes and right
    return Example(
        id=f"vsr-{Path(row.image).stem}-{subject}-{row.relation}-{reference}".replace(" ", "_"),
        picture=FilePicture(candidate.photo.path),
        question=relation_question(PROMPT, subject, reference),
        options=tuple(NUMBER[d] for d in DIRECTIONS),
        answer=NUMBER[right],
        suite="vsr",
        direction=right,
        subject=subject,
        reference=reference,
        boxes=dict(zip((subject, reference), candidate.boxes, strict=True)),
        tags={"prompt": PROMPT, "relation": row.relation},
        source=Annotated(coco.categories([candidate.photo]), categories),
    )


def _audited(split: str, joined: Sequence[Candidate], relations: Relations, *, boxes: bool) -> SplitAudit:
    left = _steps(joined, relations)
    positives, worded = left["positives"], left[FIVE if relations == "paper" else "relation directional"]
    taken = {name: len(rows) for name, rows in left.items() if boxes or name in OF_WORDS}
    of_relation = Counter(c.row.relation for c in left["relation directional"])
    frames = Counter(
        "none" if c.row.frame is None else str(c.row.frame)
        for c in positives
        if vsr_relations.RELATIONS.get(c.row.relation) in ("left", "right")
    )
    used = {
        "geometry": _classes(c.seen for c in _used(joined, "geometry", relations)),
        "caption": _classes(c.stated for c in _used(joined, "caption", relations)),
    }
    return SplitAudit(
        rows=len(joined),
        steps={name: taken.get(name) for name in STEPS},
        unparsed=sum(c.row.in_caption is None for c in positives),
        disagreements=sum(c.row.disagrees for c in positives),
        matched={way: sum(_matched(c.row, way) for c in positives) for way in get_args(Match)},
        relations={name: of_relation[name] for name in DIRECTIONAL},
        frames=dict(sorted(frames.items())),
        said=_classes(c.stated for c in worded),
        asked_again=len(worded) - len({(c.row.image, c.subject, c.reference) for c in worded}),
        used=used if boxes else None,
        published=PUBLISHED.get(split),
    )


def _matched(row: Row, way: Match) -> bool:
    return row.names is not None and all(vsr_relations.category(name, way) for name in row.names)


def _classes(directions: Iterable[Direction | None]) -> dict[str, int]:
    counts = Counter(directions)
    return {direction: counts[direction] for direction in DIRECTIONS}


def _lines(name: str, split: SplitAudit) -> list[str]:
    """A split in words: the steps with what is published beside them, the classes, and what else is counted."""
    positives, five, published = split.steps["positives"] or 0, split.steps[FIVE], split.published
    beside = {"names matched": f"{_share(split.matched['exact'], positives)}; {_each(split.matched)}"}
    if published:
        beside["positives"] = f"CREG {published.positives}"
    if published and five is not None:
        beside[FIVE] = f"{_share(five, positives)}; CREG {published.matched}, {published.coverage} %"
    counts = [("rows", split.rows), *split.steps.items()]
    classes = {f"in the captions of the {sum(split.said.values())}": split.said}
    classes |= {f"used, right by {labels}": numbers for labels, numbers in (split.used or {}).items()}
    width = max(map(len, (*STEPS, *classes)))
    lines = [f"  {step:<{width}}  {'-' if n is None else n:>5}  {beside.get(step, '')}" for step, n in counts]
    lines.append(f"  {'classes':<{width}}  {_cells(DIRECTIONS)}")
    lines += [f"  {what:<{width}}  {_cells(map(str, numbers.values()))}" for what, numbers in classes.items()]
    lines += [
        f"  questions about a pair asked about before: {split.asked_again}",
        f"  captions that cannot be parsed: {split.unparsed}; subj or obj unlike the caption: {split.disagreements}",
        f"  positives by relation: {_each(split.relations)}",
        f"  left and right by reference frame: {_each(split.frames) or 'none'}",
    ]
    if published:
        covered = f"{split.matched['exact']} of {positives} positives, not {published.matched}"
        lines.append(f"  CREG's stated rule, both names match a COCO category, covers {covered}")
    return [name, *(line.rstrip() for line in lines)]


def _share(count: int, of: int) -> str:
    return f"{100 * count / max(of, 1):.1f} %"


def _each(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())


def _cells(texts: Iterable[str]) -> str:
    return "".join(f"{text:>7}" for text in texts)
