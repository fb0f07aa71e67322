"""Pictures as a viewer shows them: turned, brought to 8 bits, on white; and the errors of those that cannot be read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from transformers.image_utils import load_image

from backsight import pictures
from backsight.datasets.files import conversion_note, picture_size
from backsight.errors import DataError
from backsight.pictures import CMYK, SCALED, TURNED, WHITE, FilePicture, MemoryPicture, as_shown, conversions


def stored(image: Image.Image, form: str = "PNG", **options: Any) -> Image.Image:
    """The image as it comes back from a file."""
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    buffer.seek(0)
    return Image.open(buffer)


def corners() -> Image.Image:
    """6 x 4 pixels of noise, so that every turn gives another picture."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise)


def turned(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_every_orientation_is_shown_as_transformers_shows_it(tmp_path: Path, orientation: int, form: str) -> None:
    path = tmp_path / "a"
    corners().save(path, form, exif=turned(orientation))
    picture = FilePicture(path)
    assert picture.open().tobytes() == load_image(str(path)).tobytes()
    expected = (4, 6) if orientation >= 5 else (6, 4)
    assert picture.size == picture.open().size == picture_size(path, "here") == expected
    assert picture.conversions == ((TURNED,) if orientation > 1 else ())
    with Image.open(path) as image:
        held = MemoryPicture(image)
        assert held.size == expected and held.open().tobytes() == picture.open().tobytes()
        assert held.id == MemoryPicture(picture.open()).id


def test_a_quarter_turn_by_hand() -> None:
    """Orientation 6: the file's first row is the right-hand column of what is shown."""
    image = corners()
    shown = np.asarray(as_shown(stored(image, exif=turned(6))))
    np.testing.assert_array_equal(shown[:, -1], np.asarray(image)[0])


def test_an_orientation_that_is_none_turns_nothing() -> None:
    for orientation in (0, 9):
        image = stored(corners(), exif=turned(orientation))
        assert conversions(image) == () and as_shown(image).tobytes() == corners().tobytes()


def test_gray_of_sixteen_bits_is_scaled_and_not_clipped() -> None:
    values = np.array([[0, 257, 32768, 65535]], dtype=np.uint16)
    for image in (stored(Image.fromarray(values)), stored(Image.fromarray(values), "TIFF"), Image.fromarray(values)):
        assert image.mode == "I;16" and conversions(image) == (SCALED,)
        assert np.asarray(as_shown(image))[0].tolist() == [[0] * 3, [1] * 3, [128] * 3, [255] * 3]
    portable = Image.open(io.BytesIO(b"P5\n2 1\n65535\n" + np.array([32768, 65535], dtype=">u2").tobytes()))
    assert portable.mode == "I" and np.asarray(as_shown(portable))[0, :, 0].tolist() == [128, 255]
    wide = Image.fromarray(np.array([[0, 2**31 - 1, 2**30]], dtype=np.int32))
    assert np.asarray(as_shown(wide))[0, :, 0].tolist() == [0, 255, 128]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([0.0, 0.5, 1.0], [0, 128, 255]),
        ([0.0, 100.0, 255.0], [0, 100, 255]),
        ([-1.0, 0.0, 3.0], [0, 64, 255]),
        ([0.0, float("nan"), 1.0], [0, 0, 255]),
        ([1000.0, 1000.0, 1000.0], [0, 0, 0]),
    ],
)
def test_floating_numbers_are_brought_to_eight_bits(values: list[float], shown: list[int]) -> None:
    image = stored(Image.fromarray(np.array([values], dtype=np.float32)), "TIFF")
    assert image.mode == "F" and conversions(image) == (SCALED,)
    assert np.asarray(as_shown(image))[0, :, 1].tolist() == shown


