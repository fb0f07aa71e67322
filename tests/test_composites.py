"""Composites: halves of two photographs, what they are asked, where their things are, and their counterfactuals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backsight import stimuli
from backsight.datasets import composite_pairs, composites, tabletop
from backsight.datasets.composites import Composite, CompositePicture
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import Example, ExampleSet, FilePicture
from backsight.grid import Box
from backsight.measurements import Amplify
from backsight.measurements.amplify import CHOOSING, parted
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.arrangements import by_arrangement, split
from backsight.training.questions import corpus

RED, BLUE = (255, 0, 0), (0, 0, 255)
THINGS = ("cup", "hat", "beer-bottle", "pot", "key")


def published(root: Path, names: Sequence[str], size: tuple[int, int] = (64, 48)) -> Path:
    """A folder of set A with one flat picture a name such as cup_left_of_chair; each name has its own colour."""
    (root / "data/controlled_images").mkdir(parents=True)
    rows = []
    for number, name in enumerate(names):
        path = f"data/controlled_images/{name}.jpeg"
        Image.new("RGB", size, (number * 5, 255 - number * 5, 90)).save(root / path, "JPEG", quality=95)
        side = "left" if "_left_of_" in name else "right"
        other = "right" if side == "left" else "left"
        captions = [f"A thing to the {one} of another" for one in (side, other)]
        rows.append({"image_path": path, "caption_options": captions})
    (root / "controlled_images_dataset.json").write_text(json.dumps(rows))
    return root


def both_sides(things: Sequence[str], middle: str) -> list[str]:
    return [f"{thing}_{side}_of_{middle}" for thing in things for side in ("left", "right")]


def flat(path: Path, color: tuple[int, int, int], size: tuple[int, int]) -> FilePicture:
    Image.new("RGB", size, color).save(path, "PNG")
    return FilePicture(path)


def names(example: Example) -> tuple[str, str, str]:
    found: tuple[str, str, str] = example.source.names
    return found


# Pictures


@pytest.mark.parametrize(("size", "cut"), [((6, 2), 3), ((5, 3), 2)])
def test_the_halves_by_hand(tmp_path: Path, size: tuple[int, int], cut: int) -> None:
    left, right = flat(tmp_path / "l.png", RED, (40, 30)), flat(tmp_path / "r.png", BLUE, (12, 50))
    picture = CompositePicture(left, right, size)
    pixels = np.asarray(picture.open())
    assert picture.size == size and pixels.shape == (size[1], size[0], 3)
    assert (pixels[:, :cut] == RED).all() and (pixels[:, cut:] == BLUE).all()


def test_resizing_comes_before_cutting(tmp_path: Path) -> None:
    # Left quarter red, the rest blue: at 8 columns that is 2 red and 6 blue, of which the left half keeps 4.
    striped = Image.new("RGB", (400, 40), BLUE)
    striped.paste(RED, (0, 0, 100, 40))
    striped.save(tmp_path / "s.png")
    pixels = np.asarray(CompositePicture(FilePicture(tmp_path / "s.png"), flat(tmp_path / "r.png", (0, 255, 0), (9, 9)),
                                         (8, 4)).open())  # fmt: skip
    # Lanczos rings beside the edge, by less than a tenth.
    assert np.abs(pixels[0].astype(int) - ([RED] * 2 + [BLUE] * 2 + [(0, 255, 0)] * 4)).max() < 26


def test_the_id_of_a_picture_names_its_content(tmp_path: Path) -> None:
    left, right = flat(tmp_path / "l.png", RED, (9, 9)), flat(tmp_path / "r.png", BLUE, (9, 9))
    picture = CompositePicture(left, right, (8, 8))
    same = CompositePicture(flat(tmp_path / "copy.png", RED, (9, 9)), right, (8, 8))
    others = [CompositePicture(right, left, (8, 8)), CompositePicture(left, right, (8, 9))]
    assert picture.id == same.id and picture.id not in {other.id for other in others}
    assert picture.open().tobytes() == same.open().tobytes()


# Examples


def test_every_ordered_pair_is_asked_from_both_sides(tmp_path: Path) -> None:
    root = published(tmp_path, [*both_sides(THINGS[:3], "chair"), "pot_left_of_chair", "cup_left_of_table"])
    made = composites.load(root, (64, 64))
    # On the left any of four, on the right any of three, not the same: 4 * 3 - 3.
    assert (made.name, len(made), composites.pictures(made)) == ("whatsup_composites", 18, 9)
    assert made.note.startswith("9 composites")
    assert {e.image_id for e in made} == {e.image_id for e in made[::2]} and len({e.id for e in made}) == 18
    left, right = (e for e in made if names(e) == ("beer bottle", "chair", "hat"))
    assert left.id == "whatsup_composites-beer_bottle-chair-hat-left"
    assert left.question == "The object on the floor to the left of the chair is"
    assert right.question == "The object on the floor to the right of the chair is"
    assert (left.answer, right.answer) == ("beer bottle", "hat")
    assert (left.direction, right.direction) == ("left", "right") and (left.subject, left.reference) == (
        "beer bottle",
        "chair",
    )
    assert left.options == right.options == ("beer bottle", "cup", "hat", "pot")
    assert left.system == "You are a helpful assistant. You respond in one token."
    assert left.source == Composite("beer bottle", "chair", "hat") and made.scoring == "auto"


def test_the_picture_is_of_the_right_two(tmp_path: Path) -> None:
    made = composites.load(published(tmp_path, both_sides(THINGS[:2], "chair")), (32, 32))
    picture = made[0].picture
    assert isinstance(picture, CompositePicture)
    assert (picture.left.path.stem, picture.right.path.stem) == ("cup_left_of_chair", "hat_right_of_chair")
    pixels = np.asarray(made[0].image).astype(int)
    assert np.abs(pixels[:, :16] - (0, 255, 90)).max() < 6 and np.abs(pixels[:, 16:] - (15, 240, 90)).max() < 6


def test_boxes_are_the_papers_fractions(tmp_path: Path) -> None:
    things = both_sides(THINGS[:2], "chair") + both_sides(THINGS[:2], "table") + both_sides(THINGS[:2], "sofa")
    made = composites.load(published(tmp_path, things), (128, 64))
    boxes = {(e.reference, e.answer): e.boxes for e in made if names(e)[0] == "cup" and e.direction == "left"}
    # Rows 48-60 and columns 12-24 of 64, in a picture of 128 x 64 px: columns count double.
    assert boxes["chair", "cup"] == {
        "cup": Box(24, 48, 48, 60),
        "chair": Box(48, 16, 80, 60),
        "hat": Box(80, 48, 104, 60),
    }
    assert boxes["table", "cup"]["hat"] == Box(96, 40, 112, 60)
    assert list(boxes["chair", "cup"]) == ["cup", "chair", "hat"]  # from left to right
    assert boxes["sofa", "cup"] == {}


def test_names_that_a_tokenizer_cannot_spell_are_left_out(tmp_path: Path) -> None:
    root = published(tmp_path, both_sides(THINGS[:3], "chair"))
    made = composites.load(root, (32, 32), names=lambda name: " " not in name)
    assert made.scoring == "token" and composites.pictures(made) == 2
    assert {e.options for e in made} == {("cup", "hat")}
    with pytest.raises(CannotAnswer, match="No two things of What'sUp are left for a composite") as caught:
        composites.load(root, (32, 32), names=lambda name: name == "hat")
    assert caught.value.got == "accepted: hat"


def test_folders_without_composites(tmp_path: Path) -> None:
    root = published(tmp_path, ["cup_left_of_chair", "cup_right_of_chair", "hat_left_of_table"])
    with pytest.raises(DataError, match="No two pictures of set A join") as caught:
        composites.load(root, (32, 32))
    assert caught.value.got == "3 pictures of set A"
    with pytest.raises(UsageError, match="There is no such folder"):
        composites.load(tmp_path / "none", (32, 32))
    with pytest.raises(UsageError, match="at least two columns"):
        composites.load(root, (1, 32))


# Pairs


@pytest.fixture(scope="module")
def five(tmp_path_factory: pytest.TempPathFactory) -> ExampleSet:
    things = both_sides(THINGS, "chair") + both_sides(THINGS[:4], "table")
    return composites.load(published(tmp_path_factory.mktemp("five") / "in", things), (32, 32))


def test_last_token_pairs_change_both_things_and_the_side(five: ExampleSet) -> None:
    pairs = five.pairs("last_token")
    assert (pairs.name, pairs.kind, len(pairs)) == ("whatsup_composites/last_token", "last_token", 100)
    for pair in pairs:
        (c0, middle, c2), (c4, same, c3) = names(pair.clean), names(pair.counterfactual)
        assert middle == same and len({c0, c2, c4, c3, middle}) == 5
        assert {pair.clean.direction, pair.counterfactual.direction} == {"left", "right"}
        left = pair.clean.direction == "left"
        assert pair.outcomes == {
            "clean": c0 if left else c2,
            "ordinal": c2 if left else c0,
            "counterfactual": c3 if left else c4,
        }
        assert (pair.clean.answer, pair.counterfactual.answer) == (
            pair.outcomes["clean"],
            pair.outcomes["counterfactual"],
        )
        assert pair.changes == {"source.left", "source.right", "picture.left", "picture.right", "direction"}
    assert [p.clean.direction for p in pairs] == ["left"] * 50 + ["right"] * 50
    assert len({(p.clean.id, p.counterfactual.id) for p in pairs}) == 100
    assert pairs.fingerprint == five.pairs("last_token").fingerprint


def test_few_composites_give_few_pairs(five: ExampleSet) -> None:
    table = five.where(lambda e: e.reference == "table")
    # Of four things two are left for the counterfactual, in either order: 12 composites with two each, a side.
    assert len(table.pairs("last_token")) == 48
    some = five.where(lambda e: names(e) == ("cup", "table", "hat"))
    found = {(names(p.counterfactual), p.clean.direction) for p in some.pairs("last_token")}
    others = (("beer bottle", "table", "pot"), ("pot", "table", "beer bottle"))
    assert found == {(other, side) for other in others for side in ("left", "right")}


def test_reversed_pairs_keep_the_question(five: ExampleSet) -> None:
    pairs = five.pairs("reversed")
    # Chair 5 * 4 and table 4 * 3 composites, all of which have their reversal.
    assert (pairs.kind, len(pairs)) == ("reversed", 64)
    for pair in pairs:
        assert names(pair.counterfactual) == names(pair.clean)[::-1]
        assert (pair.clean.question, pair.clean.options) == (pair.counterfactual.question, pair.counterfactual.options)
        other = names(pair.clean)[2 if pair.clean.direction == "left" else 0]
        assert pair.outcomes == {"clean": pair.clean.answer, "flipped": other}
        assert pair.counterfactual.answer == other
        assert pair.changes == {"source.left", "source.right", "picture.left", "picture.right"}
    assert len({p.clean.id for p in pairs}) == 64


def test_pairs_declare_the_furniture_that_they_show_anew(drawn: Path) -> None:
    """Every half is another photograph, and noted boxes of the furniture are other boxes."""
    made = composites.load(drawn, (168, 112))
    pairs = (*made.pairs("last_token"), *made.pairs("reversed"))
    clean = pairs[0].clean
    moved = replace(clean, boxes=clean.boxes | {clean.source.middle: Box(0, 0, 9, 9)})
    assert f"boxes.{clean.source.middle}" in composite_pairs._changed(clean, moved)
    for pair in pairs:
        clean, other = pair.clean, pair.counterfactual
        differ = {f"picture.{side}" for side in ("left", "right")
                  if getattr(clean.picture, side) != getattr(other.picture, side)}  # fmt: skip
        differ |= {f"source.{side}" for side in ("left", "right")
                   if getattr(clean.source, side) != getattr(other.source, side)}  # fmt: skip
        middle = clean.source.middle
        differ |= {f"boxes.{middle}"} if clean.boxes[middle] != other.boxes[middle] else set()
        differ |= {"direction"} if clean.direction != other.direction else set()
        assert pair.changes == differ


def test_no_photograph_is_both_fitted_on_and_scored(five: ExampleSet) -> None:
    """Of chair and table there are 5 + 5 and 4 + 4 photographs; a composite of one that is fitted on and one that is
    scored is in neither part."""
    (pictures,) = by_arrangement(five).values()
    assert len(pictures) == 32
    for seed in range(4):
        train, test = split(pictures, seed)
        seen = [{name for e in part for name in e.picture.sources} for part in (train, test)]
        assert not seen[0] & seen[1] and 6 <= len(train) <= 20 and len(train) + len(test) < 32
        assert (train, test) == split(pictures, seed)
    rows = by_arrangement(stimuli.squares())["horizontal"]
    assert tuple(map(len, split(rows, 0))) == (90, 30) and rows[0].picture.sources == (rows[0].image_id,)


def test_alpha_is_chosen_and_scored_on_composites_without_a_common_photograph(five: ExampleSet) -> None:
    for seed in range(4):
        first, second = parted(five, seed)
        names = [{name for e in part for name in e.picture.sources} for part in (first, second)]
        assert len(first) and len(second) and not names[0] & names[1]
    rows = stimuli.squares()
    assert [p.items for p in parted(rows, 0)] == [p.items for p in rows.split(CHOOSING, seed=0)]


def test_composites_of_one_photograph_are_too_few_to_choose_alpha_on_and_to_score(five: ExampleSet) -> None:
    named = [e for e in five if e.answer != "beer bottle"]  # the tiny tokenizer has no single token for it
    shared = [e for e in named if e.picture.left.id == named[0].picture.left.id]
    few = [replace(e, options=tuple(sorted({*e.options} - {"beer bottle"}))) for e in shared]
    assert len({e.image_id for e in few}) >= 4
    with pytest.raises(CannotAnswer, match="Too few photographs to choose alpha on some and score the others"):
        Amplify()(VLM(*tiny("qwen2_vl", corpus())), replace(five, items=tuple(few)))


def test_a_composite_without_its_reversal_has_no_reversed_pair(tmp_path: Path) -> None:
    made = composites.load(published(tmp_path, ["cup_left_of_chair", "hat_right_of_chair"]), (32, 32))
    assert composites.pictures(made) == 1
    assert len(made.pairs("reversed")) == len(made.pairs("last_token")) == 0


def test_the_seed_draws_the_pairs(five: ExampleSet, tmp_path: Path) -> None:
    root = published(tmp_path, both_sides(THINGS, "chair") + both_sides(THINGS[:4], "table"))
    other = composites.load(root, (32, 32), seed=1)
    assert [e.id for e in other] == [e.id for e in five]
    for kind in ("last_token", "reversed"):
        assert [p.clean.id for p in other.pairs(kind)] != [p.clean.id for p in five.pairs(kind)]


# Tabletop folders


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tabletop.write(tmp_path_factory.mktemp("drawn") / "out", size=(112, 112), sets=("a",), held=True)


def test_tabletop_joins_pictures_of_one_stage(drawn: Path) -> None:
    made = composites.load(drawn, (168, 112))
    # Three held-out things by the table and two by the chair, in two sets each: 2 * (3 * 2 + 2 * 1).
    assert (made.name, composites.pictures(made)) == ("tabletop_composites", 16)
    assert {e.source.stage for e in made} == {"", "2"}
    assert {e.options for e in made} == {("bomb", "cup", "lamp"), ("ball", "key")}
    for example in made:
        left, middle, right = example.boxes.values()
        assert list(example.boxes) == list(names(example)) and middle.left < 84 < middle.right
        assert 0 < left.left < left.right <= 84 <= right.left < right.right < 168
    number = next(e for e in made if e.source.stage == "2")
    assert number.id.endswith("-2-left") and "-" not in names(number)[0]


def test_the_boxes_of_tabletop_are_scaled_to_the_picture(drawn: Path) -> None:
    notes = json.loads((drawn / "tabletop.json").read_text())["pictures"]
    example = next(e for e in composites.load(drawn, (168, 112)) if names(e) == ("cup", "table", "lamp"))
    left, _, right, _ = notes["data/controlled_images/cup_left_of_table.jpeg"]["boxes"]["table"]
    assert example.boxes["table"][::2] == pytest.approx((left * 1.5, right * 1.5))
    top = notes["data/controlled_images/lamp_right_of_table.jpeg"]["boxes"]["lamp"][1]
    assert example.boxes["lamp"].top == pytest.approx(top)


@pytest.mark.slow
def test_a_whole_study_of_composites(tmp_path: Path) -> None:
    """The paper's whole setting: behaviour, both interchanges, probes and amplification; and all that takes rows."""
    from backsight.studies import Options, Study
    from backsight.studies.defaults import ATTENTION

    vlm = VLM(*tiny("qwen2_vl", corpus()))
    folder = tabletop.write(tmp_path / "drawn", size=(112, 112), sets=("a",), scenes=1)
    made = composites.load(folder, vlm.grid.size, names=lambda _: True)
    few = replace(made, items=made.items[:40])
    study = Study(vlm, [few], tmp_path / "study", Options())
    kinds = {
        "behaviour",
        "interchange",
        "probes",
        "probemaps",
        "imageinterchange",
        "amplify",
        "creg",
        "occlusion",
        "pathways",
        "gap",
        "permutation",
        "embeddingnorms",
        *ATTENTION,
        "rotary",
        "priors",
        "text",
        "resolution",
    }
    assert {job.kind for job in study.jobs} == kinds
    study.run()
    record = json.loads((tmp_path / "study" / "study.json").read_text())
    assert record["finished"] and record["verdict"]["source"] == "cannot tell"
    assert record["verdict"]["language_suffices"] is None  # of photographs order cannot be removed
    shown = study.store.read_table("probes.tabletop_composites").frame["shown"]
    assert set(shown) == {"standard"}  # photographs cannot be shifted
