"""Cut-outs: objects cut out of real photographs along their polygons, and empty pieces of photographs to stand on.

A folder in COCO's form gives natural pixels, and a scene of cut-outs gives exact geometry: what stands where is
known because it was put there. Half of the photographs are for training and half for tests, by a hash of the image
id, so that no photograph is ever in both. Whose photographs a picture shows stays with it (`Picture.credits`).
The package itself holds no photograph.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backsight.datasets import coco
from backsight.datasets.cutout_drawing import Audit, Cutout, Cutouts, Outline, Piece, Split
from backsight.errors import DataError, UsageError
from backsight.grid import Box

SPLITS: tuple[Split, Split] = ("train", "test")

MIN_AREA = 32.0**2  # square pixels; below it COCO calls an object small
MIN_SIDE = 24.0  # pixels, as for COCO-Pairs
BORDER = 2.0  # pixels; what comes nearer to the edge may be cut off by it
FEWEST = 2  # cut-outs of a name, so that a name is not one picture
FEWEST_NAMES = 5  # a row of three and its counterfactual need five different names
EMPTY = 120  # pixels a side of an empty piece of a photograph
STEP = 20  # pixels between the pieces that are looked at for an empty one

LEFT_OUT = (
    "no picture at hand",
    "a crowd",
    "without a polygon",
    "of several parts",
    "at the border of its photograph",
    "too small",
    "of a name of several words",
    "of a name that is not asked for",
    "of a name with too few",
)


def split_of(photo: int) -> Split:
    """The half that a photograph belongs to, by a hash of its id alone: the same in every folder."""
    return SPLITS[hashlib.sha256(f"split:{photo}".encode()).digest()[0] % 2]


def read(
    root: Path, split: Split = "test", *, names: Sequence[str] | None = None, min_area: float = MIN_AREA,
    fewest: int = FEWEST,
) -> Cutouts:  # fmt: skip
    """The cut-outs of one half of a folder in COCO's form.

    A cut-out is no crowd, has one polygon that ends at least 2 px before the photograph's edge, at least `min_area`
    square pixels and sides of 24 px. `names` chooses categories, in this order; without it they are all of one word
    with at least `fewest` cut-outs, by name. UsageError where there is no folder or an option cannot be used; DataError
    where annotations, polygons or photographs are missing or broken, or fewer than five names are left.
    """
    if split not in SPLITS:
        raise UsageError("Photographs are split in two halves", got=split, do="choose from: train, test")
    if fewest < 1 or not min_area >= 0:
        raise UsageError("This many cut-outs cannot be asked for", got=f"fewest {fewest}, min_area {min_area:g}")
    every = coco.read(root)
    if not any(_has_polygon(instance) for photo in every for instance in photo.instances):
        raise DataError(
            "None of the annotations has a polygon, so nothing can be cut out",
            where=root,
            got=f"{sum(photo.annotated for photo in every)} annotations of {len(every)} photographs",
            do="give annotations whose segmentation is a list of polygons, as in COCO's instances files",
        )
    half = [photo for photo in every if split_of(photo.id) == split]
    left_out: Counter[str] = Counter()
    by_name: dict[str, list[Cutout]] = {}
    for photo in half:
        left_out["no picture at hand"] += photo.annotated if photo.path is None else 0
        for instance in photo.instances:
            cutout = _cutout(photo, instance, min_area)
            if isinstance(cutout, str):
                left_out[cutout] += 1
            else:
                by_name.setdefault(cutout.name, []).append(cutout)
    chosen = _chosen(by_name, names, fewest, left_out, root, split)
    pieces = tuple(piece for photo in half if (piece := _empty_piece(photo)) is not None)
    audit = Audit(
        len(half), sum(photo.annotated for photo in half), {rule: left_out[rule] for rule in LEFT_OUT},
        {name: len(of) for name, of in chosen.items()}, len(pieces),
    )  # fmt: skip
    return Cutouts(root, split, chosen, pieces, {photo.id: photo for photo in half}, audit)


def _chosen(
    by_name: Mapping[str, list[Cutout]], names: Sequence[str] | None, fewest: int, left_out: Counter[str], root: Path,
    split: Split,
) -> dict[str, tuple[Cutout, ...]]:  # fmt: skip
    """The cut-outs of the names that are kept; what is left out is counted."""
    kept: dict[str, tuple[Cutout, ...]] = {}
    for name, of in sorted(by_name.items()):
        if names is None and " " in name:
            left_out["of a name of several words"] += len(of)
        elif names is not None and name not in names:
            left_out["of a name that is not asked for"] += len(of)
        elif len(of) < fewest:
            left_out["of a name with too few"] += len(of)
        else:
            kept[name] = tuple(of)
    absent = sorted(set(names or ()) - set(kept))
    if absent:
        raise DataError(
            "There are too few cut-outs of a name that is asked for",
            where=f"{root}, {split} half",
            got=", ".join(f"{name} {len(by_name.get(name, ()))}" for name in absent),
            do=f"leave it out, give more photographs, or ask for fewer than {fewest} a name",
        )
    if len(kept) < FEWEST_NAMES:
        counts = ", ".join(f"{name} {len(of)}" for name, of in sorted(by_name.items(), key=lambda n: -len(n[1]))[:12])
        raise DataError(
            f"There are too few objects for rows of three: {FEWEST_NAMES} names need at least {fewest} cut-outs each",
            where=f"{root}, {split} half",
            got=f"{len(kept)} names; cut-outs are {counts or 'none'}",
            do="give more photographs, or relax `min_area` or `fewest`",
        )
    return {name: kept[name] for name in names} if names is not None else kept


def _has_polygon(instance: coco.Instance) -> bool:
    return not instance.crowd and isinstance(instance.outline, list) and len(instance.outline) > 0


def _cutout(photo: coco.Photo, instance: coco.Instance, min_area: float) -> Cutout | str:
    """The cut-out of an instance, or the rule that leaves it out; DataError for a polygon that is none."""
    if instance.crowd:
        return "a crowd"
    if not _has_polygon(instance):
        return "without a polygon"
    for part in instance.outline:
        numbers = isinstance(part, list) and all(type(n) in (int, float) and math.isfinite(n) for n in part)
        if not numbers or len(part) < 6 or len(part) % 2:
            raise DataError(
                "A polygon is not a list of at least three points",
                where=f"{photo.where}, annotation {instance.id}",
                got=_short(part),
                do="give [x1, y1, x2, y2, ...] in pixels, or remove the annotation",
            )
    if len(instance.outline) > 1:
        return "of several parts"
    (flat,) = instance.outline
    outline = tuple((float(x), float(y)) for x, y in zip(flat[::2], flat[1::2], strict=True))
    xs, ys = zip(*outline, strict=True)
    width, height = photo.size
    if min(*xs, *ys) < BORDER or max(xs) > width - BORDER or max(ys) > height - BORDER:
        return "at the border of its photograph"
    if area(outline) < min_area or min(max(xs) - min(xs), max(ys) - min(ys)) < MIN_SIDE:
        return "too small"
    assert photo.path is not None
    return Cutout(instance.category, instance.id, photo.id, photo.path, outline)


def area(outline: Outline) -> float:
    """The area that a polygon encloses, in square pixels (the shoelace formula)."""
    points = np.array(outline)
    (x, y), (u, v) = points.T, np.roll(points, -1, axis=0).T
    return float(abs(np.sum(x * v - u * y)) / 2)


def _empty_piece(photo: coco.Photo) -> Piece | None:
    """The largest square of a photograph that touches no annotated box, of at least 120 px; the first of several."""
    width, height = photo.size
    if photo.path is None:
        return None
    taken = np.zeros((height + 1, width + 1), np.int64)
    for left, top, right, bottom in (instance.box for instance in photo.instances):
        taken[math.floor(top) + 1 : math.ceil(bottom) + 1, math.floor(left) + 1 : math.ceil(right) + 1] = 1
    sums = taken.cumsum(0).cumsum(1)  # of the pixels above and to the left of a corner
    for side in range(min(width, height), EMPTY - 1, -STEP):
        inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
        empty = np.argwhere(inside[::STEP, ::STEP] == 0)
        if len(empty):
            top, left = (int(n) * STEP for n in empty[0])
            return Piece(photo.id, Box(left, top, left + side, top + side))
    return None


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else text[:117] + "..."
