"""COCO-Pairs (CREG, section 5.1): where is one thing in a photograph relative to another?

A question for each ordered pair of instances of different categories whose centres are apart along one axis
by more than 1.5 times the other; the paper takes 300, 75 of each relation (`balanced=300`). So much is the paper's
rule. Ours, so that a name stands for one thing that can be seen: a category occurs once in its photograph (single
instance), not as a crowd, with box sides of at least 24 px. `audit` counts what each rule leaves out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from backsight.datasets import coco
from backsight.datasets.files import conversion_note
from backsight.errors import DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture
from backsight.stimuli.questions import DIRECTIONS, NUMBER, Direction, relation_question
from backsight.stimuli.relations import relation
from backsight.stimuli.what import Annotated

SUITE = "coco_pairs"
RATIO = 1.5
MIN_SIDE = 24.0
BALANCED = 300
# In pixels: a box is kept by its edges; right minus left is the annotated width but for the last digits.
ROUNDING = 1e-6
PROMPT = "A"
LEFT_OUT = (
    "no picture at hand",
    "a crowd",
    "several of its category",
    "too small",
    "in no clear relation to another",
)
Related = tuple[coco.Instance, coco.Instance, Direction]


@dataclass(frozen=True)
class Audit:
    """What a folder holds and what each rule leaves out of it.

    `left_out` counts instances, each under the first rule that it fails, in the order of the keys; with
    `instances_used` they add up to `instances`. `relations` counts the ordered pairs by where the subject is
    relative to the reference, `balanced` those that `load` keeps with `balanced=300`. `rules` says whose each rule is.
    """

    images: int
    images_at_hand: int
    images_without_pairs: int
    instances: int
    left_out: Mapping[str, int]
    instances_used: int
    ordered_pairs: int
    relations: Mapping[str, int]
    balanced: Mapping[str, int]
    rules: Mapping[str, str]

    def as_dict(self) -> dict[str, Any]:
        """All counts as plain values, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            ("images", self.images),
            ("  with a picture at hand", self.images_at_hand),
            ("  of these without a pair", self.images_without_pairs),
            ("instances", self.instances),
            *((f"  left out: {rule}", count) for rule, count in self.left_out.items()),
            ("  used", self.instances_used),
            ("ordered pairs", self.ordered_pairs),
            *((f"  {direction}", count) for direction, count in self.relations.items()),
            (f"  of each, balanced to at most {BALANCED} in all", min(self.balanced.values())),
        ]
        width = max(len(label) for label, _ in lines)
        counts = [f"{label:<{width}}  {count:>6}" for label, count in lines]
        return "\n".join([*counts, "rules", *(f"  {rule}: {source}" for rule, source in self.rules.items())])


def audit(root: Path, *, ratio: float = RATIO, min_side: float = MIN_SIDE) -> Audit:
    """The counts behind `load` with the same options; a folder without a pair is no error here."""
    _check_options(ratio, min_side, None)
    photos = coco.read(root)
    left_out = Counter({"no picture at hand": sum(p.annotated for p in photos if p.path is None)})
    relations: Counter[str] = Counter()
    used = without = 0
    at_hand = [photo for photo in photos if photo.path is not None]
    for photo in at_hand:
        kept, dropped = select(photo, min_side)
        pairs = list(ordered_pairs(kept, ratio))
        in_a_pair = len({subject.category for subject, _, _ in pairs})
        left_out += dropped
        left_out["in no clear relation to another"] += len(kept) - in_a_pair
        relations.update(direction for _, _, direction in pairs)
        used += in_a_pair
        without += not pairs
    return Audit(
        images=len(photos),
        images_at_hand=len(at_hand),
        images_without_pairs=without,
        instances=sum(photo.annotated for photo in photos),
        left_out={rule: left_out[rule] for rule in LEFT_OUT},
        instances_used=used,
        ordered_pairs=relations.total(),
        relations={direction: relations[direction] for direction in DIRECTIONS},
        balanced=dict.fromkeys(DIRECTIONS, _of_each(relations, BALANCED)),
        rules={
            "subject and reference of different categories": "the paper's",
            f"centre displacement on one axis more than {ratio:g} times the other": (
                "the paper's" if ratio == RATIO else f"chosen here; the paper's is {RATIO:g}"
            ),
            f"{BALANCED} questions, equally many of each relation": f"the paper's, with balanced={BALANCED}",
            "the only one of its category in the image (single instance)": "ours",
            "no crowd": "ours",
            f"box sides of at least {min_side:g} px": "ours",
        },
    )


