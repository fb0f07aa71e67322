"""The tournament: every repair beside nothing, its controls and the blank image, on questions it was not fitted on.

Pictures are split once. The first part is the development split, on which `entrants` choose everything; the second is
held out. Each held-out batch is prepared once and asked without a repair, without a picture, with each repair and
with each draw of each control; repairs that are maps of the image embeddings are replayed from one recording. A suite
that no built-in model is trained on (`stimuli.nearer`) is asked with the repairs themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.maths import probes
from backsight.measurements import costs, memory
from backsight.measurements.amplify import parted
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.entrants import (
    INSERT,
    REPAIRS,
    Development,
    Entrant,
    boxes_asked,
    chunks,
    insert_bytes,
    lack,
    on_embeddings,
    rows_shown,
)
from backsight.models import answers, replay
from backsight.models.facts import ModelFacts, Sizes
from backsight.models.flops import Call, Flops
from backsight.models.prompts import Batch
from backsight.models.replay import Trace
from backsight.models.vlm import VLM
from backsight.repairs import choosing
from backsight.repairs.base import Fitted
from backsight.results import Result, tournament
from backsight.results.tournament.schema import ABSENT, BLANK, LEFT_OUT, NONE, SCORE, TOURNAMENT
from backsight.stimuli.arrangements import by_arrangement, split
from backsight.stimuli.nearer import nearer
from backsight.stimuli.suites import layout_for

FEWEST = 4  # pictures, of which one is for the development split at least


@dataclass(frozen=True)
class Applied:
    """A fitted repair, or a draw of one of its controls, as it is asked and named in the rows."""

    repair: str
    fitted: Fitted
    setting: str
    control: str | None = None
    draw: int = 0

    def named(self) -> Row:
        """The columns that say what was asked."""
        return {
            "repair": self.repair, "control": self.control, "draw": self.draw,
            "setting": self.setting if self.control is None else None, "upper_bound": self.fitted.needs_boxes,
            "trained": None,
        }  # fmt: skip


@dataclass(frozen=True)
class Tournament(Measurement):
    """Answers of held-out questions without and with each repair, one row a question, repair, control and draw.

    `repairs` are names of `entrants.REPAIRS`, all but the opt-in ones where none is given; `draws` of each control that
    is sampled. The absent relation is asked in `absent` questions. A repair that a model or a set cannot take is left
    out, in a row that says why.
    """

    result: ClassVar[Result] = tournament.RESULT
    needs_all_samples: ClassVar[bool] = True
    opt_in: ClassVar[bool] = True
    own_too: ClassVar[bool] = True

    repairs: tuple[str, ...] = ()
    draws: int = 2
    absent: int = 40
    seed: int = 0
    method: probes.Method = "logistic"

    def __post_init__(self) -> None:
        if unknown := [name for name in self.repairs if name not in REPAIRS]:
            raise UsageError("There is no such repair", got=", ".join(unknown), do=f"choose from: {', '.join(REPAIRS)}")
        if self.draws < 1:
            raise UsageError("A control needs at least one draw", got=self.draws)
        if self.absent < 0:
            raise UsageError("The number of questions of the absent relation is negative", got=self.absent)

    @property
    def entrants(self) -> dict[str, Entrant]:
        """The repairs that are tried, in the order of the table."""
        return {
            name: one for name, one in REPAIRS.items() if (name in self.repairs if self.repairs else not one.opt_in)
        }

    def applies(self, samples: Samples) -> bool:
        """Any questions with options."""
        return isinstance(samples, ExampleSet) and all(len(e.options) > 1 for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, the absent relation, and the rows that probes are fitted on."""
        if not isinstance(samples, ExampleSet):
            return samples
        try:
            development = parted(samples, self.seed)[0]
            inserted = boxes_asked(development) if "pin" in self.entrants else []
            return [*samples, *self._absent(grid), *rows_shown(grid, development, self.seed), *inserted]
        except CannotAnswer:  # no room for such scenes: what needs them is left out
            return samples

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the options are no single tokens, or the pictures are too few to split."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("The tournament takes an example set, not pairs", got=samples.name)
        facts.check_options(replace(samples, scoring="token"))
        pictures = len({e.image_id for e in samples})
        if pictures < FEWEST or not all(parted(samples, self.seed)):
            raise CannotAnswer("Too few pictures to choose repairs on some and score the others", got=pictures)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """What the fits run; a forward a held-out question and a blank one; each repair and draw of a control; and one
        question more of each, for its cost."""
        assert isinstance(samples, ExampleSet)
        development, scored = parted(samples, self.seed)
        entrants = [one for one in self.entrants.values() if lack(one, facts, facts.grid, samples) is None]
        spent: list[costs.Spent] = []
        for fit in dict.fromkeys(part for one in entrants for part in one.cost):
            spent += fit(facts, development, self.batch)
        single = facts.call([scored[0]])
        runs = [passes for one in entrants for passes in one.passes(self.draws)]
        spent.append((single, single.forward() * (1 + sum(runs))))
        for chunk in chunks(scored, self.batch):
            call, blank = facts.call(chunk), facts.call([e.blank() for e in chunk])
            spent.append((call, call.forward() + self._again(facts, call, chunk, entrants, self.draws)))
            spent.append((blank, blank.forward()))
        if (absent := self._absent(facts.grid)) and facts.token_options(absent[0].options) is not None:
            unaided = [one for one in entrants if not one.needs_boxes]
            for chunk in chunks(absent, self.batch):
                call, blank = facts.call(chunk), facts.call([e.blank() for e in chunk])
                spent.append((call, call.forward() + self._again(facts, call, chunk, unaided, 0)))
                spent.append((blank, blank.forward()))
        return sum(facts.equivalents(call, flops) for call, flops in spent)

    def _again(
        self, facts: ModelFacts, call: Call, chunk: Sequence[Example], entrants: Sequence[Entrant], draws: int
    ) -> Flops:  # fmt: skip
        """What a batch is asked beyond once: with each repair, and with its controls where there are `draws`."""
        total = Flops()
        for one in entrants:
            runs = one.passes(draws) if draws else one.passes(1)[:1]
            once = costs.from_embeddings(facts, call, chunk) if one.replayed else call.forward()
            total += once * sum(runs)
        return total

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """Two recordings, the repaired embeddings, and the fullest pass: a forward whose scores are changed, or a
        replay."""
        sizes = self._sizes(facts, samples)
        values = 6 * memory.states(sizes, deep=False)
        return 2 * memory.recorded(sizes) + values + max(self._scored(sizes), memory.replayed(sizes))

    def bytes_held(self, facts: ModelFacts, samples: Samples) -> int:
        """The fit of amplification's directions, as `Amplify` has it, and what fits take whose batches are their own,
        where that is more than a batch of the rest."""
        assert isinstance(samples, ExampleSet)
        sizes = self._sizes(facts, samples)
        asked = min(choosing.BATCH, len(parted(samples, self.seed)[0]))
        fits = asked * (self._scored(sizes) + memory.logits(sizes))
        if "pin" in self.entrants and (inserted := boxes_asked(parted(samples, self.seed)[0])):
            fits = max(fits, insert_bytes(facts, inserted, min(INSERT.at_once, self.batch)))
        if any(e.replayed for e in self.entrants.values()) and facts.grid.is_rectangle:
            shown = rows_shown(facts.grid, parted(samples, self.seed)[0], self.seed)
            kinds = by_arrangement(shown).values()
            most = max(memory.marked(facts, split(pictures, self.seed)[0]) for pictures in kinds)
            seen = memory.pictures(facts.sizes(shown), min(self.batch, max(map(len, kinds))))
            fits = max(fits, 4 * most * sizes.text.width * memory.FLOAT + seen)
        return max(0, fits - self.batch * self.bytes_each(facts, samples))

    def _sizes(self, facts: ModelFacts, samples: Samples) -> Sizes:
        return facts.sizes([*samples, *self._absent(facts.grid)])  # type: ignore[list-item]

    @staticmethod
    def _scored(sizes: Sizes) -> int:
        """A forward whose scores stand in memory, with what an edit of them copies."""
        eager = replace(sizes, text=replace(sizes.text, eager=True))
        return memory.forward(eager) + 3 * sizes.text.heads * sizes.tokens**2 * memory.FLOAT

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """Rows of the held-out questions, of the absent relation, and of what is left out."""
        development, scored = parted(ExampleSet("tournament", tuple(samples)), self.seed)
        with choosing.remembered():
            entered, left_out = self._entered(vlm, development, ExampleSet("tournament", tuple(samples)))
        plain = {"cost": _charged(vlm, scored[0], None)} | _NAMED
        about: list[tuple[Applied, Row]] = [
            (one, one.named() | {"cost": _charged(vlm, scored[0], one.fitted)}) for one in entered
        ]
        rows = _answers(vlm, scored, SCORE, plain, about, self.batch)
        absent = self._absent(vlm.grid)
        if absent and vlm.options(absent[0].options) is not None:
            trained = {"trained": "no" if vlm.name.startswith("builtin:") else "unknown"}
            unaided = [(o, row | trained) for o, row in about if o.control is None and not o.fitted.needs_boxes]
            rows += _answers(vlm, absent, ABSENT, plain | trained, unaided, self.batch)
        first = {"example_id": scored[0].id, "image_id": scored[0].image_id, "suite": scored[0].suite}
        return rows + [dict.fromkeys(TOURNAMENT.columns) | first | row for row in left_out]

    def _entered(
        self, vlm: VLM, development: ExampleSet, samples: ExampleSet
    ) -> tuple[list[Applied], list[Row]]:  # fmt: skip
        """The fitted repairs with their controls, and those that the model or the questions cannot take."""
        shared = Development(vlm, development, self.batch, self.seed, self.method)
        entered: list[Applied] = []
        left_out: list[Row] = []
        for name, one in self.entrants.items():
            why = lack(one, vlm.family, vlm.grid, samples)
            try:
                if why is None:
                    fitted = one.fit(shared)
                    fitted.ready(vlm, [*samples, *self._absent(vlm.grid)])
                    setting = one.setting(fitted)
                    controls = one.controls(fitted, shared, self.draws)
                    entered.append(Applied(name, fitted, setting))
                    entered += [
                        Applied(name, each, setting, control, draw)
                        for control, draws in controls.items()
                        for draw, each in enumerate(draws)
                    ]
            except (CannotAnswer, UsageError) as error:
                why = error.what + (f" ({error.got})" if error.got is not None else "")
            if why is not None:
                left_out.append({"part": LEFT_OUT, "repair": name, "setting": why, "upper_bound": one.needs_boxes})
        return entered, left_out

    def _absent(self, grid: TokenGrid) -> Sequence[Example]:
        """The questions of the absent relation; none where the grid has no room for its scenes."""
        try:
            return nearer(layout_for(grid), count=self.absent, seed=self.seed)
        except CannotAnswer:
            return ()


