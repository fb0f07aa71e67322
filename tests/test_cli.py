"""The command line: what it writes, how it leaves, how it is stopped and goes on."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backsight import __version__
from backsight.cli.names import MEASUREMENT_NAMES, SET_NAMES
from backsight.errors import EXIT_CODES
from backsight.measurements import Behaviour
from backsight.studies import default_sets
from backsight.studies.defaults import MEASUREMENTS
from backsight.studies.jobs import kind_of
from backsight.tables import Table
from tests.conftest import Command

FEW = ("--only", "behaviour/squares", "--limit", 34)  # three batches of sixteen


def tables(folder: Path) -> dict[str, bytes]:
    """The tables of a study, byte by byte."""
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


@pytest.fixture(scope="module")
def whole(tiny_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study made by the command of its own, in a process of its own."""
    out = tmp_path_factory.mktemp("whole") / "out"
    arguments = [
        sys.executable,
        "-c",
        "from backsight.cli import main; main()",
        "study",
        tiny_checkpoint,
        "--out",
        out,
        *FEW,
    ]
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{out.resolve()}/report.html\n"
    said = " ".join(done.stderr.split())
    assert "behaviour/squares │ 34 │" in said
    assert re.search(r"left to run: (at most )?\d+ forward equivalents, about \d+ s; memory about \d+ MiB", said)
    return out


