"""Probes: the fit against scikit-learn and plain torch, labels by hand, and features that are known to hold place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from backsight import stimuli
from backsight.errors import CannotAnswer, DataError, UsageError
from backsight.grid import TokenGrid
from backsight.maths import probes
from backsight.measurements import probes as measured
from backsight.measurements.probes import ProbeMaps, Probes
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.arrangements import by_arrangement, grid, labelled, shifted, split
from backsight.stimuli.layouts import PRESETS
from backsight.training.questions import corpus

QWEN = PRESETS["qwen2-vl"]
CELLS = TokenGrid.rectangle(12, 12, QWEN.size)


def clouds(classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, 300)
    centres = rng.normal(size=(classes, 8)) * 2
    return torch.from_numpy(centres[labels] + rng.normal(size=(300, 8))).float(), torch.from_numpy(labels)


def test_the_authors_fit_is_a_linear_layer_under_adamw() -> None:
    x, y = clouds()
    found = probes.fit(x, y, 3, seed=4)
    layer = torch.nn.Linear(8, 3)
    generator = torch.Generator().manual_seed(4)
    with torch.no_grad():
        layer.weight.copy_(torch.empty(8, 3).uniform_(-(8**-0.5), 8**-0.5, generator=generator).T)
        layer.bias.copy_(torch.empty(3).uniform_(-(8**-0.5), 8**-0.5, generator=generator))
    optimizer = torch.optim.AdamW(layer.parameters(), lr=1e-3, weight_decay=1e-4)
    for _ in range(200):
        optimizer.zero_grad()
        torch.nn.CrossEntropyLoss()(layer(x), y).backward()
        optimizer.step()
    torch.testing.assert_close(found.weight, layer.weight.T, atol=1e-5, rtol=0)
    assert torch.equal(found(x), layer(x).argmax(-1))


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_fit_is_scikit_learns(classes: int) -> None:
    x, y = clouds(classes)
    found = probes.fit(x, y, classes, method="logistic")
    scaled = (x - x.mean(0)) / x.std(0, unbiased=False)
    expected = LogisticRegression(max_iter=probes.STEPS).fit(scaled.numpy(), y.numpy()).predict(scaled.numpy())
    assert found(x).tolist() == expected.tolist()


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_fit_has_scikit_learns_probabilities(classes: int) -> None:
    """Of features of unlike scales, one of which is the same everywhere."""
    x, y = clouds(classes)
    x = x * torch.tensor([1.0, 10.0, 0.1, 1.0, 1.0, 3.0, 1.0, 1.0]) + 2.0
    x[:, 4] = 5.0
    deviation = x.std(0, unbiased=False)
    scaled = (x - x.mean(0)) / torch.where(deviation > 0, deviation, 1.0)
    model = LogisticRegression(max_iter=probes.STEPS).fit(scaled.numpy(), y.numpy())
    probe = probes.fit(x, y, classes, method="logistic")
    found = torch.softmax(x @ probe.weight + probe.bias, -1).numpy()
    np.testing.assert_allclose(found, model.predict_proba(scaled.numpy()), atol=1e-3)


def test_labels_move_on_in_a_circle_by_hand() -> None:
    """Steps 2, 0, 1 of the images: what the seed draws; two images with different classes keep to their own."""
    assert np.random.default_rng(0).permutation(3).tolist() == [2, 0, 1]
    labels, images = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2]), np.repeat([4, 5, 9], 3)
    assert probes.shuffled(labels, images, 0).tolist() == [2, 0, 1, 0, 1, 2, 1, 2, 0]


@pytest.mark.parametrize("method", ["adamw", "logistic"])
def test_one_class_is_nothing_to_tell_apart(method: probes.Method) -> None:
    with pytest.raises(DataError) as caught:
        probes.fit(torch.randn(5, 3), torch.zeros(5, dtype=torch.long), 1, method=method)
    assert str(caught.value) == (
        "A probe needs at least two classes\n  got:   5 rows, all of one class\n"
        "  do:    give pictures of things at several positions"
    )


def test_a_class_without_rows_is_refused() -> None:
    x, y = clouds()
    with pytest.raises(DataError) as caught:
        probes.fit(x[y != 1], y[y != 1], 3)
    assert str(caught.value) == (
        f"A probe needs rows of every class\n  got:   {int((y != 1).sum())} rows, none of class [1]\n"
        "  do:    give more pictures, or pictures of every position"
    )
    with pytest.raises(
        UsageError, match="There is no such way to fit a probe\n  got:   svm\n  do:    give adamw or log"
    ):
        probes.fit(x, y, 3, method="svm")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no such way to fit"):
        Probes(method="svm")  # type: ignore[arg-type]


def test_shuffled_positions_change_within_a_picture() -> None:
    labels, images = np.tile([0, 0, 1, 2, 2], 40), np.repeat(np.arange(40), 5)
    mixed = probes.shuffled(labels, images, 0)
    for image in range(40):
        one = mixed[images == image]
        assert one[0] == one[1] and one[3] == one[4] and sorted(one[[0, 2, 3]]) == [0, 1, 2]
    assert (mixed == labels).mean() == pytest.approx(14 / 40)  # every third picture of 40 keeps its places
    for place in range(3):  # no place keeps one label more often than another
        counts = np.bincount(mixed[labels == place], minlength=3)
        assert counts.max() - counts.min() <= 2


def test_labels_and_strips_by_hand() -> None:
    row = next(e for e in stimuli.squares(QWEN) if e.direction == "left")
    labels, strips = (a.reshape(12, 12) for a in labelled(row, CELLS))
    assert labels[5].tolist() == [-1, 0, 0, -1, -1, 1, 1, -1, -1, 2, 2, -1]
    assert (labels[4] == -1).all() and labels[6].tolist() == labels[5].tolist()
    assert strips[0].tolist() == [0] * 4 + [1] * 4 + [2] * 4
    column = next(e for e in stimuli.squares(QWEN) if e.direction == "above")
    across, strip = (a.reshape(12, 12) for a in labelled(column, CELLS))
    assert (labels == across.T).all() and (strips == strip.T).all()
    wide = TokenGrid.rectangle(16, 16, PRESETS["gemma-3"].size)
    gemma = next(e for e in stimuli.squares(PRESETS["gemma-3"]) if e.direction == "left")
    assert labelled(gemma, wide)[1].reshape(16, 16)[3].tolist() == [0] * 5 + [1] * 6 + [2] * 5


@pytest.mark.parametrize("side", [2, 3])
def test_grids_of_shapes(side: int) -> None:
    made = grid(QWEN, side, count=12)
    labels, fields = labelled(made[0], CELLS)
    assert sorted(set(labels.tolist())) == list(range(-1, side * side))
    assert all((labels == place).sum() == 4 for place in range(side * side))
    on = labels >= 0
    assert (fields[on] == labels[on]).all()  # each shape stands in its own field
    assert set(by_arrangement(made)) == {"grid"}
    for example in made:
        assert example.answer in {f.name for f in example.source.scene.figures}
        assert len({f.name for f in example.source.scene.figures} & set(example.options)) == 1
    with pytest.raises(CannotAnswer, match="too small for 4 x 4 entities"):
        grid(QWEN, 4)


def test_shifted_rows_tell_order_from_column() -> None:
    row = next(e for e in stimuli.squares(QWEN) if e.direction == "left")
    near, far = shifted(row, 28)
    assert [f.box.left for f in near.source.scene.figures] == [0, 84, 168]
    assert [f.box.right for f in far.source.scene.figures] == [168, 252, 336]
    assert near.source.names == row.source.names and near.answer == row.answer
    labels, strips = labelled(near, CELLS)
    on = labels >= 0
    assert (labels[on] != strips[on]).mean() > 0.3


def test_pictures_are_split_and_never_shared() -> None:
    pictures = by_arrangement(stimuli.squares(QWEN))
    assert {kind: len(found) for kind, found in pictures.items()} == {"horizontal": 120, "vertical": 120}
    train, test = split(pictures["horizontal"], 0)
    assert (len(train), len(test)) == (90, 30)  # as in Dual Mechanisms, 5.2.1
    assert not {e.image_id for e in train} & {e.image_id for e in test}
    objects = split(by_arrangement(stimuli.objects(QWEN))["vertical"], 0)
    assert tuple(map(len, objects)) == (252, 84)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Embeddings that hold the column of each token and nothing else, in place of a model's."""

    def states(vlm: VLM, examples: Any) -> Any:
        made = []
        for example in examples:
            cells = vlm.grid_of(example.picture)
            made.append(torch.nn.functional.one_hot(torch.from_numpy(cells.column), 12).float().repeat(1, 40))
        return {("image_embeds", 0): made}

    monkeypatch.setattr(measured, "_embedded", states)
    monkeypatch.setattr(measured, "_states", states)


