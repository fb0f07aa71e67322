"""How much of an answer depends on the rotary coordinates that the language model is given.

Two interventions, in both of which pixels, tokens and their order stay. The counterfactual mirrors the column (or row)
coordinate in the position ids of the image tokens: a model that reads left and right from them must answer as if the
picture were mirrored. Sensitivity turns the keys of the image tokens, and no query, by a cell along rows, columns or
both (Beyond Semantics, arXiv 2503.17349) and sees what that does to the last position's attention and to the answer.
Its null turns each pair of features of each key by the same angle, to a side drawn at random: every key moves as far,
and to no position.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models import position_ids
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ONE_GRID, ROTARY
from backsight.models.position_ids import Axis
from backsight.models.prompts import Batch
from backsight.models.recording import Recording
from backsight.models.vlm import VLM
from backsight.results import Result, rotary
from backsight.stimuli.isolated import alternatives

MIRRORED: tuple[Axis, ...] = ("column", "row")
CELLS: dict[str, tuple[int, int]] = {"column": (0, 1), "row": (1, 0), "both": (1, 1)}  # rows, columns
# Which coordinate a direction lies along; in a perspective scene before and behind lie along neither.
ALONG: dict[str, Axis] = {
    "left": "column", "right": "column", "above": "row", "below": "row", "on": "row", "under": "row",
}  # fmt: skip
LEAST = 1e-30  # of a probability whose logarithm is taken
Maps = dict[int, list[Tensor]]  # by layer: each sample's attention (head, image_token) from the last position


@dataclass(frozen=True)
class Rotary(Measurement):
    """Answers with coordinates mirrored, and attention and answers with image keys turned by each of `steps` cells.

    One row a question and condition; of turned keys also one a layer. `gray` asks under mirrored coordinates about a
    uniform gray picture too.
    """

    result: ClassVar[Result] = rotary.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID, ROTARY})

    steps: tuple[int, ...] = (1,)
    gray: bool = True
    batch: int = 8

    def __post_init__(self) -> None:
        if 0 in self.steps or len(set(self.steps)) < len(self.steps):
            raise UsageError("Steps are different numbers of cells other than 0", got=self.steps, do="give (1,)")

    def applies(self, samples: Samples) -> bool:
        """Questions with options to choose from."""
        return isinstance(samples, ExampleSet) and all(len(e.options) > 1 for e in samples)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where single tokens cannot tell the options apart."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Rotary takes an example set, not pairs", got=samples.name)
        facts.check_options(replace(samples, scoring="token"))

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a condition: plain, each coordinate mirrored with the picture and gray, and keys turned."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            call = facts.call(batch)
            yield call, call.forward() * (1 + len(MIRRORED) + 2 * len(CELLS) * len(self.steps))
            if self.gray:
                blank = facts.call([e.blank() for e in batch])
                yield blank, blank.forward() * len(MIRRORED)

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward whose attention stands in memory, the kept attention to the picture, and a block's turned keys."""
        sizes = facts.sizes(samples)
        text = replace(sizes.text, eager=True)
        kept = text.layers * text.heads * sizes.image_tokens * memory.FLOAT
        turned = sizes.image_tokens * text.head * (4 * text.kv_heads + 8) * memory.FLOAT
        inputs = sizes.inputs + sizes.tokens * 6 * 8  # position ids, 64-bit, of up to three axes twice
        return memory.forward(replace(sizes, text=text)) + kept + turned + inputs

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of one batch."""
        batch = vlm.prepare(samples)
        plain: Maps = {}
        with (
            vlm.watching(lambda layer, weights: plain.__setitem__(layer, _to_image(weights, batch))),
            _keys(vlm) as seen,
        ):
            logits = vlm.forward(batch)
        answers = [_answered(vlm, e, one) for e, one in zip(samples, logits, strict=True)]
        rows = [_common(e, a) | {"edit": "plain"} | a for e, a in zip(samples, answers, strict=True)]
        rows += self._mirrored(vlm, batch, answers, "picture", keys=seen["keys", 0])
        if self.gray:
            rows += self._mirrored(vlm, vlm.prepare([e.blank() for e in samples]), answers, "gray", samples=samples)
        for step in self.steps:
            for given in CELLS:
                for condition in ("step", "scrambled"):
                    rows += _turned(vlm, batch, plain, answers, given, step, condition)  # type: ignore[arg-type]
        return rows

    def _mirrored(
        self, vlm: VLM, batch: Batch, before: Sequence[Row], condition: str, *,
        samples: Sequence[Example] | None = None, keys: Tensor | None = None,
    ) -> list[Row]:  # fmt: skip
        """Answers with each coordinate of a batch mirrored, of the questions whose answer then is known.

        `keys` are those of the first block as it is, on which the turn of keys is held to what mirrored ids give.
        """
        rows, ids = [], position_ids.default(vlm, batch)
        for given in MIRRORED:
            other = position_ids.mirrored(batch, ids, given)
            with _keys(vlm) as seen:
                logits = vlm.forward(position_ids.with_ids(batch, other))
            if keys is not None:
                position_ids.confirm(vlm, keys, seen["keys", 0], (other - ids)[..., batch.image_mask])
            for example, plain, one in zip(samples or batch.examples, before, logits, strict=True):
                if not _known(example, given):
                    continue
                named = {"edit": "mirror", "given": given, "condition": condition}
                rows.append(_common(example, plain) | named | _beside(_answered(vlm, example, one), plain))
        return rows


def _keys(vlm: VLM) -> AbstractContextManager[Recording]:
    """The keys of image tokens in the first block, in every call inside the context."""
    return vlm.recording("keys", layers=[0], positions="image")


def _known(example: Example, given: Axis) -> bool:
    """Whether it is known what becomes of an answer that is read from coordinates of which one is mirrored.

    Not of a caption that is true or false along that coordinate, nor of rows and what lies behind, which may be above.
    """
    own = along(example)
    if own is None:
        return given == "column" or example.direction is None
    return given != own or opposite(example) is not None


def along(example: Example) -> Axis | None:
    """The coordinate along which a question's answer lies; None where it lies along neither, or is no direction."""
    direction = example.direction if example.direction is not None else example.answer
    return ALONG.get(direction)