_NAMED: Row = {"repair": NONE, "control": None, "draw": 0, "setting": None, "upper_bound": False, "trained": None}


def _charged(vlm: VLM, example: Example, fitted: Fitted | None) -> float:
    """What one question is charged, in forward equivalents."""
    batch = vlm.prepare([example])
    before = vlm.forward_equivalents
    with nullcontext() if fitted is None else fitted.applied(vlm, batch):
        vlm.forward(batch)
    return vlm.forward_equivalents - before


def _answers(
    vlm: VLM, examples: ExampleSet | Sequence[Example], part: str, plain: Row, about: Sequence[tuple[Applied, Row]],
    size: int,
) -> list[Row]:  # fmt: skip
    """Rows of some questions by what is asked of them, each kind in the questions' order of batches."""
    rows: list[list[Row]] = [[] for _ in range(2 + len(about))]
    recorded = any(on_embeddings(one.fitted, vlm.family) for one, _ in about)
    for chunk in chunks(examples, size):
        batch = vlm.prepare(chunk)
        trace = replay.record(vlm, batch) if recorded else None
        logits = [trace.logits if trace is not None else vlm.forward(batch)]
        logits.append(vlm.forward(vlm.prepare([e.blank() for e in chunk])))
        logits += [_with(vlm, batch, trace, one.fitted) for one, _ in about]
        named = [plain, plain | {"repair": BLANK}, *(row for _, row in about)]
        for number, (row, of) in enumerate(zip(named, logits, strict=True)):
            rows[number] += [
                row | {"part": part} | _answered(vlm, e, scores) for e, scores in zip(chunk, of, strict=True)
            ]
    return [row for of in rows for row in of]


def _with(vlm: VLM, batch: Batch, trace: Trace | None, fitted: Fitted) -> Tensor:
    """Next-token logits (batch, vocabulary) with a repair: replayed where it changes the image embeddings alone."""
    if trace is None or not on_embeddings(fitted, vlm.family):
        with fitted.applied(vlm, batch):
            return vlm.forward(batch)
    states = trace.resid_pre(0)[batch.image_mask]
    prompts = batch.image_mask.nonzero()[:, 0]
    for edit in fitted.edits(vlm, batch):
        states = edit.apply(states, *([prompts] if edit.by_prompt else []))
    return trace.with_states(0, batch.image_mask, states)


def _answered(vlm: VLM, example: Example, logits: Tensor) -> Row:
    choice, scores = vlm.choose(logits, example.options)
    top = vlm.tokenizer.decode([int(logits.argmax())])
    return {
        "example_id": example.id, "image_id": example.image_id, "suite": example.suite,
        "direction": example.direction, "answer": example.answer, "choice": choice, "correct": choice == example.answer,
        "top_token": top, "free_correct": answers.normalise(top) == answers.normalise(example.answer),
        "p_answer": float(scores[example.options.index(example.answer)]),
    }  # fmt: skip
