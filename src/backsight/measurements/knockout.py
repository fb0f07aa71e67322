"""Token knockout: the causal effect of every image token, and which method of relevance comes near it.

Only small models allow it: each image token is taken away in turn, and the change of the contrastive logit difference
(CREG, equation 1) is the token's effect. It is taken away in two ways: attention to it is cut for all other positions
in every block, or its embedding is that of the empty picture. The absolute effects are relevance like any other: they
have a compass, and every method is compared with them token by token and by direction.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, Picture, PlainPicture
from backsight.grid import TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Floats
from backsight.maths.ranks import rank_correlation
from backsight.maths.relevance import BOX, DEFAULT, EFFECTS, FLOOR, METHODS, NULL, RANDOM
from backsight.measurements import costs, creg, memory, relevance
from backsight.measurements.base import Row, Samples
from backsight.measurements.recordings import Recorded
from backsight.measurements.relations import OfRelations, question_columns, refusal
from backsight.measurements.relevance import Target
from backsight.models import embeds, replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ENTERS_ONCE, ONE_GRID
from backsight.models.gradients import Score
from backsight.models.seam import Seam
from backsight.results import Result
from backsight.results import knockout as of_rows
from backsight.stimuli.render import ScenePicture

Form = Literal["attention", "embedding"]
FORMS: tuple[Form, ...] = ("attention", "embedding")
STEADY = 1e-3  # of the options' logits: effects nearer than that share ranks, as some 1e-6 of a logit is rounding


@dataclass(frozen=True)
class Knockout(OfRelations):
    """Agreement of every method with the effects of the tokens, one row a question, form, method.

    `target` says whose logit's effects are taken; methods are those for the same target. The method `knockout` is the
    effects themselves.
    """

    result: ClassVar[Result] = of_rows.RESULT
    opt_in: ClassVar[bool] = True
    version: ClassVar[int] = 2
    requires: ClassVar[frozenset[str]] = frozenset({ENTERS_ONCE, ONE_GRID})

    target: Target = "prediction"
    forms: tuple[Form, ...] = FORMS
    batch: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.forms or set(self.forms) - set(FORMS):
            raise UsageError("There is no such form of knockout", got=self.forms, do=f"choose from: {', '.join(FORMS)}")

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """The methods, and for each token and form a replay of what it reaches."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            asked = [e for e in batch if refusal(e, facts.grid_of(e.picture)) is None]
            if not asked:
                return
            call = facts.call(asked)
            for token in range(max(len(facts.grid_of(e.picture)) for e in asked)):
                rows = max(facts.behind(e, token) for e in asked)
                yield call, call.replayed([rows] * facts.n_layers) * len(self.forms)
            if "embedding" in self.forms:
                sizes = {p.id: p.size for p in map(empty_picture, asked)}
                yield call, call.shown(facts.shown[size].patches for size in sizes.values())

        return super().cost(facts, samples) + costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """What the methods take, and a replay."""
        return super().bytes_each(facts, samples) + memory.replayed(facts.sizes(samples))

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one batch; samples without a direction have none."""
        batch, trace = recorded.batch, recorded.trace
        if batch is None or trace is None or recorded.maps is None:
            return []
        asked, maps = recorded.asked, recorded.maps.of(self.methods)
        score = relevance.score(recorded.vlm, batch, maps.chosen, self.target, contrastive=True)
        table: list[Row] = []
        for form in self.forms:
            effects = [e.cpu().double().numpy() for e in token_effects(trace, score, form)]
            for number, example in enumerate(asked):
                shown = {
                    m: v[number] for (m, t), v in maps.relevance.items() if t == self.target or not METHODS[m].targeted
                }
                floor = STEADY * max(map(abs, maps.chosen[number].scores))
                rows = [*compared(example, batch.grids[number], np.abs(effects[number]), shown, floor),
                        *({"method": m, "refused": why} for m, why in maps.missing.items())]  # fmt: skip
                chosen = maps.chosen[number]
                of = {"form": form, "correct": chosen.choice == chosen.answer}
                table += [dict.fromkeys(self.schema.columns) | question_columns(example) | of | row for row in rows]
        return table


def token_effects(trace: replay.Trace, score: Score, form: Form) -> list[Tensor]:
    """How much the score falls with each image token taken away, one tensor (image_token,) an example.

    One replay a token for the whole batch, of the positions that it can reach.
    """
    batch, vlm = trace.batch, trace.vlm
    base = score(trace.logits)
    counts = [len(grid) for grid in batch.grids]
    empty = _empty(vlm, batch.examples) if form == "embedding" else None
    positions = [batch.image_mask[row].nonzero().flatten() for row in range(len(batch))]
    effects = torch.zeros(len(batch), max(counts), device=base.device)
    for token in range(max(counts)):
        mask = torch.zeros_like(batch.image_mask)
        rows = [row for row, count in enumerate(counts) if token < count]
        for row in rows:
            mask[row, positions[row][token]] = True
        if empty is None:
            logits = trace.knockout(mask)
        else:
            logits = trace.with_states(0, mask, torch.stack([empty[row][token] for row in rows]))
        effects[:, token] = base - score(logits)
    return [values[:count] for values, count in zip(effects, counts, strict=True)]


def _empty(vlm: Seam, examples: Sequence[Example]) -> list[Tensor]:
    """The image embeddings (image_token, d_model) of each question's empty picture."""
    return embeds.of_pictures(vlm, [empty_picture(e) for e in examples], vlm.call(examples))


def empty_picture(example: Example) -> Picture:
    """The ground of a drawn scene without its figures; of anything else a uniform gray picture."""
    picture = example.picture
    if isinstance(picture, ScenePicture):
        return ScenePicture(picture.scene.with_figures(()), picture.assets)
    return PlainPicture(picture.size)


def compared(
    example: Example, grid: TokenGrid, effects: Floats, shown: dict[str, Floats], floor: float = 0.0
) -> Iterator[Row]:
    """Each method's and reference's agreement with the effects (image_token,) of one question.

    Effects that differ by less than `floor` share their rank.
    """
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    weights = compass.sector_weights(grid, reference, subject, creg.PROJECTIONS[DEFAULT])
    true = compass.direction(reference, subject)
    drawn = np.random.default_rng(zlib.crc32(example.id.encode())).random(len(grid))
    others = {
        EFFECTS: effects,
        NULL: np.ones(len(grid)),
        RANDOM: drawn,
        FLOOR: compass.point(grid, subject),
        BOX: compass.inside(grid, subject),
    }
    own = compass.compass_or_none(effects, weights)
    for method, values in {**others, **shown}.items():
        shares = compass.compass_or_none(values, weights)
        row: Row = {"method": method, "true": true, "correlation": rank_correlation(values, effects, floor=floor)}
        if shares is not None:
            row["dae"] = compass.alignment_error(shares, true)
            row["ea"] = compass.edge_accuracy(shares, true)
        if shares is not None and own is not None:
            row["angle"] = between(shares, own)
        yield row


def between(one: Floats, other: Floats) -> float:
    """The angle between two compasses' peaks in degrees; the mean over the sectors that are tied there."""
    centers = compass.sector_centers(len(other))
    return float(np.mean([compass.alignment_error(one, centers[peak]) for peak in compass.peaks(other)]))
