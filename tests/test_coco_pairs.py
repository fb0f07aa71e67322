"""COCO-Pairs: relations by hand, the sample's 188 pairs, pycocotools' own numbers, and every error."""

from __future__ import annotations

import contextlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools.coco import COCO  # type: ignore[import-untyped,unused-ignore]

from backsight.datasets import coco, coco_pairs, folder
from backsight.errors import BacksightError, DataError, UsageError
from backsight.grid import Box

HERE = Path(__file__).parent / "data/photos"  # two photographs; 70 are outside of the project
OUTSIDE = Path(__file__).parents[1].parent / "shared/data/coco-sample"
on_samples = pytest.mark.parametrize("sample", [HERE, *([OUTSIDE] if OUTSIDE.is_dir() else [])], ids=lambda p: p.name)

NAMES = ["person", "dog", "sports ball", "kite"]
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


def annotation(number: int, category: int, bbox: list[float], image: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": image, "category_id": category, "bbox": bbox, "iscrowd": 0, **more}


def tiny(annotations: list[Any], images: int = 1) -> dict[str, Any]:
    entries = [{"id": n, "file_name": f"{n}.jpg", "width": 200, "height": 100} for n in range(1, images + 1)]
    categories = [{"id": number, "name": name} for number, name in enumerate(NAMES, start=1)]
    return {"images": entries, "annotations": annotations, "categories": categories}


def at(root: Path, data: object, *, file: str = "instances.json", pictures: str = "images", count: int = 1) -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(data if isinstance(data, str) else json.dumps(data))
    (root / pictures).mkdir(exist_ok=True)
    for number in range(1, count + 1):
        Image.new("RGB", (200, 100), (number, 90, 90)).save(root / pictures / f"{number}.jpg")
    return root


# A person on the left, a dog at the same height on the right, a kite straight above the dog.
PERSON, DOG, KITE = (
    annotation(11, 1, [0, 60, 30, 40]),
    annotation(12, 2, [150, 60, 40, 40]),
    annotation(13, 4, [155, 0, 30, 24]),
)


def test_relations_by_hand(tmp_path: Path) -> None:
    # Centres: person (15, 80), dog (170, 80), kite (170, 12). y grows downwards: the kite is above the dog.
    # Person and kite: 155 across against 68 down, and 155 > 1.5 * 68 = 102.
    examples = coco_pairs.load(at(tmp_path, tiny([PERSON, DOG, KITE])))
    assert examples.name == "coco_pairs" and examples.scoring == "token"
    assert [(e.id, e.direction, e.answer) for e in examples] == [
        ("coco-1-dog-kite", "below", "4"),
        ("coco-1-dog-person", "right", "2"),
        ("coco-1-kite-dog", "above", "3"),
        ("coco-1-kite-person", "right", "2"),
        ("coco-1-person-dog", "left", "1"),
        ("coco-1-person-kite", "left", "1"),
    ]


def test_an_example_in_full(tmp_path: Path) -> None:
    example = coco_pairs.load(at(tmp_path, tiny([annotation(1, 3, [0, 0, 30, 30]), DOG])))[1]
    assert example.id == "coco-1-sports_ball-dog"
    assert example.question == (
        "In this image, where is the sports ball relative to the dog? Choose one option: 1) to the left, "
        "2) to the right, 3) above, 4) below. Answer with just the number."
    )
    assert (example.options, example.answer) == (("1", "2", "3", "4"), "1")
    assert (example.subject, example.reference, example.suite) == ("sports ball", "dog", "coco_pairs")
    assert example.boxes == {"sports ball": Box(0, 0, 30, 30), "dog": Box(150, 60, 190, 100)}
    assert (dict(example.tags), example.system) == ({"prompt": "A"}, None)
    assert example.image.size == (200, 100)


@pytest.mark.parametrize(("across", "pairs"), [(60, 0), (60.1, 2), (59, 0)])
def test_the_ratio_must_be_exceeded(tmp_path: Path, across: float, pairs: int) -> None:
    # 40 px down: 60 is exactly 1.5 times as much.
    root = at(tmp_path, tiny([annotation(1, 1, [0, 0, 30, 30]), annotation(2, 2, [across, 40, 30, 30])]))
    assert coco_pairs.audit(root).ordered_pairs == pairs
    assert coco_pairs.audit(root, ratio=1.4).ordered_pairs == 2
    assert coco_pairs.audit(root, ratio=2).ordered_pairs == 0


def test_each_rule_leaves_out_what_it_should(tmp_path: Path) -> None:
    instances = [
        PERSON,
        DOG,
        annotation(20, 3, [40, 0, 23.9, 60]),  # too small on one side
        annotation(21, 4, [0, 0, 30, 30]),  # a kite beside a crowd of kites
        annotation(22, 4, [50, 0, 90, 30], iscrowd=1),
        annotation(31, 1, [0, 0, 30, 30], image=2),  # two persons, one of them tiny
        annotation(32, 1, [60, 0, 5, 5], image=2),
        annotation(33, 2, [120, 0, 24, 24], image=2),  # alone
        annotation(41, 1, [0, 0, 30, 30], image=3),  # no picture
    ]
    root = at(tmp_path, tiny(instances, images=3), count=2)
    audit = coco_pairs.audit(root)
    assert audit.as_dict() == {
        "images": 3,
        "images_at_hand": 2,
        "images_without_pairs": 1,
        "instances": 9,
        "left_out": {
            "no picture at hand": 1,
            "a crowd": 1,
            "several of its category": 3,
            "too small": 1,
            "in no clear relation to another": 1,
        },
        "instances_used": 2,
        "ordered_pairs": 2,
        "relations": {"left": 1, "right": 1, "above": 0, "below": 0},
        "balanced": {"left": 0, "right": 0, "above": 0, "below": 0},
        "rules": {
            "subject and reference of different categories": "the paper's",
            "centre displacement on one axis more than 1.5 times the other": "the paper's",
            "300 questions, equally many of each relation": "the paper's, with balanced=300",
            "the only one of its category in the image (single instance)": "ours",
            "no crowd": "ours",
            "box sides of at least 24 px": "ours",
        },
    }
    assert json.loads(json.dumps(audit.as_dict())) == audit.as_dict()
    assert [e.id for e in coco_pairs.load(root)] == ["coco-1-dog-person", "coco-1-person-dog"]
    # The ball's centre is (51.95, 30): clear against the dog (118 across, 50 down), not against the person.
    assert len(coco_pairs.load(root, min_side=23.9)) == 4
    text = str(audit).splitlines()
    assert text[0].split() == ["images", "3"]
    assert ["left", "out:", "several", "of", "its", "category", "3"] in [line.split() for line in text]
    assert text[-1] == "  box sides of at least 24 px: ours"
    assert "chosen here; the paper's is 1.5" in str(coco_pairs.audit(root, ratio=2))


sides = st.floats(24, 60)
corners = st.tuples(st.floats(0, 400), st.floats(0, 400), sides, sides)


@given(st.lists(corners, min_size=2, max_size=4))
def test_swapping_subject_and_reference_swaps_the_relation(
    found: list[tuple[float, float, float, float]],
) -> None:
    things = [coco.Instance(n, Box(x, y, x + w, y + h), False) for n, (x, y, w, h) in zip(NAMES, found, strict=False)]
    pairs = {(s.category, r.category): d for s, r, d in coco_pairs.ordered_pairs(things)}
    assert all(pairs[reference, subject] == OPPOSITE[d] for (subject, reference), d in pairs.items())
    upside_down = [
        coco.Instance(t.category, Box(t.box.left, -t.box.bottom, t.box.right, -t.box.top), False) for t in things
    ]
    flip = {"above": "below", "below": "above"}
    flipped = {(s.category, r.category): d for s, r, d in coco_pairs.ordered_pairs(upside_down)}
    assert flipped == {key: flip.get(direction, direction) for key, direction in pairs.items()}


@pytest.mark.parametrize("left", [0, 0.1, 90.3, 100.7, 128.01])
def test_a_side_of_exactly_24_px_is_kept_wherever_it_lies(tmp_path: Path, left: float) -> None:
    root = at(tmp_path, tiny([annotation(1, 1, [left, 0.1, 24, 24]), annotation(2, 2, [left + 40, 0, 24, 24])]))
    assert coco_pairs.audit(root).left_out["too small"] == 0
    assert coco_pairs.audit(root, min_side=24.01).left_out["too small"] == 2


# Where things lie


@pytest.mark.parametrize("pictures", ["images", ".", "val2017"])
@pytest.mark.parametrize("file", ["instances.json", "annotations/instances_val2017.json", "export.json"])
def test_every_place_is_found(tmp_path: Path, pictures: str, file: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = at(tmp_path, tiny([PERSON, DOG]), file=file, pictures=pictures)
    if file == "export.json":
        (root / "settings.json").write_text("{}")
    assert len(coco_pairs.load(root)) == 2
    assert capsys.readouterr().out == ""


def test_several_annotation_files_are_taken_together(tmp_path: Path) -> None:
    one, two = tiny([PERSON, DOG]), tiny([annotation(1, 1, [0, 0, 30, 30], image=2)], images=2)
    two["images"] = two["images"][1:]
    at(tmp_path, one, file="annotations/instances_a.json")
    root = at(tmp_path, two, file="annotations/instances_b.json")
    assert (coco_pairs.audit(root).images, coco_pairs.audit(root).images_at_hand) == (2, 1)
    at(tmp_path, one, file="annotations/instances_b.json")
    assert failure(root).startswith("An image id occurs in two annotation files")


def test_a_bad_box_of_a_photograph_that_is_not_at_hand_does_not_matter(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON, DOG, annotation(1, 1, [0, 0, 0, 0], image=2)], images=2))
    assert len(coco_pairs.load(root)) == 2


