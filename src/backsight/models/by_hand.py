"""A model whose weights are set by hand, so that where its evidence lies is known before anything is measured.

PaliGemma's architecture, its attention used as a table to look up in. The vision encoder's position table says of each
cell in which direction of the picture's middle it lies (left, right, above, below); the blocks of the encoder add
nothing. In the last decoder block the last position attends to red tokens and to nothing else, and adds the direction
that is written in them to the answer. So with a blue thing in the middle the model answers where the red one is, and
all evidence for that lies in the red thing's tokens. The block before adds the same constant to every token: without
it the gradient times the state would be zero at every layer, since what is read of a token is its normalised state.

`evidence` puts the evidence elsewhere: in a fixed corner, in a sentence of the text ("left of the ..."), or nowhere.
`order` scales the written directions and `prior` is what speaks for the answer "1" whatever the picture shows: with
little order and some prior the model fails, for a known reason and by a known factor.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor
from transformers import PaliGemmaConfig, PaliGemmaForConditionalGeneration, PaliGemmaProcessor
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from backsight.models import small
from backsight.stimuli.questions import DIRECTIONS, NUMBER
from backsight.stimuli.scene import Color

Evidence = Literal["subject", "corner", "text", "nowhere"]

SIDE, PATCH = 10, 14  # cells a side, pixels a cell
BLOCKS, WIDTH, NARROW = 4, 32, 16  # decoder blocks, their width, the encoder's width
GRAY: Color = (128, 128, 128)  # the ground, so that hiding a part by gray leaves the ground
RED: Color = (255, 0, 0)
BLUE: Color = (0, 0, 255)
CORNER = ((1, 8), (1, 9), (2, 8), (2, 9))  # cells (row, column), to the right of the middle
# Features of the residual stream. Those of the encoder have the same numbers up to MARK.
SEEN, WRITTEN, MARK, BALANCE = 0, slice(1, 5), 5, (6, 7)
ANSWER, BASE, ADDED = slice(8, 12), 12, 13
NOTHING = 15  # a feature of the encoder that holds nothing: what the layer norm subtracts everywhere
SHARP = 20.0  # how sharply the last position looks: one red token outweighs all others together
GAIN = 8.0  # how strongly what is written is added to the answer


def lookup(
    corpus: Iterable[str], evidence: Evidence = "subject", *, order: float = 1.0, prior: float = 0.0
) -> tuple[Any, Any]:
    """The hand-set model in eval mode, 10 x 10 image tokens of 14 px, and its processor with the words of a corpus.

    `evidence` is where the answer is read from, `order` the factor of the written directions, `prior` how much more
    of the feature that all words share the answer "1" has.
    """
    model, processor = _blank(corpus)
    with torch.no_grad():
        _encoder(model, evidence, order)
        _decoder(model, evidence)
        _words(model, processor.tokenizer, prior)
        if evidence == "text":
            _stated(model, processor.tokenizer)
    return model.eval(), processor


def _blank(corpus: Iterable[str]) -> tuple[Any, Any]:
    """The architecture with every weight zero."""
    tokenizer = small.gemma_tokenizer(corpus, image_token="<image>")
    images = SiglipImageProcessorPil(size={"height": SIDE * PATCH, "width": SIDE * PATCH})
    images.image_seq_length = SIDE**2
    processor = PaliGemmaProcessor(image_processor=images, tokenizer=tokenizer)
    vocabulary = -(-len(processor.tokenizer) // 8) * 8
    ids = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    text = dict(
        model_type="gemma", vocab_size=vocabulary, hidden_size=WIDTH, intermediate_size=8, num_hidden_layers=BLOCKS,
        num_attention_heads=1, num_key_value_heads=1, head_dim=16, max_position_embeddings=2048,
        # Rotary positions stretched so far that there are none.
        rope_parameters=dict(rope_type="linear", rope_theta=100.0, factor=1e9), **ids,
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=NARROW, intermediate_size=8, num_hidden_layers=1,
        num_attention_heads=1, patch_size=PATCH, image_size=SIDE * PATCH, vision_use_head=False,
    )  # fmt: skip
    config = PaliGemmaConfig(
        text_config=text, vision_config=vision, projection_dim=WIDTH, hidden_size=WIDTH, vocab_size=vocabulary,
        image_token_index=processor.image_token_id,
    )  # fmt: skip
    model = PaliGemmaForConditionalGeneration(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model, processor


def _encoder(model: Any, evidence: Evidence, order: float) -> None:
    """Redness and the written direction of each cell; two features of opposite sign keep the layer norm's scale."""
    tower = model.model.vision_tower
    tower = getattr(tower, "vision_model", tower)  # one level deeper in older releases
    embeddings = tower.embeddings
    red = torch.tensor([1.0, -1.0, -1.0]) / 3 / PATCH**2  # 1 for red, 0 for gray, -1/3 for white and blue
    embeddings.patch_embedding.weight[SEEN] = red[:, None, None].expand(-1, PATCH, PATCH)
    table = embeddings.position_embedding.weight
    table[:, WRITTEN] = order * written()
    if evidence == "corner":
        table[[SIDE * row + column for row, column in CORNER], MARK] = 1.0
    table[:, BALANCE[0]], table[:, BALANCE[1]] = 6.0, -6.0
    for block in tower.encoder.layers:
        block.layer_norm1.weight.fill_(1.0)
        block.layer_norm2.weight.fill_(1.0)
    tower.post_layernorm.weight.fill_(1.0)
    projector = model.model.multi_modal_projector.linear
    for feature in range(MARK + 1):
        projector.weight[feature, feature], projector.weight[feature, NOTHING] = 1.0, -1.0
    projector.bias[BASE] = 4.0  # exactly the same in every token: a probe can make nothing of it


