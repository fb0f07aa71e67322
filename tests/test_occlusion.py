"""Occlusion: the sectors' masks by hand, what is hidden, and the scores that are made of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import ExampleSet, MemoryPicture, PlainPicture
from backsight.grid import Box
from backsight.maths.compass import sector_of
from backsight.measurements import Creg, Occlusion
from backsight.measurements.occlusion import VARIANTS, _sectors
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.occlusion.summary import ROWS as OCCLUSION
from backsight.results.occlusion.summary import occlusion_summary
from backsight.stimuli.occluded import OccludedPicture, Sectors
from backsight.tables import Table

Row = dict[str, Any]
CENTER = Sectors((40, 40), (20.0, 20.0))


@pytest.fixture(scope="module")
def pairs(tiny_vlm: VLM) -> ExampleSet:
    return stimuli.pairs(tiny_vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")


def test_sectors_tile_the_picture() -> None:
    masks = CENTER.masks()
    assert masks.shape == (8, 40, 40) and (masks.sum(0) == 1).all()
    assert masks[0, 20, 35] and masks[2, 5, 20] and masks[4, 20, 5] and masks[6, 35, 20]
    assert masks[1, 5, 34] and masks[3, 5, 5] and masks[5, 34, 5] and masks[7, 34, 34]


def test_mirrored_sectors_are_mirror_images() -> None:
    masks = CENTER.masks()
    assert (masks[1][:, ::-1] == masks[3]).mean() > 0.98 and (masks[0][::-1] == masks[0]).mean() > 0.98


def test_a_sector_reaches_as_far_as_it_is_told() -> None:
    masks = replace(CENTER, reach=10.0).masks()
    assert masks[0, 20, 29] and not masks[0, 20, 31]
    assert masks.sum() == pytest.approx(np.pi * 100, rel=0.03)


def test_spared_boxes_are_in_no_sector() -> None:
    masks = replace(CENTER, spared=(Box(30, 15, 40, 25),)).masks()
    assert masks.sum() == 40 * 40 - 100 and not masks[:, 15:25, 30:].any()


def test_matched_sectors_have_the_area_of_the_smallest_and_keep_what_is_near() -> None:
    corner = Sectors((40, 40), (12.0, 20.0))
    areas = corner.masks().sum((1, 2))
    matched = replace(corner, matched=True).masks()
    assert set(matched.sum((1, 2)).tolist()) == {int(areas.min())} and areas.min() < areas.max()
    assert (matched <= corner.masks()).all() and matched[0, 20, 13] and not matched[0, 20, 39]


def test_a_sliver_at_the_edge_is_no_measure_for_the_other_sectors() -> None:
    near = Sectors((40, 40), (3.0, 20.0))
    areas, matched = near.masks().sum((1, 2)), replace(near, matched=True).masks().sum((1, 2))
    slivers = areas < 0.02 * 1600
    assert slivers.any() and (matched[slivers] == areas[slivers]).all()
    assert set(matched[~slivers]) == {areas[~slivers].min()}


@pytest.mark.parametrize("fill", ["gray", "mean", "blur", "noise"])
def test_one_sector_is_filled_and_the_rest_left(fill: Any) -> None:
    pixels = np.random.default_rng(0).integers(0, 100, (40, 40, 3), dtype=np.uint8)
    picture = OccludedPicture(MemoryPicture(Image.fromarray(pixels)), CENTER, 1, fill)
    found, mask = np.asarray(picture.open()), CENTER.masks()[1]
    assert (found[~mask] == pixels[~mask]).all() and (found[mask] != pixels[mask]).mean() > 0.5
    if fill == "gray":
        assert (found[mask] == 128).all()
    if fill == "mean":
        assert (found[mask] == pixels.mean((0, 1)).round()).all()
    if fill == "blur":
        assert found[mask].std() < pixels[mask].std() / 2
    assert np.array_equal(found, np.asarray(picture.open())) and picture.size == (40, 40)
    assert len({picture.id, replace(picture, sector=2).id, picture.original.id}) == 3


def test_every_question_has_all_sectors_and_the_varied_ones_all_variants(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    frame = Occlusion(varied=0.5)(tiny_vlm, pairs).frame
    counts = frame.groupby("example_id").size()
    assert set(counts) == {1 + 8, 1 + 8 * len(VARIANTS)}
    assert (Occlusion(varied=0.0)(tiny_vlm, pairs).frame.groupby("example_id").size() == 9).all()
    assert frame[frame["variant"].isna()]["sector"].isna().all()
    areas = frame[frame["variant"] == "gray"].groupby("example_id")["area"].sum()
    assert areas.to_numpy() == pytest.approx(1)


def test_a_row_is_the_models_answer_to_the_filled_picture(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    rows = Occlusion(varied=1.0)(tiny_vlm, pairs[:2]).rows()
    example = pairs[1]
    for variant in ("gray", "noise", "gray, boxes spared", "gray, up to r_max"):
        sectors = _sectors(example, VARIANTS[variant])
        shown = replace(example, picture=OccludedPicture(example.picture, sectors, 3, VARIANTS[variant].fill))  # type: ignore[arg-type]
        logits = tiny_vlm.forward(tiny_vlm.prepare([shown]))[0]
        _, scores = tiny_vlm.choose(logits, example.options)
        (row,) = [r for r in rows if (r["example_id"], r["variant"], r["sector"]) == (example.id, variant, 135.0)]
        p = float(scores[example.options.index(example.answer)])
        assert row["log_p_vocabulary"] == pytest.approx(np.log(p), abs=1e-3)
        assert row["log_p"] == pytest.approx(np.log(p / float(scores.sum())), abs=1e-3)
        plain, _ = tiny_vlm.choose(tiny_vlm.forward(tiny_vlm.prepare([example]))[0], example.options)
        chosen = float(scores[example.options.index(plain)])
        assert plain != example.answer
        assert row["log_p_chosen_vocabulary"] == pytest.approx(np.log(chosen), abs=1e-3)
        assert row["log_p_chosen"] == pytest.approx(np.log(chosen / float(scores.sum())), abs=1e-3)


def test_hidden_tokens_are_seen_by_none(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    """As an edit of the attention scores gives it: the cells of which half lies in the sector."""
    example = pairs[1]
    rows = Occlusion(varied=1.0)(tiny_vlm, pairs[:2]).rows()
    batch = tiny_vlm.prepare([example])
    mask = _sectors(example, VARIANTS["tokens"]).masks()[0]
    side = mask.shape[0] // 6
    share = mask.reshape(6, side, 6, side).mean((1, 3)).ravel()
    hidden = torch.zeros_like(batch.image_mask)
    hidden[0, batch.image_mask[0].nonzero().flatten()[torch.from_numpy(share >= 0.5)]] = True
    cut = (hidden[:, None, :] & ~torch.eye(hidden.shape[1], dtype=torch.bool)).flatten(0, 1)[:, None]
    with tiny_vlm.editing(Edit("scores", lambda s: s.masked_fill(cut, torch.finfo(s.dtype).min))):
        logits = tiny_vlm.forward(batch)[0]
    _, scores = tiny_vlm.choose(logits, example.options)
    (row,) = [r for r in rows if (r["example_id"], r["variant"], r["sector"]) == (example.id, "tokens", 0.0)]
    assert hidden.any() and row["area"] == pytest.approx((share >= 0.5).mean())
    p = float(scores[example.options.index(example.answer)])
    assert row["log_p_vocabulary"] == pytest.approx(np.log(p), abs=1e-3)


def test_what_cannot_be_asked_is_said(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        Occlusion(varied=1.5)
    flat = replace(pairs[0], boxes={n: Box(0, 0, 0, 9) for n in pairs[0].boxes}, picture=PlainPicture((336, 336)))
    with pytest.raises(CannotAnswer, match="No sample"):
        Occlusion()(tiny_vlm, ExampleSet("pairs", (flat,)))
    rows = Occlusion(varied=0.0)(tiny_vlm, ExampleSet("pairs", (replace(flat, id="flat"), pairs[1]))).frame
    assert rows[rows["example_id"] == "flat"]["refused"].tolist() == ["a box without area"]


# Scores.


def made(changes: list[list[float]], true: float = 0.0) -> Table:
    """Rows of the variant gray: log p falls by what is given for each of the eight sectors of a question.

    That of the truth by as much among the options and twice as much in the vocabulary; that of the model's choice by
    three and four times as much.
    """
    rows: list[Row] = []
    for n, values in enumerate(changes):
        row: Row = dict.fromkeys(OCCLUSION.columns)
        row |= {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "part": "rest", "true": true}
        start = {"log_p": -0.5, "log_p_vocabulary": -1.0, "log_p_chosen": -0.1, "log_p_chosen_vocabulary": -0.2}
        rows.append(row | start)
        for sector, change in enumerate(values):
            hidden = {"variant": "gray", "sector": 45.0 * sector, "area": 0.1}
            rows.append(row | hidden | {n: v + k * change for k, (n, v) in enumerate(start.items(), 1)})
    return Table.of(OCCLUSION, rows)


def _of_truth(summary: Table) -> list[Row]:
    return [r for r in summary.rows() if (r["over"], r["of"]) == ("options", "truth")]


def relevance(peaks: list[float | None], tied: int = 1, method: str = "creg") -> Table:
    """Rows of Creg of one method."""
    rows = []
    for n, peak in enumerate(peaks):
        row = dict.fromkeys(CREG.columns)
        row |= {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "method": method}
        row["target"] = "truth" if method == "creg" else None
        rows.append(row | {"projection": "default", "sectors": 8, "peak": peak, "tied": tied})
    return Table.of(CREG, rows)


def test_the_papers_example_by_hand() -> None:
    """Section 4: a fall of .47 in the true sector and of .06 across give .41."""
    summary = occlusion_summary(made([[-0.47, -0.1, 0, 0, -0.06, 0, 0, -0.2]] * 3), smallest=2)
    rows = {(r["of"], r["over"]): r for r in summary.rows()}
    row = rows["truth", "options"]
    assert row["sector"] == "true" and row["method"] is None
    assert (row["change"], row["change_opposite"]) == pytest.approx((-0.47, -0.06))
    assert row["score"] == pytest.approx(0.41)
    assert row["change_adjacent"] == pytest.approx(-0.15) and row["against_adjacent"] == pytest.approx(0.32)
    scores = {key: r["score"] for key, r in rows.items() if key != ("truth", "options")}
    assert scores[("truth", "vocabulary")] == pytest.approx(0.82)
    assert scores[("prediction", "options")] == pytest.approx(1.23)
    assert scores[("prediction", "vocabulary")] == pytest.approx(1.64)


def test_the_indicated_sector_is_the_methods_own_peak() -> None:
    changes = [[-1.0, 0, -0.5, 0, 0, 0, -0.1, 0]] * 4
    rows = {
        r["sector"]: r
        for r in occlusion_summary(made(changes), relevance([90.0] * 4), smallest=2).rows()
        if (r["over"], r["of"]) == ("options", "truth")
    }
    assert rows["true"]["score"] == pytest.approx(1.0)
    assert rows["indicated"]["score"] == pytest.approx(0.4) and rows["indicated"]["method"] == "creg"


def test_a_method_stands_beside_the_layouts_own_sector_on_common_questions() -> None:
    """CREG's sector costs .5, the baseline's 1 on the first two questions; on the third only CREG has a peak."""
    changes = [[-1.0, 0, -0.5, 0, 0, 0, 0, 0]] * 2 + [[-1.0, 0, -0.7, 0, 0, 0, 0, 0]]
    own, plain = relevance([90.0] * 3), relevance([0.0, 0.0, None], method="constant")
    found = occlusion_summary(made(changes), Table.of(CREG, own.rows() + plain.rows()), smallest=2)
    rows = {r["method"]: r for r in _of_truth(found)}
    assert rows["creg"]["score"] == pytest.approx(1.7 / 3) and rows["creg"]["questions"] == 3
    assert rows["creg"]["gain"] == pytest.approx(-0.5) and rows["creg"]["gain_questions"] == 2
    assert rows["constant"]["gain"] is None and rows[None]["gain"] is None
    of_choice = [r["gain"] for r in found.rows() if r["method"] == "creg" and r["of"] == "prediction"]
    assert of_choice == pytest.approx([-1.5, -2.0])


def test_a_read_out_without_a_finite_number_has_no_row() -> None:
    rows = [r | {"log_p_chosen": float("nan")} for r in made([[-1.0] + [0.0] * 7] * 4).rows()]
    found = occlusion_summary(Table.of(OCCLUSION, rows), smallest=2).rows()
    assert {(r["of"], r["over"]) for r in found} == {
        ("truth", "options"), ("truth", "vocabulary"), ("prediction", "vocabulary")
    }  # fmt: skip


def test_a_shared_peak_or_none_is_left_out() -> None:
    changes = [[-1.0] + [0.0] * 7] * 4
    shared = occlusion_summary(made(changes), relevance([0.0] * 4, tied=2), smallest=2)
    assert {r["sector"] for r in shared.rows()} == {"true"}
    some = occlusion_summary(made(changes), relevance([0.0, None, 0.0, None]), smallest=2)
    assert {r["sector"]: r["questions"] for r in some.rows()} == {"true": 4, "indicated": 2}
    assert occlusion_summary(made(changes)).rows()[0]["omitted"]


def test_scores_of_a_model_rank_methods_by_their_own_sectors(tiny_vlm: VLM, pairs: ExampleSet) -> None:
    hidden = Occlusion(varied=0.0)(tiny_vlm, pairs)
    shown = Creg(methods=("creg", "rollout"), depth=3)(tiny_vlm, pairs)
    rows = _of_truth(occlusion_summary(hidden, shown, smallest=2))
    methods = [(r["method"], r["target"]) for r in rows]
    assert methods[0] == (None, None) and len(set(methods)) == len(methods)
    assert {("creg", "truth"), ("creg", "prediction"), ("rollout", None), ("constant", None)} <= set(methods)
    floor = next(r for r in rows if r["method"] == "point_at_subject")
    true = next(r for r in rows if r["sector"] == "true")
    assert floor["questions"] <= true["questions"]
    # The floor's peak is the sector of the subject's cell, which is the true one for most questions: a like score.
    own = {r["example_id"]: (r["peak"], r["true"]) for r in shown.rows() if r["method"] == "point_at_subject"
           and r["projection"] == "default"}  # fmt: skip
    same = [e for e, (peak, true_) in own.items() if peak is not None and sector_of(true_, 8) == sector_of(peak, 8)]
    assert len(same) >= 8
    kept = [Table.of(t.schema, [r for r in t.rows() if r["example_id"] in same]) for t in (hidden, shown)]
    scores = _of_truth(occlusion_summary(*kept, smallest=2))
    mine = {r["method"]: r["score"] for r in scores}
    assert mine["point_at_subject"] == pytest.approx(mine[None], abs=1e-9)
