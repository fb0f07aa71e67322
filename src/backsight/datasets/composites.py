"""Composites of What'sUp: three things in one photograph, made of two (Dual Mechanisms, 3.1).

The left half of `<A>_left_of_<middle>` is joined with the right half of `<B>_right_of_<middle>`, for every piece of
furniture of set A and every ordered pair of different things. The paper has 1,074 of them. Like rows of three they
can be asked from both sides and have counterfactuals, in pictures that nobody drew for the purpose.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache, partial
from itertools import permutations
from pathlib import Path
from typing import Literal

from PIL import Image

from backsight.datasets import composite_pairs, whatsup_files
from backsight.datasets.files import conversion_note
from backsight.datasets.whatsup_files import Entry
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture, Picture
from backsight.grid import Box
from backsight.stimuli.questions import SYSTEM, composite_question

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
Spans = tuple[int, int, int, int]

# Where the paper's probe looks, as first and last row and first and last column of 64: left thing, middle, right thing.
PROBE_BOXES: Mapping[str, tuple[Spans, Spans, Spans]] = {
    "chair": ((48, 60, 12, 24), (16, 60, 24, 40), (48, 60, 40, 52)),
    "table": ((40, 60, 8, 16), (20, 60, 16, 48), (40, 60, 48, 56)),
    "armchair": ((52, 60, 8, 20), (24, 60, 20, 44), (52, 60, 44, 56)),
}


@dataclass(frozen=True)
class CompositePicture(Picture):
    """The lazy picture of a composite.

    Both photographs are resized to `size` (width, height) first, without keeping their proportions (Pillow's Lanczos
    filter). Columns 0 to width // 2 - 1 then come from `left`, all further ones from `right`.
    """

    left: FilePicture
    right: FilePicture
    extent: tuple[int, int]

    @cached_property
    def id(self) -> str:
        parts = ("composite", self.left.id, self.right.id, self.extent)
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]

    @property
    def size(self) -> tuple[int, int]:
        return self.extent

    @property
    def sources(self) -> tuple[str, ...]:
        return (self.left.id, self.right.id)

    def open(self) -> Image.Image:
        left, right = (_resized(half.path, half.id, self.extent) for half in (self.left, self.right))
        return joined(left, right)


def joined(left: Image.Image, right: Image.Image) -> Image.Image:
    """Columns 0 to width // 2 - 1 of one picture and all further ones of another of the same size."""
    width, height = left.size
    picture = right.copy()
    picture.paste(left.crop((0, 0, width // 2, height)), (0, 0))
    return picture


@dataclass(frozen=True)
class Composite:
    """What stands in a composite, in words, from left to right. Kept as the `source` of an example.

    `stage` is the number of the sets that its halves come from: in a Tabletop folder only halves of one number join.
    """

    left: str
    middle: str
    right: str
    stage: str = ""

    @property
    def names(self) -> tuple[str, str, str]:
        return self.left, self.middle, self.right

    @property
    def reversed(self) -> Composite:
        """The two things with their sides changed."""
        return Composite(self.right, self.middle, self.left, self.stage)


def load(root: Path, size: tuple[int, int], *, names: Callable[[str], bool] | None = None, seed: int = 0) -> ExampleSet:
    """Every composite of a folder's set A, asked about its left and its right thing: whatsup_composites.

    A folder that Tabletop wrote gives tabletop_composites. `size` (width, height) in pixels is the model's own
    picture size. `names` keeps the things beside the furniture that it accepts, as those that a tokenizer spells with
    one token; without it, options of several tokens are scored as sequences. The options are all things seen with
    that furniture. Pairs: last_token and reversed, drawn with `seed`. Boxes are those of the paper's probe, or those
    that Tabletop's writer noted. UsageError where there is no folder, DataError where no two pictures join, and
    CannotAnswer where `names` leaves none.
    """
    if min(size) < 2:
        raise UsageError("A composite needs at least two columns and two rows", got=size)
    read = whatsup_files.read(root, ("a",))
    entries = read["a"].entries if "a" in read else ()
    suite = suite_of(root)
    kept = [entry for entry in entries if names is None or names(entry.named.subject)]
    items = tuple(item for joint in _joints(kept, size) for item in joint.examples(suite))
    if not items and len(_joints(entries, size)):
        raise CannotAnswer(
            "No two things of What'sUp are left for a composite",
            where=suite,
            got=f"accepted: {', '.join(sorted({entry.named.subject for entry in kept})) or 'none'}",
        )
    if not items:
        raise DataError(
            "No two pictures of set A join to a composite",
            where=root,
            got=f"{len(entries)} pictures of set A",
            do="a composite needs <A>_left_of_<C> and <B>_right_of_<C>; see `backsight data whatsup DIR`",
        )
    pool = {(item.source, str(item.direction)): item for item in items}
    makers = {
        "last_token": partial(composite_pairs.last_token, pool=pool, seed=seed),
        "reversed": partial(composite_pairs.reversed_composites, pool=pool, seed=seed),
    }
    note = f"{pictures(items):,} composites, each of two pictures of set A (Dual Mechanisms, 3.1)."
    notes = (note, conversion_note(half for item in items for half in halves(item)))
    return ExampleSet(suite, items, "auto" if names is None else "token", makers, " ".join(filter(None, notes)))


def halves(example: Example) -> tuple[FilePicture, ...]:
    """The photographs that a composite's halves come from; none for an example of another kind."""
    picture = example.picture
    return (picture.left, picture.right) if isinstance(picture, CompositePicture) else ()


def suite_of(root: Path) -> str:
    """The name of the set that `load` makes of a folder."""
    return f"{'tabletop' if whatsup_files.is_tabletop(root) else 'whatsup'}_composites"


def pictures(examples: Iterable[Example]) -> int:
    """How many composites a set asks about; the paper has 1,074."""
    return len({example.source for example in examples})


@dataclass(frozen=True)
class _Joint:
    """A picture of a thing on the left and one of another on the right, and what may be answered about them."""

    left: Entry
    right: Entry
    size: tuple[int, int]
    options: tuple[str, ...]

    def examples(self, suite: str) -> tuple[Example, Example]:
        named = self.left.named
        composite = Composite(named.subject, named.reference_words, self.right.named.subject, named.number)
        picture = CompositePicture(self.left.picture, self.right.picture, self.size)
        boxes = _boxes(self, composite)
        stem = "-".join(filter(None, (*composite.names, composite.stage))).replace(" ", "_")
        left, right = (
            Example(
                id=f"{suite}-{stem}-{side}",
                picture=picture,
                question=composite_question(side, composite.middle),
                options=self.options,
                answer=composite.left if side == "left" else composite.right,
                suite=suite,
                direction=side,
                subject=composite.left if side == "left" else composite.right,
                reference=composite.middle,
                boxes=boxes,
                system=SYSTEM,
                source=composite,
            )
            for side in SIDES
        )
        return left, right


def _joints(entries: Sequence[Entry], size: tuple[int, int]) -> list[_Joint]:
    """Every ordered pair of things at the sides of one piece of furniture, by furniture, number and names."""
    seen: dict[str, set[str]] = {}
    stages: dict[tuple[str, str], dict[tuple[Side, str], Entry]] = {}
    for entry in entries:
        named = entry.named
        if named.relation in SIDES and named.subject != named.reference_words:
            seen.setdefault(named.reference_words, set()).add(named.subject)
            stage = stages.setdefault((named.reference_words, named.number), {})
            stage[_side(entry), named.subject] = entry
    joints = []
    for middle, number in sorted(stages):
        stage, names = stages[middle, number], tuple(sorted(seen[middle]))
        for one, other in permutations(names, 2):
            left, right = stage.get(("left", one)), stage.get(("right", other))
            if left is not None and right is not None:
                joints.append(_Joint(left, right, size, names))
    return joints


def _side(entry: Entry) -> Side:
    return "left" if entry.named.relation == "left" else "right"


def _boxes(joint: _Joint, composite: Composite) -> dict[str, Box]:
    """Boxes in pixels of the composite by name: noted ones where both halves have them, else the paper's probe's."""
    width, height = joint.size
    left, right = (_scaled(entry, joint.size) for entry in (joint.left, joint.right))
    if left and right:
        cut, one, two = width // 2, left[composite.middle], right[composite.middle]
        return {  # from left to right, as measurements that swap the outer two expect
            composite.left: _clipped(left[composite.left], 0, cut),
            composite.middle: Box(one.left, min(one.top, two.top), two.right, max(one.bottom, two.bottom)),
            composite.right: _clipped(right[composite.right], cut, width),
        }
    if composite.middle not in PROBE_BOXES:
        return {}
    return {
        name: Box(c0 / 64 * width, r0 / 64 * height, c1 / 64 * width, r1 / 64 * height)
        for name, (r0, r1, c0, c1) in zip(composite.names, PROBE_BOXES[composite.middle], strict=True)
    }


def _scaled(entry: Entry, size: tuple[int, int]) -> dict[str, Box]:
    """The noted boxes of a picture as they lie after resizing; none unless both things have one."""
    across, down = size[0] / entry.size[0], size[1] / entry.size[1]
    if not {entry.named.subject, entry.named.reference_words} <= entry.boxes.keys():
        return {}
    return {n: Box(b.left * across, b.top * down, b.right * across, b.bottom * down) for n, b in entry.boxes.items()}


def _clipped(box: Box, left: float, right: float) -> Box:
    return Box(max(box.left, left), box.top, min(box.right, right), box.bottom)


@lru_cache(maxsize=64)
def _resized(path: Path, content: str, size: tuple[int, int]) -> Image.Image:
    """A photograph at `size`; `content` is its id, so that a file that was replaced is read again."""
    return FilePicture(path).open().resize(size, Image.Resampling.LANCZOS)
