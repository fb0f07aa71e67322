"""What'sUp: folders as they are published, what is left out of them and why, and its three numbers by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backsight.datasets import tabletop, whatsup, whatsup_files
from backsight.datasets.whatsup_files import FILES, UNKNOWN, UNPARSED, Named, parse, says
from backsight.errors import BacksightError, DataError, UsageError
from backsight.grid import Box
from backsight.measurements import Behaviour
from backsight.models.vlm import VLM
from backsight.results import plot
from backsight.results.behaviour import BEHAVIOUR, WHATSUP_SUMMARY, behaviour_summary, whatsup_summary
from backsight.results.drawing.style import suite_title
from backsight.stimuli import tabletop as drawn
from backsight.tables import Schema, Table
from tests.conftest import Command

WORDS = {
    "left_of": "to the left of",
    "right_of": "to the right of",
    "on": "on",
    "under": "under",
    "in-front_of": "in front of",
    "behind": "behind",
}
RELATIONS = {"a": ("left_of", "right_of", "on", "under"), "b": ("left_of", "right_of", "in-front_of", "behind")}
Row = dict[str, Any]


def row(thing: str, relation: str, reference: str, which: str = "a", folder: str = "data/controlled_images") -> Row:
    order = sorted(RELATIONS[which], key=lambda one: one != relation)
    captions = [f"A {thing.replace('-', ' ')} {WORDS[one]} a {reference}" for one in order]
    return {"image_path": f"{folder}/{thing}_{relation}_{reference}.jpeg", "caption_options": captions}


def four(thing: str, reference: str, which: str = "a", folder: str = "data/controlled_images") -> list[Row]:
    return [row(thing, relation, reference, which, folder) for relation in RELATIONS[which]]


def published(root: Path, a: object = None, b: object = None, *, pictures: bool = True) -> Path:
    """A folder with the two lists and a small picture a row."""
    for which, rows in (("a", a), ("b", b)):
        if rows is not None:
            root.mkdir(parents=True, exist_ok=True)
            (root / FILES[which]).write_text(rows if isinstance(rows, str) else json.dumps(rows))  # type: ignore[index]
        for number, one in enumerate(rows if pictures and isinstance(rows, list) else ()):
            path = root / one["image_path"]
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 30), (10 * number, 90, 90 if which == "a" else 200)).save(path, "JPEG")
    return root


def failure(root: Path, kind: type[BacksightError] = DataError, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        whatsup.load(root, **options)
    assert type(caught.value) is kind
    return str(caught.value)


# What a name and a caption say


@pytest.mark.parametrize(
    ("stem", "said"),
    [
        ("cup_on_table", Named("cup", "", "on", "table")),
        ("beer-bottle_left_of_armchair", Named("beer-bottle", "", "left", "armchair")),
        ("mug_in-front_of_cooking-pot", Named("mug", "", "front", "cooking-pot")),
        ("mug_behind_bowl", Named("mug", "", "behind", "bowl")),
        ("cup-2_right_of_table", Named("cup-2", "2", "right", "table")),
        ("beer-bottle-13_under_chair", Named("beer-bottle-13", "13", "under", "chair")),
        ("cup_near_table", UNKNOWN),
        ("cup_next_to_table", UNKNOWN),
        ("cup", UNPARSED),
        ("cup_table", UNPARSED),
        ("_on_table", UNPARSED),
        ("cup_on_", UNPARSED),
        ("cup_on_table_under_chair", UNPARSED),
    ],
)
def test_file_names_by_hand(stem: str, said: object) -> None:
    assert parse(stem) == said


def test_names_in_words() -> None:
    named = parse("beer-bottle-2_left_of_arm-chair")
    assert isinstance(named, Named)
    assert (named.subject, named.reference_words, named.group) == (
        "beer bottle",
        "arm chair",
        "beer-bottle-2_arm-chair",
    )


@pytest.mark.parametrize(
    ("caption", "place", "right"),
    [
        ("A beer bottle to the left of a armchair", "left", True),
        ("A beer bottle on the left of a armchair", "left", True),
        ("A watermelon on a table", "on", True),
        ("A cup underneath a table", "under", True),
        ("A cup on a table", "under", False),
        ("A cup to the left and to the right of a table", "left", False),
        ("A cup", "on", False),
    ],
)
def test_what_a_caption_says(caption: str, place: Any, right: bool) -> None:
    assert says(caption, place, "a") is right


# Reading


def test_an_example_in_full(tmp_path: Path) -> None:
    (a,) = whatsup.load(published(tmp_path, four("beer-bottle", "armchair")))
    assert (a.name, len(a), a.scoring) == ("whatsup_a", 4, "token")
    example = a[0]
    assert example.id == "whatsup_a-beer-bottle_left_of_armchair"
    assert example.question == (
        "Where is the beer bottle in relation to the armchair? Answer with left, right, on or under."
    )
    assert (example.options, example.answer, example.direction) == (("left", "right", "on", "under"), "left", "left")
    assert (example.subject, example.reference, example.suite) == ("beer bottle", "armchair", "whatsup_a")
    assert example.system == "You are a helpful assistant. You respond in one token."
    assert (dict(example.tags), dict(example.boxes)) == ({"group": "beer-bottle_armchair"}, {})
    assert [e.answer for e in a] == ["left", "right", "on", "under"] and a[0].image.size == (40, 30)


def test_both_sets(tmp_path: Path) -> None:
    folder = "data/controlled_clevr"
    root = published(
        tmp_path, four("cup", "table"), four("mug", "bowl", "b", folder) + four("can", "bowl", "b", folder)
    )
    a, b = whatsup.load(root)
    assert (a.name, len(a), b.name, len(b)) == ("whatsup_a", 4, "whatsup_b", 8)
    assert b[2].question == "Where is the mug in relation to the bowl? Answer with left, right, front or behind."
    assert [e.answer for e in b[:4]] == ["left", "right", "front", "behind"] == list(b[0].options)
    assert [s.name for s in whatsup.load(root, sets=("b",))] == ["whatsup_b"]
    assert [len(s) for s in whatsup.load(root, limit=5)] == [4, 4]  # whole sets
    assert [s.name for s in whatsup.load(published(tmp_path / "b", None, four("mug", "bowl", "b")))] == ["whatsup_b"]


def test_captions_are_options_in_an_order_that_says_nothing(tmp_path: Path) -> None:
    (a,) = whatsup.load(published(tmp_path, four("cup", "table")), ask="captions")
    assert (a.name, a.scoring) == ("whatsup_a_captions", "sequence")
    captions = (
        "A cup on a table",
        "A cup to the left of a table",
        "A cup to the right of a table",
        "A cup under a table",
    )
    assert {(e.question, e.system, e.options) for e in a} == {("Which caption fits the picture?", None, captions)}
    assert [captions.index(e.answer) for e in a] == [1, 2, 0, 3]
    assert [e.direction for e in a] == ["left", "right", "on", "under"]


@pytest.mark.parametrize(
    ("kept", "written", "found"),
    [
        ("data/controlled_images", "data/controlled_images", 4),
        ("controlled_images", "data/controlled_images", 4),
        (".", "data/controlled_images", 4),
        ("data/controlled_images", "/home/me/whatsup/data/controlled_images", 4),
        ("controlled_images", "C:\\whatsup\\controlled_images", 4),
        ("data/controlled_images", "controlled_images", 0),  # nothing is added to a path
        (".", "../elsewhere", 4),
        ("data/controlled_images", "../elsewhere", 0),
    ],
)
def test_pictures_are_found_by_the_last_parts_of_their_path(
    tmp_path: Path, kept: str, written: str, found: int
) -> None:
    rows = four("cup", "table", folder=kept)
    published(tmp_path, rows)
    moved = [one | {"image_path": f"{written}/{Path(one['image_path']).name}"} for one in rows]
    (tmp_path / FILES["a"]).write_text(json.dumps(moved))
    reading = whatsup_files.read(tmp_path)["a"]
    assert (len(reading.entries), len(reading.left_out[whatsup_files.MISSING])) == (found, 4 - found)


def test_the_lists_may_lie_in_data(tmp_path: Path) -> None:
    root = published(tmp_path, four("cup", "table"))
    (root / FILES["a"]).rename(root / "data" / FILES["a"])
    assert len(whatsup.load(root)[0]) == 4
    assert len(whatsup.load(root / "data")[0]) == 4  # the folder of the pictures, one level down


def test_what_is_left_out_is_counted_and_named(tmp_path: Path) -> None:
    near = row("cup", "on", "chair") | {"image_path": "data/controlled_images/cup_near_chair.jpeg"}
    behind = row("cup", "behind", "chair", "b")  # a relation of the other set
    odd = row("cup", "on", "chair") | {"image_path": "data/controlled_images/IMG1234.jpeg"}
    wrong = row("cup", "on", "chair")
    wrong["caption_options"] = wrong["caption_options"][::-1]
    rows = [*four("cup", "table"), near, behind, odd, wrong, row("cup", "on", "table"), *four("hat", "chair")]
    root = published(tmp_path, rows, [])
    (root / "data/controlled_images/hat_on_chair.jpeg").unlink()
    broken = root / "data/controlled_images/hat_under_chair.jpeg"
    broken.write_bytes(broken.read_bytes()[:200])
    audit = whatsup.audit(root)
    assert json.loads(json.dumps(audit.as_dict())) == {
        "suites": {
            "whatsup_a": {
                "rows": 13,
                "used": 6,
                "relations": {"left": 2, "right": 2, "on": 1, "under": 1},
                "whole_sets": 1,
                "objects": 2,
                "references": ["chair", "table"],
                "left_out": {
                    "its file name is not <object>_<relation>_<reference>": ["data/controlled_images/IMG1234.jpeg"],
                    "its relation is none of the set's": [near["image_path"], behind["image_path"]],
                    "its first caption does not say the relation of its file name": [wrong["image_path"]],
                    "a row before it has its file name": ["data/controlled_images/cup_on_table.jpeg"],
                    "its picture is not at hand": ["data/controlled_images/hat_on_chair.jpeg"],
                    "its picture cannot be read": ["data/controlled_images/hat_under_chair.jpeg"],
                },
            },
            "whatsup_b": {
                "rows": 0,
                "used": 0,
                "relations": {"left": 0, "right": 0, "front": 0, "behind": 0},
                "whole_sets": 0,
                "objects": 0,
                "references": [],
                "left_out": {reason: [] for reason in whatsup_files.REASONS},
            },
        }
    }
    assert [e.id for e in whatsup.load(root)[0]][4:] == ["whatsup_a-hat_left_of_chair", "whatsup_a-hat_right_of_chair"]
    text = str(audit).splitlines()
    assert text[0] == "whatsup_a" and text[1].split() == ["rows", "13"]
    assert "  its relation is none of the set's: data/controlled_images/cup_near_chair.jpeg, " in str(audit)
    many = whatsup.audit(published(tmp_path / "none", four("cup", "table") * 3, pictures=False))
    assert "cup_under_table.jpeg and 4 more" in str(many)


def test_nothing_left_is_an_error(tmp_path: Path) -> None:
    root = published(tmp_path, four("cup", "table"), pictures=False)
    assert failure(root) == (
        f"No row of What'sUp is left that can be used\n  where: {root}\n"
        "  got:   set A: 4 where its picture is not at hand\n"
        "  do:    see what is left out and why: `backsight data whatsup DIR`"
    )
    assert "got:   no file of set b" in failure(root, sets=("b",))


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ("{oops", "The file is not JSON"),
        ("{}", "The file is not a list of pictures"),
        ('["x"]', "A row names no picture"),
        ('[{"image_path": ""}]', "A row names no picture"),
        ('[{"image_path": "a_on_b.jpeg"}]', "A row's caption_options are not at least two different texts"),
        ('[{"image_path": "a_on_b.jpeg", "caption_options": ["x", "x"]}]', "A row's caption_options are not"),
        ('[{"image_path": "a_on_b.jpeg", "caption_options": ["x", 3]}]', "A row's caption_options are not"),
    ],
)
def test_lists_in_another_form(tmp_path: Path, content: str, what: str) -> None:
    text = failure(published(tmp_path, content))
    assert text.startswith(what) and f"where: {tmp_path / FILES['a']}" in text and "  do:    " in text
    with pytest.raises(DataError):
        whatsup.audit(tmp_path)


def test_folders_and_options_that_cannot_be_used(tmp_path: Path) -> None:
    assert failure(tmp_path / "none", UsageError).startswith("There is no such folder")
    assert failure(tmp_path) == (
        f"The folder is not in What'sUp's form\n  where: {tmp_path}\n  got:   an empty folder\n"
        "  do:    put controlled_images_dataset.json or controlled_clevr_dataset.json there, "
        "as the authors publish them"
    )
    root = published(tmp_path, four("cup", "table"))
    assert "got:   ['c']\n  do:    choose from: a, b" in failure(root, UsageError, sets=("c",))
    assert "got:   no set at all" in failure(root, UsageError, sets=())
    assert "got:   aloud\n  do:    choose from: words, captions" in failure(root, UsageError, ask="aloud")
    assert failure(root, UsageError, limit=0).startswith("A limit keeps at least one question")


# Tabletop folders


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tabletop.write(tmp_path_factory.mktemp("tabletop") / "out", size=(168, 168), held=True, seed=3)


def test_what_tabletop_writes_comes_back(folder: Path) -> None:
    assert sorted(p.name for p in folder.iterdir()) == [
        "contact_sheet.png", "controlled_clevr_dataset.json", "controlled_images_dataset.json", "data", "tabletop.json",
    ]  # fmt: skip
    for which, loaded in zip(("a", "b"), whatsup.load(folder), strict=True):
        made = drawn.scenes((168, 168), which=which, sets=10, seed=3)  # type: ignore[arg-type]
        assert loaded.name == made.name == f"tabletop_{which}" and len(loaded) == 40
        for one, other in zip(loaded, made, strict=True):
            for name in ("id", "question", "options", "answer", "direction", "subject", "reference", "system", "tags"):
                assert getattr(one, name) == getattr(other, name)
            for name, box in other.boxes.items():
                assert one.boxes[name] == pytest.approx(box, abs=0.006)
            assert one.image.size == (168, 168)
    audit = whatsup.audit(folder).suites["tabletop_a"]
    assert (audit.rows, audit.used, audit.whole_sets, audit.objects) == (40, 40, 10, 5)


def test_the_second_set_of_two_things_bears_a_number(folder: Path) -> None:
    (a, _) = whatsup.load(folder)
    second = next(e for e in a if "-2_" in e.id)
    assert second.id == "tabletop_a-cup-2_left_of_table" and second.subject == "cup"
    assert second.tags["group"] == "cup-2_table"
    rows = json.loads((folder / FILES["b"]).read_text())
    assert rows[2] == {
        "image_path": "data/controlled_clevr/cup_in-front_of_table.jpeg",
        "caption_options": [
            "A cup in front of a table", "A cup to the left of a table", "A cup to the right of a table",
            "A cup behind a table",
        ],
    }  # fmt: skip
    group = next(g for g in drawn.groups("a", held=None) if g.pair[0] == "apple")
    assert tabletop.captions(group, "under")[0] == "An apple under a table"


def test_equal_seeds_write_equal_files(tmp_path: Path) -> None:
    options: dict[str, Any] = {"size": (64, 48), "sets": ("b",), "scenes": 1, "held": True}
    folders = [tabletop.write(tmp_path / str(n), seed=seed, **options) for n, seed in enumerate((5, 5, 6))]
    found = [{p.relative_to(f): p.read_bytes() for p in f.rglob("*") if p.is_file()} for f in folders]
    assert found[0] == found[1] and found[0].keys() == found[2].keys() and len(found[0]) == 23
    assert all(found[0][p] != found[2][p] for p in found[0] if p.suffix == ".jpeg")


def test_places_and_numbers_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(UsageError, match="The place to write to is taken"):
        tabletop.write(tmp_path)
    with pytest.raises(UsageError, match="got:   0 scenes, sets a, b, 336 x 336 px"):
        tabletop.write(tmp_path / "out", scenes=0)
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Image.Image, "save", full)
    with pytest.raises(DataError, match="Writing the folder failed; nothing of it is left"):
        tabletop.write(tmp_path / "out", held=True, scenes=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ("[]", "The notes on Tabletop pictures cannot be used"),
        ({"boxes": {"cup": [0, 0, 50, 20]}}, "cup: A box lies outside of its picture"),
        ({"boxes": {"cup": [1, 2]}}, "A box in the notes on Tabletop pictures cannot be used"),
        ({"box": 1}, "A box in the notes on Tabletop pictures cannot be used"),
    ],
)
def test_notes_that_cannot_be_used(tmp_path: Path, notes: object, said: str) -> None:
    rows = four("cup", "table")
    root = published(tmp_path, rows)
    content = notes if isinstance(notes, str) else json.dumps({"pictures": {rows[1]["image_path"]: notes}})
    (root / "tabletop.json").write_text(content)
    assert said in failure(root)
    (root / "tabletop.json").write_text(
        json.dumps({"pictures": {rows[0]["image_path"]: {"boxes": {"cup": [0, 1, 9, 9]}}}})
    )
    assert [dict(e.boxes) for e in whatsup.load(root)[0]] == [{"cup": Box(0, 1, 9, 9)}, {}, {}, {}]


# Individual, pair and set


def answered(group: str | None, direction: str, right: bool, **changed: Any) -> Row:
    found = dict.fromkeys(BEHAVIOUR.columns) | {
        "example_id": f"{group}-{direction}", "image_id": f"{group}-{direction}", "suite": "whatsup_a",
        "direction": direction, "group": group, "condition": "picture", "options": 4, "choice_correct": right,
        "free_correct": right, "p_answer": 0.5, "scoring": "token",
    }  # fmt: skip
    assert changed.keys() <= found.keys()
    return found | changed


def numbers(rows: list[Row], **wanted: Any) -> dict[str, Any]:
    table = whatsup_summary(Table.of(BEHAVIOUR, rows), smallest=1)
    assert table.schema is WHATSUP_SUMMARY
    wanted = {"condition": "picture", "read_out": "options"} | wanted
    return {r["metric"]: r for r in table.rows() if wanted.items() <= r.items()}


def test_the_three_numbers_by_hand() -> None:
    rows = [answered("cup", place, True) for place in ("left", "right", "on", "under")]
    rows += [answered("hat", place, place != "on") for place in ("left", "right", "on", "under")]
    rows += [answered("pot", place, place in ("left", "on")) for place in ("left", "right", "on", "under")]
    found = numbers(rows)
    # 4 + 3 + 2 of 12 pictures; cup 2, hat 1 (left and right), pot 0 of 6 pairs; 1 of 3 sets.
    assert {m: (r["accuracy"], r["n"]) for m, r in found.items()} == {
        "individual": (9 / 12, 12),
        "pair": (3 / 6, 6),
        "set": (1 / 3, 3),
    }
    assert {m: r["chance"] for m, r in found.items()} == {"individual": 1 / 4, "pair": 1 / 16, "set": 1 / 256}
    # Three sets are all that an interval has.
    assert 0 < found["individual"]["low"] < 0.75 < found["individual"]["high"] <= 1
    # One of three: (1 + 2) / 7 and Student's quantile of six degrees of freedom times its error.
    upper = 3 / 7 + 2.446912 * (3 / 7 * 4 / 7 / 7) ** 0.5
    assert (found["set"]["low"], found["set"]["interval"]) == (0, "agresti-coull")
    assert found["set"]["high"] == pytest.approx(upper)
    assert not any(r["omitted"] for r in found.values())


def test_only_whole_pairs_and_sets_count() -> None:
    rows = [answered("cup", place, True) for place in ("left", "right", "on")]
    rows += [answered("hat", place, True) for place in ("left", "on")]
    rows += [answered("mug", place, place != "behind") for place in ("left", "right", "front", "behind")]
    rows += [answered(None, "left", False), answered(None, "right", False)]  # of no group
    rows += [answered("pot", place, True, prompt=p) for place in ("left", "right") for p in "AB"]  # twice each
    found = numbers(rows)
    assert {m: (r["accuracy"], r["n"]) for m, r in found.items()} == {
        "individual": (12 / 13, 13),
        "pair": (2 / 3, 3),  # cup left-right, mug left-right; mug front-behind is wrong
        "set": (0.0, 1),
    }


def test_read_outs_conditions_and_suites_are_kept_apart() -> None:
    rows = [answered("cup", place, True, free_correct=False) for place in ("left", "right")]
    rows += [r | {"condition": "gray", "choice_correct": False, "free_correct": None} for r in rows]
    rows += [r | {"suite": "whatsup_b"} for r in rows[:1]]
    assert numbers(rows, suite="whatsup_a")["pair"]["accuracy"] == 1
    assert numbers(rows, suite="whatsup_a", read_out="free")["pair"]["accuracy"] == 0
    assert numbers(rows, condition="gray")["pair"]["accuracy"] == 0
    assert numbers(rows, condition="gray", read_out="free") == {}
    assert numbers(rows, suite="whatsup_b")["pair"]["n"] == 0


def test_a_handful_is_omitted() -> None:
    rows = [answered(f"g{n}", place, True) for n in range(5) for place in ("left", "right", "on", "under")]
    found = {r["metric"]: r for r in whatsup_summary(Table.of(BEHAVIOUR, rows)).rows()}
    assert {m: (r["n"], r["omitted"], r["accuracy"]) for m, r in found.items()} == {
        "individual": (20, False, 1.0),
        "pair": (10, False, 1.0),
        "set": (5, True, None),
    }
    assert len(whatsup_summary(Table.of(BEHAVIOUR, []))) == 0
    with pytest.raises(DataError, match="made of other rows\n  got:   weather"):
        whatsup_summary(Table.of(Schema("weather", {"rain": "float"}), []))


def test_behaviour_carries_the_group(tiny_vlm: VLM, folder: Path) -> None:
    (a, _) = whatsup.load(folder, limit=4)
    rows = Behaviour()(tiny_vlm, a)
    assert {r["group"] for r in rows.rows()} == {a[0].tags["group"]}
    assert {(r["metric"], r["n"]) for r in whatsup_summary(rows).rows()} == {("individual", 4), ("pair", 2), ("set", 1)}
    assert {r["direction"] for r in behaviour_summary(rows).rows()} == {"all", "left", "right", "on", "under"}


def test_figures_list_the_directions_of_a_suites_own_frame() -> None:
    rows = [answered(f"g{n}", p, True) for n in range(12) for p in ("left", "right", "on", "under")]
    places = ("left", "right", "front", "behind")
    rows += [answered(f"g{n}", p, True, suite="whatsup_b") for n in range(12) for p in places]
    rows += [answered(f"g{n}", p, True, suite="squares") for n in range(12) for p in ("above", "below")]
    axes = plot(behaviour_summary(Table.of(BEHAVIOUR, rows))).axes
    assert [[label.get_text() for label in axis.get_yticklabels()] for axis in axes] == [
        ["all", "left", "right", "on", "under"],
        ["all", "left", "right", "front", "behind"],
        ["all", "above", "below"],
    ]
    assert [suite_title(f"{name}_a") for name in ("whatsup", "tabletop")] == ["What'sUp A", "Tabletop A"]


# The command line


def test_the_audit_on_the_command_line(command: Command, tmp_path: Path) -> None:
    root = published(tmp_path / "in", four("cup", "table"))
    code, out, _ = command("data", "whatsup", root)
    assert code == 0 and out == f"{whatsup.audit(root)}\n"
    code, out, _ = command("data", "whatsup", root, "--json")
    assert code == 0 and json.loads(out)["suites"]["whatsup_a"]["whole_sets"] == 1
    code, _, err = command("data", "whatsup", tmp_path / "none")
    assert code == 2 and err.startswith("backsight: There is no such folder")
    code, _, err = command("data", "whatsup", tmp_path)
    assert code == 3 and err.startswith("backsight: The folder is not in What'sUp's form")


def test_tabletop_on_the_command_line(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(tabletop, "write", lambda out, **options: asked.append(options) or out)
    code, out, _ = command("stimuli", "tabletop", "--out", tmp_path / "out", "--layout", "pixtral", "--seed", 4)
    assert (code, out) == (0, f"{tmp_path / 'out'}\n") and asked == [{"size": (240, 240), "seed": 4}]
    code, _, err = command("stimuli", "tabletop", "--out", tmp_path / "out", "--limit", 3)
    assert code == 2 and "Tabletop is written in whole sets\n  got:   --limit" in err


def test_a_study_of_whatsup(command: Command, tiny_checkpoint: Path, folder: Path, tmp_path: Path) -> None:
    code, _, err = command("study", "--out", tmp_path / "out", "--whatsup", tmp_path / "none")
    assert code == 2 and "do:    give a folder in What'sUp's published form" in err
    out = tmp_path / "out"
    chosen = [part for name in ("a", "b", "composites") for part in ("--only", f"behaviour/tabletop_{name}")]
    code, _, err = command("study", tiny_checkpoint, "--out", out, "--whatsup", folder, *chosen, "--limit", 4)
    assert code == 0, err
    record = json.loads((out / "study.json").read_text())
    assert [(s["name"], s["title"]) for s in record["sets"]] == [
        ("tabletop_a", "Tabletop A"),
        ("tabletop_b", "Tabletop B"),
        ("tabletop_composites", "Tabletop composites"),
    ]
    page = (out / "report.html").read_text()
    assert "Where is the" in page and "Tabletop A" in page and "The object on the floor to the" in page
