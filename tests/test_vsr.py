"""VSR: captions and names by hand, the join with boxes, CREG's numbers on the published files, and every error."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from backsight.datasets import vsr, vsr_files, vsr_relations
from backsight.datasets.vsr_relations import CATEGORIES, PAPER_RELATIONS, RELATIONS, category, names
from backsight.errors import BacksightError, DataError, UsageError
from backsight.grid import Box

if TYPE_CHECKING:
    from tests.conftest import Command

SHARED = Path(__file__).parents[1].parent / "shared/data"
REAL, SAMPLE = SHARED / "vsr", SHARED / "coco-sample"
on_the_files = pytest.mark.skipif(not REAL.is_dir(), reason=f"VSR is not at {REAL}")
HERE = Path(__file__).parent / "data"  # a few rows and two photographs
both = REAL.is_dir() and SAMPLE.is_dir()
on_samples = pytest.mark.parametrize(
    ("rows", "photos"), [(HERE / "vsr", HERE / "photos"), *([(REAL, SAMPLE)] if both else [])]
)


def row(subject: str, relation: str, reference: str, image: int = 1, label: Any = 1, **more: Any) -> dict[str, Any]:
    verb = "" if relation in ("contains", "consists of", "has as a part") else "is "
    return {
        "image": f"{image:012}.jpg",
        "image_link": f"http://images.cocodataset.org/train2017/{image:012}.jpg",
        "caption": f"The {subject} {verb}{relation} the {reference}.",
        "label": label,
        "relation": relation,
        "annotator_id": 1,
        "vote_true_validator_id": "[2, 9]",
        "vote_false_validator_id": "[]",
        **more,
    }


def published(root: Path, rows: object, *, file: str = "random/test.jsonl") -> Path:
    path = root / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(rows if isinstance(rows, str) else "".join(f"{json.dumps(one)}\n" for one in rows))  # type: ignore[attr-defined]
    return root


def thing(image: int, name: str, bbox: list[float], **more: Any) -> dict[str, Any]:
    return {"image_id": image, "category_id": CATEGORIES.index(name), "bbox": bbox, "iscrowd": 0, **more}


def album(root: Path, things: list[dict[str, Any]], *, images: int = 1, pictures: int | None = None) -> Path:
    """Photographs of 200 x 100 px in COCO's form; `pictures` of them are there."""
    (root / "images").mkdir(parents=True)
    found = {
        "images": [{"id": n, "file_name": f"{n:012}.jpg", "width": 200, "height": 100} for n in range(1, images + 1)],
        "annotations": [{"id": number, **one} for number, one in enumerate(things, start=1)],
        "categories": [{"id": number, "name": name} for number, name in enumerate(CATEGORIES)],
    }
    (root / "instances.json").write_text(json.dumps(found))
    for number in range(1, (images if pictures is None else pictures) + 1):
        Image.new("RGB", (200, 100), (number, 90, 90)).save(root / "images" / f"{number:012}.jpg")
    return root


# Centres: dog (40, 20), couch (50, 65), cat (170, 60). The dog is above the couch, 45 px up against 10 across.
SCENE = [thing(1, "dog", [20, 10, 40, 20]), thing(1, "couch", [10, 40, 80, 50]), thing(1, "cat", [150, 40, 40, 40])]


# The words


@pytest.mark.parametrize(
    ("caption", "relation", "found"),
    [
        ("The dog is on top of the dining table.", "on top of", ("dog", "dining table")),
        ("The teddy bear is at the left side of the hot dog.", "at the left side of", ("teddy bear", "hot dog")),
        ("The bowl contains the apple.", "contains", ("bowl", "apple")),
        ("The hot dog consists of the cake.", "consists of", ("hot dog", "cake")),
        ("The truck has as a part the cow.", "has as a part", ("truck", "cow")),
        # Not as published: capitals, articles, spaces, a full stop that is missing, are.
        ("the  Dog is  ON a Couch ", "on", ("dog", "couch")),
        ("An apple is by banana .", "by", ("apple", "banana")),
        ("The skis are under the person.", "under", ("skis", "person")),
        ("The dog is one the couch.", "on", None),
        ("The dog is on top of the couch.", "under", None),
        ("On the couch.", "on", None),
        ("", "on", None),
    ],
)
def test_captions_by_hand(caption: str, relation: str, found: object) -> None:
    assert names(caption, relation) == found


