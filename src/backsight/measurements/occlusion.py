"""Causal occlusion: what hiding one compass sector does to the answer (CREG, section 4, equation 8, and table 4).

Every sector is hidden in turn. So the paper's score of the true sector (COS-true: it describes a sample, and is the
same for every method) and the score of the sector that a method itself indicates (COS-indicated: it ranks methods) are
read from one table (`maths/occlusion.py`). What the paper leaves open is varied on a share of the pictures.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from backsight.errors import UsageError
from backsight.examples import Example, ExampleSet
from backsight.maths import compass
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.needs import Needs
from backsight.measurements.recordings import Recorded, record
from backsight.measurements.relations import check_relations, has_relation, part_of, question_columns, refusal
from backsight.models import replay
from backsight.models.facts import ModelFacts
from backsight.models.families.common import ONE_GRID
from backsight.models.vlm import VLM
from backsight.results import Result
from backsight.results import occlusion as of_rows
from backsight.stimuli.occluded import Fill, OccludedPicture, Sectors

SECTORS = 8
HIDDEN = 0.5  # a token counts as hidden where at least so much of its cell is


@dataclass(frozen=True)
class Variant:
    """What the paper leaves open about an occlusion: `tokens` hides image tokens from all others and fills nothing."""

    fill: Fill | Literal["tokens"] = "gray"
    reach: Literal["edge", "r_max"] = "edge"
    spared: bool = False
    matched: bool = False


VARIANTS: dict[str, Variant] = {
    "gray": Variant(),
    "mean colour": Variant("mean"),
    "blur": Variant("blur"),
    "noise": Variant("noise"),
    "tokens": Variant("tokens"),
    "gray, up to r_max": Variant(reach="r_max"),
    "gray, boxes spared": Variant(spared=True),
    "gray, equal areas": Variant(matched=True),
}


@dataclass(frozen=True)
class Occlusion(Measurement):
    """log p of the answer with each sector hidden, one row a question, variant and sector, and one with none hidden.

    The first variant is taken on all pictures, the others on the share `varied` of them, chosen by the picture alone.
    """

    result: ClassVar[Result] = of_rows.RESULT
    requires: ClassVar[frozenset[str]] = frozenset({ONE_GRID})
    version: ClassVar[int] = 2

    varied: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.varied <= 1:
            raise UsageError("A share of the pictures lies between 0 and 1", got=self.varied)

    def applies(self, samples: Samples) -> bool:
        """Questions that name a direction, a subject and a reference with their boxes."""
        return isinstance(samples, ExampleSet) and all(has_relation(e) for e in samples)

    def needs(self) -> Needs:
        """The answers where nothing is hidden."""
        return Needs(refuse=refusal)

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where options are no single tokens or no sample has a direction."""
        check_relations(facts, samples)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward a sector and variant; hidden tokens cost a replay instead, at most of all behind the first one."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            asked = [e for e in batch if refusal(e, facts.grid_of(e.picture)) is None]
            for number, variant in enumerate(VARIANTS.values()):
                some = asked if number == 0 else [e for e in asked if self._varied(e)]
                if some and variant.fill == "tokens":
                    call = facts.call(some)
                    yield call, call.forward() + costs.from_embeddings(facts, call, some) * SECTORS
                elif some:
                    call = facts.call(some)
                    yield call, call.forward() * SECTORS
            if asked:
                call = facts.call(asked)
                yield call, call.forward()

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A recording and the fuller of a forward and a replay."""
        sizes = facts.sizes(samples)
        return memory.recorded(sizes) + max(memory.forward(sizes), memory.replayed(sizes))

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of one batch, on a recording of its own."""
        return self.rows_from(record(vlm, samples, self.needs()))

    def rows_from(self, recorded: Recorded) -> list[Row]:
        """The rows of one batch; a sample without a direction has one row that says why."""
        vlm, asked = recorded.vlm, recorded.asked
        refused = [e for e in recorded.samples if e.id in recorded.refused]
        rows = [_row(e, None, None) | {"refused": recorded.refused[e.id]} for e in refused]
        chosen: dict[str, str] = {}
        if recorded.logits is not None:
            answered = list(zip(asked, recorded.logits, strict=True))
            chosen = {e.id: vlm.choose(z, e.options)[0] for e, z in answered}
            rows += [_row(e, None, None) | _scores(e, z, vlm, chosen) for e, z in answered]
        for number, (name, variant) in enumerate(VARIANTS.items()):
            some = [e for e in asked if number == 0 or self._varied(e)]
            if some:
                tokens = variant.fill == "tokens"
                rows += _tokens(vlm, name, some, chosen) if tokens else _filled(vlm, name, variant, some, chosen)
        return rows

    def _varied(self, example: Example) -> bool:
        return zlib.crc32(f"varied:{example.image_id}".encode()) % 1000 < 1000 * self.varied