def test_what_is_transparent_lies_on_white() -> None:
    red = Image.new("RGBA", (2, 1), (255, 0, 0, 255))
    red.putpixel((1, 0), (0, 0, 0, 0))
    half = Image.new("LA", (1, 1), (0, 128))
    palette = Image.new("P", (2, 1), 0)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.putpixel((1, 0), 1)
    cases = (
        (stored(red), [[255, 0, 0], [255, 255, 255]]),
        (stored(red, "WEBP", lossless=True), [[255, 0, 0], [255, 255, 255]]),
        (stored(half), [[127, 127, 127]]),
        (half.convert("La"), [[127, 127, 127]]),
        (stored(palette, transparency=0), [[255, 255, 255], [10, 20, 30]]),
        (stored(Image.new("L", (1, 1), 7), transparency=7), [[255, 255, 255]]),
        (stored(Image.new("RGB", (1, 1), (1, 2, 3)), transparency=(1, 2, 3)), [[255, 255, 255]]),
    )
    for image, expected in cases:
        assert np.asarray(as_shown(image))[0].tolist() == expected
        assert conversions(image) == (WHITE,)
    deep = stored(Image.fromarray(np.array([[1000, 65535]], dtype=np.uint16)), transparency=1000)
    assert np.asarray(as_shown(deep))[0, :, 0].tolist() == [255, 255] and conversions(deep) == (SCALED, WHITE)
    whole = stored(Image.new("RGBA", (1, 1), (9, 8, 7, 255)))
    assert conversions(whole) == () and as_shown(whole).getpixel((0, 0)) == (9, 8, 7)


def test_other_forms_are_red_green_and_blue() -> None:
    cmyk = stored(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG")
    assert conversions(cmyk) == (CMYK,) and as_shown(cmyk).getpixel((4, 4)) == (255, 0, 0)
    for mode in ("1", "L", "P", "RGB", "RGBX", "YCbCr", "HSV"):
        image = Image.new("RGB", (4, 4), "white").convert(mode) if mode != "RGBX" else Image.new(mode, (4, 4), "white")
        assert conversions(image) == () and as_shown(image).getpixel((0, 0)) == (255, 255, 255), mode
    first = stored(Image.new("P", (2, 2), 0), "GIF", save_all=True, append_images=[Image.new("P", (2, 2), 1)])
    assert as_shown(first).size == (2, 2)


def test_plain_pictures_keep_their_pixels_and_names() -> None:
    image = corners()
    assert as_shown(image).tobytes() == image.tobytes() and as_shown(image) is not image
    assert MemoryPicture(image).id == MemoryPicture(stored(image)).id


def test_a_note_counts_what_was_done(tmp_path: Path) -> None:
    corners().save(tmp_path / "turned.png", exif=turned(3))
    corners().save(tmp_path / "as_it_is.png")
    for name in ("deep", "deeper"):
        Image.fromarray(np.array([[1, 2]], dtype=np.uint16)).save(tmp_path / f"{name}.png")
    files = [FilePicture(path) for path in sorted(tmp_path.iterdir())]
    assert conversion_note([*files, files[0], MemoryPicture(corners())]) == (
        "2 of 4 pictures are brought from more than 8 bits a channel to 8. "
        "1 of 4 pictures is turned as the EXIF orientation says."
    )
    assert conversion_note(files[:1]) == ""


def test_missing_unreadable_and_broken_files_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "text.png").write_text("no picture")
    (tmp_path / "folder.png").mkdir()
    cases = {
        "gone.png": "A picture is missing", "folder.png": "A folder stands where a picture should",
        "text.png": "A picture cannot be read",
    }  # fmt: skip
    for name, what in cases.items():
        path = tmp_path / name
        for read in (FilePicture(path).open, lambda path=path: picture_size(path, "line 3")):
            with pytest.raises(DataError) as caught:
                read()
            assert caught.value.what == what
            assert caught.value.where in (path, "line 3")
            assert name in str(caught.value)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pictures.Image, "open", refuse)
    with pytest.raises(DataError, match=r"A picture may not be read\n  where: .*text\.png\n  do:    see to the rights"):
        FilePicture(tmp_path / "text.png").open()