@given(st.sampled_from(CATEGORIES), st.sampled_from(list(RELATIONS)), st.sampled_from(CATEGORIES))
def test_a_caption_gives_back_what_it_is_made_of(subject: str, relation: str, reference: str) -> None:
    assert names(row(subject, relation, reference)["caption"], relation) == (subject, reference)


@pytest.mark.parametrize(
    ("name", "exact", "substring"),
    [
        ("dog", "dog", "dog"),
        ("Hot  Dog", "hot dog", "hot dog"),
        ("bear", "bear", "bear"),
        ("teddy bears", None, "teddy bear"),  # "bear" stands in it too
        ("carrots", None, "carrot"),  # and "car" in this
        ("table", None, "dining table"),
        ("phone", None, "cell phone"),
        ("ball", None, None),  # sports ball, baseball bat, baseball glove
        ("cattle", None, "cat"),  # the trap
        ("lamp", None, None),
        ("", None, None),
    ],
)
def test_categories_by_hand(name: str, exact: str | None, substring: str | None) -> None:
    assert (category(name), category(name, "substring")) == (exact, substring)


def test_the_table_of_relations() -> None:
    assert len(RELATIONS) == 66 and len(CATEGORIES) == len(set(CATEGORIES)) == 80
    assert {r for r, d in RELATIONS.items() if d == "above"} == {"above", "over", "on", "on top of"}
    assert {r for r, d in RELATIONS.items() if d == "below"} == {"below", "under", "beneath"}
    assert {r for r, d in RELATIONS.items() if d == "left"} == {"at the left side of", "left of"}
    assert {r for r, d in RELATIONS.items() if d == "right"} == {"at the right side of", "right of"}
    assert {RELATIONS[r] for r in PAPER_RELATIONS} == {"above", "below"}
    # Left and right are directions of the picture in the viewer's frame alone.
    assert [vsr_relations.direction("left of", frame) for frame in (None, 0, 1, 2)] == [None, None, "left", None]
    assert [vsr_relations.direction(r, None) for r in ("on", "touching", "unheard of")] == ["above", None, None]


# Reading


def test_a_row_in_full(tmp_path: Path) -> None:
    one = row("dog", "left of", "couch", reference_frame=1.0, subj="Dog", obj="couch", vote_false_validator_id=[4])
    two = row("horse", "on", "bus", image=2, label=0, ref_frame=None, subj="orse", obj="bus")
    root = published(tmp_path, [one, two, {k: one[k] for k in ("image", "label", "relation")} | {"caption": "x"}])
    rows = vsr_files.read(root / "random/test.jsonl")
    assert rows[0] == vsr_files.Row(
        where=f"{root / 'random/test.jsonl'}:1",
        image="000000000001.jpg",
        caption="The dog is left of the couch.",
        true=True,
        relation="left of",
        fields=("dog", "couch"),
        frame=1,
        votes=((2, 9), (4,)),
    )
    assert [(r.true, r.frame, r.names, r.disagrees) for r in rows] == [
        (True, 1, ("dog", "couch"), False),
        (False, None, ("horse", "bus"), True),  # the published fields lose letters
        (True, None, None, False),
    ]
    assert rows[2].votes == ((), ())


