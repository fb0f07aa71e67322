"""Table: rows under a named schema, with their provenance.

A measurement gives rows, one a sample and condition; a summary is a pure function of rows and a table of its
own. The parquet file is the truth and keeps schema and provenance in its metadata; the csv beside it is for
reading. Figures and reports read tables only.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

REMEDY = "run the command of the study again: it makes missing and damaged tables again and keeps the others"
SHOWN = 10  # rows in a notebook
_DTYPES = {"str": "string", "int": "Int64", "float": "Float64", "bool": "boolean"}


@dataclass(frozen=True)
class Schema:
    """A table's name and its columns, each with a type: str, int, float or bool. Any value may be missing."""

    name: str
    columns: Mapping[str, str]
    title: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows under a schema. `provenance` says how they came about: measurement, parameters, model, inputs."""

    schema: Schema
    frame: pd.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(
        cls, schema: Schema, rows: Sequence[Mapping[str, Any]], provenance: Mapping[str, Any] | None = None
    ) -> Table:
        """A table of rows given as mappings; DataError where a row lacks a column or has one too many."""
        import pandas as pd

        for number, row in enumerate(rows):
            if row.keys() != schema.columns.keys():
                wrong = sorted(row.keys() ^ schema.columns.keys())
                raise DataError(f"A row does not fit the schema {schema.name!r}", where=f"row {number}", got=wrong)
        frame = pd.DataFrame(
            {name: pd.Series([row[name] for row in rows], dtype=_DTYPES[kind]) for name, kind in schema.columns.items()}
        )
        return cls(schema, frame, dict(provenance or {}))

    def __len__(self) -> int:
        return len(self.frame)

    def to_pandas(self) -> pd.DataFrame:
        """The rows as a data frame of their own: changing it leaves the table as it is."""
        return self.frame.copy()

    def rows(self) -> list[dict[str, Any]]:
        """The rows as mappings; a missing value is None."""
        columns = {}
        for name, column in self.frame.items():
            values = column.astype(object).to_numpy(copy=True)
            values[column.isna().to_numpy()] = None
            columns[str(name)] = values.tolist()
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def write(self, folder: Path, name: str) -> Path:
        """Write NAME.csv and NAME.parquet into `folder`, both whole or neither; the parquet's path."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        folder.mkdir(parents=True, exist_ok=True)
        table = pa.Table.from_pandas(self.frame, preserve_index=False)
        header = {"name": self.schema.name, "columns": list(self.schema.columns.items()), "title": self.schema.title}
        table = table.replace_schema_metadata(
            {b"backsight": json.dumps({"schema": header, "provenance": self.provenance}, sort_keys=True).encode()}
        )
        target = folder / f"{name}.parquet"
        with replacing(target) as parquet, replacing(folder / f"{name}.csv") as csv:  # the parquet comes last
            self.frame.to_csv(csv, index=False, lineterminator="\n")
            pq.write_table(table, parquet)
        return target

    @classmethod
    def read(cls, path: Path, stamp: Mapping[str, Any] | None = None) -> Table:
        """The table in a parquet file that `write` made; DataError for any other file.

        With the stamp of what was written, DataError also for a file that was changed since.
        """
        import pandas as pd
        import pyarrow as pa
        import pyarrow.parquet as pq

        if stamp is not None and not intact(path, stamp):
            raise DataError("A table is not as it was written", where=path, got=difference(path, stamp), do=REMEDY)
        types = {pa.int64(): pd.Int64Dtype(), pa.float64(): pd.Float64Dtype(), pa.bool_(): pd.BooleanDtype()}
        try:
            stored = pq.read_table(path)
            header = json.loads((stored.schema.metadata or {})[b"backsight"])
            written = header["schema"]
            schema = Schema(written["name"], dict(written["columns"]), written["title"])
            plain = stored.to_pandas(types_mapper=types.get)
            frame = pd.DataFrame({c: plain[c].astype(_DTYPES[k]) for c, k in schema.columns.items()})
            return cls(schema, frame, header["provenance"])
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException) as error:
            raise DataError("This is no table of ours", where=path, got=error, do=REMEDY) from error

    @staticmethod
    def schema_of(path: Path) -> str:
        """The name of the schema of a parquet file that `write` made, read off its metadata; empty for any other."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            return str(json.loads(pq.read_schema(path).metadata[b"backsight"])["schema"]["name"])
        except (OSError, KeyError, TypeError, ValueError, pa.ArrowException):
            return ""

    @staticmethod
    def concat(tables: Sequence[Table]) -> Table:
        """The rows of several tables of one schema, in order; provenance is the first one's."""
        import pandas as pd

        first = tables[0]
        if any(t.schema.name != first.schema.name for t in tables):
            raise DataError("Tables of different schemas cannot be joined", got=sorted({t.schema.name for t in tables}))
        return Table(first.schema, pd.concat([t.frame for t in tables], ignore_index=True), first.provenance)

    def __repr__(self) -> str:
        return f"Table({self.schema.name}, {len(self)} rows)\n{self.frame.to_string(max_rows=12, index=False)}"

    def _repr_html_(self) -> str:
        count = f"{len(self):,} row{'' if len(self) == 1 else 's'}"
        shown = f", the first {SHOWN} are shown" if len(self) > SHOWN else ""
        parts = [f"<p><strong>{escape(self.schema.title or self.schema.name)}</strong> ({count}{shown})</p>"]
        parts.append(str(self.frame.head(SHOWN).to_html(index=False, border=0, escape=True)))
        if self.provenance:
            lines = "".join(
                f"<tr><th>{escape(str(name))}</th><td>{escape(str(value))}</td></tr>"
                for name, value in self.provenance.items()
            )
            parts.append(f"<details><summary>Provenance</summary><table><tbody>{lines}</tbody></table></details>")
        return "".join(parts)


def stamp(path: Path, rows: int) -> dict[str, Any]:
    """What tells later whether a table's file is still the one that was written: its rows and its SHA-256."""
    return {"rows": rows, "sha256": _digest(path)}


def intact(path: Path, stamp: Mapping[str, Any]) -> bool:
    """Whether a table's file is there and is the one that was stamped."""
    try:
        return _digest(path) == stamp.get("sha256")
    except OSError:
        return False


def difference(path: Path, stamp: Mapping[str, Any]) -> str:
    """What is wrong with a file that is not `intact`, in a few words."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.exists():
        return "no such file"
    try:
        rows = pq.read_metadata(path).num_rows
    except (OSError, pa.ArrowException):
        return "the file is damaged"
    written = stamp.get("rows")
    return f"{rows} rows, {written} were written" if rows != written else "other content than was written"


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


HOST = hashlib.sha256(platform.node().encode()).hexdigest()[:8]


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """A temporary path that takes `target`'s place when the block ends well and vanishes when it fails.

    Its name holds the machine and the process, so that no two writers share one and each knows its own.
    """
    part = target.with_name(f".{target.name}.{HOST}.{os.getpid()}.part")
    try:
        yield part
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