def test_a_box_that_is_over_the_edge_by_a_rounding_is_cut(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([annotation(1, 1, [-0.4, 60, 30.4, 41]), DOG]))
    assert coco_pairs.load(root)[0].boxes["person"] == Box(0, 60, 30, 100)


def test_limit_is_even_over_the_relations_and_always_the_same(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON, DOG, KITE]))
    four = coco_pairs.load(root, limit=4)
    assert Counter(e.direction for e in four) == {"left": 1, "right": 1, "above": 1, "below": 1}
    assert four == coco_pairs.load(root, limit=4)
    assert len(coco_pairs.load(root, limit=99)) == 6


def test_balanced_has_exactly_as_many_of_each_relation(tmp_path: Path) -> None:
    # Two left and two right, one above and one below: the rarest sets the number, where a limit fills up.
    root = at(tmp_path, tiny([PERSON, DOG, KITE]))
    for balanced in (4, 7, 8, 300):
        found = coco_pairs.load(root, balanced=balanced)
        assert Counter(e.direction for e in found) == {"left": 1, "right": 1, "above": 1, "below": 1}
    assert Counter(e.direction for e in coco_pairs.load(root, limit=5))["above"] == 1
    assert len(coco_pairs.load(root, limit=5)) == 5
    assert coco_pairs.load(root, balanced=4) == coco_pairs.load(root, balanced=4)
    drawn = {tuple(e.id for e in coco_pairs.load(root, balanced=4, seed=seed)) for seed in range(20)}
    assert len(drawn) == 4  # two ways to choose the left one, two the right one
    assert len(coco_pairs.load(root, balanced=4, limit=2)) == 2
    assert dict(coco_pairs.audit(root).balanced) == {"left": 1, "right": 1, "above": 1, "below": 1}
    assert ["of", "each,", "balanced", "to", "at", "most", "300", "in", "all", "1"] in [
        line.split() for line in str(coco_pairs.audit(root)).splitlines()
    ]