def test_every_layout_is_found(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        published(tmp_path / "all", [], file=f"random/{part}.jsonl")
        published(tmp_path / "vsr_zeroshot", [], file=f"{part}.jsonl")
    published(tmp_path / "all", [], file="zeroshot/dev.jsonl")
    published(tmp_path / "mine", [], file="test.jsonl")
    assert list(vsr_files.files(tmp_path / "all")) == ["random/train", "random/dev", "random/test", "zeroshot/dev"]
    assert list(vsr_files.files(tmp_path / "all/random")) == ["random/train", "random/dev", "random/test"]
    assert list(vsr_files.files(tmp_path / "vsr_zeroshot")) == ["zeroshot/train", "zeroshot/dev", "zeroshot/test"]
    assert vsr_files.files(tmp_path / "mine") == {"test": tmp_path / "mine/test.jsonl"}


def test_blank_lines_and_separators_within_a_text_are_no_ends(tmp_path: Path) -> None:
    one, two = row("dog", "on", "couch", note="a\u2028b"), row("cat", "on", "couch")
    path = tmp_path / "test.jsonl"
    path.write_bytes(f"\ufeff{json.dumps(one, ensure_ascii=False)}\r\n\r\n{json.dumps(two)}".encode())
    assert [r.where.rsplit(":", 1)[1] for r in vsr_files.read(path)] == ["1", "3"]


# Questions


def test_an_example_in_full(tmp_path: Path) -> None:
    root = published(tmp_path, [row("dog", "on top of", "couch")])
    examples = vsr.load(root, photos=album(tmp_path / "coco", SCENE))
    (example,) = examples
    assert (examples.name, examples.scoring) == ("vsr", "token")
    assert example.id == "vsr-000000000001-dog-on_top_of-couch"
    assert example.question == (
        "In this image, where is the dog relative to the couch? Choose one option: 1) to the left, "
        "2) to the right, 3) above, 4) below. Answer with just the number."
    )
    assert (example.options, example.answer, example.direction) == (("1", "2", "3", "4"), "3", "above")
    assert (example.subject, example.reference, example.suite) == ("dog", "couch", "vsr")
    assert example.boxes == {"dog": Box(20, 10, 60, 30), "couch": Box(10, 40, 90, 90)}
    assert dict(example.tags) == {"prompt": "A", "relation": "on top of"}
    assert example.image.size == (200, 100)


SIX = [
    row("dog", "on", "couch"),
    row("cat", "on", "couch"),  # 120 px across, 5 up: to the right
    row("cat", "under", "dog"),  # 130 across, 40 down: to the right
    row("couch", "beneath", "dog"),  # not one of the five
    row("couch", "at the right side of", "cat", reference_frame=0.0),  # by its boxes on the left
    row("couch", "left of", "cat", reference_frame=1.0),
    row("cat", "touching", "dog"),
    row("dog", "above", "cat", label=0),
]


def test_labels_of_boxes_and_of_captions(tmp_path: Path) -> None:
    root, photos = published(tmp_path, SIX), album(tmp_path / "coco", SCENE)

    def found(**options: Any) -> list[tuple[str, str]]:
        return [(e.id.removeprefix("vsr-000000000001-"), e.direction) for e in vsr.load(root, photos=photos, **options)]

    five = ["dog-on-couch", "cat-on-couch", "cat-under-dog"]
    assert found() == list(zip(five, ["above", "right", "right"], strict=True))
    assert found(labels="caption") == list(zip(five, ["above", "above", "below"], strict=True))
    more = [("couch-beneath-dog", "below"), ("couch-at_the_right_side_of-cat", "left"), ("couch-left_of-cat", "left")]
    assert found(relations="directional") == found() + more
    # Whose right it is decides: the reference's own is none of the picture.
    assert found(relations="directional", labels="caption") == [*found(labels="caption"), more[0], more[2]]


def test_each_step_leaves_out_what_it_should(tmp_path: Path) -> None:
    things = [
        *SCENE,
        thing(2, "dog", [0, 0, 30, 30]),  # two dogs, a crowd of persons, a flat kite
        thing(2, "dog", [60, 0, 30, 30]),
        thing(2, "couch", [0, 60, 30, 30]),
        thing(2, "person", [100, 0, 30, 30], iscrowd=1),
        thing(2, "kite", [150, 0, 30, 0]),
        thing(2, "cat", [20, 30, 30, 30]),  # 20 across the couch, 30 above it: exactly 1.5 times
        thing(3, "dog", [0, 0, 30, 30]),
        thing(3, "couch", [0, 60, 30, 30]),
    ]
    rows = [
        row("dog", "on", "couch"),
        row("dog", "above", "couch", label=0),
        {**row("dog", "on", "cat"), "caption": "The dog sits upon the cat."},
        {**row("dog", "on", "cat"), "caption": "A dog and a cat.", "subj": "dog", "obj": "cat"},  # the fields say it
        row("lamp", "on", "couch"),
        row("cat", "touching", "couch"),
        row("cat", "of its own relation to", "couch"),
        row("cat", "over", "couch"),
        row("dog", "on", "couch", image=2),
        row("couch", "under", "person", image=2),
        row("couch", "under", "couch", image=2),
        row("couch", "under", "bed", image=2),
        row("kite", "above", "couch", image=2),
        row("cat", "on", "couch", image=2),
        row("dog", "on", "couch", image=3),  # annotated, no picture
        row("dog", "on", "couch", image=4),
        row("cat", "under", "dog", subj="at", obj="dog"),
        row("dog", "on top of", "couch"),
    ]
    root = published(tmp_path, rows)
    photos = album(tmp_path / "coco", things, images=3, pictures=2)
    found = vsr.audit(root, photos=photos).splits["random/test"]
    assert found.rows == 18
    assert found.steps == {
        "positives": 17,
        "names known": 16,
        "names matched": 15,
        "relation directional": 13,
        "relation one of five": 12,
        "photograph at hand": 10,
        "one instance each, no crowd": 6,
        "boxes valid": 5,
        "geometry clear": 4,
        # Dog on cat and cat under dog are beside each other.
        "geometry agrees with the caption": 2,
    }
    assert found.used == {
        "geometry": {"left": 1, "right": 1, "above": 2, "below": 0},
        "caption": {"left": 0, "right": 0, "above": 4, "below": 1},
    }
    assert (found.matched, found.unparsed, found.disagreements) == ({"exact": 15, "substring": 15}, 2, 1)
    assert found.said == {"left": 0, "right": 0, "above": 8, "below": 4}
    assert found.asked_again == 1  # dog on top of couch
    assert found.relations["on"] == 6 and found.frames == {}
    for labels in ("geometry", "caption"):
        examples = vsr.load(root, photos=photos, labels=labels)  # type: ignore[arg-type]
        counted = {d: n for d, n in found.used[labels].items() if n}
        assert Counter(e.direction for e in examples) == counted
    wordless = vsr.audit(root).splits["random/test"]
    assert list(wordless.steps.values()) == [17, 16, 15, 13, 12, *[None] * 5]
    assert (wordless.used, wordless.said) == (None, found.said)
    wide = vsr.audit(root, photos=photos, relations="directional").splits["random/test"]
    assert (wide.steps["relation one of five"], wide.steps["geometry clear"]) == (None, 5)


def test_substrings_lead_further_and_ids_stay_unique(tmp_path: Path) -> None:
    rows = [row("dog", "on", "couch"), row("dogs", "on", "couch"), row("brown dog", "on", "couches")]
    root, photos = published(tmp_path, rows), album(tmp_path / "coco", SCENE)
    assert len(vsr.load(root, photos=photos)) == 1
    examples = vsr.load(root, photos=photos, match="substring")
    assert [e.id for e in examples] == [
        "vsr-000000000001-dog-on-couch", "vsr-000000000001-dog-on-couch-2", "vsr-000000000001-dog-on-couch-3",
    ]  # fmt: skip
    assert len({e.question for e in examples}) == 1
    assert examples.fingerprint == vsr.load(root, photos=photos, match="substring").fingerprint
    assert vsr.audit(root).splits["random/test"].matched == {"exact": 1, "substring": 3}


def test_limit_is_even_and_always_the_same(tmp_path: Path) -> None:
    root = published(tmp_path, SIX[:1] + [row("cat", r, "couch") for r in ("on", "above", "on top of")])
    photos = album(tmp_path / "coco", SCENE)
    four = vsr.load(root, photos=photos)
    two = vsr.load(root, photos=photos, limit=2)
    assert len(four) == 4 and len(two) == 2 and two == vsr.load(root, photos=photos, limit=2)
    assert len(vsr.load(root, photos=photos, limit=9)) == 4


def test_the_split_is_chosen(tmp_path: Path) -> None:
    root = published(tmp_path, [row("dog", "on", "couch")], file="zeroshot/dev.jsonl")
    published(root, [row("cat", "on", "couch")], file="random/test.jsonl")
    photos = album(tmp_path / "coco", SCENE)
    assert [e.subject for e in vsr.load(root, photos=photos)] == ["cat"]
    assert [e.subject for e in vsr.load(root, photos=photos, split="zeroshot/dev")] == ["dog"]
    assert [e.subject for e in vsr.load(root / "zeroshot", photos=photos, split="zeroshot/dev")] == ["dog"]


# The published files


@on_the_files
def test_the_published_files_give_cregs_numbers() -> None:
    found = vsr.audit(REAL)
    steps = {name: [n for n in split.steps.values() if n is not None] for name, split in found.splits.items()}
    assert {name: split.rows for name, split in found.splits.items()} == {
        "random/train": 7680, "random/dev": 1097, "random/test": 2195,
        "zeroshot/train": 3489, "zeroshot/dev": 340, "zeroshot/test": 1222,
    }  # fmt: skip
    # Positives, names known, matched, directional, of the five: names rule out no row.
    assert steps == {
        "random/train": [3876, 3876, 3876, 1397, 828],
        "random/dev": [564, 564, 564, 220, 121],
        "random/test": [1181, 1181, 1181, 418, 240],
        "zeroshot/train": [1799, 1799, 1799, 592, 309],
        "zeroshot/dev": [167, 167, 167, 77, 48],
        "zeroshot/test": [629, 629, 629, 255, 181],
    }
    for name, numbers in vsr.PUBLISHED.items():
        positives, *_, five = steps[name]
        assert (positives, five, round(100 * five / positives, 1)) == numbers
    assert sum(p.positives for p in vsr.PUBLISHED.values()) == 5621
    assert sum(p.matched for p in vsr.PUBLISHED.values()) == 1189
    # No caption of the 240 says left or right, where CREG reports on all four.
    assert found.splits["random/test"].said == {"left": 0, "right": 0, "above": 151, "below": 89}
    assert not any(split.unparsed for split in found.splits.values())
    assert all(split.matched["exact"] == split.steps["positives"] for split in found.splits.values())


@on_the_files
def test_the_published_files_and_their_quirks() -> None:
    rows = {name: vsr_files.read(path) for name, path in vsr_files.files(REAL).items()}
    random = [one for name, split in rows.items() if name.startswith("random") for one in split]
    assert {one.relation for one in random} == RELATIONS.keys()
    assert all(one.names and category(one.names[0]) and category(one.names[1]) for one in random)
    # Every true caption about left or right has a frame, and no other row has.
    sided = [one for one in random if RELATIONS[one.relation] in ("left", "right") and one.true]
    assert Counter(one.frame for one in sided) == {0: 68, 1: 518, 2: 30}
    assert sum(one.frame is not None for one in random) == len(sided)
    # What has no front of its own is the reference in frame 1.
    of_frame = Counter(one.frame for one in sided if one.names and one.names[1] in ("bowl", "cake", "banana", "cup"))
    assert of_frame == {1: 65}
    zeroshot = [one for name, split in rows.items() if name.startswith("zeroshot") for one in split]
    cut = {(one.fields[0], one.names[0]) for one in zeroshot if one.disagrees and one.fields and one.names}
    assert cut == {("orse", "horse"), ("lephant", "elephant"), ("ot dog", "hot dog"), ("andbag", "handbag")}
    assert sum(one.disagrees for one in zeroshot) == 301
    assert all(one.votes[0] or one.votes[1] for one in random + zeroshot)


def test_a_few_published_rows_are_read() -> None:
    splits = {name: vsr_files.read(path) for name, path in vsr_files.files(HERE / "vsr").items()}
    assert {name: len(rows) for name, rows in splits.items()} == {
        "random/train": 3, "zeroshot/train": 1, "zeroshot/test": 1
    }  # fmt: skip
    captions = {one.caption: (one.relation, one.true, one.names) for one in splits["random/train"]}
    assert captions["The bed is under the book."] == ("under", True, ("bed", "book"))
    assert captions["The person is at the left side of the couch."][1] is False


@on_samples
def test_published_rows_on_a_sample(rows: Path, photos: Path) -> None:
    # The only row of the five whose photograph is there: a bed under a book, whose box fills the picture.
    found = vsr.audit(rows, photos=photos).splits
    assert list(found["random/train"].steps.values())[5:] == [1, 1, 1, 1, 0]
    (example,) = vsr.load(rows, photos=photos, split="random/train")
    assert (example.subject, example.reference, example.direction) == ("bed", "book", "above")
    (said,) = vsr.load(rows, photos=photos, split="random/train", labels="caption")
    assert said.direction == "below" and said.id == example.id == "vsr-000000403353-bed-under-book"


# Mistakes


def failure(root: Path, kind: type[BacksightError] = DataError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        vsr.load(root, **options) if options else vsr.audit(root)
    assert type(caught.value) is kind
    return str(caught.value)


GOOD = row("cat", "on", "couch")


@pytest.mark.parametrize(
    ("line", "what", "got"),
    [
        ("{oops", "A line is not JSON", "Expecting property name"),
        ("[1]", "A line is not a JSON object", "[1]"),
        ({k: v for k, v in GOOD.items() if k != "caption"}, "The column 'caption' is missing", "the columns image, "),
        ({k: v for k, v in GOOD.items() if k != "label"}, "The column 'label' is missing", "caption, relation"),
        ({**GOOD, "relation": 3}, "The column 'relation' holds no text", "3"),
        ({**GOOD, "image": ""}, "The column 'image' holds no text", "''"),
        ({**GOOD, "image": "../1.jpg"}, "An image is not a plain file name", "'../1.jpg'"),
        ({**GOOD, "label": 2}, "A label is neither 0 nor 1", "2"),
        ({**GOOD, "label": True}, "A label is neither 0 nor 1", "True"),
        ({**GOOD, "label": "1"}, "A label is neither 0 nor 1", "'1'"),
        ({**GOOD, "subj": ["cat"]}, "The column 'subj' holds no text", "['cat']"),
        ({**GOOD, "reference_frame": 3.0}, "The column 'reference_frame' holds no known frame", "3.0"),
        ({**GOOD, "ref_frame": "left"}, "The column 'ref_frame' holds no known frame", "'left'"),
        ({**GOOD, "vote_true_validator_id": "2, 9"}, "The column 'vote_true_validator_id' is not a list", "'2, 9'"),
        ({**GOOD, "vote_false_validator_id": ["2"]}, "The column 'vote_false_validator_id' is not a list", "['2']"),
        (row("dog", "on", "couch"), "A caption occurs twice", "as in "),
        (row("dog", "on", "couch", label=0), "A caption occurs twice", "'The dog is on the couch.' about"),
    ],
)
def test_lines_that_are_wrong_are_named(tmp_path: Path, line: object, what: str, got: str) -> None:
    text = line if isinstance(line, str) else json.dumps(line)
    root = published(tmp_path, f"{json.dumps(row('dog', 'on', 'couch'))}\n\n{text}\n")
    first, where, third, do = failure(root).split("\n", 3)
    assert first.startswith(what)
    assert where == f"  where: {root / 'random/test.jsonl'}:3"
    assert third.startswith("  got:   ") and got in third
    assert do.startswith("  do:    ")


def test_files_that_are_no_text(tmp_path: Path) -> None:
    root = published(tmp_path, "")
    (root / "random/test.jsonl").write_bytes(b"\xff\xfe\x00")
    assert failure(root).startswith(f"The file is not text in UTF-8\n  where: {root / 'random/test.jsonl'}\n  got:")


def test_folders_that_are_others(tmp_path: Path) -> None:
    text = failure(tmp_path / "none", UsageError)
    assert text.startswith(f"There is no such folder\n  where: {tmp_path / 'none'}\n  do:    name the folder")
    assert "got:   an empty folder" in failure(tmp_path, UsageError)
    (tmp_path / "test.json").write_text("[]")
    assert failure(tmp_path, UsageError).startswith(
        f"The folder is not in VSR's published form\n  where: {tmp_path}\n  got:   test.json\n  do:    name the folder"
    )


def test_two_photographs_of_one_name(tmp_path: Path) -> None:
    photos = album(tmp_path / "coco", SCENE)
    data = json.loads((photos / "instances.json").read_text())
    data["images"].append({**data["images"][0], "id": 7, "file_name": "more/000000000001.jpg"})
    (photos / "instances.json").write_text(json.dumps(data))
    (photos / "images/more").mkdir()
    Image.new("RGB", (200, 100)).save(photos / "images/more/000000000001.jpg")
    text = failure(published(tmp_path, SIX), photos=photos)
    assert text.startswith("Two photographs have one file name") and "got:   images 1 and 7, 000000000001.jpg" in text


def test_boxes_outside_of_their_picture_are_refused(tmp_path: Path) -> None:
    photos = album(tmp_path / "coco", [*SCENE, thing(1, "bed", [150, 0, 90, 20])])
    assert failure(published(tmp_path, SIX), photos=photos).startswith("A box lies outside of its picture")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"split": "random/all"},
            "There is no such split\n  where: {root}\n  got:   random/all\n  do:    choose from: ",
        ),
        ({"match": "fuzzy"}, "Names cannot be matched in this way\n  got:   fuzzy\n  do:    choose from: exact, sub"),
        ({"labels": "both"}, "Right answers cannot be had from there\n  got:   both\n  do:    choose from: geometry, "),
        ({"relations": "all"}, "There is no such choice of relations\n  got:   all\n  do:    choose from: paper, "),
        ({"limit": 0}, "A limit keeps at least one question\n  got:   0"),
    ],
)
def test_options_that_do_not_exist(tmp_path: Path, options: dict[str, Any], text: str) -> None:
    root = published(tmp_path, SIX)
    photos = album(tmp_path / "coco", SCENE)
    assert failure(root, UsageError, photos=photos, **options).startswith(text.format(root=root))


