"""Studies: one that is stopped and gone on with gives the files of one that is not; what cannot be asked is listed."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backsight import stimuli
from backsight.errors import CannotAnswer, StudyError, UsageError
from backsight.examples import Example, ExampleSet
from backsight.grid import TokenGrid
from backsight.measurements import Behaviour, Interchange
from backsight.models.opening import load
from backsight.models.sizes import facts
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.studies import Job, Options, Skipped, Store, Study, default_sets
from backsight.studies import executors as running
from backsight.studies.defaults import ATTENTION, MEASUREMENTS, QUICK, ROWS
from backsight.studies.jobs import choices, file_stem, planned, questions
from backsight.studies.lock import LOCK, refuse_busy
from backsight.studies.store import Chunk
from backsight.tables import HOST, Table
from backsight.training.questions import corpus

SMALL = (Behaviour(batch=2), Interchange(batch=2))
IDENTITY = {"model": "m", "seed": 0}


def study(vlm: VLM, folder: Path, *, limit: int = 5, measurements: Sequence[Any] = SMALL, **options: Any) -> Study:
    """A study of the squares, in batches of two."""
    return Study(vlm, [stimuli.squares(vlm.grid)], folder, Options(limit=limit, **options), measurements)


def plan(vlm: VLM, sets: Any, measurements: Any, **options: Any) -> tuple[list[Job], list[Skipped]]:
    """The jobs that a study of some sets would have."""
    chosen = choices(sets, measurements, **options)
    return planned(facts(vlm, questions(chosen, vlm.grid)), chosen)


def tables(folder: Path) -> dict[str, bytes]:
    """The tables of a study, byte by byte."""
    return {path.name: path.read_bytes() for path in sorted((folder / "tables").iterdir())}


def stopping(call: int, error: BaseException) -> Callable[..., Any]:
    """`Behaviour.rows` that raises in its call of this number."""
    whole, calls = Behaviour.rows, []

    def rows(self: Behaviour, vlm: VLM, samples: Sequence[Example]) -> list[dict[str, Any]]:
        calls.append(1)
        if len(calls) == call:
            raise error
        return whole(self, vlm, samples)

    return rows


@pytest.fixture(scope="module")
def whole(tiny_vlm: VLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that nothing stopped."""
    return study(tiny_vlm, tmp_path_factory.mktemp("whole") / "out").run()


def test_a_study_leaves_tables_marks_samples_and_its_record(whole: Path) -> None:
    names = {
        "behaviour.squares",
        "behaviour_summary",
        "behaviour_axes",
        "interchange.squares",
        "interchange_summary",
        "order_layers",
    }
    names.add("position_budget")
    assert tables(whole).keys() == {f"{name}.{kind}" for name in names for kind in ("csv", "parquet")}
    assert len(Table.read(whole / "tables" / "behaviour.squares.parquet")) == 10  # five questions, two conditions
    record = json.loads((whole / "study.json").read_text())
    assert record["finished"] is True
    assert [job["name"] for job in record["jobs"]] == ["behaviour/squares", "interchange/squares"]
    shown = {f"squares.last_token.{side}.png" for side in ("clean", "counterfactual")}
    assert {p.name for p in (whole / "samples").iterdir()} == {"squares.png", *shown}
    assert {p.name for p in (whole / "jobs").iterdir()} == {
        "study.identity.json", "study.memory.json", "behaviour.squares.json", "interchange.squares.json",
    }  # fmt: skip


def test_the_same_study_in_another_folder_gives_the_same_bytes(tiny_vlm: VLM, whole: Path, tmp_path: Path) -> None:
    assert tables(study(tiny_vlm, tmp_path / "again").run()) == tables(whole)


