"""Knockout, mirror and moved subject: by hand, by laws, and on a model whose answer hangs on one token by design."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer
from backsight.examples import ExampleSet, PlainPicture
from backsight.maths import compass
from backsight.measurements import Flip, Knockout, Moved, relevance
from backsight.measurements.knockout import STEADY, between, empty_picture, token_effects
from backsight.measurements.mirror import moved
from backsight.models import embeds, replay
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, ImageTokens
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.flip import ROWS as FLIP
from backsight.results.flip import flip_summary
from backsight.results.knockout import ROWS as KNOCKOUT
from backsight.results.knockout import knockout_summary
from backsight.results.moved import moved_summary
from backsight.stimuli.relations import relation
from backsight.tables import Schema, Table
from backsight.training.questions import corpus

Row = dict[str, Any]
FAST = ("creg", "rollout")


@pytest.fixture(scope="module")
def pairs(tiny_vlm: VLM) -> ExampleSet:
    return stimuli.pairs(tiny_vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")


def filled(schema: Schema, rows: list[Row]) -> Table:
    return Table.of(schema, [dict.fromkeys(schema.columns) | row for row in rows])


# Knockout.


@pytest.mark.parametrize("form", ["attention", "embedding"])
def test_effects_are_those_of_plain_forwards_with_an_edit(tiny_vlm: VLM, pairs: ExampleSet, form: Any) -> None:
    """Each token by itself, by an edit of the scores or of the embeddings, in a batch of prompts of two lengths."""
    examples = [pairs[0], pairs[5]]
    batch = tiny_vlm.prepare(examples)
    trace = replay.record(tiny_vlm, batch)
    chosen = relevance.maps(tiny_vlm, batch, ["creg"], depth=3, trace=trace).chosen
    score = relevance.score(tiny_vlm, batch, chosen, "prediction", contrastive=True)
    found = token_effects(trace, score, form)
    assert [len(values) for values in found] == [36, 36]
    base = score(tiny_vlm.forward(batch))
    empty = embeds.of_pictures(tiny_vlm, [empty_picture(e) for e in examples])
    for token in (0, 13, 35):
        hidden = torch.zeros_like(batch.image_mask)
        for row in range(2):
            hidden[row, batch.image_mask[row].nonzero().flatten()[token]] = True
        cut = (hidden[:, None, :] & ~torch.eye(hidden.shape[1], dtype=torch.bool)).flatten(0, 1)[:, None]
        new = torch.stack([e[token] for e in empty])
        edit = (
            Edit("scores", lambda s, cut=cut: s.masked_fill(cut, torch.finfo(s.dtype).min))  # type: ignore[misc]
            if form == "attention"
            else Edit("image_embeds", lambda _, new=new: new, positions=ImageTokens([token]))  # type: ignore[misc]
        )
        with tiny_vlm.editing(edit):
            expected = base - score(tiny_vlm.forward(batch))
        assert [float(f[token]) for f in found] == pytest.approx(expected.tolist(), abs=1e-4)
        assert expected.abs().max() > 1e-6


def test_the_empty_picture_is_the_ground_of_a_scene_or_gray(pairs: ExampleSet) -> None:
    ground = np.asarray(empty_picture(pairs[0]).open())
    assert (ground == ground[0, 0]).all() and ground.shape == np.asarray(pairs[0].image).shape
    photo = replace(pairs[0], picture=PlainPicture((30, 20), (9, 9, 9)))
    assert np.asarray(empty_picture(photo).open())[0, 0].tolist() == [128, 128, 128]


def test_every_method_stands_beside_the_effects(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    frame = Knockout(methods=FAST, depth=3)(tiny_vlm, pairs[:4]).frame.set_index("method")
    assert set(frame["form"]) == {"attention", "embedding"}
    assert len(frame) == 4 * 2 * (5 + len(FAST))
    # Effects near their rounding share ranks, and so do maps near theirs, which is another width.
    assert frame.loc["knockout", "correlation"].min() > 0.85
    assert (frame.loc["knockout", "angle"] == 0).all()
    assert frame.loc["constant", "correlation"].isna().all() and frame.loc["constant", "angle"].notna().all()
    assert frame.loc["random_relevance", "correlation"].abs().max() < 0.6


def test_the_correlation_is_of_ranks_that_near_effects_share(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    example = pairs[2]
    batch = tiny_vlm.prepare([example])
    maps = relevance.maps(tiny_vlm, batch, ["creg"], depth=3)
    score = relevance.score(tiny_vlm, batch, maps.chosen, "prediction", contrastive=True)
    (effects,) = token_effects(replay.record(tiny_vlm, batch), score, "attention")
    rows = Knockout(methods=("creg",), depth=3)(tiny_vlm, ExampleSet("pairs", (example,))).rows()
    (row,) = [r for r in rows if (r["method"], r["form"]) == ("creg", "attention")]
    shown = maps.relevance["creg", "prediction"][0]
    size = effects.abs().double().numpy()

    def shared(values: np.ndarray[Any, Any], width: float) -> list[float]:
        return [sum(0.5 + np.clip((one - other) / width, -1, 1) / 2 for other in values) for one in values]

    widths = (0.01 * np.abs(shown).max(), max(0.01 * size.max(), STEADY * max(map(abs, maps.chosen[0].scores))))
    by_hand = np.corrcoef(shared(shown, widths[0]), shared(size, widths[1]))[0, 1]
    assert row["correlation"] == pytest.approx(by_hand, abs=1e-3)


def test_the_angle_between_compasses_is_that_of_their_peaks() -> None:
    one, other = np.array([0, 0, 1.0, 0, 0, 0, 0, 0]), np.array([0.5, 0, 0, 0, 0.5, 0, 0, 0])
    assert between(one, one) == 0 and between(one, other) == 90 and between(other, other) == 90


def test_vision_features_between_blocks_cannot_be_knocked_out() -> None:
    vlm = VLM(*tiny("qwen3_vl", corpus()))
    with pytest.raises(CannotAnswer, match="between the decoder's blocks"):
        Knockout(depth=3)(vlm, stimuli.pairs(vlm.grid, scenes=4))


# In a mirror.


def test_the_layout_turns_in_a_mirror(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    table = Flip(methods=FAST, depth=3)(tiny_vlm, pairs)
    assert table.frame.groupby(["example_id", "method"]).size().loc[:, "rollout"].eq(8).all()
    rows = {(r["method"], r["target"]): r for r in flip_summary(table, smallest=2).rows()}
    assert rows["constant", None]["r"] == pytest.approx(1) and rows["constant", None]["r_pooled"] == pytest.approx(1)
    assert rows["rollout", None]["r_null"] == pytest.approx(1)
    assert -1 <= rows["creg", "truth"]["low"] <= rows["creg", "truth"]["r"] < 1


def test_noise_does_not_turn_in_a_mirror(tiny_vlm: VLM, pairs: ExampleSet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tenth of the tokens at random in each picture: what a compass shows of them says nothing of the mirror's."""
    rng, plain = np.random.default_rng(0), relevance.maps

    def noise(vlm: VLM, batch: Batch, *arguments: Any, **options: Any) -> relevance.Maps:
        made = plain(vlm, batch, *arguments, **options)
        for values in made.relevance.values():
            values[:] = [(rng.random(len(one)) < 0.1) + 1e-3 for one in values]
        return made

    monkeypatch.setattr(relevance, "maps", noise)
    rows = flip_summary(Flip(methods=FAST, depth=3)(tiny_vlm, pairs), smallest=2).rows()
    noisy = {(r["method"], r["target"]): r for r in rows if r["method"] in FAST}
    assert set(noisy) == {("creg", "truth"), ("creg", "prediction"), ("rollout", None)}
    for row in noisy.values():
        assert row["low"] <= row["r"] <= row["high"] < 0.8 and row["r_null"] == pytest.approx(1)
    assert abs(np.mean([row["r"] for row in noisy.values()])) < 0.35


