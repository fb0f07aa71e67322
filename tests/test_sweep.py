"""`backsight sweep`: what its file may hold, what it makes, how it goes on, and what it says of runs that fail."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import DataError, StudyError, UsageError
from backsight.results.behaviour import BEHAVIOUR
from backsight.studies import sweep, sweep_compare, sweep_file, sweep_run
from backsight.tables import Table, stamp
from backsight.training import checkpoints
from tests.conftest import Command
from tests.toy_recipe import written

SAME_LINE = "\nfrom dataclasses import replace\nsteep = replace(line, name='steep', rate=0.1)\n"
HEAD = 'recipes = ["own.py:line", "own.py:steep"]\nseeds = [0, 1, 2]\n'


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A sweep of two recipes of one's own, with three seeds each."""
    written(tmp_path, more=SAME_LINE)
    path = tmp_path / "sweep.toml"
    path.write_text(HEAD + 'baseline = "steep"\n[train]\nthreads = 1\n[study]\nonly = ["behaviour/squares"]\n')
    return path


WRONG = {
    "unknown field": (HEAD + "sedes = [1]\n", ("has an unknown field", "got:   sedes", "recipes, seeds, baseline")),
    "unknown in train": (HEAD + "[train]\nrate = 1\n", ("unknown field", "got:   train.rate", "size, steps, device")),
    "unknown in study": (HEAD + "[study]\nsets = []\n", ("unknown field", "got:   study.sets", "only, limit, quick")),
    "seeds of words": (HEAD.replace("[0, 1, 2]", '["a"]'), ("cannot be used", "seeds = ['a']", "whole numbers")),
    "a seed too large": (HEAD.replace("2]", "4294967296]"), ("cannot be used", "seeds = ")),
    "flag for a number": (HEAD + "workers = true\n", ("cannot be used", "workers = True", "a whole number of 1")),
    "no worker": (HEAD + "workers = 0\n", ("cannot be used", "workers = 0")),
    "text for a list": ('recipes = "plain"\nseeds = [0]\n', ("cannot be used", "recipes = 'plain'", "a list of names")),
    "no list": ("recipes = []\nseeds = [0]\n", ("cannot be used", "recipes = []")),
    "train no table": (HEAD + "train = 3\n", ("cannot be used", "train = 3", "a table, as [train]")),
    "quick in words": (HEAD + '[study]\nquick = "yes"\n', ("cannot be used", "study.quick = 'yes'", "true or false")),
    "no seeds": ('recipes = ["plain"]\n', ("lacks a field", "no seeds", "give seeds = [...]")),
    "a seed twice": ('recipes = ["plain"]\nseeds = [1, 1]\n', ("a value twice", "seeds: 1")),
    "no TOML": ("recipes = [\n", ("The sweep file is no TOML",)),
    "unknown recipe": ('recipes = ["no-such"]\nseeds = [0]\n', ("There is no such recipe", "choose from: plain")),
    "no recipe's file": ('recipes = ["gone.py"]\nseeds = [0]\n', ("There is no such file with a recipe", "gone.py")),
    "photographs": ('recipes = ["cutouts"]\nseeds = [0]\n', ("takes no photographs", "got:   cutouts")),
    "two of one name": ('recipes = ["own.py:line", "own.py"]\nseeds = [0]\n', ("does not hold one recipe",)),
    "unknown baseline": (HEAD + 'baseline = "plain"\n', ("no recipe of the sweep", "choose from: line, steep")),
    "unknown size": (HEAD + '[train]\nsize = "huge"\n', ("There is no such size", "tiny, small, base")),
    "unknown precision": (HEAD + '[train]\nprecision = "x"\n', ("no such precision", "no, bf16, fp16")),
    "unknown measurement": (HEAD + '[study]\nonly = ["behavior"]\n', ("names nothing", "got:   behavior", "behaviour")),
    "two of quick and budget": (HEAD + "[study]\nquick = true\nbudget = 96\n", ("has a budget of its own",)),
    "unknown device": (HEAD + '[train]\ndevice = "abacus"\n', ("There is no such device", "choose from: cpu")),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_sweep_file_that_cannot_be_used_leaves_with_2(
    command: Command, plan: Path, tmp_path: Path, case: str
) -> None:
    text, words = WRONG[case]
    plan.write_text(text)
    code, printed, err = command("sweep", plan, "--out", tmp_path / "out")
    assert (code, printed) == (2, "")
    assert all(one in err for one in words), err
    assert not (tmp_path / "out").exists()


def test_a_file_or_a_folder_that_is_not_there_or_not_ours(command: Command, plan: Path, tmp_path: Path) -> None:
    assert "There is no such sweep file" in command("sweep", tmp_path / "no.toml", "--out", tmp_path / "out").err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").write_text("mine")
    for out, words in (("full", "holds no sweep"), ("sweep.toml", "is a file")):
        code, _, err = command("sweep", plan, "--out", tmp_path / out)
        assert code == 2 and words in err, err


def test_fields_are_those_of_the_file() -> None:
    for part, kind in (("", sweep_file.Sweep), ("train", sweep_file.Training), ("study", sweep_file.Asked)):
        assert list(sweep_file.FIELDS[part]) == [field.name for field in fields(kind)]  # type: ignore[arg-type]


def test_a_sweep_goes_through_json_unchanged(plan: Path, tmp_path: Path) -> None:
    one = sweep_file.read(plan)
    assert sweep_file.of(json.loads(json.dumps(one.as_dict()))) == one
    assert one.recipes == (f"{tmp_path}/own.py:line", f"{tmp_path}/own.py:steep")  # beside the file
    labels = [run.label for run in sweep_run.runs(one, tmp_path / "out")]
    assert labels == ["line-0", "line-1", "line-2", "steep-0", "steep-1", "steep-2"]


def study_of(run: sweep_run.Run, value: Callable[[str, int], float]) -> None:
    """A study's folder of 20 questions of Squares, of which a share by recipe and seed is answered correctly."""
    share = value(run.recipe.name, run.recipe.seed)
    given = dict(
        suite="squares", answer="red", scoring="token", condition="picture", direction="left", ground="plain",
        prompt=None, options=6,
    )  # fmt: skip
    rows = []
    for n in range(20):
        one = {name: None for name in BEHAVIOUR.columns} | given
        one |= {"example_id": f"e{n}", "image_id": f"i{n}", "choice_correct": n < round(20 * share)}
        rows.append(one)
    table = Table.of(BEHAVIOUR, rows)
    path = table.write(run.study / "tables", "behaviour.squares")
    record = {
        "format": 1, "finished": True, "options": {}, "versions": {}, "seed": 0, "verdict": None, "sets": [],
        "model": {"name": run.label, "family": "Line", "parameters": 5, "fingerprint": f"f{run.label}"},
        "jobs": [{"name": "behaviour/squares", "set": "squares", "measurement": "Behaviour()",
                  "tables": ["behaviour.squares"]}],
        "tables": {"behaviour.squares": stamp(path, len(table))}, "machine": {"cpu": "abacus", "cores": 2},
    }  # fmt: skip
    (run.study / "study.json").write_text(json.dumps(record))


@pytest.fixture
def studied(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Studies are made by hand, as a line sees no pictures; the labels of those that were made, in order."""
    labels: list[str] = []

    def study(run: sweep_run.Run, progress: Any) -> None:
        labels.append(run.label)
        progress("study", 1, 1, "behaviour/squares")
        study_of(run, lambda name, seed: 0.4 + 0.1 * seed + (0.2 + 0.05 * (seed == 1)) * (name == "line"))

    monkeypatch.setattr(sweep_run, "_study", study)
    monkeypatch.setattr("backsight.cli.sweep.write_page", lambda folder: folder)
    return labels


def test_a_sweep_trains_studies_and_compares(command: Command, plan: Path, tmp_path: Path, studied: list[str]) -> None:
    out = tmp_path / "out"
    code, printed, err = command("sweep", plan, "--out", out)
    assert (code, printed) == (0, f"{out.resolve()}/report.html\n"), err
    assert "6 of 6 runs to do" in err and "line-0: training, 100 %, second: loss" in err
    assert "steep-2: done; 6 of 6 runs" in err and "min left" not in err.splitlines()[-1]
    assert len(studied) == 6 and (out / "line-0" / "checkpoint" / "line.safetensors").is_file()
    rows = Table.read(out / "tables" / "sweep.parquet").rows()
    assert {(r["recipe"], r["seed"]) for r in rows} == {(name, s) for name in ("line", "steep") for s in range(3)}
    whole = {(r["recipe"], r["seed"]): r["value"] for r in rows if r["metric"] == "accuracy/squares/all/options"}
    assert whole["line", 1] == pytest.approx(0.75) and whole["steep", 1] == pytest.approx(0.5)
    (line,) = [
        r for r in Table.read(out / "tables" / "sweep_summary.parquet").rows()
        if r["recipe"] == "line" and r["metric"] == "accuracy/squares/all/options"
    ]  # fmt: skip
    assert (line["seeds"], line["pairs"], line["moved"]) == (3, 3, "better")
    assert line["difference"] == pytest.approx(0.65 / 3)
    page = (out / "report.html").read_text()
    assert "line against steep" in page and "the best is Accuracy, Squares, +0.217 [" in page
    assert (out / "figures" / "sweep.svg").is_file() and "failed" not in page
    # Nothing is made again, and more seeds are added to what is there.
    studied.clear()
    assert "0 of 6 runs to do" in command("sweep", plan, "--out", out).err and studied == []
    plan.write_text(plan.read_text().replace("[0, 1, 2]", "[0, 1, 2, 3]"))
    assert command("sweep", plan, "--out", out).code == 0 and studied == ["line-3", "steep-3"]
    # Another training is none of these.
    plan.write_text(plan.read_text().replace("threads = 1", "threads = 1\nsteps = 3"))
    code, _, err = command("sweep", plan, "--out", out)
    assert code == 2 and "The folder of a run is of another training" in err and "steps 3" in err


def test_without_a_baseline_nothing_is_tested(command: Command, plan: Path, tmp_path: Path, studied: list[str]) -> None:
    plan.write_text(plan.read_text().replace('baseline = "steep"', "keep_weights = false"))
    out = tmp_path / "out"
    assert command("sweep", plan, "--out", out).code == 0
    page = (out / "report.html").read_text()
    assert "no baseline is named, so no difference is tested" in page and "against steep" not in page
    assert not list(out.rglob("*.safetensors")) and (out / "line-0" / "training" / "training.csv").is_file()
    assert "0 of 6 runs to do" in command("sweep", plan, "--out", out).err
    # Other questions want the weights back.
    plan.write_text(plan.read_text().replace("behaviour/squares", "gap"))
    before = (out / "report.html").read_bytes(), (out / "sweep.json").read_bytes()
    code, _, err = command("sweep", plan, "--out", out)
    assert code == 2 and "The weights of a run are gone, and it is to be studied in another way" in err
    assert "got:   study.only: ['behaviour/squares'], now ['gap']" in err and f"where: {out / 'line-0'}" in err
    assert ((out / "report.html").read_bytes(), (out / "sweep.json").read_bytes()) == before


@pytest.mark.parametrize("more, words", [
    ("limit = 200", "study.limit: all, now 200"), ("quick = true", "study.quick: False, now True"),
    ("seed = 3\nsamples = 9", "study.samples: all, now 9; study.seed: 0, now 3"),
    ("budget = 96", "study.budget: all, now 96"),
])  # fmt: skip
def test_a_study_in_another_way_is_refused_before_anything_is_begun(
    command: Command, plan: Path, tmp_path: Path, studied: list[str], more: str, words: str
) -> None:
    out = tmp_path / "out"
    assert command("sweep", plan, "--out", out).code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    plan.write_text(plan.read_text() + more + "\n")
    code, _, err = command("sweep", plan, "--out", out)
    assert code == 2 and f"got:   {words}\n" in err and "The runs are studied in another way" in err
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


def test_more_measurements_are_added(command: Command, plan: Path, tmp_path: Path, studied: list[str]) -> None:
    out = tmp_path / "out"
    assert command("sweep", plan, "--out", out).code == 0
    plan.write_text(plan.read_text().replace('"behaviour/squares"', '"behaviour/squares", "gap"'))
    assert command("sweep", plan, "--out", out).code == 0 and len(studied) == 12


def test_a_study_that_was_begun_keeps_to_its_way(
    command: Command, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: sweep_run.Run, progress: Any) -> None:
        run.study.mkdir()
        raise StudyError("No such luck")

    monkeypatch.setattr(sweep_run, "_study", fail)
    plan.write_text(plan.read_text().replace("[0, 1, 2]", "[0]"))
    assert command("sweep", plan, "--out", tmp_path / "out").code == 3
    plan.write_text(plan.read_text() + "limit = 8\n")
    code, _, err = command("sweep", plan, "--out", tmp_path / "out")
    assert code == 2 and "study.limit: all, now 8" in err
    for run in sweep_run.runs(sweep_file.read(plan), tmp_path / "out"):
        run.study.rmdir()  # as the message says
    assert command("sweep", plan, "--out", tmp_path / "out").code == 3


def test_studies_that_fail_leave_the_comparison_that_is_there(
    command: Command, plan: Path, tmp_path: Path, studied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert command("sweep", plan, "--out", out).code == 0
    shown = {path: path.read_bytes() for path in (out / "report.html", *(out / "tables").iterdir())}

    def fail(run: sweep_run.Run, progress: Any) -> None:
        raise StudyError("No such luck")

    monkeypatch.setattr(sweep_run, "_study", fail)
    plan.write_text(plan.read_text().replace('"behaviour/squares"', '"behaviour/squares", "gap"'))
    code, printed, err = command("sweep", plan, "--out", out)
    assert (code, printed) == (3, "") and "the comparison that is there stays as it is: it has line-0, line-1" in err
    assert {path: path.read_bytes() for path in shown} == shown
    assert all(one["failed"] for one in json.loads((out / "sweep.json").read_text())["runs"])


def test_a_run_beside_others_whose_file_was_changed_is_not_trained(plan: Path, tmp_path: Path) -> None:
    asked = sweep_file.of(sweep_file.read(plan).as_dict() | {"workers": 2, "seeds": [0]})
    runs = sweep_run.runs(asked, tmp_path / "out")
    written(tmp_path, more=SAME_LINE + "\nline = replace(line, rate=0.2)\n")
    outcomes = sweep.run_all(runs, lambda *_: None, str)
    assert all(one.reason.startswith("The recipe was changed while the sweep runs; ") for one in outcomes), outcomes
    assert all("own.py sha256" in one.reason for one in outcomes) and not list(tmp_path.rglob("*.safetensors"))


def test_runs_that_fail_are_named_and_the_others_compared(
    command: Command, plan: Path, tmp_path: Path, studied: list[str]
) -> None:
    failing = (
        SAME_LINE + "\nlearn = LineLearner.loss\ndef loss(self, phase, step):\n"
        "    if self.recipe.name == 'steep' and self.recipe.seed == 1 and os.path.exists(BAD):\n"
        "        raise ValueError('a <b>bad</b> day')\n"
        f"    return learn(self, phase, step)\nLineLearner.loss = loss\nBAD = {str(tmp_path / 'bad')!r}\n"
    )
    (tmp_path / "bad").touch()
    written(tmp_path, more=failing)
    out = tmp_path / "out"
    code, printed, err = command("sweep", plan, "--out", out)
    assert code == 3 and printed == f"{out.resolve()}/report.html\n"
    assert "steep-1: failed: ValueError: a <b>bad</b> day; 5 of 6 runs" in err
    assert "backsight: failed: steep-1: ValueError: a <b>bad</b> day" in err and "steep-1" not in studied
    page = (out / "report.html").read_text()
    assert "1 of 6 runs failed and is not on this page." in page and "a &lt;b&gt;bad&lt;/b&gt; day" in page
    record = json.loads((out / "sweep.json").read_text())
    assert [one for one in record["runs"] if one["failed"]] == [
        {"run": "steep-1", "failed": "ValueError: a <b>bad</b> day"}
    ]
    assert "fewer than 3 shared seeds" in page
    (tmp_path / "bad").unlink()
    assert command("sweep", plan, "--out", out).code == 0 and studied[-1] == "steep-1"
    written(tmp_path, more=failing + "\n")  # another text may be other steps
    code, _, err = command("sweep", plan, "--out", out)
    assert code == 2 and "The folder of a run is of another training" in err and "own.py sha256" in err


def test_where_every_run_fails_there_is_a_page_all_the_same(
    command: Command, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: sweep_run.Run, progress: Any) -> None:
        raise StudyError("No such luck", where=run.label, got="less\n than nothing")

    monkeypatch.setattr(sweep_run, "_study", fail)
    code, _, err = command("sweep", plan, "--out", tmp_path / "out")
    assert code == 3 and "line-0: No such luck; where: line-0; got: less than nothing" in err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "6 of 6 runs failed and are not on this page." in page and "No run has a metric of a whole set." in page


def test_ctrl_c_ends_a_sweep_with_130_and_it_goes_on(
    command: Command, plan: Path, tmp_path: Path, studied: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    train = sweep_run._train

    def stopping(run: sweep_run.Run, progress: Any) -> None:
        if run.label == "line-2":
            signal.raise_signal(signal.SIGTERM)
        train(run, progress)

    with monkeypatch.context() as patched:
        patched.setattr(sweep_run, "_train", stopping)
        code, printed, err = command("sweep", plan, "--out", tmp_path / "out")
    assert (code, printed) == (130, "") and "the same command goes on from here" in err
    assert studied == ["line-0", "line-1"] and not (tmp_path / "out" / "report.html").exists()
    assert command("sweep", plan, "--out", tmp_path / "out").code == 0
    assert studied == ["line-0", "line-1", "line-2", "steep-0", "steep-1", "steep-2"]


def test_a_damaged_study_is_made_again_or_named(
    command: Command, plan: Path, tmp_path: Path, studied: list[str]
) -> None:
    plan.write_text(plan.read_text().replace("[0, 1, 2]", "[0]"))
    out = tmp_path / "out"
    assert command("sweep", plan, "--out", out).code == 0
    table = out / "line-0" / "study" / "tables" / "behaviour.squares.parquet"
    table.write_bytes(b"x")
    asked = sweep_file.read(plan)
    damaged = sweep_compare.compared(asked, [sweep.Outcome(run) for run in sweep_run.runs(asked, out)])
    assert [one.run.label for one in damaged.failed] == ["line-0"] and damaged.recipes == ("steep",)
    assert damaged.failed[0].reason.startswith("A table is not as it was written; where: ")
    studied.clear()
    assert command("sweep", plan, "--out", out).code == 0 and studied == ["line-0"]


def test_a_run_in_a_folder_with_other_things_is_refused(plan: Path, tmp_path: Path) -> None:
    runs = sweep_run.runs(sweep_file.read(plan), tmp_path / "out")
    runs[0].folder.mkdir(parents=True)
    (runs[0].folder / sweep_run.LOG).write_text("")  # of a process that ended at once
    sweep_run.refuse_others(runs)
    (runs[0].folder / "mine").write_text("")
    with pytest.raises(StudyError, match="holds other things"):
        sweep_run.refuse_others(runs)
    (runs[0].folder / sweep_run.RECORD).write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        sweep_run.refuse_others(runs)


def test_names_that_no_folder_can_have_and_two_of_one_name(plan: Path, tmp_path: Path) -> None:
    written(tmp_path, "a.py")
    written(tmp_path, "b.py", more="\nline = Line(name='../line')\n")
    plan.write_text('recipes = ["own.py:line", "a.py"]\nseeds = [0]\n')
    with pytest.raises(UsageError, match="Two recipes of the sweep have one name"):
        sweep_run.runs(sweep_file.read(plan), tmp_path / "out")
    plan.write_text('recipes = ["b.py"]\nseeds = [0]\n')
    with pytest.raises(UsageError, match="no name of a folder"):
        sweep_run.runs(sweep_file.read(plan), tmp_path / "out")


def test_what_makes_no_vlm_is_refused_before_anything_is_trained(command: Command, plan: Path, tmp_path: Path) -> None:
    plan.write_text('recipes = ["clip", "scale"]\nseeds = [0]\n')
    code, _, err = command("sweep", plan, "--out", tmp_path / "out")
    assert code == 2 and "got:   clip, which makes none" in err and not (tmp_path / "out").exists()


@pytest.mark.slow
def test_runs_side_by_side_train_as_one_after_another_and_say_why_they_fail(
    command: Command, plan: Path, tmp_path: Path
) -> None:
    """A line is no vision-language model, so each study fails in its own process; its training is kept."""
    plan.write_text(HEAD.replace("[0, 1, 2]", "[0]") + "workers = 2\n[study]\nlimit = 4\n")
    code, _, err = command("sweep", plan, "--out", tmp_path / "out")
    assert code == 3 and "line-0: training, 100 %" in err
    assert "line-0: failed: " in err and "steep-0: failed: " in err and "config.json" in err
    run, _ = sweep_run.runs(sweep_file.read(plan), tmp_path / "alone")
    (tmp_path / "alone").mkdir()
    sweep_run._train(run, lambda *_: None)
    name = Path("line-0", "checkpoint", "line.safetensors")
    assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "alone" / name).read_bytes()
    assert (tmp_path / "out" / "line-0" / "training" / checkpoints.NAME).is_file()


def test_what_a_process_that_dies_said_is_the_reason(
    plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = sweep_file.of(sweep_file.read(plan).as_dict() | {"workers": 2})
    runs = sweep_run.runs(asked, tmp_path / "out")[:2]
    monkeypatch.setattr(sweep, "CHILD", "import sys; print('chatter'); sys.exit('no memory left')")
    ended: list[tuple[str, str, str]] = []
    outcomes = sweep.run_all(runs, lambda run, what, done, total, words: ended.append((run.label, what, words)), str)
    assert [one.reason for one in outcomes] == ["its process ended with 1: no memory left"] * 2
    assert sorted(ended) == [(run.label, "ended", "its process ended with 1: no memory left") for run in runs]


def test_processes_end_with_ctrl_c(plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = sweep_file.of(sweep_file.read(plan).as_dict() | {"workers": 2})
    runs = sweep_run.runs(asked, tmp_path / "out")[:2]
    monkeypatch.setattr(sweep, "CHILD", (
        "import json, time; print(json.dumps(dict(what='training', done=1, total=2, words='x')), flush=True)\n"
        "time.sleep(600)"
    ))  # fmt: skip
    started = []
    launch = sweep._started
    monkeypatch.setattr(sweep, "_started", lambda *given: started.append(launch(*given)) or started[-1])  # type: ignore[func-returns-value]

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep.run_all(runs, stop, str)
    assert len(started) == 2 and all(process.poll() == -signal.SIGTERM for process in started)


def test_two_sweeps_do_not_write_into_one_folder(command: Command, plan: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sweep_compare.note(out, sweep_file.read(plan), "the first")
    with sweep_compare.held(out):
        code, _, err = command("sweep", plan, "--out", out)
    assert code == 3 and "Another sweep is writing into this folder" in err and not (out / "line-0").exists()
    assert json.loads((out / "sweep.json").read_text())["command"] == "the first"


def test_the_record_claims_the_folder(plan: Path, tmp_path: Path) -> None:
    sweep_compare.note(tmp_path / "out", sweep_file.read(plan), "backsight sweep x")
    sweep_compare.claim_folder(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "sweep.json").read_text())["command"] == "backsight sweep x"
