"""Wrong input: what went wrong, where, what was got, what to do; the right exit code; nothing half written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from backsight.errors import EXIT_CODES, BacksightError, FolderError, Interrupted, StudyError, UsageError
from tests.conftest import Command, no_space


def photos(folder: Path, box: list[float] | None) -> Path:
    """A COCO folder of one picture with one box, or a file without boxes."""
    (folder / "annotations").mkdir(parents=True)
    (folder / "val2017").mkdir()
    Image.new("RGB", (64, 48)).save(folder / "val2017" / "1.jpg")
    data: dict[str, Any] = {"images": [{"id": 1, "file_name": "1.jpg", "width": 64, "height": 48}],
                            "categories": [{"id": 1, "name": "cat"}]}  # fmt: skip
    if box is not None:
        area = box[2] * box[3]
        data["annotations"] = [{"id": 1, "image_id": 1, "category_id": 1, "bbox": box, "area": area, "iscrowd": 0}]
    (folder / "annotations" / "instances_val2017.json").write_text(json.dumps(data))
    return folder


def questions(folder: Path, **changes: Any) -> Path:
    """A folder of one question; a change of None takes a column away."""
    folder.mkdir()
    Image.new("RGB", (168, 168), "red").save(folder / "1.png")
    line = {"file_name": "1.png", "question": "Where?", "options": ["left", "right"], "answer": "left"} | changes
    (folder / "metadata.jsonl").write_text(json.dumps({k: v for k, v in line.items() if v is not None}) + "\n")
    return folder


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (lambda p: ("--photos", photos(p / "in", None)), ("instances_val2017.json", "annotations")),
        (lambda p: ("--photos", photos(p / "in", [60, 40, 20, 20])), ("box", "outside", "64 x 48")),
        (lambda p: ("--data", questions(p / "in", file_name="2.png")), ("A picture is missing", "line 1", "2.png")),
        (lambda p: ("--data", questions(p / "in", answer=None)), ("The column 'answer' is missing", "line 1", "add")),
        (lambda p: ("--data", broken(questions(p / "in"))), ("A picture cannot be read", "line 1", "1.png", "PNG")),
    ],
    ids=["no boxes", "box outside", "picture", "column", "unreadable"],
)
def test_data_that_cannot_be_used(
    command: Command, tmp_path: Path, tiny_checkpoint: Path,
    made: Callable[[Path], tuple[object, ...]], said: tuple[str, ...],
) -> None:  # fmt: skip
    code, out, err = command("study", tiny_checkpoint, "--out", tmp_path / "out", *made(tmp_path))
    assert (code, out) == (3, "")
    assert err.startswith("backsight: ") and all(words in err for words in said), err
    assert "  where: " in err and "  do: " in err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("option", ["--data", "--photos"])
def test_a_folder_of_data_that_is_not_there(command: Command, tmp_path: Path, option: str) -> None:
    code, _, err = command("study", "--out", tmp_path / "out", option, tmp_path / "none")
    assert code == 2
    assert f"backsight: There is no such folder\n  where: {tmp_path / 'none'}\n  do:    give a folder" in err


def broken(folder: Path) -> Path:
    data = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(data[:40])
    return folder


def test_output_folders_that_cannot_be_used(
    command: Command, tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, full = tmp_path / "file", tmp_path / "full"
    file.write_text("mine")
    full.mkdir()
    (full / "letters.txt").write_text("mine")
    for out, expected, said in (
        (file, 2, "The output folder is a file"),
        (file / "below", 3, "Cannot write the output folder"),
        (full, 2, "The output folder is not empty and holds no study\n"),
        (Path("/proc/no-such/out"), 3, "Cannot write the output folder"),
    ):
        code, _, err = command("study", tiny_checkpoint, "--out", out, "--only", "behaviour/squares", "--limit", 4)
        assert code == expected and said in err and f"where: {out.parent}" in err and "--out" in err, err
    assert file.read_text() == "mine" and [p.name for p in full.iterdir()] == ["letters.txt"]
    assert "got:   letters.txt" in command("study", tiny_checkpoint, "--out", full).err


@pytest.mark.parametrize(
    ("place", "what"),
    [
        ("pyarrow.parquet.write_table", "Cannot write the table behaviour.squares"),
        ("PIL.Image.Image.save", "Cannot write the sample pictures"),
        ("matplotlib.figure.Figure.savefig", "Cannot write the report"),
    ],
)
def test_a_full_disk(
    command: Command, tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, place: str, what: str
) -> None:
    """It is said, nothing is half written, and with room again the same command goes on."""
    out = tmp_path / "out"
    arguments = ("study", tiny_checkpoint, "--out", out, "--only", "behaviour/squares", "--limit", 12)
    with monkeypatch.context() as patched:
        patched.setattr(place, no_space)
        code, _, err = command(*arguments)
    assert code == 3
    assert f"backsight: {what}\n  where: /full/disk\n  got:   No space left on device\n  do:    " in err, err
    assert not [p for p in out.rglob("*") if p.name.endswith(".part")]
    assert not (out / "report.html").exists()
    assert command(*arguments).code == 0
    assert (out / "report.html").is_file()


def test_a_full_disk_while_a_job_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backsight.studies.store import Chunk, Store

    store = Store(tmp_path / "out", {"model": "m"})
    monkeypatch.setattr(Path, "write_text", no_space)
    with pytest.raises(StudyError) as caught:
        store.add_chunk("job", "key", Chunk(0, 1, [], 0.0, 0.0))
    assert caught.value.what == "Cannot write a part of job job"
    assert "the same command goes on" in (caught.value.do or "")
    assert store.chunks("job", "key") == []


def test_memory_that_does_not_suffice(
    command: Command, tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backsight.measurements import Behaviour

    def rows(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.\nmore")

    monkeypatch.setattr(Behaviour, "rows", rows)
    code, _, err = command("study", tiny_checkpoint, "--out", tmp_path / "out", "--only", "behaviour/squares",
                           "--limit", 4)  # fmt: skip
    assert code == 3
    assert "The memory of the device does not hold a batch of this job" in err
    assert "where: behaviour/squares, 16 samples a batch, cpu" in err and "got:   CUDA out of memory.\n" in err


def test_every_error_has_an_exit_code_and_one_text() -> None:
    error = BacksightError("What", where="here", got=3, do="that")
    assert str(error) == "What\n  where: here\n  got:   3\n  do:    that"
    assert (error.exit_code, UsageError("x").exit_code, str(UsageError("x"))) == (3, 2, "x")
    assert (FolderError("x").exit_code, Interrupted("x").exit_code) == (2, 130)
    assert {error.exit_code, 2, 130} < EXIT_CODES.keys()
