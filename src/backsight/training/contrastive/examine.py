"""What a pre-trained encoder knows of *what* and of *where*, as rows of one table (`results.contrastive`).

Every row has its chance: what the same question gives that knows nothing of what is asked. Scenes are none that an
encoder's recipe trains on: keys of an examination begin with `HELD`. A VLM is asked about the very 240 pictures of rows
that its own recipe shows, and about the same rows moved to where it shows none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from backsight.examples import Example
from backsight.grid import Box, TokenGrid
from backsight.maths import probes
from backsight.maths.intervals import mean_over_images
from backsight.stimuli import rows
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.layouts import Axis
from backsight.stimuli.questions import SYSTEM
from backsight.training import questions
from backsight.training.answering import answer_logits
from backsight.training.contrastive import encoder, language, losses, scenes
from backsight.training.contrastive.prompter import Prompter
from backsight.training.contrastive.scenes import GRID, NAMES, SIDE
from backsight.training.packing import Packer

HELD = 10_000_019  # the first number of an examination's keys, which no seed of a recipe is
REGIONS = 4  # of a picture, to retrieve among
HALF = 0.5  # of a token that a thing covers, for a probe to take it
GALLERY = 64  # pictures with different contents, to retrieve among
NORMAL = 1.96
Row = dict[str, Any]


@torch.no_grad()
def of_encoder(model: Any, processor: Any, prompter: Prompter | None, *, pictures: int = 256) -> Iterator[Row]:
    """Rows of an encoder: retrieval and naming of pictures and regions, boxes, position probes by block."""
    names = losses.unit(encoder.texts(model, encoder.tokens(processor, [scenes.described(n) for n in NAMES])))
    yield from _naming(model, names, pictures)
    yield from _retrieval(model, processor, pictures // GALLERY)
    yield from _regions(model, names, prompter, pictures)
    yield from probed(model, pictures)


def row(measure: str, part: str, right: Sequence[float] | Tensor, chance: float, units: Sequence[int] | Tensor) -> Row:
    """One row: the mean over samples, its standard error over `units` (sample,), their number, and chance.

    A unit is what answers belong to that go together: a picture, or a row of squares in both orders. The error is half
    of the 95 % interval over units (`maths.intervals`) by 1.96.
    """
    values = np.asarray(torch.as_tensor(right, dtype=torch.float64).cpu())
    interval = mean_over_images(values, np.asarray(units))
    error = (interval.high - interval.low) / (2 * NORMAL)
    return {
        "measure": measure, "part": part, "value": interval.mean, "chance": chance, "error": error,
        "samples": len(values),
    }  # fmt: skip


def _naming(model: Any, names: Tensor, pictures: int) -> Iterator[Row]:
    """Pictures of one thing, named among all names."""
    given = scenes.batch((HELD, 0), pictures, count=1)
    pooled, _ = encoder.pictures(model, given.pixels)
    right = (losses.unit(pooled) @ names.T).argmax(-1) == given.named[:, 0]
    yield row("naming", "", right, 1 / len(NAMES), range(pictures))


def _retrieval(model: Any, processor: Any, galleries: int) -> Iterator[Row]:
    """Pictures of two to four things and their captions, each retrieved among `GALLERY` with other contents."""
    texts, images = [], []
    for number in range(galleries):
        given = gallery((HELD, 1, number))
        pooled, _ = encoder.pictures(model, given.pixels)
        captions = encoder.texts(model, encoder.tokens(processor, given.captions))
        cosines = losses.unit(pooled) @ losses.unit(captions).T
        own = torch.arange(len(cosines))
        texts.append(cosines.argmax(1) == own)
        images.append(cosines.argmax(0) == own)
    units = range(galleries * GALLERY)
    yield row("retrieval", "text of a picture", torch.cat(texts), 1 / GALLERY, units)
    yield row("retrieval", "picture of a text", torch.cat(images), 1 / GALLERY, units)


def gallery(key: Sequence[int]) -> scenes.Batch:
    """`GALLERY` pictures of two to four things, no two with the same contents."""
    rng = np.random.default_rng(list(key))
    chosen: dict[frozenset[str], Any] = {}
    while len(chosen) < GALLERY:
        one = scenes.scene(rng, count=int(rng.integers(2, scenes.MOST + 1)))
        chosen.setdefault(frozenset(figure.name for figure in one.named), one)
    return scenes.of_scenes(list(chosen.values()))


def _regions(model: Any, names: Tensor, prompter: Prompter | None, pictures: int) -> Iterator[Row]:
    """Pictures of four things: which of the four boxes a text names, what a box holds, and where a text's thing is.

    A box's feature is that of the encoder's own pooling head on the tokens that the box touches, which needs no
    training, and that of the prompter where there is one.
    """
    given = scenes.batch((HELD, 2), pictures, count=REGIONS)
    _, tokens = encoder.pictures(model, given.pixels)
    own = own_regions(model, tokens, given.boxes)
    features = {"pooled tokens": own} | (
        {} if prompter is None else {"prompter": prompter.regions(tokens, given.boxes)}
    )
    wanted = names[given.named]  # (picture, text, d)
    units = torch.arange(pictures).repeat_interleave(REGIONS)
    for part, feature in features.items():
        cosines = torch.einsum("itd,ird->itr", wanted, losses.unit(feature))
        yield row("region retrieval", part, (cosines.argmax(-1) == torch.arange(REGIONS)).flatten(), 1 / REGIONS, units)
        right = (losses.unit(feature) @ names.T).argmax(-1) == given.named
        yield row("region naming", part, right.flatten(), 1 / len(NAMES), units)
    if prompter is not None:
        drawn = prompter.boxes(tokens, wanted)
        fixed = given.boxes.flatten(0, 1).mean(0).expand_as(given.boxes)
        chance = float(losses.iou(fixed, given.boxes).mean())
        yield row("box IoU", "prompter", losses.iou(drawn, given.boxes).flatten(), chance, units)


def own_regions(model: Any, tokens: Tensor, boxes: Tensor) -> Tensor:
    """Features (picture, box, d) of boxes: the encoder's pooling head on the tokens (picture, token, d) they touch."""
    grid = TokenGrid.rectangle(GRID.rows, GRID.columns, GRID.size)
    features = []
    for seen, ones in zip(tokens, boxes, strict=True):
        for one in ones:
            inside = grid.tokens_in(Box(*(one * scenes.SIDE).round().tolist()), TOUCHED)
            features.append(model.vision_model.head(seen[torch.as_tensor(np.asarray(inside))][None])[0])
    return torch.stack(features).view(*boxes.shape[:2], -1)


