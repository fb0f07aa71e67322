"""The names of relevance, which tables, results and measurements share: data, and the same everywhere."""

from __future__ import annotations

import pandas as pd

from backsight.maths import relevance as names
from backsight.measurements import relevance
from backsight.results.creg.reading import PROJECTION_WORDS
from backsight.results.relevance.summaries import of_methods
from backsight.results.relevance.words import METHOD_WORDS, REFERENCE_WORDS, TRUE_SECTOR


def test_the_method_without_a_target_is_asked_for_and_not_named() -> None:
    assert frozenset({"rollout"}) == names.UNTARGETED
    assert relevance.METHODS is names.METHODS
    assert names.METHODS["creg"].targeted and not names.METHODS["rollout"].targeted


def test_every_name_has_words() -> None:
    assert set(METHOD_WORDS) == set(names.METHODS)
    assert set(REFERENCE_WORDS) == {TRUE_SECTOR, names.EFFECTS, *names.REFERENCES}
    assert {names.DEFAULT, *names.ELSEWHERE} <= set(PROJECTION_WORDS)


def test_references_and_effects_are_no_methods() -> None:
    rows = pd.DataFrame({"method": ["creg", "mine", "rollout", *names.REFERENCES, names.EFFECTS]})
    assert list(of_methods(rows)["method"]) == ["creg", "mine", "rollout"]
