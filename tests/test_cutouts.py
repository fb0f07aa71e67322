"""Cut-outs: what may be cut out, that pixels lie where boxes say, truth by the order of pasting, files, and errors."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask  # type: ignore[import-untyped,unused-ignore]

from backsight.datasets import coco, cutout_drawing, cutout_reading, cutout_suites, cutouts, folder
from backsight.datasets.cutout_drawing import Cutouts
from backsight.datasets.cutout_reading import split_of
from backsight.errors import BacksightError, CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture
from backsight.grid import Box
from backsight.measurements import Backup, Creg, ImageInterchange, Interchange, Moved, Pathways, Probes
from backsight.measurements.knockout import empty_picture
from backsight.measurements.mirror import moved
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.pictures import Credit, PlainPicture
from backsight.stimuli import isolated, rows
from backsight.stimuli.layouts import PRESETS, Layout
from backsight.stimuli.relations import neighbour, relation
from backsight.stimuli.render import ScenePicture
from backsight.training import cutouts as training
from backsight.training import questions
from backsight.training.saving import save

from .conftest import Command

OUTSIDE = Path(__file__).parents[1].parent / "shared/data/coco-sample"
outside = pytest.mark.skipif(not OUTSIDE.is_dir(), reason="the sample of COCO is not here")

LAYOUT = PRESETS["qwen2-vl"]
NAMES = ("person", "chair", "cup", "car", "toilet", "bottle")
COLOR = dict(
    zip(NAMES, [(200, 0, 0), (0, 200, 0), (0, 0, 200), (200, 200, 0), (200, 0, 200), (0, 200, 200)], strict=True)
)
GROUND = (90, 110, 130)
SIZE = (300, 200)
BAR = (20.0, 20.0, 60.0, 40.0)  # x, y, width, height: 60 x 40 px
LICENSES = [
    {"id": 4, "name": "Attribution License", "url": "http://creativecommons.org/licenses/by/2.0/"},
    {"id": 6, "name": "Attribution-NoDerivs License", "url": "http://creativecommons.org/licenses/by-nd/2.0/"},
]


def corners(x: float, y: float, width: float, height: float) -> list[float]:
    return [x, y, x + width, y, x + width, y + height, x, y + height]


def annotation(number: int, image: int, category: int, bbox: tuple[float, ...] = BAR, **more: Any) -> dict[str, Any]:
    entry = {"id": number, "image_id": image, "category_id": category, "bbox": list(bbox), "iscrowd": 0}
    return entry | {"segmentation": [corners(*cast(Any, bbox))]} | more


def ids(split: str, count: int) -> list[int]:
    return [n for n in range(1, 500) if split_of(n) == split][:count]


def photographs(root: Path, *, each: int = 2, change: Any = None) -> Path:
    """In either half `each` photographs a name, with one bar of the name's colour on gray and no more."""
    images, annotations = [], []
    (root / "images").mkdir(parents=True)
    for split in cutout_reading.SPLITS:
        for place, number in enumerate(ids(split, each * len(NAMES))):
            name = NAMES[place % len(NAMES)]
            image = Image.new("RGB", SIZE, GROUND)
            image.paste(COLOR[name], (20, 20, 80, 60))
            image.save(root / f"images/{number}.png")
            images.append(
                {"id": number, "file_name": f"{number}.png", "width": SIZE[0], "height": SIZE[1], "license": 4}
                | {"flickr_url": f"http://photos.example/{number}"}
            )
            annotations.append(annotation(1000 + number, number, place % len(NAMES) + 1))
    categories = [{"id": number, "name": name} for number, name in enumerate((*NAMES, "wine glass"), start=1)]
    data = {"images": images, "annotations": annotations, "categories": categories, "licenses": LICENSES}
    if change is not None:
        change(data)
    (root / "instances.json").write_text(json.dumps(data))
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return photographs(tmp_path_factory.mktemp("photographs") / "photos")


@pytest.fixture(scope="module")
def known(root: Path) -> Cutouts:
    return cutout_reading.read(root)


