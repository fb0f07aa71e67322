"""Families: what one must say, what lacks a capability says so, and one from outside whose pictures give two views."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backsight.errors import CannotAnswer, ContractError, GridError, ModelError, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.grid import TokenGrid
from backsight.measurements import Behaviour, Creg, Roads
from backsight.models import contracts, embeds, grid_contract
from backsight.models.families import FAMILIES, Family, common
from backsight.models.families.common import Processed, Size
from backsight.models.small import QWEN_CHAT, tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.stimuli import squares
from backsight.studies import Study
from backsight.studies.defaults import default_sets
from backsight.training.questions import corpus

from .conftest import parts


def split(image: Image.Image) -> list[Image.Image]:
    """The left half of a picture and its right half."""
    width, height = image.size
    return [image.crop((0, 0, width // 2, height)), image.crop((width // 2, 0, width, height))]


class Halves:
    """A processor, or an image processor, that is given the halves of each picture."""

    def __init__(self, inner: Any, image_processor: Any = None) -> None:
        self.inner, self.image_processor = inner, image_processor

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def __call__(self, images: Any, **kwargs: Any) -> Any:
        if "text" in kwargs:
            return self.inner(images=[split(image) for (image,) in images], **kwargs)
        return self.inner([half for image in images for half in split(image)], **kwargs)


def halves(config: Any, size: Size, processed: Processed, index: int) -> TokenGrid:
    """Two views a picture, the left half before the right one."""
    merge, (width, height) = config.vision_config.spatial_merge_size, size
    views = []
    for view in (0, 1):
        _, rows, columns = (int(n) for n in processed["image_grid_thw"][2 * index + view])
        one = TokenGrid.rectangle(rows // merge, columns // merge, (width // 2, height))
        shift = np.array([view * (width // 2), 0, view * (width // 2), 0])
        views.append((one, one.box + shift))
    first, second = views
    return TokenGrid(
        size,
        kind=np.concatenate([first[0].kind, second[0].kind]),
        view=np.repeat([0, 1], [len(first[0]), len(second[0])]),
        row=np.concatenate([first[0].row, second[0].row]),
        column=np.concatenate([first[0].column, second[0].column]),
        box=np.concatenate([first[1], second[1]]),
    )


def swapped(config: Any, size: Size, processed: Processed, index: int) -> TokenGrid:
    """The two views taken for each other."""
    right = halves(config, size, processed, index)
    return replace(right, box=np.roll(right.box, len(right) // 2, axis=0))


def two_views(grid: Any = halves) -> dict[str, Any]:
    """A tiny Qwen2-VL that sees every picture as two halves, under a family of its own."""
    model, processor = tiny("qwen2_vl", corpus())
    image = "<|vision_start|><|image_pad|><|vision_end|>"
    assert image in QWEN_CHAT
    processor.chat_template = QWEN_CHAT.replace(image, image * 2)
    family = replace(
        FAMILIES["qwen2_vl"], model_type="halves_vl", name="Halves-VL", grid=grid,
        capabilities=FAMILIES["qwen2_vl"].capabilities - {common.ONE_GRID},
    )  # fmt: skip
    return {"model": model, "processor": Halves(processor, Halves(processor.image_processor)), "family": family}


def noise(number: int, size: Size) -> Example:
    rng = np.random.default_rng(number)
    image = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    return Example(f"noise-{number}", MemoryPicture(image), "Where is it?", ("left", "right"), "left")


def test_a_family_of_two_views_from_outside_opens_and_passes_every_contract() -> None:
    vlm = VLM(**two_views())
    grid = vlm.grid
    assert not grid.is_rectangle and set(grid.view.tolist()) == {0, 1}
    with pytest.raises(GridError, match="has no rows and columns"):
        _ = grid.rows
    findings = {f.name: f for f in contracts.all_of(vlm)}
    assert [f"{f.name}: {f.detail}" for f in findings.values() if not f.passed] == []
    assert not findings["the token grid is right"].warning


def test_prompts_of_two_views_hold_the_tokens_of_both() -> None:
    """Pictures of two sizes in one batch: each has a grid of its own, and its views' tokens in the prompt's order."""
    vlm = VLM(**two_views(), check=False)
    examples = [noise(0, (336, 336)), noise(1, (448, 224))]
    batch = vlm.prepare(examples)
    assert [len(g) for g in batch.grids] == batch.image_mask.sum(1).tolist()
    assert batch.grids[0].size == (336, 336) and batch.grids[1].size == (448, 224)
    right = batch.grids[1].view == 1
    assert batch.grids[1].box[right][:, 0].min() == 224 and batch.grids[1].box[~right][:, 2].max() == 224
    each = embeds.of_pictures(vlm, [e.picture for e in examples])
    torch.testing.assert_close(torch.cat(each), embeds.of_batch(vlm, batch), atol=1e-5, rtol=0)
    assert len(Behaviour(batch=2)(vlm, squares()[:2])) > 0


def test_a_study_of_two_views_says_what_needs_one_rectangle(tmp_path: Path) -> None:
    vlm = VLM(**two_views(), check=False)
    mine = ExampleSet("mine", tuple(noise(n, (336, 336)) for n in range(3)))
    folder = tmp_path / "study"
    Study(vlm, [mine], folder, measurements=[Behaviour(batch=2), Creg()]).run()
    record = json.loads((folder / "study.json").read_text())
    assert record["model"]["grid"] == {"tokens": len(vlm.grid), "views": 2}
    assert [job["kind"] for job in record["jobs"]] == ["behaviour"]
    skipped = {one["measurement"]: one["reason"] for one in record["skipped"]}
    assert common.LACKING[common.ONE_GRID] in skipped["rotary phases"]
    assert not list(folder.rglob("position_budget*"))
    sets, left_out = default_sets(vlm)
    assert [one.name for one in sets] == ["tabletop_a", "tabletop_b"]  # laid out in pixels
    assert {one.measurement for one in left_out} == {"all"} and "no rows and columns" in left_out[0].reason
    assert "rotary phases" in write_report(folder).read_text(encoding="utf-8")


def test_views_taken_for_each_other_are_refused() -> None:
    vlm = VLM(**two_views(swapped), check=False)
    finding = grid_contract.grid(vlm)
    assert not finding.passed and "1 views further fits better" in finding.detail and "`Family.grid`" in finding.do
    with pytest.raises(ContractError, match="the token grid is right"):
        VLM(**two_views(swapped))


def test_features_that_do_not_fill_the_grid_are_refused() -> None:
    model, processor = parts("qwen2_vl")
    half = replace(FAMILIES["qwen2_vl"], features=lambda model, inputs: common.image_features(model, inputs)[::2])
    finding = grid_contract.grid(VLM(model, processor, family=half, check=False))
    assert not finding.passed and "image embeddings for 10 pictures with grids of" in finding.detail


@pytest.mark.parametrize(("lacking", "sentence"), list(common.LACKING.items()))
def test_what_an_architecture_lacks_is_said(lacking: str, sentence: str) -> None:
    family = replace(FAMILIES["qwen2_vl"], capabilities=frozenset(), patches=None)
    with pytest.raises(CannotAnswer) as caught:
        common.demand(family, {lacking})
    assert (caught.value.what, caught.value.got) == (sentence, "Qwen2-VL")
    common.demand(replace(family, capabilities=frozenset(common.LACKING), patches="merged"), common.LACKING)


def test_a_measurement_asks_for_capabilities_before_anything_runs() -> None:
    vlm = VLM(**two_views(), check=False)
    with pytest.raises(CannotAnswer, match="The image tokens of this architecture are not one rectangle of cells"):
        Roads()(vlm, squares()[:2])
    deep = VLM(*parts("qwen3_vl"), check=False)
    with pytest.raises(CannotAnswer, match="Vision features enter between the decoder's blocks too"):
        Roads()(deep, squares()[:2])
    assert deep.forward_equivalents == 0


def test_a_family_that_says_less_or_more_than_there_is_is_refused() -> None:
    with pytest.raises(UsageError, match="There is no such capability") as caught:
        Family("my_vl", "My-VL", ("model.visual.blocks",), capabilities=frozenset({"colour"}))
    assert (caught.value.where, caught.value.got) == ("family My-VL", "colour")
    with pytest.raises(UsageError, match="must say it") as caught:
        replace(FAMILIES["qwen2_vl"], patches=None)
    assert caught.value.do == "give 'patch_order' and `patches` together, or neither"


def test_vision_blocks_are_looked_for_where_a_family_says() -> None:
    model, processor = parts("gemma3")
    elsewhere = replace(FAMILIES["gemma3"], vision_blocks=("model.eye.blocks", "model.vision.layers"))
    with pytest.raises(ModelError, match="blocks are not where they are looked for") as caught:
        VLM(model, processor, family=elsewhere)
    assert (caught.value.where, caught.value.got) == ("model.eye.blocks or model.vision.layers", "0 of 2")
    second = replace(FAMILIES["gemma3"], vision_blocks=("model.eye.blocks", *FAMILIES["gemma3"].vision_blocks))
    assert VLM(model, processor, family=second, check=False).parts.count("vision") == 2