def _filled(
    vlm: VLM, name: str, variant: Variant, examples: Sequence[Example], chosen: Mapping[str, str]
) -> Iterator[Row]:  # fmt: skip
    """Each sector of the pictures filled."""
    assert variant.fill != "tokens"
    shown = [_sectors(e, variant) for e in examples]
    for sector in range(SECTORS):
        hidden = [
            replace(e, picture=OccludedPicture(e.picture, s, sector, variant.fill))
            for e, s in zip(examples, shown, strict=True)
        ]
        logits = vlm.forward(vlm.prepare(hidden))
        for example, sectors, z in zip(examples, shown, logits, strict=True):
            area = float(sectors.masks()[sector].mean())
            yield _row(example, name, sector) | _scores(example, z, vlm, chosen) | {"area": area}


def _tokens(vlm: VLM, name: str, examples: Sequence[Example], chosen: Mapping[str, str]) -> Iterator[Row]:
    """Each sector's image tokens seen by no other position."""
    batch = vlm.prepare(examples)
    trace = replay.record(vlm, batch)
    shares = [
        np.stack([_covered(mask, grid.box) for mask in _sectors(e, Variant()).masks()])
        for e, grid in zip(examples, batch.grids, strict=True)
    ]
    for sector in range(SECTORS):
        hidden = torch.zeros_like(batch.image_mask)
        for row, share in enumerate(shares):
            positions = batch.image_mask[row].nonzero().flatten()
            hidden[row, positions[torch.from_numpy(share[sector] >= HIDDEN).to(positions.device)]] = True
        for example, share, z in zip(examples, shares, trace.knockout(hidden), strict=True):
            area = float((share[sector] >= HIDDEN).mean())
            yield _row(example, name, sector) | _scores(example, z, vlm, chosen) | {"area": area}


def _covered(mask: np.ndarray[tuple[int, int], np.dtype[np.bool_]], boxes: compass.Floats) -> compass.Floats:
    """The share of each token's box (image_token, 4) that a mask of pixels covers."""
    rounded = boxes.round().astype(int)
    return np.array([mask[b[1] : b[3], b[0] : b[2]].mean() if b[3] > b[1] and b[2] > b[0] else 0.0 for b in rounded])


def _sectors(example: Example, variant: Variant) -> Sectors:
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    apart = float(np.hypot(*np.subtract(subject.center, reference.center)))
    return Sectors(
        example.picture.size,
        reference.center,
        SECTORS,
        reach=compass.Projection().reach * apart if variant.reach == "r_max" else None,
        spared=(subject, reference) if variant.spared else (),
        matched=variant.matched,
    )


def _row(example: Example, variant: str | None, sector: int | None) -> Row:
    return dict.fromkeys(of_rows.RESULT.schema.columns) | question_columns(example) | {
        "part": part_of(example.image_id), "variant": variant,
        "sector": None if sector is None else 360.0 / SECTORS * sector,
    }  # fmt: skip


def _scores(example: Example, logits: Tensor, vlm: VLM, chosen: Mapping[str, str]) -> Row:
    """log p of the right answer and of what the model chooses where nothing is hidden, by both read-outs."""
    spelled = vlm.options(example.options)
    assert spelled is not None
    whole = torch.log_softmax(logits.double(), -1)
    over = torch.stack([whole[list(ids)].logsumexp(0) for ids in spelled])
    among = over - over.logsumexp(0)
    true, own = (example.options.index(option) for option in (example.answer, chosen[example.id]))
    reference, subject = example.boxes[str(example.reference)], example.boxes[str(example.subject)]
    return {
        "true": compass.direction(reference, subject),
        "log_p": float(among[true]), "log_p_vocabulary": float(over[true]),
        "log_p_chosen": float(among[own]), "log_p_chosen_vocabulary": float(over[own]),
        "choice": example.options[int(over.argmax())], "answer": example.answer,
    }  # fmt: skip