def pixels(picture: Any) -> NDArray[np.int64]:
    return np.asarray(picture.open() if hasattr(picture, "open") else picture).astype(int)


def changed(one: Any, two: Any, most: int = 2) -> NDArray[np.bool_]:
    """(row, column): where two pictures differ by more than `most` levels."""
    different: NDArray[np.bool_] = np.abs(pixels(one) - pixels(two)).max(-1) > most
    return different


def outline_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    down, across = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(across[0]), int(down[0]), int(across[-1]) + 1, int(down[-1]) + 1


# What may be cut out


def test_every_rule_leaves_out_what_it_names(tmp_path: Path) -> None:
    one = ids("test", 1)[0]

    def more(data: dict[str, Any]) -> None:
        data["annotations"] += [
            annotation(1, one, 1, (100, 20, 60, 60), iscrowd=1, segmentation={"counts": [1], "size": [1, 1]}),
            annotation(2, one, 1, (100, 20, 60, 60), segmentation={"counts": "abc", "size": [200, 300]}),
            annotation(3, one, 1, (100, 20, 60, 60), segmentation=[corners(100, 20, 20, 60), corners(130, 20, 30, 60)]),
            annotation(4, one, 1, (1.5, 20, 60, 60)),  # 1.5 px from the left edge
            annotation(5, one, 1, (200, 20, 98.5, 60)),  # 1.5 px from the right edge
            annotation(6, one, 1, (100, 20, 31, 33)),  # 1,023 square pixels
            annotation(7, one, 1, (100, 20, 23, 60)),  # 1,380, but 23 wide
            annotation(8, one, 7, (100, 20, 60, 60)),
            annotation(9, one, 1, (100, 20, 32, 32)),  # 1,024: kept
        ]

    left_out = cutout_reading.read(photographs(tmp_path / "p", change=more)).audit.left_out
    assert left_out == {
        "no picture at hand": 0, "a crowd": 1, "without a polygon": 1, "of several parts": 1,
        "at the border of its photograph": 2, "too small": 2, "of a name of several words": 1,
        "of a name that is not asked for": 0, "of a name with too few": 0,
    }  # fmt: skip
    audit = cutout_reading.read(tmp_path / "p").audit
    assert audit.cutouts["person"] == 3 and sum(audit.cutouts.values()) + sum(left_out.values()) == audit.instances
    chosen = cutout_reading.read(tmp_path / "p", names=NAMES[:5], fewest=1)
    assert chosen.names == NAMES[:5] and chosen.audit.left_out["of a name that is not asked for"] == 3
    assert cutout_reading.read(tmp_path / "p", min_area=1025).audit.cutouts["person"] == 2
    assert cutout_reading.area(((0, 0), (4, 0), (4, 3))) == 6


def test_halves_share_no_photograph_and_follow_from_the_id(root: Path, tmp_path: Path) -> None:
    halves = [set(cutout_reading.read(root, split).photos) for split in cutout_reading.SPLITS]
    assert not halves[0] & halves[1] and len(halves[0] | halves[1]) == 4 * len(NAMES)
    other = photographs(tmp_path / "p", each=3)
    assert halves[1] < set(cutout_reading.read(other, "test").photos)  # more photographs move none
    assert [split_of(n) for n in (139, 285, 632, 724)] == ["test", "train", "test", "test"]  # the same for ever


def test_silhouettes_are_those_of_the_polygons(root: Path, tmp_path: Path) -> None:
    def triangle(data: dict[str, Any]) -> None:
        for entry in data["annotations"]:
            entry["segmentation"] = [[20, 20, 80, 20, 20, 60]]

    known = cutout_reading.read(photographs(tmp_path / "p", change=triangle))
    cut = known.by_name["cup"][0]
    alpha = np.asarray(cutout_drawing._cut(cut).getchannel("A")) / 255
    assert alpha.shape == (40, 60) and alpha.sum() == pytest.approx(60 * 40 / 2, rel=0.02)
    assert alpha[2, 2] == 1 and alpha[-3, -3] == 0


