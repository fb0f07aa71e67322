"""Pictures are a function of the scene alone, down to the pixel, and show what the scene says."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backsight import stimuli
from backsight.errors import DataError, UsageError
from backsight.grid import Box
from backsight.stimuli.object_pictures import NAMES
from backsight.stimuli.render import render
from backsight.stimuli.scene import Figure, Scene

RGB = {
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "black": (0, 0, 0),
    "brown": (150, 75, 0),
    "gray": (128, 128, 128),
}

HASHES = """
import hashlib
from backsight import stimuli
for name in stimuli.SUITES:
    items = stimuli.build(name, seed=1)
    some = items[:: len(items) // 12]
    pixels = b"".join(e.image.tobytes() for e in some)
    print(name, items.fingerprint, hashlib.sha256(pixels).hexdigest())
"""


@pytest.mark.slow
def test_pixels_and_fingerprints_are_equal_in_another_process() -> None:
    here = {}
    for name in stimuli.SUITES:
        items = stimuli.build(name, seed=1)
        pixels = b"".join(e.image.tobytes() for e in items[:: len(items) // 12])
        here[name] = (items.fingerprint, hashlib.sha256(pixels).hexdigest())
    done = subprocess.run(
        [sys.executable, "-c", HASHES],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    there = {name: (print_, pixels) for name, print_, pixels in map(str.split, done.stdout.splitlines())}
    assert there == here


@pytest.mark.parametrize("suite", stimuli.SUITES)
def test_a_picture_is_equal_each_time_it_is_opened(suite: str) -> None:
    items = stimuli.build(suite)
    for example in items[:: len(items) // 8]:
        assert example.image.tobytes() == example.image.tobytes()
        assert example.image.size == example.picture.size and example.image.mode == "RGB"


def test_squares_fill_their_boxes_on_white_and_nothing_else() -> None:
    items = stimuli.squares()
    for example in items[::24]:
        expected = np.full((336, 336, 3), 255, np.uint8)
        for name, (left, top, right, bottom) in example.boxes.items():
            expected[int(top) : int(bottom), int(left) : int(right)] = RGB[name]
        assert (np.asarray(example.image) == expected).all()


def test_shapes_show_their_colour_in_the_middle_and_stay_in_their_boxes() -> None:
    for example in stimuli.shapes()[::24]:
        pixels = np.asarray(example.image).copy()
        for name, (left, top, right, bottom) in example.boxes.items():
            assert tuple(pixels[int(top + bottom) // 2, int(left + right) // 2]) == RGB[name]
            pixels[int(top) : int(bottom), int(left) : int(right)] = 255
        assert (pixels == 255).all()


def test_the_six_shapes_differ_in_outline() -> None:
    covered = {}
    for example in stimuli.shapes():
        pixels = np.asarray(example.image)
        for name, (left, top, right, bottom) in example.boxes.items():
            covered[name] = (pixels[int(top) : int(bottom), int(left) : int(right)] != 255).any(axis=2).tobytes()
    assert len(set(covered.values())) == 6


def test_the_eight_objects_differ_and_fill_most_of_their_boxes() -> None:
    drawn = {}
    for example in stimuli.objects()[::7]:
        pixels = np.asarray(example.image)
        for name, (left, top, right, bottom) in example.boxes.items():
            cut = pixels[int(top) : int(bottom), int(left) : int(right)]
            drawn[name] = cut.tobytes()
            rows, columns = np.nonzero((cut != 255).any(axis=2))
            assert max(np.ptp(rows), np.ptp(columns)) + 1 >= 0.85 * cut.shape[0]
    assert drawn.keys() == set(NAMES) and len(set(drawn.values())) == 8


def test_a_textured_ground_follows_its_seed_and_leaves_figures_alone() -> None:
    scene = Scene((96, 96), (Figure("red", "square", Box(16, 16, 48, 48), (255, 0, 0)),), texture=5)
    pixels = np.asarray(render(scene))
    assert (pixels[16:48, 16:48] == (255, 0, 0)).all()
    assert (pixels == np.asarray(render(scene))).all()
    other = np.asarray(render(replace(scene, texture=6)))
    assert (pixels[:16] != other[:16]).mean() > 0.5
    assert pixels[:16].std() > 5 and pixels[:16].mean() > 150  # a texture, and a light one


def test_shades_darken_and_lighten_an_object() -> None:
    def brightness(shade: float) -> float:
        scene = Scene((64, 64), (Figure("apple", "picture", Box(0, 0, 64, 64), shade=shade),))
        return float(np.asarray(render(scene)).mean())

    assert brightness(-0.2) < brightness(0.0) < brightness(0.2)


def test_equal_scenes_have_one_id_and_others_another() -> None:
    scene = Scene((96, 96), (Figure("red", "square", Box(16, 16, 48, 48), (255, 0, 0)),))
    assert scene.id == replace(scene).id
    changed = [replace(scene, size=(96, 97)), replace(scene, ground=(254, 255, 255)), replace(scene, texture=0)]
    for field, value in {"name": "x", "kind": "circle", "color": (254, 0, 0), "box": Box(16, 16, 48, 49)}.items():
        changed.append(scene.with_figures((replace(scene.figures[0], **{field: value}),)))  # type: ignore[arg-type]
    assert len({scene.id, *(other.id for other in changed)}) == 8


def own_pictures(folder: Path, *, ending: str = "png") -> dict[str, tuple[int, int, int]]:
    """A user's folder of objects: eight pictures of one colour each."""
    folder.mkdir()
    shades = {name: (20 * number, 200 - 20 * number, 90) for number, name in enumerate(NAMES)}
    for name, shade in shades.items():
        Image.new("RGB", (10, 10), shade).save(folder / f"{name}.{ending}")
    return shades


@pytest.mark.parametrize("ending", ["png", "webp"])
def test_a_users_own_pictures_are_shown(tmp_path: Path, ending: str) -> None:
    shades = own_pictures(tmp_path / "own", ending=ending)
    for example in stimuli.objects(assets=tmp_path / "own")[::96]:
        for name, box in example.boxes.items():
            x, y = box.center
            assert np.allclose(example.image.getpixel((int(x), int(y))), shades[name], atol=4)


def test_a_users_own_pictures_have_ids_of_their_own(tmp_path: Path) -> None:
    own_pictures(tmp_path / "one")
    own_pictures(tmp_path / "two")
    Image.new("RGB", (10, 10), (1, 2, 3)).save(tmp_path / "two" / "bomb.png")
    prints = [stimuli.objects(assets=a).fingerprint for a in (None, tmp_path / "one", tmp_path / "two")]
    assert len(set(prints)) == 3
    own_pictures(tmp_path / "three")
    (tmp_path / "three" / "notes.txt").write_text("from the attic")
    assert stimuli.objects(assets=tmp_path / "three").fingerprint == prints[1]


def test_a_missing_picture_of_a_user_is_named_before_anything_is_asked(tmp_path: Path) -> None:
    own_pictures(tmp_path / "own")
    (tmp_path / "own" / "key.png").unlink()
    with pytest.raises(
        DataError, match=r"An object picture is missing\n  where: .*/own/key\.png\n  do:    put one picture"
    ):
        stimuli.objects(assets=tmp_path / "own")
    with pytest.raises(DataError, match=r"An object picture is missing\n  where: .*/nowhere/orange\.png"):
        stimuli.objects(assets=tmp_path / "nowhere")


def test_a_broken_picture_of_a_user_is_named(tmp_path: Path) -> None:
    own_pictures(tmp_path / "own")
    (tmp_path / "own" / "orange.png").write_text("no picture")
    example = stimuli.objects(assets=tmp_path / "own")[0]
    assert "orange" in example.boxes
    with pytest.raises(DataError, match=r"An object picture cannot be read\n  where: .*/own/orange\.png"):
        _ = example.image


def test_only_objects_take_pictures(tmp_path: Path) -> None:
    from backsight.stimuli.layouts import PRESETS
    from backsight.stimuli.rows import exact

    with pytest.raises(UsageError, match="Only the objects suite takes a folder of pictures\n  got:   squares"):
        exact("squares", PRESETS["qwen2-vl"], assets=tmp_path)
