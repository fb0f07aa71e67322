"""The examination of a model of the positional experiment: its conditions, its answers, its rows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from backsight.errors import DataError
from backsight.models.vlm import VLM
from backsight.results.positional.settings import BY_NAME
from backsight.results.positional.tables import CONDITIONS, POSITIONAL, TRAINED, UNSEEN
from backsight.stimuli import rows, whole_cells
from backsight.studies.positional import answers, examine, key, learned, recipe_of, weights
from backsight.studies.positional.answers import accuracies, conditions
from backsight.tables import Table
from backsight.training import loop, positional
from backsight.training.answering import Answering
from backsight.training.packing import Packer
from backsight.training.recipe import SCALES


def script(name: str) -> Any:
    """A command of benchmarks/ as a module."""
    spec = spec_from_file_location(name, Path(__file__).parents[1] / "benchmarks" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SETTINGS = {one.name: one for one in positional.SETTINGS}


def test_conditions_show_the_same_rows_at_every_size() -> None:
    by = {one.name: one for one in conditions(16)}
    assert tuple(by) == CONDITIONS
    assert by["larger, cells"].placed == by[TRAINED].placed == by["wide, fractions"].placed
    assert by["larger, fractions"].grid == (12, 12) and by["tall, cells"].grid == (8, 12)
    assert all(x < positional.TRAINED_COLUMNS for one in by[TRAINED].placed for x, _ in one.cells)
    for one in by[UNSEEN].placed:
        assert one.axis == "vertical" and all(x >= positional.TRAINED_COLUMNS for x, _ in one.cells)
    for condition in by.values():
        assert len(condition.placed) == 16
        for one, reverse in zip(condition.placed[::2], condition.placed[1::2], strict=True):
            assert (one.cells, one.axis, one.names[::-1]) == (reverse.cells, reverse.axis, reverse.names)
            assert not {one.names, reverse.names} & set(rows.held_out("squares"))  # training shows both
        for one in condition.placed:
            whole_cells.scene(one, *condition.grid, 14, condition.placement)  # which refuses what is off the grid


@pytest.mark.parametrize("name", ["vision-learned", "mrope-interleaved"])
def test_packed_answers_are_those_of_the_model_asked_one_by_one(name: str) -> None:
    model, processor = positional.build(SETTINGS[name], 0, SCALES["tiny"])
    condition = replace(next(conditions(4)), name=TRAINED)
    packer = Packer(model, processor, positional.RECIPES["positions-none"].system)
    asked = [answers._asked(one, condition, np.random.default_rng(2)) for one in condition.placed]
    with torch.no_grad(), VLM(model.eval(), processor, check=False) as vlm:
        packed = torch.cat([scores[:2] for scores in answers._of_pictures(model, packer, asked)])
        examples = whole_cells.examples(condition.placed)
        assert [e.question for e in examples] == [q for one, _ in asked for q, _ in one.questions[:2]]
        single = vlm.forward(vlm.prepare(list(examples))).float()
    torch.testing.assert_close(packed, single, rtol=1e-4, atol=1e-4)


def test_a_gray_picture_is_answered_as_asked_one_by_one() -> None:
    model, processor = positional.build(SETTINGS["vision-learned"], 0, SCALES["tiny"])
    condition = next(conditions(4))
    packer = Packer(model, processor, positional.RECIPES["positions-none"].system)
    asked = [answers._asked(one, condition, np.random.default_rng(2))[0] for one in condition.placed]
    with torch.no_grad(), VLM(model.eval(), processor, check=False) as vlm:
        gray = torch.cat([scores[:2] for scores in answers._of_gray(model, packer, asked)])
        blank = [example.blank() for example in whole_cells.examples(condition.placed)]
        single = vlm.forward(vlm.prepare(blank)).float()
    torch.testing.assert_close(gray, single, rtol=1e-4, atol=1e-4)


def test_a_model_that_always_names_the_first_color_is_right_by_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores are replaced by fixed ones: red first, gray last."""
    model, processor = positional.build(SETTINGS["none"], 0, SCALES["tiny"])
    packer = Packer(model, processor, "")
    fixed = torch.zeros(model.config.text_config.vocab_size)
    for rank, color in enumerate(("red", "green", "blue", "black", "brown", "gray")):
        fixed[packer.answer_id(color)] = 6 - rank
    monkeypatch.setattr(answers, "_of_pictures", lambda model, packer, asked: [fixed.expand(3, -1)] * len(asked))
    monkeypatch.setattr(answers, "_of_gray", lambda model, packer, asked: [fixed.expand(3, -1)] * len(asked))
    condition = next(conditions(32))
    vlm = SimpleNamespace(model=model, processor=processor)
    answered = accuracies(vlm, SETTINGS["none"], condition)  # type: ignore[arg-type]
    by = {(row["measure"], row["axis"]): row for row in answered}
    assert by["mirrored", "all"]["value"] == 0.0 == by["mirrored", "all"]["null"]
    assert by["mirrored", "all"]["n"] == 32  # 16 pairs, two questions
    assert by["relation", "all"]["value"] == 0.5 == by["relation", "all"]["null"]  # left or right, one of them
    assert by["relation", "all"]["n"] == 64 and by["presence", "horizontal"]["n"] == 16
    red = sum(one.names[0] == "red" or one.names[2] == "red" for one in condition.placed)
    assert by["relation_of_all", "all"]["value"] == pytest.approx(red / 64)


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log is not there"):
        examine(tmp_path)