@outside
def test_silhouettes_are_those_of_pycocotools() -> None:
    small = 0
    for cut in (of[0] for of in cutout_reading.read(OUTSIDE, "test").by_name.values()):
        width, height = Image.open(cut.path).size
        flat = [n for point in cut.outline for n in point]
        theirs = coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects([flat], height, width))).astype(bool)
        ours = np.asarray(cutout_drawing._cut(cut).getchannel("A"))
        left, top, right, bottom = outline_of(theirs)
        if max(ours.shape) < cutout_drawing.SIDE:  # kept at its own size
            small += 1
            assert abs(ours.shape[1] - (right - left)) <= 2 and abs(ours.shape[0] - (bottom - top)) <= 2
            assert (ours >= 128).sum() == pytest.approx(theirs.sum(), rel=0.06)
    assert small >= 10


@outside
def test_the_sample_in_numbers() -> None:
    train, test = (cutout_reading.read(OUTSIDE, split) for split in cutout_reading.SPLITS)
    assert (train.audit.photographs, test.audit.photographs) == (33, 37)
    assert train.audit.instances + test.audit.instances == 711
    for half in (train, test):
        assert sum(half.audit.left_out.values()) + sum(half.audit.cutouts.values()) == half.audit.instances
    assert {n: (train.audit.cutouts[n], test.audit.cutouts[n]) for n in training.NAMES} == {
        "person": (31, 30), "chair": (12, 4), "cup": (7, 5), "car": (6, 2), "toilet": (5, 2), "bottle": (4, 2)
    }  # fmt: skip
    assert (len(train.pieces), len(test.pieces)) == (22, 31)


def test_a_piece_is_the_largest_square_without_objects(known: Cutouts) -> None:
    # Beside a bar that ends at 80: from 80 on, 200 px a side.
    assert {piece.box for piece in known.pieces} == {Box(80, 0, 280, 200)} and len(known.pieces) == 12
    photo = coco.Photo(1, Path("x"), 1, (coco.Instance("a", Box(90, 90, 91, 91), False),), (180, 180))
    assert cutout_reading._empty_piece(photo) is None  # no square of 120 px beside the middle of 180
    assert cutout_reading._empty_piece(replace(photo, instances=())) == cutout_drawing.Piece(1, Box(0, 0, 180, 180))


# Suites


