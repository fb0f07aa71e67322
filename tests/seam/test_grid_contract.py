"""The grid contract as a test: how often it is wrong, and what it makes of models that give little evidence."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from backsight.errors import ContractWarning
from backsight.grid import TokenGrid
from backsight.models import contracts, grid_contract
from backsight.models.families import FAMILIES as ROWS
from backsight.models.families.common import image_features
from backsight.models.opening import load
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.training.questions import corpus

from .conftest import FAMILIES, parts

BUILTIN = ("plain", "vision", "language", "both", "gemma")
Changes = np.ndarray[Any, np.dtype[np.float64]]


def outcome(changes: Changes, tokens: TokenGrid, order: list[int]) -> str:
    """What the contract makes of relative changes (cell, token), look by look."""
    for look in grid_contract.LOOKS:
        against = grid_contract.compared(changes[:look], tokens, order[:look])
        if grid_contract.worse(against):
            return "refused"
        if grid_contract.better(against):
            return "passed"
    return "undecided"


def outcomes(side: int, lift: float, times: int, seed: int = 0) -> Counter[str]:
    """Of random changes, by token and by cell, in which the named token's are `lift` higher (logarithm)."""
    rng, tokens = np.random.default_rng(seed), TokenGrid.rectangle(side, side, (side * 28, side * 28))
    counted: Counter[str] = Counter()
    for _ in range(times):
        order = [int(cell) for cell in rng.permutation(len(tokens))[:36]]
        changes = rng.normal(0, 0.7, (1, len(tokens))) + rng.normal(0, 0.5, (len(order), len(tokens)))
        changes[np.arange(len(order)), order] += lift
        counted[outcome(np.exp(changes), tokens, order)] += 1
    return counted


@pytest.mark.parametrize("side", [12, 4])
def test_without_evidence_a_grid_is_hardly_ever_refused(side: int) -> None:
    """At most four in a thousand; nor does it pass."""
    counted = outcomes(side, 0.0, 60)
    assert counted["refused"] <= 1 and counted["passed"] == 0


@pytest.mark.parametrize(("lift", "least"), [(1.0, 0.95), (2.0, 1.0)])
def test_a_true_grid_passes_where_the_named_token_changes_a_little_more(lift: float, least: float) -> None:
    """At a share of change of .02 and .05, where one in 144 has .007."""
    counted = outcomes(12, lift, 40)
    assert counted["refused"] == 0 and counted["passed"] >= least * 40


def test_a_token_that_answers_to_everything_does_not_speak_against_the_grid() -> None:
    """Shares of .004 at the named cell and .011 beside it: the fit is less the token's mean over cells."""
    rng, tokens = np.random.default_rng(3), TokenGrid.rectangle(12, 12, (336, 336))
    order = [int(cell) for cell in rng.permutation(144)[:36]]
    loud = np.ones(144)
    loud[[(cell + 1) % 144 for cell in order]] = 3.0
    changes = loud * np.exp(rng.normal(0, 0.1, (36, 144)))
    changes[np.arange(36), order] *= 1.4
    shares = changes / changes.sum(1, keepdims=True)
    right = (np.array(order) + 1) % 144
    assert shares[np.arange(36), order].mean() < shares[np.arange(36), right].mean()
    assert outcome(changes, tokens, order) == "passed"


@pytest.mark.parametrize(("own", "verdict"), [(0.97, "undecided"), (0.2, "undecided")])
def test_a_token_that_answers_least_to_its_own_cell_speaks_for_no_rival(own: float, verdict: str) -> None:
    """As in an encoder that mixes and knows no position: all others change alike, so none is where the change went."""
    rng, tokens = np.random.default_rng(3), TokenGrid.rectangle(8, 8, (112, 112))
    order = [int(cell) for cell in rng.permutation(64)[:36]]
    changes = np.exp(rng.normal(0, 1e-6, (36, 64)))
    changes[np.arange(36), order] *= own
    assert outcome(changes, tokens, order) == verdict
    beside = (np.array(order) + 1) % 64  # and where one other token stands out, it is refused all the same
    changes[np.arange(36), beside] *= 2.0
    assert outcome(changes, tokens, order) == "refused"


