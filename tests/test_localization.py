"""Localization: which format is asked for, rows of models that write boxes and of one that does not, sentences."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from backsight import stimuli
from backsight.cli.study import own_sets
from backsight.datasets import coco_boxes
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.examples import ExampleSet
from backsight.grid import Box
from backsight.maths import boxes
from backsight.measurements import Behaviour, Localization, localization
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.results.localization import LOCALIZATION, NAMED, RESULT, RIGHT, localization_summary, text
from backsight.results.localization.figure import draw
from backsight.selftest import Bench, localized
from backsight.stimuli import absolute
from backsight.stimuli.layouts import Layout
from backsight.studies import Options, Study, default_sets, jobs
from backsight.tables import Table
from backsight.training.questions import corpus

LAYOUT = Layout(6, 6, 14, 1, 1)
UNREAD = (boxes.NO_BOX, boxes.EMPTY, boxes.CUT_OFF)


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()), check=False)


def test_the_suite_asks_for_the_box_of_one_of_two_things() -> None:
    one, again, other = (stimuli.located(LAYOUT, scenes=30, seed=seed, form="grid", sides=6) for seed in (0, 0, 1))
    assert one.fingerprint == again.fingerprint != other.fingerprint
    assert len({e.image_id for e in one}) == 30 and one.only == ("localization",)
    for e in one:
        assert e.subject is not None and e.question == f"The box of the {e.subject} is"
        assert len(e.source.named) == 2 and e.source.named[0].box == e.boxes[e.subject]
        seen = boxes.read(e.answer, "grid", size=e.picture.size, sides=6).box
        assert seen is not None and boxes.iou(seen, absolute.fractions(e.boxes[e.subject], e.picture.size)) > 0.1
    squares = stimuli.located(LAYOUT, scenes=30, form="grid", sides=6, things="squares")
    for e in squares:  # whole cells: the grid names their box exactly
        seen = boxes.read(e.answer, "grid", size=e.picture.size, sides=6).box
        assert seen == pytest.approx(absolute.fractions(e.boxes[e.subject or ""], e.picture.size))
    textured = stimuli.located(Layout(12, 12, 14, 2, 1), scenes=10, form="grid", ground="textured")
    assert all(e.source.texture is not None and len(e.source.figures) > 2 == len(e.source.named) for e in textured)
    assert all(e.source.texture is None for e in one)
    for wrong in ({"ground": "sand"}, {"ground": "textured", "things": "squares"}):
        with pytest.raises(UsageError, match="no such ground"):
            stimuli.located(LAYOUT, **wrong)  # type: ignore[arg-type]
    open_ = stimuli.located(LAYOUT, scenes=1)[0]
    assert open_.tags == {} and open_.answer.startswith("[0.")
    with pytest.raises(UsageError, match="at least one scene"):
        stimuli.located(LAYOUT, scenes=0)
    with pytest.raises(UsageError, match="no such things"):
        stimuli.located(LAYOUT, things="cats")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such format"):
        stimuli.located(LAYOUT, form="yolo")  # type: ignore[arg-type]


def test_the_format_is_the_one_given_the_questions_own_the_familys_or_fractions() -> None:
    own = stimuli.located(LAYOUT, scenes=1, form="grid")[0]
    plain = replace(own, tags={})
    assert localization.form_of(own, "loc", "gemma3") == "loc"
    assert localization.form_of(own, None, "gemma3") == "grid"
    assert localization.form_of(plain, None, "gemma3") == "yxyx"
    assert localization.form_of(plain, None, "unheard of") == "fractions"
    with pytest.raises(UsageError, match="no such format"):
        localization.form_of(replace(own, tags={"form": "yolo"}), None, "gemma3")
    with pytest.raises(UsageError, match="no such format"):
        Localization(form="yolo")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="less than two tokens"):
        Localization(words=1)


def test_a_model_that_never_learned_boxes_is_unreadable_and_says_so(vlm: VLM) -> None:
    given = stimuli.located(vlm.grid, scenes=12)
    table = Localization(words=4, batch=6)(vlm, given)
    assert len(table) == 24 and not vlm.hooks.edits
    rows = table.rows()
    assert {row["condition"] for row in rows} == {"picture", "blank"}
    assert not any(row["readable"] for row in rows) and all(row["why"] in UNREAD for row in rows)
    assert all(row["iou"] == 0 and row["error"] is None and row["left"] is None for row in rows)
    first = given[0]
    assert rows[0]["text"] == vlm.generate(vlm.prepare([first]), max_new_tokens=4)[0]
    assert rows[1]["text"] == vlm.generate(vlm.prepare([first.blank()]), max_new_tokens=4)[0]
    (line,) = localization_summary(table).rows()
    assert line["boxes"] == 0 and line["iou"] == 0 and line["error"] is None and line["why"] in UNREAD
    assert text.sentence("Boxes", line).startswith(
        "Boxes: none of 12 texts has a box that can be read as (x1,y1),(x2,y2)"
    )
    assert "writes no box that can be read in Boxes" in text.claim([line], {"located": "Boxes"})
    assert draw(localization_summary(table)).axes


@pytest.mark.parametrize("form", ["qwen2", "json_pixels", "grid"])
def test_a_model_that_writes_the_right_box_is_right(form: Any, vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of pictures that are no square; the gray one is answered by the whole picture."""
    drawn = stimuli.located(Layout(6, 12, 28, 1, 1), scenes=10, form=form, things="squares")
    given = ExampleSet("other", tuple(replace(e, suite="other", tags={}) for e in drawn))
    asked: list[str] = []

    def generate(batch: Any, **_: object) -> list[str]:
        asked.extend(e.question for e in batch.examples)
        written = []
        for e in batch.examples:
            size = localization.shown_size(vlm, e.picture)
            right = absolute.fractions(e.boxes[e.subject], e.picture.size)
            blank = e.picture.id.startswith("plain-")
            written.append("It is at " + boxes.write((0, 0, 1, 1) if blank else right, form, size=size))
        return written

    monkeypatch.setattr(vlm, "generate", generate)
    rows = Localization(form=form)(vlm, given).rows()
    shown, blank = ([row for row in rows if row["condition"] == name] for name in ("picture", "blank"))
    assert min(row["iou"] for row in shown) > (0.3 if form == "grid" else 0.85)  # a grid of 16 cells on 12
    assert max(row["error"] for row in shown) < 0.04
    assert blank[0]["iou"] == pytest.approx((28 * 28) / (12 * 28 * 6 * 28), abs=1e-6)
    assert set(asked) == {absolute.question(str(e.subject), form) for e in given}