def opposite(example: Example) -> str | None:
    """The answer that a question would have in the picture mirrored along its own coordinate; None where it has none or
    it is not known, as of a caption that is true or false."""
    two = alternatives(example) if along(example) is not None else None
    return None if two is None else two[1] if example.answer == two[0] else two[0]


def scrambled(example: Example, step: int, tokens: int, pairs: int) -> Tensor:
    """Signs (image_token, pair), drawn for a question and a step."""
    rng = np.random.default_rng([zlib.crc32(f"rotary:{example.id}".encode()), abs(step)])
    return torch.from_numpy(rng.integers(0, 2, (tokens, pairs)) * 2 - 1)


def changes(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """How far the image's share of attention moved, and the attention within the image, (head,) each.

    Of attention from one position to image tokens, (head, image_token): the second is the total variation between the
    two distributions over the image, half the sum of absolute differences, from 0 to 1.
    """
    shares = [one.sum(-1) for one in (before, after)]
    within = [one / share.clamp(min=LEAST)[:, None] for one, share in zip((before, after), shares, strict=True)]
    return shares[1] - shares[0], (within[1] - within[0]).abs().sum(-1) / 2


def _turned(
    vlm: VLM, batch: Batch, plain: Maps, before: Sequence[Row], given: str, step: int,
    condition: Literal["step", "scrambled"],
) -> list[Row]:  # fmt: skip
    rows, columns = (step * cells for cells in CELLS[given])
    signs = None
    if condition == "scrambled":
        pairs = position_ids.pairs(vlm)
        signs = [scrambled(e, step, len(g), pairs) for e, g in zip(batch.examples, batch.grids, strict=True)]
    attention: dict[int, list[Row]] = {}

    def compare(layer: int, weights: Tensor) -> None:
        attention[layer] = [
            _moved(one, other) for one, other in zip(plain[layer], _to_image(weights, batch), strict=True)
        ]

    with vlm.editing(*position_ids.turning(vlm, batch.grids, (rows, columns), signs)), vlm.watching(compare):
        logits = vlm.forward(batch)
    named = {"edit": "turn", "given": given, "condition": condition, "steps": step}
    records = []
    for number, (example, scores) in enumerate(zip(batch.examples, logits, strict=True)):
        common = _common(example, before[number]) | named
        records.append(common | _beside(_answered(vlm, example, scores), before[number]))
        records += [common | {"layer": layer} | attention[layer][number] for layer in sorted(attention)]
    return records


def _to_image(weights: Tensor, batch: Batch) -> list[Tensor]:
    """The last position's attention (head, image_token) to each picture, from (batch, head, query, key)."""
    last = weights[:, :, -1].float()
    return [part[:, seen] for part, seen in zip(last, batch.image_mask.to(last.device), strict=True)]


def _moved(before: Tensor, after: Tensor) -> Row:
    """The plain share and what changed, means over heads, and the most of any head."""
    share, within = changes(before, after)
    return {
        "share": float(before.sum(-1).mean()),
        "share_change": float(share.mean()),
        "share_moved": float(share.abs().mean()),
        "map_moved": float(within.mean()),
        "map_moved_most": float(within.max()),
    }


def _answered(vlm: VLM, example: Example, logits: Tensor) -> Row:
    choice, scores = vlm.choose(logits, example.options)
    probability = float(scores[example.options.index(example.answer)])
    return {"choice": choice, "correct": choice == example.answer, "log_p": math.log(max(probability, LEAST))}


def _beside(after: Row, plain: Row) -> Row:
    changed = after["choice"] != plain["choice"]
    return after | {"changed": changed, "log_p_change": after["log_p"] - plain["log_p"]}


def _common(example: Example, plain: Row) -> Row:
    return dict.fromkeys(rotary.ROTARY.columns) | {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite, "direction": example.direction,
        "along": along(example), "answer": example.answer, "opposite": opposite(example),
        "right_before": plain["correct"],
    }  # fmt: skip
