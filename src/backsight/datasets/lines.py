"""A line of `metadata.jsonl`: what its columns must hold, and the errors that name the line that does not.

Required are file_name, question, options and answer; the other columns may be absent or null. Lists of
entries rather than mappings hold boxes and tags, so that all lines share one schema, whatever the names.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backsight.datasets.files import misfit
from backsight.errors import DataError
from backsight.examples import Example, Picture
from backsight.grid import Box
from backsight.pictures import Credit

SIDES = ("left", "top", "right", "bottom")
# In pixels. Boxes are computed, and their last digits are not a mistake.
TOLERANCE = 1e-6


@dataclass(frozen=True)
class Line:
    """One line: `where` it stands, for errors, and the columns it has."""

    where: str
    record: Mapping[str, Any]

    @classmethod
    def parse(cls, where: str, text: str) -> Line:
        """The line behind a text; DataError where that is not one JSON object."""
        try:
            record = json.loads(text)
        except (json.JSONDecodeError, RecursionError) as error:
            raise DataError("A line is not JSON", where=where, got=error, do="write one JSON object a line") from error
        if not isinstance(record, dict):
            raise DataError(
                "A line is not a JSON object", where=where, got=_short(record), do="write {...} with columns"
            )
        return cls(where, record)

    def wrong(self, what: str, got: object, do: str) -> DataError:
        """The error for a mistake in this line, to be raised."""
        return DataError(what, where=self.where, got=got, do=do)

    def example(self, default_id: str, picture: Picture, size: tuple[int, int]) -> Example:
        """The line as an example about a picture of `size`."""
        options, answer = self.options(), self.text("answer")
        if answer not in options:
            raise self.wrong(
                "The answer is not among the options", f"{answer!r} of {options}", "correct one of the two"
            )
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
        """What stands in a column that must be there."""
        if column not in self.record:
            got = f"the columns {', '.join(self.record) or '(none)'}"
            raise self.wrong(f"The column {column!r} is missing", got, f"add {column!r} to the line")
        return self.record[column]

    def text(self, column: str) -> str:
        """The text in a column that must hold one."""
        value = self.value(column)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"The column {column!r} holds no text", _short(value), "write a text in quotes")
        return value

    def maybe(self, column: str) -> str | None:
        """The text in a column that may be absent or null."""
        value = self.record.get(column)
        return value if value is None or value == "" else self.text(column)

    def options(self) -> list[str]:
        """At least two distinct texts."""
        value = self.value("options")
        texts = isinstance(value, list) and all(isinstance(option, str) and option for option in value)
        if not texts or len(value) < 2 or len(set(value)) < len(value):
            raise self.wrong(
                "The options are not a list of at least two distinct texts",
                _short(value),
                'write ["left", "right"]',
            )
        return list(value)

    def entries(self, column: str, keys: tuple[str, ...]) -> list[dict[str, Any]]:
        """The entries of a column that may be absent; each has all `keys`."""
        value = self.record.get(column)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(e, dict) and set(keys) <= e.keys() for e in value):
            form = ", ".join(f'"{key}": ...' for key in keys)
            raise self.wrong(f"The column {column!r} is not a list of entries", _short(value), f"write [{{{form}}}]")
        return value

    def boxes(self, size: tuple[int, int]) -> dict[str, Box]:
        """The boxes by name, each within a picture of `size`."""
        boxes: dict[str, Box] = {}
        for entry in self.entries("boxes", ("name", *SIDES)):
            name, sides = entry["name"], [entry[side] for side in SIDES]
            if not isinstance(name, str) or not name or name in boxes:
                raise self.wrong("A box has no name of its own", _short(name), "give each box of a line its own name")
            if not all(type(side) in (int, float) and math.isfinite(side) for side in sides):
                raise self.wrong(f"The sides of the box {name!r} are not numbers", _short(sides), "write pixels")
            boxes[name] = Box(*sides)
            wrong = misfit(boxes[name], size, TOLERANCE)
            if wrong is not None:
                got = f"{name!r}: {', '.join(f'{k} {v:g}' for k, v in zip(SIDES, sides, strict=True))}"
                raise self.wrong(
                    wrong,
                    f"{got}; the picture is {size[0]} x {size[1]} px",
                    "give left < right and top < bottom in pixels of the picture; y grows downwards",
                )
        return boxes

    def credits(self) -> tuple[Credit, ...]:
        """Whose photographs the line's picture shows."""
        entries = self.entries("credits", Credit._fields)
        return tuple(Credit(*(_text(entry[key]) for key in Credit._fields)) for entry in entries)


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