def test_a_study_leaves_report_tables_figures_and_record(whole: Path, tiny_checkpoint: Path) -> None:
    assert {p.name for p in whole.iterdir()} == {"figures", "jobs", "report.html", "samples", "study.json", "tables"}
    assert tables(whole).keys() == {
        f"{name}.{kind}"
        for name in ("behaviour.squares", "behaviour_summary", "behaviour_axes", "position_budget")
        for kind in ("csv", "parquet")
    }
    assert list((whole / "figures").glob("*.svg"))
    record = json.loads((whole / "study.json").read_text())
    assert record["command"].startswith(f"backsight study {tiny_checkpoint} --out {whole}")
    assert record["backsight"] == __version__ and record["options"]["limit"] == 34
    assert [p for p in whole.rglob("*") if p.name.endswith(".part")] == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_study_that_is_stopped_goes_on_with_the_same_command(
    command: Command, whole: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    out, rows, calls = tmp_path / "out", Behaviour.rows, []
    # A shell that runs the tests in the background has Ctrl-C ignored; a user's terminal has not.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def stopped(self: Behaviour, vlm: Any, samples: Sequence[Any]) -> Any:
        calls.append(len(samples))
        if len(calls) == 2:
            os.kill(os.getpid(), number)
        return rows(self, vlm, samples)

    monkeypatch.setattr(Behaviour, "rows", stopped)
    code, printed, err = command("study", tiny_checkpoint, "--out", out, *FEW)
    assert (code, printed) == (130, "")
    assert "Stopped. What is finished is kept; the same command goes on from here." in err
    assert not (out / "report.html").exists() and not (out / "tables").exists()
    assert command("report", out).code == 3
    code, printed, _ = command("study", tiny_checkpoint, "--out", out, *FEW)
    assert (code, printed) == (0, f"{out.resolve()}/report.html\n")
    assert calls == [16, 16, 16, 2]  # the batch that was finished is not run again
    assert tables(out) == tables(whole)


@pytest.mark.slow
def test_a_study_that_is_killed_goes_on_with_the_same_command(
    command: Command, whole: Path, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code = """
import os, signal
from backsight import cli
from backsight.studies import executors
executors.CHUNK_SECONDS = 0.0
replace = os.replace
def killing(part, target):
    if target.name == "000001-000002.json":  # the second chunk
        os.kill(os.getpid(), signal.SIGKILL)
    replace(part, target)
os.replace = killing
cli.main()
"""
    arguments = [sys.executable, "-c", code, "study", tiny_checkpoint, "--out", out, *FEW]
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(list((out / "jobs").glob("*.part/*.json"))) == 1
    assert command("study", tiny_checkpoint, "--out", out, *FEW).code == 0
    assert tables(out) == tables(whole)


def test_a_finished_study_is_reported_again_without_a_run(
    command: Command, whole: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tables(whole)
    monkeypatch.setattr(Behaviour, "rows", None)
    code, _, err = command("study", tiny_checkpoint, "--out", whole, *FEW)
    assert code == 0 and "left to run: 0 forward equivalents, about 0 s" in err
    page = (whole / "report.html").read_text()
    (whole / "report.html").unlink()
    code, out, _ = command("report", whole)
    assert (code, out) == (0, f"{whole.resolve()}/report.html\n")
    assert (whole / "report.html").read_text() == page
    assert tables(whole) == before


def test_a_folder_of_another_study_is_refused(command: Command, whole: Path, tiny_checkpoint: Path) -> None:
    before = tables(whole)
    code, out, err = command("study", tiny_checkpoint, "--out", whole, *FEW, "--seed", 3)
    assert (code, out) == (2, "")
    assert f"The folder belongs to another study\n  where: {whole}\n  got:   seed 0, now 3\n  do:    give an" in err
    assert tables(whole) == before


def test_questions_of_ones_own(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Options of several tokens are sequences; the set is named as its folder, whatever that is called."""
    data = tmp_path / "my [set] of.questions"
    data.mkdir()
    for n in range(2):
        Image.new("RGBA", (168, 168), (255 * n, 0, 0, 255 - n)).save(data / f"{n}.png")
    options = ["to the left of it", "under the bowl"]
    lines = [{"file_name": f"{n}.png", "question": "Where?", "options": options, "answer": options[n]}
             for n in range(2)]  # fmt: skip
    (data / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    out = tmp_path / "out"
    code, _, err = command("study", tiny_checkpoint, "--out", out, "--data", data, "--only", data.name)
    assert code == 0, err
    (path,) = (out / "tables").glob("behaviour.my*.parquet")
    rows = [r for r in Table.read(path).rows() if r["condition"] == "picture"]
    assert [(r["scoring"], r["answer"], r["options"]) for r in rows] == [("sequence", o, 2) for o in options]
    assert {r["suite"] for r in rows} == {data.name}
    note = "1 of 2 pictures is shown on white where transparent."
    assert f"my [set] of.questions: {note}" in err and note in (out / "report.html").read_text()


def test_what_a_model_cannot_be_asked_is_said_and_listed(
    command: Command, colourless_checkpoint: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    arguments = ("--only", "behaviour", "--limit", 2)
    code, _, err = command("study", colourless_checkpoint, "--out", tmp_path / "words", *arguments)
    assert code == 0
    assert "skipped: squares (behaviour): The tokenizer has no single token for some options: red" in err
    record = json.loads((tmp_path / "words" / "study.json").read_text())
    asked_by_color = {"squares", "shapes", "jittered_squares", "jittered_shapes", "degraded_squares"}
    assert {s["set"] for s in record["skipped"]} == asked_by_color
    others = {"objects", "pairs", "pairs_textured", "jittered_objects", "tabletop_a", "tabletop_b"}
    assert {j["set"] for j in record["jobs"]} == others
    assert "no single token" in (tmp_path / "words" / "report.html").read_text()
    code, _, err = command("study", tiny_gemma, "--out", tmp_path / "grid", "--only", "squares", "--limit", 2)
    assert code == 3
    assert "Nothing of this study can be run on the model" in err and "squares (all): " in err
    assert not (tmp_path / "grid").exists()


EXPLAIN = ("explain", "builtin:plain", "no-such.png",
           "--subject", "a", "1", "1", "9", "9", "--reference", "b", "20", "1", "9", "9")  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("study", "builtin:no-such"), ("There is no built-in model of this name", "got:   builtin:no-such")),
        (("study", "./no-such"), ("There is no such checkpoint folder", "where: './no-such'")),
        (("study", "nobody/no-such"), ("The model cannot be found", "where: nobody/no-such", "cannot be reached")),
        (("study", "--limit", "0"), ("--limit",)),
        (("study", "--limit", "many"), ("--limit",)),
        (("study", "--no-such"), ("--no-such",)),
        (("no-such",), ("no-such",)),
        (("stimuli", "no-such", "--out", "OUT"), ("There is no suite of this name", "choose from: squares")),
        (("stimuli", "squares", "--layout", "x", "--out", "OUT"), ("There is no such layout", "qwen2-vl")),
        (("stimuli", "squares", "--objects", ".", "--out", "OUT"), ("Only the suite objects takes pictures",)),
        (
            ("stimuli", "objects", "--objects", "./no-such", "--out", "OUT"),
            ("There is no such folder", "eight object"),
        ),
        (("train", "no-such", "--out", "OUT"), ("There is no such recipe", "choose from: plain")),
        (("train", "plain", "--out", "."), ("is there already", "give a new one as --out")),
        (("study", "--seed", "-1"), ("--seed",)),
        (("study", "--vsr-split", "random/dev"), ("--vsr-split goes with --vsr", "got:   random/dev")),
        (("stimuli", "squares", "--seed", "-1", "--out", "OUT"), ("--seed",)),
        (("train", "plain", "--seed", "-1", "--out", "OUT"), ("--seed",)),
        (("train", "plain", "--seed", "4294967296", "--out", "OUT"), ("--seed",)),
        (("data", "coco-pairs", "no-such"), ("There is no such folder", "where: no-such", "in COCO's form")),
        (("data", "whatsup", "no-such"), ("There is no such folder", "where: no-such", "What'sUp's published form")),
        (("data", "vsr", "no-such"), ("There is no such folder", "where: no-such", "VSR's annotations")),
        (("data", "vsr", ".", "--photos", "no-such"), ("There is no such folder", "where: no-such")),
        (("report", "no-such"), ("There is no such folder", "where: no-such")),
        (EXPLAIN, ("There is no such file", "where: no-such.png")),
        (("doctor", "./no-such"), ("There is no such checkpoint folder",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else None,
)
def test_wrong_usage_leaves_with_2(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = command(*arguments)
    assert (code, out) == (2, "")
    assert all(words in err for words in said), err
    assert list(tmp_path.iterdir()) == []


def test_options_that_the_checkpoint_refuses_leave_with_2(
    command: Command, tiny_checkpoint: Path, tiny_gemma: Path, tmp_path: Path
) -> None:
    out = ("--out", tmp_path / "out")
    for arguments, said in (
        ((tiny_checkpoint, "--dtype", "int4"), "choose from: float32, bfloat16, float16"),
        ((tiny_checkpoint, "--device", "nonsense"), "There is no such device on this machine"),
        ((tiny_gemma, "--max-pixels", 50_000), "This family takes pictures of one size only"),
        ((tiny_checkpoint, "--only", "circles"), "--only names nothing that this study has"),
    ):
        code, _, err = command("study", *arguments, *out)
        assert code == 2 and said in err
    assert not (tmp_path / "out").exists()


def test_a_report_of_what_is_no_study(command: Command, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        code, _, err = command("report", folder)
        assert code == 2
        assert (f"no study here\n  where: {folder}/study.json" in err) == folder.exists()
        assert (f"no such folder\n  where: {folder}\n" in err) != folder.exists()
    (tmp_path / "jobs").mkdir()
    code, _, err = command("report", tmp_path)
    assert code == 3 and "The study is not finished" in err and "run the command of the study again" in err
    (tmp_path / "study.json").write_text("{")
    assert "A study's record cannot be read" in command("report", tmp_path).err
    file = tmp_path / "file"
    file.write_text("")
    code, _, err = command("report", file)
    assert code == 2 and f"This is a file, not a folder\n  where: {file}" in err


def test_stopping_before_a_run_is_told_in_a_word(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    from backsight.models import opening

    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(opening, "load", stopped)
    assert command("doctor") == (130, "", "backsight: stopped\n")


def test_a_refused_read_or_write_anywhere_is_told(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import backsight.datasets.coco_pairs as pairs

    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/closed")

    monkeypatch.setattr(pairs, "audit", refused)
    code, out, err = command("data", "coco-pairs", tmp_path)
    assert (code, out) == (3, "")
    assert err == (
        "backsight: A file cannot be read or written\n  where: /closed\n  got:   Permission denied\n"
        "  do:    make room on the disk, or see to the rights\n"
    )


def test_the_doctor_reports_every_contract(command: Command, tiny_checkpoint: Path) -> None:
    code, out, _ = command("doctor", tiny_checkpoint)
    assert code == 0
    assert "failed" not in out and out.count(" ok ") >= 5


def test_the_doctor_leaves_with_1_where_a_contract_fails(
    command: Command, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backsight.models import contracts

    found = contracts.Finding("a [contract]", False, "it is [/broken]")
    monkeypatch.setattr(contracts, "all_of", lambda vlm: [found])
    code, out, _ = command("doctor", tiny_checkpoint)
    assert code == 1 and "failed" in out and "it is [/broken]" in out


def test_stimuli_are_written_and_put_to_a_model(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    code, out, _ = command("stimuli", "jittered_squares", "--out", tmp_path / "set", "--limit", 4)
    assert (code, out) == (0, f"{(tmp_path / 'set').resolve()}\n")
    arguments = ("--data", tmp_path / "set", "--only", "behaviour/jittered_squares")
    code, _, err = command("study", tiny_checkpoint, "--out", tmp_path / "out", *arguments)
    assert code == 3 and "Two example sets of a study have one name" in err and "jittered_squares" in err


def test_help_answers_without_torch() -> None:
    for arguments in ([], ["--help"], ["study", "--help"], ["data", "coco-pairs", "--help"]):
        code = f"""
import sys
sys.argv = ["backsight", *{arguments!r}]
from backsight import cli
try:
    cli.main()
except SystemExit as left:
    print("left", left.code, sorted({{"torch", "transformers", "pandas", "matplotlib"}} & sys.modules.keys()))
"""
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert "Usage: " in done.stdout + done.stderr
        assert done.stdout.strip().splitlines()[-1] == f"left {0 if arguments else 2} []"


def test_the_version_is_said(command: Command) -> None:
    assert command("--version") == (0, f"backsight {__version__}\n", "")


def test_exit_codes_of_the_docs_are_those_of_the_code() -> None:
    text = (Path(__file__).parents[1] / "docs" / "commands.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", text, re.MULTILINE)
    assert {int(code): meaning for code, meaning in rows} == EXIT_CODES


def test_the_help_names_measurements_and_sets(command: Command, tiny_vlm: Any) -> None:
    code, out, _ = command("study", "--help")
    words = " ".join(out.replace("│", " ").split())
    assert code == 0 and f"Measurements: {', '.join(MEASUREMENT_NAMES)}. Sets: {', '.join(SET_NAMES)}" in words
    assert {kind_of(one) for one in MEASUREMENTS} == set(MEASUREMENT_NAMES)
    sets, skipped = default_sets(tiny_vlm)
    assert {one.name for one in sets} | {one.set_name for one in skipped if one.measurement == "all"} == set(SET_NAMES)


def test_into_a_file_a_study_says_what_it_does_a_line_a_job(
    whole: Path, tiny_checkpoint: Path, command: Command
) -> None:
    code, _, err = command("study", tiny_checkpoint, "--out", whole, *FEW)
    assert code == 0
    lines = [line for line in err.splitlines() if line.startswith("backsight: ")]
    assert lines == [
        f"backsight: starting the study of {tiny_checkpoint}",
        f"backsight: opening {tiny_checkpoint}",
        "backsight: making the example sets",
        "backsight: job 1 of 1, behaviour/squares: 34 samples, finished by an earlier run",
        "backsight: writing the report",
    ]


def test_lines_count_samples_and_seconds(tiny_checkpoint: Path, tmp_path: Path, command: Command) -> None:
    code, _, err = command("study", tiny_checkpoint, "--out", tmp_path / "out", *FEW)
    assert code == 0
    assert "backsight: job 1 of 1, behaviour/squares: 34 samples\n" in err
    assert re.search(r"job 1 of 1, behaviour/squares: done, 34 samples in \d+\.\d s\n", err)


def test_a_report_without_some_tables_names_them_and_leaves_with_3(
    whole: Path, tiny_checkpoint: Path, tmp_path: Path, command: Command
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    page = (out / "report.html").read_text()
    summary, rows = out / "tables" / "behaviour_summary.parquet", out / "tables" / "behaviour.squares.parquet"
    summary.unlink()
    table = Table.read(rows)
    replace(table, frame=table.frame[:3]).write(rows.parent, "behaviour.squares")
    (out / "report.html").unlink()
    code, printed, err = command("report", out)
    assert (code, printed) == (3, "")
    assert err == (
        f"backsight: The report is written without some tables\n  where: {out / 'tables'}\n"
        "  got:   behaviour.squares: 3 rows, 68 were written; behaviour_summary: no such file\n"
        "  do:    run the command of the study again: it makes missing and damaged tables again and keeps the others\n"
    )
    assert (out / "report.html").is_file()
    assert command("compare", out, whole, "--out", tmp_path / "cmp").code == 3
    assert command("study", tiny_checkpoint, "--out", out, *FEW).code == 0
    assert tables(out) == tables(whole)
    assert command("report", out).code == 0
    assert len((out / "report.html").read_text()) >= len(page)


def test_the_report_names_the_command_of_each_run(
    whole: Path, tiny_checkpoint: Path, tmp_path: Path, command: Command
) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    assert command("study", tiny_checkpoint, "--out", out, "--only", "behaviour/shapes", "--limit", 34).code == 0
    page = (out / "report.html").read_text()
    assert "--only behaviour/squares" in page and "--only behaviour/shapes" in page
    assert [job["name"] for job in json.loads((out / "study.json").read_text())["jobs"]] == [
        "behaviour/squares", "behaviour/shapes",
    ]  # fmt: skip
    assert set(Table.read(out / "tables" / "behaviour_summary.parquet").frame["suite"]) == {"squares", "shapes"}


def test_a_question_of_ones_own_is_explained(tmp_path: Path, command: Command, tiny_checkpoint: Path) -> None:
    picture = tmp_path / "a.png"
    Image.new("RGB", (168, 168), "white").save(picture)
    boxes = ["--subject", "a", "10", "70", "30", "30", "--reference", "b", "120", "70", "30", "30"]
    asked = ("explain", tiny_checkpoint, picture, *boxes, "--question")
    code, out, _ = command(*asked, "Is it left or right?", "--option", "left", "--option", "right")
    assert code == 0
    assert re.fullmatch(r"  left +[01]\.\d{3}\n  right +[01]\.\d{3}\n", "".join(out.splitlines(keepends=True)[1:]))
    for options, said in (
        (("--option", "above", "--option", "below"), "Of the options none is where the boxes say"),
        (("--option", "left"), "These are no options of a question about a direction"),
        (("--option", "left", "--option", "up"), "give at least two of: left, right, above, below"),
    ):
        code, _, err = command(*asked, "Where is it?", *options)
        assert code == 2 and said in err
    assert "The question is empty" in command(*asked, " ").err