def test_a_square_of_padding_is_cut_off_by_the_pictures_own_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gemma-3 is shown each picture as a square; fractions of the padded one are of the picture's own sides."""
    square = VLM(*tiny("gemma3", corpus()), check=False)
    given = stimuli.located(Layout(6, 12, 28, 1, 1), scenes=10, form="square_fractions", things="squares")

    def generate(batch: Any, **_: object) -> list[str]:
        right = [absolute.fractions(e.boxes[e.subject], e.picture.size) for e in batch.examples]
        return [boxes.write(box, "square_fractions", size=(336, 168)) for box in right]

    monkeypatch.setattr(square, "generate", generate)
    assert given[0].picture.size == (336, 168)
    assert localization.shown_size(square, given[0].picture)[0] == localization.shown_size(square, given[0].picture)[1]
    shown = [row for row in Localization()(square, given).rows() if row["condition"] == "picture"]
    assert min(row["iou"] for row in shown) > 0.8


def test_paligemmas_prompt_ends_with_one_line_break() -> None:
    """Its processor puts the break behind the text by itself."""
    paligemma = VLM(*tiny("paligemma", [*corpus(), "detect red\n"]), check=False)
    given = stimuli.located(paligemma.grid, scenes=1, form="loc")[0]
    asked = replace(given, question=absolute.question("red", "loc"))
    ids = paligemma.prepare([asked]).input_ids[0].tolist()
    (wanted,) = paligemma.tokenizer(["detect red\n"], add_special_tokens=False).input_ids
    assert ids[-len(wanted) :] == wanted and ids[-len(wanted) - 1] == paligemma.tokenizer.bos_token_id