def test_a_relation_that_nothing_stands_in_cannot_be_balanced(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON, DOG]))
    with pytest.raises(DataError) as caught:
        coco_pairs.load(root, balanced=300)
    assert str(caught.value) == (
        f"The pairs cannot be balanced: a relation has none\n  where: {root}\n"
        "  got:   left 1, right 1, above 0, below 0\n  do:    leave out `balanced`, or give more photographs"
    )


def test_the_order_of_the_annotations_does_not_matter(tmp_path: Path) -> None:
    one = coco_pairs.load(at(tmp_path / "one", tiny([PERSON, DOG, KITE])))
    two = coco_pairs.load(at(tmp_path / "two", tiny([KITE, PERSON, DOG])))
    assert one.fingerprint == two.fingerprint


# Real photographs


@on_samples
def test_a_sample_holds_its_pairs(sample: Path) -> None:
    sides, heights, images, instances = (4, 2, 2, 10) if sample == HERE else (61, 33, 70, 711)
    examples, audit = coco_pairs.load(sample), coco_pairs.audit(sample)
    expected = {"left": sides, "right": sides, "above": heights, "below": heights}
    assert len(examples) == audit.ordered_pairs == 2 * (sides + heights)
    assert Counter(e.direction for e in examples) == dict(audit.relations) == expected
    assert len({e.id for e in examples}) == len(examples)
    assert (audit.images, audit.images_at_hand, audit.instances) == (images, images, instances)
    assert sum(audit.left_out.values()) + audit.instances_used == instances
    assert audit.images_without_pairs == images - len({e.image_id for e in examples})
    few = 25 if sample != HERE else 1
    assert Counter(e.direction for e in coco_pairs.load(sample, limit=4 * few)) == dict.fromkeys(expected, few)
    for balanced, of_each in ((4 * few, few), (4 * few + 3, few), (300, heights)):
        kept = coco_pairs.load(sample, balanced=balanced)
        assert Counter(e.direction for e in kept) == dict.fromkeys(expected, of_each)
    assert dict(audit.balanced) == dict.fromkeys(expected, heights)


