"""What a study left in its folder: study.json, summary tables, probe maps, sample pictures.

study.json is read with care: a key that is missing, or of another type than expected, counts as absent, so
that a report can be made of an unfinished study. What cannot be read at all is a DataError that names the
file.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from backsight import schemas
from backsight.errors import DataError, UsageError
from backsight.figures import suite_title
from backsight.tables import Schema, Table

FORMAT = 1
SUMMARIES = (
    "behaviour_summary",
    "roads_summary",
    "interchange_summary",
    "order_layers",
    "probes_summary",
    "image_interchange_summary",
    "flip_layers",
    "axes",
    "amplify_summary",
    "position_budget",
    "whatsup_summary",
    "creg_summary",
    "creg_pairs",
    "creg_choices",
    "knockout_summary",
    "occlusion_summary",
    "moved_summary",
    "flip_summary",
)
PHOTOGRAPHS = {"coco_pairs", "vsr", "whatsup_a", "whatsup_b", "whatsup_composites"}
MAPS = "probe_maps"  # the schema of what jobs of the kind `probemaps` leave, one table a set
_IMAGE_TYPES = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg"}


@dataclass(frozen=True)
class Study:
    """A study folder: the content of study.json, and by name the tables that are there and hold rows.

    These are the summaries, and all probe maps as one table called `probe_maps`.
    """

    folder: Path
    data: Mapping[str, Any]
    tables: Mapping[str, Table]

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
    def titles(self) -> dict[str, str]:
        """What to call each set, by its name."""
        named = {text(one.get("name")): text(one.get("title")) for one in self.sets}
        return {name: title or suite_title(name) for name, title in named.items() if name}

    @property
    def unseen_photographs(self) -> set[str]:
        """The sets of photographs put to a built-in model, which was trained on generated scenes alone."""
        built_in = text(mapping(self.data.get("model")).get("name")).startswith("builtin:")
        return PHOTOGRAPHS & set(self.titles) if built_in else set()

    def rows(self, name: str) -> list[dict[str, Any]]:
        """The rows of a table; none where there is no such table."""
        return self.tables[name].rows() if name in self.tables else []

    def sets_of(self, kind: str) -> list[Mapping[str, Any]]:
        """The sets that a kind of measurement was made on."""
        names = {text(job.get("set")) for job in self.jobs if job.get("kind") == kind}
        return [s for s in self.sets if text(s.get("name")) in names]

    def table_names(self) -> list[str]:
        """The names of all tables in the folder."""
        return sorted(path.stem for path in (self.folder / "tables").glob("*.parquet") if path.name[0] != ".")

    def files(self, name: str) -> tuple[tuple[str, str], ...]:
        """The relative addresses of a table's files, as many as there are, each with its kind."""
        paths = ((f"tables/{name}.{kind}", kind) for kind in ("csv", "parquet"))
        return tuple((quote(path), kind) for path, kind in paths if (self.folder / path).exists())

    def picture(self, path: object) -> str:
        """A sample picture inside the study's folder as a data URI; empty where there is none."""
        target = (self.folder / text(path)).resolve()
        kind = _IMAGE_TYPES.get(target.suffix.lower())
        if kind is None or not target.is_relative_to(self.folder.resolve()) or not target.is_file():
            return ""
        return f"data:{kind};base64,{base64.b64encode(target.read_bytes()).decode()}"


def read_study(folder: Path, without: Collection[str] = ()) -> Study:
    """The study in a folder, some tables left out.

    UsageError where there is none; DataError where study.json or a table cannot be read.
    """
    path = folder / "study.json"
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        do = "give a folder that `backsight study` wrote"
        raise UsageError("There is no study here", where=path, got="no such file", do=do) from error
    except (OSError, ValueError) as error:
        do = "run the command of the study again: what is finished is kept"
        raise DataError("A study's record cannot be read", where=path, got=error, do=do) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        got = data.get("format") if isinstance(data, dict) else type(data).__name__
        do = f"format {FORMAT} is read"
        raise DataError("A study's record has another format", where=path, got=got, do=do)
    stored = {name: folder / "tables" / f"{name}.parquet" for name in SUMMARIES}
    tables = {
        name: _known(Table.read(file), file) for name, file in stored.items() if file.exists() and name not in without
    }
    maps = [Table.read(file) for file in _maps(folder, records(data.get("jobs"))) if file.stem not in without]
    tables |= {MAPS: Table.concat(maps)} if maps else {}
    return Study(folder, data, {name: table for name, table in tables.items() if len(table)})


def _known(table: Table, file: Path) -> Table:
    """The table; DataError where an earlier release wrote it without a column that is read today."""
    schema = next((s for s in vars(schemas).values() if isinstance(s, Schema) and s.name == table.schema.name), None)
    missing = sorted(schema.columns.keys() - table.schema.columns.keys()) if schema else []
    if missing:
        do = "run the command of the study again with this version of backsight"
        raise DataError("A table lacks columns", where=file, got=f"no {', '.join(missing)}", do=do)
    return table


def _maps(folder: Path, jobs: list[Mapping[str, Any]]) -> list[Path]:
    """The files of the probe maps, in the order of their jobs; never one outside the folder of tables."""
    names = (name for job in jobs if job.get("kind") == "probemaps" for name in texts(job.get("tables")))
    files = (folder / "tables" / f"{name}.parquet" for name in dict.fromkeys(names) if Path(name).name == name)
    return [file for file in files if file.exists()]


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
