"""Contrastive pre-training: losses against what others compute, scenes, encoders as checkpoints, the VLM over them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from transformers import AutoModel, AutoProcessor, CLIPConfig, CLIPModel, SiglipModel, SiglipVisionModel

from backsight.errors import BacksightError, ModelError
from backsight.grid import Box
from backsight.models import embeds
from backsight.stimuli import rows
from backsight.stimuli.render import render
from backsight.tables import Table
from backsight.training import catalogue, loop, pathways
from backsight.training.answering import answer_logits
from backsight.training.contrastive import encoder, examine, language, losses, scenes
from backsight.training.contrastive.prompter import Prompter, box_features
from backsight.training.contrastive.recipe import CLIP, CLOC, Contrastive
from backsight.training.recipe import SCALES

CPU = torch.device("cpu")


def short(recipe: Contrastive, steps: int = 2) -> Contrastive:
    return replace(recipe, steps=steps, save_every=1)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backsight.training.contrastive.recipe.IMAGES", 8)


# losses


def test_info_nce_is_the_loss_of_hugging_faces_clip() -> None:
    torch.manual_seed(0)
    tower = dict(hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
    config = CLIPConfig(
        text_config=dict(vocab_size=30, max_position_embeddings=8, bos_token_id=1, eos_token_id=2, **tower),
        vision_config=dict(image_size=16, patch_size=8, **tower),
        projection_dim=12,
    )
    model = CLIPModel(config).eval()
    ids = torch.randint(3, 30, (5, 8))
    ids[:, -1] = 2
    out = model(input_ids=ids, pixel_values=torch.randn(5, 3, 16, 16), return_loss=True)
    ours = losses.info_nce(out.image_embeds * 3, out.text_embeds, model.logit_scale.exp())
    assert ours.item() == pytest.approx(out.loss.item(), rel=1e-5)


def test_info_nce_by_hand() -> None:
    """Cosines 1 and 0 at a scale of ln 3: each row gives its own pair 3 / (3 + 1)."""
    eye = torch.eye(2)
    assert losses.info_nce(eye, 5 * eye, math.log(3)).item() == pytest.approx(-math.log(3 / 4), rel=1e-6)
    assert losses.info_nce(eye, eye.flip(0), math.log(3)).item() == pytest.approx(-math.log(1 / 4), rel=1e-6)


def test_equal_texts_are_no_negatives_of_each_other() -> None:
    """Of three pairs two say the same: their rows have one negative, that of the third has two."""
    eye = torch.eye(3)
    loss = losses.info_nce(eye, eye, math.log(3), torch.tensor([4, 4, 7]))
    assert loss.item() == pytest.approx(-(2 * math.log(3 / 4) + math.log(3 / 5)) / 3, rel=1e-6)
    assert loss < losses.info_nce(eye, eye, math.log(3))


def test_boxes_by_hand() -> None:
    one, other = torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 1, 3, 3]])
    assert losses.iou(one, other).item() == pytest.approx(1 / 7)
    assert losses.giou(one, other).item() == pytest.approx(1 / 7 - 2 / 9)
    apart = torch.tensor([[3.0, 0, 4, 2]])
    assert losses.iou(one, apart).item() == 0
    assert losses.giou(one, apart).item() == pytest.approx(-2 / 8)
    assert losses.box_loss(one, one).item() == pytest.approx(0)
    assert losses.box_loss(one, other).item() == pytest.approx(1 + 1 - (1 / 7 - 2 / 9))
    assert losses.corners(torch.tensor([0.5, 0.25, 0.2, 0.1])).tolist() == pytest.approx([0.4, 0.2, 0.6, 0.3])


def test_the_prompter_draws_boxes_and_reads_only_its_own_picture() -> None:
    torch.manual_seed(0)
    prompter, tokens = Prompter(16), torch.randn(2, 9, 16)
    boxes = torch.rand(2, 3, 4)
    drawn = prompter.boxes(tokens, torch.randn(2, 3, 16))
    assert (drawn[..., :2] < drawn[..., 2:]).all()
    other = tokens.clone()
    other[1] += 1
    before, after = prompter.regions(tokens, boxes), prompter.regions(other, boxes)
    assert torch.equal(before[0], after[0]) and not torch.allclose(before[1], after[1])
    assert box_features(torch.zeros(4))[:20].abs().max() == 0 and box_features(torch.zeros(4))[20:].min() == 1


# scenes


def test_captions_say_what_there_is_and_on_demand_where() -> None:
    scene = scenes.scene(np.random.default_rng(0), count=2)
    one, two = scene.named
    one = replace(one, name="red square", box=Box(0, 0, 20, 20))
    two = replace(two, name="blue circle", box=Box(90, 50, 110, 70))
    scene = scene.with_figures((one, two))
    assert scenes.caption(scene) == "a red square and a blue circle"
    assert scenes.caption(scene, positions=True) == "a red square at the top left and a blue circle at the center right"
    three = scene.with_figures((one, two, replace(one, name="gray star")))
    assert scenes.caption(three) == "a red square, a blue circle and a gray star"


def test_every_word_of_a_caption_is_one_token_and_none_is_cut() -> None:
    _, processor = encoder.build(0, SCALES["tiny"])
    for positions in (False, True):
        longest = max(scenes.batch((0, 1), 64, count=4, positions=positions).captions, key=len)
        ids = processor.tokenizer(longest, add_special_tokens=False).input_ids
        assert len(ids) == len(longest.replace(",", "").split())
        kept = encoder.tokens(processor, [longest])[0]
        assert len(kept) == encoder.LENGTH and kept[-1] in (processor.tokenizer.pad_token_id, ids[-1])


def test_batches_are_functions_of_their_key_and_equal_contents_have_equal_numbers() -> None:
    one, again, other = (scenes.batch(key, 16) for key in ((3, 0, 5), (3, 0, 5), (3, 0, 6)))
    assert torch.equal(one.pixels, again.pixels) and one.captions == again.captions
    assert not torch.equal(one.pixels, other.pixels)
    scene = scenes.scene(np.random.default_rng(1), count=3)
    turned = scene.with_figures((*reversed(scene.figures),))
    single = scenes.scene(np.random.default_rng(2), count=1)
    given = scenes.of_scenes([scene, turned, single])
    assert given.contents.tolist() == [0, 0, 1]
    assert given.there.sum(1).tolist() == [3, 3, 1]
    box = single.named[0].box
    assert (given.boxes[2, 0] * scenes.SIDE).tolist() == pytest.approx([*box])
    assert scenes.NAMES[given.named[2, 0]] == single.named[0].name


def test_pixels_are_those_of_the_processors_of_both_models() -> None:
    scene = scenes.scene(np.random.default_rng(0), count=3, textured=1.0)
    image = render(scene)
    ours = scenes.pixels([image])
    for _, processor in (encoder.build(0, SCALES["tiny"]), language.build(0, SCALES["tiny"], rotary=True)):
        theirs = processor.image_processor([image], return_tensors="pt")["pixel_values"]
        assert torch.allclose(ours, theirs, atol=1e-6)


# recipes


def test_both_recipes_begin_with_the_same_weights_and_see_the_same_scenes(few: None) -> None:
    clip, cloc = CLIP.start(CPU), CLOC.start(CPU)
    for (name, one), (_, two) in zip(clip.model.named_parameters(), cloc.model.named_parameters(), strict=True):
        assert torch.equal(one, two), name
    loss, figures = clip.loss(0, 3)
    more, regions = cloc.loss(0, 3)
    assert loss.item() == pytest.approx(figures["image-text loss"], rel=1e-6)
    assert regions["image-text loss"] == pytest.approx(figures["image-text loss"], rel=1e-6)
    assert more.item() == pytest.approx(
        regions["image-text loss"] + regions["region-text loss"] + regions["box loss"], rel=1e-5
    )


@pytest.mark.parametrize("recipe", [CLIP, CLOC])
def test_a_few_dozen_steps_lower_the_loss(
    recipe: Contrastive, few: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On one batch again and again, which is learned at once where gradients reach what they should."""
    given = scenes.batch((0, 0, 0), 8)
    monkeypatch.setattr(scenes, "batch", lambda *_, **__: given)
    loop.train(replace(recipe, steps=25, save_every=5), tmp_path)
    got = Table.read(tmp_path / "training.parquet").rows()
    figures = {row["figure"] for row in got} - {"rate", "first loss"}
    for name in [name for name in figures if "loss" in name]:
        values = [row["value"] for row in got if row["figure"] == name]
        assert values[-1] < 0.97 * values[0], name


