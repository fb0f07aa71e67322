"""The training loop: packed questions, a falling loss, and going on after a kill."""

from __future__ import annotations

import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backsight.errors import DataError, UsageError
from backsight.models import embeds, small
from backsight.models.vlm import VLM
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.questions import SYSTEM
from backsight.stimuli.rows import SUITES, held_out
from backsight.tables import Table
from backsight.training import background, exchange, pathways, positions, questions
from backsight.training.answering import Answering, AnsweringLearner, Stage, answer_logits, by_axis
from backsight.training.loop import train
from backsight.training.packing import Packer, block_mask
from backsight.training.positions import Teaching
from backsight.training.recipe import Scale
from backsight.training.recipes import PLAIN, RECIPES, build_staged
from backsight.training.saving import save


def little(seed: int, scale: Scale | None = None) -> tuple[Any, Any]:
    text = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        max_position_embeddings=2048, initializer_range=0.1,
        rope_parameters=dict(rope_type="default", rope_theta=20.0, mrope_section=[2, 3, 3]),
    )  # fmt: skip
    vision = dict(depth=1, embed_dim=16, num_heads=2, mlp_ratio=2, patch_size=28, spatial_merge_size=1)
    return small.qwen2_vl(questions.corpus(), text=text, vision=vision, tokens=144, seed=seed)


LITTLE = Answering(
    name="little", build=little, layout=PRESETS["qwen2-vl"], save_every=2, stages=(
        Stage("order", 3, mixture={"shapes": 1.0}, images=2, warmup=1, taught=Teaching(), answers=False),
        Stage("first", 6, mixture={"squares": 1.0}, images=4, warmup=2),
        Stage("second", 4, mixture={"objects": 0.5, "scattered": 0.5}, images=3, warmup=2, textured=0.5),
        Stage("third", 2, mixture={"placed": 0.5, "placed_squares": 0.5}, images=2, warmup=1, fresh=True),
    ),
)  # fmt: skip


