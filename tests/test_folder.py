"""The image folder: what is written comes back, Hugging Face loads it too, and every mistake is named."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFont

from backsight.datasets import contact_sheet, folder
from backsight.errors import BacksightError, DataError, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.grid import Box

SIZE = (40, 30)


def picture(seed: int, size: tuple[int, int] = SIZE) -> MemoryPicture:
    pixels = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    return MemoryPicture(Image.fromarray(pixels))


def some(count: int = 6) -> ExampleSet:
    """Two questions a picture; the odd ones have nothing but what every example has."""
    items = []
    for number in range(count):
        plain = Example(f"e{number}", picture(number // 2), f"Where? {number}", ("left", "right"), "left", suite="toy")
        full = replace(
            plain,
            direction="left",
            subject="cup",
            reference="red ball",
            boxes={"cup": Box(1, 2.5, 10, 12), "red ball": Box(20, 0, 40, 30)},
            system="Answer in one word.",
            tags={"prompt": "A", "ground": "plain"},
        )
        items.append(plain if number % 2 else full)
    return ExampleSet("toy", tuple(items))


def by_hand(root: Path, *lines: dict[str, Any] | str, size: tuple[int, int] = SIZE) -> Path:
    """A folder as a user writes it; each mapping is laid over a line that is right."""
    root.mkdir(exist_ok=True)
    picture(0, size).open().save(root / "a.png")
    right = {"file_name": "a.png", "question": "Where?", "options": ["left", "right"], "answer": "left"}
    texts = [line if isinstance(line, str) else json.dumps({**right, **line}) for line in lines]
    (root / "metadata.jsonl").write_text("\n".join(texts) + "\n", encoding="utf-8")
    return root


def message(root: Path) -> str:
    with pytest.raises(DataError) as caught:
        folder.load(root)
    return str(caught.value)


# Round trip


def same(one: ExampleSet, two: ExampleSet) -> None:
    assert one.name == two.name and len(one) == len(two)
    for a, b in zip(one, two, strict=True):
        assert replace(a, picture=b.picture) == b
        assert a.image.tobytes() == b.image.tobytes() and a.image.size == b.image.size


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    examples = some()
    assert folder.write(examples, tmp_path / "new" / "out") == tmp_path / "new" / "out"
    loaded = folder.load(tmp_path / "new" / "out")
    same(examples, loaded)
    assert loaded.scoring == "auto"
    # A second trip changes nothing at all, pictures' ids included.
    folder.write(loaded, tmp_path / "again")
    assert folder.load(tmp_path / "again").fingerprint == loaded.fingerprint


def test_what_lies_in_the_folder(tmp_path: Path) -> None:
    out = folder.write(some(), tmp_path / "out")
    assert sorted(p.name for p in out.iterdir()) == ["contact_sheet.png", "images", "metadata.jsonl"]
    assert sorted(p.stem for p in (out / "images").iterdir()) == sorted(picture(n).id for n in range(3))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    first, second = map(json.loads, (out / "metadata.jsonl").read_text().splitlines()[:2])
    assert first == {
        "file_name": f"images/{picture(0).id}.png",
        "id": "e0",
        "question": "Where? 0",
        "options": ["left", "right"],
        "answer": "left",
        "suite": "toy",
        "direction": "left",
        "subject": "cup",
        "reference": "red ball",
        "system": "Answer in one word.",
        "boxes": [
            {"name": "cup", "left": 1.0, "top": 2.5, "right": 10.0, "bottom": 12.0},
            {"name": "red ball", "left": 20.0, "top": 0.0, "right": 40.0, "bottom": 30.0},
        ],
        "tags": [{"key": "prompt", "value": "A"}, {"key": "ground", "value": "plain"}],
    }
    assert second["boxes"] == [] and second["system"] is None and second.keys() == first.keys()


def test_columns_that_are_empty_everywhere_are_not_written(tmp_path: Path) -> None:
    out = folder.write(some().where(lambda e: e.system is None), tmp_path / "out")
    line = json.loads((out / "metadata.jsonl").read_text().splitlines()[0])
    assert list(line) == ["file_name", "id", "question", "options", "answer", "suite"]


def test_the_name_of_the_set_is_kept_where_the_suites_differ_from_it(tmp_path: Path) -> None:
    examples = replace(some(), name="mine")
    same(examples, folder.load(folder.write(examples, tmp_path / "out")))


def test_an_empty_folder_is_taken_and_an_id_that_is_no_file_name_is_hashed(tmp_path: Path) -> None:
    class Odd(MemoryPicture):
        id = "../odd/id"  # type: ignore[assignment]

    (tmp_path / "out").mkdir()
    examples = ExampleSet("toy", (replace(some(1)[0], picture=Odd(picture(5).open())),))
    same(examples, folder.load(folder.write(examples, tmp_path / "out")))
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


@settings(max_examples=25, deadline=None)
@given(question=st.text(st.characters(codec="utf-8"), min_size=1), sides=st.tuples(*[st.floats(0, 15)] * 2))
def test_any_text_and_any_box_come_back(
    tmp_path_factory: pytest.TempPathFactory, question: str, sides: tuple[float, float]
) -> None:
    box = Box(sides[0], sides[1], sides[0] + 12.3, sides[1] + 0.1)
    example = replace(some(1)[0], question=question, boxes={"cup": box})
    examples = ExampleSet("toy", (example,))
    same(examples, folder.load(folder.write(examples, tmp_path_factory.mktemp("any") / "out")))


def test_hugging_face_loads_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    examples = some()
    out = folder.write(examples, tmp_path / "out")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == len(examples)
    for row, example in zip(loaded, examples, strict=True):
        assert row["image"].convert("RGB").tobytes() == example.image.tobytes()
        assert (row["id"], row["question"], tuple(row["options"])) == (
            example.id,
            example.question,
            example.options,
        )
        assert (row["answer"], row["direction"], row["system"]) == (
            example.answer,
            example.direction,
            example.system,
        )
        boxes = {b["name"]: Box(b["left"], b["top"], b["right"], b["bottom"]) for b in row["boxes"]}
        assert boxes == dict(example.boxes)
        assert {tag["key"]: tag["value"] for tag in row["tags"]} == dict(example.tags)


def test_hugging_face_loads_a_folder_whose_first_lines_have_no_boxes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    items = tuple(sorted(some(), key=lambda e: len(e.boxes)))
    out = folder.write(ExampleSet("toy", items), tmp_path / "out")
    loaded = datasets.load_dataset("imagefolder", data_dir=str(out), split="train", cache_dir=str(tmp_path / "cache"))
    assert [len(row["boxes"]) for row in loaded] == [0, 0, 0, 2, 2, 2]


# A folder made by hand


def test_four_columns_are_enough(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "mine", {}, "", {"answer": "right", "colour": "not ours"})
    examples = folder.load(root)
    assert examples.name == "mine" and [e.answer for e in examples] == ["left", "right"]
    first = examples[0]
    assert (first.id, first.suite, first.direction, dict(first.boxes), first.system) == (
        "row-1",
        "mine",
        None,
        {},
        None,
    )
    assert first.picture is examples[1].picture and first.image.size == SIZE


def test_a_byte_order_mark_and_windows_lines_are_read(tmp_path: Path) -> None:
    path = by_hand(tmp_path / "mine", {}, {}) / "metadata.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert len(folder.load(path.parent)) == 2


BOX = {"name": "cup", "left": 1, "top": 2, "right": 10, "bottom": 12}


@pytest.mark.parametrize(
    ("line", "what", "got"),
    [
        ("{oops", "A line is not JSON", "Expecting property name"),
        ("[1]", "A line is not a JSON object", "[1]"),
        ('{"question": "Where?"}', "The column 'file_name' is missing", "the columns question"),
        ('{"file_name": "a.png", "question": "?"}', "The column 'options' is missing", "file_name, question"),
        (
            '{"file_name": "a.png", "options": ["a", "b"]}',
            "The column 'answer' is missing",
            "file_name, options",
        ),
        ({"question": 3}, "The column 'question' holds no text", "3"),
        ({"id": 7}, "The column 'id' holds no text", "7"),
        ({"direction": ["left"]}, "The column 'direction' holds no text", "['left']"),
        ({"file_name": "b.png"}, "A picture is missing", "b.png"),
        ({"file_name": "../a.png"}, "A file name leaves the folder", "'../a.png'"),
        ({"file_name": "/etc/passwd"}, "A file name leaves the folder", "'/etc/passwd'"),
        ({"file_name": "..\\a.png"}, "A file name leaves the folder", "a.png"),
        ({"file_name": "C:\\a.png"}, "A file name leaves the folder", "a.png"),
        ({"file_name": "a\0.png"}, "A file name leaves the folder", "a\\x00.png"),
        ({"options": "left"}, "The options are not a list of at least two distinct texts", "'left'"),
        ({"options": ["left"]}, "The options are not a list of at least two distinct texts", "['left']"),
        ({"options": ["left", "left"]}, "The options are not a list", "['left', 'left']"),
        ({"options": ["left", 2]}, "The options are not a list", "['left', 2]"),
        ({"answer": "up"}, "The answer is not among the options", "'up' of ['left', 'right']"),
        ({"answer": 1}, "The column 'answer' holds no text", "1"),
        ({"boxes": {"cup": [1, 2, 3, 4]}}, "The column 'boxes' is not a list of entries", "{'cup'"),
        ({"boxes": [{"name": "cup"}]}, "The column 'boxes' is not a list of entries", "[{'name': 'cup'}]"),
        ({"boxes": [BOX, BOX]}, "A box has no name of its own", "'cup'"),
        ({"boxes": [{**BOX, "left": "1"}]}, "The sides of the box 'cup' are not numbers", "['1', 2, 10, 12]"),
        ({"boxes": [{**BOX, "left": float("nan")}]}, "The sides of the box 'cup' are not numbers", "nan"),
        ({"boxes": [{**BOX, "right": 1}]}, "A box has no area", "'cup': left 1, top 2, right 1, bottom 12"),
        ({"boxes": [{**BOX, "top": 13}]}, "A box has no area", "the picture is 40 x 30 px"),
        ({"boxes": [{**BOX, "right": 41}]}, "A box lies outside of its picture", "the picture is 40 x 30 px"),
        ({"boxes": [{**BOX, "left": -1}]}, "A box lies outside of its picture", "left -1"),
        ({"tags": "A"}, "The column 'tags' is not a list of entries", "'A'"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: dict[str, Any] | str, what: str, got: str) -> None:
    root = by_hand(tmp_path / "mine", {}, line)
    first, where, third, do = message(root).split("\n", 3)
    assert first.startswith(what)
    assert where == f"  where: {root / 'metadata.jsonl'}, line 2"
    assert third.startswith("  got:   ") and got in third
    assert do.startswith("  do:    ")


def test_an_id_that_occurs_twice_is_named_with_both_lines(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "mine", {"id": "x"}, {"id": "y"}, {"id": "x"})
    path = root / "metadata.jsonl"
    assert message(root) == (
        f"An id occurs twice\n  where: {path}, line 3\n  got:   'x', first at {path}, line 1\n"
        "  do:    give each its own id"
    )


def test_no_folder_no_file_no_lines_no_text(tmp_path: Path) -> None:
    assert message(tmp_path / "none").startswith(
        f"There is no such folder\n  where: {tmp_path / 'none'}\n  do:    name"
    )
    (tmp_path / "photos").mkdir()
    text = message(tmp_path)
    assert text.startswith(
        f"The folder has no metadata.jsonl\n  where: {tmp_path}\n  got:   photos\n  do:    write one"
    )
    root = by_hand(tmp_path / "mine", "")
    assert message(root).startswith("The file has no lines")
    (root / "metadata.jsonl").write_bytes(b'{"question": "\xff"}')
    assert message(root).startswith(
        f"The file is not text in UTF-8\n  where: {root / 'metadata.jsonl'}\n  got:   'utf-8'"
    )


@pytest.mark.parametrize("ending", ["png", "jpg"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.9])
def test_a_picture_that_is_cut_short_is_found_at_load(tmp_path: Path, ending: str, share: float) -> None:
    root = by_hand(tmp_path / "mine", {"file_name": f"b.{ending}"})
    path = root / f"b.{ending}"
    picture(0, (400, 300)).open().save(path)
    assert len(folder.load(root)) == 1
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    text = message(root)
    assert text.startswith(f"A picture cannot be read\n  where: {root / 'metadata.jsonl'}, line 1\n  got:   {path}: ")
    assert text.endswith("do:    replace the file; PNG and JPEG are read")


# Places that cannot be written to


def failure(kind: type[BacksightError], examples: ExampleSet, out: Path) -> str:
    with pytest.raises(kind) as caught:
        folder.write(examples, out)
    assert type(caught.value) is kind
    return str(caught.value)


def test_a_taken_place_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("mine")
    assert failure(UsageError, some(), tmp_path) == (
        f"The place to write to is taken\n  where: {tmp_path}\n  got:   a folder with something in it\n"
        "  do:    name a new folder, or an empty one"
    )
    assert "got:   a file" in failure(UsageError, some(), tmp_path / "note.txt")
    assert failure(UsageError, some(), tmp_path / "note.txt" / "out").startswith("The folder cannot be made here")
    assert [p.name for p in tmp_path.iterdir()] == ["note.txt"] and (tmp_path / "note.txt").read_text() == "mine"


def test_a_forbidden_place_is_a_usage_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert failure(UsageError, some(), tmp_path / "out") == (
        f"The folder cannot be made here\n  where: {tmp_path / 'out'}\n  got:   Permission denied\n"
        "  do:    name a place that you may write to and that has room"
    )


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full)
        assert failure(DataError, some(), tmp_path / "out") == (
            f"Writing the folder failed; nothing of it is left\n  where: {tmp_path / 'out'}\n"
            "  got:   No space left on device\n  do:    make room on the disk, or name another place"
        )
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setattr(Path, "mkdir", full)
    assert "No space left" in failure(DataError, some(), tmp_path / "out")


def test_an_interrupted_write_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(contact_sheet, "draw", interrupt)
    with pytest.raises(KeyboardInterrupt):
        folder.write(some(), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_load_would_refuse_is_not_written(tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert failure(DataError, ExampleSet("toy", ()), out).startswith("There are no examples to write")
    first = some()[0]
    outside = replace(first, boxes={"cup": Box(0, 0, 41, 30)})
    assert "where: example e0" in failure(DataError, ExampleSet("toy", (outside,)), out)
    open_ended = replace(first, options=())
    assert failure(DataError, ExampleSet("toy", (open_ended,)), out).startswith("The options are not a list")
    assert list(tmp_path.iterdir()) == []


# The contact sheet


def test_the_contact_sheet_shows_24_examples_at_most() -> None:
    tile = contact_sheet.PICTURE[0] + contact_sheet.MARGIN
    assert contact_sheet.draw(some(1)).width == tile + contact_sheet.MARGIN
    six, many = contact_sheet.draw(some(6)), contact_sheet.draw(some(60))
    assert six.width == many.width == 4 * tile + contact_sheet.MARGIN
    rows = (many.height - contact_sheet.MARGIN) / (six.height - contact_sheet.MARGIN)
    assert rows == 3  # six rows of four against two


def test_the_contact_sheet_shows_the_pictures_whole() -> None:
    red = MemoryPicture(Image.new("RGB", (60, 20), (255, 0, 0)))
    sheet = contact_sheet.draw(ExampleSet("toy", (replace(some(1)[0], picture=red),)))
    pixels = np.asarray(sheet)
    assert ((pixels == (255, 0, 0)).all(axis=2)).sum() == 300 * 100


def test_text_is_wrapped_by_its_width_and_long_words_are_broken() -> None:
    font = ImageFont.load_default(size=contact_sheet.FONT_SIZE)
    lines = contact_sheet.wrap("where is the cup relative to the ball " + "m" * 40, font, 120)
    assert all(font.getlength(line) <= 120 for line in lines)
    assert "".join(lines).replace(" ", "") == "whereisthecuprelativetotheball" + "m" * 40
    longest = contact_sheet.wrap("word " * 500, font, 120)
    assert len(longest) == contact_sheet.MOST_LINES and longest[-1].endswith("...")
    assert font.getlength(longest[-1]) <= 120


def test_the_package_needs_neither_torch_nor_transformers() -> None:
    code = "import sys, backsight.datasets; print(sorted({'torch', 'transformers'} & sys.modules.keys()))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


# Pictures that are converted


def test_a_turned_photograph_is_read_as_it_is_shown(tmp_path: Path) -> None:
    """A file of 40 x 30 pixels that says a quarter turn: boxes are of the 30 x 40 that a viewer shows."""
    box = {"name": "cup", "left": 0, "top": 30, "right": 30, "bottom": 40}
    root = by_hand(tmp_path / "mine", {"boxes": [box]}, {"boxes": [box]})
    exif = Image.Exif()
    exif[0x0112] = 6
    picture(0, (40, 30)).open().save(root / "a.png", exif=exif)
    examples = folder.load(root)
    assert examples[0].picture.size == examples[0].image.size == (30, 40)
    assert examples.note == "1 of 1 pictures is turned as the EXIF orientation says."
    again = folder.load(folder.write(examples, tmp_path / "out"))
    assert again[0].image.tobytes() == examples[0].image.tobytes() and again.note == ""
    box |= {"right": 40, "bottom": 30, "top": 0}
    assert "the picture is 30 x 40 px" in message(by_hand_turned(root, box))


def by_hand_turned(root: Path, box: dict[str, Any]) -> Path:
    line = {"file_name": "a.png", "question": "?", "options": ["a", "b"], "answer": "a", "boxes": [box]}
    (root / "metadata.jsonl").write_text(json.dumps(line))
    return root


def test_what_stands_where_a_picture_should_is_told_apart(tmp_path: Path) -> None:
    root = by_hand(tmp_path / "mine", {})
    (root / "a.png").unlink()
    assert message(root).startswith("A picture is missing\n")
    (root / "a.png").mkdir()
    assert message(root).startswith("A folder stands where a picture should\n")
    (root / "a.png").rmdir()
    (root / "a.png").write_text("no picture")
    assert message(root).startswith("A picture cannot be read\n")
