"""VSR's files as they are published (Liu et al., 2023), line by line, and the photographs that they are about.

`random/` and `zeroshot/` hold three files each. A line is a caption about a photograph of COCO, true or false. The
lists of those who voted stand in it as texts ("[2, 9]"). `subj` and `obj` stand in the zero-shot files alone, where
`subj` has lost its first letters if they are t, h or e ("orse", "lephant", "ot dog"): the caption is read before them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from backsight.datasets import coco, vsr_relations
from backsight.datasets.coco_pairs import RATIO
from backsight.datasets.files import stays_inside
from backsight.datasets.lines import Line
from backsight.datasets.vsr_relations import DIRECTIONAL, PAPER_RELATIONS, Match
from backsight.errors import DataError, UsageError
from backsight.grid import Box
from backsight.stimuli.questions import Direction
from backsight.stimuli.relations import relation

KINDS = ("random", "zeroshot")
PARTS = ("train", "dev", "test")


@dataclass(frozen=True)
class Row:
    """One line: a caption about the photograph of this file name, whether it is `true`, and its relation.

    `fields` are `subj` and `obj` where the line has both, `frame` the number of the reference frame where it is
    noted, `votes` the annotators who took the caption for true and for false.
    """

    where: str
    image: str
    caption: str
    true: bool
    relation: str
    fields: tuple[str, str] | None
    frame: int | None
    votes: tuple[tuple[int, ...], tuple[int, ...]]

    @property
    def names(self) -> tuple[str, str] | None:
        """Subject and reference as the caption says them, as the fields do where it does not, else None."""
        return self.in_caption or self.fields

    @property
    def in_caption(self) -> tuple[str, str] | None:
        """Subject and reference as the caption says them, None where it cannot be parsed."""
        return vsr_relations.names(self.caption, self.relation)

    @property
    def disagrees(self) -> bool:
        """Whether the fields name other things than the caption."""
        return self.fields is not None and self.names != self.fields


@dataclass(frozen=True)
class Candidate:
    """A row and what is found for it, each None where what it needs is not there.

    `subject` and `reference` are COCO's categories, `boxes` their boxes in `photo`, in pixels. `seen` is the clear
    relation of the boxes, `stated` the direction of the caption.
    """

    row: Row
    subject: str | None
    reference: str | None
    photo: coco.Photo | None
    boxes: tuple[Box, Box] | None
    seen: Direction | None
    stated: Direction | None


FIVE = "relation one of five"
# What must be true of a row, one after the other: a step counts the rows that pass it and all before it.
STEPS: Mapping[str, Callable[[Candidate], bool]] = {
    "positives": lambda c: c.row.true,
    "names known": lambda c: c.row.names is not None,
    "names matched": lambda c: c.subject is not None and c.reference is not None,
    "relation directional": lambda c: c.row.relation in DIRECTIONAL,
    FIVE: lambda c: c.row.relation in PAPER_RELATIONS,
    "photograph at hand": lambda c: c.photo is not None,
    "one instance each, no crowd": lambda c: c.boxes is not None,
    # Boxes outside of their picture are refused where they are read.
    "boxes valid": lambda c: c.boxes is not None and all(min(box.width, box.height) > 0 for box in c.boxes),
    "geometry clear": lambda c: c.seen is not None,
    "geometry agrees with the caption": lambda c: c.seen == c.stated,
}
OF_WORDS = tuple(STEPS)[:5]


def files(root: Path) -> dict[str, Path]:
    """The files that a folder has, by split: random/train, random/dev, random/test, zeroshot/train and so on.

    A folder with the three files themselves has the splits of its own kind where its name ends in random or zeroshot,
    else train, dev and test. UsageError where there is no folder, or none of the files in it.
    """
    do = "name the folder that holds random/ or zeroshot/, each with train.jsonl, dev.jsonl and test.jsonl"
    if not root.is_dir():
        raise UsageError("There is no such folder", where=root, do=do)
    places = {f"{kind}/{part}": root / kind / f"{part}.jsonl" for kind in KINDS for part in PARTS}
    files_by_split = {split: path for split, path in places.items() if path.is_file()}
    if not files_by_split:
        own = next((f"{kind}/" for kind in KINDS if root.resolve().name.endswith(kind)), "")
        files_by_split = {f"{own}{part}": path for part in PARTS if (path := root / f"{part}.jsonl").is_file()}
    if not files_by_split:
        got = ", ".join(sorted(p.name for p in root.iterdir())[:8]) or "an empty folder"
        raise UsageError("The folder is not in VSR's published form", where=root, got=got, do=do)
    return files_by_split


def read(path: Path) -> tuple[Row, ...]:
    """The rows of a file in their order; DataError for a line that is not in the published form."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DataError("The file cannot be read", where=path, got=error.strerror or error) from error
    except ValueError as error:
        do = "fetch it again, or save it as UTF-8"
        raise DataError("The file is not text in UTF-8", where=path, got=error, do=do) from error
    # Not splitlines: it would also cut at separators that JSON allows within a text.
    lines = [(f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), start=1) if line.strip()]
    rows = tuple(_row(Line.parse(where, line)) for where, line in lines)
    seen: dict[tuple[str, str], str] = {}
    for row in rows:
        before = seen.setdefault((row.image, row.caption), row.where)
        if before != row.where:
            got = f"{row.caption!r} about {row.image}, as in {before}"
            raise DataError("A caption occurs twice", where=row.where, got=got, do="keep one of the two lines")
    return rows


