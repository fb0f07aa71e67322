"""Norms and positional signal: scikit-learn as the oracle, planted signals of known share, models of known answer."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, PlainPicture
from backsight.grid import Box, TokenGrid
from backsight.maths import position_signal
from backsight.maths.position_signal import NONE, RIDGE, Levels, Sums, centred, design, left
from backsight.maths.ratios import share
from backsight.measurements import EmbeddingNorms
from backsight.measurements.norms import content
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results.norms import EMBEDDING_NORMS, draw, embedding_norms_summary
from backsight.results.norms import text as words_of
from backsight.results.norms.section import statements
from backsight.results.norms.tables import shown
from backsight.tables import Table
from backsight.training.questions import corpus

LEVELS = Levels(3, 4, 5)
GRID = TokenGrid.rectangle(4, 5, (50, 40))


def pictures(seed: int, count: int, row: float, kind: float, noise: float) -> list[tuple[np.ndarray, torch.Tensor]]:
    """Content (token,) and states (token, 6) with effects of row and content of a known variance, the same in all."""
    fixed = np.random.default_rng(0)
    of_row, of_kind = fixed.normal(size=(4, 6)), fixed.normal(size=(3, 6))
    of_row = (of_row - of_row.mean(0)) / of_row.std(0)
    rng = np.random.default_rng(seed)
    drawings = []
    for _ in range(count):
        shows = rng.integers(0, 3, 20)
        states = row * of_row[GRID.row] + kind * of_kind[shows] + noise * rng.normal(size=(20, 6))
        drawings.append((shows, torch.from_numpy(states).float()))
    return drawings


def fitted(drawings: list[tuple[np.ndarray, torch.Tensor]]) -> Sums:
    sums = Sums.none(LEVELS, 6)
    for shows, states in drawings:
        sums.add(design(shows, GRID.row, GRID.column, LEVELS), centred(states))
    return sums


def test_what_is_left_is_scikit_learns_of_the_other_half() -> None:
    """Least squares with pseudo-tokens, by rows of data that stand for them."""
    first, second = pictures(1, 6, 1.0, 1.0, 0.5), pictures(2, 3, 1.0, 1.0, 0.5)
    sums = fitted(first)
    x = np.concatenate([design(shows, GRID.row, GRID.column, LEVELS).numpy() for shows, _ in first])
    y = np.concatenate([centred(states).numpy() for _, states in first])
    for count in (LEVELS.content, LEVELS.all):
        ridge = np.array([NONE] * 3 + [RIDGE] * 9)[:count]
        augmented = np.concatenate([x[:, :count], np.diag(np.sqrt(ridge))])
        model = LinearRegression(fit_intercept=False).fit(augmented, np.concatenate([y, np.zeros((count, 6))]))
        for shows, states in second:
            shape = design(shows, GRID.row, GRID.column, LEVELS)
            expected = np.square(centred(states).numpy() - model.predict(shape.numpy()[:, :count])).sum()
            assert left(shape, centred(states), sums.effects(count)) == pytest.approx(expected, rel=1e-4)


def explained(row: float, kind: float, noise: float) -> float:
    """The partial R^2 of position over forty scored pictures."""
    sums = fitted(pictures(1, 40, row, kind, noise))
    whole, part = 0.0, 0.0
    for shows, states in pictures(2, 40, row, kind, noise):
        shape = design(shows, GRID.row, GRID.column, LEVELS)
        content_left = left(shape, centred(states), sums.effects(3))
        whole += content_left
        part += content_left - left(shape, centred(states), sums.effects())
    return part / whole


@pytest.mark.parametrize(
    ("row", "noise", "expected"), [(1.0, 1.0, 0.5), (1.0, 3.0, 0.1), (0.0, 1.0, 0.0), (2.0, 1.0, 0.8)]
)
@pytest.mark.parametrize("kind", [0.0, 3.0])
def test_a_planted_signal_has_its_share_whatever_is_shown(
    row: float, noise: float, expected: float, kind: float
) -> None:
    assert explained(row, kind, noise) == pytest.approx(expected, abs=0.05)


def test_content_that_goes_with_position_is_not_positions() -> None:
    """Every token of the first row shows one thing: what that thing's state adds is content's."""
    rng = np.random.default_rng(0)
    shows = np.where(GRID.row == 0, 1, 0)
    drawings = [(shows, torch.from_numpy(5.0 * shows[:, None] + rng.normal(size=(20, 6))).float()) for _ in range(40)]
    sums = fitted(drawings[:20])
    shape = design(shows, GRID.row, GRID.column, LEVELS)
    whole = sum(left(shape, centred(states), sums.effects(3)) for _, states in drawings[20:])
    after = sum(left(shape, centred(states), sums.effects()) for _, states in drawings[20:])
    assert abs(1 - after / whole) < 0.03


def test_a_ratio_and_its_interval_by_hand() -> None:
    one = share([1.0, 2.0, 3.0], [2.0, 4.0, 6.0])
    assert one == (0.5, 0.5, 0.5)
    other = share([1.0, 2.0], [2.0, 2.0])
    error = np.sqrt(2 / 1 * 2 * 0.5**2) / 4
    assert other.value == 0.75 and other.high == pytest.approx(0.75 + 12.7062 * error, rel=1e-4)
    assert np.isnan(share([1.0], [2.0]).low)


def test_contents_are_things_parts_of_them_and_the_ground() -> None:
    boxes = {"a": Box(0, 0, 10, 10), "b": Box(17, 10, 30, 20)}
    example = Example("e", PlainPicture((50, 40)), "?", (), "", boxes=boxes)
    shows = content(example, GRID, {"a": 2, "b": 3})
    assert shows[:5].tolist() == [2, 0, 0, 0, 0] and shows[5:10].tolist() == [0, 1, 3, 0, 0]


@pytest.fixture(scope="module")
def table() -> Table:
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    return EmbeddingNorms()(vlm, stimuli.pairs(vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A"))


def test_norms_are_those_of_a_plain_call(table: Table) -> None:
    """Hugging Face's hidden states of one prompt: layer 0 and 1."""
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    example = stimuli.pairs(vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")[0]
    batch = vlm.prepare([example])
    with torch.no_grad():
        states = vlm.model(**batch.inputs, output_hidden_states=True).hidden_states
    rows = {(r["site"], r["layer"]): r for r in table.rows() if r["example_id"] == example.id}
    for layer in (0, 1):
        lengths = states[layer][0].norm(dim=-1)
        image = batch.image_mask[0]
        row = rows["resid_pre", layer]
        assert row["image_mean"] == pytest.approx(float(lengths[image].mean()), rel=1e-4)
        assert row["text_median"] == pytest.approx(float(lengths[~image].quantile(0.5)), rel=1e-4)
    assert rows["vision", 0]["text_mean"] is None and rows["vision", 0]["image_mean"] > 0


def test_the_summary_and_the_figure(table: Table) -> None:
    rows = embedding_norms_summary(table).rows()
    vision, *_, last = rows
    assert vision["site"] == "vision" and vision["ratio"] is None and last["site"] == "resid_pre"
    assert all(row["pictures"] >= 10 and not row["omitted"] for row in rows)
    for row in rows:
        assert row["rest"] <= 1 and row["rest_low"] <= row["rest"] <= row["rest_high"]
        assert row["rest_above"] == pytest.approx(row["rest"] - row["rest_null"], abs=1e-9)
    assert len(draw(embedding_norms_summary(table)).axes) == 2
    (axis,) = draw(embedding_norms_summary(table), parts=("norms",)).axes
    assert axis.get_ylabel() == "norm"
    few = embedding_norms_summary(replace(table, frame=table.frame[table.frame["example_id"] == rows[0]["suite"]]))
    assert len(few) == 0


def test_where_nothing_varies_nothing_is_said_of_position() -> None:
    drawings = []
    for number in range(12):
        row: dict[str, Any] = dict.fromkeys(EMBEDDING_NORMS.columns)
        row |= {"example_id": f"e{number}", "image_id": f"i{number}", "suite": "s", "site": "resid_pre", "layer": 0}
        row |= {f"{of}_{name}": 1.0 for of in ("image", "text") for name in ("mean", "low", "median", "high")}
        drawings.append(row | {f"rest_{fit}": 0.0 for fit in ("content", "position", "shifted")})
    (row,) = embedding_norms_summary(Table.of(EMBEDDING_NORMS, drawings)).rows()
    assert row["rest"] is None and row["objects"] is None and not shown(row, "rest") and row["ratio"] == 1


def signal(layer: int = 0, suite: str = "squares", **changes: Any) -> dict[str, Any]:
    """A layer at which position is shown in tokens that are of no object."""
    row: dict[str, Any] = {"suite": suite, "site": "resid_pre", "layer": layer, "omitted": False, "pictures": 48}
    row |= {"ratio": 7.5, "ratio_low": 7.0, "ratio_high": 8.0, "image_mean": 15.0, "text_mean": 2.0}
    shares = {"": 0.4, "_low": 0.35, "_high": 0.45, "_null": -0.01, "_null_low": -0.03, "_null_high": 0.02}
    shares |= {"_above": 0.41, "_above_low": 0.3, "_p": 0.001}
    row |= {f"rest{name}": value for name, value in shares.items()}
    return row | {f"objects{name}": None for name in shares} | changes


TITLES = {"squares": "Squares", "shapes": "Shapes"}
OBJECTS = {"objects": -0.08, "objects_low": -0.13, "objects_high": -0.03, "objects_null": 0.1, "objects_null_low": 0.0,
           "objects_null_high": 0.2, "objects_above": -0.18, "objects_above_low": -0.2, "objects_p": 1.0}  # fmt: skip


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def test_the_claim_is_what_position_explains_at_the_input() -> None:
    assert plain(words_of.claim([signal()], TITLES)) == (
        "Row and column explain 40 % [35, 45] of the variance of the other image tokens at the language model's input "
        "(Squares)."
    )
    less = signal(suite="shapes", rest=0.2, rest_low=0.1, rest_high=0.3)
    assert plain(words_of.claim([signal(**OBJECTS), less], TITLES)) == (
        "Row and column are not shown to explain any of the variance of object tokens at the language model's input "
        "beyond both zero and shifted positions (2 suites); nearest is Squares: -8 % [-13, -3], shifted positions "
        "10 % [0, 20]; of the other image tokens they explain at least 20 % [10, 30]."
    )
    unknown = signal(suite="shapes", rest_p=0.2)
    assert plain(words_of.claim([signal(), unknown], TITLES)) == (
        "Row and column are not shown to explain any of the variance of the other image tokens at the language model's "
        "input beyond both zero and shifted positions in Shapes, and explain 40 % [35, 45] elsewhere (2 suites)."
    )
    start = "Row and column are not shown to explain any of the variance of image tokens at the language model's input "
    assert plain(words_of.claim([signal(**OBJECTS, rest_p=0.2)], TITLES)) == (
        f"{start}beyond both zero and shifted positions (Squares); nearest are the other image tokens: 40 % [35, 45], "
        "shifted positions -1 % [-3, 2]."
    )
    near = signal(suite="shapes", rest=0.1, rest_low=0.05, rest_high=0.15, rest_above=0.5, rest_p=0.2)
    assert plain(words_of.claim([signal(**OBJECTS, rest_p=0.2), near], TITLES)).endswith(
        "; nearest are the other image tokens in Shapes: 10 % [5, 15], shifted positions -1 % [-3, 2]."
    )
    assert words_of.claim([signal(rest=None)], TITLES).endswith("input: no position is shown.")
    assert words_of.claim([signal(omitted=True, pictures=9)], TITLES) == (
        "Norms and positional signal are omitted (9 pictures, 10 needed)."
    )


def test_the_null_is_what_shifted_positions_explain() -> None:
    assert plain(words_of.null([signal(), signal(**OBJECTS)])) == (
        "Positions shifted around each picture explain 10 % [0, 20] at most."
    )
    assert words_of.null([signal(rest=None)]) == ""


def test_a_suites_sentence_follows_the_numbers() -> None:
    def position(entering: dict[str, Any], *layers: dict[str, Any]) -> str:
        return plain(words_of.position("Squares", entering, layers))

    most = signal(2, rest=0.5, rest_low=0.4, rest_high=0.6)
    start = "Squares: row and column explain 40 % [35, 45] of the variance of the other image tokens at the language "
    assert position(signal(), signal(), most, signal(3, rest_above_low=-1)) == (
        f"{start}model's input, shown at layers 0, 2, most at layer 2 (50 % [40, 60])."
    )
    assert position(signal(), most).endswith("shown at layer 2 only (50 % [40, 60]).")
    for unknown in ({"rest_p": 0.2}, {"rest": -0.1}, {"rest_above_low": -0.1}):
        words = position(signal(**unknown), signal(**unknown))
        assert "not shown to explain any of the variance of the other" in words and words.endswith("shown at no layer.")
    assert position(signal(rest=None)).endswith("there is nothing for position to explain.")
    both = position(signal(**OBJECTS), signal(**OBJECTS))
    beside = "(-8 % [-13, -3], shifted positions 10 % [0, 20])"
    assert f"input beyond both zero and shifted positions {beside}, shown at no layer" in both
    assert both.endswith(
        "; of the other image tokens they explain 40 % [35, 45], shown at layer 0 only (40 % [35, 45])."
    )
    assert words_of.short([signal(**OBJECTS), signal(1)]) == pytest.approx(1 / 3)
    assert words_of.short([signal(rest=None)]) == 1 and words_of.short([signal()]) == 0


def test_whether_norms_drown_positions_follows_the_numbers() -> None:
    ends = {"": 0.2, "_low": 0.1, "_high": 0.3}
    up = {f"{name}{end}": value for name in ("gain", "loss_gain") for end, value in ends.items()}
    up |= {"gain_p": 0.01, "loss_gain_p": 0.5}

    def norms(permuted: dict[str, Any] | None, **changes: Any) -> str:
        return plain(words_of.norms("Squares", signal(**changes), permuted))

    assert norms(None) == (
        "Squares: norms of image tokens are 7.5 [7, 8] times those of text tokens at the language model's input (15 "
        "and 2)."
    )
    assert norms(up).endswith(
        "; at text norm, accuracy rises (+20.0 points [+10.0, +30.0]) and a shuffle takes no measurably different part "
        "(+20.0 points [+10.0, +30.0]): this is what the claim that large norms drown positions predicts."
    )
    assert norms(up | {"gain_p": 0.5}).endswith("the claim that large norms drown positions is not confirmed.")
    assert norms(up, ratio_low=0.8, ratio_high=0.9).endswith("large norms cannot drown positions here.")
    wide = {"ratio_low": 0.9, "ratio_high": 5.1}
    assert norms(up | {"gain_p": 0.5}, **wide).endswith("image tokens are not shown to be longer than text tokens.")
    assert norms(up, **wide).endswith("predicts.")


def test_suites_have_two_sentences_and_few_pictures_one() -> None:
    few = signal(omitted=True, suite="shapes", pictures=9)
    lines = statements([signal(), few], [signal(), few], [], TITLES)
    assert [line.suite for line in lines] == ["squares", "squares", "shapes"]
    assert lines[-1].text == "Shapes: omitted (9 pictures, 10 needed)." and lines[-1].short == 1
    text = {"suite": "squares", "norm": "text", "order": "kept", "kind": "relational", "gain": None, "loss_gain": None}
    assert "at text norm" not in statements([signal()], [signal()], [text], TITLES)[1].text


def test_too_few_pictures_and_pairs_are_refused() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    with pytest.raises(CannotAnswer, match="Too few pictures"):
        EmbeddingNorms()(vlm, stimuli.pairs(vlm.grid, scenes=4).limit(4))
    with pytest.raises(UsageError, match="not pairs"):
        EmbeddingNorms()(vlm, stimuli.squares(vlm.grid).limit(12).pairs("last_token"))


@pytest.mark.parametrize("family", ["gemma3", "paligemma", "qwen2_5_vl", "qwen3_vl"])
def test_every_family_is_measured(family: str) -> None:
    vlm = VLM(*tiny(family, corpus()), check=False)
    asked = stimuli.pairs(scenes=8).where(lambda e: e.tags["prompt"] == "A")
    frame = EmbeddingNorms(batch=4)(vlm, asked).frame
    assert set(frame[frame["site"] == "resid_pre"]["layer"]) == set(range(vlm.n_layers + 1))
    assert frame["rest_position"].notna().all()


def test_pictures_without_boxes_are_all_rest() -> None:
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    asked = stimuli.pairs(vlm.grid, scenes=8).where(lambda e: e.tags["prompt"] == "A")
    bare = ExampleSet("bare", tuple(replace(e, boxes={}) for e in asked))
    frame = EmbeddingNorms()(vlm, bare).frame
    assert frame["objects_content"].isna().all() and frame["rest_content"].notna().all()


def test_flat_is_far_below_what_a_state_varies_by() -> None:
    assert 1e-14 < position_signal.FLAT < 1e-6
