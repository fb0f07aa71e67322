"""Explaining one answer: the numbers are those of the measurements, the figure shows them, mistakes are told."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import backsight as bs
from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example
from backsight.maths import compass
from backsight.measurements import Creg, creg, relevance
from backsight.measurements.explain import METHODS, explained
from backsight.models.vlm import VLM
from backsight.results.drawing.style import to_svg

from .conftest import Command


@pytest.fixture(scope="module")
def asked(tiny_vlm: VLM) -> Example:
    return stimuli.pairs(tiny_vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")[1]


def named(example: Example, which: str) -> tuple[str, tuple[float, float, float, float]]:
    name = str(getattr(example, which))
    box = example.boxes[name]
    return name, (box.left, box.top, box.width, box.height)


def test_an_explanation_is_the_measurements(tiny_vlm: VLM, asked: Example) -> None:
    """The row of Creg about the same question has the same peak, error, null and floor."""
    made = explained(tiny_vlm, asked, "rollout")
    rows = Creg(methods=("rollout",), depth=4)(tiny_vlm, bs.ExampleSet("pairs", (asked,))).rows()
    by_method = {r["method"]: r for r in rows if r["projection"] == "default"}
    assert (made.dae, made.peak) == (by_method["rollout"]["dae"], by_method["rollout"]["peak"])
    assert made.dae_null == by_method["constant"]["dae"] and made.dae_floor == by_method["point_at_subject"]["dae"]
    assert made.true == by_method["rollout"]["true"] and made.choice == by_method["rollout"]["choice"]
    assert sum(made.compass) == pytest.approx(1) and sum(made.null) == pytest.approx(1)
    assert sum(made.probabilities) == pytest.approx(1)


# They rest on layer -2 alone, where gradient times state is zero by construction, or are CREG without it.
BLIND = {"single_layer", "single_layer_contrastive", "integrated_gradients_right", "creg_from_third"}


@pytest.mark.parametrize("method", METHODS)
def test_every_method_explains(tiny_vlm: VLM, asked: Example, method: str) -> None:
    if method in BLIND:
        with pytest.raises(CannotAnswer, match="not available for this model"):
            explained(tiny_vlm, asked, method, "truth")
        return
    made = explained(tiny_vlm, asked, method, "truth")
    assert made.relevance.shape == (36,) and made.relevance.max() > 0
    if method in relevance.METHODS:
        maps = relevance.maps(tiny_vlm, tiny_vlm.prepare([asked]), [method])
        assert made.relevance == pytest.approx(maps.relevance[method, "truth"][0], rel=1e-3, abs=1e-9)


def test_a_notebook_gets_a_picture_from_names_and_boxes(tiny_vlm: VLM, asked: Example) -> None:
    made = bs.explain(tiny_vlm, asked.image, subject=named(asked, "subject"), reference=named(asked, "reference"))
    assert made._repr_html_().startswith('<img alt="The model answers &quot;')
    assert made.answer == asked.answer and made.question == asked.question and made.method == "creg"
    assert "points" in made.sentence() and str(asked.subject) in made.sentence()
    json.dumps(made.as_dict())


def test_the_figure_draws_both_roses_and_both_boxes(tiny_vlm: VLM, asked: Example) -> None:
    made = explained(tiny_vlm, asked)
    picture, rose = made.figure().axes
    heights = [bar.get_height() for bar in rose.patches]  # type: ignore[attr-defined]
    assert heights == pytest.approx([*made.compass, *made.null])
    arrow = rose.lines[0].get_xdata()
    assert np.degrees(np.asarray(arrow, dtype=float)) == pytest.approx([made.true] * 2)
    framed = {(p.get_x(), p.get_y(), p.get_width()) for p in picture.patches if not p.get_fill()}  # type: ignore[attr-defined]
    assert framed == {(b.left, b.top, b.width) for b in (made.subject_box, made.reference_box)}
    assert to_svg(made.figure()) == to_svg(explained(tiny_vlm, asked).figure())
    assert len(made.figure(columns=1).axes) == 2


def test_an_unclear_relation_takes_the_nearest_direction(tiny_vlm: VLM, asked: Example) -> None:
    made = bs.explain(tiny_vlm, asked.image, subject=("cup", (100, 10, 20, 20)), reference=("hat", (10, 120, 20, 20)))
    assert 45 < made.true < 90 and made.worded(made.answer) == "above"


@pytest.mark.parametrize(
    ("changes", "error", "said"),
    [
        ({"method": "crag"}, UsageError, "no such method"),
        ({"target": "guess"}, UsageError, "no such target"),
        ({"prompt": "Z"}, UsageError, "no such prompt"),
        ({"subject": ("", (1, 1, 9, 9))}, UsageError, "subject has no name"),
        ({"subject": ("cup", (1, 1, 0, 9))}, UsageError, "no area"),
        ({"subject": ("cup", (1, 1, 9))}, UsageError, "not four numbers"),
        ({"subject": ("cup", (1, float("nan"), 9, 9))}, UsageError, "not four numbers"),
        ({"subject": ("cup", None)}, UsageError, "not a name with a box"),
        ({"subject": ("cup", "abcd")}, UsageError, "not a name with a box"),
        ({"subject": ("cup",)}, UsageError, "not a name with a box"),
        ({"subject": ("hat", (1, 1, 9, 9))}, UsageError, "bear one name"),
        ({"subject": ("cup", (330, 1, 30, 9))}, UsageError, "outside of the picture"),
        ({"subject": ("cup", (200, 200, 30, 30))}, UsageError, "same centre"),
    ],
)
def test_mistakes_are_told(
    tiny_vlm: VLM, asked: Example, changes: dict[str, object], error: type[Exception], said: str
) -> None:
    given: dict[str, object] = {"subject": ("cup", (10, 10, 30, 30)), "reference": ("hat", (205, 205, 20, 20))}
    with pytest.raises(error, match=said):
        bs.explain(tiny_vlm, asked.image, **(given | changes))  # type: ignore[arg-type]


def test_a_method_that_a_model_cannot_give_is_told(
    tiny_vlm: VLM, asked: Example, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise CannotAnswer("The vision encoder has no blocks that GradCAM could look at")

    monkeypatch.setattr(relevance, "_gradcam", refuse)
    with pytest.raises(CannotAnswer, match="not available for this model"):
        explained(tiny_vlm, asked, "gradcam")
    rows = Creg(methods=("gradcam", "rollout"))(tiny_vlm, bs.ExampleSet("pairs", (asked,))).frame
    assert rows[rows["method"] == "gradcam"]["refused"].tolist() == [
        "The vision encoder has no blocks that GradCAM could look at"
    ]
    assert (rows["method"] == "rollout").sum() == len(creg.PROJECTIONS) + 2


def test_an_empty_compass_is_said_and_drawn(tiny_vlm: VLM, asked: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """All relevance beyond r_max: no rose, but that of uniform relevance."""
    far = np.zeros(36)
    far[35] = 1.0
    monkeypatch.setattr(compass, "point", lambda grid, box: far)
    near = {"subject": ("cup", (20, 10, 20, 20)), "reference": ("hat", (60, 10, 20, 20))}
    made = bs.explain(tiny_vlm, asked.image, **near)  # type: ignore[arg-type]
    assert made.dae_floor is None and made.dae_null is not None


def test_the_command_writes_figure_and_numbers(
    command: Command, tiny_checkpoint: Path, asked: Example, tmp_path: Path
) -> None:
    picture = tmp_path / "a.png"
    asked.image.save(picture)
    boxes = [part for which in ("subject", "reference") for part in _option(asked, which)]
    found = command("explain", tiny_checkpoint, picture, *boxes, "--out", tmp_path / "out", "--method", "rollout")
    assert found.code == 0 and "The model answers" in found.out
    assert found.out.strip().endswith("explanation.svg")
    written = json.loads((tmp_path / "out" / "explanation.json").read_text())
    assert written["method"] == "rollout" and len(written["relevance"]) == 36 and len(written["compass"]) == 8
    assert (tmp_path / "out" / "explanation.svg").read_text().startswith("<?xml")
    assert (tmp_path / "out" / "explanation.png").stat().st_size > 1000


def test_a_photograph_of_a_phone_is_explained_as_it_is_shown(
    command: Command, tiny_checkpoint: Path, asked: Example, tmp_path: Path
) -> None:
    """Held upright and stored on its side: the boxes are of what is seen, and the command says so."""
    exif = Image.Exif()
    exif[0x0112] = 8
    asked.image.save(tmp_path / "upright.png")
    asked.image.transpose(Image.Transpose.ROTATE_270).save(tmp_path / "phone.png", exif=exif)
    boxes = [part for which in ("subject", "reference") for part in _option(asked, which)]
    upright, phone = (command("explain", tiny_checkpoint, tmp_path / f"{name}.png", *boxes, "--method", "rollout")
                      for name in ("upright", "phone"))  # fmt: skip
    assert (upright.code, phone.code) == (0, 0)
    assert phone.out == "The picture is turned as the EXIF orientation says.\n" + upright.out


def _option(example: Example, which: str) -> list[object]:
    name, box = named(example, which)
    return [f"--{which}", name, *box]


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--method": "crag"}, 2, "no such method"),
        ({"--target": "guess"}, 2, "no such target"),
        ({"--prompt": "Z"}, 2, "no such prompt"),
    ],
)
def test_wrong_options_leave_with_two_before_a_model_is_opened(
    command: Command, asked: Example, tmp_path: Path, change: dict[str, str], code: int, said: str
) -> None:
    picture = tmp_path / "a.png"
    asked.image.save(picture)
    boxes = [part for which in ("subject", "reference") for part in _option(asked, which)]
    found = command("explain", "no/such-model", picture, *boxes, *(w for pair in change.items() for w in pair))
    assert (found.code, said in found.err) == (code, True)


def test_a_missing_or_broken_picture_is_told_before_a_model_is_opened(
    command: Command, asked: Example, tmp_path: Path
) -> None:
    (tmp_path / "broken.png").write_bytes(b"not a picture")
    boxes = [part for which in ("subject", "reference") for part in _option(asked, which)]
    for name, code, said in (
        ("missing.png", 2, "There is no such file"), ("broken.png", 3, "A picture"), (".", 2, "This is a folder, not"),
    ):  # fmt: skip
        outcome = command("explain", "no/such-model", tmp_path / name, *boxes)
        assert outcome.code == code and said in outcome.err and name.strip(".") in outcome.err
