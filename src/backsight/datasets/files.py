"""What readers of a folder ask first: is the name inside, is the picture whole, does the box fit?

A mistake found here names a file; the same mistake found by a model in the middle of a study would not. Writers make
a new folder whole or not at all.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from PIL import Image

from backsight.errors import BacksightError, DataError, UsageError
from backsight.grid import Box
from backsight.pictures import FilePicture, Picture, reading, shown_size


def stays_inside(name: str) -> bool:
    """Whether a file name is a plain relative path: not absolute, no "..", on any system."""
    return (
        bool(name)
        and "\0" not in name
        and not any(path.anchor or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name)))
    )


def picture_size(path: Path, where: str) -> tuple[int, int]:
    """Width and height, as shown, of a picture that can be read to its end; DataError at `where` if it cannot."""
    with reading(path, where):
        with Image.open(path) as image:
            image.verify()
        with Image.open(path) as image:
            size = shown_size(image)
            # `verify` does not see a JPEG that is cut short; decoding at an eighth of its size does, cheaply.
            image.draft("RGB", (1, 1))
            image.load()
    return size


def conversion_note(pictures: Iterable[Picture]) -> str:
    """A sentence for each thing that was done to some of the pictures to show them; empty where nothing was."""
    distinct = {p.path: p for p in pictures if isinstance(p, FilePicture)}.values()
    counts = Counter(done for picture in distinct for done in picture.conversions)
    return " ".join(
        f"{number} of {len(distinct)} pictures {'is' if number == 1 else 'are'} {done}."
        for done, number in sorted(counts.items())
    )


def misfit(box: Box, size: tuple[int, int], tolerance: float) -> str | None:
    """What is wrong with a box in a picture of `size`, or None; it may reach `tolerance` pixels outside."""
    if not (box.left < box.right and box.top < box.bottom):
        return "A box has no area"
    if min(box.left, box.top) < -tolerance or box.right > size[0] + tolerance or box.bottom > size[1] + tolerance:
        return "A box lies outside of its picture"
    return None


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to fill, which takes the place `out` when the block ends well; nothing is left of it when it fails.

    UsageError where `out` is taken or cannot be made, DataError where writing fails.
    """
    target = Path(os.path.realpath(out))
    part = _make_room(target, out)
    try:
        yield part
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
