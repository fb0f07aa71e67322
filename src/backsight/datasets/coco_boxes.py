"""COCO-Boxes: where is a thing in a photograph? A question for each thing that a name stands for alone.

The things are those that COCO-Pairs may name (`coco_pairs.select`): the only one of its category in its photograph, no
crowd, with box sides of at least 24 px.
"""

from __future__ import annotations

from pathlib import Path

from backsight.datasets import coco, coco_pairs
from backsight.datasets.files import conversion_note
from backsight.errors import DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture
from backsight.maths.boxes import SIDES, Form
from backsight.stimuli import absolute
from backsight.stimuli.what import Annotated

SUITE = "coco_boxes"


def load(
    root: Path, *, form: Form | None = None, sides: int = SIDES, limit: int | None = None,
    min_side: float = coco_pairs.MIN_SIDE, seed: int = 0,
) -> ExampleSet:  # fmt: skip
    """The box of every single instance, asked for in a format of `maths.boxes.FORMS` or in a model's own (None), by
    image id and then by name.

    `limit` keeps at most so many questions, always the same for a `seed`. UsageError where there is no folder or an
    option is out of range, DataError for annotations or photographs that cannot be used, and where no thing is left.
    """
    if limit is not None and limit < 1:
        raise UsageError("A limit keeps at least one question", got=limit)
    if not min_side >= 0:
        raise UsageError("The smallest side of a box cannot be negative", got=min_side)
    items: list[Example] = []
    photos = coco.read(root)
    categories = coco.categories(photos)
    for photo in photos:
        if photo.path is None:
            continue
        picture, there = FilePicture(photo.path), Annotated(coco.categories([photo]), categories)
        kept, _ = coco_pairs.select(photo, min_side)
        items += (
            absolute.example(
                f"coco-{photo.id}-{one.category}".replace(" ", "_"), picture, one.category, one.box, form,
                suite=SUITE, sides=sides, source=there,
            )
            for one in kept
        )  # fmt: skip
    if not items:
        raise DataError(
            "No thing is left under the rules of COCO-Boxes", where=root,
            got=f"single instances with box sides of at least {min_side:g} px",
            do="see what each rule leaves out: `backsight data coco-pairs DIR`",
        )  # fmt: skip
    note = conversion_note(item.picture for item in items)
    return ExampleSet(SUITE, tuple(items), note=note, only=("localization",)).limit(limit, seed)
