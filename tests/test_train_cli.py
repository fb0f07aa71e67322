"""`backsight train` with what is wrong: names, checkpoints, losses, disks, devices; and how it goes on after Ctrl-C."""

from __future__ import annotations

import io
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from rich.console import Console
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from backsight.cli import shared
from backsight.cli.names import PRECISIONS, SIZES
from backsight.cli.training import _is_builtin
from backsight.errors import StudyError, TrainingError, UsageError
from backsight.models import opening
from backsight.results import learning
from backsight.studies import card, lock, sweep_file, terminal
from backsight.tables import Table
from backsight.training import catalogue, checkpoints, loop, saving, writing
from backsight.training.answering import Answering
from backsight.training.identity import described
from backsight.training.recipe import SCALES, Phase
from tests.conftest import Command, no_space
from tests.toy_recipe import TOY, written

DIVERGING = "\nfrom dataclasses import replace\nfast = replace(line, name='fast', rate=1e4)\n"


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A file with the one recipe `line`."""
    return written(tmp_path)


def line(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "line.safetensors")


def alike(one: Path, other: Path) -> bool:
    a, b = line(one), line(other)
    return all(torch.equal(a[name], b[name]) for name in a)


def test_the_names_that_the_help_lists_are_those_there_are() -> None:
    assert tuple(SCALES) == SIZES and PRECISIONS == loop.PRECISIONS


def test_a_recipe_of_ones_own_is_trained(command: Command, own: Path, tmp_path: Path) -> None:
    code, printed, err = command("train", own, "--out", tmp_path / "out")
    assert (code, printed) == (0, f"{(tmp_path / 'out').resolve()}\n")
    assert "step 1 of 11, first: loss " in err and "step 11 of 11, second: loss " in err and ", error " in err
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"README.md", "line.safetensors", "training.csv", "training.parquet", "training.svg"}
    assert (tmp_path / "out" / "README.md").read_text(encoding="utf-8").startswith("# line, seed ")
    rows = Table.read(tmp_path / "out" / "training.parquet").rows()
    assert [(r["phase"], r["step"]) for r in rows if r["figure"] == learning.FIRST] == [("first", 0), ("second", 0)]
    steps = [(r["phase"], r["step"]) for r in rows if r["figure"] == "error"]
    assert steps == [("first", 2), ("first", 4), ("first", 6), ("second", 2), ("second", 4), ("second", 5)]
    assert command("train", own, "--out", tmp_path / "out").code == 2  # it is there


def test_the_earlier_name_of_the_command_is_known(command: Command, own: Path, tmp_path: Path) -> None:
    assert command("train-builtin", f"{own}:line", "--out", tmp_path / "out", "--steps", 1).code == 0


TWO = "\nother = Line(name='other')\n"
WRONG: dict[str, tuple[str | None, tuple[str, ...], tuple[str, ...]]] = {
    "unknown": (None, ("no-such",), ("There is no such recipe", "got:   no-such", "choose from: plain", "Python file")),
    "unknown size": ("", ("--size", "huge"), ("There is no such size", "got:   huge", "tiny, small, base")),
    "unknown precision": ("", ("--precision", "int4"), ("no such precision", "got:   int4", "no, bf16, fp16")),
    "fp16 on a CPU": ("", ("--precision", "fp16"), ("fp16 takes a GPU", "got:   fp16 on cpu")),
    "unknown device": ("", ("--device", "abacus"), ("There is no such device on this machine", "choose from: cpu")),
    "photographs": ("", ("--photos", "."), ("takes no photographs", "leave out --photos")),
    "no photographs": (None, ("cutouts",), ("The recipe cutouts takes a folder of photographs", "--photos DIR")),
    "no file": (None, ("no-such.py",), ("There is no such file with a recipe", "where: no-such.py")),
    "no steps": ("", ("--steps", "0"), ("--steps",)),
    "raising": ("\nraise ValueError('half done')\n", (), ("cannot be run", ": ValueError: half done", "got:   line ")),
    "no Python": ("\ndef (\n", (), ("cannot be run", "got:   SyntaxError")),
    "no recipe": ("\ndel line\n", (), ("The file does not hold one recipe", "got:   none", "FILE.py:NAME")),
    "two recipes": (TWO, (), ("The file does not hold one recipe", "got:   line, other")),
    "two phases of one name": (
        "\nLine.phases = property(lambda self: (Phase('a', 1), Phase('a', 1)))\n", (),
        ("The recipe cannot be trained", "where: recipe line", "got:   two phases called 'a'"),
    ),
    "no phase": ("\nLine.phases = ()\n", (), ("The recipe cannot be trained", "got:   no phase with a step")),
    "no weight": (
        "\nstart = Line.start\ndef frozen(self, where):\n    learner = start(self, where)\n"
        "    learner.module.requires_grad_(False)\n    return learner\nLine.start = frozen\n", (),
        ("The recipe trains no weight", "where: recipe line"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_leaves_with_2_and_writes_no_checkpoint(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    monkeypatch.chdir(tmp_path)
    more, arguments, expected = WRONG[case]
    named = () if more is None else (written(tmp_path, more=more),)
    code, printed, err = command("train", *named, *arguments, "--out", "out")
    assert (code, printed) == (2, "")
    assert all(words in err for words in expected), err
    assert not Path("out").exists() and not list(tmp_path.rglob("*.safetensors"))
    assert not Path("out.training").exists()


def test_a_name_in_a_file_that_does_not_hold_it(command: Command, own: Path, tmp_path: Path) -> None:
    code, _, err = command("train", f"{own}:curve", "--out", tmp_path / "out")
    assert code == 2 and "got:   curve; it holds: line" in err


def test_without_recipe_or_folder_the_command_says_what_it_takes(command: Command, own: Path) -> None:
    assert "got:   no recipe" in command("train").err and "got:   no --out" in command("train", own).err
    assert command("train").code == 2
    listed = command("train", "--list")
    assert listed.code == 0 and all(name in listed.out for name in catalogue.recipes())


def test_a_narrow_terminal_keeps_the_names_of_recipes_whole(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    listed = command("train", "--list").out
    assert all(name in listed for name in catalogue.recipes()) and max(map(len, listed.splitlines())) <= 80


def test_a_folder_that_lies_in_a_file_is_none(command: Command, own: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out, words in ((tmp_path / "file", "is a file, not"), (tmp_path / "file" / "out", "would lie in a file")):
        code, _, err = command("train", own, "--out", out)
        assert code == 2 and words in err and (tmp_path / "file").is_file()


def test_ctrl_c_before_the_first_checkpoint_says_so(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopping = "\ndef loss(self, phase, step):\n    raise KeyboardInterrupt\nLineLearner.loss = loss\n"
    code, _, err = command("train", written(tmp_path, more=stopping), "--out", tmp_path / "out")
    assert code == 130 and "The same command begins again: no checkpoint was written yet." in err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there(command: Command, own: Path, tmp_path: Path) -> None:
    code, _, err = command("train", own, "--out", tmp_path / "out", "--device", "cuda")
    assert code == 2 and "There is no such device on this machine" in err and "do:    choose from: cpu" in err


def rewritten(**header: Any) -> Callable[[Path], object]:
    """Change the header of a checkpoint; None takes a part away."""

    def change(path: Path) -> None:
        with safe_open(path, "pt") as file:
            old = json.loads(file.metadata()["backsight"])
        new = {name: value(old[name]) if callable(value) else value for name, value in header.items()}
        kept = {name: value for name, value in (old | new).items() if new.get(name, ...) is not None}
        save_file(load_file(path), path, metadata={"backsight": json.dumps(kept)})

    return change


def without_weight(path: Path) -> None:
    with safe_open(path, "pt") as file:
        header = file.metadata()
    save_file({name: one for name, one in load_file(path).items() if name != "weight.bias"}, path, metadata=header)


UNFIT: dict[str, tuple[Callable[[Path], object], tuple[object, ...], str]] = {
    "another seed": (lambda path: None, ("--seed", 4), "seed 0 where seed 4 is wanted"),
    "another size": (lambda path: None, ("--size", "small"), "size tiny where size small is wanted"),
    "another number of steps": (lambda path: None, ("--steps", 2), "steps 2"),
    "another text": (lambda path: path.parents[1].joinpath("own.py").write_text(TOY + "\n"), (), "[own.py sha256 "),
    "another version of the steps": (rewritten(run=lambda run: f"version 2 {run}"), (), "...version 2 "),
    "another precision": (lambda path: None, ("--precision", "bf16"), "precision bf16"),
    "another recipe": (rewritten(run="('curve', 0, 'tiny')"), (), "('curve', 0, 'tiny')"),
    "another version": (rewritten(format=1), (), "format 1, not 3"),
    "no header": (rewritten(run=None), (), "'run'"),
    "cut": (lambda path: path.write_bytes(path.read_bytes()[:200]), (), ""),
    "empty": (lambda path: path.write_bytes(b""), (), ""),
    "other weights": (without_weight, (), "bias"),
}  # fmt: skip
WHAT = {
    "another version": "of another version of backsight", "cut": "is damaged", "empty": "is damaged",
    "no header": "is damaged", "other weights": "those of another architecture",
}  # fmt: skip


@pytest.mark.parametrize("case", UNFIT)
def test_a_checkpoint_that_cannot_be_gone_on_from(command: Command, own: Path, tmp_path: Path, case: str) -> None:
    change, arguments, got = UNFIT[case]
    out = tmp_path / "out"
    with pytest.raises(KeyError):
        loop.train(catalogue.find(str(own)), tmp_path / "out.training", progress=stop_at("second", 2))
    path = tmp_path / "out.training" / checkpoints.NAME
    change(path)
    before = path.read_bytes()
    code, _, err = command("train", own, "--out", out, *arguments)
    assert code == 3 and WHAT.get(case, "belongs to another recipe, or to another seed or size") in err
    assert f"where: {path}" in err and got in err and "do:    give another folder for checkpoints (--work)" in err
    assert not out.exists() and path.read_bytes() == before


def stop_at(phase: str, step: int) -> Callable[..., None]:
    def stop(here: str, number: int, *_: object) -> None:
        if (here, number) == (phase, step):
            raise KeyError(phase)

    return stop


def test_a_diverging_loss_stops_and_the_last_checkpoint_loads(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path, more=DIVERGING)
    code, _, err = command("train", f"{path}:fast", "--out", tmp_path / "out")
    assert code == 3 and not (tmp_path / "out").exists()
    assert "The training diverges and was stopped at this step, which is not kept" in err
    assert "where: recipe fast, phase 'first', step 2" in err and "this phase has 10000" in err
    assert "no checkpoint was written yet" in err
    # From the fourth step of the second phase on its loss is no number.
    broken = path.read_text() + (
        "\nlearn = LineLearner.loss\ndef loss(self, phase, step):\n    value, figures = learn(self, phase, step)\n"
        "    return (value * float('nan') if (phase, step) == (1, 3) else value), figures\nLineLearner.loss = loss\n"
    )
    path.write_text(broken)
    code, _, err = command("train", f"{path}:line", "--out", tmp_path / "out")
    assert code == 3 and "phase 'second', step 4" in err and "got:   a loss of nan" in err
    assert "begin anew in another folder for checkpoints: another rate is another training" in err
    assert f"the last good checkpoint stays in {tmp_path / 'out.training'}" in err
    recipe = catalogue.find(f"{path}:line")
    stored = checkpoints.read(tmp_path / "out.training", loop.identity(recipe))
    assert stored is not None and (stored.place.phase, stored.place.step) == (1, 2)
    assert all(bool(torch.isfinite(value).all()) for name, value in stored.tensors.items() if "weight." in name)


@pytest.mark.parametrize("rate", [1e4, 1e30])
@pytest.mark.parametrize("save_every", [1, 100])
def test_what_a_step_left_is_looked_at_before_it_is_kept(rate: float, save_every: int, tmp_path: Path) -> None:
    """The very last step of a phase, too: nothing behind it would notice."""
    recipe = replace(catalogue.find(str(written(tmp_path))), rate=rate, save_every=save_every)  # type: ignore[call-arg]
    with pytest.raises(TrainingError, match="phase 'first', step 1\n"):
        loop.train(recipe, tmp_path / "work", max_steps=1, snapshots=[1])
    assert not list((tmp_path / "work").iterdir())


def test_the_last_good_checkpoint_is_not_the_one_that_diverged(tmp_path: Path) -> None:
    """A rate of 0.05, and at the sixth step one that no loss stands."""
    steep = (
        "\nclass Steep(Phase):\n    def learning_rate(self, step):\n        return 1e30 if step == 5 else 0.05\n"
        "\nLine.phases = (Steep('first', 6),)\nline = replace(line, save_every=1)\n"
    )
    own = written(tmp_path, more="\nfrom dataclasses import replace" + steep)
    recipe = catalogue.find(str(own))
    with pytest.raises(TrainingError, match=r"step 6\n  got:   a loss of (inf|nan)"):
        loop.train(recipe, tmp_path / "work")
    stored = checkpoints.read(tmp_path / "work", loop.identity(recipe))
    assert stored is not None and stored.place.step == 5
    assert float(stored.tensors["weight.weight"].abs().max()) < 2


def test_looking_at_a_step_changes_nothing(tmp_path: Path) -> None:
    """A loss that draws from torch's own stream gives the same weights whenever checkpoints are written."""
    drawing = (
        "\nlearn = LineLearner.loss\ndef loss(self, phase, step):\n    value, figures = learn(self, phase, step)\n"
        "    return value * (1 + torch.rand(())), figures\nLineLearner.loss = loss\n"
    )
    recipe = catalogue.find(str(written(tmp_path, more=drawing)))
    often = loop.train(replace(recipe, save_every=1), tmp_path / "often").module.state_dict()
    rarely = loop.train(replace(recipe, save_every=100), tmp_path / "rarely").module.state_dict()
    assert all(torch.equal(often[name], rarely[name]) for name in often)


