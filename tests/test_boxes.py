"""Boxes as models write them: published examples, other people's parsers, laws, and every text that is unreadable."""

from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask  # type: ignore[import-untyped,unused-ignore]

from backsight.errors import UsageError
from backsight.maths import boxes
from backsight.maths.boxes import EMPTY, FORMS, FRACTIONS, NO_BOX, OUTSIDE, REVERSED, Form, Fractions, read, write

SIZE = (640, 480)


def box(text: str, form: Form, **options: object) -> tuple[float, ...]:
    seen = read(text, form, **{"size": SIZE, **options})  # type: ignore[arg-type]
    assert seen.box is not None and seen.why == "", seen.why
    return tuple(round(value, 6) for value in seen.box)


def test_published_examples() -> None:
    # Qwen2-VL's report, and Qwen-VL's README; decoding without special tokens leaves the bare pairs.
    giraffe = "<|object_ref_start|>the eyes on a giraffe<|object_ref_end|><|box_start|>(176,106),(232,160)<|box_end|>"
    assert box(giraffe, "qwen2") == (0.176, 0.106, 0.232, 0.16)
    assert box("<ref>high five</ref><box>(536,509),(588,602)</box>", "qwen2") == (0.536, 0.509, 0.588, 0.602)
    assert box("the eyes on a giraffe(176,106),(232,160)", "qwen2") == (0.176, 0.106, 0.232, 0.16)


def test_examples_of_ours_in_the_other_formats() -> None:
    # Qwen2.5-VL, in pixels of the picture that it is shown; Qwen3-VL, in thousandths.
    json = '```json\n[\n\t{"bbox_2d": [64, 48, 320, 240], "label": "cat"}\n]\n```'
    assert box(json, "json_pixels") == (0.1, 0.1, 0.5, 0.5)
    assert box(json, "json_thousand") == (0.064, 0.048, 0.32, 0.24)
    # PaliGemma writes y first, in bins of 1024; Florence-2 x first, in bins of 1000.
    assert box("<loc0256><loc0128><loc0768><loc0512> cat", "loc") == (0.125, 0.25, 0.5, 0.75)
    assert box("car<loc_52><loc_333><loc_932><loc_774>", "florence") == (0.0525, 0.3335, 0.9325, 0.7745)
    # Gemini's and Gemma's y first; bare fractions, as Shikra and LLaVA write them.
    assert box('[{"box_2d": [100, 200, 300, 600], "label": "x"}]', "yxyx") == (0.2, 0.1, 0.6, 0.3)
    assert box("The man is at [0.12,0.30,0.45,0.60].", "fractions") == (0.12, 0.3, 0.45, 0.6)


def test_kosmos_2_and_florence_2_as_transformers_reads_them() -> None:
    from transformers.models.florence2.processing_florence2 import Florence2PostProcessor
    from transformers.models.kosmos2.processing_kosmos2 import patch_index_to_coordinate

    snowman = "<phrase>a snowman</phrase><object><patch_index_0044><patch_index_0863></object>"
    assert box(snowman, "kosmos2") == (0.390625, 0.046875, 0.984375, 0.828125)  # its model card's
    for first, last in ((44, 863), (5, 5), (3, 35 + 64), (64, 70), (0, 1023)):
        seen = box(f"<patch_index_{first:04d}><patch_index_{last:04d}>", "kosmos2")
        assert seen == pytest.approx(patch_index_to_coordinate(first, last, 32), abs=1e-6)
    from transformers.models.kosmos2.processing_kosmos2 import coordinate_to_patch_index

    for corners in ((0.25, 0.25, 0.5, 0.5), (0.1, 0.2, 0.3, 0.4), (0, 0, 1, 1), (0.5, 0.5, 0.504, 0.9)):
        first, last = coordinate_to_patch_index(corners, 32)
        assert write(corners, "kosmos2", size=SIZE) == f"<patch_index_{first:04d}><patch_index_{last:04d}>"
    import torch

    reader = Florence2PostProcessor.__new__(Florence2PostProcessor)
    reader.quantize_bins = (1000, 1000)
    whole = reader.dequantize(torch.tensor([[52, 333, 932, 774]]), (1000, 500))
    seen = read("<loc_52><loc_333><loc_932><loc_774>", "florence", size=(1000, 500)).box
    assert seen is not None
    assert [int(value * side) for value, side in zip(seen, (1000, 500) * 2, strict=True)] == whole[0].tolist()


