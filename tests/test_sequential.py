"""Looks at a growing sample: bounds as published, and verdicts that are wrong no more often than they may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from backsight.errors import UsageError
from backsight.maths.pathways import LOOKS, Verdict, verdict
from backsight.maths.sequential import bounds, spent
from backsight.maths.shares import BOUND, fieller
from backsight.results.pathways import PATHWAYS
from backsight.tables import Table

RUNS = 400


def test_bounds_as_published() -> None:
    """Five equal looks, two-sided 5 %: Lan and DeMets' form of Pocock's bounds, as gsDesign prints them."""
    assert bounds((1, 2, 3, 4, 5)) == pytest.approx((2.438, 2.427, 2.410, 2.397, 2.386), abs=2e-3)
    assert bounds((480,)) == pytest.approx((1.95996,), abs=1e-4)
    assert spent(1.0) == pytest.approx(0.05) and spent(0.2) < 0.016


@pytest.mark.parametrize("looks", [(), (0, 5), (5, 5), (9, 5)])
def test_looks_that_do_not_grow(looks: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="Looks are numbers of samples that grow"):
        bounds(looks)


def test_a_random_walk_crosses_at_the_stated_rate() -> None:
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.normal(size=(40_000, 5)), 1) / np.sqrt(np.arange(1, 6))
    crossed = (np.abs(walk) > np.array(bounds((96, 192, 288, 384, 480)))).any(1).mean()
    assert crossed == pytest.approx(0.05, abs=0.004)
    assert (np.abs(walk) > 1.96).any(1).mean() > 0.12  # what looking at 5 % each time would give


def simulated(rng: np.random.Generator, share: float, right: float, asked: int, alike: float, images: int) -> Any:
    """Right answers with a pathway ablated and as the model is, (image,) each; half of the ablated ones are the
    model's own where it is right, and two answers about an image correlate by `alike`."""
    after = 0.5 + share * (right - 0.5)

    def draws() -> Any:
        copied = rng.random((images, asked)) < np.sqrt(alike)
        return np.where(copied, rng.random((images, 1)), rng.random((images, asked)))

    plain = draws()
    ablated = np.where(rng.random((images, asked)) < 0.5, plain, draws())
    return (ablated < after).sum(1).astype(float), (plain < right).sum(1).astype(float)


@pytest.mark.parametrize(("asked", "alike"), [(1, 0.0), (2, 0.5), (4, 1.0), (8, 0.0)])
@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_share_is_covered_at_its_rate(asked: int, alike: float, share: float) -> None:
    """A known share at 16 to 500 questions; a model that is always right, and one at .7. From five images on."""
    rng = np.random.default_rng([asked, int(10 * share)])
    for questions in (16, 60, 200, 500):
        images = round(questions / asked)
        if images < 5:
            continue
        for right in (1.0, 0.7):
            runs = [fieller(*simulated(rng, share, right, asked, alike, images), np.full(images, float(asked)))
                    for _ in range(RUNS)]  # fmt: skip
            missed = sum(one is not None and not one[1] - 1e-9 <= share <= one[2] + 1e-9 for one in runs) / RUNS
            assert missed <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / RUNS), (questions, right, missed)
            known = [one for one in runs if one is not None]
            if right == 1 and images >= 60:
                assert np.median([one[2] - one[1] for one in known]) < 8 / np.sqrt(images)