def test_an_encoder_is_a_stock_siglip_model(few: None, tmp_path: Path) -> None:
    learner = CLOC.start(CPU)
    learner.save(tmp_path / "cloc")
    stock = AutoModel.from_pretrained(tmp_path / "cloc").eval()
    assert isinstance(stock, SiglipModel) and stock.logit_bias.item() == 0
    processor = AutoProcessor.from_pretrained(tmp_path / "cloc", backend="pil")
    scene = render(scenes.scene(np.random.default_rng(0), count=2))
    texts = ["a red square", "a blue circle and a gray star"]
    given = processor(images=[scene], text=texts, padding="max_length", max_length=encoder.LENGTH, return_tensors="pt")
    out = stock(**given)
    pooled, tokens = encoder.pictures(learner.model, scenes.pixels([scene]))
    ours = encoder.texts(learner.model, encoder.tokens(learner.processor, texts))
    assert torch.allclose(out.image_embeds, losses.unit(pooled), atol=1e-5)
    assert torch.allclose(out.text_embeds, losses.unit(ours), atol=1e-5)
    model, _, prompter = encoder.load(tmp_path / "cloc")
    assert prompter is not None
    boxes = torch.rand(1, 2, 4)
    assert learner.prompter is not None
    assert torch.equal(prompter.regions(tokens, boxes), learner.prompter.regions(tokens, boxes))
    assert torch.equal(encoder.pictures(model, scenes.pixels([scene]))[0], pooled)