def test_a_gradient_that_is_not_clipped_is_looked_at_too(tmp_path: Path) -> None:
    unclipped = (
        "\ndef clipped(self):\n    return [self.module.weight]\nLineLearner.clipped = clipped\n"
        "learn = LineLearner.loss\ndef loss(self, phase, step):\n    value, figures = learn(self, phase, step)\n"
        "    return value + (self.module.bias * 0).sqrt().sum(), figures\nLineLearner.loss = loss\n"
    )
    with pytest.raises(TrainingError, match="got:   the gradient is no number"):
        loop.train(catalogue.find(str(written(tmp_path, more=unclipped))), tmp_path / "work", max_steps=1)


def test_a_phase_may_begin_higher_than_the_one_before_it(tmp_path: Path) -> None:
    higher = (
        "\nlearn = LineLearner.loss\ndef loss(self, phase, step):\n    value, figures = learn(self, phase, step)\n"
        "    return value * (1, 1000)[phase], figures\nLineLearner.loss = loss\n"
    )
    loop.train(catalogue.find(str(written(tmp_path, more=higher))), tmp_path / "work")


def test_a_full_disk_leaves_the_last_checkpoint(
    command: Command, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command("train", own, "--out", tmp_path / "whole").code == 0
    write, calls = checkpoints.save_file, []

    def filling(tensors: Any, path: Path, **more: Any) -> None:
        calls.append(path)
        if len(calls) == 3:
            path.write_bytes(b"half")
            no_space()
        write(tensors, path, **more)

    monkeypatch.setattr(checkpoints, "save_file", filling)
    code, _, err = command("train", own, "--out", tmp_path / "out")
    assert code == 3 and "A checkpoint on the way cannot be written" in err and "No space left on device" in err
    assert "it goes on from the last checkpoint" in err
    work = tmp_path / "out.training"
    assert sorted(path.name for path in work.iterdir()) == [checkpoints.NAME, "training.csv", "training.parquet"]
    stored = checkpoints.read(work, loop.identity(catalogue.find(str(own))))
    assert stored is not None and (stored.place.phase, stored.place.step) == (0, 4)
    assert command("train", own, "--out", tmp_path / "out").code == 0
    assert alike(tmp_path / "out", tmp_path / "whole")


def test_a_disk_that_is_full_at_the_end_leaves_no_half_of_a_checkpoint(
    command: Command, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(writing.shutil, "copyfile", no_space)
        code, _, err = command("train", own, "--out", tmp_path / "out")
    assert code == 3 and "The checkpoint cannot be written" in err and "No space left on device" in err
    assert not (tmp_path / "out").exists() and not list(tmp_path.glob(".*"))
    code, _, err = command("train", own, "--out", tmp_path / "out")
    assert code == 0 and "step" not in err  # no step is taken again


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_with_130_and_the_same_command_goes_on(
    command: Command, tmp_path: Path, number: signal.Signals, request: pytest.FixtureRequest
) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    assert command("train", written(tmp_path), "--out", tmp_path / "whole").code == 0
    stopping = (
        "\nlearn = LineLearner.loss\ndef loss(self, phase, step):\n"
        f"    if (phase, step) == (1, 3) and os.path.exists({str(tmp_path / 'stop')!r}):\n"
        f"        os.kill(os.getpid(), {int(number)})\n    return learn(self, phase, step)\nLineLearner.loss = loss\n"
    )
    own = written(tmp_path, more=stopping)
    (tmp_path / "stop").touch()
    code, printed, err = command("train", own, "--out", tmp_path / "out")
    assert (code, printed) == (130, "") and not (tmp_path / "out").exists()
    assert "Stopped. The same command goes on from the last checkpoint." in err
    (tmp_path / "stop").unlink()
    code, _, err = command("train", own, "--out", tmp_path / "out")
    assert code == 0 and "step 9 of 11, second" in err and "step 1 of 11" not in err
    assert alike(tmp_path / "out", tmp_path / "whole")


def test_what_is_entered_is_entered_again(tmp_path: Path) -> None:
    """A phase that trains other weights than the one before goes on with those."""
    entering = (
        "\ndef enter(self, phase):\n    self.module.bias.requires_grad_(phase == 0)\n    return phase == 1\n"
        "LineLearner.enter = enter\n"
    )
    recipe = catalogue.find(str(written(tmp_path, more=entering)))
    whole = loop.train(recipe, tmp_path / "whole").module.state_dict()
    with pytest.raises(KeyError):
        loop.train(recipe, tmp_path / "killed", progress=stop_at("second", 3))
    resumed = loop.train(recipe, tmp_path / "killed").module.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_mixed_precision_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    recipe = catalogue.find(str(written(tmp_path)))
    whole = loop.train(recipe, tmp_path / "whole", precision="bf16").module.state_dict()
    plain = loop.train(recipe, tmp_path / "plain").module.state_dict()
    with pytest.raises(KeyError):
        loop.train(recipe, tmp_path / "killed", precision="bf16", progress=stop_at("second", 3))
    resumed = loop.train(recipe, tmp_path / "killed", precision="bf16").module.state_dict()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    assert not torch.equal(whole["weight"], plain["weight"])


def test_a_folder_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    learner = loop.train(catalogue.find(str(written(tmp_path))), tmp_path / "work", max_steps=1)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        writing.write(learner, tmp_path / "work", tmp_path / "out")
    with pytest.raises(StudyError, match="cannot be written"):
        writing.write(learner, tmp_path / "nowhere", tmp_path / "mine" / ".." / "own.py" / "out")


def test_two_processes_do_not_share_a_folder_that_is_being_written(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts: list[str] = []
    learner = loop.train(catalogue.find(str(written(tmp_path))), tmp_path / "work", max_steps=1)
    with opening.load(tiny_checkpoint, check=False) as vlm:
        for number in (1, 2):
            monkeypatch.setattr(os, "getpid", lambda number=number: number)
            writing.write(learner, tmp_path / "work", tmp_path / f"a{number}", lambda part: parts.append(part.name))
            saving.save(vlm.model, None, tmp_path / f"b{number}", beside=lambda part: parts.append(part.name))
    assert [name.split(".")[-2] for name in parts] == ["1", "1", "2", "2"]
    assert not list(tmp_path.glob(".*"))


def test_an_identity_is_the_same_in_every_process(monkeypatch: pytest.MonkeyPatch) -> None:
    assert described(partial(len, [1], key=max)) == "partial(builtins.len, (1), key=builtins.max)"
    assert described({"a": (1.5, "x"), "b": None}) == "{'a': (1.5, 'x'), 'b': None}"
    assert described({"b", "a", "c"}) == "{'a', 'b', 'c'}"
    assert described(Phase("p", 3)) == "Phase(name='p', steps=3, rate=0.001, floor=0.05, warmup=100, horizon=None)"
    assert " at 0x" not in described(object())
    plain = catalogue.recipes()["plain"]
    assert "build_qwen" in plain.identity and " at 0x" not in plain.identity and "sha256" not in plain.identity
    assert plain.identity.startswith("('plain', 0, 'tiny', (Stage(name='squares', steps=800,")
    with monkeypatch.context() as patched:
        patched.setattr("backsight.training.recipe.VERSION", 2)
        assert plain.identity.startswith("version 2 ('plain', 0, 'tiny', ")


def test_what_a_function_of_ones_own_does_is_part_of_the_identity(tmp_path: Path) -> None:
    """Its file's text, what it closes over, and two files of one name; but not where the file lies."""
    code = (
        "from functools import partial\nfrom backsight.stimuli.layouts import Layout\n"
        "from backsight.training.answering import Answering, Stage\n\n\n"
        "def build(seed, scale, base=BASE):\n    return base\n\n\n"
        "def closed(base):\n    def inner(seed, scale):\n        return base\n\n    return inner\n\n\n"
        "def recipe(given):\n    stage = Stage('s', 8, mixture={'squares': 1.0})\n"
        "    return Answering(name='x', build=given, layout=Layout(8, 8, 14, 1, 1), stages=(stage,))\n\n\n"
        "a, b, c = recipe(build), recipe(closed(1)), recipe(closed(2))\nd = recipe(lambda seed, scale: 1)\n"
        "e = recipe(lambda seed, scale: 2)\n"
    )

    def given(base: int, name: str, folder: str = "one") -> str:
        (tmp_path / folder).mkdir(exist_ok=True)
        path = written(tmp_path / folder, code=code.replace("BASE", str(base)))
        return catalogue.find(f"{path}:{name}").identity

    assert given(100, "a") != given(10_000, "a") and given(100, "a") == given(100, "a", "two")
    assert len({given(100, name) for name in "abcde"}) == 5
    one = catalogue.find(f"{tmp_path}/one/own.py:a")  # what was run counts, not what the file says since
    before = one.identity
    written(tmp_path / "one", code=code.replace("BASE", "7"))
    assert one.identity == before != given(7, "a")
    other = catalogue.find(f"{written(tmp_path / 'two', code=code.replace('BASE', '8'))}:a")
    assert other.identity not in (before, given(7, "a")) and one.identity == before


def test_all_of_an_array_is_part_of_the_identity() -> None:
    arrays = [np.zeros(5000), np.zeros(5000), np.zeros((50, 100)), np.zeros(5000, "float32")]
    arrays[1][2500] = 7
    tensors = [torch.from_numpy(one) for one in arrays]
    every = [described(one) for one in (*arrays, *tensors)]
    assert len(set(every)) == 8 and described(arrays[0].copy()) == every[0]
    assert described(torch.zeros(3, dtype=torch.bfloat16)).startswith("tensor(torch.bfloat16, (3,), sha256 ")
    objects = [np.array([{n}] * 2000, dtype=object) for n in (1, 2)]
    assert described(objects[0]) != described(objects[1])


class Drawn:
    """An object with no `repr` of its own."""

    def __init__(self, base: int) -> None:
        self.base = base

    def __call__(self) -> int:
        return self.base


def test_what_an_object_holds_is_part_of_the_identity() -> None:
    assert described(Drawn(1)) == described(Drawn(1)) != described(Drawn(2))
    assert described(Drawn(1).__call__) != described(Drawn(2).__call__)

    def calls_itself() -> Any:
        return calls_itself

    assert "calls_itself" in described(calls_itself)


def test_a_run_that_goes_on_under_other_conditions_says_so(command: Command, own: Path, tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        loop.train(catalogue.find(str(own)), tmp_path / "out.training", progress=stop_at("second", 2))
    rewritten(conditions=lambda old: old | {"CPU threads": 77, "torch": "0.1"})(
        tmp_path / "out.training" / checkpoints.NAME
    )
    code, _, err = command("train", own, "--out", tmp_path / "out", "--threads", 1)
    assert code == 0 and "so it will not end bit for bit as one that was not stopped" in err
    assert f": CPU threads 77, now 1; torch 0.1, now {torch.__version__}" in err and "device" not in err
    with pytest.raises(KeyError):
        loop.train(catalogue.find(str(own)), tmp_path / "same", progress=stop_at("second", 2))
    assert (
        "warning" not in command("train", own, "--out", tmp_path / "b", "--work", tmp_path / "same", "--threads", 1).err
    )


def test_a_snapshot_of_a_step_that_has_passed_is_refused(command: Command, own: Path, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with pytest.raises(KeyError):
        loop.train(catalogue.find(str(own)), work, progress=stop_at("second", 2), snapshots=[3])
    code, _, err = command("train", own, "--out", tmp_path / "out", "--work", work, "--snapshots", "3,4,9")
    assert code == 2 and "The training is past the step of a snapshot" in err and "got:   4; 8 steps are done" in err
    assert "give steps above 8, or begin anew in another folder for checkpoints (--work)" in err
    assert command("train", own, "--out", tmp_path / "out", "--work", work, "--snapshots", "3,9").code == 0
    assert sorted(path.name for path in work.glob("step-*")) == ["step-000003", "step-000009"]
    finished = command("train", own, "--out", tmp_path / "b", "--work", work, "--snapshots", "4")
    assert finished.code == 2 and "got:   4; 11 steps are done" in finished.err


def test_two_trainings_do_not_write_into_one_folder(command: Command, own: Path, tmp_path: Path) -> None:
    work = tmp_path / "out.training"
    work.mkdir()
    with lock.held(work, lock.TRAINING):
        code, _, err = command("train", own, "--out", tmp_path / "out")
    assert code == 3 and "Another training is writing into this folder" in err and "give another --work" in err
    assert not list(work.iterdir()) and not (tmp_path / "out").exists()
    assert command("train", own, "--out", tmp_path / "out").code == 0 and not list(work.glob("*.lock"))


@pytest.mark.parametrize("work", ["out", "out/work"])
def test_checkpoints_on_the_way_do_not_lie_in_the_folder_of_the_checkpoint(
    command: Command, own: Path, tmp_path: Path, work: str
) -> None:
    code, _, err = command("train", own, "--out", tmp_path / "out", "--work", tmp_path / work)
    assert code == 2 and "lies in the one for the checkpoint" in err and not (tmp_path / "out").exists()


def test_a_recipe_that_takes_photographs_has_a_field_for_them(command: Command, tmp_path: Path) -> None:
    own = written(tmp_path, more="\nline = Line(name='line', photographs=True)\n")
    code, _, err = command("train", own, "--out", tmp_path / "out", "--photos", tmp_path)
    assert code == 2 and "has no field for what it asks of them" in err and "got:   Line" in err


def test_a_recipe_is_a_built_in_one_by_all_that_it_does() -> None:
    plain = catalogue.recipes()["plain"]
    assert isinstance(plain, Answering)
    assert _is_builtin(plain) and _is_builtin(replace(plain, seed=3)) and _is_builtin(replace(plain, save_every=7))
    assert not _is_builtin(replace(plain, stages=plain.stages[:1]))
    assert not _is_builtin(replace(plain, size="small"))
    assert not _is_builtin(replace(plain, name="mine"))
    cut = catalogue.recipes()["cutouts"]
    assert isinstance(cut, Answering) and _is_builtin(replace(cut, asks=partial(max, 1)))


def test_the_command_on_a_card_by_hand() -> None:
    every = catalogue.recipes()
    plain, second, cut = every["plain"], every["staged-2"], every["cutouts"]
    assert isinstance(plain, Answering) and isinstance(second, Answering) and isinstance(cut, Answering)
    assert card.command_of(plain) == "backsight train plain --out DIR"
    assert card.command_of(replace(plain, seed=3), "cuda", "bf16") == (
        "backsight train plain --seed 3 --device cuda --precision bf16 --out DIR"
    )
    assert second.seed == 1 and card.command_of(second) == "backsight train staged-2 --out DIR"
    assert card.command_of(replace(second, seed=0)) == "backsight train staged-2 --seed 0 --out DIR"
    assert card.command_of(cut) == "backsight train cutouts --photos DIR --out DIR"


def test_the_page_names_the_recipes_that_take_more_than_forty_minutes() -> None:
    long = {name: one.minutes["tiny"] for name, one in catalogue.recipes().items() if one.minutes["tiny"] > 40}
    order = sorted(long, key=lambda name: -long[name])
    names, minutes = [f"`{name}`" for name in order], [f"{long[name]:g}" for name in order]
    words = f"{', '.join(names[:-1])} and {names[-1]} take longer ({', '.join(minutes[:-1])} and {minutes[-1]} minutes)"
    text = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")
    assert words in " ".join(text.split())


def test_largest_seeds_are_one() -> None:
    assert shared.LARGEST_SEED == sweep_file.LARGEST_SEED


def test_curves_of_a_log_by_hand() -> None:
    def rows(phase: str, *steps: tuple[int, str, float]) -> list[dict[str, Any]]:
        return [dict(phase=phase, step=s, seconds=1.0, figure=f, value=v) for s, f, v in steps]

    given = [
        *rows("one", (0, "first loss", 4.0), (2, "loss", 3.0), (2, "accuracy: a", 0.5), (2, "rate", 0.1)),
        *rows("two", (0, "first loss", 9.0), (3, "loss", 1.0), (3, "rate", 0.1)),
    ]
    placed = learning.placed(Table.of(learning.TRAINING, given))
    loss = placed[placed["figure"].isin(["loss", "first loss"])]
    assert list(zip(loss["at"], loss["value"], strict=True)) == [(0, 4.0), (2, 3.0), (2, 9.0), (5, 1.0)]
    figure = learning.curves(Table.of(learning.TRAINING, given))
    titles = [axis.get_title(loc="left") for axis in figure.axes]
    assert titles == ["Loss", "Accuracy in training", "Rate"]
    one, two = (line.get_xydata().tolist() for line in figure.axes[0].lines[:2])  # no line goes across the phases' end
    assert one == [[0, 4], [2, 3]] and two == [[2, 9], [5, 1]]


def test_a_card_says_how_each_phase_ended() -> None:
    rows = [dict(phase=p, step=s, seconds=1.0, figure=f, value=v) for p, s, f, v in (
        ("one", 0, "first loss", 4.0), ("one", 1, "loss", 3.0), ("one", 2, "loss", 2.5), ("one", 2, "rate", 0.1),
        ("two", 0, "first loss", 9.0), ("two", 1, "loss", 1.0), ("two", 1, "accuracy: a", 0.25),
    )]  # fmt: skip
    text = learning.card(Table.of(learning.TRAINING, rows, {"recipe": "toy", "seed": 3, "size": "tiny"}))
    assert text.startswith("# toy, seed 3, size tiny\n\n")
    assert "- one: 2 steps; at the end loss 2.5\n" in text
    assert "- two: 1 step; at the end accuracy: a 0.25, loss 1\n" in text


def console() -> tuple[Console, io.StringIO]:
    stream = io.StringIO()
    return Console(file=stream, width=200), stream


def test_progress_in_a_file_names_steps_figures_and_the_time_that_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 30.0, 60.0, 90.0, 120.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    shown, stream = console()
    with terminal.training_progress(shown, {"one": 2, "two": 3}) as progress:
        for phase, step in (("one", 1), ("one", 2), ("two", 1), ("two", 2), ("two", 3)):
            progress(phase, step, 3, {"loss": 1.5, "accuracy: a": 0.25, "rate": 1e-3})
    first, second, *_, last = stream.getvalue().splitlines()
    assert first == "backsight: step 1 of 5, one: loss 1.500, accuracy: a 0.25"  # nothing is known of the time yet
    assert second.endswith("step 2 of 5, one: loss 1.500, accuracy: a 0.25, about 2 min left")  # 3 steps of 30 s
    assert last == "backsight: step 5 of 5, two: loss 1.500, accuracy: a 0.25"


def test_the_time_that_is_left_by_hand() -> None:
    assert terminal.remaining(60.0, 10, 5) == ", about 30 s left"
    assert terminal.remaining(60.0, 1, 90) == ", about 90 min left"
    assert terminal.remaining(60.0, 0, 5) == terminal.remaining(60.0, 5, 0) == ""
    assert terminal.training_line("p", {"loss": 2.0, "rate": 1.0}) == "p: loss 2.000"


def test_progress_of_a_sweep_in_a_file_says_how_each_run_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 60.0, 120.0])
    monkeypatch.setattr(terminal.time, "monotonic", lambda: next(clock))
    shown, stream = console()
    with terminal.sweep_progress(shown, ["a-0", "a-1"], 3) as progress:
        for done in range(1, 11):
            progress("a-0", "training", done, 10, f"loss {done}")
        progress("a-0", terminal.ENDED, 1, 1, "")
        progress("a-1", terminal.ENDED, 1, 1, "no luck")
    lines = [line.removeprefix("backsight: ") for line in stream.getvalue().splitlines()]
    assert lines[0] == "2 of 3 runs to do" and lines[1] == "a-0: training, 10 %, loss 1"
    assert lines[2:7] == [f"a-0: training, {20 * n} %, loss {2 * n}" for n in range(1, 6)]
    assert lines[7:] == ["a-0: done; 1 of 2 runs, about 1 min left", "a-1: failed: no luck; 2 of 2 runs"]


def test_bars_of_runs_that_ended_leave_the_terminal() -> None:
    stream = io.StringIO()
    shown = Console(file=stream, force_terminal=True, width=100, height=24)
    with terminal.sweep_progress(shown, [f"r-{n}" for n in range(36)], 36) as progress:
        for n in range(36):
            for what in ("training", "study"):
                progress(f"r-{n}", what, 1, 10, "words")
                progress(f"r-{n}", what, 10, 10, "words")
            if n < 35:
                progress(f"r-{n}", terminal.ENDED, 1, 1, "")
    below = stream.getvalue().rsplit("r-35: study", 1)[1]  # of what is drawn last, behind the run that goes on
    shown_last = stream.getvalue().rsplit("\x1b[2K", 1)[1]
    assert "r-35: study" in shown_last and shown_last.count(" % ") == 2 and below.count(" % ") == 1
