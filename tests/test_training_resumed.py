"""Going on after a kill, wherever it falls: weights, log and identity are those of a run that was not killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight.tables import Table
from backsight.training import checkpoints, cutouts, positional, positions
from backsight.training.answering import Answering, AnsweringLearner, Stage
from backsight.training.identity import described
from backsight.training.loop import Precision, train
from backsight.training.positions import Teaching
from backsight.training.recipes import CUTOUTS
from backsight.training.scale import SCALE

STAGE = Stage("first", 2, mixture={"squares": 1.0}, images=2, warmup=1)
LITTLE = replace(
    SCALE, save_every=1, stages=(STAGE, replace(STAGE, name="second", fresh=True, taught=Teaching()),
                                 replace(STAGE, name="third", steps=1)),
)  # fmt: skip
# Frozen position table and an addition that learns, a read-out beside the model, output embeddings that are tied.
RELATIVE = replace(positional.RECIPES["positions-vision-relative"], save_every=1, stages=(
    replace(STAGE, taught=Teaching(), answers=False), replace(STAGE, name="second", fresh=True),
))  # fmt: skip


class KilledError(Exception):
    pass


def dying(monkeypatch: pytest.MonkeyPatch, of: Any, name: str, number: int, *, after: bool) -> None:
    """Let the `number`th call of a function end the run, before or after it does its work."""
    original: Callable[..., Any] = getattr(of, name)
    calls = [0]

    def dies(*args: Any, **given: Any) -> Any:
        calls[0] += 1
        if calls[0] == number and not after:
            raise KilledError
        result = original(*args, **given)
        if calls[0] == number:
            raise KilledError
        return result

    monkeypatch.setattr(of, name, dies)


def weights(learner: Any) -> dict[str, torch.Tensor]:
    return {name: weight.detach() for name, weight in learner.module.named_parameters()}


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def log(folder: Path) -> list[tuple[Any, ...]]:
    rows = Table.read(folder / "training.parquet").rows()
    return [(row["phase"], row["step"], row["figure"], row["value"]) for row in rows]


@pytest.fixture(scope="module", params=[LITTLE, RELATIVE], ids=["tied", "frozen and added"])
def recipe(request: pytest.FixtureRequest) -> Answering:
    given: Answering = request.param
    return given


@pytest.fixture(scope="module")
def whole(recipe: Answering, tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, torch.Tensor], list[Any]]:
    folder = tmp_path_factory.mktemp("whole")
    return weights(train(recipe, folder)), log(folder)


@pytest.mark.parametrize("after", [False, True], ids=["before it is written", "before the log is"])
@pytest.mark.parametrize("number", [2, 3, 4])  # 2: the last of a phase; 3: the first of a fresh one
def test_a_kill_at_any_checkpoint_changes_nothing(
    number: int, after: bool, recipe: Answering, whole: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        dying(patched, checkpoints, "save", number, after=after)
        with pytest.raises(KilledError):
            train(recipe, tmp_path)
    assert same(weights(train(recipe, tmp_path)), whole[0])
    assert log(tmp_path) == whole[1]


def test_a_log_that_was_not_written_behind_the_last_checkpoint_is_written_by_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = replace(LITTLE, stages=(STAGE,), save_every=100)
    with monkeypatch.context() as patched:
        dying(patched, checkpoints, "save", 1, after=True)
        with pytest.raises(KilledError):
            train(recipe, tmp_path)
    assert not (tmp_path / "training.parquet").exists()
    train(recipe, tmp_path)
    assert [row[1] for row in log(tmp_path) if row[2] == "loss"] == [2]


def test_bfloat16_on_a_cpu_goes_on_bit_for_bit_and_is_another_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precision: Precision = "bf16"
    whole = weights(train(LITTLE, tmp_path / "a", precision=precision))
    with monkeypatch.context() as patched:
        dying(patched, checkpoints, "save", 3, after=True)
        with pytest.raises(KilledError):
            train(LITTLE, tmp_path / "b", precision=precision)
    assert same(weights(train(LITTLE, tmp_path / "b", precision=precision)), whole)
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in whole.values())
    assert not same(weights(train(LITTLE, tmp_path / "c")), whole)


def test_two_threads_end_in_the_same_weights_each_time(tmp_path: Path) -> None:
    """The gradient of a table that thousands of elements are taken from: its sums hang on the order of the threads."""
    stages = (replace(STAGE, steps=1),)
    recipe = replace(positional.RECIPES["positions-language-relative"], save_every=9, stages=stages)
    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, *others = (weights(train(recipe, tmp_path / str(run))) for run in range(4))
    finally:
        torch.set_num_threads(threads)
    assert all(same(one, first) for one in others)
    assert torch.are_deterministic_algorithms_enabled() == before


class Photographs:
    """Stands for the cut-outs of a folder: what tells them apart is their digest."""

    def __init__(self, digest: str) -> None:
        self.digest = digest


def test_what_is_asked_is_part_of_the_identity() -> None:
    def given(digest: str, real: float = 0.5) -> str:
        return replace(CUTOUTS, asks=cutouts.Asker(Photographs(digest), real)).identity  # type: ignore[arg-type]

    assert given("a") == given("a")
    assert len({given("a"), given("b"), given("a", real=0.1), CUTOUTS.identity}) == 4
    assert described(cutouts.Asker(Photographs("a"), 0.5)) == "Asker(a, 0.5)"  # type: ignore[arg-type]
    one, other = (positional.RECIPES[f"positions-{name}"].identity for name in ("none", "vision-learned"))
    assert one.partition("positions-none")[2] != other.partition("positions-vision-learned")[2]


def test_a_read_out_does_not_slow_the_model_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The norm at which gradients are clipped is the model's own, as when the built-in models were trained."""
    clipped: list[set[int]] = []
    original = torch.nn.utils.clip_grad_norm_

    def watched(weights: Any, norm: float) -> torch.Tensor:
        given = list(weights)
        clipped.append({id(weight) for weight in given})
        return original(given, norm)

    monkeypatch.setattr(torch.nn.utils, "clip_grad_norm_", watched)
    learner = train(RELATIVE, tmp_path, max_steps=1)
    assert isinstance(learner, AnsweringLearner) and learner.reader is not None
    assert clipped == [{id(weight) for weight in learner.model.parameters()}] * 2
    untaught = positions.reader(learner.reader.in_features, RELATIVE.seed)
    assert not torch.equal(learner.reader.weight, untaught.weight)  # it learns all the same
