"""A folder in What'sUp's published form (Kamath et al., 2023), read row by row: what can be used, and why the rest not.

Two files list the pictures, `controlled_images_dataset.json` (set A) and `controlled_clevr_dataset.json` (set B),
each row with an image path and its captions, the right one first. What a picture shows stands in its file name,
`<object>_<relation>_<reference>.jpeg`. Of several sets of one object and reference the later ones bear a number on
the object: `cup-2_left_of_table.jpeg` is the second set of a cup and a table, and its object is "cup".

A folder that Tabletop wrote has the same form and a `tabletop.json`, by which it is known, with the boxes.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from backsight.datasets.files import misfit, picture_size
from backsight.errors import DataError, UsageError
from backsight.examples import FilePicture
from backsight.grid import Box
from backsight.stimuli.questions import FILE_RELATION, WHATSUP_RELATIONS, Relation, WhatsUpSet

FILES: dict[WhatsUpSet, str] = {"a": "controlled_images_dataset.json", "b": "controlled_clevr_dataset.json"}
MARKER = "tabletop.json"
AGAIN = "write the folder again: `backsight stimuli tabletop --out DIR`"

MISSING = "its picture is not at hand"
UNREADABLE = "its picture cannot be read"
UNPARSED = "its file name is not <object>_<relation>_<reference>"
UNKNOWN = "its relation is none of the set's"
CAPTION = "its first caption does not say the relation of its file name"
TWICE = "a row before it has its file name"
REASONS = (UNPARSED, UNKNOWN, CAPTION, TWICE, MISSING, UNREADABLE)

_RELATIONS = {name: relation for relation, name in FILE_RELATION.items()}
_WORDS: dict[Relation, re.Pattern[str]] = {
    "left": re.compile(r"\bleft\b"),
    "right": re.compile(r"\bright\b"),
    "on": re.compile(r"\bon\b(?! the (?:left|right)\b)"),
    "under": re.compile(r"\b(?:under|underneath)\b"),
    "front": re.compile(r"\bfront\b"),
    "behind": re.compile(r"\bbehind\b"),
}


@dataclass(frozen=True)
class Named:
    """What a file name says: `thing` as it stands there, `number` of the set ("" for the first), relation to what."""

    thing: str
    number: str
    relation: Relation
    reference: str

    @property
    def subject(self) -> str:
        """The object in words: beer bottle."""
        return self.thing.removesuffix(f"-{self.number}" if self.number else "").replace("-", " ")

    @property
    def group(self) -> str:
        """The set of four that the picture belongs to."""
        return f"{self.thing}_{self.reference}"

    @property
    def reference_words(self) -> str:
        """The reference in words."""
        return self.reference.replace("-", " ")


@dataclass(frozen=True)
class Entry:
    """A row that can be used: its picture with its size, what its name says, its captions and boxes by name."""

    picture: FilePicture
    size: tuple[int, int]
    named: Named
    captions: tuple[str, ...]
    boxes: Mapping[str, Box] = field(default_factory=dict)

    @property
    def stem(self) -> str:
        return self.picture.path.stem


@dataclass(frozen=True)
class Reading:
    """The rows of one set: how many, those that can be used, and the image paths of the others by reason."""

    rows: int
    entries: tuple[Entry, ...]
    left_out: Mapping[str, tuple[str, ...]]


def is_tabletop(root: Path) -> bool:
    """Whether Tabletop wrote the folder."""
    return (root / MARKER).is_file()


def read(root: Path, sets: Sequence[WhatsUpSet] = ("a", "b")) -> dict[WhatsUpSet, Reading]:
    """Those of the wanted sets of which a folder has the file.

    UsageError where there is no folder; DataError where it has neither set's file, or one in another form.
    """
    if not root.is_dir():
        raise UsageError("There is no such folder", where=root, do="name a folder in What'sUp's published form")
    candidates = {which: (root / name, root / "data" / name) for which, name in FILES.items()}
    lists = {which: path for which, paths in candidates.items() for path in paths[::-1] if path.is_file()}
    if not lists:
        raise DataError(
            "The folder is not in What'sUp's form",
            where=root,
            got=", ".join(sorted(p.name for p in root.iterdir())[:8]) or "an empty folder",
            do=f"put {' or '.join(FILES.values())} there, as the authors publish them",
        )
    notes = _notes(root / MARKER) if is_tabletop(root) else {}
    return {which: _read_set(root, path, which, notes) for which, path in lists.items() if which in sets}


def parse(stem: str) -> Named | str:
    """What a file's name without its ending says, or the reason why it says nothing."""
    hits = [
        (stem[:start], relation, stem[end:])
        for name, relation in _RELATIONS.items()
        for start, end in (m.span() for m in re.finditer(f"_{name}_", stem))
    ]
    if len(hits) == 1 and hits[0][0] and hits[0][2]:
        thing, relation, reference = hits[0]
        number = re.search(r"(?<=.)-(\d+)$", thing)
        return Named(thing, number[1] if number else "", relation, reference)
    parts = stem.split("_")
    return UNKNOWN if not hits and len(parts) >= 3 and all(parts) else UNPARSED