def weights(model: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(recipe: Answering, folder: Path) -> Any:
    """The model of a recipe, trained to its end."""
    learner = train(recipe, folder)
    assert isinstance(learner, AnsweringLearner)
    return learner.model


@pytest.mark.slow
def test_a_few_dozen_steps_of_the_real_recipe_lower_the_loss(tmp_path: Path) -> None:
    stage = replace(PLAIN.stages[0], images=4, warmup=10)
    train(replace(PLAIN, stages=(stage,)), tmp_path, max_steps=50)
    log = [row for row in Table.read(tmp_path / "training.parquet").rows() if row["figure"] == "loss"]
    assert [row["step"] for row in log] == [25, 50]
    assert log[-1]["value"] < 4.5  # a uniform guess over the vocabulary has ln(650) = 6.5
    assert log[-1]["value"] < log[0]["value"]


def little_gemma(seed: int, scale: Scale | None = None) -> tuple[Any, Any]:
    text = dict(
        hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=1,
        head_dim=16, query_pre_attn_scalar=16, sliding_window=512, max_position_embeddings=2048, initializer_range=0.1,
        layer_types=["sliding_attention", "full_attention"],
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, patch_size=28, vision_use_head=False,
    )  # fmt: skip
    return small.gemma3(questions.corpus(), text=text, vision=vision, side=336, tokens=144, seed=seed)


def windowed_gemma(seed: int, scale: Scale | None = None) -> tuple[Any, Any]:
    """A window of 8 tokens, far shorter than the prompt, on the lower of three blocks."""
    return build_staged(seed, blind=1, blocks=3)


@pytest.mark.parametrize("build", [little, little_gemma, windowed_gemma])
def test_packed_questions_have_the_logits_of_questions_asked_alone(build: Any) -> None:
    model, processor = build(0)
    layout = RECIPES["staged"].layout if build is windowed_gemma else LITTLE.layout
    asked = questions.batch("squares", layout, images=2, key=(0, 1), exact=0.5, textured=0.0)
    packer = Packer(model.eval(), processor, SYSTEM)
    with torch.no_grad():
        forms = [answer_logits(model, packer.pack(asked, cut=cut)) for cut in (False, True)]
    vlm = VLM(model, processor, check=False)
    from backsight.examples import Example, MemoryPicture

    alone = [
        vlm.forward(vlm.prepare([Example("x", MemoryPicture(a.image), q, (), "", system=SYSTEM)]))[0]
        for a in asked
        for q, _ in a.questions
    ]
    assert forms[0].shape == (14, model.config.get_text_config().vocab_size)
    apart = [float((form - torch.stack(alone)).abs().max()) for form in forms]
    assert apart[True] < 1e-4
    assert (apart[False] > 1e-2) == (build is windowed_gemma)


def test_positions_are_taught_to_the_vision_encoder_alone(tmp_path: Path) -> None:
    recipe = replace(LITTLE, stages=LITTLE.stages[:1])
    before, after = little(0)[0].state_dict(), trained(recipe, tmp_path).state_dict()
    moved = {name for name, weight in before.items() if not torch.equal(weight, after[name])}
    assert moved and all(name.startswith("model.visual.") for name in moved)


def test_positions_by_hand() -> None:
    layout = PRESETS["qwen2-vl"]
    (asked,) = questions.batch("squares", layout, images=1, key=(0, 4), exact=1.0, textured=0.0)
    assert asked.row is not None
    axis, things = asked.row
    assert tuple(box for _, box in things) == layout.boxes(axis)
    found = positions.labels([asked], layout).reshape(12, 12, 2)
    first = 0 if axis == "horizontal" else 3
    for number, (name, box) in enumerate(things):
        top, left = int(box.top) // 28, int(box.left) // 28
        inside = found[top : top + 2, left : left + 2].reshape(4, 2).tolist()
        assert inside == [[first + number, positions.NAMES.index(name)]] * 4
    assert (found[:, :, 0] >= 0).sum() == 12
    (free,) = questions.batch("placed", layout, images=1, key=(0, 4), exact=1.0, textured=0.0)
    with pytest.raises(UsageError, match="Positions are taught on rows of three"):
        positions.labels([free], layout)


def row_of_squares() -> questions.Asked:
    batch = questions.batch("squares", LITTLE.layout, images=8, key=(0, 4), exact=1.0, textured=0.0)
    return next(a for a in batch if a.row is not None and a.row[0] == "horizontal")


def test_the_ground_carries_the_nearest_thing_by_hand() -> None:
    asked = row_of_squares()
    assert asked.row is not None
    names = [name for name, _ in asked.row[1]]
    labelled = positions.labels([asked], LITTLE.layout, "ground").reshape(12, 12, 2)
    # Squares stand in columns 1-2, 5-6 and 9-10 of rows 5-6: strips meet in the middles at 4 and 8.
    top = labelled[0].tolist()
    wanted = [[k, positions.NAMES.index(names[k])] for k in (0, 1, 2)]
    assert top == [wanted[0]] * 4 + [wanted[1]] * 4 + [wanted[2]] * 4
    assert (labelled[5, [1, 2, 5, 6, 9, 10], 0] == -1).all() and (labelled[:, :, 0] == -1).sum() == 12


def test_an_isolated_thing_stands_in_the_centre_and_the_ground_is_empty() -> None:
    asked = row_of_squares()
    assert asked.row is not None
    image, moved = background.isolate(asked, 0, LITTLE.layout)
    pixels, color = np.asarray(image), np.array(questions.rows.COLORS[asked.row[1][0][0]])
    standing = (pixels == color).all(-1)
    assert standing[5 * 28 : 7 * 28, 5 * 28 : 7 * 28].all() and standing.sum() == 56 * 56
    assert moved == 4  # from columns 1-2 to columns 5-6
    assert len(np.unique(pixels[~standing], axis=0)) == 1


def test_tokens_of_things_carry_nothing_of_where_they_stand() -> None:
    """A thing's tokens are equal wherever it stands in the row; those of the ground are the picture's own."""
    model, processor = little(0)
    with torch.no_grad():
        for weight in model.model.visual.blocks.parameters():
            weight.mul_(20)  # at its small random weights a vision encoder hardly mixes tokens
    asked = row_of_squares()
    assert asked.row is not None
    axis, things = asked.row
    turned = questions.Asked(asked.image.transpose(Image.Transpose.FLIP_LEFT_RIGHT), asked.questions, (axis, tuple(
        (name, box) for (name, _), (_, box) in zip(reversed(things), things, strict=True)
    )))  # fmt: skip
    packer = Packer(model.eval(), processor, SYSTEM)
    with torch.no_grad():
        one, other = background.features(model, packer, [asked, turned], LITTLE.layout).view(2, 12, 12, -1)
        own = embeds.features(model, **pixel_values(packer, asked)).view(12, 12, -1)
    torch.testing.assert_close(one[5:7, 1:3], other[5:7, 9:11], atol=1e-5, rtol=0)
    torch.testing.assert_close(one[0], own[0], atol=1e-5, rtol=0)
    assert float((one[5:7, 1:3] - own[5:7, 1:3]).abs().max()) > 0.01 * float(own.std())


def pixel_values(packer: Packer, asked: questions.Asked) -> dict[str, torch.Tensor]:
    packed = packer.pack([asked]).inputs
    return {"pixels": packed["pixel_values"], "grid": packed["image_grid_thw"]}


def test_a_reversed_row_has_the_same_questions_and_the_answers_of_its_order() -> None:
    asked = questions.with_reversed("shapes", LITTLE.layout, images=8, key=(0, 1), exact=0.2)
    for one, other in zip(asked[:4], asked[4:], strict=True):
        assert one.row is not None and other.row is not None
        names = [name for name, _ in one.row[1]]
        assert [name for name, _ in other.row[1]] == names[::-1] and one.row[0] == other.row[0]
        assert [box for _, box in other.row[1]] == [box for _, box in one.row[1]]
        assert {side % 28 for _, box in one.row[1] for side in (box.left, box.top, box.right, box.bottom)} == {0}
        assert {box.width for _, box in one.row[1]} == {56}
        assert [q for q, _ in one.questions] == [q for q, _ in other.questions]
        swap = {names[0]: names[2], names[2]: names[0]}
        order, there = one.questions[:5], one.questions[5:]
        assert [a for _, a in other.questions[:5]] == [swap.get(a, a) for _, a in order]
        assert other.questions[5:] == there
    with pytest.raises(UsageError, match="Only rows of three can be reversed"):
        questions.with_reversed("placed", LITTLE.layout, images=2, key=(0,), exact=0.2)


def test_exchanged_things_take_the_states_of_the_reversed_row() -> None:
    model, processor = little(0)
    asked = questions.with_reversed("squares", LITTLE.layout, images=4, key=(0, 1), exact=0.0)
    packed = Packer(model.eval(), processor, SYSTEM).pack(asked)
    image = packed.inputs["input_ids"] == model.config.image_token_id

    def states(swapped: bool) -> torch.Tensor:
        acting = exchange.acting(model, packed, asked, 1, LITTLE.layout) if swapped else nullcontext()
        with torch.no_grad(), acting, positions.listening(model, 1) as heard:
            answer_logits(model, packed)
        return heard[-1][image].view(4, 144, -1)

    plain, exchanged = states(False), states(True)
    for i in range(4):
        own, partner = (positions.owners(asked[k], LITTLE.layout) for k in (i, (i + 2) % 4))
        for thing, token in ((0, 2), (2, 0)):
            torch.testing.assert_close(exchanged[i, own == thing], plain[(i + 2) % 4, partner == token], atol=0, rtol=0)
        assert torch.equal(exchanged[i, (own == 1) | (own < 0)], plain[i, (own == 1) | (own < 0)])
    assert not any(block._forward_pre_hooks for block in model.get_decoder().layers)


def test_a_stage_without_answers_teaches_the_vision_encoder() -> None:
    with pytest.raises(UsageError, match="teaches nothing but the vision encoder"):
        Stage("x", 1, mixture={"squares": 1.0}, answers=False, taught=Teaching(3))
    with pytest.raises(UsageError, match=r"rows of three[^\n]*\n.*\n  got:   scattered, placed"):
        Stage("x", 1, mixture={"squares": 0.2, "scattered": 0.4, "placed": 0.4}, answers=False, taught=Teaching())


def test_pictures_of_ones_own_that_are_no_rows_are_refused_where_nothing_else_is_learned(tmp_path: Path) -> None:
    def free(kind: Any, layout: Any, **given: Any) -> list[questions.Asked]:
        return questions.batch("placed", layout, **given)

    with pytest.raises(UsageError, match="learns the positions of rows of three"):
        train(replace(LITTLE, stages=LITTLE.stages[:1], asks=free), tmp_path)


def test_a_fresh_stage_begins_from_the_stored_weights(tmp_path: Path) -> None:
    last = Stage("last", 1, mixture={"squares": 1.0}, images=2, rate=0.0, fresh=True)
    whole = trained(LITTLE, tmp_path / "a")
    stored = trained(replace(LITTLE, stages=(*LITTLE.stages, last)), tmp_path / "b")
    assert torch.equal(weights(stored), weights(whole).to(torch.bfloat16).float())
    assert not torch.equal(weights(stored), weights(whole))


def test_the_block_mask_by_hand() -> None:
    mask = block_mask(torch.tensor([[0, 0, 1, 2, 2, -1]]))[0, 0]
    expected = [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [1, 1, 0, 1, 1, 0],
        [0, 0, 0, 0, 0, 1],
    ]
    assert mask.int().tolist() == expected


def test_a_killed_training_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = trained(LITTLE, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def kill(stage: str, step: int, steps: int, figures: Any) -> None:
        if (stage, step) in {("first", 5), ("third", 1)}:
            raise KilledError

    for _ in range(2):
        with pytest.raises(KilledError):
            train(LITTLE, tmp_path / "killed", progress=kill)
    resumed = trained(LITTLE, tmp_path / "killed")
    assert torch.equal(weights(whole), weights(resumed))


def test_a_checkpoint_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(LITTLE, tmp_path, max_steps=1)
    with pytest.raises(DataError, match="belongs to another recipe"):
        train(replace(LITTLE, seed=1), tmp_path, max_steps=1)


def test_the_learning_rate_by_hand() -> None:
    stage = Stage("s", 300, mixture={"squares": 1.0}, rate=1e-2, floor=0.1, warmup=100)
    assert stage.learning_rate(0) == pytest.approx(1e-4)
    assert stage.learning_rate(99) == pytest.approx(1e-2)
    assert stage.learning_rate(200) == pytest.approx(1e-2 * (0.1 + 0.9 * 0.5))
    assert stage.learning_rate(300) == pytest.approx(1e-3)


def test_two_builds_are_equal() -> None:
    (one, first), (two, second) = PLAIN.build(0, PLAIN.scale), PLAIN.build(0, PLAIN.scale)
    assert torch.equal(weights(one), weights(two))
    assert first.tokenizer.get_vocab() == second.tokenizer.get_vocab()


def test_every_answer_is_one_token_in_every_spelling() -> None:
    from backsight.models import answers
    from backsight.stimuli.rows import fillers

    tokenizer = small.qwen_tokenizer(questions.corpus())
    for options in (*(fillers(s) for s in SUITES), ("1", "2", "3", "4"), ("yes", "no")):
        found = answers.token_options(tokenizer, options)
        assert found is not None
        # Qwen's tokenizer splits digits off by themselves, so that they have one spelling.
        assert all(len(ids) == (1 if option.isdigit() else 4) for option, ids in zip(options, found, strict=True))


@pytest.mark.parametrize("kind", ["squares", "shapes", "objects", "placed_squares", "placed", "scattered"])
def test_batches_repeat_and_never_show_held_out_triples(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, ...]] = []
    original = questions.rows.random_triple

    def watched(suite: Any, rng: Any, *, held: bool) -> Any:
        found = original(suite, rng, held=held)
        seen.append((suite, *found))
        return found

    monkeypatch.setattr(questions.rows, "random_triple", watched)
    given = dict(images=40, key=(3, 1), exact=0.3, textured=0.3)
    one = questions.batch(kind, PRESETS["qwen2-vl"], **given)  # type: ignore[arg-type]
    two = questions.batch(kind, PRESETS["qwen2-vl"], **given)  # type: ignore[arg-type]
    assert [a.questions for a in one] == [a.questions for a in two]
    assert all(a.image.tobytes() == b.image.tobytes() for a, b in zip(one, two, strict=True))
    assert not any(triple[1:] in held_out(triple[0]) for triple in seen)  # type: ignore[arg-type]
    assert len(seen) == (80 if kind in SUITES else 0)


def test_the_cells_that_are_asked_for_are_where_the_pixels_are() -> None:
    asked = questions.batch("placed_squares", PRESETS["qwen2-vl"], images=8, key=(5,), exact=0.0, textured=0.0)
    cells = [(a.image, *pair) for a in asked for pair in a.questions if pair[0].startswith(("The column", "The row"))]
    assert len(cells) > 20
    for image, question, answer in cells:
        word = question.split()
        pixels = (np.asarray(image) == questions.rows.COLORS[word[4]]).all(-1)
        along = pixels.any(0 if word[1] == "column" else 1).nonzero()[0]
        assert answer == questions.COUNT[int((along[0] + along[-1] + 1) / 2 / 28)]


def test_shuffled_tokens_are_the_same_tokens_in_another_order() -> None:
    model, processor = little(0)
    asked = questions.batch("squares", LITTLE.layout, images=2, key=(0, 1), exact=0.5, textured=0.0)
    packed = Packer(model.eval(), processor, SYSTEM).pack(asked)
    image = packed.inputs["input_ids"] == model.config.image_token_id
    with torch.no_grad():
        given = [
            pathways.inputs(model, packed, "shuffled", np.random.default_rng(n))["inputs_embeds"] for n in (0, 0, 1)
        ]
        plain = replace(packed, inputs=pathways.inputs(model, packed, "shuffled", Unmoved()))  # type: ignore[arg-type]
        torch.testing.assert_close(answer_logits(model, plain), answer_logits(model, packed), atol=1e-5, rtol=0)
    assert torch.equal(given[0], given[1]) and not torch.equal(given[0][image], given[2][image])
    assert torch.equal(given[0][~image], given[2][~image])
    for row in range(2):
        one, two = (g[row][image[row]].sort(0).values for g in (given[0], given[2]))
        assert torch.equal(one, two)


class Unmoved:
    """Permutations that move nothing."""

    def permutation(self, count: int) -> np.ndarray[Any, Any]:
        return np.arange(count)


@pytest.mark.parametrize("merge", [1, 2])
def test_a_cell_by_itself_knows_nothing_of_the_others(merge: int) -> None:
    vision = dict(depth=1, embed_dim=16, num_heads=2, mlp_ratio=2, patch_size=28 // merge, spatial_merge_size=merge)
    rope = dict(rope_type="default", rope_theta=20.0, mrope_section=[2, 3, 3])
    text = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2, rope_parameters=rope)
    model, processor = small.qwen2_vl(questions.corpus(), text=text, vision=vision, tokens=144, seed=0)
    noise = np.random.default_rng(0).integers(0, 256, (336, 336, 3), dtype=np.uint8)
    noise[:28, :56] = 255  # two equal cells
    changed = noise.copy()
    changed[28:56, 28:56] = 0  # row 1, column 1
    one, two = (processor.image_processor([Image.fromarray(p)], return_tensors="pt") for p in (noise, changed))
    with torch.no_grad():
        features = [embeds.single_cells(model, given["pixel_values"]) for given in (one, two)]
        first = processor.image_processor([Image.fromarray(noise[:28, :28])], return_tensors="pt", min_pixels=28 * 28)
        alone = model.model.get_image_features(first["pixel_values"], first["image_grid_thw"]).pooler_output[0]
    assert (features[0] != features[1]).any(-1).nonzero().flatten().tolist() == [13]
    assert torch.equal(features[0][0], features[0][1])
    torch.testing.assert_close(features[0][:1], alone, atol=1e-5, rtol=0)


def test_a_long_answer_cannot_be_trained() -> None:
    model, processor = little(0)
    with pytest.raises(UsageError, match="must be one token"):
        Packer(model, processor, SYSTEM).answer_id("a rather long answer")


def test_what_is_saved_is_a_stock_checkpoint(tmp_path: Path) -> None:
    """Opened again by the one path, the logits are those of the weights in bfloat16; the names are stock names."""
    from backsight.models.opening import load

    model, processor = little(0)
    folder = save(model, processor, tmp_path / "made")
    named = json.loads((folder / "processor_config.json").read_text())
    assert named["processor_class"] == "Qwen2VLProcessor"
    assert named["image_processor"]["image_processor_type"] == "Qwen2VLImageProcessor"
    assert not list(folder.glob("*.bin")) and not list(folder.glob("*.py"))
    vlm = load(folder)
    for weight in model.parameters():  # not the whole model: its rotary frequencies are never rounded
        weight.data = weight.data.bfloat16().float()
    stored = VLM(model, processor, check=False)
    from backsight import stimuli

    examples = stimuli.squares()[:2].items
    torch.testing.assert_close(
        vlm.forward(vlm.prepare(examples)), stored.forward(stored.prepare(examples)), atol=1e-5, rtol=0
    )
    with pytest.raises(UsageError, match="is there already"):
        save(model, processor, folder)


def test_pictures_that_are_no_rows_have_no_axis() -> None:
    """The answers of such a picture may have several tokens."""
    (free,) = questions.batch("placed", PRESETS["qwen2-vl"], images=1, key=(1,), exact=0.0, textured=0.0)
    assert by_axis([free], torch.ones(3 * len(free.questions))) == {}
    (row,) = questions.batch("squares", PRESETS["qwen2-vl"], images=1, key=(1,), exact=0.0, textured=0.0)
    assert row.row is not None
    assert by_axis([row], torch.tensor([1.0, 0, 1, 1, 1, 1, 1])) == {f"accuracy: {row.row[0]}": 0.5}


def test_every_recipe_has_a_name_and_ends_everything() -> None:
    assert all(name == recipe.name and recipe.stages for name, recipe in RECIPES.items())
