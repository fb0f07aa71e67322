"""The folder of a study: chunks of rows while a job runs, its table when it is done, and a mark that is written last.

A job is finished when its mark is there. Run a study again and only what is missing runs. Everything is written
beside its target and renamed, so that a kill or a full disk leaves nothing half written. One process at a time
writes (`lock.py`); what another one is writing is never taken away.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backsight.errors import DataError, FolderError, StudyError
from backsight.studies import lock
from backsight.tables import HOST, Table, intact, replacing, stamp

MARK = "jobs/study.identity.json"
DAY = 86400.0  # seconds after which nobody is still writing one file


@dataclass(frozen=True)
class Chunk:
    """The rows of the batches first..last-1 of an unfinished job, and what they cost."""

    first: int
    last: int
    rows: list[dict[str, Any]]
    seconds: float
    forward_equivalents: float

    @property
    def batches(self) -> range:
        """The numbers of its batches."""
        return range(self.first, self.last)


class Store:
    """One study's folder. StudyError where it cannot be written or belongs to another study."""

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        self.folder, self.identity = folder, dict(identity)
        self.tables, self.jobs = folder / "tables", folder / "jobs"
        self.stamps: dict[str, dict[str, Any]] = {}  # rows and hash of each table that this study wrote or took over
        self.note: str | None = None  # what the user must know of the folder's lock
        self._claim()

    def _claim(self) -> None:
        lock.refuse_busy(self.folder)
        new = not holds_study(self.folder)
        if not new:
            self._belongs()
        with self.writing("the output folder"):
            self.jobs.mkdir(parents=True, exist_ok=True)
            with self.locked() as note:
                self.note = note
                if new and not (self.folder / MARK).is_file():
                    self.write_json(self.folder / MARK, self.identity)
                else:
                    self._belongs()
                self._tidy()

    def _belongs(self) -> None:
        """StudyError where the folder's study is another one."""
        mark = self.folder / MARK
        try:
            marked = json.loads(mark.read_text(encoding="utf-8"))
            other = {k: (marked.get(k), new) for k, new in self.identity.items() if marked.get(k) != new}
        except (OSError, ValueError, AttributeError) as error:
            raise StudyError(
                "The study's identity cannot be read", where=mark, got=error, do="give a new folder as --out"
            ) from error
        if other:
            changes = "; ".join(f"{name} {old!r}, now {new!r}" for name, (old, new) in other.items())
            raise FolderError(
                "The folder belongs to another study", where=self.folder, got=changes, do="give another --out"
            )

    def _tidy(self) -> None:
        """Take away what a kill in the middle of a write left, and nothing that a living process may be writing."""
        folders = (self.jobs, self.tables, *(self.folder / name for name in ("samples", "figures", "gallery")))
        for folder in (*folders, self.folder):
            for path in folder.glob(".*.part"):
                if _abandoned(path):
                    path.unlink(missing_ok=True)

    @contextmanager
    def locked(self) -> Iterator[str | None]:
        """Be the one that writes into the folder, or StudyError; what the user must know of the lock, or None."""
        with self.writing("the lock of the output folder"):
            holding = lock.held(self.folder)
            note = holding.__enter__()
        try:
            yield note
        finally:
            holding.__exit__(None, None, None)

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
        """What a finished job noted, or None: another key, no mark, or a table that is not the one it wrote."""
        try:
            noted = json.loads((self.jobs / f"{name}.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        if not isinstance(noted, dict) or noted.get("key") != key:
            return None
        path, stamped = self.tables / f"{name}.parquet", noted.get("table")
        if isinstance(stamped, dict):
            whole = intact(path, stamped)
        else:  # written by a release without stamps: a table that can be read counts
            whole = _readable(path)
            stamped = stamp(path, len(Table.read(path))) if whole else {}
        if not whole:
            return None
        self.stamps[name] = stamped
        return noted

    def chunks(self, name: str, key: str) -> list[Chunk]:
        """What earlier runs of an unfinished job kept, by batch; never two of one batch. There may be gaps."""
        folder = self.jobs / f"{name}.{key}.part"
        read = [chunk for path in folder.glob("*.json") if (chunk := _chunk(path)) is not None]
        kept: list[Chunk] = []
        for chunk in sorted(read, key=lambda one: (one.first, -one.last)):
            if not kept or chunk.first >= kept[-1].last:
                kept.append(chunk)
        return kept

    def add_chunk(self, name: str, key: str, chunk: Chunk) -> None:
        """Keep the rows of some batches of an unfinished job."""
        folder = self.jobs / f"{name}.{key}.part"
        with self.writing(f"a part of job {name}"):
            folder.mkdir(parents=True, exist_ok=True)
            self.write_json(folder / f"{chunk.first:06d}-{chunk.last:06d}.json", vars(chunk))

    def finish(self, name: str, key: str, table: Table, noted: Mapping[str, Any]) -> None:
        """Write a job's table and then its mark; its chunks go."""
        with self.writing(f"the table {name}"):
            path = table.write(self.tables, name)
            self.stamps[name] = stamp(path, len(table))
            self.write_json(self.jobs / f"{name}.json", {"key": key, "table": self.stamps[name], **noted})
        for old in self.jobs.glob(f"{name}.*.part"):
            shutil.rmtree(old, ignore_errors=True)

    def write_table(self, name: str, table: Table) -> None:
        """A summary table."""
        with self.writing(f"the table {name}"):
            path = table.write(self.tables, name)
            self.stamps[name] = stamp(path, len(table))

    def drop_table(self, name: str) -> None:
        """Take away a summary table that an earlier run left and that this one would not give."""
        with self.writing(f"the table {name}"):
            for kind in ("parquet", "csv"):
                (self.tables / f"{name}.{kind}").unlink(missing_ok=True)
        self.stamps.pop(name, None)

    def read_table(self, name: str) -> Table:
        """A table of this study."""
        return Table.read(self.tables / f"{name}.parquet", self.stamps.get(name))


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
            raise FolderError("The output folder is a file", where=folder, do="give an empty or a new folder as --out")
        others = [path.name for path in folder.iterdir() if path.name != "jobs"]
        jobs, own = folder / "jobs", Path(lock.LOCK).name
        begun = [path for path in jobs.iterdir() if path.suffix != ".part"] if jobs.is_dir() else []
        others += [path.name for path in begun if path.name != own]
    if others:
        raise FolderError(
            "The output folder is not empty and holds no study",
            where=folder,
            got=", ".join(sorted(others)[:5]),
            do="give an empty or a new folder as --out",
        )
    return False


def _chunk(path: Path) -> Chunk | None:
    """The chunk in a file; None where it is damaged or is not what its name says."""
    try:
        chunk = Chunk(**json.loads(path.read_text(encoding="utf-8")))
        named = path.stem == f"{chunk.first:06d}-{chunk.last:06d}"
    except (OSError, ValueError, TypeError):
        return None
    return chunk if named and isinstance(chunk.rows, list) and 0 <= chunk.first < chunk.last else None


def _readable(path: Path) -> bool:
    try:
        Table.read(path)
    except DataError:
        return False
    return True


def _abandoned(path: Path) -> bool:
    """Whether nobody writes a half-written file any more: its process on this machine is gone, or it is a day old."""
    machine, pid = [*path.name.removesuffix(".part").rsplit(".", 2)[1:], "", ""][:2]
    if machine == HOST and pid.isdigit() and int(pid) != os.getpid() and not lock.alive(int(pid)):
        return True
    try:
        return time.time() - path.stat().st_mtime > DAY
    except OSError:  # it is in its place by now
        return False


def _plain(value: Any) -> Any:
    """The Python number behind a numpy or torch scalar, which a measurement of one's own may give."""
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot stand in a row")
