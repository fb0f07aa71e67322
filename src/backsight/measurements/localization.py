"""Localization: the box that a model names for a thing, in the text that it writes, beside the right one.

Absolute where, the task of PIN and of referring expression comprehension. Each thing that has a name and a box is asked
for once, of its picture and of a gray one: what is named without a picture is no knowledge of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from backsight.datasets import coco_pairs
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair, Picture
from backsight.grid import TokenGrid
from backsight.maths import boxes
from backsight.maths.boxes import Form
from backsight.measurements import costs, memory
from backsight.measurements.base import Measurement, Row, Samples
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.results import Result, localization
from backsight.stimuli import absolute

# The format in which each family was taught to write boxes; of others it is absolute.DEFAULT.
FORM_OF: Mapping[str, Form] = {
    "qwen2_vl": "qwen2",
    "qwen2_5_vl": "json_pixels",
    "qwen3_vl": "json_thousand",
    "gemma3": "yxyx",
    "paligemma": "loc",
    "florence2": "florence",
    "kosmos-2": "kosmos2",
}
WORDS = 64  # tokens: a box in JSON takes some 45, with its label and the marks of a block of code


@dataclass(frozen=True)
class Localization(Measurement):
    """Each thing's box as a model writes it, of its picture and of a gray one; a row a question and picture.

    `form` is the format that is asked for and read, for all questions. None takes that in which a question of the suite
    `located` is put, else the family's (`FORM_OF`), else fractions. `sides` are columns and rows of the form `grid`.
    `words` is the most tokens that are written; a text of so many in which there is no box is "cut off". A thing about
    which several questions of a set are asked is asked for once. A study leaves out COCO-Pairs, whose things COCO-Boxes
    asks for.
    """

    result: ClassVar[Result] = localization.RESULT
    opt_in: ClassVar[bool] = True
    version: ClassVar[int] = 2

    form: Form | None = None
    sides: int = boxes.SIDES
    words: int = WORDS

    def __post_init__(self) -> None:
        if self.form is not None:
            boxes.demand_form(self.form)
        if self.words < 2:
            raise UsageError("A box of less than two tokens is none", got=self.words, do="give words=48")
        if not self.sides >= 1:
            raise UsageError("A grid of boxes has at least one column and row", got=self.sides)

    def applies(self, samples: Samples) -> bool:
        """Examples of which each names a thing that has a box."""
        return isinstance(samples, ExampleSet) and all(_has_box(e) and e.suite != coco_pairs.SUITE for e in samples)

    def chosen(self, samples: Samples) -> Samples:
        """Of the questions about one thing of one picture the first."""
        if not isinstance(samples, ExampleSet):
            return samples
        first = {(e.image_id, e.subject or e.id): e for e in reversed(samples)}
        kept = {e.id for e in first.values()}
        return samples if len(kept) == len(samples) else samples.where(lambda e: e.id in kept)

    def asked(self, samples: Samples, grid: TokenGrid) -> Iterable[Example | Pair]:
        """The samples, and the question about each one's thing; which of the forms it is put in is not known yet."""
        examples = [e for e in samples if isinstance(e, Example) and _has_box(e)]
        forms = list(absolute.PROMPTS) if self.form is None else [self.form]
        return [*samples, *(self._question(e, form, e.picture.size) for e in examples for form in forms)]

    def check(self, facts: ModelFacts, samples: Samples) -> None:
        """CannotAnswer where a sample names nothing that has a box."""
        if not isinstance(samples, ExampleSet):
            raise UsageError("Localization takes an example set, not pairs", got=samples.name)
        without = [e.id for e in samples if not _has_box(e)]
        if without:
            raise CannotAnswer(
                "A box is asked for, and some questions name no thing that has one", where=f"suite {samples.name}",
                got=f"{len(without)} of {len(samples)}, the first {without[0]}",
                do="give examples with a subject and its box",
            )  # fmt: skip

    def cost(self, facts: ModelFacts, samples: Samples) -> float:
        """`words` tokens of each question, of the picture and of a gray one."""

        def run(batch: list[Example]) -> Iterator[costs.Spent]:
            call = facts.call([self._question(e, form_of(e, self.form, ""), e.picture.size) for e in batch])
            yield call, call.written(self.words) * 2

        return costs.total(facts, samples, self.plan(samples), run)

    def bytes_each(self, facts: ModelFacts, samples: Samples) -> int:
        """A forward with a cache of keys and values as long as prompt and box."""
        sizes = facts.sizes(self.asked(samples, facts.grid)).longer(self.words)
        keys = 2 * sizes.text.layers * sizes.tokens * sizes.text.kv_heads * sizes.text.head * sizes.item
        return memory.forward(sizes) + 2 * keys + memory.pictures(sizes, 1)

    def rows(self, vlm: VLM, samples: Sequence[Example]) -> list[Row]:
        """A row a question and picture, the thing's own first."""
        forms = [form_of(e, self.form, vlm.family.model_type) for e in samples]
        shown = [counted_size(vlm, e.picture, form) for e, form in zip(samples, forms, strict=True)]
        asked = [self._question(e, form, size) for e, form, size in zip(samples, forms, shown, strict=True)]
        rows: list[Row] = []
        texts = {
            localization.PICTURE: vlm.generate(vlm.prepare(asked), max_new_tokens=self.words),
            localization.BLANK: vlm.generate(vlm.prepare([e.blank() for e in asked]), max_new_tokens=self.words),
        }
        for number, (e, form) in enumerate(zip(samples, forms, strict=True)):
            for condition, of in texts.items():
                row = self._row(e, asked[number], form, condition, of[number], shown[number])
                if row["why"] == boxes.NO_BOX and len(tokens(vlm, of[number])) >= self.words:
                    row["why"] = boxes.CUT_OFF
                rows.append(row)
        return rows

    def _row(
        self, example: Example, asked: Example, form: Form, condition: str, text: str, shown: tuple[int, int]
    ) -> Row:
        assert example.subject is not None
        right = absolute.fractions(example.boxes[example.subject], example.picture.size)
        seen = boxes.read(text, form, size=shown, sides=int(asked.tags["sides"]))
        row: Row = {
            "example_id": example.id, "image_id": example.image_id, "suite": example.suite, "thing": example.subject,
            "form": form, "condition": condition, "question": asked.question, "text": text,
            "readable": seen.box is not None, "why": seen.why or None,
        }  # fmt: skip
        row |= dict(zip(localization.NAMED, seen.box or (None,) * 4, strict=True))
        row |= dict(zip(localization.RIGHT, right, strict=True))
        width, height = example.picture.size
        row["aspect"] = width / height
        row["iou"] = 0.0 if seen.box is None else boxes.iou(seen.box, right)
        row["error"] = None if seen.box is None else boxes.location_error(seen.box, right, (width, height))
        return row

    def _question(self, example: Example, form: Form, shown: tuple[int, int]) -> Example:
        """The question about a sample's thing in a format; one that is put so already is as it stands."""
        if example.tags.get("form") == form and "sides" in example.tags:
            return example
        assert example.subject is not None
        sides = min(self.sides, len(boxes.GRID_WORDS))  # a longer grid is read, and its right text is not needed
        asked = absolute.example(
            example.id, example.picture, example.subject, example.boxes[example.subject], form,
            suite=example.suite, sides=sides, shown=shown,
        )  # fmt: skip
        return replace(asked, tags={"form": form, "sides": str(self.sides)})