def test_a_grid_in_words_or_numbers() -> None:
    assert box("one one sixteen sixteen", "grid") == (0, 0, 1, 1)
    assert box("It is at three, two, four, six.", "grid", sides=8) == (0.25, 0.125, 0.5, 0.75)
    assert box("columns 3 2 4 6 and then 1 1 1 1", "grid", sides=8) == (0.25, 0.125, 0.5, 0.75)
    assert read("three two four", "grid", size=SIZE).why == NO_BOX
    assert read("three two cats four six", "grid", size=SIZE).why == NO_BOX
    assert read("three two four nine", "grid", size=SIZE, sides=8).why == OUTSIDE
    assert read("0 1 2 3", "grid", size=SIZE).why == OUTSIDE
    assert read("four two three six", "grid", size=SIZE).why == REVERSED
    # A minus stays, four of five numbers are no box, and a number may be longer than an int can be read of.
    assert read("-1 2 3 4", "grid", size=SIZE).why == OUTSIDE
    assert read("9" * 5000 + " 1 2 3", "grid", size=SIZE).why == OUTSIDE
    for text in ("1, 2, 3, 4, 5", "twenty-one two three four five", "one two three four five six seven eight"):
        assert read(text, "grid", size=SIZE).why == NO_BOX
    assert box("At 1 2 3 4. Five cells", "grid", sides=4) == box("1 2 3 4", "grid", sides=4)
    # Two numbers of a decimal are no two words.
    assert read("0.12 0.30 0.45 0.60", "grid", size=SIZE).box is None


def test_a_picture_padded_to_a_square() -> None:
    """480 of 640 rows are the picture, from 80 on."""
    assert box("[0, 0.125, 1, 0.875]", "square_fractions") == (0, 0, 1, 1)
    assert box("[0.25, 0.5, 0.75, 0.6875]", "square_fractions") == (0.25, 0.5, 0.75, 0.75)
    assert read("[0, 0, 1, 1]", "square_fractions", size=SIZE).why == OUTSIDE
    assert box("[0.1, 0.2, 0.3, 0.4]", "square_fractions", size=(100, 100)) == (0.1, 0.2, 0.3, 0.4)


@pytest.mark.parametrize(
    ("text", "form", "why"),
    [
        ("", "fractions", EMPTY),
        (" \n", "grid", EMPTY),
        ("on the left", "fractions", NO_BOX),
        ("[0.1, 0.2, 0.3]", "fractions", NO_BOX),
        ("[0.1, 0.2, 0.3, 0.4]", "qwen2", NO_BOX),  # another format's box
        ("(100,200),(300,400)", "yxyx", NO_BOX),
        ("<loc0001><loc0002>", "loc", NO_BOX),
        ("[0.12, 0.30, 0.45, 0.60]", "yxyx", FRACTIONS),
        ("(0.1,0.2),(0.3,0.4)", "qwen2", FRACTIONS),
        ('{"bbox_2d": [0.1, 0.2, 0.3, 0.4]}', "json_thousand", FRACTIONS),
        ('{"bbox_2d": [0, 0, 1, 1]}', "json_pixels", FRACTIONS),
        ("[0.5, 0.2, 0.3, 0.4]", "fractions", REVERSED),
        ("[0.1, 0.4, 0.3, 0.4]", "fractions", REVERSED),  # no height
        ("[100, 200, 300, 400]", "fractions", OUTSIDE),
        ("[0.1, 0.2, 0.3, 1.2]", "fractions", OUTSIDE),
        ("[-0.2, 0.2, 0.3, 0.5]", "fractions", OUTSIDE),
        ("<patch_index_0001><patch_index_2000>", "kosmos2", OUTSIDE),
        ("<patch_index_0863><patch_index_0044>", "kosmos2", REVERSED),
    ],
)
def test_unreadable_texts_say_why(text: str, form: Form, why: str) -> None:
    assert read(text, form, size=SIZE) == boxes.Read(None, why)


