"""An example set as a folder that Hugging Face `datasets` loads: `load_dataset("imagefolder", data_dir=DIR)`.

The folder holds `metadata.jsonl`, one line a question, the pictures in `images/`, each once, and a contact
sheet to look at; where the pictures show photographs whose origin is known, also `ATTRIBUTION.md`. `load` also
reads a folder made by hand, whose lines have no more than file_name, question, options and answer; columns that it
does not know are left alone. How counterfactual pairs are made is no part of the form.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backsight.datasets import contact_sheet
from backsight.datasets.files import conversion_note, new_folder, picture_size, stays_inside
from backsight.datasets.lines import SIDES, Line
from backsight.errors import DataError
from backsight.examples import Example, ExampleSet, FilePicture, Picture

METADATA = "metadata.jsonl"
CONTACT_SHEET = "contact_sheet.png"
ATTRIBUTION = "ATTRIBUTION.md"
_OPTIONAL = ("set", "direction", "subject", "reference", "system", "boxes", "tags", "credits")


def write(examples: ExampleSet, out: Path) -> Path:
    """Write `examples` as a new folder `out`, whole or not at all, and give `out` back.

    UsageError where `out` exists and is not an empty folder, or is a place that cannot be written to;
    DataError where an example does not fit the form, or where writing fails midway (a full disk).
    """
    if len(examples) == 0:
        raise DataError("There are no examples to write", where=out, got=f"the empty set {examples.name!r}")
    names = {image_id: f"images/{_file_stem(image_id)}.png" for image_id in (e.image_id for e in examples)}
    # The set's own name is written only where the suites do not give it.
    name = None if {example.suite for example in examples} == {examples.name} else examples.name
    records = _one_schema([{**_record(e, names[e.image_id]), "set": name} for e in examples])
    _check(examples, records)
    with new_folder(out) as part:
        (part / "images").mkdir()
        for image_id, picture in {e.image_id: e.picture for e in examples}.items():
            picture.open().save(part / names[image_id], "PNG")
        contact_sheet.draw(examples).save(part / CONTACT_SHEET, "PNG")
        lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
        (part / METADATA).write_text(lines, encoding="utf-8", newline="\n")
        if any(example.picture.credits for example in examples):
            (part / ATTRIBUTION).write_text(attribution(examples), encoding="utf-8", newline="\n")
    return out


def attribution(examples: ExampleSet) -> str:
    """Whose photographs the pictures of a set show, and under which licence each is, as a page in Markdown."""
    pictures = {example.image_id: example.picture for example in examples}.values()
    shown = Counter(credit for picture in pictures for credit in picture.credits)
    unchanged = sum("noderivs" in credit.license.lower() or "-nd/" in credit.license.lower() for credit in shown)
    lines = [
        f"# Photographs in the pictures of {examples.name}",
        "",
        f"The {len(pictures)} pictures in `images/` are made of pieces of {len(shown)} photographs: cut out, resized, "
        "in part mirrored, lighter or darker. The column `credits` of `metadata.jsonl` names those in a picture.",
        "",
    ]
    if unchanged:
        are = "is" if unchanged == 1 else "are"
        lines += [f"{unchanged} of the photographs {are} under a licence that forbids passing on changed copies.", ""]
    lines += ["| photograph | licence | source | pictures |", "|---|---|---|---|"]
    order = sorted(shown.items(), key=lambda one: (len(one[0].photograph), one[0]))
    lines += [f"| {' | '.join(text.replace('|', '%7C') for text in credit)} | {count} |" for credit, count in order]
    return "\n".join(lines) + "\n"


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
        "credits": [credit._asdict() for credit in example.picture.credits],
    }


def _one_schema(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The records without the columns that are empty in all of them; what is left, each record has."""
    empty = {column for column in _OPTIONAL if not any(record[column] for record in records)}
    return [{column: value for column, value in record.items() if column not in empty} for record in records]


def _check(examples: ExampleSet, records: list[dict[str, Any]]) -> None:
    """Every record must be one that `load` takes."""
    sizes = {e.image_id: e.picture.size for e in examples}
    for example, record in zip(examples, records, strict=True):
        Line(f"example {example.id}", record).example(example.id, example.picture, sizes[example.image_id])


def load(root: Path) -> ExampleSet:
    """The examples in a folder that `write` made or that was made by hand; DataError for every mistake in it.

    The set bears the name in the column `set` or `suite` where all lines agree on it, else the folder's; so do its
    examples where their lines have no suite. `note` says what was done to the pictures to show them.
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
    names = [{line.maybe(column) for line in lines} for column in ("set", "suite")]
    name = next((one for values in names if len(values) == 1 for one in values if one), root.resolve().name)
    named = (
        item if line.maybe("suite") else replace(item, suite=name) for line, item in zip(lines, items, strict=True)
    )
    note = conversion_note(item.picture for item in items)
    return ExampleSet(name, tuple(named), scoring="auto", note=note, own=True)


def _lines(root: Path) -> list[Line]:
    path = root / METADATA
    if not root.is_dir():
        raise DataError(
            "There is no such folder", where=root, do="name a folder that holds metadata.jsonl and pictures"
        )
    try:
        # Not `splitlines`: a question may hold other characters that it takes for the end of a line.
        texts = path.read_text(encoding="utf-8-sig").split("\n")
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
    lines = [Line.parse(f"{path}, line {n}", text) for n, text in enumerate(texts, start=1) if text.strip()]
    if not lines:
        raise DataError("The file has no lines", where=path, got="an empty file", do="write one line a question")
    return lines


def _picture(root: Path, name: str, line: Line) -> tuple[Picture, tuple[int, int]]:
    if not stays_inside(name):
        raise line.wrong("A file name leaves the folder", repr(name), "give it relative to the folder, without '..'")
    path = root / name
    if not path.exists():
        raise line.wrong("A picture is missing", name, "restore the file, or leave the line out")
    return FilePicture(path, line.credits()), picture_size(path, line.where)


def _refuse_duplicates(lines: Sequence[Line], items: Sequence[Example]) -> None:
    seen: dict[str, Line] = {}
    for line, item in zip(lines, items, strict=True):
        if item.id in seen:
            raise line.wrong(
                "An id occurs twice", f"{item.id!r}, first at {seen[item.id].where}", "give each its own id"
            )
        seen[item.id] = line
