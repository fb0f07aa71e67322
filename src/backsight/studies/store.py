"""The folder of a study: chunks of rows while a job runs, its table when it is done, and a mark that is written last.

A job is finished when its mark is there. Run a study again and only what is missing runs. Everything is written
beside its place and renamed, so that a kill or a full disk leaves nothing half written.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backsight.errors import StudyError
from backsight.tables import Table, replacing

MARK = "jobs/study.identity.json"


class Store:
    """One study's folder. StudyError where it cannot be written or belongs to another study."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self.identity = folder, dict(identity)
        self.tables, self.jobs = folder / "tables", folder / "jobs"
        self._claim()

    def _claim(self) -> None:
        if not holds_study(self.folder):
            with self.writing("the output folder"):
                self.jobs.mkdir(parents=True, exist_ok=True)
                self.write_json(self.folder / MARK, self.identity)
            return
        mark = self.folder / MARK
        try:
            found = json.loads(mark.read_text(encoding="utf-8"))
            other = {k: (found.get(k), new) for k, new in self.identity.items() if found.get(k) != new}
        except (OSError, ValueError, AttributeError) as error:
            raise StudyError(
                "The study's identity cannot be read", where=mark, got=error, do="give a new folder as --out"
            ) from error
        if other:
            said = "; ".join(f"{name} {old!r}, now {new!r}" for name, (old, new) in other.items())
            raise StudyError(
                "The folder belongs to another study", where=self.folder, got=said, do="give another --out"
            )
        with self.writing("the output folder"):
            for place in (
                self.jobs,
                self.tables,
                self.folder / "samples",
                self.folder / "figures",
                self.folder / "gallery",
                self.folder,
            ):
                for path in place.glob(".*.part"):  # left by a kill in the middle of a write
                    path.unlink(missing_ok=True)

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn a failed write (no permission, full disk) into a StudyError that says where."""
        with writing(what, self.folder):
            yield

    @staticmethod
    def write_json(path: Path, value: Mapping[str, Any]) -> None:
        """JSON in one piece, or not at all."""
        with replacing(path) as part:
            text = json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False, default=_plain)
            part.write_text(text + "\n", encoding="utf-8")

    def finished(self, name: str, key: str) -> dict[str, Any] | None:
        """What a finished job noted, or None: another key, no mark, or no table."""
        mark = self.jobs / f"{name}.json"
        if not mark.is_file() or not (self.tables / f"{name}.parquet").is_file():
            return None
        try:
            noted: dict[str, Any] = json.loads(mark.read_text(encoding="utf-8"))
        except ValueError:
            return None
        return noted if noted.get("key") == key else None

    def chunks(self, name: str, key: str) -> tuple[int, list[dict[str, Any]], dict[str, float]]:
        """Batches that earlier runs of a job finished: their number, their rows, and what they cost."""
        folder = self._chunk_folder(name, key)
        rows: list[dict[str, Any]] = []
        done, cost = 0, {"seconds": 0.0, "forward_equivalents": 0.0}
        for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
            try:
                chunk = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                break
            if chunk["first"] != done:
                break
            rows += chunk["rows"]
            done = chunk["last"]
            cost = {k: cost[k] + chunk[k] for k in cost}
        return done, rows, cost

    def add_chunk(self, name: str, key: str, chunk: Mapping[str, Any]) -> None:
        """Keep the rows of some batches of an unfinished job."""
        folder = self._chunk_folder(name, key)
        with self.writing(f"a part of job {name}"):
            folder.mkdir(parents=True, exist_ok=True)
            self.write_json(folder / f"{chunk['first']:06d}.json", chunk)

    def finish(self, name: str, key: str, table: Table, noted: Mapping[str, Any]) -> None:
        """Write a job's table and then its mark; its chunks go."""
        with self.writing(f"the table {name}"):
            table.write(self.tables, name)
            self.write_json(self.jobs / f"{name}.json", {"key": key, **noted})
        for old in self.jobs.glob(f"{name}.*.part"):
            shutil.rmtree(old, ignore_errors=True)

    def write_table(self, name: str, table: Table) -> None:
        """A summary table."""
        with self.writing(f"the table {name}"):
            table.write(self.tables, name)

    def drop_table(self, name: str) -> None:
        """Take away a summary table that an earlier run left and that this one would not give."""
        with self.writing(f"the table {name}"):
            for kind in ("parquet", "csv"):
                (self.tables / f"{name}.{kind}").unlink(missing_ok=True)

    def read_table(self, name: str) -> Table:
        """A table of this study."""
        return Table.read(self.tables / f"{name}.parquet")

    def _chunk_folder(self, name: str, key: str) -> Path:
        return self.jobs / f"{name}.{key}.part"


@contextmanager
def writing(what: str, folder: Path) -> Iterator[None]:
    """Turn a failed write into a StudyError that says where."""
    try:
        yield
    except OSError as error:
        raise StudyError(
            f"Cannot write {what}", where=error.filename or folder, got=error.strerror or error,
            do="free some space or give another --out; what is finished is kept and the same command goes on",
        ) from error  # fmt: skip


def holds_study(folder: Path) -> bool:
    """Whether a folder holds a study; StudyError where it can hold none: a file, or a folder with other things in it.

    A folder in which a study was killed before its first mark was whole counts as empty.
    """
    with writing("the output folder", folder):
        if (folder / MARK).is_file():
            return True
        if not folder.exists():
            return False
        if not folder.is_dir():
            raise StudyError("The output folder is a file", where=folder, do="give an empty or a new folder as --out")
        others = [path.name for path in folder.iterdir() if path.name != "jobs"]
        jobs = folder / "jobs"
        others += [path.name for path in jobs.iterdir() if path.suffix != ".part"] if jobs.is_dir() else []
    if others:
        raise StudyError(
            "The output folder is not empty and holds no study",
            where=folder,
            got=", ".join(sorted(others)[:5]),
            do="give an empty or a new folder as --out",
        )
    return False


def _plain(value: Any) -> Any:
    """The Python number behind a numpy or torch scalar, which a measurement of one's own may give."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in a row")
