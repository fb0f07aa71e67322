"""One writer a folder: a lock of the operating system on a file in it, which ends with its process however that ends.

The file says who holds the lock, for the message. Where a filesystem has no locks, the process that the file names
stands in: on this machine it is looked up, and that is said.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backsight.errors import StudyError

LOCK = "jobs/study.lock"
TRAINING, SWEEP = "training.lock", "sweep.lock"
_WITHOUT_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL}
NO_LOCKS = "the filesystem of the output folder has no locks: let one study at a time write into it"


@contextmanager
def held(folder: Path, name: str = LOCK) -> Iterator[str | None]:
    """Hold a lock of the folder; what the user must know of it, or None. StudyError where another process holds it.

    OSError where the lock's file cannot be written.
    """
    descriptor, note = _taken(folder, name)
    try:
        yield note
    finally:
        (folder / name).unlink(missing_ok=True)  # while it is held: who waits sees that the file is another one
        os.close(descriptor)


def refuse_busy(folder: Path) -> None:
    """StudyError where another process is writing into the folder. Writes nothing."""
    try:
        descriptor = os.open(folder / LOCK, os.O_RDWR)
    except OSError:  # no lock's file, or none that may be written: whoever writes there meets that by itself
        return
    try:
        if not _locked(descriptor):
            raise _busy(folder, LOCK)
    finally:
        os.close(descriptor)


def alive(pid: int) -> bool:
    """Whether a process of this number runs on this machine; true where that cannot be known."""
    if sys.platform == "win32":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def _taken(folder: Path, name: str) -> tuple[int, str | None]:
    """The descriptor of the locked file, and a note where it could be held by name alone."""
    path = folder / name
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            locked = _locked(descriptor)
            if locked is False or (locked is None and _named_alive(path)):
                raise _busy(folder, name)
            if not _same(descriptor, path):  # who held it took the file away meanwhile
                os.close(descriptor)
                continue
            os.ftruncate(descriptor, 0)
            os.lseek(descriptor, 0, os.SEEK_SET)
            os.write(descriptor, json.dumps(_self()).encode())
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor, None if locked else NO_LOCKS


def _locked(descriptor: int) -> bool | None:
    """Take the lock; False where another one holds it, None where the filesystem has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, 1 << 20, os.SEEK_SET)  # past what is written, which then can be read
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in _WITHOUT_LOCKS:
            return None
        if error.errno in (errno.EAGAIN, errno.EACCES, errno.EDEADLK):
            return False
        raise
    return True


def _same(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _self() -> dict[str, Any]:
    started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime())
    return {"pid": os.getpid(), "host": platform.node(), "started": started}


def _holder(path: Path) -> dict[str, Any]:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _named_alive(path: Path) -> bool:
    """Whether the lock's file names another process that runs on this machine."""
    holder = _holder(path)
    pid = holder.get("pid")
    return holder.get("host") == platform.node() and isinstance(pid, int) and pid != os.getpid() and alive(pid)


def _busy(folder: Path, name: str) -> StudyError:
    holder = _holder(folder / name)
    who = f"process {holder.get('pid')} on {holder.get('host')}, since {holder.get('started')}" if holder else None
    what, option = Path(name).stem, "--work" if name == TRAINING else "--out"
    do = f"wait until it has ended, stop it, or give another {option}"
    return StudyError(f"Another {what} is writing into this folder", where=folder, got=who, do=do)