def test_levels_by_hand() -> None:
    """Nine cells, all of them better: 1/512. Eleven of twelve worse, all but the nearest: 2/4096."""
    assert grid_contract._tested(np.arange(1.0, 10.0)) == pytest.approx((9, 1 / 512, 1.0, 5.0, 0.0))
    against = grid_contract._tested(np.array([0.5, *-np.arange(1.0, 12.0)]))
    assert against.worse == pytest.approx(2 / 4096)
    assert grid_contract._tested(np.zeros(9)) == (9, 1.0, 1.0, 0.0, 0.0)
    eight = {str(k): grid_contract.Against(9, 1 / 512, 1.0) for k in range(8)}
    assert grid_contract.better(eight) and not grid_contract.better(eight | {"tie": grid_contract.Against(9, 0.4, 0.6)})
    assert not grid_contract.better({})
    refused = grid_contract.Against(13, 1.0, 1 / 8192)
    assert grid_contract.worse(eight | {"shifted left": refused}) == ["shifted left"]
    assert grid_contract.worse({**eight, **{str(k): refused for k in range(8, 17)}}) == []  # one of 17 rivals


@pytest.mark.parametrize("name", BUILTIN)
def test_every_builtin_model_passes_without_warning(name: str) -> None:
    finding = contracts.grid(load(f"builtin:{name}", check=False))
    assert finding.passed and not finding.warning, finding.detail
    assert "over 9 cells" in finding.detail


@pytest.mark.parametrize("family", FAMILIES)
def test_random_weights_of_every_family_pass_without_warning(family: str) -> None:
    finding = contracts.grid(VLM(*parts(family), check=False))
    assert finding.passed and not finding.warning, finding.detail


class Mixed(torch.nn.Module):
    """A projector behind which each image token is a random mixture of all: every change is everywhere."""

    def __init__(self, projector: torch.nn.Module) -> None:
        super().__init__()
        self.projector = projector

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        values: Tensor = self.projector(*args, **kwargs)
        orthogonal = torch.linalg.qr(torch.randn(36, 36, generator=torch.Generator().manual_seed(0)))[0]
        return (orthogonal @ values.view(-1, 36, values.shape[-1])).view_as(values)


def test_a_model_that_spreads_every_change_opens_with_a_warning() -> None:
    """In the model itself, so that all contracts run; after 36 cells, with what to do about it."""
    model, processor = tiny("paligemma", corpus())
    model.model.multi_modal_projector = Mixed(model.model.multi_modal_projector)
    with pytest.warns(ContractWarning, match="the token grid is right") as caught:
        vlm = VLM(model, processor, name="spread")
    words = next(str(w.message) for w in caught if w.category is ContractWarning)
    assert "where: spread" in words and "over 36 cells" in words and "do:    see with `backsight study" in words
    finding = next(f for f in vlm.findings if f.warning)
    assert finding.passed and "do not tell it from" in finding.detail
    assert [f.name for f in contracts.all_of(vlm) if not f.passed] == []


def test_a_model_that_passes_warns_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error", ContractWarning)
        VLM(*parts("qwen2_vl"))


def test_an_order_that_is_no_rival_is_refused_where_a_change_stays_in_one_token() -> None:
    """Image tokens in a random order: each change falls on one token, and never on the one that the grid names."""
    order = torch.randperm(36, generator=torch.Generator().manual_seed(0))

    def shuffled(model: Any, inputs: Any) -> Tensor:
        values = image_features(model, inputs)
        return values.view(-1, 36, values.shape[-1])[:, order].flatten(0, 1)

    model, processor = parts("qwen2_vl")
    vlm = VLM(model, processor, family=replace(ROWS["qwen2_vl"], features=shuffled), check=False)
    finding = contracts.grid(vlm)
    assert not finding.passed and "one other token each fits better" in finding.detail
