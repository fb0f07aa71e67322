"""Pictures that are opened when they are needed, as a viewer shows them.

An example set of thousands holds recipes or paths. A picture's id names its content, so that equal ids are equal
pixels and a table can say which picture a row is about. Models take 8 bits of red, green and blue: `as_shown` brings
every other form to that, and `conversions` says what was done to a picture.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from backsight.errors import DataError, UsageError

TURNED = "turned as the EXIF orientation says"
SCALED = "brought from more than 8 bits a channel to 8"
WHITE = "shown on white where transparent"
CMYK = "brought from CMYK to red, green and blue"
FULL = 65535  # 16 bits
_QUARTER_TURNS = (5, 6, 7, 8)  # EXIF orientations that exchange width and height


class Credit(NamedTuple):
    """Whose photograph a picture shows: its id where it comes from, its licence and where it was published."""

    photograph: str
    license: str
    source: str


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

    @property
    def sources(self) -> tuple[str, ...]:
        """The ids of the pictures that this one is joined of: its own where it is of one piece."""
        return (self.id,)

    @property
    def conversions(self) -> tuple[str, ...]:
        """What is done to the pixels of a file or an image before a model gets them: none for what is drawn."""
        return ()

    @property
    def credits(self) -> tuple[Credit, ...]:
        """Whose photographs are in the picture, where that is known."""
        return ()


def as_shown(image: Image.Image) -> Image.Image:
    """The pixels as a viewer shows them, in RGB.

    A photograph is turned as its EXIF orientation says, before anything else: sizes and boxes are of the turned one.
    Gray of 16 bits is scaled from 0 .. 65535 to 0 .. 255, and of 32 bits from its whole range where a value is larger.
    Floating numbers are 0 .. 1 where none is outside, else 0 .. 255 where none is outside, else from their least to
    their largest. What is transparent lies on white. ValueError for a form that Pillow cannot show.
    """
    turned = ImageOps.exif_transpose(image)
    if _is_deep(turned):
        return _eight_bits(turned).convert("RGB")
    if turned.has_transparency_data:
        seen = _with_alpha(turned)
        return Image.alpha_composite(Image.new("RGBA", seen.size, "white"), seen).convert("RGB")
    return turned.convert("RGB")


def conversions(image: Image.Image) -> tuple[str, ...]:
    """What `as_shown` does to an image beyond copying it: none, or some of TURNED, SCALED, WHITE and CMYK."""
    done = [] if _orientation(image) == 1 else [TURNED]
    if _is_deep(image):
        return (*done, SCALED, WHITE) if _clear(image).any() else (*done, SCALED)
    if image.has_transparency_data and np.asarray(_with_alpha(image).getchannel("A")).min() < 255:
        done.append(WHITE)
    return (*done, CMYK) if image.mode == "CMYK" else tuple(done)


def shown_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of an image as shown."""
    return image.size[::-1] if _orientation(image) in _QUARTER_TURNS else image.size


def _orientation(image: Image.Image) -> int:
    named = image.getexif().get(ExifTags.Base.Orientation, 1)
    return int(named) if named in range(2, 9) else 1


def _is_deep(image: Image.Image) -> bool:
    return image.mode.startswith("I") or image.mode == "F"


def _with_alpha(image: Image.Image) -> Image.Image:
    return (image.convert("LA") if image.mode == "La" else image).convert("RGBA")


def _clear(image: Image.Image) -> NDArray[np.bool_]:
    """Where a gray image of many bits has the one value that its file names as transparent."""
    value = image.info.get("transparency")
    shade = np.asarray(image)
    return shade == value if isinstance(value, int) else np.zeros(shade.shape, dtype=bool)


def _eight_bits(image: Image.Image) -> Image.Image:
    values = np.nan_to_num(np.asarray(image, dtype=np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    if image.mode != "F":
        low, high = 0.0, float(FULL if high <= FULL else 2**31 - 1)
    elif low >= 0 and high <= 255:
        low, high = 0.0, 1.0 if high <= 1 else 255.0
    scaled = np.round((np.clip(values, low, high) - low) / ((high - low) or 1.0) * 255).astype(np.uint8)
    scaled[_clear(image)] = 255
    return Image.fromarray(scaled)


@contextmanager
def reading(path: Path, where: object) -> Iterator[None]:
    """DataError at `where` for what goes wrong while a picture is read: missing, no file, not allowed, or broken."""
    try:
        yield
    except FileNotFoundError as error:
        do = "restore the file or leave its row out"
        raise DataError("A picture is missing", where=where, got=_named(path, where), do=do) from error
    except IsADirectoryError as error:
        do = "name the file of a picture"
        raise DataError(
            "A folder stands where a picture should", where=where, got=_named(path, where), do=do
        ) from error
    except PermissionError as error:
        do = "see to the rights of the file and of its folder"
        raise DataError("A picture may not be read", where=where, got=_named(path, where), do=do) from error
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        got = error if _named(path, where) is None else f"{path}: {error}"
        do = "replace the file; PNG and JPEG are read"
        raise DataError("A picture cannot be read", where=where, got=got, do=do) from error


def _named(path: Path, where: object) -> Path | None:
    return None if where == path else path


@dataclass(frozen=True)
class FilePicture(Picture):
    """A picture in a file; its id is the hash of the file's bytes. DataError where the file cannot be read."""

    path: Path
    credits: tuple[Credit, ...] = field(default=(), compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))  # a plain string will do

    @cached_property
    def id(self) -> str:
        with reading(self.path, self.path):
            return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    @cached_property
    def size(self) -> tuple[int, int]:
        return self.open().size

    @cached_property
    def conversions(self) -> tuple[str, ...]:
        """What is done to the file's pixels before a model gets them (`conversions`)."""
        with reading(self.path, self.path), Image.open(self.path) as image:
            return conversions(image)

    def open(self) -> Image.Image:
        with reading(self.path, self.path), Image.open(self.path) as image:
            return as_shown(image)


@dataclass(frozen=True)
class MemoryPicture(Picture):
    """A picture that is already in memory; its id is the hash of its pixels as shown."""

    image: Image.Image

    @cached_property
    def id(self) -> str:
        image = as_shown(self.image)
        return hashlib.sha256(repr(image.size).encode() + image.tobytes()).hexdigest()[:16]

    @property
    def size(self) -> tuple[int, int]:
        return shown_size(self.image)

    @cached_property
    def conversions(self) -> tuple[str, ...]:
        """What is done to the image's pixels before a model gets them (`conversions`)."""
        return conversions(self.image)

    def open(self) -> Image.Image:
        return as_shown(self.image)


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
    """The picture behind a path, a PIL image or a picture; UsageError for anything else."""
    if isinstance(image, Picture):
        return image
    if isinstance(image, Image.Image):
        return MemoryPicture(image)
    if isinstance(image, (str, Path)):
        return FilePicture(Path(image))
    do = "give a path, a PIL image or a Picture; of an array make one with PIL.Image.fromarray"
    raise UsageError("This is no picture", got=type(image).__name__, do=do)