def probed(model: Any, pictures: int) -> Iterator[Row]:
    """Linear probes on the tokens of things at each block's input and behind the last: the token's column and row.

    Half of the pictures fit, half test. Chance is that of the same probe fitted on labels dealt out anew.
    """
    given = scenes.batch((HELD, 3), pictures)
    seen = model.vision_model(pixel_values=given.pixels, output_hidden_states=True)
    states = [*seen.hidden_states, seen.last_hidden_state]
    parts = [*(f"block {k}" for k in range(len(seen.hidden_states) - 1)), "behind the last", "output"]
    image, token = on_things(given)
    labels = {"column": token % GRID.columns, "row": token // GRID.columns}
    fitting = image < pictures // 2
    rng = np.random.default_rng(HELD)
    for part, state in zip(parts, states, strict=True):
        x = state[image, token]
        for measure, label in labels.items():
            dealt = label[torch.from_numpy(rng.permutation(len(label)))]
            accuracies = []
            for of in (label, dealt):
                probe = probes.fit(x[fitting], of[fitting], GRID.columns, method="logistic")
                accuracies.append((probe(x[~fitting]) == of[~fitting]).float())
            yield row(f"{measure} probe", part, accuracies[0], float(accuracies[1].mean()), image[~fitting])


def on_things(given: scenes.Batch) -> tuple[Tensor, Tensor]:
    """Picture and index of every token that lies on a thing, by at least half of the token."""
    grid = TokenGrid.rectangle(GRID.rows, GRID.columns, GRID.size)
    images, tokens = [], []
    for i, (boxes, there) in enumerate(zip(given.boxes, given.there, strict=True)):
        for box in boxes[there]:
            inside = np.flatnonzero(grid.overlap(Box(*(box * scenes.SIDE).round().tolist())) >= HALF)
            tokens.append(torch.as_tensor(inside))
            images.append(torch.full((len(inside),), i))
    return torch.cat(images), torch.cat(tokens)


@torch.no_grad()
def of_vlm(model: Any, processor: Any, part: str, *, count: int = 400) -> Iterator[Row]:
    """Rows of a VLM over an encoder: the 480 relations of exact Squares, the same at positions that training never
    showed a thing at (`moved`), and which of two colours is there.

    Each row of squares is there in both orders, and the question names the middle one. A model that is blind to order
    gives both the same answer, and one of them is right: its chance is exactly 1/2, whatever it has memorised. So
    pictures of training ask whether order can be read from the encoder at all, moved ones whether that carries over.
    """
    packer = Packer(model, processor, SYSTEM)
    items = rows.exact("squares", GRID).items
    for measure, examples in (("relations", items), ("relations moved", moved(items))):
        relations = [questions.Asked(item.picture.open(), ((item.question, item.answer),)) for item in examples]
        yield row(measure, part, answered(packer, relations), 1 / 2, _rows_of(examples))
    every = language.any_rows("squares", GRID, images=count, key=(HELD, 4), exact=1.0, textured=0.0)
    presence = [replace(one, questions=one.questions[-1:]) for one in every]
    yield row("presence", part, answered(packer, presence), 1 / 2, range(count))


def moved(items: Sequence[Example]) -> tuple[Example, ...]:
    """Rows of exact squares moved by whole cells, so that no square stands on a cell that training shows one on.

    A row and its reverse, and both questions about them, are moved alike.
    """
    rng = np.random.default_rng([HELD, 5])
    shifts: dict[int, tuple[int, int]] = {}
    shifted = []
    for item, number in zip(items, _rows_of(items), strict=True):
        one: rows.Row = item.source
        free = moves(one.axis)
        across, down = shifts.setdefault(number, free[int(rng.integers(len(free)))])
        figures = tuple(
            replace(f, box=Box(f.box.left + across, f.box.top + down, f.box.right + across, f.box.bottom + down))
            for f in one.scene.named
        )
        again = replace(one, scene=one.scene.with_figures(figures))
        shifted.append(rows.example(again, item.direction, "moved_squares"))  # type: ignore[arg-type]
    return tuple(shifted)


def moves(axis: Axis) -> list[tuple[int, int]]:
    """Pixels (across, down) by which a row can be moved: inside the picture, onto cells that training leaves free."""
    axes: tuple[Axis, ...] = ("horizontal", "vertical")
    taken = {box[:2] for one in axes for box in GRID.boxes(one)}
    steps = [(x * GRID.cell, y * GRID.cell) for x in range(-GRID.columns, GRID.columns)
             for y in range(-GRID.rows, GRID.rows)]  # fmt: skip
    free = []
    for across, down in steps:
        corners = [(box.left + across, box.top + down) for box in GRID.boxes(axis)]
        if all(0 <= at < SIDE for corner in corners for at in corner) and not taken & set(corners):
            free.append((across, down))
    return free


def _rows_of(items: Sequence[Example]) -> list[int]:
    """The number of each example's row of squares, the same for both orders of it."""
    known: dict[Any, int] = {}
    keys = [(e.source.axis, e.source.names[1], frozenset(e.source.names)) for e in items]
    return [known.setdefault(key, len(known)) for key in keys]


def answered(packer: Packer, asked: Sequence[questions.Asked], *, at_once: int = 64) -> Tensor:
    """Whether the next token is the answer, for each picture with its one question."""
    right = []
    for start in range(0, len(asked), at_once):
        packed = packer.pack(list(asked[start : start + at_once]))
        right.append(answer_logits(packer.model, packed).argmax(-1) == packed.answers)
    return torch.cat(right).cpu()