def test_flips_by_hand() -> None:
    def question(n: int, one: list[float], other: list[float], method: str = "creg") -> list[Row]:
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "method": method}
        return [
            common | {"sector": 90.0 * k, "share": a, "share_mirrored": b}
            for k, (a, b) in enumerate(zip(one, other, strict=True))
        ]

    rows = question(0, [1, 0, 0, 0], [1, 0, 0, 0]) + question(1, [1, 0, 0, 0], [0, 1, 0, 0])
    rows += question(0, [0.25] * 4, [0.25] * 4, "constant") + question(1, [1, 0, 0, 0], [1, 0, 0, 0], "constant")
    found = {r["method"]: r for r in flip_summary(filled(FLIP, rows), smallest=2).rows()}
    assert found["creg"]["r"] == pytest.approx((1 - 1 / 3) / 2)
    assert found["creg"]["r_pooled"] == pytest.approx(np.corrcoef([1, 0, 0, 0] * 2, [1, 0, 0, 0, 0, 1, 0, 0])[0, 1])
    assert found["creg"]["r_null"] == pytest.approx(1)
    assert flip_summary(filled(FLIP, rows)).rows()[0]["omitted"]


# A subject that is moved.


def test_a_moved_subject_leaves_all_else(pairs: ExampleSet) -> None:
    shifted = [(e, other) for e in pairs if (other := moved(e)) is not None]
    assert len(shifted) >= 10
    for example, other in shifted:
        named = (str(other.subject), str(other.reference))
        subject, reference = (other.boxes[n] for n in named)
        assert reference == example.boxes[named[1]] and subject != example.boxes[named[0]]
        assert relation(subject, reference) == other.direction != example.direction
        start = compass.direction(example.boxes[named[1]], example.boxes[named[0]])
        assert compass.apart(compass.direction(reference, subject), start) >= 60
        assert (subject.width, subject.height) == (
            example.boxes[named[0]].width,
            example.boxes[named[0]].height,
        )
        changed = (np.asarray(example.image) != np.asarray(other.image)).any(2)
        left, top, right, bottom = (round(edge) for edge in reference)
        assert changed.any() and not changed[top:bottom, left:right].any()
        again = moved(example)
        assert again is not None and again.boxes == other.boxes