def trained(folder: Path, monkeypatch: pytest.MonkeyPatch, steps: int = 2) -> Answering:
    """A model of a recipe that takes so many steps."""
    whole = positional.RECIPES["positions-mrope-chunked"]
    short = replace(whole, seed=3, stages=tuple(replace(stage, steps=steps) for stage in whole.stages))
    monkeypatch.setattr(positional, "RECIPES", {**positional.RECIPES, whole.name: short})
    loop.train(short, folder.with_name(f"{folder.name}.training")).save(folder)
    return short


def test_a_training_that_is_not_the_recipes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mrope-chunked-3"
    recipe = trained(folder, monkeypatch)
    assert recipe_of(folder) == recipe
    before = key(folder, 8)
    assert key(folder, 12) != before  # other pictures are another examination
    faster = replace(recipe, stages=tuple(replace(stage, rate=1e-3) for stage in recipe.stages))
    monkeypatch.setattr(positional, "RECIPES", {recipe.name: faster})
    with pytest.raises(DataError, match="belongs to another recipe"):
        examine(folder)
    longer = replace(recipe, stages=tuple(replace(stage, steps=9) for stage in recipe.stages))
    monkeypatch.setattr(positional, "RECIPES", {recipe.name: longer})
    with pytest.raises(DataError, match=r"'answers': 2\}, not \{'answers': 9"):
        examine(folder)
    monkeypatch.setattr(positional, "RECIPES", {recipe.name: recipe})
    (folder / "config.json").write_text((folder / "config.json").read_text() + " ")
    assert key(folder, 8) != before


def test_kept_rows_of_another_model_or_examination_are_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    benchmark = script("positional")
    folder, kept = tmp_path / "none-0", tmp_path / "kept"
    asked: list[int] = []
    now = {"weights": "a", "pictures": 8}

    def examined(folder: Path, *, count: int) -> Table:
        asked.append(count)
        return Table.of(POSITIONAL, [], {**now, "cores": 2})

    monkeypatch.setattr(benchmark.positional, "key", lambda folder, count: {**now, "pictures": count})
    monkeypatch.setattr(benchmark.positional, "examine", examined)
    with pytest.raises(DataError, match="no rows of this model as it is now"):
        benchmark._rows(folder, kept, 8, only_kept=True)
    for pictures, digest in ((8, "a"), (8, "a"), (8, "b"), (12, "b"), (12, "b")):
        now |= {"weights": digest, "pictures": pictures}
        benchmark._rows(folder, kept, pictures, only_kept=False)
    assert asked == [8, 8, 12]


@pytest.mark.slow
def test_a_trained_model_is_examined_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "mrope-chunked-3.training"
    trained(tmp_path / "mrope-chunked-3", monkeypatch)
    table = examine(tmp_path / "mrope-chunked-3", count=8)
    frame = table.frame
    assert set(frame["setting"]) == {"mrope-chunked"} and set(frame["seed"]) == {3}
    assert set(frame.loc[frame["measure"] == "relation", "condition"]) == set(CONDITIONS)
    ranges = frame[(frame["measure"] == "phase_range") & (frame["condition"] == "language")].set_index("axis")["value"]
    # Base 10,000, 16 pairs: rows have pairs 4 to 9, columns 10 to 15; seven steps over eight cells.
    assert ranges["vertical"] == pytest.approx(7 * 10_000 ** (-4 / 16))
    assert ranges["horizontal"] == pytest.approx(7 * 10_000 ** (-10 / 16))
    assert {"pathway", "verdict", "probe", "norm_ratio", "psi"} <= set(frame["measure"])
    assert table.provenance["weights"] == weights(tmp_path / "mrope-chunked-3") != weights(tmp_path)
    steps = learned(table, tmp_path).frame
    assert set(steps["axis"]) == {"horizontal", "vertical"} and set(steps["n"]) == {2}
    shutil.rmtree(place)
    assert len(learned(table, tmp_path)) == 0


def test_what_is_missing_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = positional.RECIPES["positions-mrope-chunked"]
    short = replace(whole, stages=tuple(replace(stage, steps=1, images=2) for stage in whole.stages))
    monkeypatch.setattr(positional, "RECIPES", {whole.name: short})
    benchmark = script("positional")
    benchmark._train(tmp_path, 2)
    assert [recipe_of(tmp_path / f"mrope-chunked-{seed}").seed for seed in (0, 1)] == [0, 1]
    before = weights(tmp_path / "mrope-chunked-0")
    assert before != weights(tmp_path / "mrope-chunked-1")
    monkeypatch.setattr(benchmark.loop, "train", None)  # nothing is missing now
    benchmark._train(tmp_path, 2)
    assert weights(tmp_path / "mrope-chunked-0") == before


def test_the_page_takes_its_numbers_from_the_recipes() -> None:
    how = script("positional").how((2,))
    recipe = positional.RECIPES["positions-none"]
    assert how.taught == (recipe.phases[0].steps, recipe.stages[0].images) and how.read == recipe.phases[1].steps
    other = positional.RECIPES["positions-language-relative"]
    assert (how.answers, how.images) == (other.phases[0].steps, other.stages[0].images) and len(other.phases) == 1
    taught = {name for name, one in positional.RECIPES.items() if one.stages[0].taught is not None}
    assert taught == {f"positions-{one.name}" for one in BY_NAME.values() if one.part != "language model"}
