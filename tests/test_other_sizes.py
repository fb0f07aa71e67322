"""A model at another size than its own: tables as transformers interpolates them, grids of additions, and back."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from backsight.errors import CannotAnswer
from backsight.models import small
from backsight.models.additions import GAIN
from backsight.models.embeds import features
from backsight.models.other_sizes import interpolated, of_size
from backsight.stimuli.render import render
from backsight.stimuli.whole_cells import Window, placed, scene
from backsight.training import positional
from backsight.training.answering import answer_logits
from backsight.training.packing import Packer
from backsight.training.questions import Asked
from backsight.training.recipe import SCALES

SETTINGS = {one.name: one for one in positional.SETTINGS}


def built(name: str):  # type: ignore[no-untyped-def]
    model, processor = positional.build(SETTINGS[name], 0, SCALES["tiny"])
    return model.eval(), processor


def pixels(processor, columns: int, rows: int):  # type: ignore[no-untyped-def]
    """Noise of whole cells, one colour a cell, as the processor gives it."""
    cells = torch.randint(0, 255, (rows, columns, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    image = Image.fromarray(cells.numpy()).resize((columns * 14, rows * 14), Image.Resampling.NEAREST)
    return processor.image_processor([image], return_tensors="pt")


@pytest.mark.parametrize(("columns", "rows"), [(12, 12), (12, 8), (8, 12), (6, 6)])
def test_an_interpolated_table_is_that_of_transformers(columns: int, rows: int) -> None:
    model, _ = built("vision-learned")
    embeddings = model.get_submodule("model.vision_tower.embeddings")
    patches = torch.zeros(1, rows * columns, embeddings.embed_dim)
    wanted = embeddings.interpolate_pos_encoding(patches, rows * 14, columns * 14)[0]
    torch.testing.assert_close(interpolated(embeddings.position_embedding.weight, columns, rows), wanted)


@pytest.mark.parametrize(("columns", "rows"), [(12, 8), (8, 12)])
def test_the_encoder_at_another_size_is_that_of_transformers(columns: int, rows: int) -> None:
    model, processor = built("vision-learned")
    with of_size(model, processor, columns, rows) as other, torch.no_grad():
        given = pixels(other, columns, rows)["pixel_values"]
        ours = features(model, given)
    assert given.shape[-2:] == (rows * 14, columns * 14)
    with torch.no_grad():
        states = model.model.vision_tower(pixel_values=given, interpolate_pos_encoding=True).last_hidden_state
        projector = model.model.multi_modal_projector
        wanted = projector.mm_soft_emb_norm(states) @ projector.mm_input_projection_weight
    torch.testing.assert_close(ours, wanted[0])


@pytest.mark.parametrize("name", ["vision-learned", "vision-relative", "vision-rotary-2d"])
def test_at_its_own_size_nothing_changes_and_afterwards_neither(name: str) -> None:
    model, processor = built(name)
    for addition in getattr(model, "backsight_additions", {}).values():
        for weight in addition.parameters():
            torch.nn.init.normal_(weight)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    given = pixels(processor, 8, 8)["pixel_values"]
    with torch.no_grad():
        own = features(model, given)
        with of_size(model, processor, 8, 8):
            torch.testing.assert_close(features(model, given), own)
        with of_size(model, processor, 12, 8) as other:
            assert features(model, pixels(other, 12, 8)["pixel_values"]).shape[0] == 96
        torch.testing.assert_close(features(model, given), own, rtol=0, atol=0)
    after = model.state_dict()
    assert before.keys() == after.keys() and all(torch.equal(before[key], after[key]) for key in before)


def test_a_relative_bias_is_laid_over_the_new_grid_and_taken_back() -> None:
    model, processor = built("vision-relative")
    bias = model.backsight_additions["vision"]
    torch.nn.init.normal_(bias.table)
    with of_size(model, processor, 12, 8):
        assert bias.grid == (8, 12)
        laid = bias.bias(96)[0]
        # From row 0, column 0 to row 0, column 11: an offset of -11 columns, which the table holds up to -7.
        torch.testing.assert_close(laid[:, 0, 11], GAIN * bias.table[7, 0])
        # From row 1, column 0 (token 12) to row 0, column 0: one row, no column.
        torch.testing.assert_close(laid[:, 12, 0], GAIN * bias.table[8, 7])
    assert bias.grid is None


def test_a_given_table_is_taken_as_it_is() -> None:
    model, processor = built("vision-sinusoidal")
    table = positional.sinusoid(8, 12, 64)
    with of_size(model, processor, 12, 8, table):
        held = model.get_submodule("model.vision_tower.embeddings.position_embedding").weight
        torch.testing.assert_close(held, table)
        # A formula keeps cells: row 2, column 3 has what it has on the own grid.
        torch.testing.assert_close(held[2 * 12 + 3], positional.sinusoid(8, 8, 64)[2 * 8 + 3])


def test_qwen_takes_any_size_by_its_processor() -> None:
    model, processor = built("mrope-interleaved")
    with of_size(model, processor, 12, 6) as other:
        assert pixels(other, 12, 6)["image_grid_thw"].tolist() == [[1, 6, 12]]
    assert pixels(processor, 8, 8)["image_grid_thw"].tolist() == [[1, 8, 8]]
    assert processor.image_processor.size["shortest_edge"] == 64 * 14 * 14


def test_where_a_token_is_several_patches_it_is_refused() -> None:
    for kind, got in (("gemma3", "16 tokens"), ("qwen2_vl", "2 a side"), ("paligemma", "paligemma")):
        model, processor = small.tiny(kind, positional.corpus())
        with pytest.raises(CannotAnswer) as error, of_size(model, processor, 12, 12):
            pass
        assert got in str(error.value.got)


@pytest.mark.parametrize("name", ["vision-learned", "mrope-interleaved"])
def test_packed_questions_have_a_token_for_each_cell(name: str) -> None:
    model, processor = built(name)
    drawn = placed({"horizontal": Window(), "vertical": Window()}, count=2, seed=0)
    asked = [Asked(render(scene(one, 12, 6, 14, "fractions")), (("?", "red"),)) for one in drawn]
    with of_size(model, processor, 12, 6) as other, torch.no_grad():
        packed = Packer(model, other, "").pack(asked, cut=False)
        assert (packed.inputs["input_ids"] == model.config.image_token_id).sum(1).tolist() == [72, 72]
        assert torch.isfinite(answer_logits(model, packed)).all()


def test_settings_have_names_of_results() -> None:
    from backsight.results.positional.settings import BY_NAME

    assert list(BY_NAME) == list(SETTINGS)
    for name, one in BY_NAME.items():
        assert one.causal == (SETTINGS[name].sections is not None)
        if one.part != "none":
            assert one.part.startswith(SETTINGS[name].side)
