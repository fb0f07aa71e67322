"""What readers of a folder ask first: is the name inside, is the picture whole, does the box fit?

A mistake found here names a file; the same mistake found by a model in the middle of a study would not.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from PIL import Image, UnidentifiedImageError

from backsight.errors import DataError
from backsight.grid import Box


def stays_inside(name: str) -> bool:
    """Whether a file name is a plain relative path: not absolute, no "..", on any system."""
    return (
        bool(name)
        and "\0" not in name
        and not any(path.anchor or ".." in path.parts for path in (PurePosixPath(name), PureWindowsPath(name)))
    )


def picture_size(path: Path, where: str) -> tuple[int, int]:
    """Width and height of a picture that can be read to its end; DataError at `where` if it cannot."""
    try:
        with Image.open(path) as image:
            size = image.size
            image.verify()
        with Image.open(path) as image:
            # `verify` does not see a JPEG that is cut short; decoding at an eighth of its size does, cheaply.
            image.draft("RGB", (1, 1))
            image.load()
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(
            "A picture cannot be read",
            where=where,
            got=f"{path}: {error}",
            do="replace the file; PNG and JPEG are read",
        ) from error
    return size


def misfit(box: Box, size: tuple[int, int], tolerance: float) -> str | None:
    """What is wrong with a box in a picture of `size`, or None; it may reach `tolerance` pixels outside."""
    if not (box.left < box.right and box.top < box.bottom):
        return "A box has no area"
    if min(box.left, box.top) < -tolerance or box.right > size[0] + tolerance or box.bottom > size[1] + tolerance:
        return "A box lies outside of its picture"
    return None
