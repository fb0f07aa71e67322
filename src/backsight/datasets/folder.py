"""An example set as a folder that Hugging Face `datasets` loads: `load_dataset("imagefolder", data_dir=DIR)`.

The folder holds `metadata.jsonl`, one line a question, the pictures in `images/`, each once, and a contact sheet
to look at. `load` also reads a folder made by hand, whose lines have no more than file_name, question, options
and answer; columns that it does not know are left alone. Counterfactual pairs are not part of the form.
"""

from __future__ import annotations

import errno
import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.datasets import contact_sheet
from backsight.datasets.files import misfit, picture_size, stays_inside
from backsight.errors import BacksightError, DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture, Picture
from backsight.grid import Box

METADATA = "metadata.jsonl"
CONTACT_SHEET = "contact_sheet.png"
SIDES = ("left", "top", "right", "bottom")
_OPTIONAL = ("direction", "subject", "reference", "system", "boxes", "tags")
# Boxes are computed, and their last digits are not a mistake.
_TOLERANCE = 1e-6


def write(examples: ExampleSet, out: Path) -> Path:
    """Write `examples` as a new folder `out`, whole or not at all, and give `out` back.

    UsageError where `out` exists and is not an empty folder, or is a place that cannot be written to; DataError
    where an example does not fit the form, or where writing fails midway (a full disk).
    """
    if len(examples) == 0:
        raise DataError("There are no examples to write", where=out, got=f"the empty set {examples.name!r}")
    names = {image_id: f"images/{_file_stem(image_id)}.png" for image_id in (e.image_id for e in examples)}
    records = _one_schema([_record(example, names[example.image_id]) for example in examples])
    _check(examples, records)
    target = Path(os.path.realpath(out))
    part = _make_room(target, out)
    try:
        (part / "images").mkdir()
        for image_id, picture in {e.image_id: e.picture for e in examples}.items():
            picture.open().save(part / names[image_id], "PNG")
        contact_sheet.draw(examples).save(part / CONTACT_SHEET, "PNG")
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (part / METADATA).write_text(lines, encoding="utf-8", newline="\n")
        os.replace(part, target)
    except OSError as error:
        raise DataError(
            "Writing the folder failed; nothing of it is left",
            where=out,
            got=error.strerror or error,
            do="make room on the disk, or name another place",
        ) from error
    finally:
        # After success nothing is left under this name.
        shutil.rmtree(part, ignore_errors=True)
    return out


def _make_room(target: Path, out: Path) -> Path:
    """A new folder beside `target`, to be filled and renamed; UsageError where `out` cannot be used."""
    try:
        if target.exists() and not (target.is_dir() and not any(target.iterdir())):
            raise UsageError(
                "The place to write to is taken",
                where=out,
                got="a folder with something in it" if target.is_dir() else "a file",
                do="name a new folder, or an empty one",
            )
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        target.parent.mkdir(parents=True, exist_ok=True)
        part.mkdir()
    except OSError as error:
        kind: type[BacksightError] = DataError if error.errno in (errno.ENOSPC, errno.EDQUOT) else UsageError
        raise kind(
            "The folder cannot be made here",
            where=out,
            got=error.strerror or error,
            do="name a place that you may write to and that has room",
        ) from error
    return part


def _file_stem(image_id: str) -> str:
    """The id itself where it can stand in a file name, and its hash where it cannot."""
    plain = re.fullmatch(r"[A-Za-z0-9_-]{1,120}", image_id)
    return image_id if plain else hashlib.sha256(image_id.encode()).hexdigest()[:16]


def _record(example: Example, file_name: str) -> dict[str, Any]:
    return {
        "file_name": file_name,
        "id": example.id,
        "question": example.question,
        "options": list(example.options),
        "answer": example.answer,
        "suite": example.suite,
        "direction": example.direction,
        "subject": example.subject,
        "reference": example.reference,
        "system": example.system,
        "boxes": [
            {"name": name, **dict(zip(SIDES, map(float, box), strict=True))} for name, box in example.boxes.items()
        ],
        "tags": [{"key": key, "value": value} for key, value in example.tags.items()],
    }


