"""Examples and sets of them: lazy pictures, splits that keep an image together, even limits, stable fingerprints."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from backsight import examples, pictures
from backsight.errors import DataError, UsageError
from backsight.examples import (
    Example,
    ExampleSet,
    FilePicture,
    MemoryPicture,
    Pair,
    PairSet,
    PlainPicture,
    as_picture,
    as_samples,
)
from backsight.grid import Box
from backsight.measurements import Behaviour
from backsight.models.vlm import VLM
from backsight.stimuli import build
from backsight.stimuli.groups import GroupedSet

DIRECTIONS = ("left", "right", "above", "below")


def plain(number: int) -> PlainPicture:
    return PlainPicture((8, 6), (number, 0, 0))


def example(number: int, **changed: object) -> Example:
    """Four questions a picture, one a direction."""
    direction = DIRECTIONS[number % 4]
    made = Example(f"e{number}", plain(number // 4), "Where?", DIRECTIONS, direction, direction=direction)
    return replace(made, **changed)  # type: ignore[arg-type]


def some(count: int = 40) -> ExampleSet:
    return ExampleSet("toy", tuple(example(number) for number in range(count)))


def pair(number: int) -> Pair:
    one, two = example(number), example(number + 1)
    return Pair(f"p{number}", one, two, {"clean": one.answer, "counterfactual": two.answer}, frozenset({"direction"}))


def test_pictures_are_one_thing_under_both_names() -> None:
    assert examples.Picture is pictures.Picture and examples.as_picture is pictures.as_picture


def test_a_file_picture_opens_late_and_is_named_by_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    picture = FilePicture(path)
    Image.new("L", (5, 3), 7).save(path)
    (tmp_path / "copy.png").write_bytes(path.read_bytes())
    assert picture.size == (5, 3) and picture.open().mode == "RGB"
    assert picture.id == FilePicture(tmp_path / "copy.png").id
    Image.new("L", (5, 3), 8).save(path)
    assert FilePicture(path).id != picture.id


def test_a_missing_picture_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"A picture is missing\n  where: .*gone\.png"):
        FilePicture(tmp_path / "gone.png").open()
    with pytest.raises(DataError, match=r"A picture is missing\n  where: .*gone\.png"):
        _ = FilePicture(tmp_path / "gone.png").id


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (64, 64), "red").save(tmp_path / "cut.png")
    whole = (tmp_path / "cut.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.png").write_text("no picture")
    for name in ("cut.png", "text.png"):
        with pytest.raises(DataError, match=f"A picture cannot be read\n  where: .*{name}"):
            FilePicture(tmp_path / name).open()


def test_a_memory_picture_is_named_by_its_pixels_and_shape() -> None:
    one = MemoryPicture(Image.new("L", (4, 2), 9))
    assert one.id == MemoryPicture(Image.new("RGB", (4, 2), (9, 9, 9))).id
    assert one.id != MemoryPicture(Image.new("L", (2, 4), 9)).id
    assert one.id != MemoryPicture(Image.new("L", (4, 2), 10)).id


def test_as_picture_takes_paths_images_and_pictures() -> None:
    kept = plain(1)
    assert as_picture(kept) is kept
    assert as_picture("a.png") == FilePicture(Path("a.png"))
    assert as_picture(Image.new("RGB", (3, 2))).size == (3, 2)


def test_an_answer_outside_its_options_is_refused() -> None:
    with pytest.raises(DataError, match="not among the options\n  where: example e1\n  got:   'up' of"):
        Example("e1", plain(0), "Where?", ("left", "right"), "up")
    assert Example("e1", plain(0), "Where?", (), "anything").answer == "anything"


def test_blank_asks_the_same_of_a_gray_picture_of_the_same_size() -> None:
    blank = example(2).blank()
    assert blank.image.size == (8, 6) and blank.image.getcolors() == [(48, (128, 128, 128))]
    assert replace(blank, picture=example(2).picture) == example(2)


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9])
def test_a_split_keeps_the_questions_of_an_image_together(share: float) -> None:
    first, second = some().split(share)
    images = [{e.image_id for e in part} for part in (first, second)]
    assert images[0] & images[1] == set()
    assert len(images[0]) == round(share * 10)
    assert sorted(e.id for e in (*first, *second)) == sorted(e.id for e in some())
    assert [e.id for e in first] == [e.id for e in some() if e.image_id in images[0]]  # in the set's own order


def test_a_split_repeats_for_a_seed_and_only_for_it() -> None:
    assert some().split(0.5, seed=1) == some().split(0.5, seed=1)
    assert some().split(0.5, seed=1) != some().split(0.5, seed=2)


def test_a_split_by_example_parts_images() -> None:
    first, second = some().split(0.5, by="example")
    assert len(first) == len(second) == 20
    assert {e.image_id for e in first} & {e.image_id for e in second}


@pytest.mark.parametrize("share", [0, 1, -0.1, 50])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(UsageError, match=f"between 0 and 1\n  got:   {share}"):
        some().split(share)


def test_a_limit_is_even_over_directions_and_repeats() -> None:
    limited = some().limit(10)
    counts = Counter(e.direction for e in limited)
    assert len(limited) == 10 and set(counts) == set(DIRECTIONS) and max(counts.values()) - min(counts.values()) <= 1
    assert limited == some().limit(10) != some().limit(10, seed=1)
    assert [e.id for e in limited] == [e.id for e in some() if e in list(limited)]


def test_a_limit_is_even_over_prompts_too() -> None:
    items = tuple(example(n, tags={"prompt": "A" if n < 32 else "B"}) for n in range(40))
    assert Counter(e.tags["prompt"] for e in ExampleSet("toy", items).limit(8)) == {"A": 4, "B": 4}


def test_a_limit_beyond_the_set_or_none_is_the_set() -> None:
    assert some().limit(None) == some().limit(40) == some().limit(1000) == some()


def test_slices_are_sets_and_indices_are_examples() -> None:
    assert some()[3] == example(3)
    assert some()[:2] == replace(some(), items=(example(0), example(1)))
    assert len(some().where(lambda e: e.direction == "left")) == 10


@pytest.mark.parametrize(
    "changed",
    [
        {"picture": plain(99)},
        {"question": "Which?"},
        {"answer": "below"},
        {"options": ("left", "right")},
        {"system": "Be brief."},
        {"boxes": {"cup": Box(0, 0, 1, 1)}},
        {"id": "other"},
    ],
)
def test_a_fingerprint_sees_every_part_that_a_model_or_a_table_sees(changed: dict[str, object]) -> None:
    base = ExampleSet("toy", (example(0), example(1)))
    assert ExampleSet("toy", (example(0, **changed), example(1))).fingerprint != base.fingerprint
    assert ExampleSet("toy", (example(0), example(1))).fingerprint == base.fingerprint
    assert ExampleSet("toy", (example(1), example(0))).fingerprint != base.fingerprint


def test_unknown_pairs_are_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match="'toy' has no pairs of kind 'last_token'\n  got:   no kinds at all"):
        some().pairs("last_token")
    made = replace(some(), pair_makers={"first": lambda found: PairSet(found.name, (pair(0),), "first")})
    assert made.pairs("first")[0] == pair(0)
    with pytest.raises(UsageError, match=r"got:   \['first'\]"):
        made.pairs("last")


def test_pairs_are_limited_evenly_and_have_a_fingerprint() -> None:
    pairs = PairSet("toy", tuple(pair(number) for number in range(12)), "kind")
    assert [p.id for p in pairs.limit(6)] == ["p0", "p1", "p2", "p3", "p4", "p5"]
    assert len(pairs[2:4]) == 2 and pairs.limit(None) is pairs
    other = replace(pairs[0], outcomes={"clean": "right"})
    assert replace(pairs, items=(other, *pairs.items[1:])).fingerprint != pairs.fingerprint


def test_html_escapes_what_a_data_set_says() -> None:
    shown = ExampleSet("<toy>", (example(0, question="<script>"),))._repr_html_()
    assert "&lt;toy&gt;: 1 questions about 1 pictures" in shown and "&lt;script&gt;" in shown
    assert "<script>" not in shown and "data:image/png;base64," in shown
    assert "counterfactual: <b>right</b>" in PairSet("toy", (pair(0),), "kind")._repr_html_()


def test_an_id_that_occurs_twice_is_refused() -> None:
    items = (example(0), example(1), example(2), example(1), example(0))
    with pytest.raises(DataError) as caught:
        ExampleSet("toy", items)
    assert str(caught.value) == (
        "An id occurs twice\n  where: example set 'toy'\n  got:   'e1', the items 1 and 3\n"
        "  do:    give each its own id"
    )
    with pytest.raises(
        DataError, match="An id occurs twice\n  where: pair set 'toy'\n  got:   'p1', the items 0 and 2"
    ):
        PairSet("toy", (pair(1), pair(2), pair(1)), "kind")
    with pytest.raises(DataError, match="An id occurs twice"):
        replace(some(), items=(*some(), example(3)))


def test_a_set_shows_itself_in_one_line() -> None:
    assert repr(some(6)) == "ExampleSet('toy', 6 questions: 2 left, 2 right, 1 above, 1 below)"
    assert repr(ExampleSet("toy", (example(0, direction=None),))) == "ExampleSet('toy', 1 question)"
    mixed = ExampleSet("toy", (example(0), example(1, direction=None)))
    assert repr(mixed) == "ExampleSet('toy', 2 questions: 1 left, 1 without a direction)"
    assert repr(GroupedSet("toy", (example(0),))) == "GroupedSet('toy', 1 question: 1 left)"
    pairs = PairSet("toy", (pair(0), pair(2), pair(4)), "kind")
    assert repr(pairs) == "PairSet('toy', 3 pairs: 2 left, 1 above, kind='kind')"
    assert all(len(repr(build(name))) < 200 and "\n" not in repr(build(name)) for name in ("squares", "pairs"))


def test_paths_and_pil_images_are_pictures_of_an_example(tmp_path: Path) -> None:
    Image.new("RGB", (5, 3), "red").save(tmp_path / "a.png")
    for given in (str(tmp_path / "a.png"), tmp_path / "a.png", Image.new("RGB", (5, 3), "red")):
        made = Example("e", given, "Where?", ("left", "right"), "left")  # type: ignore[arg-type]
        assert made.image.size == (5, 3) and made.picture.open().getpixel((0, 0)) == (255, 0, 0)
    assert FilePicture(str(tmp_path / "a.png")).size == (5, 3)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="This is no picture\n  got:   bytes\n  do:    give a path, a PIL image"):
        Example("e", b"", "Where?", (), "")  # type: ignore[arg-type]


def test_options_are_several_texts() -> None:
    assert Example("e", plain(0), "Where?", ["left", "right"], "left").options == ("left", "right")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="The options are one text\n  where: example e\n  got:   'left'"):
        Example("e", plain(0), "Where?", "left", "l")  # type: ignore[arg-type]


def test_lists_are_samples_and_other_things_are_not() -> None:
    listed = as_samples([example(0), example(1)])
    assert isinstance(listed, ExampleSet) and listed.items == (example(0), example(1)) and listed.scoring == "auto"
    assert isinstance(as_samples([pair(0)]), PairSet) and as_samples(listed) is listed
    assert ExampleSet("toy", [example(0)]).items == (example(0),)  # type: ignore[arg-type]
    for wrong, kinds in ((["a.png"], "str"), ("a.png", "str"), ([], "none"), ([example(0), pair(1)], "Example, Pair")):
        with pytest.raises(UsageError, match=f"These are no samples that can be measured\n  got:   {kinds}\n  do: "):
            as_samples(wrong)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="holds an item that is no Example\n  where: example set 'toy'\n  got:   Pair"):
        ExampleSet("toy", (pair(0),))  # type: ignore[arg-type]


def test_a_list_of_examples_is_measured(tiny_vlm: VLM) -> None:
    items = build("pairs", tiny_vlm.grid)[:4]
    table = Behaviour(gray=False)(tiny_vlm, list(items))  # type: ignore[arg-type]
    assert table.frame["example_id"].tolist() == [e.id for e in items]
    with pytest.raises(UsageError, match="no samples that can be measured"):
        Behaviour()(tiny_vlm, ["a.png"])  # type: ignore[arg-type]


def test_what_a_set_cannot_be_split_by_is_named() -> None:
    with pytest.raises(UsageError, match="cannot be split by this\n  got:   foo\n  do:    choose from: image, example"):
        some().split(0.5, by="foo")  # type: ignore[arg-type]