def test_a_folder_without_an_encoder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no pre-trained encoder"):
        encoder.load(tmp_path)
    with pytest.raises(BacksightError, match="no pre-trained encoder"):
        replace(language.over(CLIP, rotary=True), encoder=tmp_path).start(CPU)


def test_the_position_table_begins_as_waves_of_row_and_column() -> None:
    table = encoder.sines(8, 8, 64).unflatten(0, (8, 8))
    assert torch.equal(table[:, 0, :32], table[:, 5, :32]) and torch.equal(table[0, :, 32:], table[5, :, 32:])
    assert table[0, 0, 0].item() == pytest.approx(encoder.AMPLITUDE * math.sin(math.pi / 16))
    assert torch.cdist(table.flatten(0, 1), table.flatten(0, 1)).fill_diagonal_(1).min() > 0.1


# over a language model


def little(of: Contrastive, *, rotary: bool = True, **more: Any) -> language.OverEncoder:
    stage = replace(language.ROWS, steps=2, images=2)
    return replace(language.over(short(of), rotary=rotary), stage=stage, save_every=1, **more)


def test_the_frozen_tower_is_the_encoder_trained_before(few: None, tmp_path: Path) -> None:
    learner = loop.train(little(CLOC), tmp_path / "work")
    assert isinstance(learner, language.OverEncoderLearner) and learner.first is not None
    pixels = scenes.batch((1, 2), 2).pixels
    _, wanted = encoder.pictures(learner.first.model, pixels)
    tower = learner.answers.model.get_submodule("model.vision_tower")
    assert isinstance(tower, SiglipVisionModel)
    assert torch.equal(tower(pixel_values=pixels).last_hidden_state, wanted)

    learner.save(tmp_path / "vlm")
    learner.first.save(tmp_path / "encoder")
    given = loop.train(little(CLOC, encoder=tmp_path / "encoder"), tmp_path / "other")
    assert isinstance(given, language.OverEncoderLearner) and given.first is None
    # the language model of a given encoder sees the same batches, so both ways come to the same weights
    other = given.answers.model.state_dict()
    for name, value in learner.answers.model.state_dict().items():
        assert torch.equal(value, other[name]), name
    stored, _, _ = encoder.load(tmp_path / "vlm" / "encoder")
    assert torch.equal(encoder.pictures(stored, pixels)[1], wanted)