def load(
    root: Path,
    *,
    limit: int | None = None,
    balanced: int | None = None,
    ratio: float = RATIO,
    min_side: float = MIN_SIDE,
    seed: int = 0,
) -> ExampleSet:
    """CREG's prompt A about every ordered pair, by image id and then by name.

    `limit` keeps at most so many questions, evenly over the four relations: where one has too few, more of the
    others. `balanced` keeps at most so many with exactly as many of each relation (CREG: 300, 75 of each); the rarest
    sets the number. Both always draw the same for a `seed`. UsageError where there is no folder or an option is out
    of range; DataError for annotations or photographs that cannot be used, and where no pair is left, or none of a
    relation that is to be balanced.
    """
    _check_options(ratio, min_side, limit)
    if balanced is not None and balanced < len(DIRECTIONS):
        raise UsageError("A balanced set has at least one question of each relation", got=balanced)
    items: list[Example] = []
    photos = coco.read(root)
    categories = coco.categories(photos)
    for photo in photos:
        if photo.path is not None:
            picture, there = FilePicture(photo.path), Annotated(coco.categories([photo]), categories)
            kept, _ = select(photo, min_side)
            items += (_example(photo.id, picture, there, *related) for related in ordered_pairs(kept, ratio))
    if not items:
        raise DataError(
            "No pair is left under the rules of COCO-Pairs",
            where=root,
            got=f"ratio {ratio:g}, box sides of at least {min_side:g} px",
            do="see what each rule leaves out: `backsight data coco-pairs DIR`",
        )
    examples = ExampleSet(SUITE, tuple(items), note=conversion_note(item.picture for item in items))
    if balanced is not None:
        counts = Counter(example.direction for example in items)
        of_each = _of_each(counts, balanced)
        if not of_each:
            got = ", ".join(f"{direction} {counts[direction]}" for direction in DIRECTIONS)
            do = "leave out `balanced`, or give more photographs"
            raise DataError("The pairs cannot be balanced: a relation has none", where=root, got=got, do=do)
        # As no relation has fewer, an even draw has exactly so many of each.
        examples = examples.limit(of_each * len(DIRECTIONS), seed)
    return examples.limit(limit, seed)


def _of_each(counts: Mapping[Any, int], balanced: int) -> int:
    """How many questions of each relation a balanced set of at most `balanced` has."""
    return min(balanced // len(DIRECTIONS), *(counts.get(direction, 0) for direction in DIRECTIONS))


def _check_options(ratio: float, min_side: float, limit: int | None) -> None:
    if not ratio >= 1:
        raise UsageError("A displacement ratio below 1 would allow two relations at once", got=ratio)
    if not min_side >= 0:
        raise UsageError("The smallest side of a box cannot be negative", got=min_side)
    if limit is not None and limit < 1:
        raise UsageError("A limit keeps at least one question", got=limit)


def select(photo: coco.Photo, min_side: float = MIN_SIDE) -> tuple[list[coco.Instance], Counter[str]]:
    """The instances of a photograph that a question may name, by name, and how many each rule leaves out.

    A crowd counts as an instance of its category: a thing beside a crowd of its kind is no single one.
    """
    of_category = Counter(instance.category for instance in photo.instances)
    dropped: Counter[str] = Counter()
    kept: list[coco.Instance] = []
    for instance in photo.instances:
        if instance.crowd:
            dropped["a crowd"] += 1
        elif of_category[instance.category] > 1:
            dropped["several of its category"] += 1
        elif min(instance.box.width, instance.box.height) < min_side - ROUNDING:
            dropped["too small"] += 1
        else:
            kept.append(instance)
    return sorted(kept, key=lambda instance: instance.category), dropped


def ordered_pairs(instances: list[coco.Instance], ratio: float = RATIO) -> Iterator[Related]:
    """Subject, reference and relation of every ordered pair with a clear relation."""
    for subject, reference in permutations(instances, 2):
        direction = relation(subject.box, reference.box, ratio=ratio)
        if direction is not None:
            yield subject, reference, direction


def _example(
    image: int, picture: FilePicture, there: Annotated, subject: coco.Instance, reference: coco.Instance,
    direction: Direction,
) -> Example:  # fmt: skip
    return Example(
        id=f"coco-{image}-{subject.category}-{reference.category}".replace(" ", "_"),
        picture=picture,
        question=relation_question(PROMPT, subject.category, reference.category),
        options=tuple(NUMBER[d] for d in DIRECTIONS),
        answer=NUMBER[direction],
        suite=SUITE,
        direction=direction,
        subject=subject.category,
        reference=reference.category,
        boxes={subject.category: subject.box, reference.category: reference.box},
        tags={"prompt": PROMPT},
        source=there,
    )