def says(caption: str, relation: Relation, which: WhatsUpSet) -> bool:
    """Whether a caption says this relation and no other of its set."""
    return [one for one in WHATSUP_RELATIONS[which] if _WORDS[one].search(caption.lower().replace("-", " "))] == [
        relation
    ]


def _read_set(root: Path, path: Path, which: WhatsUpSet, notes: Mapping[str, Any]) -> Reading:
    rows = _rows(path)
    left_out: dict[str, list[str]] = {reason: [] for reason in REASONS}
    entries: dict[str, Entry] = {}
    for image_path, captions in rows:
        stem = PurePosixPath(image_path).stem
        used = TWICE if stem in entries else _entry(root, image_path, captions, which, notes)
        if isinstance(used, Entry):
            entries[stem] = used
        else:
            left_out[used].append(image_path)
    return Reading(len(rows), tuple(entries.values()), {reason: tuple(names) for reason, names in left_out.items()})


def _entry(
    root: Path, image_path: str, captions: tuple[str, ...], which: WhatsUpSet, notes: Mapping[str, Any]
) -> Entry | str:
    """A row as it can be used, or the first reason not to use it."""
    named = parse(PurePosixPath(image_path).stem)
    if isinstance(named, str):
        return named
    if named.relation not in WHATSUP_RELATIONS[which]:
        return UNKNOWN
    if not says(captions[0], named.relation, which):
        return CAPTION
    path = _find(root, image_path)
    if path is None:
        return MISSING
    try:
        size = picture_size(path, str(path))
    except DataError:
        return UNREADABLE
    return Entry(FilePicture(path), size, named, captions, _boxes(root, image_path, notes, size))


def _rows(path: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Image path and captions of each row; DataError for what is not the published form."""
    data = _parsed(path)
    if not isinstance(data, list):
        do = "fetch it again, or write a list of rows with image_path and caption_options"
        raise DataError("The file is not a list of pictures", where=path, got=_short(data), do=do)
    rows = []
    for number, row in enumerate(data):
        entry: Mapping[str, Any] = row if isinstance(row, dict) else {}
        name, captions = entry.get("image_path"), entry.get("caption_options")
        if not isinstance(name, str) or not name:
            do = "give the row an image_path"
            raise DataError("A row names no picture", where=f"{path}, row {number}", got=_short(row), do=do)
        if not isinstance(captions, list) or not _distinct_texts(captions):
            raise DataError(
                "A row's caption_options are not at least two different texts",
                where=f"{path}, row {number}",
                got=_short(captions),
                do="give the captions, the right one first",
            )
        rows.append((name.replace("\\", "/"), tuple(captions)))
    return rows


def _distinct_texts(values: list[Any]) -> bool:
    return len(values) > 1 and all(isinstance(v, str) and v for v in values) and len(set(values)) == len(values)


def _find(root: Path, image_path: str) -> Path | None:
    """The picture under the given folder: by its whole path, or by as many of its last parts as are there."""
    parts = [part for part in PurePosixPath(image_path).parts if part not in ("/", "..", ".") and ":" not in part]
    paths = (root.joinpath(*parts[start:]) for start in range(len(parts)))
    return next((path for path in paths if path.is_file()), None)


def _notes(path: Path) -> Mapping[str, Any]:
    """What Tabletop's writer noted, by image path; DataError for another form."""
    data = _parsed(path)
    pictures = data.get("pictures") if isinstance(data, dict) else None
    if not isinstance(pictures, dict):
        raise DataError("The notes on Tabletop pictures cannot be used", where=path, got=_short(data), do=AGAIN)
    return pictures


def _boxes(root: Path, image_path: str, notes: Mapping[str, Any], size: tuple[int, int]) -> dict[str, Box]:
    """The boxes noted for a picture of `size`, none where there is no note."""
    note = notes.get(image_path, {"boxes": {}})
    try:
        boxes = {str(name): Box(*map(float, sides)) for name, sides in note["boxes"].items()}
        wrong = next((f"{name}: {what}" for name, box in boxes.items() if (what := misfit(box, size, 1.0))), None)
    except (AttributeError, KeyError, TypeError, ValueError):
        wrong = _short(note)
    if wrong is not None:
        where = f"{root / MARKER}, {image_path}"
        raise DataError("A box in the notes on Tabletop pictures cannot be used", where=where, got=wrong, do=AGAIN)
    return boxes


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise DataError("The file cannot be read", where=path, got=error.strerror or error) from error
    except (ValueError, RecursionError) as error:
        raise DataError("The file is not JSON", where=path, got=error, do="fetch or write it again") from error


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
