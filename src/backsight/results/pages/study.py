"""A study as sections see it: the record in study.json, the tables that were read, sample pictures.

The record is taken with care: a key that is missing, or of another type than expected, counts as absent, so
that a report can be made of an unfinished study.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backsight.results.drawing.style import suite_title
from backsight.results.pages.webp import Packed, packed
from backsight.tables import Table

SEEN = {"builtin:cutouts"}  # built-in models that were shown pieces of photographs
PHOTOGRAPHS = {"coco_pairs", "coco_boxes", "vsr", "whatsup_a", "whatsup_b", "whatsup_composites"}
_IMAGES = {".png", ".jpg", ".jpeg"}


@dataclass(frozen=True)
class Study:
    """A study folder: the content of study.json, and by name the tables that are there and hold rows.

    These are the tables that results are made of: summaries, what is derived, and rows that have no summary. `stored`
    gives the name of a table's file where an earlier release wrote it under another name. `damaged` says of tables that
    are not as they were written, or are gone, what is wrong with them; they are left out.
    """

    folder: Path
    data: Mapping[str, Any]
    tables: Mapping[str, Table]
    stored: Mapping[str, str] = field(default_factory=dict)
    damaged: Mapping[str, str] = field(default_factory=dict)
    _rows: dict[str, list[dict[str, Any]]] = field(default_factory=dict, repr=False, compare=False)

    @property
    def sets(self) -> list[Mapping[str, Any]]:
        return records(self.data.get("sets"))

    @property
    def jobs(self) -> list[Mapping[str, Any]]:
        return records(self.data.get("jobs"))

    @property
    def verdict(self) -> Mapping[str, Any]:
        """Where the order comes from, by the study's own judgement; empty where it gave none."""
        return mapping(self.data.get("verdict"))

    @property
    def verdicts(self) -> dict[str, Mapping[str, Any]]:
        """The same of each set that was judged, by its name; of an older study the one that it has."""
        of = mapping(self.data.get("verdicts"))
        judged = {name: one for name, one in of.items() if mapping(one)}
        return judged or ({text(self.verdict.get("suite")): self.verdict} if self.verdict else {})

    @property
    def titles(self) -> dict[str, str]:
        """What to call each set, by its name."""
        named = {text(one.get("name")): text(one.get("title")) for one in self.sets}
        return {name: title or suite_title(name) for name, title in named.items() if name}

    @property
    def unseen_photographs(self) -> set[str]:
        """The sets of photographs put to a built-in model that was trained on generated scenes alone."""
        name = text(mapping(self.data.get("model")).get("name"))
        unseen = name.startswith("builtin:") and name not in SEEN
        return PHOTOGRAPHS & set(self.titles) if unseen else set()

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table; none where there is no such table."""
        if name not in self._rows:
            self._rows[name] = self.tables[name].rows() if name in self.tables else []
        return [dict(row) for row in self._rows[name]]

    def sets_of(self, kind: str) -> list[Mapping[str, Any]]:
        """The sets that a kind of measurement was made on."""
        names = {text(job.get("set")) for job in self.jobs if job.get("kind") == kind}
        return [s for s in self.sets if text(s.get("name")) in names]

    def tables_of(self, kind: str, name: str) -> list[Table]:
        """The rows of a kind of measurement of one set, as stored; none where a file is not there."""
        of = [job for job in self.jobs if (job.get("kind"), job.get("set")) == (kind, name)]
        stems = dict.fromkeys(stem for job in of for stem in texts(job.get("tables")) if Path(stem).name == stem)
        files = [self.folder / "tables" / f"{stem}.parquet" for stem in stems]
        return [Table.read(file) for file in files if file.exists()]

    def table_names(self) -> list[str]:
        """The names of all tables in the folder."""
        return sorted(path.stem for path in (self.folder / "tables").glob("*.parquet") if path.name[0] != ".")

    def files(self, name: str) -> tuple[tuple[str, str], ...]:
        """The relative addresses of a table's files, as many as there are, each with its kind."""
        paths = ((f"tables/{self.stored.get(name, name)}.{kind}", kind) for kind in ("csv", "parquet"))
        return tuple((quote(path), kind) for path, kind in paths if (self.folder / path).exists())

    def picture(self, path: object) -> Packed:
        """A sample picture inside the study's folder as it stands in a page; an empty one where there is none."""
        target = (self.folder / text(path)).resolve()
        if target.suffix.lower() not in _IMAGES or not target.is_relative_to(self.folder.resolve()):
            return Packed()
        try:
            return packed(target.read_bytes())
        except OSError:  # no such file, or no picture in it
            return Packed()


def mapping(value: object) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}


def records(value: object) -> list[Mapping[str, Any]]:
    """The mappings in a list."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def texts(value: object) -> tuple[str, ...]:
    """The items of a list, as text."""
    return tuple(text(item) for item in value) if isinstance(value, list) else ()


def text(value: object) -> str:
    """The value as text; empty where it is missing."""
    return "" if value is None else str(value)


def number(value: object) -> float | None:
    """The value where it is a number."""
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