def at_hand(root: Path) -> dict[str, coco.Photo]:
    """The photographs of a folder in COCO's form that are there, by file name."""
    photos: dict[str, coco.Photo] = {}
    for photo in coco.read(root):
        if photo.path is not None and photos.setdefault(photo.path.name, photo) is not photo:
            raise DataError(
                "Two photographs have one file name, by which VSR knows them",
                where=root,
                got=f"images {photos[photo.path.name].id} and {photo.id}, {photo.path.name}",
                do="keep one of the two",
            )
    return photos


def join(row: Row, photos: Mapping[str, coco.Photo], match: Match) -> Candidate:
    """A row with what its names and its photograph lead to."""
    photo = photos.get(row.image)
    subject, reference = (vsr_relations.category(name, match) for name in row.names or ("", ""))
    boxes = None
    # Of two things of one category nothing tells which is the subject.
    if photo is not None and subject and reference and subject != reference:
        one, other = _single(photo.instances, subject), _single(photo.instances, reference)
        boxes = (one, other) if one and other else None
    seen = None if boxes is None else relation(*boxes, ratio=RATIO)
    stated = vsr_relations.direction(row.relation, row.frame)
    return Candidate(row, subject, reference, photo, boxes, seen, stated)


def _single(instances: Iterable[coco.Instance], category: str) -> Box | None:
    """The box of the only instance of a category, None where there are more or none, or it is a crowd."""
    matching = [instance for instance in instances if instance.category == category]
    return matching[0].box if len(matching) == 1 and not matching[0].crowd else None


def _row(line: Line) -> Row:
    image, label = line.text("image"), line.value("label")
    if not stays_inside(image):
        raise line.wrong("An image is not a plain file name", repr(image), "write the photograph's file name in COCO")
    if type(label) is not int or label not in (0, 1):
        raise line.wrong("A label is neither 0 nor 1", repr(label), "write 1 for a true caption, 0 for a false one")
    subject, reference = line.maybe("subj"), line.maybe("obj")
    return Row(
        where=line.where,
        image=image,
        caption=line.text("caption"),
        true=label == 1,
        relation=line.text("relation"),
        fields=(subject.lower(), reference.lower()) if subject and reference else None,
        frame=_frame(line),
        votes=(_votes(line, "vote_true_validator_id"), _votes(line, "vote_false_validator_id")),
    )


def _frame(line: Line) -> int | None:
    """The number of the frame, under either of its two names; it is published as 1.0 or null."""
    column = "reference_frame" if "reference_frame" in line.record else "ref_frame"
    frame = line.record.get(column)
    if frame is None:
        return None
    if type(frame) not in (int, float) or frame not in (0, 1, 2):
        raise line.wrong(f"The column {column!r} holds no known frame", repr(frame)[:120], "write 0, 1, 2 or null")
    return int(frame)


def _votes(line: Line, column: str) -> tuple[int, ...]:
    """A list of numbers, or the text of one; none where the column is absent."""
    value = line.record.get(column)
    try:
        votes = json.loads(value) if isinstance(value, str) else [] if value is None else value
    except (ValueError, RecursionError):
        votes = None
    if not isinstance(votes, list) or any(type(one) is not int for one in votes):
        raise line.wrong(f"The column {column!r} is not a list of numbers", repr(value)[:120], 'write "[2, 9]"')
    return tuple(votes)