def test_a_text_without_a_box_that_ran_out_of_tokens_is_cut_off(vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "the red square is left of the blue square"
    count = len(localization.tokens(vlm, long))
    monkeypatch.setattr(vlm, "generate", lambda batch, **_: [long] * len(batch))
    given = stimuli.located(vlm.grid, scenes=1)
    assert {row["why"] for row in Localization(words=count)(vlm, given).rows()} == {boxes.CUT_OFF}
    assert {row["why"] for row in Localization(words=count + 1)(vlm, given).rows()} == {boxes.NO_BOX}


def test_a_thing_is_asked_for_once_however_many_questions_are_about_it(
    vlm: VLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = stimuli.located(vlm.grid, scenes=2)
    again = replace(one, id="again", question="Is it there?")
    monkeypatch.setattr(vlm, "generate", lambda batch, **_: ["x"] * len(batch))
    given = ExampleSet("own", (one, again, other))
    assert {row["example_id"] for row in Localization()(vlm, given).rows()} == {one.id, other.id}
    assert len(Localization().chosen(given)) == 2 and Localization().chosen(ExampleSet("o", (one, other))).items == (
        one,
        other,
    )


def test_qwen2_5_counts_pixels_of_the_picture_that_it_is_shown(vlm: VLM) -> None:
    picture = stimuli.located(Layout(6, 12, 28, 1, 1), scenes=1)[0].picture
    grid, vision = vlm.grid_of(picture), vlm.model.config.vision_config
    side = vision.patch_size * vision.spatial_merge_size
    assert localization.shown_size(vlm, picture) == (grid.columns * side, grid.rows * side)
    assert localization.shown_size(vlm, picture) != picture.size  # or this tests nothing


def test_questions_without_a_box_are_refused(vlm: VLM) -> None:
    bare = replace(stimuli.located(vlm.grid, scenes=2)[0], boxes={})
    assert not Localization().applies(ExampleSet("bare", (bare,)))
    with pytest.raises(CannotAnswer, match="no thing that has one"):
        Localization()(vlm, [bare])


def made(shift: float, *, count: int = 40, readable: float = 1.0, suite: str = "s") -> Table:
    """Boxes of a quarter of the sides anywhere, named `shift` to the right; of a gray picture one in the corner."""
    rng = np.random.default_rng(3)
    rows: list[dict[str, Any]] = []
    for number in range(count):
        left, top = rng.uniform(0, 0.5, 2)
        right = (left, top, left + 0.25, top + 0.25)
        of = {"picture": (left + shift, top, left + shift + 0.25, top + 0.25), "blank": (0.5, 0.5, 0.75, 0.75)}
        for condition, named in of.items():
            there = condition == "blank" or number < readable * count
            row: dict[str, Any] = {"example_id": f"e{number}", "image_id": f"i{number}", "suite": suite}
            row |= {"thing": "cup", "form": "fractions", "condition": condition, "question": "?", "text": "x"}
            row |= {"readable": there, "why": None if there else boxes.NO_BOX, "aspect": 1.0}
            row |= dict(zip(NAMED, named if there else (None,) * 4, strict=True)) | dict(zip(RIGHT, right, strict=True))
            row["iou"] = boxes.iou(named, right) if there else 0.0
            row["error"] = boxes.location_error(named, right, (1, 1)) if there else None
            rows.append(row)
    return Table.of(LOCALIZATION, rows)


def test_the_summary_by_hand() -> None:
    """A quarter's shift of a box is an IoU of 3/5, and a distance of a sixteenth over the diagonal of root two."""
    table = made(0.0625)
    (row,) = localization_summary(table).rows()
    assert row["iou"] == pytest.approx(0.6) and row["hit"] == 1 and row["readable"] == 1
    assert row["error"] == pytest.approx(0.0625 / 2**0.5)
    frame = table.frame[table.frame["condition"] == "picture"]
    right = frame[["true_left", "true_top", "true_right", "true_bottom"]].to_numpy(float)
    named = frame[["left", "top", "right", "bottom"]].to_numpy(float)
    means = [np.delete(right, i, 0).mean(0) for i in range(40)]
    off = [boxes.location_error(m, r, (1, 1)) for m, r in zip(means, right, strict=True)]
    assert row["error_middle"] == pytest.approx(np.mean(off))
    assert row["closer"] == pytest.approx(min(row["error_middle"], row["error_blank"]) - row["error"])
    assert row["closer_low"] > 0
    fits = [[boxes.iou(c, r) for r in right] for c in every_box()]
    best = [int(np.argmax([sum(f) - f[i] for f in fits])) for i in range(40)]
    assert row["constant"] == pytest.approx(np.mean([fits[b][i] for i, b in enumerate(best)]))
    pairs = [boxes.iou(named[j], right[i]) for i in range(40) for j in range(40) if i != j]
    assert row["other"] == pytest.approx(np.mean(pairs))
    assert row["best"] in ("constant", "other", "blank") and row["above"] == pytest.approx(0.6 - row[row["best"]])
    assert row["above_low"] > 0
    (half,) = localization_summary(made(0.0625, readable=0.5)).rows()
    assert (
        half["iou"] == pytest.approx(0.3) and half["readable"] == 0.5 and half["error"] == pytest.approx(row["error"])
    )
    assert half["why"] == boxes.NO_BOX


def every_box() -> list[tuple[float, ...]]:
    lines = [i / 12 for i in range(13)]
    return [(a, b, c, d) for a in lines for c in lines for b in lines for d in lines if a < c and b < d]


def test_the_location_error_of_few_readable_boxes_is_left_out() -> None:
    """One readable box of 40 has no interval, nine are one too few."""
    for readable, shown in ((1 / 40, False), (9 / 40, False), (10 / 40, True)):
        (row,) = localization_summary(made(0.0625, readable=readable)).rows()
        assert (row["error"] is not None) == (row["closer"] is not None) == shown
        words = text.sentence("S", row)
        assert ("is off by" in words) == shown
        count = round(40 * readable)
        texts = "1 readable text" if count == 1 else f"{count} readable texts"
        assert (f"the location error is omitted ({texts}, 10 needed)" in words) == (not shown)


def test_a_location_error_stands_beside_what_is_not_of_the_picture() -> None:
    """Boxes far from their things are no nearer than the mean middle."""
    (near,) = localization_summary(made(0.0625)).rows()
    (far,) = localization_summary(made(0.4)).rows()
    assert "of the diagonal, nearer than the " in text.sentence("S", near)
    assert "of the diagonal, not shown to be nearer than the mean middle" in text.sentence("S", far)
    assert f"({far['error_middle']:.3f})" in text.sentence("S", far) and far["error_best"] == "middle"


def test_sentences_follow_from_the_numbers() -> None:
    (good,) = localization_summary(made(0.0625)).rows()
    (bad,) = localization_summary(made(0.24)).rows()
    (none,) = localization_summary(made(0.0, readable=0.0)).rows()
    (few,) = localization_summary(made(0.0, count=9)).rows()
    titles = dict.fromkeys("s", "S")
    better = text.sentence("S", good)
    assert "of the texts can be read; the mean IoU is 0.600 [" in better and ", above the" in better
    assert "not shown to be above" in text.sentence("S", bad)
    assert text.sentence("S", none).startswith("S: none of 40 texts") and boxes.NO_BOX in text.sentence("S", none)
    assert text.sentence("S", few) == "S: whether the model can name a box is omitted (9 questions, 10 needed)."
    assert "thing is, the boxes that the model names fit by a mean IoU of 0.600 [" in text.claim([good], titles)
    assert "the model's boxes are not shown to fit better" in text.claim([bad], titles)
    assert "writes no box that can be read in S." in text.claim([none], titles)
    assert text.claim([few], titles) == ("Whether the model can name a thing's box is not shown: S (few questions).")
    named = [row | {"suite": name} for row, name in ((good, "a"), (bad, "b"), (none, "c"), (few, "d"))]
    whole = text.claim(named, {name: name.upper() for name in "abcd"})
    assert whole.index("no box that can be read in C") < whole.index("; its boxes are not shown") < whole.index("in A")
    assert whole.endswith("; not shown in D (few questions).")
    assert text.null([few]) == "" and text.null([good]).startswith("Without the picture the mean IoU is 0.")
    assert "at most" in text.null([good, bad])
    assert text.short(few) == text.short(none) == 1 > text.short(bad) > text.short(good)
    assert draw(localization_summary(made(0.0, count=9))).axes


def test_a_metric_compares_the_picture_and_not_the_gray_one() -> None:
    (metric,) = RESULT.metrics
    assert set(metric.rows(made(0.1).frame)["condition"]) == {"picture"}


def coco_folder(folder: Path) -> None:
    """A photograph of a table, two cups and a small fork."""
    Image.new("RGB", (200, 100), "white").save(folder / "one.jpg")
    annotations = [
        {"id": 1, "image_id": 7, "category_id": 1, "bbox": [20, 10, 100, 50], "iscrowd": 0},
        {"id": 2, "image_id": 7, "category_id": 2, "bbox": [0, 0, 30, 30], "iscrowd": 0},
        {"id": 3, "image_id": 7, "category_id": 2, "bbox": [50, 50, 30, 30], "iscrowd": 0},
        {"id": 4, "image_id": 7, "category_id": 3, "bbox": [50, 50, 10, 10], "iscrowd": 0},
    ]
    data = {
        "images": [{"id": 7, "file_name": "one.jpg", "width": 200, "height": 100}], "annotations": annotations,
        "categories": [{"id": n, "name": name} for n, name in enumerate(("dining table", "cup", "fork"), 1)],
    }  # fmt: skip
    (folder / "instances.json").write_text(json.dumps(data))


def test_coco_boxes_are_of_single_instances(tmp_path: Path) -> None:
    coco_folder(tmp_path)
    (one,) = coco_boxes.load(tmp_path)
    assert one.subject == "dining table" and one.boxes == {"dining table": Box(20, 10, 120, 60)}
    assert one.answer == "[0.10, 0.10, 0.60, 0.60]" and one.suite == "coco_boxes" and one.id == "coco-7-dining_table"
    assert {e.subject for e in coco_boxes.load(tmp_path, min_side=5)} == {"dining table", "fork"}
    with pytest.raises(DataError, match="No thing is left"):
        coco_boxes.load(tmp_path, min_side=90)
    with pytest.raises(UsageError, match="at least one question"):
        coco_boxes.load(tmp_path, limit=0)


def test_photographs_on_the_command_line_are_asked_for_each_thing_once(tmp_path: Path) -> None:
    """Of a table, a fork and a spoon, in six ordered pairs; asked for boxes each is asked for once."""
    coco_folder(tmp_path)
    data = json.loads((tmp_path / "instances.json").read_text())
    for number, (category, left) in enumerate(((3, 10), (4, 150)), 5):
        box = {"id": number, "image_id": 7, "category_id": category, "bbox": [left, 65, 30, 30], "iscrowd": 0}
        data["annotations"] = [one for one in data["annotations"] if one["category_id"] != category] + [box]
    data["categories"].append({"id": 4, "name": "spoon"})
    (tmp_path / "instances.json").write_text(json.dumps(data))
    sets = {
        asked: own_sets(None, tmp_path, None, None, "random/test", asked=asked)
        for asked in ((), ("localization",), ("localization/coco_boxes", "behaviour"), ("coco_boxes",))
    }
    names = {asked: [one.name for one in of] for asked, of in sets.items()}
    assert names[()] == ["coco_pairs"] and names["localization",] == names["coco_boxes",] == ["coco_boxes"]
    assert names["localization/coco_boxes", "behaviour"] == ["coco_pairs", "coco_boxes"]
    assert len(sets[()][0]) > 3  # or each thing would be asked for once by the pairs, too
    for asked in (("localization",), ("localization", "behaviour")):
        given = own_sets(None, tmp_path, None, None, "random/test", asked=asked)
        chosen = jobs.choices(given, [Localization(), Behaviour()], only=asked)
        things = [
            e.subject for c in chosen if isinstance(c, jobs.Choice) and c.kind == "localization" for e in c.samples
        ]
        assert sorted(map(str, things)) == ["dining table", "fork", "spoon"]


def test_the_control_fires_on_what_is_red_and_not_on_one_box() -> None:
    bench = Bench()
    seen = localized.localization(bench)
    assert seen.fires and seen.silent, seen
    assert "generate" not in vars(bench.lookup("subject"))  # as it was
    right = {"iou": 1.0, "above_low": 0.5, "boxes": 12, "questions": 12}
    same = {"above": 0.0, "above_low": -0.1, "boxes": 12, "questions": 12}
    assert localized.located(right, same)[1::2] == (True, True)
    assert localized.located(right | {"iou": 0.8}, same)[1::2] == (False, True)
    assert localized.located(right | {"above_low": 0.0}, same)[1::2] == (False, True)
    assert localized.located(right, same | {"above_low": 0.1})[1::2] == (True, False)
    assert localized.located(right, same | {"boxes": 0})[1::2] == (True, False)  # silence of a broken reader is none


def test_a_study_asks_for_boxes_where_it_is_told_to(vlm: VLM, tmp_path: Path) -> None:
    sets, _ = default_sets(vlm, asked=["localization"])
    assert "located" in {one.name for one in sets} and "located" not in {one.name for one in default_sets(vlm)[0]}
    options = Options(only=("localization",))
    folder = Study(vlm, sets, tmp_path / "study", options, [Localization(max_samples=10, words=3)]).run()
    page = write_report(folder).read_text(encoding="utf-8")
    assert "writes no box that can be read" in page and "&lt;|box_start|&gt;" in page and "<|box_start|>" not in page