def test_a_layout_that_does_not_move_does_not_follow(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """Around one reference uniform relevance changes with the distance alone, so its peak hardly turns."""
    table = Moved(methods=FAST, depth=3)(tiny_vlm, pairs)
    rows = {(r["method"], r["target"]): r for r in moved_summary(table, smallest=2).rows()}
    null = rows["constant", None]
    assert null["followed"] > 45 and null["gain"] == 0 and null["turned"] >= 60
    assert rows["rollout", None]["followed_null"] == null["followed"]
    assert rows["creg", "truth"]["gain"] == pytest.approx(null["followed"] - rows["creg", "truth"]["followed"])


def test_only_drawn_scenes_and_numbered_answers_can_be_moved_or_mirrored(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    photos = ExampleSet("photos", tuple(replace(e, picture=PlainPicture(e.picture.size)) for e in pairs[:2]))
    assert Flip().applies(photos) and not Moved().applies(photos)
    with pytest.raises(CannotAnswer, match="drawn scene"):
        Moved(depth=3)(tiny_vlm, photos)
    squares = stimuli.squares(tiny_vlm.grid).limit(4)
    assert not Flip().applies(squares)
    with pytest.raises(CannotAnswer, match="mirror image"):
        Flip(depth=3)(tiny_vlm, squares)


def test_a_summary_of_knockout_by_hand() -> None:
    rows: list[Row] = []
    for n, (angle, null) in enumerate(((0, 90), (45, 45), (90, 180), (45, 45))):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "form": "attention"}
        rows.append(common | {"method": "creg", "angle": float(angle), "correlation": 0.25 * n, "dae": 10.0, "ea": 1.0})
        rows.append(common | {"method": "constant", "angle": float(null), "dae": 50.0, "ea": 0.0})
    found = {r["method"]: r for r in knockout_summary(filled(KNOCKOUT, rows), smallest=2).rows()}
    row = found["creg"]
    assert (row["angle"], row["angle_null"], row["angle_gain"]) == (45, 90, 45)
    assert row["correlation"] == 0.375 and row["gain_low"] <= 45 <= row["gain_high"]
    assert found["constant"]["correlation"] is None and found["constant"]["angle_gain"] == 0
    assert knockout_summary(filled(KNOCKOUT, rows)).rows()[0]["omitted"]
