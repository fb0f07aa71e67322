"""Base models for the experiment with PIN: they know what is there and how a box is written, but not where it is.

A Gemma-3 whose image tokens have no position: SigLIP's position table is zero and frozen, and the language model's
rotary positions are stretched by 1e9, which is none. So each box that it writes is a guess by the format. In
`pin-never` that holds for the whole training. `pin-dormant` is lent a table of positions on most of its steps, added
where PIN adds its insert, and the table is thrown away: its language model can read positions that its vision encoder
does not give.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from backsight.maths import boxes
from backsight.maths.boxes import GRID_WORDS
from backsight.models import small
from backsight.stimuli import absolute
from backsight.stimuli.layouts import Layout
from backsight.stimuli.questions import BRIEF, DIRECTIONS, PRESENCE
from backsight.stimuli.relations import relation
from backsight.stimuli.render import render
from backsight.stimuli.scattered import RATIO
from backsight.training import pathways, questions
from backsight.training.answering import Answering, AnsweringLearner, Stage
from backsight.training.packing import Packed, Packer
from backsight.training.recipe import SCALES, Scale

LAYOUT = Layout(6, 6, 14, 2, 1)
SIDES = 6  # of the grid in which boxes are written: the model's own
SYSTEM = "You are a helpful assistant."
TABLE = "model.vision_tower.embeddings.position_embedding"


def build(seed: int, scale: Scale = SCALES["tiny"]) -> tuple[Any, Any]:
    """Gemma-3 without any position of image tokens: 6x6 of 14 px, vision 1 x 32, language 4 x 64."""
    blocks = 4 * scale.depth
    text = dict(
        hidden_size=64 * scale.width, intermediate_size=128 * scale.width, num_attention_heads=4 * scale.width,
        num_key_value_heads=2 * scale.width, head_dim=16, query_pre_attn_scalar=16, num_hidden_layers=blocks,
        sliding_window=1024,
        layer_types=["full_attention"] * blocks, max_position_embeddings=2048, initializer_range=0.05,
        rope_parameters={
            kind: dict(rope_type="linear", rope_theta=100.0, factor=1e9)
            for kind in ("full_attention", "sliding_attention")
        },
    )  # fmt: skip
    vision = dict(
        model_type="siglip_vision_model", hidden_size=32 * scale.width, intermediate_size=64 * scale.width,
        num_hidden_layers=scale.depth, num_attention_heads=2 * scale.width, patch_size=LAYOUT.cell,
        vision_use_head=False,
    )  # fmt: skip
    model, processor = small.gemma3(corpus(), text=text, vision=vision, side=LAYOUT.size[0], tokens=36, seed=seed)
    table = model.get_submodule(TABLE)
    with torch.no_grad():
        table.weight.zero_()
    table.weight.requires_grad_(False)
    return model, processor


def corpus() -> list[str]:
    """Every word of questions and answers, in each spelling that counts as an answer."""
    texts = [*questions.SQUARE_NAMES, *GRID_WORDS[:SIDES], *DIRECTIONS, absolute.PROMPTS["grid"], BRIEF, SYSTEM]
    texts += [PRESENCE["squares"]]
    words = {word for text in texts for word in text.replace("?", " ?").replace(",", " ,").split() if "{" not in word}
    spelled = [form for word in sorted(words) for one in (word, word.capitalize()) for form in (one, f" {one}")]
    return [*spelled, "system\n", "user\n", "model\n"]


def batch(
    kind: questions.Kind, layout: Layout, *, images: int, key: tuple[int, ...], exact: float, textured: float
) -> list[questions.Asked]:
    """Pictures of one or two coloured squares: the box of each, where one is relative to the other, and what is there.

    With one square a box is learned before its colour has to be told from another's.
    """
    rng = np.random.default_rng(key)
    return [_asked(layout, rng, squares=1 + int(rng.random() < TWO)) for _ in range(images)]


TWO = 0.6  # how often there are two squares


def _asked(layout: Layout, rng: np.random.Generator, *, squares: int) -> questions.Asked:
    scene = absolute.scene_of("squares", layout, rng, clear=True)
    one, other = scene.named
    scene = scene.with_figures(scene.figures[:squares])
    asked = [
        (absolute.question(f.name, "grid"),
         boxes.write(absolute.fractions(f.box, scene.size), "grid", size=scene.size, sides=SIDES))
        for f in scene.named
    ]  # fmt: skip
    where = relation(one.box, other.box, ratio=RATIO)
    assert where is not None  # as `clear` asks
    if squares == 2:
        asked.append((BRIEF.format(tgt=one.name, ref=other.name), where))
    colors = tuple(figure.name.split(" ")[0] for figure in scene.named)
    asked.append(questions.presence("squares", colors, absolute.COLORS, rng))
    return questions.Asked(render(scene), tuple(asked))


class TextPacker(Packer):
    """Packs answers of several tokens: each token of an answer is asked for behind those before it."""

    def answer_ids(self, answer: str) -> tuple[int, ...]:
        """The tokens of an answer."""
        return self._tokens(answer)


@dataclass(frozen=True, kw_only=True)
class Located(Answering):
    """`lent` is the share of steps on which a table of positions is added to what the vision encoder gives."""

    lent: float = 0.0

    def start(self, where: torch.device) -> LocatedLearner:
        """The model of this seed and size, and what it is asked."""
        return LocatedLearner(self, where)

    def _settings(self) -> Any:
        return super()._settings(), self.lent


class LocatedLearner(AnsweringLearner):
    """A model that learns to write boxes, and the table of positions that it may be lent."""

    def __init__(self, recipe: Located, where: torch.device) -> None:
        super().__init__(recipe, where)
        self.packer = TextPacker(self.model, self.processor, recipe.system, device=where)
        self.lent = recipe.lent
        if recipe.lent:
            begin = rows_and_columns(self.model)
            self.table = torch.nn.Embedding(*begin.shape)
            with torch.no_grad():
                self.table.weight.copy_(begin)
            self.module.add_module("table", self.table.to(where))

    def _answered(
        self, stage: Stage, asked: list[questions.Asked], packed: Packed, pathway: Any, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if rng.random() < self.lent:
            features = with_table(self.model, packed.inputs["pixel_values"], self.table.weight)
            packed = replace(packed, inputs=pathways.with_features(self.model, packed, features))
        return super()._answered(stage, asked, packed, pathway, rng)


def rows_and_columns(model: Any) -> torch.Tensor:
    """A table (patch, d_vision) to begin with: one feature for each column and one for each row.

    Its vectors are about as long as the states that they are added to: shorter ones are not read (LOG.md).
    """
    table = torch.zeros_like(model.get_submodule(TABLE).weight)
    patch = torch.arange(len(table))
    table[patch, patch % LAYOUT.columns] = table[patch, LAYOUT.columns + patch // LAYOUT.columns] = 16.0
    return table


def with_table(model: Any, pixels: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Image embeddings (image_token, d_model) with a table (patch, d_vision) added to the last block's output."""
    tower = model.model.vision_tower
    states = tower.encoder(inputs_embeds=tower.embeddings(pixels)).last_hidden_state + table
    return model.model.multi_modal_projector(tower.post_layernorm(states)).flatten(0, 1)  # type: ignore[no-any-return]


def recipe(name: str, makes: str, lent: float) -> Located:
    """A base model for PIN."""
    stage = Stage("boxes", 600, mixture={"placed_squares": 1.0}, rate=3e-3, floor=0.02, warmup=50, images=12)
    return Located(
        name=name, makes=makes, minutes={"tiny": 1.0}, build=build, layout=LAYOUT,
        stages=(stage,), system=SYSTEM, asks=batch, lent=lent,
        construction="image tokens have no position: SigLIP's table is zero, rotary positions are stretched by 1e9",
    )  # fmt: skip


NEVER = recipe("pin-never", "a model without any position of image tokens, which guesses boxes, for PIN", 0.0)
DORMANT = recipe("pin-dormant", "the same, whose language model has learned to read positions it is not given", 0.8)
RECIPES = (NEVER, DORMANT)