@pytest.mark.parametrize("steps", [1, 3])
def test_a_killed_run_goes_on_to_the_same_weights(few: None, tmp_path: Path, steps: int) -> None:
    """Killed in the encoder's phase, and in that of the answers."""
    recipe = little(CLOC)
    whole = loop.train(recipe, tmp_path / "whole")

    class KilledError(Exception):
        pass

    def progress(*_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError

    left = steps
    with pytest.raises(KilledError):
        loop.train(recipe, tmp_path / "killed", progress=progress)
    again = loop.train(recipe, tmp_path / "killed")
    mine = again.module.state_dict()
    for name, value in whole.module.state_dict().items():
        assert torch.equal(value, mine[name]), name


@pytest.mark.parametrize("rotary", [True, False])
def test_the_closed_pathway_has_no_order_of_image_tokens(rotary: bool) -> None:
    """Image tokens in another order change the logits where the language model has positions, and only there."""
    learner = little(CLIP, rotary=rotary).start(CPU)
    model = learner.answers.model.eval()
    asked = language.any_rows("squares", scenes.GRID, images=2, key=(0, 1), exact=0.15, textured=0.0)
    packed = learner.answers.packer.pack(asked)
    with torch.no_grad():
        plain = answer_logits(model, packed)
        tokens = embeds.features(model, packed.inputs["pixel_values"])
        turned = pathways.shuffled(tokens, len(asked), np.random.default_rng(0))
        shuffled = answer_logits(model, replace(packed, inputs=pathways.with_features(model, packed, turned)))
    assert torch.allclose(plain, shuffled, atol=1e-4) is not rotary
    assert not torch.allclose(plain[0], plain[4], atol=1e-3)  # it looks at its picture


def test_rows_have_both_relations_one_absolute_question_and_one_of_presence() -> None:
    given = language.any_rows("squares", scenes.GRID, images=200, key=(0, 1), exact=1.0, textured=0.0)
    for one in given:
        assert len(one.questions) == 4 and one.row is not None
        axis, things = one.row
        names = [name for name, _ in things]
        assert [answer for _, answer in one.questions[:2]] == [names[0], names[2]]
        assert one.questions[2][0].startswith("The color of the ") and one.questions[3][1] in names
        corners = [box[0 if axis == "horizontal" else 1] for _, box in things]
        assert corners == sorted(corners)
        for word in ("left", "right") if axis == "vertical" else ("above", "below"):
            assert word not in one.questions[0][0] + one.questions[1][0]
    triples = {tuple(name for name, _ in one.row[1]) for one in given if one.row}
    assert triples & rows.held_out("squares") and len(triples) > 80


def test_a_model_that_is_blind_to_order_is_right_half_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """It answers with the neighbour that comes first in the alphabet."""
    learner = little(CLIP).start(CPU)

    def blind(_: Any, asked: Sequence[Any]) -> Tensor:
        right = []
        for one in asked:
            ((question, answer),) = one.questions
            there = {colors[pixel] for pixel in set(one.image.getdata()) if pixel in colors}
            named = set(re.findall(r"\w+", question))
            right.append(answer == min(there - named))
        return torch.tensor(right)

    colors = {value: name for name, value in rows.COLORS.items()}
    monkeypatch.setattr(examine, "answered", blind)
    relations, moved, _ = examine.of_vlm(learner.answers.model, learner.answers.processor, "open", count=4)
    assert relations["value"] == moved["value"] == 0.5 == relations["chance"]
    assert relations["error"] < 0.02  # a row and its reverse, both questions: always two of four


def test_the_recipes_are_in_the_catalogue() -> None:
    for name in ("clip", "cloc", "clip-vlm", "cloc-vlm", "clip-vlm-closed", "cloc-vlm-closed"):
        assert catalogue.find(name).makes
    identities = {catalogue.find(f"{of}-vlm{end}").identity for of in ("clip", "cloc") for end in ("", "-closed")}
    assert len(identities) == 4


# examination


def rows_of(model: Any, processor: Any, prompter: Prompter | None) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["measure"], row["part"]): row for row in examine.of_encoder(model, processor, prompter, pictures=64)}


def test_an_untrained_encoder_is_at_chance_where_no_position_is_asked(few: None) -> None:
    learner = CLOC.start(CPU)
    got = rows_of(learner.model.eval(), learner.processor, learner.prompter)
    for key in (("naming", ""), ("retrieval", "text of a picture"), ("region naming", "prompter")):
        row = got[key]
        assert row["value"] < row["chance"] + 4 * math.sqrt(row["chance"] / row["samples"]) + 0.05, key
    row = got["region retrieval", "prompter"]
    assert abs(row["value"] - 0.25) < 0.15 and row["chance"] == 0.25 and row["samples"] == 256
    probe = got["column probe", "block 0"]
    assert probe["value"] > 0.8 > 0.3 > probe["chance"]
    assert ("box IoU", "prompter") not in rows_of(learner.model, learner.processor, None)