def test_nothing_left_is_told_with_its_counts(tmp_path: Path) -> None:
    root, photos = published(tmp_path, SIX[1:]), album(tmp_path / "coco", SCENE[:1])
    assert failure(root, photos=photos) == (
        f"No row of VSR is left to ask about\n  where: {root / 'random/test.jsonl'}\n  got:   rows 7, positives 6, "
        "names known 6, names matched 6, relation directional 5, relation one of five 2, photograph at hand 2, "
        "one instance each, no crowd 0, boxes valid 0, geometry clear 0, geometry agrees with the caption 0\n"
        f"  do:    see what is left out: `backsight data vsr DIR --photos {photos}`"
    )
    assert vsr.audit(root, photos=photos).splits["random/test"].steps["boxes valid"] == 0


# The command line


def test_the_audit_on_the_command_line(command: Command, tmp_path: Path) -> None:
    root, photos = published(tmp_path / "vsr", SIX), album(tmp_path / "coco", SCENE)
    code, out, _ = command("data", "vsr", root)
    assert code == 0 and out == f"{vsr.audit(root)}\n"
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["random/test"] and ["rows", "8"] in lines
    assert ["positives", "7", "CREG", "1181"] in lines and ["geometry", "clear", "-"] in lines
    assert "relation one of five                  3  42.9 %; CREG 240, 20.3 %" in out
    assert "both names match a COCO category, covers 7 of 7 positives, not 240\n" in out
    assert "left and right by reference frame: 0 1, 1 1\n" in out
    code, out, _ = command("data", "vsr", root, "--photos", photos)
    assert code == 0 and ["used,", "right", "by", "geometry", "0", "2", "1", "0"] in [
        s.split() for s in out.split("\n")
    ]
    code, out, _ = command("data", "vsr", root, "--photos", photos, "--json")
    found = json.loads(out)
    assert code == 0 and found == json.loads(json.dumps(vsr.audit(root, photos=photos).as_dict()))
    assert found["splits"]["random/test"]["published"] == {"positives": 1181, "matched": 240, "coverage": 20.3}
    assert found["splits"]["random/test"]["steps"]["geometry agrees with the caption"] == 1


def test_mistakes_on_the_command_line(command: Command, tmp_path: Path) -> None:
    code, _, err = command("data", "vsr", tmp_path / "none")
    assert code == 2 and err.startswith("backsight: There is no such folder")
    code, _, err = command("data", "vsr", tmp_path)
    assert code == 2 and err.startswith("backsight: The folder is not in VSR's published form")
    root = published(tmp_path / "vsr", "{oops\n")
    code, _, err = command("data", "vsr", root)
    assert code == 3 and err.startswith(f"backsight: A line is not JSON\n  where: {root / 'random/test.jsonl'}:1\n")
    code, _, err = command("data", "vsr", published(tmp_path / "good", SIX), "--photos", tmp_path / "none")
    assert code == 2 and err.startswith("backsight: There is no such folder")
