"""Pictures of a page, as data in it: WebP, which all browsers of today show.

What was rendered is kept pixel by pixel. A large picture, a photograph or noise, loses what an eye does not miss; the
file in the study's folder has it all.
"""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from functools import lru_cache

from PIL import Image

LARGE = 16_000  # bytes of an exact picture from which on it may lose something
NOISE = 48_000  # bytes of a file that no exact picture makes small
QUALITY = 85  # of such a picture
EFFORT = 2  # of 6, of an exact one: a third of the time that 4 takes, for a twentieth more bytes


@dataclass(frozen=True)
class Packed:
    """A picture as a data URI, with its size in pixels; an empty URI where there is none."""

    uri: str = ""
    width: int = 0
    height: int = 0


@lru_cache(maxsize=256)
def packed(raw: bytes) -> Packed:
    """A picture in a file's bytes as WebP. OSError where these are no picture, or one too large for a page."""
    try:
        with Image.open(io.BytesIO(raw)) as image:
            return _packed(image, len(raw))
    except (ValueError, Image.DecompressionBombError) as error:
        raise OSError(f"This is no picture for a page: {error}") from error


def _packed(image: Image.Image, size: int) -> Packed:
    plain = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA" if "A" in image.getbands() else "RGB")
    forms = [_saved(plain, lossless=True, exact=True, method=EFFORT)] if size < NOISE else []
    if not forms or len(forms[0]) > LARGE:
        forms.append(_saved(plain, quality=QUALITY))
    return Packed(f"data:image/webp;base64,{base64.b64encode(min(forms, key=len)).decode()}", *image.size)


def repacked(uri: str) -> str:
    """The picture of a data URI as WebP, in one."""
    return packed(base64.b64decode(uri.partition(",")[2])).uri


def _saved(image: Image.Image, **options: bool | int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **options)
    return buffer.getvalue()