def _one_schema(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without the columns that are empty in all of them; what is left, each record has."""
    empty = {column for column in _OPTIONAL if not any(record[column] for record in records)}
    return [{column: value for column, value in record.items() if column not in empty} for record in records]


def _check(examples: ExampleSet, records: list[dict[str, Any]]) -> None:
    """Every record must be one that `load` takes."""
    sizes = {e.image_id: e.picture.size for e in examples}
    lines = [_Line(f"example {example.id}", record) for example, record in zip(examples, records, strict=True)]
    items = [
        line.example(line.where, example.picture, sizes[example.image_id])
        for line, example in zip(lines, examples, strict=True)
    ]
    _refuse_duplicates(lines, items)


def load(root: Path) -> ExampleSet:
    """The examples in a folder that `write` made or that was made by hand; DataError for every mistake in it.

    The set bears the suite's name where all lines name one suite, else the folder's.
    """
    lines = _lines(root)
    pictures: dict[str, tuple[Picture, tuple[int, int]]] = {}
    items: list[Example] = []
    for number, line in enumerate(lines, start=1):
        name = line.text("file_name")
        if name not in pictures:
            pictures[name] = _picture(root, name, line)
        items.append(line.example(f"row-{number}", *pictures[name]))
    _refuse_duplicates(lines, items)
    suites = {line.maybe("suite") for line in lines}
    name = suites.pop() if len(suites) == 1 else None
    return ExampleSet(name or root.resolve().name, tuple(items), scoring="auto")


def _lines(root: Path) -> list[_Line]:
    path = root / METADATA
    if not root.is_dir():
        raise DataError("There is no such folder", where=root, do="name a folder that holds metadata.jsonl and pictures")
    try:
        # Lines end at "\n" alone: a question may hold any other character that Python takes for a line's end.
        texts = path.read_text(encoding="utf-8-sig", newline="").split("\n")
    except FileNotFoundError as error:
        raise DataError(
            "The folder has no metadata.jsonl",
            where=root,
            got=", ".join(sorted(p.name for p in root.iterdir())[:8]) or "an empty folder",
            do="write one line of JSON a question with the columns file_name, question, options, answer",
        ) from error
    except UnicodeDecodeError as error:
        raise DataError("The file is not text in UTF-8", where=path, got=error, do="save it as UTF-8") from error
    except OSError as error:
        raise DataError("The file cannot be read", where=path, got=error.strerror or error) from error
    lines = [_Line.parse(f"{path}, line {n}", text) for n, text in enumerate(texts, start=1) if text.strip()]
    if not lines:
        raise DataError("The file has no lines", where=path, got="an empty file", do="write one line a question")
    return lines


def _picture(root: Path, name: str, line: _Line) -> tuple[Picture, tuple[int, int]]:
    if not stays_inside(name):
        raise line.wrong("A file name leaves the folder", repr(name), "give it relative to the folder, without '..'")
    path = root / name
    if not path.is_file():
        raise line.wrong("A picture is missing", name, "restore the file, or leave the line out")
    return FilePicture(path), picture_size(path, line.where)


def _refuse_duplicates(lines: Sequence[_Line], items: Sequence[Example]) -> None:
    seen: dict[str, _Line] = {}
    for line, item in zip(lines, items, strict=True):
        if item.id in seen:
            raise line.wrong("An id occurs twice", f"{item.id!r}, first at {seen[item.id].where}", "give each its own id")
        seen[item.id] = line


@dataclass(frozen=True)
class _Line:
    """One line of the file, and what its columns must hold."""

    where: str
    record: Mapping[str, Any]

    @classmethod
    def parse(cls, where: str, text: str) -> _Line:
        try:
            record = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError("A line is not JSON", where=where, got=error, do="write one JSON object a line") from error
        if not isinstance(record, dict):
            raise DataError("A line is not a JSON object", where=where, got=_short(record), do="write {...} with columns")
        return cls(where, record)

    def wrong(self, what: str, got: object, do: str) -> DataError:
        return DataError(what, where=self.where, got=got, do=do)

    def example(self, default_id: str, picture: Picture, size: tuple[int, int]) -> Example:
        """The line as an example about a picture of `size`."""
        options, answer = self.options(), self.text("answer")
        if answer not in options:
            raise self.wrong("The answer is not among the options", f"{answer!r} of {options}", "correct one of the two")
        return Example(
            id=default_id if self.record.get("id") is None else self.text("id"),
            picture=picture,
            question=self.text("question"),
            options=tuple(options),
            answer=answer,
            suite=self.maybe("suite") or "custom",
            direction=self.maybe("direction"),
            subject=self.maybe("subject"),
            reference=self.maybe("reference"),
            boxes=self.boxes(size),
            system=self.maybe("system"),
            tags={_text(tag["key"]): _text(tag["value"]) for tag in self.entries("tags", ("key", "value"))},
        )

    def value(self, column: str) -> Any:
        if column not in self.record:
            got = f"the columns {', '.join(self.record) or '(none)'}"
            raise self.wrong(f"The column {column!r} is missing", got, f"add {column!r} to the line")
        return self.record[column]

    def text(self, column: str) -> str:
        value = self.value(column)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"The column {column!r} holds no text", _short(value), "write a text in quotes")
        return value

    def maybe(self, column: str) -> str | None:
        return None if self.record.get(column) is None else self.text(column)

    def options(self) -> list[str]:
        value = self.value("options")
        texts = isinstance(value, list) and all(isinstance(option, str) and option for option in value)
        if not texts or len(value) < 2 or len(set(value)) < len(value):
            raise self.wrong(
                "The options are not a list of at least two distinct texts", _short(value), 'write ["left", "right"]'
            )
        return list(value)

    def entries(self, column: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        value = self.record.get(column) or []
        if not isinstance(value, list) or not all(isinstance(e, dict) and set(keys) <= e.keys() for e in value):
            form = ", ".join(f'"{key}": ...' for key in keys)
            raise self.wrong(f"The column {column!r} is not a list of entries", _short(value), f"write [{{{form}}}]")
        return value

    def boxes(self, size: tuple[int, int]) -> dict[str, Box]:
        found: dict[str, Box] = {}
        for entry in self.entries("boxes", ("name", *SIDES)):
            name, sides = entry["name"], [entry[side] for side in SIDES]
            if not isinstance(name, str) or not name or name in found:
                raise self.wrong("A box has no name of its own", _short(name), "give each box of a line its own name")
            if not all(type(side) in (int, float) and math.isfinite(side) for side in sides):
                raise self.wrong(f"The sides of the box {name!r} are not numbers", _short(sides), "write pixels")
            found[name] = Box(*sides)
            wrong = misfit(found[name], size, _TOLERANCE)
            if wrong is not None:
                got = f"{name!r}: {', '.join(f'{k} {v:g}' for k, v in zip(SIDES, sides, strict=True))}"
                raise self.wrong(
                    wrong,
                    f"{got}; the picture is {size[0]} x {size[1]} px",
                    "give left < right and top < bottom in pixels of the picture; y grows downwards",
                )
        return found


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
