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


class Store:
    """One study's folder. StudyError where it cannot be written or belongs to another study."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self.identity = folder, dict(identity)
        self.tables, self.jobs = folder / "tables", folder / "jobs"
        self._claim()

    def _claim(self) -> None:
        mark = self.folder / "jobs" / "study.identity.json"
        if mark.is_file():
            try:
                found = json.loads(mark.read_text())
            except (OSError, ValueError) as error:
                raise StudyError(
                    "The study's identity cannot be read", where=mark, got=error, do="use a new folder"
                ) from error
            other = {
                k: (found.get(k), self.identity.get(k)) for k in self.identity if found.get(k) != self.identity.get(k)
            }
            if other:
                said = "; ".join(f"{name} {old!r}, now {new!r}" for name, (old, new) in other.items())
                raise StudyError(
                    "The folder belongs to another study", where=self.folder, got=said, do="give another --out"
                )
            return
        if self.folder.exists() and (not self.folder.is_dir() or any(self.folder.iterdir())):
            raise StudyError(
                "The output folder is not empty and holds no study",
                where=self.folder,
                do="give an empty or a new folder",
            )
        with self.writing("the output folder"):
            self.jobs.mkdir(parents=True, exist_ok=True)
            self.write_json(mark, self.identity)

    @contextmanager
    def writing(self, what: str) -> Iterator[None]:
        """Turn a failed write (no permission, full disk) into a StudyError that says where."""
        try:
            yield
        except OSError as error:
            raise StudyError(
                f"Cannot write {what}", where=error.filename or self.folder, got=error.strerror or error,
                do="free some space or give another --out; what is finished is kept and the same command goes on",
            ) from error  # fmt: skip

    @staticmethod
    def write_json(path: Path, value: Mapping[str, Any]) -> None:
        """JSON in one piece, or not at all."""
        with replacing(path) as part:
            part.write_text(json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n", encoding="utf-8")

    def finished(self, name: str, key: str) -> dict[str, Any] | None:
        """What a finished job noted, or None: another key, no mark, or no table."""
        mark = self.jobs / f"{name}.json"
        if not mark.is_file() or not (self.tables / f"{name}.parquet").is_file():
            return None
        try:
            noted: dict[str, Any] = json.loads(mark.read_text())
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
                chunk = json.loads(path.read_text())
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

    def read_table(self, name: str) -> Table:
        """A table of this study."""
        return Table.read(self.tables / f"{name}.parquet")

    def _chunk_folder(self, name: str, key: str) -> Path:
        return self.jobs / f"{name}.{key}.part"
