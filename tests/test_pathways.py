"""Pathways ablated: against plain edited forwards, by hand, and the verdict's rule case by case."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
import torch
from PIL import Image
from scipy import stats

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, MemoryPicture
from backsight.maths.pathways import BOUND, share, verdict
from backsight.measurements.pathways import Pathways, removed, shuffled
from backsight.models import embeds
from backsight.models.sites import Edit
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.pathways import pathways_summary
from backsight.stimuli import tabletop
from backsight.stimuli.arrangements import TOUCHED
from backsight.stimuli.isolated import alternatives, control, drawn, isolated, others
from backsight.stimuli.layouts import PRESETS
from backsight.stimuli.render import render
from backsight.stimuli.scene import Scene
from backsight.tables import Table
from backsight.training.questions import corpus

LAYOUT = PRESETS["qwen2-vl"]


@pytest.fixture(scope="module")
def qwen() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()))


@pytest.fixture(scope="module")
def gemma() -> VLM:
    return VLM(*tiny("gemma3", corpus()))


def few(vlm: VLM, count: int = 4) -> Any:
    return stimuli.squares().limit(count)  # resized by the processor, so that cells and squares need not meet


@pytest.mark.parametrize("family", ["qwen2_vl", "gemma3"])
def test_rows_equal_plain_forwards_with_edited_embeddings(family: str, request: pytest.FixtureRequest) -> None:
    vlm: VLM = request.getfixturevalue("qwen" if family == "qwen2_vl" else "gemma")
    examples = few(vlm)
    table = Pathways(batch=4, shuffles=2)(vlm, examples)
    batch = vlm.prepare(examples.items)
    plain = embeds.of_batch(vlm, batch)
    edits = {("removed", None): removed(vlm, batch)} | {("shuffled", n): shuffled(plain, batch, n) for n in (0, 1)}
    if family == "qwen2_vl":
        edits["cells", None] = embeds.of_single_cells(vlm, batch)
    found = {(r["condition"], r["seed"]) for r in table.rows()}
    assert found == {("plain", None), *edits}
    for (condition, seed), value in edits.items():
        with vlm.editing(Edit("image_embeds", lambda rows, value=value: value.to(rows.dtype))):  # type: ignore[misc]
            logits = vlm.forward(batch)
        for i, example in enumerate(examples):
            single = vlm.options(others(example))
            assert single is not None
            p = torch.stack([torch.softmax(logits[i], -1)[ids].sum() for ids in single])
            row = next(
                r
                for r in table.rows()
                if (r["example_id"], r["condition"], r["seed"], r["asked"]) == (example.id, condition, seed, "order")
            )
            expected = float(p[others(example).index(example.answer)] / p.sum())
            assert row["p_answer_of_two"] == pytest.approx(expected, abs=1e-5)
            assert row["choice_of_two"] == others(example)[int(p.argmax())]


def test_shuffles_repeat_and_differ_by_seed_and_picture(qwen: VLM) -> None:
    batch = qwen.prepare(few(qwen).items)
    plain = embeds.of_batch(qwen, batch)
    count = len(batch.grids[0])
    one, again, other = shuffled(plain, batch, 0), shuffled(plain, batch, 0), shuffled(plain, batch, 1)
    assert torch.equal(one, again) and not torch.equal(one, other)
    assert torch.equal(one[:count].sort(0).values, plain[:count].sort(0).values)  # none from another picture


def test_removal_takes_each_token_from_where_figure_9_says(qwen: VLM) -> None:
    example = stimuli.squares(qwen.grid)[0]
    batch = qwen.prepare([example])
    found, empty = isolated(example, batch.grids[0].cell)
    value = removed(qwen, batch)
    assert [f.picture.scene.named[0].name for f in found] == [f.name for f in example.source.scene.named]

    def plain(picture: Any) -> torch.Tensor:
        asked = Example("x", MemoryPicture(render(picture.scene)), "?", (), "")
        return embeds.of_batch(qwen, qwen.prepare([asked]))

    expected = plain(empty)
    centre = batch.grids[0].tokens_in(example.source.scene.named[1].box, TOUCHED)  # the middle one stands in the centre
    for entity in found:
        assert entity.source == example.source.scene.named[1].box
        expected[batch.grids[0].tokens_in(entity.target, TOUCHED)] = plain(entity.picture)[centre]
    torch.testing.assert_close(value, expected, atol=1e-5, rtol=0)
    changed = (value != plain(empty)).any(-1).sum()
    assert changed == 3 * len(centre)


@pytest.mark.parametrize("preset", list(PRESETS))
def test_an_entity_alone_stands_in_the_centre_whole_cells_away(preset: str) -> None:
    layout = PRESETS[preset]
    for example in (*stimuli.squares(layout).limit(8), *stimuli.jittered(layout, suite="shapes", count=20)):
        for entity in isolated(example, (layout.cell, layout.cell))[0]:
            dx, dy = entity.source.left - entity.target.left, entity.source.top - entity.target.top
            assert dx % layout.cell == 0 and dy % layout.cell == 0
            x, y = entity.source.center
            assert abs(x - layout.size[0] / 2) <= layout.cell / 2 and abs(y - layout.size[1] / 2) <= layout.cell / 2


def test_the_control_asks_what_is_there() -> None:
    for example in stimuli.objects().limit(60):
        asked = control(example)
        assert asked.answer in example.source.names
        assert len(set(asked.options) & set(example.source.names)) == 1
        assert asked.picture is example.picture and asked == control(example)
    answers = [control(e).options.index(control(e).answer) for e in stimuli.squares()]
    assert 0.4 < sum(answers) / len(answers) < 0.6


def test_what_has_no_two_alternatives_cannot_be_asked(qwen: VLM) -> None:
    free = Example("x", MemoryPicture(Image.new("RGB", (168, 168))), "Which?", ("red", "blue", "green"), "red")
    with pytest.raises(CannotAnswer, match="no two alternatives"):
        Pathways()(qwen, [free])
    with pytest.raises(UsageError, match="numbers of samples that grow"):
        Pathways(looks=(96, 96))
    deep = VLM(*tiny("qwen3_vl", corpus()))
    with pytest.raises(CannotAnswer, match="between the decoder's blocks"):
        Pathways()(deep, few(deep))
    with pytest.raises(UsageError, match="At least one shuffle"):
        Pathways(shuffles=0)


def rows(**right: float) -> Table:
    """40 pictures with one question; `right` gives the share answered right, such as control_cells=.5."""
    made = []
    for name, part in right.items():
        asked, condition = name.split("_")
        for n in range(40):
            answered = n < round(40 * part)
            made.append(
                {
                    "example_id": f"e{n}", "image_id": f"i{n}", "suite": "squares", "direction": "left",
                    "asked": asked, "condition": condition, "seed": 0 if condition == "shuffled" else None,
                    "answer": "red", "choice": "red" if answered else "blue", "correct": answered,
                    "choice_of_two": "red" if answered else "blue", "correct_of_two": answered,
                    "p_answer_of_two": float(answered),
                }
            )  # fmt: skip
    return Table.of(Pathways.schema, made)


GOOD = dict(control_plain=1.0, control_shuffled=1.0, control_removed=1.0)


def test_a_share_by_hand() -> None:
    table = rows(order_plain=0.9, order_shuffled=0.7)
    found = share(table.frame, "shuffled")
    assert found is not None
    assert found.value == pytest.approx((0.7 - 0.5) / (0.9 - 0.5)) and found.n == 40
    assert found.low < found.value < found.high
    # The same with a plain loop over resampled pictures.
    import numpy as np

    frame = table.frame
    closed, plain = (
        frame[frame["condition"] == c].set_index("image_id")["correct_of_two"].astype(float)
        for c in ("shuffled", "plain")
    )
    rng, names, drawn = np.random.default_rng(1), closed.index.to_numpy(), []
    for _ in range(2000):
        chosen = rng.choice(names, len(names))
        drawn.append((closed[chosen].mean() - 0.5) / (plain[chosen].mean() - 0.5))
    assert found.low == pytest.approx(np.quantile(drawn, 0.025), abs=0.08)
    assert found.high == pytest.approx(np.quantile(drawn, 0.975), abs=0.08)


@pytest.mark.parametrize(
    ("right", "source", "said"),
    [
        (dict(order_plain=1, order_shuffled=1, order_removed=0.5, **GOOD), "vision", "shuffled, 1.00"),
        (dict(order_plain=1, order_shuffled=0.5, order_removed=0.95, **GOOD), "language", "after removal 0.90"),
        (dict(order_plain=1, order_shuffled=1, order_removed=1, **GOOD), "both", "after removal 1.00"),
        (dict(order_plain=1, order_shuffled=0.5, order_removed=0.5, **GOOD), "cannot tell", "neither suffices"),
        (dict(order_plain=1, order_shuffled=1, order_removed=0.75, **GOOD), "cannot tell", "one side of one half"),
        (dict(order_plain=0.55, order_shuffled=0.5, order_removed=0.5, **GOOD), "cannot tell", "not above chance"),
        (
            dict(order_plain=1, order_shuffled=0.5, order_removed=1, **GOOD | dict(control_shuffled=0.55)),
            "cannot tell",
            "under shuffling the presence question keeps only 0.10",
        ),
        (
            dict(order_plain=1, order_shuffled=0.5, order_removed=1, **GOOD | dict(control_shuffled=0.65)),
            "language",  # whether the control holds is not decided: no veto, and the reason says so
            "under shuffling it is not decided whether the presence question holds: 0.30",
        ),
        (
            dict(
                order_plain=1, order_shuffled=0.5, order_removed=1, control_plain=0.7, control_shuffled=0.6,
                control_removed=0.55,
            ),
            "language",  # a control that is answered too seldom to lose anything
            "the presence question's accuracy, 0.70 [0.54, 0.82], is not known to be above 0.75",
        ),
        (
            dict(order_plain=1, order_shuffled=1, order_removed=0.5, **dict.fromkeys(GOOD, 0.5)),
            "vision",  # a control that the model cannot answer shows nothing
            "does not answer the presence question above chance",
        ),
        (dict(order_plain=1, order_shuffled=1, order_removed=0.5), "vision", "not be asked the presence question"),
    ],
)  # fmt: skip
def test_the_rule_case_by_case(right: dict[str, float], source: str, said: str) -> None:
    found = verdict(rows(**right))
    assert (found.source, said in found.reason) == (source, True), found.reason
    stored = found.as_dict()
    assert stored["source"] == source and stored["accuracy"]["n"] == 40
    if right["order_plain"] < 0.6:  # not above chance: there is nothing to have a share of
        assert stored["vision_suffices"] is None and stored["language_suffices"] is None
    else:
        expected = (right["order_shuffled"] - BOUND) / (right["order_plain"] - 0.5)
        assert stored["vision_suffices"]["value"] == pytest.approx(expected)


def test_a_handful_of_pictures_has_no_verdict() -> None:
    few = rows(order_plain=1, order_shuffled=1, order_removed=1, **GOOD)
    few = Table(Pathways.schema, few.frame[few.frame["image_id"].isin([f"i{n}" for n in range(9)])])
    found = verdict(few)
    assert found.source == "cannot tell" and "9 pictures were asked about, fewer than 10" in found.reason


def test_a_control_that_breaks_under_one_edit_silences_that_pathway_alone() -> None:
    """A model that keeps order in background tokens: removal takes colours and presence with it."""
    broken = dict(order_plain=1, order_shuffled=1, order_removed=0.5, **GOOD | dict(control_removed=0.5))
    found = verdict(rows(**broken))
    assert (found.source, found.vision.outcome, found.language.outcome) == ("cannot tell", "suffices", "cannot tell")
    assert found.language.reason == (
        "under removal the presence question keeps only 0.00 [-0.34, 0.34] of its accuracy above chance: the edit "
        "breaks more than position"
    )
    stored = found.as_dict()["pathways"]
    assert stored["vision"]["outcome"] == "suffices" and stored["vision"]["share"]["value"] == 1.0
    assert stored["language"]["control"]["high"] < BOUND


def test_a_control_near_chance_is_none_and_its_shares_are_not_shown() -> None:
    """The presence question at .6: half of its .1 above chance is nothing that 40 questions can tell."""
    near = dict(order_plain=1, order_shuffled=0.5, order_removed=1, control_plain=0.6, control_shuffled=0.5)
    table = rows(**near, control_removed=0.65)
    found = verdict(table)
    assert found.source == "language" and found.control == () and found.language.control is None
    assert found.as_dict()["control"] == {} and found.as_dict()["control_accuracy"]["value"] == pytest.approx(0.6)
    summary = {(r["asked"], r["condition"]): r["share"] for r in pathways_summary(table).rows()}
    assert summary["control", "removed"] is None and summary["order", "removed"] == pytest.approx(1.0)


def test_axes_are_judged_by_themselves() -> None:
    """Left by the vision encoder, above by the token order: each by its own questions."""
    across = rows(order_plain=1, order_shuffled=1, order_removed=0.5, **GOOD).frame
    down = rows(order_plain=1, order_shuffled=0.5, order_removed=1, **GOOD).frame
    down = down.assign(direction="above", **{name: "v" + down[name] for name in ("example_id", "image_id")})
    found = verdict(Table(Pathways.schema, pd.concat([across, down], ignore_index=True)))
    assert {axis: one.source for axis, one in found.axes.items()} == {"horizontal": "vision", "vertical": "language"}
    assert found.axes["vertical"].n == 40 and found.n == 80
    assert verdict(Table(Pathways.schema, across)).axes == {}  # one axis only: it is the whole
    assert found.as_dict()["axes"]["vertical"]["pathways"]["vision"]["outcome"] == "does not suffice"


def test_a_set_whose_order_cannot_be_removed_is_judged_by_the_shuffle() -> None:
    found = verdict(rows(order_plain=1, order_shuffled=1))
    assert (found.vision.outcome, found.language.outcome) == ("suffices", "cannot tell")
    assert found.language.reason == "order cannot be removed from this set's pictures" and found.language.final


def test_where_all_is_right_the_share_has_an_interval_all_the_same() -> None:
    """By hand for 40 pictures: with four pseudo-images the contrast is .25 on 40, and .25, -.75, .75, -.25 on four."""
    table = rows(order_plain=1.0, order_shuffled=1.0)
    found = share(table.frame, "shuffled")
    assert found is not None and found.value == 1.0 and found.low < 1 < found.high
    mean = 10 / 44
    variance = (40 * (0.25 - mean) ** 2 + sum((x - mean) ** 2 for x in (0.25, -0.75, 0.75, -0.25))) / 44**2
    # The normal quantile that leaves out as much as Student's t, with 43 degrees, does beyond the contrast's.
    bound = float(stats.norm.isf(stats.t.sf(mean / variance**0.5, 43)))
    for quantile, above in ((0.99 * bound, True), (1.01 * bound, False)):
        at = share(table.frame, "shuffled", quantile)
        assert at is not None and (at.low > BOUND) is above
    few = Table(Pathways.schema, table.frame[table.frame["image_id"].isin([f"i{n}" for n in range(12)])])
    fewer = share(few.frame, "shuffled")
    assert fewer is not None and fewer.low < found.low


def test_alternatives_of_every_kind_of_question() -> None:
    row, pair = stimuli.squares()[0], stimuli.pairs(LAYOUT, scenes=4)
    assert others(row) == (row.source.names[0], row.source.names[2])
    assert [others(e) for e in pair.items[::3]] == [("1", "2"), ("1", "2"), ("3", "4"), ("3", "4")]
    on_table = {e.answer: others(e) for which in ("a", "b") for e in tabletop.scenes(which=which, sets=1)}
    assert on_table["under"] == on_table["on"] == ("on", "under")
    assert on_table["behind"] == ("front", "behind")
    free = Example("x", MemoryPicture(Image.new("RGB", (8, 8))), "Which?", ("cat", "dog", "cow"), "cat")
    with pytest.raises(CannotAnswer, match="no two alternatives"):
        others(free)
    counting = Example("x", MemoryPicture(Image.new("RGB", (8, 8))), "How many?", ("1", "2", "12"), "1")
    assert alternatives(counting) is None  # a number that is no relation


def test_presence_is_asked_of_drawn_things_and_never_of_photographs() -> None:
    for example in (*stimuli.pairs(LAYOUT, scenes=8), *tabletop.scenes(which="b", sets=2)):
        asked = control(example)
        names = example.boxes.keys() if isinstance(example.source, Scene) else {example.subject}
        assert asked is not None and asked.answer in names and len(set(asked.options) & set(names)) == 1
    photograph = Example("x", MemoryPicture(Image.new("RGB", (8, 8))), "Where?", ("left", "right"), "left")
    assert control(photograph) is None and drawn(photograph) is None and others(photograph) == ("left", "right")


def test_pairs_are_asked_and_tabletop_by_the_shuffle_alone(qwen: VLM) -> None:
    of_pairs = Pathways(batch=4, shuffles=1)(qwen, stimuli.pairs(qwen.grid, scenes=4))
    assert set(of_pairs.frame["condition"]) == {"plain", "removed", "cells", "shuffled"}
    order = of_pairs.frame[of_pairs.frame["asked"] == "order"]
    assert set(order["choice_of_two"]) <= {"1", "2", "3", "4"} and len(of_pairs.frame) == 2 * len(order)
    scene = Pathways(batch=4, shuffles=1)(qwen, tabletop.scenes(qwen.grid.size, which="a", sets=1))
    assert set(scene.frame["condition"]) == {"plain", "cells", "shuffled"}


def test_a_batch_of_several_kinds_of_picture_gives_each_its_own_rows(qwen: VLM) -> None:
    """Removal and the presence question are those of each picture, whatever else is in its batch."""
    mixed = [*stimuli.pairs(qwen.grid, scenes=4).items[:3], *tabletop.scenes(qwen.grid.size, which="a", sets=1)]
    together = Pathways(batch=16, shuffles=1)(qwen, mixed).frame
    alone = Pathways(batch=1, shuffles=1)(qwen, mixed).frame
    keys = ["example_id", "asked", "condition"]
    assert together[keys].values.tolist() == alone[keys].values.tolist()
    assert together["p_answer_of_two"].to_numpy() == pytest.approx(alone["p_answer_of_two"].to_numpy(), abs=1e-4)
    assert set(together.loc[together["condition"] == "removed", "suite"]) == {"pairs"}


def test_the_summary_by_hand() -> None:
    table = pathways_summary(rows(order_plain=1.0, order_removed=0.8, **GOOD))
    index = {(r["asked"], r["condition"], r["direction"]): r for r in table.rows()}
    removed_row = index["order", "removed", "left"]
    assert removed_row["accuracy"] == removed_row["accuracy_of_two"] == pytest.approx(0.8)
    assert removed_row["share"] == pytest.approx(0.6)
    assert index["order", "plain", "all"]["share"] is None
    assert index["control", "removed", "all"]["share"] == pytest.approx(1.0)
    few_rows = pathways_summary(Table(Pathways.schema, rows(order_plain=1.0).frame.head(5)))
    assert [r["omitted"] for r in few_rows.rows()] == [True, True] and few_rows.rows()[0]["accuracy"] is None