def test_a_photograph_of_the_sample_by_hand() -> None:
    """A cup beside a person and a knife on a table; four forks and chairs are several of their kind."""
    pairs = {(e.subject, e.reference): e.direction for e in coco_pairs.load(HERE) if e.id.startswith("coco-311303")}
    assert pairs["cup", "person"] == "right" and pairs["person", "cup"] == "left"
    assert pairs["person", "knife"] == "above" and pairs["knife", "person"] == "below"
    assert {name for pair in pairs for name in pair} == {"cup", "dining table", "knife", "person"}


@on_samples
def test_a_sample_agrees_with_pycocotools(sample: Path) -> None:
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO(str(sample / "instances.json"))
    found: Counter[tuple[int, str, str]] = Counter()
    for image in oracle.getImgIds():
        single = []
        for category in oracle.getCatIds():
            ids = oracle.getAnnIds(imgIds=image, catIds=category)
            if len(ids) == 1 and len(oracle.getAnnIds(imgIds=image, catIds=category, iscrowd=False)) == 1:
                x, y, width, height = oracle.loadAnns(ids)[0]["bbox"]
                if width >= 24 and height >= 24:
                    single.append((oracle.loadCats(category)[0]["name"], x + width / 2, y + height / 2))
        for subject, xs, ys in single:
            for reference, xr, yr in single:
                across, down = abs(xs - xr), abs(ys - yr)
                if subject != reference and max(across, down) > 1.5 * min(across, down):
                    found[image, subject, reference] += 1
    ours = Counter((int(e.id.split("-")[1]), str(e.subject), str(e.reference)) for e in coco_pairs.load(sample))
    assert ours == found
    audit = coco_pairs.audit(sample)
    assert audit.left_out["a crowd"] == len(oracle.getAnnIds(iscrowd=True))
    assert audit.instances == len(oracle.getAnnIds())