@pytest.mark.parametrize(("asked", "alike"), [(1, 0.0), (2, 0.0), (2, 1.0), (4, 0.5)])
@pytest.mark.parametrize("right", [1.0, 0.8])
def test_a_pathway_on_the_bound_is_misjudged_at_most_as_often_as_stated(asked: int, alike: float, right: float) -> None:
    """A share of exactly one half, looked at three times: told to be on a side in no more than 5 % of the runs."""
    rng = np.random.default_rng([asked, int(10 * alike), int(10 * right)])
    wrong = 0
    for _ in range(RUNS):
        ablated, plain = simulated(rng, BOUND, right, asked, alike, LOOKS[-1] // asked)
        for look, quantile in zip(LOOKS, bounds(LOOKS), strict=True):
            images = look // asked
            found = fieller(ablated[:images], plain[:images], np.full(images, float(asked)), quantile)
            if found is not None and (found[1] > BOUND or found[2] < BOUND):
                wrong += 1
                break
    assert wrong / RUNS <= 0.05 + 3.5 * np.sqrt(0.05 * 0.95 / RUNS)


def rows(rng: np.random.Generator, accuracies: dict[str, float], questions: int, asked: int = 2) -> Table:
    """Rows of `questions` with these accuracies, as order_plain=1; all questions of an image alike."""
    parts = []
    images = questions // asked
    for name, right in accuracies.items():
        about, condition = name.split("_")
        answered = np.repeat(rng.random(images) < right, asked)
        parts.append(
            pd.DataFrame(
                {
                    "example_id": [f"e{n}" for n in range(images * asked)],
                    "image_id": [f"i{n // asked}" for n in range(images * asked)],
                    "suite": "squares",
                    "direction": "left",
                    "asked": about,
                    "condition": condition,
                    "seed": None,
                    "answer": "red",
                    "choice": "red",
                    "correct": answered,
                    "choice_of_two": "red",
                    "correct_of_two": answered,
                    "p_answer_of_two": answered.astype(float),
                }
            )
        )
    return Table(PATHWAYS, pd.concat(parts, ignore_index=True))


HELD = {"control_plain": 1.0, "control_shuffled": 1.0, "control_removed": 1.0}
MODELS = [
    ("vision", {"order_plain": 1.0, "order_shuffled": 1.0, "order_removed": 0.5, **HELD}, "vision"),
    ("language", {"order_plain": 0.95, "order_shuffled": 0.5, "order_removed": 0.95, **HELD}, "language"),
    ("both", {"order_plain": 1.0, "order_shuffled": 1.0, "order_removed": 0.9, **HELD}, "both"),
    ("weak language", {"order_plain": 0.85, "order_shuffled": 0.5, "order_removed": 0.85, **HELD}, "language"),
    ("control at chance", {"order_plain": 1.0, "order_shuffled": 0.5, "order_removed": 1.0,
                           "control_plain": 0.6, "control_shuffled": 0.5, "control_removed": 0.6}, "language"),
    ("background", {"order_plain": 1.0, "order_shuffled": 1.0, "order_removed": 0.5, **HELD,
                    "control_removed": 0.5}, "cannot tell"),
    ("chance", {"order_plain": 0.5, "order_shuffled": 0.5, "order_removed": 0.5, **HELD}, "cannot tell"),
]  # fmt: skip


def asked_until_settled(rng: np.random.Generator, accuracies: dict[str, float]) -> Verdict:
    whole = rows(rng, accuracies, LOOKS[-1])
    for look in LOOKS:
        wanted = {f"e{n}" for n in range(look)}
        found = verdict(Table(PATHWAYS, whole.frame[whole.frame["example_id"].isin(wanted)]), LOOKS)
        if found.settled:
            return found
    raise AssertionError("the last look settles it")


@pytest.mark.parametrize(("name", "accuracies", "source"), MODELS, ids=[name for name, _, _ in MODELS])
def test_models_with_a_known_answer_are_judged_right(name: str, accuracies: dict[str, float], source: str) -> None:
    """Twelve models of each kind, two equal answers about each image: at least eleven right, and never the opposite."""
    rng = np.random.default_rng(len(name))
    found = [asked_until_settled(rng, accuracies) for _ in range(12)]
    assert sum(one.source == source for one in found) >= 11, [one.reason for one in found]
    assert {one.source for one in found} <= {source, "cannot tell"}
    if name == "background":
        assert {one.vision.outcome for one in found} == {"suffices"}
        assert {one.language.outcome for one in found} == {"cannot tell"}
    if name in ("vision", "both"):
        assert min(one.n for one in found) < LOOKS[-1]  # what is plain is decided early


def test_more_questions_do_not_undo_a_verdict() -> None:
    rng = np.random.default_rng(5)
    accuracies = MODELS[0][1]
    for questions in (30, 100, 200, 480):
        assert verdict(rows(rng, accuracies, questions, asked=1)).source == "vision", questions