@pytest.mark.parametrize("ground", cutout_suites.GROUNDS)
@pytest.mark.parametrize("exact", [True, False], ids=["exact", "jittered"])
def test_rows_are_what_their_boxes_say(known: Cutouts, ground: cutout_suites.Ground, exact: bool) -> None:
    items = cutout_suites.row_set(known, LAYOUT, count=16, exact=exact, ground=ground)
    assert items.name == ("cutout_rows" if exact else "jittered_cutout_rows") and len(items) == 16
    assert Counter(e.direction for e in items) == dict.fromkeys(("left", "right", "above", "below"), 4)
    for example in items:
        boxes = list(example.boxes.values())
        names = list(example.boxes)
        at = neighbour(boxes, names.index(str(example.reference)), cast(Any, example.direction))
        assert at is not None and names[at] == example.answer and example.options == tuple(sorted(NAMES))
        if exact:
            assert tuple(boxes) == LAYOUT.boxes(rows.axis_of(cast(Any, example.direction)))
        row = isolated.row_of(example)
        empty = ScenePicture(row.scene.with_figures(()), row.assets)
        for name, box in example.boxes.items():
            inside = np.zeros(LAYOUT.size[::-1], bool)
            inside[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = True
            seen = outline_of(changed(example.picture, empty) & inside)
            width, height = seen[2] - seen[0], seen[3] - seen[1]
            assert width == round(box.width) and abs(height - width * 40 / 60) <= 1, name
            if exact:  # no shade
                middle = pixels(example.picture)[round(box.center[1]), round(box.center[0])]
                assert np.abs(middle - COLOR[name]).max() <= 2
        nothing = changed(example.picture, empty)
        for box in boxes:
            nothing[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = False
        assert not nothing.any()


def test_grounds(known: Cutouts) -> None:
    plain = cutout_suites.row_set(known, LAYOUT, count=4)[0].source
    real = cutout_suites.row_set(known, LAYOUT, count=4, ground="photo")[0].source
    empty = [pixels(ScenePicture(row.scene.with_figures(()), row.assets)) for row in (plain, real)]
    assert (empty[0] == 255).all() and (np.abs(empty[1] - GROUND) <= 1).all()


def test_the_same_seed_gives_the_same_pictures(root: Path, known: Cutouts) -> None:
    def some(cutouts: Cutouts, seed: int) -> tuple[ExampleSet, ...]:
        sets = (cutout_suites.row_set, cutout_suites.pair_set, cutout_suites.depth_set)
        return tuple(make(cutouts, LAYOUT, **{key: 8}, seed=seed) for make, key in zip(sets, KEYS, strict=True))  # type: ignore[operator,arg-type]

    again = cutout_reading.read(root)
    assert again == known and hash(again) == hash(known) and again != cutout_reading.read(root, "train")
    one, two, other = some(known, 0), some(again, 0), some(known, 1)
    assert [s.fingerprint for s in one] == [s.fingerprint for s in two]
    assert all(a.fingerprint != b.fingerprint for a, b in zip(one, other, strict=True))
    assert all((pixels(a.picture) == pixels(b.picture)).all() for a, b in zip(one[0], two[0], strict=True))


KEYS = ("count", "scenes", "scenes")


def test_equal_ids_are_equal_pixels(root: Path, tmp_path: Path, known: Cutouts) -> None:
    """The same annotations about other photographs give pictures of other ids."""
    other = photographs(tmp_path / "p")
    for path in (other / "images").iterdir():
        Image.new("RGB", SIZE, "white").save(path)
    one, two = (cutout_suites.row_set(c, LAYOUT, count=4)[0] for c in (known, cutout_reading.read(other)))
    assert one.boxes == two.boxes and one.image_id != two.image_id


def test_counterfactual_rows(known: Cutouts) -> None:
    items = cutout_suites.row_set(known, LAYOUT, count=40, ground="photo")
    for kind in ("last_token", "reversed"):
        pairs = items.pairs(kind)
        assert len(pairs) >= 30
        for pair in pairs[::3]:
            clean, other = pair.clean, pair.counterfactual
            first, middle, last = clean.source.scene.figures
            where = changed(clean.picture, other.picture)
            for box in (first.box, last.box):
                where[round(box.top) : round(box.bottom), round(box.left) : round(box.right)] = False
            assert not where.any()  # the middle one and the ground are the same
            names = other.source.names
            assert (
                names[1] == clean.source.names[1]
                and other.answer == pair.outcomes["counterfactual" if kind == "last_token" else "flipped"]
            )
            if kind == "reversed":
                assert names == clean.source.names[::-1]
                assert [f.cutout for f in other.source.scene.figures] == [last.cutout, middle.cutout, first.cutout]
            else:
                assert not {names[0], names[2]} & set(clean.source.names)
                shown = {c.id for name in names for c in known.by_name[name]}
                assert {f.cutout for f in other.source.scene.figures} <= shown


def test_isolated_cutouts_and_the_control(known: Cutouts) -> None:
    example = cutout_suites.row_set(known, LAYOUT, count=4, ground="photo")[0]
    things, empty = isolated.isolated(example, (28, 28))
    assert len(things) == 3 and not empty.scene.figures and empty.credits
    for thing, figure in zip(things, example.source.scene.figures, strict=True):
        seen = outline_of(changed(thing.picture, empty))
        box = figure.box
        moved = changed(example.picture, empty)[round(box.top) : round(box.bottom), round(box.left) : round(box.right)]
        x, y = round(thing.source.left), round(thing.source.top)
        assert seen[0] >= x and seen[1] >= y
        there = changed(thing.picture, empty)[y : y + moved.shape[0], x : x + moved.shape[1]]
        assert (there == moved).mean() > 0.99
    control = isolated.control(example)
    assert control.answer in example.boxes and set(control.options) - {control.answer} <= set(NAMES) - set(
        example.boxes
    )


@pytest.mark.parametrize("ground", cutout_suites.GROUNDS)
def test_pairs_are_what_their_boxes_say(known: Cutouts, ground: cutout_suites.Ground) -> None:
    items = cutout_suites.pair_set(known, LAYOUT, scenes=8, ground=ground)
    assert len(items) == 24 and Counter(e.direction for e in items) == dict.fromkeys(
        ("left", "right", "above", "below"), 6
    )
    for example in items[::3]:
        one, two = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
        assert relation(one, two) == example.direction and example.tags == {"prompt": "A", "ground": ground}
        scene = example.source
        for figure in scene.figures:
            rest = scene.with_figures(tuple(f for f in scene.figures if f is not figure))
            # A box is the silhouette's own: it is filled to its four sides.
            assert outline_of(changed(example.picture, ScenePicture(rest, known))) == tuple(map(round, figure.box))
            assert figure.box.width / figure.box.height == pytest.approx(60 / 40, rel=0.05)


@pytest.mark.parametrize("ground", cutout_suites.GROUNDS)
def test_depth_is_the_order_of_pasting(known: Cutouts, ground: cutout_suites.Ground) -> None:
    items = cutout_suites.depth_set(known, LAYOUT, scenes=6, ground=ground)
    assert len(items) == 12 and Counter(e.answer for e in items) == {"front": 6, "behind": 6}
    for front, behind in zip(items[::2], items[1::2], strict=True):
        assert (front.answer, behind.answer) == ("front", "behind") and front.tags == behind.tags
        assert front.question == behind.question and front.boxes == behind.boxes
        assert front.options == ("front", "behind") and front.subject in front.question
        boxes = [front.boxes[str(name)] for name in (front.subject, front.reference)]
        both = np.zeros(LAYOUT.size[::-1], int)
        for box in boxes:
            both[round(box.top) + 2 : round(box.bottom) - 2, round(box.left) + 2 : round(box.right) - 2] += 1
        for example, name in ((front, front.subject), (behind, front.reference)):
            seen = pixels(example.picture)[both == 2]
            assert (np.abs(seen - COLOR[str(name)]).max(-1) <= 2).mean() > 0.97
        # Boxes of bars are silhouettes: what one hides of the other is the overlap over its area.
        shared = (min(b.right for b in boxes) - max(b.left for b in boxes)) * (
            min(b.bottom for b in boxes) - max(b.top for b in boxes)
        )
        low, high = cutout_suites.COVERED
        assert all(low - 0.03 <= shared / (b.width * b.height) <= high + 0.03 for b in boxes)


def test_depth_without_a_fitting_overlap(known: Cutouts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cutout_suites, "COVERED", (1.1, 1.2))
    with pytest.raises(CannotAnswer, match="overlap as the depth suite needs it"):
        cutout_suites.depth_set(known, LAYOUT, scenes=4)


def test_every_measurement_of_rows_takes_cutouts(known: Cutouts) -> None:
    vlm = VLM(*tiny("qwen2_vl", training.corpus()))
    torch.set_num_threads(1)
    items = cutout_suites.row_set(known, Layout.for_grid(6, 6, 28), count=40, ground="photo")
    assert len(Interchange()(vlm, items.pairs("last_token").limit(4)))
    for measurement in (ImageInterchange(), Backup()):
        assert len(measurement(vlm, items.pairs("reversed").limit(4)))
    assert Pathways().applies(items) and len(Pathways(shuffles=1)(vlm, items[:4]))
    assert Probes().applies(items) and len(Probes(deep=True)(vlm, items))
    spread = cutout_suites.pair_set(known, Layout.for_grid(6, 6, 28), scenes=4)
    assert Moved().applies(spread) and moved(spread[0]) is not None and Creg().applies(spread)
    first = spread[0]
    assert not changed(empty_picture(first), ScenePicture(first.source.with_figures(()), known)).any()


# Files


@pytest.mark.parametrize("ground", cutout_suites.GROUNDS)
def test_what_is_written_is_loaded_again(
    command: Command, root: Path, tmp_path: Path, ground: cutout_suites.Ground
) -> None:
    out = tmp_path / "out"
    code, printed, _ = command(
        "stimuli", "cutouts", "--photos", root, "--out", out, "--limit", 4, "--ground", ground, "--seed", 3
    )
    assert code == 0 and printed.strip() == str(out)
    sets = [s.limit(4) for s in cutouts.load(root, PRESETS["qwen2-vl"], ground=ground, seed=3)]
    assert sorted(p.name for p in out.iterdir()) == sorted(s.name for s in sets)
    for examples in sets:
        again = folder.load(out / examples.name)
        assert again.name == examples.name and len(again) == len(examples) == 4
        for one, two in zip(examples, again, strict=True):
            assert columns(one) == columns(two) and (pixels(one.picture) == pixels(two.picture)).all()
            assert one.picture.credits == two.picture.credits != ()
        named = {credit.source for example in examples for credit in example.picture.credits}
        page = (out / examples.name / folder.ATTRIBUTION).read_text()
        assert all(source in page for source in named) and "http://creativecommons.org/licenses/by/2.0/" in page


def columns(e: Example) -> tuple[Any, ...]:
    boxes = {name: tuple(map(float, box)) for name, box in e.boxes.items()}
    return e.id, e.question, e.options, e.answer, e.suite, e.direction, e.subject, e.reference, boxes, e.system, e.tags


def test_credits_name_the_photographs_of_a_picture(root: Path, known: Cutouts) -> None:
    for example in cutout_suites.row_set(known, LAYOUT, count=8, ground="photo"):
        scene = example.source.scene
        shown = {f.photo for f in scene.figures} | {scene.piece.photo}
        license = "Attribution License, http://creativecommons.org/licenses/by/2.0/"
        assert set(example.picture.credits) == {Credit(str(n), license, f"http://photos.example/{n}") for n in shown}
        assert {split_of(n) for n in shown} == {"test"}


def test_a_credit_that_is_not_stated(tmp_path: Path) -> None:
    def bare(data: dict[str, Any]) -> None:
        del data["licenses"]
        for entry in data["images"]:
            del entry["flickr_url"]

    photo = coco.read(photographs(tmp_path / "p", change=bare))[0]
    assert photo.credit == Credit(str(photo.id), "not stated", f"{photo.id}.png")


def test_the_attribution_page(tmp_path: Path) -> None:
    def example(number: int, *credits: Credit) -> Example:
        path = tmp_path / f"{number}.png"
        Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
        return Example(str(number), FilePicture(path, credits), "Which?", ("a", "b"), "a")

    by = Credit("20", "Attribution License, http://creativecommons.org/licenses/by/2.0/", "http://x/20")
    nd = Credit("3", "Attribution-NoDerivs License, http://creativecommons.org/licenses/by-nd/2.0/", "http://x/3")
    free = folder.attribution(ExampleSet("s", (example(1, by), example(2, by))))
    assert "The 2 pictures in `images/` are made of pieces of 1 photographs" in free and "forbids" not in free
    assert f"| 20 | {by.license} | {by.source} | 2 |" in free
    kept = folder.attribution(ExampleSet("s", (example(1, by), example(2, by, nd))))
    assert "1 of the photographs is under a licence that forbids passing on changed copies." in kept
    assert kept.index("| 3 |") < kept.index("| 20 |")
    plain = ExampleSet("s", (Example("1", PlainPicture((8, 8)), "Which?", ("a", "b"), "a"),))
    assert not (folder.write(plain, tmp_path / "plain") / folder.ATTRIBUTION).exists()


def test_a_study_of_cutouts(command: Command, root: Path, tmp_path: Path) -> None:
    model = save(*tiny("qwen2_vl", training.corpus()), tmp_path / "model")
    out = tmp_path / "out"
    options = ("--cutouts", root, "--only", "behaviour/cutout_rows", "--only", "pathways/cutout_rows", "--limit", 4)
    outcome = command("study", model, "--out", out, *options)
    assert outcome.code == 0, outcome.err
    assert {job["set"] for job in json.loads((out / "study.json").read_text())["jobs"]} == {"cutout_rows"}
    assert command("study", model, "--out", tmp_path / "none", "--cutouts", tmp_path / "gone").code == 2


def test_names_that_a_tokenizer_spells_with_one_token_are_kept(root: Path) -> None:
    sets = cutouts.load(root, LAYOUT, names=lambda name: name != "cup")
    assert [s.name for s in sets] == list(cutouts.SUITES) and [len(s) for s in sets] == [480, 480, 300, 200]
    assert sets[0][0].options == tuple(sorted(set(NAMES) - {"cup"}))
    with pytest.raises(CannotAnswer, match="Too few names of cut-outs") as caught:
        cutouts.load(root, LAYOUT, names=lambda name: name in ("cup", "car"))
    assert caught.value.got == f"accepted: car, cup of {', '.join(sorted(NAMES))}"


# Wrong input


def no_polygons(data: dict[str, Any]) -> None:
    for entry in data["annotations"]:
        del entry["segmentation"]


def odd_polygon(data: dict[str, Any]) -> None:
    data["annotations"][-1]["segmentation"] = [[1, 2, 3, 4, 5]]


def words_for_a_polygon(data: dict[str, Any]) -> None:
    data["annotations"][-1]["segmentation"] = [["a"] * 6]


def few(data: dict[str, Any]) -> None:
    data["annotations"] = [a for a in data["annotations"] if a["category_id"] > 2]


@pytest.mark.parametrize(
    ("change", "kind", "what", "got"),
    [
        (no_polygons, DataError, "None of the annotations has a polygon, so nothing can be cut out", "24 annotations"),
        (odd_polygon, DataError, "A polygon is not a list of at least three points", "[1, 2, 3, 4, 5]"),
        (words_for_a_polygon, DataError, "A polygon is not a list of at least three points", "['a', 'a'"),
        (few, DataError, "There are too few objects for rows of three", "4 names; cut-outs are"),
    ],
)
def test_annotations_that_nothing_can_be_cut_by(
    tmp_path: Path, change: Any, kind: type[BacksightError], what: str, got: str
) -> None:
    with pytest.raises(kind) as caught:
        cutout_reading.read(photographs(tmp_path / "p", change=change))
    error = caught.value
    assert (
        error.what.startswith(what) and got in str(error.got) and str(tmp_path / "p") in str(error.where) and error.do
    )


def test_photographs_that_cannot_be_used(root: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no such folder"):
        cutout_reading.read(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no annotation file"):
        cutout_reading.read(tmp_path / "empty")
    alone = photographs(tmp_path / "alone")
    for path in (alone / "images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match="None of the photographs is at hand"):
        cutout_reading.read(alone)
    corrupt = photographs(tmp_path / "corrupt")
    path = corrupt / f"images/{ids('test', 1)[0]}.png"
    path.write_bytes(path.read_bytes()[:60])
    with pytest.raises(DataError, match="A picture cannot be read") as caught:
        cutout_reading.read(corrupt)
    assert path.name in str(caught.value.got)
    with pytest.raises(DataError, match="too few cut-outs of a name") as caught:
        cutout_reading.read(root, names=("person", "dog"))
    assert caught.value.got == "dog 0"


def test_ground_without_an_empty_piece(tmp_path: Path) -> None:
    def covered(data: dict[str, Any]) -> None:
        entries = enumerate(data["images"], start=5000)
        data["annotations"] += [annotation(n, entry["id"], 7, (0, 0, *SIZE)) for n, entry in entries]

    known = cutout_reading.read(photographs(tmp_path / "p", change=covered))
    assert not known.pieces and len(cutout_suites.row_set(known, LAYOUT, count=4)) == 4
    with pytest.raises(DataError, match="No photograph has an empty piece"):
        cutout_suites.row_set(known, LAYOUT, count=4, ground="photo")


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        ((), 2, "Cut-outs are made of photographs"),
        (("--photos", "{none}"), 2, "There is no such folder"),
        (("--photos", "{root}", "--split", "half"), 2, "do:    choose from: train, test"),
        (("--photos", "{root}", "--ground", "sand"), 2, "do:    choose from: plain, photo"),
    ],
)
def test_the_command_says_what_is_wrong(
    command: Command, root: Path, tmp_path: Path, options: tuple[str, ...], code: int, text: str
) -> None:
    given = [option.format(none=tmp_path / "none", root=root) for option in options]
    outcome = command("stimuli", "cutouts", "--out", tmp_path / "out", *given)
    assert outcome.code == code and text in outcome.err and not (tmp_path / "out").exists()
    assert command("stimuli", "squares", "--photos", root, "--out", tmp_path / "out").code == 2


def test_numbers_out_of_range(known: Cutouts, root: Path) -> None:
    for make, key in ((cutout_suites.row_set, "count"), (cutout_suites.pair_set, "scenes")):
        with pytest.raises(UsageError, match="at least four"):
            make(known, LAYOUT, **{key: 3})  # type: ignore[operator]
    with pytest.raises(UsageError, match="cannot be asked for"):
        cutout_reading.read(root, fewest=0)


# Training


def test_what_a_recipe_asks(root: Path) -> None:
    ask = training.asker(root)
    one, two = (ask("cutouts", LAYOUT, images=6, key=(0, 1, 2), exact=0.5, textured=0.0) for _ in range(2))
    assert [a.questions for a in one] == [b.questions for b in two]
    assert all((pixels(a.image) == pixels(b.image)).all() for a, b in zip(one, two, strict=True))
    tokenizer = tiny("qwen2_vl", training.corpus())[1].tokenizer
    for asked in one:
        assert asked.image.size == LAYOUT.size and asked.row is not None and len(asked.questions) == 7
        axis, things = asked.row
        names = [name for name, _ in things]
        along = [box.center[0 if axis == "horizontal" else 1] for _, box in things]
        assert along == sorted(along)
        assert [answer for _, answer in asked.questions[:2]] == [names[0], names[2]]
        assert [answer for _, answer in asked.questions[2:5]] == names
        assert all(answer in names for _, answer in asked.questions[5:])
        for _, answer in asked.questions:
            assert len(tokenizer(answer, add_special_tokens=False).input_ids) == 1
    assert {split_of(photo) for photo in training.opened(root).photos} == {"train"}


def test_other_kinds_are_asked_as_ever_and_the_old_words_stay(root: Path) -> None:
    given = dict(images=2, key=(0, 0, 1), exact=0.2, textured=0.0)
    ours, theirs = training.asker(root)("squares", LAYOUT, **given), questions.batch("squares", LAYOUT, **given)  # type: ignore[arg-type]
    assert [a.questions for a in ours] == [a.questions for a in theirs]
    with pytest.raises(UsageError, match="made of a folder of photographs"):
        questions.batch("cutouts", LAYOUT, **given)  # type: ignore[arg-type]
    assert training.corpus()[: len(questions.corpus())] == questions.corpus()
    assert not {"person", "car", "toilet"} & set(questions.corpus())


def test_what_a_trained_model_is_judged_by(root: Path) -> None:
    sets = training.shown(root, LAYOUT, "test", count=8)
    assert [s.name for s in sets] == [
        "cutout_rows", "jittered_cutout_rows", "cutout_rows_photo", "jittered_cutout_rows_photo"
    ]  # fmt: skip
    shown = {int(credit.photograph) for s in sets for e in s for credit in e.picture.credits}
    assert all(len(s) == 8 for s in sets) and not shown & set(training.opened(root).photos)
    learned = {int(c.photograph) for e in training.shown(root, LAYOUT, "train", count=8)[0] for c in e.picture.credits}
    assert learned <= set(training.opened(root).photos)
