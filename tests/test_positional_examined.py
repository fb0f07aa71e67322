"""The examination of a model of the positional experiment: its conditions, its answers, its rows."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backsight.errors import DataError
from backsight.models.vlm import VLM
from backsight.results.positional.tables import CONDITIONS, TRAINED, UNSEEN
from backsight.stimuli import whole_cells
from backsight.studies.positional import answers, examine, learned, weights
from backsight.studies.positional.answers import accuracies, conditions
from backsight.training import loop, positional
from backsight.training.packing import Packer
from backsight.training.recipe import SCALES

SETTINGS = {one.name: one for one in positional.SETTINGS}


def test_conditions_show_the_same_rows_at_every_size() -> None:
    by = {one.name: one for one in conditions(16)}
    assert tuple(by) == CONDITIONS
    assert by["larger, cells"].placed == by[TRAINED].placed == by["wide, fractions"].placed
    assert by["larger, fractions"].grid == (12, 12) and by["tall, cells"].grid == (8, 12)
    assert all(x < positional.TRAINED_COLUMNS for one in by[TRAINED].placed for x, _ in one.cells)
    for one in by[UNSEEN].placed:
        beyond = [x >= positional.TRAINED_COLUMNS for x, _ in one.cells]
        assert all(beyond) if one.axis == "vertical" else any(beyond)
    for condition in by.values():
        for one in condition.placed:
            whole_cells.scene(one, *condition.grid, 14, condition.placement)  # which refuses what is off the grid


@pytest.mark.parametrize("name", ["vision-learned", "mrope-interleaved"])
def test_packed_answers_are_those_of_the_model_asked_one_by_one(name: str) -> None:
    model, processor = positional.build(SETTINGS[name], 0, SCALES["tiny"])
    condition = replace(next(conditions(2)), name=TRAINED)
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
    rows = accuracies(vlm, SETTINGS["none"], condition)  # type: ignore[arg-type]
    by = {(row["measure"], row["axis"]): row for row in rows}
    assert by["relation", "all"]["value"] == 0.5 == by["relation", "all"]["null"]  # left or right, one of them
    assert by["relation", "all"]["n"] == 64 and by["presence", "horizontal"]["n"] == 16
    red = sum(one.names[0] == "red" or one.names[2] == "red" for one in condition.placed)
    assert by["relation_of_all", "all"]["value"] == pytest.approx(red / 64)


def test_a_folder_without_a_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="log is not there"):
        examine(tmp_path)


@pytest.mark.slow
def test_a_trained_model_is_examined_whole(tmp_path: Path) -> None:
    recipe = replace(positional.RECIPES["positions-mrope-chunked"], seed=3)
    place = tmp_path / "mrope-chunked-3.training"
    loop.train(recipe, place, max_steps=2).save(tmp_path / "mrope-chunked-3")
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