def form_of(example: Example, form: Form | None, model_type: str) -> Form:
    """The format that is asked for: the one given, the question's own, the family's, or fractions."""
    if form is not None:
        return form
    own = example.tags.get("form")
    if own is not None:
        boxes.demand_form(own)
        return own  # type: ignore[return-value]
    return FORM_OF.get(model_type, absolute.DEFAULT)


def tokens(vlm: VLM, text: str) -> list[int]:
    """The tokens of a text that a model has written; special ones are not in it any more."""
    return list(vlm.tokenizer(text, add_special_tokens=False).input_ids)


def counted_size(vlm: VLM, picture: Picture, form: Form) -> tuple[int, int]:
    """Width and height that a format's numbers are of: as the model is shown the picture where it counts pixels, else
    the picture's own, by which one that was padded to a square is cut out of it again."""
    return shown_size(vlm, picture) if form == "json_pixels" else picture.size


def shown_size(vlm: VLM, picture: Picture) -> tuple[int, int]:
    """Width and height of a picture as the model is shown it: the size that Qwen2.5-VL counts pixels of."""
    grid = vlm.grid_of(picture)
    if not grid.is_rectangle:
        return picture.size
    patch = int(vlm.model.config.vision_config.patch_size)
    side = patch * round((vlm.prompter.patches(picture.size) / len(grid)) ** 0.5)
    return grid.columns * side, grid.rows * side


def _has_box(example: Example) -> bool:
    return example.subject is not None and example.subject in example.boxes