@pytest.mark.parametrize("error", [RuntimeError("in the middle"), KeyboardInterrupt()], ids=["error", "Ctrl-C"])
@pytest.mark.parametrize("call", [1, 2, 3])
def test_a_study_stopped_in_a_job_goes_on_to_the_same_bytes(
    tiny_vlm: VLM, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: int, error: BaseException
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(type(error)):
        patched.setattr(Behaviour, "rows", stopping(call, error))
        study(tiny_vlm, out).run()
    assert not (out / "study.json").exists() and not (out / "tables").exists()
    chunks = [json.loads(p.read_text()) for p in sorted((out / "jobs").glob("behaviour.squares.*.part/*.json"))]
    assert [(c["first"], c["last"], len(c["rows"])) for c in chunks] == ([(0, call - 1, 4 * (call - 1))][: call - 1])
    calls: list[int] = []
    monkeypatch.setattr(Behaviour, "rows", counted(Behaviour.rows, calls))
    study(tiny_vlm, out).run()
    assert len(calls) == 4 - call  # of three batches, those that the first run finished are not run again
    assert tables(out) == tables(whole)
    assert not list((out / "jobs").glob("*.part"))


def counted(rows: Callable[..., Any], calls: list[int]) -> Callable[..., Any]:
    """`rows`, noting each call."""

    def counting(self: Any, vlm: VLM, samples: Any) -> Any:
        calls.append(len(samples))
        return rows(self, vlm, samples)

    return counting


def test_rows_are_kept_while_a_job_runs(
    tiny_vlm: VLM, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no time between chunks each batch is one, named by its range; one that is damaged is run again, alone."""
    monkeypatch.setattr(running, "CHUNK_SECONDS", 0.0)
    out = tmp_path / "out"
    with monkeypatch.context() as patched, pytest.raises(RuntimeError):
        patched.setattr(Behaviour, "rows", stopping(3, RuntimeError()))
        study(tiny_vlm, out).run()
    chunks = sorted((out / "jobs").glob("behaviour.squares.*.part/*.json"))
    assert [c.name for c in chunks] == ["000000-000001.json", "000001-000002.json"]
    chunks[0].write_text("{")
    calls: list[int] = []
    seen: list[int] = []
    monkeypatch.setattr(Behaviour, "rows", counted(Behaviour.rows, calls))
    study(tiny_vlm, out).run(lambda job, done, total: seen.append(done) if job.kind == "behaviour" else None)
    assert calls == [2, 1]  # the first batch, of two samples, and the last, of one
    assert seen == [2, 4, 5]
    assert tables(out) == tables(whole)


@pytest.mark.parametrize("gone", [(0,), (1,), (0, 1), (1, 2), (0, 2)])
def test_a_gap_between_chunks_is_filled_and_no_more(
    tiny_vlm: VLM, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: tuple[int, ...]
) -> None:
    out = tmp_path / "out"
    with monkeypatch.context() as patched:
        patched.setattr(running, "CHUNK_SECONDS", 0.0)
        patched.setattr(Store, "finish", stopped)
        with pytest.raises(KeyboardInterrupt):
            study(tiny_vlm, out).run()
    chunks = sorted((out / "jobs").glob("behaviour.squares.*.part/*.json"))
    assert [c.name for c in chunks] == ["000000-000001.json", "000001-000002.json", "000002-000003.json"]
    for number in gone:
        chunks[number].unlink()
    calls: list[int] = []
    monkeypatch.setattr(Behaviour, "rows", counted(Behaviour.rows, calls))
    study(tiny_vlm, out).run()
    assert calls == [(2, 2, 1)[number] for number in gone]
    assert tables(out) == tables(whole)


def stopped(*_: Any) -> None:
    """Stands where a user stops."""
    raise KeyboardInterrupt


def test_a_finished_study_is_not_run_again(tiny_vlm: VLM, whole: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = tables(whole)
    calls: list[int] = []
    for kind in (Behaviour, Interchange):
        monkeypatch.setattr(kind, "rows", counted(kind.rows, calls))
    seen: list[tuple[str, int, int]] = []
    made = study(tiny_vlm, whole)
    assert made.forward_equivalents() == 0 and made.seconds_each() == 0
    made.run(lambda job, done, total: seen.append((job.name, done, total)))
    assert calls == [] and tables(whole) == before
    assert seen == [("behaviour/squares", 5, 5), ("interchange/squares", 5, 5)]


def test_a_job_without_its_table_is_run_again(tiny_vlm: VLM, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study(tiny_vlm, out).run()
    (out / "tables" / "behaviour.squares.parquet").unlink()
    study(tiny_vlm, out).run()
    assert tables(out) == tables(whole)


def test_a_job_with_other_parameters_is_run_again(tiny_vlm: VLM, tmp_path: Path) -> None:
    out = tmp_path / "out"
    study(tiny_vlm, out, limit=2).run()
    study(tiny_vlm, out, limit=2, measurements=[Behaviour(gray=False), Interchange()]).run()
    assert len(Table.read(out / "tables" / "behaviour.squares.parquet")) == 2


def test_a_folder_of_another_study_is_refused(tiny_vlm: VLM, whole: Path) -> None:
    with pytest.raises(StudyError) as caught:
        study(tiny_vlm, whole, seed=1)
    assert str(caught.value).startswith("The folder belongs to another study")
    assert caught.value.where == whole and caught.value.got == "seed 0, now 1"
    assert caught.value.do == "give another --out"
    with pytest.raises(StudyError, match="limit 5, now 4"):
        study(tiny_vlm, whole, limit=4)


@pytest.mark.parametrize(("quick", "limit", "noted"), [(False, None, None), (True, None, "quick"), (False, 7, 7),
                                                       (True, 7, "quick, 7")])  # fmt: skip
def test_a_folder_notes_how_samples_are_limited(quick: bool, limit: int | None, noted: object) -> None:
    assert Options(quick=quick, limit=limit).limited == noted


def test_a_quick_study_leaves_out_what_few_samples_cannot_say(tiny_vlm: VLM) -> None:
    sets = [s for s in default_sets(tiny_vlm)[0] if s.name in ("squares", "shapes", "pairs", "pairs_a", "hard")]
    jobs, skipped = plan(tiny_vlm, sets, MEASUREMENTS, quick=QUICK)
    taken = {job.name: len(job.samples) for job in jobs}
    assert taken["behaviour/squares"] == taken["behaviour/shapes"] == taken["pathways/squares"] == 44
    assert (taken["probes/squares"], taken["behaviour/pairs"]) == (112, 132)
    assert taken["creg/pairs_a"] == taken["flip/pairs_a"] == taken["moved/pairs_a"] == 16
    left_out = {(s.measurement, s.set_name): s.reason for s in skipped}
    assert {kind for kind, name in left_out if name == "shapes"} == {*ROWS} - {"behaviour"}
    assert "which stands for the suites of three in a row" in left_out["pathways", "shapes"]
    assert "too few failures to repair" in left_out["amplify", "hard"] and ("creg", "pairs") in left_out
    asked, skipped = plan(tiny_vlm, sets, MEASUREMENTS, quick=QUICK, only=["pathways/shapes"], limit=5)
    assert [(job.name, len(job.samples)) for job in asked] == [("pathways/shapes", 5)] and skipped == []


def test_a_measurement_of_ones_own_has_sixteen_samples_in_a_quick_study(tiny_vlm: VLM) -> None:
    assert QUICK.limit("mine", "squares") == 16 and QUICK.reason("mine", "squares", ()) is None


@pytest.mark.parametrize(
    ("only", "found"),
    [
        ((), ["behaviour/one", "interchange/one", "behaviour/two", "interchange/two"]),
        (("behaviour",), ["behaviour/one", "behaviour/two"]),
        (("two",), ["behaviour/two", "interchange/two"]),
        (("interchange", "one"), ["interchange/one"]),
        (("behaviour/two",), ["behaviour/two"]),
        (("behaviour/two", "interchange"), ["interchange/one", "behaviour/two", "interchange/two"]),
    ],
)
def test_only_keeps_jobs_by_measurement_set_or_both(tiny_vlm: VLM, only: tuple[str, ...], found: list[str]) -> None:
    squares = stimuli.squares(tiny_vlm.grid)
    sets = [ExampleSet(name, squares.items[:24], pair_makers=squares.pair_makers) for name in ("one", "two")]
    jobs, skipped = plan(tiny_vlm, sets, SMALL, only=only, limit=2)
    assert [job.name for job in jobs] == found and skipped == []
    assert {len(job.samples) for job in jobs} == {2}


def test_only_names_what_there_is(tiny_vlm: VLM) -> None:
    with pytest.raises(UsageError) as caught:
        plan(tiny_vlm, [stimuli.squares(tiny_vlm.grid)], SMALL, only=["behaviour", "circles"])
    assert caught.value.got == ["circles"]
    assert caught.value.do == "choose from: behaviour, interchange, squares, or both as in behaviour/squares"


def test_what_cannot_be_asked_is_listed_and_the_rest_is_run(colourless_checkpoint: Path, tmp_path: Path) -> None:
    vlm = load(colourless_checkpoint, device="cpu")
    sets = [stimuli.squares(vlm.grid), stimuli.objects(vlm.grid)]
    skipped = [Skipped("rows", "all", "too small")]
    made = Study(vlm, sets, tmp_path / "out", Options(limit=2), SMALL, skipped)
    assert [j.name for j in made.jobs] == ["behaviour/objects", "interchange/objects"]
    assert [(s.set_name, s.measurement) for s in made.skipped] == [
        ("rows", "all"), ("squares", "behaviour"), ("squares", "interchange"),
    ]  # fmt: skip
    assert made.skipped[1].reason.startswith("The tokenizer has no single token for some options: red, ")
    record = json.loads((made.run() / "study.json").read_text())
    assert [s["set"] for s in record["skipped"]] == ["rows", "squares", "squares"]
    assert [s["name"] for s in record["sets"]] == ["objects"]


def test_a_study_of_which_nothing_can_be_run_says_why(colourless_checkpoint: Path, tmp_path: Path) -> None:
    vlm = load(colourless_checkpoint, device="cpu")
    with pytest.raises(StudyError) as caught:
        sets = [stimuli.squares(vlm.grid), stimuli.objects(vlm.grid)]
        Study(vlm, sets, tmp_path / "out", Options(only=("squares",)), SMALL)
    assert caught.value.what == "Nothing of this study can be run on the model"
    assert "squares (behaviour): The tokenizer has no single token" in str(caught.value.got)
    assert not (tmp_path / "out").exists()


def test_pairs_that_cannot_be_made_are_listed(tiny_vlm: VLM) -> None:
    def refuse(examples: ExampleSet) -> Any:
        raise CannotAnswer("The grid is too small", got="4 x 4")

    examples = ExampleSet("mine", stimuli.squares(tiny_vlm.grid).items[:4], pair_makers={"last_token": refuse})
    jobs, skipped = plan(tiny_vlm, [examples], SMALL)
    assert [j.name for j in jobs] == ["behaviour/mine"]
    assert skipped == [Skipped("mine", "interchange", "The grid is too small: 4 x 4")]


def test_names_that_no_file_can_bear_are_given_others(tiny_vlm: VLM, tmp_path: Path) -> None:
    items = stimuli.squares(tiny_vlm.grid).items[:2]
    sets = [ExampleSet(name, items) for name in ("../up/x", "..:up:x", "[red]", "a" * 300)]
    out = Study(tiny_vlm, sets, tmp_path / "out", Options(limit=1), [Behaviour(gray=False)]).run()
    record = json.loads((out / "study.json").read_text())
    assert len({s["sample"]["picture"] for s in record["sets"]}) == 4
    assert all((out / s["sample"]["picture"]).is_file() for s in record["sets"])
    assert len(list((out / "tables").glob("behaviour.*.parquet"))) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    assert file_stem("squares") == "squares" and "." not in file_stem("a.b")


def test_two_things_of_one_name_are_refused(tiny_vlm: VLM, tmp_path: Path) -> None:
    squares = stimuli.squares(tiny_vlm.grid)
    with pytest.raises(StudyError, match="Two example sets of a study have one name") as caught:
        Study(tiny_vlm, [squares, squares], tmp_path / "out")
    assert caught.value.got == ["squares"]
    with pytest.raises(StudyError, match="Two measurements of a study are of one kind"):
        Study(tiny_vlm, [squares], tmp_path / "out", measurements=[Behaviour(), Behaviour(gray=False)])


def test_a_part_that_is_run_again_takes_nothing_away(tiny_vlm: VLM, whole: Path, tmp_path: Path) -> None:
    """Tables, summaries, sets, samples and what was skipped stay; the record says which run did what."""
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    before, record = tables(out), json.loads((out / "study.json").read_text())
    study(tiny_vlm, out, only=("behaviour",)).run()
    assert tables(out) == before
    after = json.loads((out / "study.json").read_text())
    assert [job["name"] for job in after["jobs"]] == ["behaviour/squares", "interchange/squares"]
    assert [job["run"] for job in after["jobs"]] == [0, 0]  # nothing was left to do
    assert after["jobs"] == record["jobs"] and after["sets"] == record["sets"]
    assert after["tables"] == record["tables"] and after["verdict"] == record["verdict"]


def test_a_part_that_is_added_stands_beside_what_was_there(tiny_vlm: VLM, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    for number, only in enumerate((("interchange",), ("behaviour",))):
        one = study(tiny_vlm, out, only=only)
        one.command = f"backsight study --only {only[0]}"
        one.skipped = [Skipped("rows", only[0], "too small"), Skipped("squares", "interchange", "was too small")]
        one.run()
        record = json.loads((out / "study.json").read_text())
        assert len(record["runs"]) == number + 1
    assert [(job["name"], job["run"]) for job in record["jobs"]] == [
        ("interchange/squares", 0),
        ("behaviour/squares", 1),
    ]
    assert [run["command"] for run in record["runs"]] == [
        "backsight study --only interchange", "backsight study --only behaviour",
    ]  # fmt: skip
    assert [run["options"]["only"] for run in record["runs"]] == [["interchange"], ["behaviour"]]
    assert [(one["set"], one["measurement"]) for one in record["skipped"]] == [
        ("rows", "interchange"), ("rows", "behaviour"),
    ]  # fmt: skip
    assert list(record["sets"][0]["sample"]["pairs"]) == ["last_token"]
    assert tables(out) == tables(whole)
    study(tiny_vlm, out).run()  # the whole study has its own order, and nothing to run
    record = json.loads((out / "study.json").read_text())
    assert [(job["name"], job["run"]) for job in record["jobs"]] == [
        ("behaviour/squares", 1),
        ("interchange/squares", 0),
    ]


def test_what_no_longer_holds_does_not_stay(tiny_vlm: VLM, tmp_path: Path) -> None:
    """A set of the same name with other questions, and a table that is not the one that was written."""
    squares = stimuli.squares(tiny_vlm.grid)
    first, other = (replace(squares, items=items) for items in (squares.items[:3], squares.items[3:6]))
    for examples, only, names in (
        (first, (), ["behaviour/squares", "interchange/squares"]),
        (other, ("behaviour",), ["behaviour/squares"]),
        (other, (), ["behaviour/squares", "interchange/squares"]),
    ):
        out = Study(tiny_vlm, [examples], tmp_path / "out", Options(limit=2, only=only), SMALL).run()
        record = json.loads((out / "study.json").read_text())
        assert [job["name"] for job in record["jobs"]] == names
        assert ("interchange_summary" in record["tables"]) == ("interchange/squares" in names)
    cut = out / "tables" / "interchange.squares.parquet"
    cut.write_bytes(cut.read_bytes()[:-10])
    Study(tiny_vlm, [other], out, Options(limit=2, only=("behaviour",)), SMALL).run()
    assert [job["name"] for job in json.loads((out / "study.json").read_text())["jobs"]] == ["behaviour/squares"]


def test_a_table_that_was_cut_or_truncated_is_made_again(tiny_vlm: VLM, whole: Path, tmp_path: Path) -> None:
    out = Path(shutil.copytree(whole, tmp_path / "out"))
    record = json.loads((out / "study.json").read_text())
    assert record["tables"].keys() == {path.stem for path in (whole / "tables").glob("*.parquet")}
    path = out / "tables" / "behaviour.squares.parquet"
    assert record["tables"]["behaviour.squares"] == {
        "rows": 10, "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }  # fmt: skip
    table = Table.read(path)
    for damage in (
        lambda: path.write_bytes(path.read_bytes()[:-20]),
        lambda: replace(table, frame=table.frame[:3]).write(path.parent, "behaviour.squares"),
        lambda: path.unlink(),
    ):
        damage()
        one = study(tiny_vlm, out)
        assert [job.name for job in one.left()] == ["behaviour/squares"]
        one.run()
        assert tables(out) == tables(whole)


def test_a_store_takes_the_folder_of_a_study_killed_before_its_first_mark(tmp_path: Path) -> None:
    """What a dead process of this machine left goes; what another process or machine may be writing stays."""
    out, dead = tmp_path / "out", 2**22 + 7
    (out / "jobs").mkdir(parents=True)
    (out / "jobs" / f".study.identity.json.{HOST}.{dead}.part").write_text("{")
    Store(out, IDENTITY)
    (out / "tables").mkdir()
    others = (f".a.csv.{HOST}.{dead}.part", f".b.csv.{HOST}.{os.getppid()}.part", f".c.csv.0badcafe.{dead}.part")
    for name in (*others, ".d.csv.0badcafe.17.part"):
        (out / "tables" / name).write_text("half")
    os.utime(out / "tables" / ".d.csv.0badcafe.17.part", (0, 0))
    Store(out, IDENTITY)
    left = sorted(str(p.relative_to(out)) for p in out.rglob("*") if p.is_file())
    assert left == ["jobs/study.identity.json", *sorted(f"tables/{name}" for name in others[1:])]


def test_chunks_of_another_key_are_not_taken_and_none_is_counted_twice(tmp_path: Path) -> None:
    store = Store(tmp_path / "out", IDENTITY)
    for first, last in ((0, 1), (1, 2), (1, 4), (3, 5), (7, 8)):
        store.add_chunk("job", "key", Chunk(first, last, [{"n": first}], 1.5, 2.0))
    chunks = store.chunks("job", "key")
    assert [(one.first, one.last, one.rows) for one in chunks] == [
        (0, 1, [{"n": 0}]),
        (1, 4, [{"n": 1}]),
        (7, 8, [{"n": 7}]),
    ]
    assert (chunks[0].seconds, chunks[0].forward_equivalents) == (1.5, 2.0)
    assert store.chunks("job", "other") == []
    folder = store.jobs / "job.key.part"
    (folder / "000007-000008.json").rename(folder / "000005-000006.json")  # not what its name says
    assert [one.first for one in store.chunks("job", "key")] == [0, 1]


WRITER = """
import sys, time
from pathlib import Path
from backsight.studies.store import Store
store = Store(Path(sys.argv[1]), {"model": "m", "seed": 0})
with store.locked():
    (store.tables).mkdir(exist_ok=True)
    (store.tables / ".half.csv.0badcafe.1.part").write_text("being written")
    print("writing", flush=True)
    time.sleep(60)
"""


def test_a_second_study_of_a_folder_that_is_written_says_so_and_a_kill_frees_it(tmp_path: Path) -> None:
    out = tmp_path / "out"
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(out)], stdout=subprocess.PIPE, text=True)
    try:
        assert writer.stdout is not None and writer.stdout.readline() == "writing\n"
        for attempt in (lambda: Store(out, IDENTITY), lambda: refuse_busy(out)):
            with pytest.raises(StudyError, match="Another study is writing into this folder") as caught:
                attempt()
            assert caught.value.where == out and caught.value.exit_code == 3
            assert str(caught.value.got).startswith(f"process {writer.pid} on {platform.node()}, since 20")
            assert caught.value.do == "wait until it has ended, stop it, or give another --out"
        assert (out / "tables" / ".half.csv.0badcafe.1.part").read_text() == "being written"
    finally:
        writer.kill()
        writer.wait()
    store = Store(out, IDENTITY)
    with store.locked() as note:
        assert note is None and (out / LOCK).is_file()
    assert not (out / LOCK).exists()


def test_without_locks_the_process_that_is_named_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import fcntl

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    store = Store(tmp_path / "out", IDENTITY)
    assert store.note == "the filesystem of the output folder has no locks: let one study at a time write into it"
    for pid, free in ((2**22 + 7, True), (os.getppid(), False)):
        holder = {"pid": pid, "host": platform.node(), "started": "now"}
        (tmp_path / "out" / LOCK).write_text(json.dumps(holder))
        if free:
            with store.locked():
                pass
        else:
            with pytest.raises(StudyError, match="Another study is writing"), store.locked():
                pass


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(tmp_path, IDENTITY)

    def refuse(path: object, *_: object) -> int:
        raise OSError(errno.EROFS, "Read-only file system", str(path))

    monkeypatch.setattr("backsight.studies.lock.os.open", refuse)
    with pytest.raises(StudyError, match="Cannot write the lock of the output folder") as caught:
        Store(tmp_path, IDENTITY)
    assert caught.value.got == "Read-only file system" and caught.value.where == str(tmp_path / LOCK)


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_an_identity_that_cannot_be_read_is_said(tmp_path: Path, text: str) -> None:
    Store(tmp_path, IDENTITY)
    (tmp_path / "jobs" / "study.identity.json").write_text(text)
    with pytest.raises(StudyError, match="The study's identity cannot be read") as caught:
        Store(tmp_path, IDENTITY)
    assert caught.value.do == "give a new folder as --out"


def test_what_a_study_runs_when_it_is_asked_for_nothing_else(tiny_vlm: VLM) -> None:
    sets, _ = default_sets(tiny_vlm)
    jobs, _ = plan(tiny_vlm, [s for s in sets if s.name != "objects"], MEASUREMENTS, limit=24)
    kinds = {name: {j.kind for j in jobs if j.set_name == name} for name in {j.set_name for j in jobs}}
    assert kinds["squares"] == {*ROWS, "gap", "permutation", *ATTENTION, "rotary", "creg", "knockout"}
    assert kinds["pairs"] == {"behaviour", "creg"} and kinds["jittered_shapes"] == {"behaviour"}
    assert kinds["pairs_a"] == {
        "gap", "pathways", "permutation", "embeddingnorms", *ATTENTION, "rotary", "priors", "text", "resolution",
        "creg", "occlusion", "flip", "moved",
    }  # fmt: skip
    assert kinds["pairs_textured_a"] == {"creg"}
    assert kinds["grid_2x2"] == {"probes", "probemaps"}
    assert kinds["tabletop_a"] == {"behaviour", "gap", "pathways", "priors", "creg"}
    assert kinds["hard"] == {"amplify", "tournament"}
    assert kinds["degraded_squares"] == kinds["tabletop_b"] == {"behaviour"}
    assert all(len(j.samples) <= 24 for j in jobs)
    own = ExampleSet("mine", stimuli.squares(tiny_vlm.grid).items[:24])
    assert {j.kind for j in plan(tiny_vlm, [own], MEASUREMENTS)[0]} == {
        "behaviour", "gap", "pathways", "permutation", "embeddingnorms", "probes", "probemaps", *ATTENTION, "rotary",
        "priors", "text", "resolution", "amplify", "creg", "occlusion",
    }  # fmt: skip


def test_tokens_are_taken_away_one_by_one_only_where_that_is_asked_for(tiny_vlm: VLM) -> None:
    own = ExampleSet("mine", stimuli.squares(tiny_vlm.grid).items[:24])
    for only, expected in (((), False), (("knockout",), True), (("knockout/mine",), True), (("mine",), False)):
        jobs, _ = plan(tiny_vlm, [own], MEASUREMENTS, only=only)
        assert ("knockout" in {j.kind for j in jobs}) == expected
    wide = VLM(*tiny("qwen2_vl", corpus()))
    wide.__dict__["grid"] = TokenGrid.rectangle(13, 13, (364, 364))
    _, skipped = default_sets(wide)
    assert any(s.measurement == "knockout" and "169 image tokens" in s.reason for s in skipped)
    _, skipped = default_sets(wide, asked=("knockout",))
    assert not any(s.measurement == "knockout" for s in skipped)