def written() -> Tensor:
    """The direction of each cell from the picture's middle, one-hot (image_token, direction), as in DIRECTIONS."""
    table = torch.zeros(SIDE**2, len(DIRECTIONS))
    for token in range(SIDE**2):
        down, right = (place - (SIDE - 1) / 2 for place in divmod(token, SIDE))
        across = abs(right) >= abs(down)
        name = ("left" if right < 0 else "right") if across else ("above" if down < 0 else "below")
        table[token, DIRECTIONS.index(name)] = 1.0
    return table


def _decoder(model: Any, evidence: Evidence) -> None:
    def weight(block: int, part: str) -> Tensor:
        parameter: Tensor = model.get_parameter(f"model.language_model.layers.{block}.self_attn.{part}_proj.weight")
        return parameter

    adding, reading = BLOCKS - 2, BLOCKS - 1
    weight(adding, "v")[0, BASE] = 1.0
    weight(adding, "o")[ADDED, 0] = 1.0
    if evidence == "nowhere":
        return
    weight(reading, "q")[-1, BASE] = SHARP
    weight(reading, "k")[-1, SEEN if evidence == "subject" else MARK] = 1.0
    weight(reading, "v")[:4, WRITTEN] = torch.eye(4)
    weight(reading, "o")[ANSWER, :4] = GAIN * torch.eye(4)


def _words(model: Any, tokenizer: Any, prior: float) -> None:
    """Every word is the base feature alone; the four numbers are also their own answer."""
    weight = model.get_input_embeddings().weight
    weight[:, BASE] = 1.0
    answers = [NUMBER[name] for name in DIRECTIONS]
    for token in range(len(tokenizer)):
        word = tokenizer.decode([token]).strip()
        if word in answers:
            weight[token, ANSWER.start + answers.index(word)] = 3.0
            if word == "1":
                weight[token, BASE] += prior


def _stated(model: Any, tokenizer: Any) -> None:
    """Tokens that begin with a direction have it written in them and are what the last position looks at.

    So begin the words of a sentence such as "The red square is above the blue square."; the tokens of a question that
    lists the directions begin before them.
    """
    weight = model.get_input_embeddings().weight
    for token in range(len(tokenizer)):
        words = tokenizer.decode([token]).split()
        if words and words[0] in DIRECTIONS:
            weight[token, WRITTEN.start + DIRECTIONS.index(words[0])] = weight[token, MARK] = 1.0