@on_samples
def test_a_sample_survives_the_image_folder(sample: Path, tmp_path: Path) -> None:
    examples = coco_pairs.load(sample, limit=12)
    loaded = folder.load(folder.write(examples, tmp_path / "out"))
    assert [(e.id, e.question, e.answer, e.boxes) for e in loaded] == [
        (e.id, e.question, e.answer, e.boxes) for e in examples
    ]
    assert all(a.image.tobytes() == b.image.tobytes() for a, b in zip(examples, loaded, strict=True))


# Mistakes


def failure(root: Path, kind: type[BacksightError] = DataError) -> str:
    texts = []
    for function in (coco_pairs.load, coco_pairs.audit):
        with pytest.raises(kind) as caught:
            function(root)
        assert type(caught.value) is kind
        texts.append(str(caught.value))
    assert texts[0] == texts[1]
    return texts[0]


def without(entry: dict[str, Any], key: str) -> dict[str, Any]:
    return {k: v for k, v in entry.items() if k != key}


def test_no_folder_is_a_usage_error(tmp_path: Path) -> None:
    text = failure(tmp_path / "none", UsageError)
    assert text.startswith(f"There is no such folder\n  where: {tmp_path / 'none'}\n  do:    name a folder")


def test_no_annotation_file_or_several(tmp_path: Path) -> None:
    text = failure(tmp_path)
    assert text.startswith(
        f"The folder has no annotation file\n  where: {tmp_path}\n  got:   no .json file\n  do:    put"
    )
    at(tmp_path, tiny([PERSON, DOG]), file="a.json")
    at(tmp_path, tiny([PERSON, DOG]), file="b.json")
    assert failure(tmp_path).startswith(
        f"The folder has several annotation files\n  where: {tmp_path}\n  got:   a.json, b.json"
    )


@pytest.mark.parametrize(
    ("data", "what", "got"),
    [
        ("{oops", "The annotation file is not JSON", "Expecting property name"),
        ("[]", "The annotations are not in COCO's form", "[]"),
        (
            {"images": [], "info": 1},
            "The annotations are not in COCO's form",
            "no list annotations, categories",
        ),
        (tiny(["x"]), "An entry is not an object", "'x'"),
        (tiny([without(DOG, "bbox")]), "An entry has no bbox", "'id': 12"),
        (tiny([without(DOG, "id")]), "An entry has no id", "'image_id': 1"),
        (tiny([without(DOG, "category_id")]), "An entry has no category_id", "'id': 12"),
        (tiny([{**DOG, "id": "12"}]), "An entry's id is not a whole number", "'id': '12'"),
        (tiny([{**DOG, "image_id": True}]), "An entry's image_id is not a whole number", "True"),
        (tiny([DOG, DOG]), "An id occurs twice", "id 12"),
        (tiny([{**DOG, "image_id": 5}]), "An annotation names an unknown image", "image_id 5"),
        (tiny([{**DOG, "category_id": 5}]), "An annotation names an unknown category", "category_id 5"),
        (
            {**tiny([]), "categories": [{"id": 1, "name": "a"}, {"id": 2, "name": "a"}]},
            "Two categories",
            "['a']",
        ),
        (tiny([{**DOG, "bbox": [1, 2, 3]}]), "A bbox is not four numbers", "[1, 2, 3]"),
        (tiny([{**DOG, "bbox": [1, 2, 3, float("nan")]}]), "A bbox is not four numbers", "nan"),
        (tiny([{**DOG, "bbox": [1, 2, 0, -4]}]), "A box has no area", "bbox [1, 2, 0, -4] in image 1 of 200 x 100 px"),
        (tiny([{**DOG, "bbox": [1, 2, 9, -4]}]), "A box has no area", "[1, 2, 9, -4]"),
        (
            tiny([{**DOG, "bbox": [150, 0, 52, 40]}]),
            "A box lies outside of its picture",
            "image 1 of 200 x 100 px",
        ),
        (tiny([{**DOG, "bbox": [0, -2, 52, 40]}]), "A box lies outside of its picture", "[0, -2, 52, 40]"),
        (tiny([{**DOG, "bbox": [200, 0, 0.5, 40]}]), "A box has no area", "[200, 0, 0.5, 40]"),
    ],
)
def test_annotations_that_are_wrong_are_named(tmp_path: Path, data: object, what: str, got: str) -> None:
    root = at(tmp_path, data)
    first, where, third, do = failure(root).split("\n", 3)
    assert first.startswith(what)
    assert where.startswith(f"  where: {root / 'instances.json'}")
    assert third.startswith("  got:   ") and got in third
    assert do.startswith("  do:    ")