class Cells:
    """Stands for a model: only its grid is asked for."""

    def grid_of(self, picture: Any) -> TokenGrid:
        return TokenGrid.rectangle(12, 12, picture.size)


@pytest.mark.usefixtures("planted")
def test_columns_are_found_where_they_were_planted_and_told_from_order() -> None:
    left = stimuli.squares(QWEN).where(lambda e: e.direction == "left")
    rows = Probes().rows(Cells(), left.items)  # type: ignore[arg-type]
    standard = [r for r in rows if r["shown"] == "standard"]
    moved = [r for r in rows if r["shown"] == "shifted"]
    assert len(standard) == 30 and len(moved) == 60
    assert all(r["objects"] == 1.0 for r in standard)
    # Shuffled positions leave nothing but ties there, which are shared: rounding decides none of them.
    assert [r["objects_shuffled"] for r in standard] == pytest.approx([1 / 3] * 30, abs=1e-6)
    assert all(r["as_ordinal"] is None for r in standard)  # there place and column are one
    assert np.mean([r["as_column"] for r in moved]) > np.mean([r["as_ordinal"] for r in moved])
    above = stimuli.squares(QWEN).where(lambda e: e.direction == "above")
    vertical = Probes(deep=False).rows(Cells(), above.items)  # type: ignore[arg-type]
    assert np.mean([r["objects"] for r in vertical]) < 0.6  # the row is not in what was planted


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("method", ["adamw", "logistic"])
def test_selectivity_does_not_hang_on_rounding(method: probes.Method, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that are off by rounding, as another processor's are, give the same rows."""
    left = stimuli.squares(QWEN).where(lambda e: e.direction == "left")
    rows = Probes(method=method).rows(Cells(), left.items)  # type: ignore[arg-type]
    shared, generator = probes.shared, torch.Generator().manual_seed(0)

    def elsewhere(scores: torch.Tensor) -> torch.Tensor:
        return shared(scores + 1e-6 * torch.randn(scores.shape[-1], generator=generator))

    monkeypatch.setattr(probes, "shared", elsewhere)
    assert Probes(method=method).rows(Cells(), left.items) == rows  # type: ignore[arg-type]


def test_ties_are_shared_by_hand() -> None:
    scores = torch.tensor(
        [[2.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0 - 5e-5, 0.9], [1.0, 1.0 - 2e-4, 0.9],
         [3e5, 3e5 + 1, -6e5], [float("nan"), 0.0, 0.0], [1000.0, 999.99, 997.0]]
    )  # fmt: skip
    third = 1 / 3
    expected = [[1, 0, 0], [0.5, 0.5, 0], [third] * 3, [0.5, 0.5, 0], [1, 0, 0], [0.5, 0.5, 0], [0, 0, 0], [1, 0, 0]]
    torch.testing.assert_close(probes.shared(scores), torch.tensor(expected))
    probe = probes.Probe(torch.eye(3), torch.zeros(3))
    assert probe(scores[:4]).tolist() == [0, 0, 0, 0] and torch.equal(
        probe.shares(scores[:4]), probes.shared(scores[:4])
    )


def test_what_is_tied_counts_for_each_position_as_its_share() -> None:
    given = np.array([[1.0, 0.0], [0.5, 0.5], [0.0, 1.0]])
    labels = np.array([0, 1, -1])
    assert measured._share(given, labels, labels >= 0) == 0.75
    assert measured._share(given, np.array([1, 1, 1]), np.array([True, False, True])) == 0.5
    assert measured._share(given, labels, np.zeros(3, dtype=bool)) is None


@pytest.mark.usefixtures("planted")
def test_a_map_shows_strips_of_what_was_planted() -> None:
    left = stimuli.squares(QWEN).where(lambda e: e.direction == "left")
    rows = ProbeMaps().rows(Cells(), left.items)  # type: ignore[arg-type]
    assert len(rows) == 144 * 3
    at = {(r["row"], r["column"], r["place"]): r for r in rows}
    for row in range(12):
        assert at[row, 1, 0]["share"] == at[row, 5, 1]["share"] == at[row, 9, 2]["share"] == 1.0
    assert at[5, 1, 0]["object"] == 0 and at[0, 1, 0]["object"] is None and at[0, 0, 0]["pictures"] == 30


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "gemma3", "paligemma"])
def test_every_site_and_layer_is_probed(family: str) -> None:
    """Random weights: vision blocks give one row a token, in raster order."""
    vlm = VLM(*tiny(family, corpus()))
    examples = stimuli.squares().where(lambda e: e.direction == "left")[:12]
    states = measured._states(vlm, examples.items[:3])
    tokens = len(vlm.grid_of(examples[0].picture))
    assert all(len(v) == 3 and all(len(one) == tokens for one in v) for v in states.values())
    layers = {(site, layer) for site, layer in states}
    expected = {("image_embeds", 0), *(("resid_pre", k) for k in range(vlm.n_layers + 1))}
    if family != "qwen2_5_vl":
        expected |= {("vision", k) for k in range(len(vlm.parts.vision_blocks))}
    assert layers == expected
    for one, other in zip(states["image_embeds", 0], states["resid_pre", 0], strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl", "gemma3", "paligemma"])
def test_patches_are_gathered_into_their_own_cells(family: str) -> None:
    """What goes through the patch embedding alone tells which pixels a patch saw: change one cell, one row changes."""
    from PIL import Image

    from backsight.examples import Example, MemoryPicture
    from backsight.models import embeds

    vlm = VLM(*tiny(family, corpus()))
    width, height = vlm.prompter.native_size()
    if family.startswith("qwen"):
        width, height = (256, 192) if family == "qwen3_vl" else (224, 168)
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    cells = vlm.grid_of(Image.fromarray(noise))
    left, top, right, bottom = (round(v) for v in cells.box[cells.columns + 2])
    changed = noise.copy()
    changed[top:bottom, left:right] = 0
    seen = []
    for pixels in (noise, changed):
        batch = vlm.prepare([Example("x", MemoryPicture(Image.fromarray(pixels)), "?", (), "")])
        first: list[torch.Tensor] = []
        handle = vlm.parts.vision_blocks[0].register_forward_pre_hook(lambda _, a, first=first: first.append(a[0]))
        vlm.forward(batch)
        handle.remove()
        seen.append(embeds.by_cell(vlm, first[0], batch))
    differ = ((seen[0] - seen[1]).abs() > 1e-5).any(-1).nonzero().flatten().tolist()
    assert differ == [cells.columns + 2]


def test_too_few_pictures_and_things_without_a_place_are_refused() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()))
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        Probes()(vlm, stimuli.squares()[:6])
    with pytest.raises(CannotAnswer, match="rows or grids"):
        Probes()(vlm, stimuli.pairs(scenes=8))
    with pytest.raises(UsageError, match="not pairs"):
        Probes()(vlm, stimuli.squares().pairs("reversed"))
