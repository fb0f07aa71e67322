"""The what/where gap: on the same pictures, questions of what is there and of where it is.

The relation is the sample's own question; naming, presence and colour are made of it (`stimuli.what`). Each is asked
with the picture and with a uniform gray one, which says what is answered without looking. All are read out among their
options.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair
from backsight.grid import TokenGrid
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.measurements.batching import batches
from backsight.models import answers
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, gap
from backsight.stimuli.what import KINDS, named_things, what

# A vocabulary of fewer tokens is one of words: what comes to pieces in it is no word that the model was taught.
OF_WORDS = 10_000
UNKNOWN = "nothing is known of these pictures to ask this"
LACKING = "the tokenizer lacks words of it"
ALIKE = "the tokenizer cannot tell its options apart"


@dataclass(frozen=True)
class Gap(Measurement):
    """What and where of the same pictures, one row a question and condition (picture, gray).

    A kind that cannot be asked about a picture has a row with the reason instead: it is not known, or the tokenizer
    lacks its words.
    """

    result: ClassVar[Result] = gap.RESULT
    needs_all_samples: ClassVar[bool] = True  # the names of the whole set are what may be absent

    def applies(self, samples: Samples) -> bool:
        """Questions about where a thing is relative to a reference."""
        return isinstance(samples, ExampleSet) and any(e.reference is not None for e in samples)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the questions of what about each."""
        return [*samples, *_of_what([e for e in samples if isinstance(e, Example)])]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where the tokenizer cannot tell the samples' options apart, or nothing can be asked of what
        their pictures show."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Gap takes an example set, not pairs", got=samples.name)
        facts.check_options(samples)
        reasons = [_why_not(e, facts) for e in _of_what(samples.items)]
        if all(reasons):
            got = ", ".join(sorted(set(filter(None, reasons)))) or UNKNOWN
            do = "give examples with subject and reference, in words of the model"
            where = f"suite {samples.name}"
            raise CannotAnswer("Nothing can be asked of what these pictures show", where=where, got=got, do=do)

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """A forward of each different question with its picture, and with a gray one; where options are sequences one
        for each of them instead."""

        def run() -> Iterator[costs.Spent]:
            asked = [e for e in _whole(samples) if _why_not(e, facts) is None]
            for shown in (asked, [e.blank() for e in asked]):
                for batch in self._batches(shown, lambda options: facts.token_options(options) is not None):
                    call = facts.call([one[0] for one in batch])
                    sequences = costs.sequences(facts, call, [batch[0][0]])
                    yield call, sequences if sequences.language else call.forward()

        return sum(facts.equivalents(call, flops) for call, flops in run())

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward; where options are sequences, one with an option behind the prompt and logits at every position."""
        asked = [e for e in _whole(samples) if _why_not(e, facts) is None]
        sizes = facts.sizes(asked)
        sequences = {option for e in asked if facts.token_options(e.options) is None for option in e.options}
        if not sequences:
            return memory.forward(sizes) + memory.logits(sizes)
        longest = max(facts.length_of(option) for option in sequences)
        whole = sizes.longer(longest)
        scores = 2 * longest * sizes.vocabulary * memory.FLOAT
        return memory.logits(sizes) + memory.forward(whole) + memory.logits(whole, whole.tokens) + scores

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """The rows of all samples: the relation, and each kind of what, or why it is not asked."""
        named = named_things(samples)
        asked: list[tuple[Example, str, Example | None, str | None]] = []
        for example in samples:
            questions = what(example, named)
            asked.append((example, "relation", example, None))
            kinds = ((kind, questions.get(kind)) for kind in KINDS)
            asked += [(example, kind, one, UNKNOWN if one is None else _lacks(one, vlm)) for kind, one in kinds]
        shown = [question for _, _, question, why in asked if question is not None and why is None]
        choices = {"picture": self._choices(vlm, shown), "gray": self._choices(vlm, [e.blank() for e in shown])}
        rows: list[Row] = []
        at = 0
        for example, kind, question, why in asked:
            if question is None or why is not None:
                rows.append(_row(example, kind, question) | {"skipped": why})
                continue
            rows += [
                _row(example, kind, question) | {"condition": condition} | _scored(question, chosen[at])
                for condition, chosen in choices.items()
            ]
            at += 1
        return rows

    def _choices(self, vlm: VLM, asked: Sequence[Example]) -> list[str]:
        """The most probable option of each question; of options that are longer than a token by the mean log p of
        their tokens, so that names of several tokens are not behind by their length."""
        by_example: dict[int, str] = {}
        for batch in self._batches(asked, lambda options: vlm.options(options) is not None):
            prepared, options = vlm.prepare([one[0] for one in batch]), batch[0][0].options
            if vlm.options(options) is not None:
                for row, same in zip(vlm.forward(prepared), batch, strict=True):
                    by_example |= {id(e): vlm.choose(row, e.options)[0] for e in same}
                continue
            scores = answers.per_token(vlm.tokenizer, options, vlm.sequence_log_probabilities(prepared, options))
            for row, same in zip(scores, batch, strict=True):
                by_example |= {id(e): options[int(row.argmax())] for e in same}
        return [by_example[id(e)] for e in asked]

    def _batches(
        self, asked: Sequence[Example], single: Callable[[tuple[str, ...]], bool]
    ) -> list[list[list[Example]]]:
        """Batches of questions, each a list of those that the model cannot tell apart; such as are read out by single
        tokens together, others with those that have the same options."""
        groups: dict[tuple[str, ...] | None, dict[tuple[object, ...], list[Example]]] = {}
        for example in asked:
            group = groups.setdefault(None if single(example.options) else example.options, {})
            group.setdefault((example.image_id, example.question, example.system), []).append(example)
        by_batch = []
        for group in groups.values():
            distinct = list(group.values())
            planned = batches([same[0] for same in distinct], self.batch)
            by_batch += [[distinct[i] for i in indices] for indices in planned]
        return by_batch


def _of_what(samples: Sequence[Example]) -> list[Example]:
    named = named_things(samples)
    return [question for example in samples for question in what(example, named).values()]


def _whole(samples: Samples) -> list[Example]:
    mine = [e for e in samples if isinstance(e, Example)]
    return [*mine, *_of_what(mine)]


def _why_not(question: Example, facts: ModelFacts) -> str | None:
    """Why a question of what is not asked of a model; None where it is."""
    if facts.token_options(question.options) is not None:
        return None
    return _reason(question, facts.vocabulary, [facts.length_of(option) for option in question.options])


def _lacks(question: Example, vlm: VLM) -> str | None:
    if vlm.options(question.options) is not None:
        return None
    lengths = [len(vlm.tokenizer.encode(option, add_special_tokens=False)) for option in question.options]
    return _reason(question, int(vlm.model.config.get_text_config().vocab_size), lengths)


def _reason(question: Example, vocabulary: int, lengths: Sequence[int]) -> str | None:
    """Why options that are no single tokens are not asked, by how many tokens each is."""
    words = [len(option.split()) for option in question.options]
    if vocabulary < OF_WORDS and any(n > known for n, known in zip(lengths, words, strict=True)):
        return LACKING
    return ALIKE if 0 in lengths else None


def _row(example: Example, kind: str, question: Example | None) -> Row:
    """The columns that every row of a question has."""
    return dict.fromkeys(gap.GAP.columns) | {
        "example_id": example.id,
        "image_id": example.image_id,
        "suite": example.suite,
        "direction": example.direction,
        "prompt": example.tags.get("prompt"),
        "ground": example.tags.get("ground"),
        "kind": kind,
        "question": question and question.question,
        "answer": question and question.answer,
        "options": question and len(question.options),
        "absence": question and question.tags.get("absence"),
    }


def _scored(question: Example, choice: str) -> Row:
    return {"choice": choice, "correct": choice == question.answer}