@pytest.mark.parametrize(
    ("text", "form", "same"),
    [
        ("[.12, .30, .45, .60]", "fractions", "[0.12, 0.30, 0.45, 0.60]"),
        ("[[0.12, 0.30, 0.45, 0.60]]", "fractions", "[0.12, 0.30, 0.45, 0.60]"),
        ("{'bbox_2d': [10, 20, 30, 40]}", "json_pixels", '{"bbox_2d": [10, 20, 30, 40]}'),
        ('{"bbox_2d": [[10, 20, 30, 40]]}', "json_thousand", '{"bbox_2d": [10, 20, 30, 40]}'),
    ],
)
def test_other_spellings_of_a_format(text: str, form: Form, same: str) -> None:
    assert box(text, form) == box(same, form)


def test_a_box_is_cut_at_the_edge_by_a_rounding_only() -> None:
    assert box("[-0.005, 0.2, 0.3, 1.004]", "fractions") == (0, 0.2, 0.3, 1)
    assert read("[1.0, 0.2, 1.005, 0.5]", "fractions", size=SIZE).why == OUTSIDE  # nothing of it is left
    with pytest.raises(UsageError, match="no such format"):
        read("x", "yolo", size=SIZE)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="one to sixteen"):
        write((0, 0, 1, 1), "grid", size=SIZE, sides=17)


@pytest.mark.parametrize("form", FORMS)
def test_what_is_written_is_read(form: Form) -> None:
    rng = np.random.default_rng(0)
    near = {"grid": 1 / 16, "kosmos2": 1 / 32, "fractions": 0.011, "square_fractions": 0.011}.get(form, 0.003)
    for _ in range(100):
        (left, right), (top, bottom) = np.sort(rng.uniform(0.01, 0.99, (2, 2)), axis=1)
        if min(right - left, bottom - top) < 0.05:
            continue
        seen = read(write((left, top, right, bottom), form, size=SIZE), form, size=SIZE)
        assert seen.box is not None and np.abs(np.subtract(seen.box, (left, top, right, bottom))).max() <= near


def test_snapping_by_hand() -> None:
    assert boxes.snapped(0.24, 0.51, 4) == (1, 2)
    assert boxes.snapped(0.30, 0.35, 4) == (1, 2)  # at least a cell
    assert boxes.snapped(0.99, 1.0, 4) == (3, 4)
    assert boxes.snapped(0.26, 0.38, 6) == (1, 2)  # both ends are nearest to line 2, the middle is in cell 1
    assert write((0.24, 0.0, 0.51, 1.0), "grid", size=SIZE, sides=4) == "two one two four"


def test_iou_is_that_of_pycocotools() -> None:
    """pycocotools takes left, top, width, height."""
    rng = np.random.default_rng(1)
    corners = np.sort(rng.uniform(0, 1, (2, 60, 2, 2)), axis=2)
    one, other = (part.transpose(0, 1, 2).reshape(-1, 4) for part in corners)
    wide = [np.concatenate([part[:, :2], part[:, 2:] - part[:, :2]], 1) for part in (one, other)]
    expected = mask.iou(wide[0], wide[1], np.zeros(60))
    ours = [[boxes.iou(a, b) for b in other] for a in one]
    np.testing.assert_allclose(ours, expected, atol=1e-12)
    assert np.count_nonzero(expected) > 100 and np.count_nonzero(expected == 0) > 100


def test_metrics_by_hand() -> None:
    left, right = Fractions(0, 0, 0.5, 1), Fractions(0.25, 0, 0.75, 1)
    assert boxes.iou(left, right) == pytest.approx(1 / 3) and boxes.iou(left, left) == 1
    assert boxes.iou(left, Fractions(0.5, 0, 1, 1)) == 0  # they touch
    # A quarter of 640 px of a diagonal of 800 px.
    assert boxes.location_error(left, right, SIZE) == pytest.approx(0.25 * 640 / 800)
    assert boxes.location_error(left, left, SIZE) == 0
    assert left.center == (0.25, 0.5) and right.area == pytest.approx(0.5)