def test_an_encoder_that_knows_is_examined_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Features that name their thing exactly are retrieved and named without a mistake."""
    model, _ = encoder.build(0, SCALES["tiny"])
    names = losses.unit(torch.randn(len(scenes.NAMES), 8, generator=torch.Generator().manual_seed(0)))
    given = scenes.batch((examine.HELD, 2), 8, count=examine.REGIONS)
    monkeypatch.setattr(examine, "own_regions", lambda *_: names[given.named])
    monkeypatch.setattr(encoder, "pictures", lambda *_: (torch.empty(0), torch.empty(0)))
    got = {row["measure"]: row for row in examine._regions(model, names, None, 8)}
    assert got["region retrieval"]["value"] == got["region naming"]["value"] == 1
    turned = names[given.named.flip(1)]
    monkeypatch.setattr(examine, "own_regions", lambda *_: turned)
    got = {row["measure"]: row for row in examine._regions(model, names, None, 8)}
    assert got["region retrieval"]["value"] == got["region naming"]["value"] == 0


def test_a_regions_feature_is_that_of_its_own_tokens() -> None:
    model, _ = encoder.build(0, SCALES["tiny"])
    tokens = torch.randn(1, 64, 64)
    boxes = torch.tensor([[[0.0, 0.0, 28 / 112, 14 / 112]]])
    with torch.no_grad():
        feature = examine.own_regions(model, tokens, boxes)
        wanted: Tensor = model.vision_model.head(tokens[:, :2])
    assert torch.allclose(feature[0], wanted, atol=1e-6)


def test_probes_take_tokens_that_lie_on_things() -> None:
    scene = scenes.scene(np.random.default_rng(0), count=1)
    scene = scene.with_figures((replace(scene.named[0], box=Box(14, 28, 42, 46)),))
    image, token = examine.on_things(scenes.of_scenes([scene]))
    assert image.tolist() == [0, 0] and token.tolist() == [17, 18]


def test_galleries_hold_no_contents_twice() -> None:
    given = examine.gallery((examine.HELD, 1, 0))
    assert len(given.contents.unique()) == examine.GALLERY == len(given.captions)
    assert given.there.sum(1).min() >= 2


def test_a_vlm_is_examined_on_every_row_in_both_orders(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = little(CLIP).start(CPU)
    seen: list[Any] = []

    def answered(_: Any, asked: Any) -> Tensor:
        seen.append(asked)
        return torch.ones(len(asked))

    monkeypatch.setattr(examine, "answered", answered)
    vlm = learner.answers
    table = list(examine.of_vlm(vlm.model.eval(), vlm.processor, "open", count=8))
    assert [(row["measure"], row["part"], row["samples"], row["chance"]) for row in table] == [
        ("relations", "open", 480, 0.5), ("relations moved", "open", 480, 0.5), ("presence", "open", 8, 0.5),
    ]  # fmt: skip
    for one in seen[2]:
        ((question, answer),) = one.questions
        assert answer in question


def test_moved_rows_stand_where_training_shows_nothing() -> None:
    shown = language.any_rows("squares", scenes.GRID, images=60, key=(0, 1), exact=1.0, textured=0.0)
    taken = {box[:2] for one in shown if one.row for _, box in one.row[1]}
    items = rows.exact("squares", scenes.GRID).items
    assert {box[:2] for item in items for box in item.boxes.values()} == taken  # the pictures that training shows
    moved = examine.moved(items)
    places: dict[Any, set[Any]] = {}
    for item, other in zip(items, moved, strict=True):
        assert (item.question, item.answer, item.source.names) == (other.question, other.answer, other.source.names)
        boxes = [other.boxes[name] for name in other.source.names]
        assert not taken & {box[:2] for box in boxes}
        assert all(at % 14 == 0 and 0 <= at <= scenes.SIDE for box in boxes for at in box)
        before = [item.boxes[name] for name in item.source.names]
        assert len({(b.left - a.left, b.top - a.top) for a, b in zip(before, boxes, strict=True)}) == 1
        key = (item.source.axis, item.source.names[1], frozenset(item.source.names))
        places.setdefault(key, set()).add(tuple(boxes))
    assert {len(one) for one in places.values()} == {1} and len(places) == 120  # a row and its reverse alike
    assert len({one for of in places.values() for one in of}) > 20


def test_errors_are_over_what_goes_together() -> None:
    right = [1.0, 1.0, 0.0, 0.0] * 30
    by_picture = examine.row("relations", "open", right, 0.5, [n // 2 for n in range(120)])
    apart = examine.row("relations", "open", right, 0.5, range(120))
    assert by_picture["value"] == apart["value"] == 0.5
    assert by_picture["error"] == pytest.approx(apart["error"] * 2**0.5, rel=0.1)
    assert apart["error"] == pytest.approx(0.5 / 120**0.5, rel=0.1)


def test_answers_are_compared_with_the_next_token(monkeypatch: pytest.MonkeyPatch) -> None:
    packer = little(CLIP).start(CPU).answers.packer
    asked = [replace(one, questions=one.questions[:1]) for one in language.any_rows(
        "squares", scenes.GRID, images=3, key=(0, 1), exact=1.0, textured=0.0)]  # fmt: skip
    wrong = 5  # no colour

    def logits(_: Any, packed: Any) -> Tensor:
        given = torch.nn.functional.one_hot(packed.answers, 600).float()
        given[-1, wrong] = 2
        return given

    monkeypatch.setattr(examine, "answer_logits", logits)
    assert examine.answered(packer, asked, at_once=2).tolist() == [True, False, False]