@pytest.mark.parametrize("bbox", [[1, 2, 0, 4], [1, 2, 4, 0], [200, 100, 0, 0]])
def test_a_flat_box_as_coco_has_some_is_too_small(tmp_path: Path, bbox: list[float]) -> None:
    found = coco_pairs.audit(at(tmp_path, tiny([PERSON, {**DOG, "bbox": bbox}])))
    assert found.left_out["too small"] == 1


def test_a_bad_box_is_told_in_full(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON, {**DOG, "bbox": [150, 60, 60, 40]}]))
    assert failure(root) == (
        f"A box lies outside of its picture\n  where: {root / 'instances.json'}, annotation 12\n"
        "  got:   bbox [150, 60, 60, 40] in image 1 of 200 x 100 px\n"
        "  do:    correct the bbox ([x, y, width, height] in pixels), or remove the annotation"
    )


def test_photographs_that_are_not_there_broken_or_others(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON, DOG]))
    path, where = root / "images/1.jpg", f"  where: {root / 'instances.json'}, image 1"
    Image.new("RGB", (100, 50)).save(path)
    text = failure(root)
    assert text.startswith(f"A photograph has not the size that its annotations say, so its boxes do not fit\n{where}")
    assert f"{path} is 100 x 50 px, annotated as 200 x 100 px" in text
    path.write_bytes(b"no picture")
    assert failure(root).startswith(f"A picture cannot be read\n{where}\n  got:   {path}: ")
    path.unlink()
    assert failure(root).startswith(f"None of the photographs is at hand\n  where: {root}\n  got:   1 images")


def test_a_file_name_stays_in_the_folder(tmp_path: Path) -> None:
    data = tiny([PERSON, DOG])
    data["images"][0]["file_name"] = "../1.jpg"
    assert failure(at(tmp_path, data)).startswith("A file name leaves the folder")


def test_no_pair_is_an_error_for_load_alone(tmp_path: Path) -> None:
    root = at(tmp_path, tiny([PERSON]))
    with pytest.raises(DataError, match="No pair is left under the rules of COCO-Pairs"):
        coco_pairs.load(root)
    assert coco_pairs.audit(root).ordered_pairs == 0


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"ratio": 0.5}, "A displacement ratio below 1"),
        ({"ratio": float("nan")}, "A displacement ratio below 1"),
        ({"min_side": -1}, "The smallest side of a box cannot be negative"),
        ({"limit": 0}, "A limit keeps at least one question"),
        ({"balanced": 3}, "A balanced set has at least one question of each relation"),
    ],
)
def test_options_out_of_range(tmp_path: Path, options: dict[str, Any], what: str) -> None:
    with pytest.raises(UsageError, match=what):
        coco_pairs.load(at(tmp_path, tiny([PERSON, DOG])), **options)
