"""Pictures that are opened when they are needed.

An example set of thousands holds recipes or paths. A picture's id names its content, so that equal ids are equal
pixels and a table can say which picture a row is about.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from backsight.errors import DataError


class Picture(ABC):
    """A picture that is opened when it is needed. `id` names its content: equal ids are equal pixels."""

    @property
    @abstractmethod
    def id(self) -> str: ...

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""

    @abstractmethod
    def open(self) -> Image.Image:
        """The pixels, as an RGB image."""


@dataclass(frozen=True)
class FilePicture(Picture):
    """A picture in a file; its id is the hash of the file's bytes."""

    path: Path

    @cached_property
    def id(self) -> str:
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]
        except OSError as error:
            raise DataError("A picture cannot be read", where=self.path, got=error.strerror or error) from error

    @cached_property
    def size(self) -> tuple[int, int]:
        return self.open().size

    def open(self) -> Image.Image:
        try:
            with Image.open(self.path) as image:
                return image.convert("RGB")
        except FileNotFoundError as error:
            raise DataError(
                "A picture is missing", where=self.path, do="restore the file or leave its row out"
            ) from error
        except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            raise DataError(
                "A picture cannot be read", where=self.path, got=error, do="replace the file; PNG and JPEG are read"
            ) from error


@dataclass(frozen=True)
class MemoryPicture(Picture):
    """A picture that is already in memory; its id is the hash of its pixels."""

    image: Image.Image

    @cached_property
    def id(self) -> str:
        image = self.image.convert("RGB")
        return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()[:16]

    @property
    def size(self) -> tuple[int, int]:
        return self.image.size

    def open(self) -> Image.Image:
        return self.image.convert("RGB")


@dataclass(frozen=True)
class PlainPicture(Picture):
    """A picture of one shade: the blank control."""

    extent: tuple[int, int]
    shade: tuple[int, int, int] = (128, 128, 128)

    @property
    def size(self) -> tuple[int, int]:
        return self.extent

    @property
    def id(self) -> str:
        return f"plain-{self.size[0]}x{self.size[1]}-{'-'.join(map(str, self.shade))}"

    def open(self) -> Image.Image:
        return Image.new("RGB", self.size, self.shade)


def as_picture(image: Picture | Image.Image | str | Path) -> Picture:
    """The picture behind a path, a PIL image or a picture."""
    if isinstance(image, Picture):
        return image
    return MemoryPicture(image) if isinstance(image, Image.Image) else FilePicture(Path(image))
