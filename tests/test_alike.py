"""What many suites have in common is said once: names in a sentence, columns that never vary."""

from __future__ import annotations

import pytest

from backsight.results.pages.alike import among, slim
from backsight.results.pages.content import Grid


@pytest.mark.parametrize(
    ("names", "of", "said"),
    [
        (["A"], 1, "A"),
        (["A", "B"], 2, "A and B"),
        (["A", "B", "C", "D"], 4, "A, B, C and D"),
        (["A", "B"], 9, "A and B"),
        (list("ABCDE"), 5, "all 5 suites"),
        (list("ABCDE"), 6, "5 of 6 suites"),
    ],
)
def test_suites_are_named_where_they_are_few(names: list[str], of: int, said: str) -> None:
    assert among(names, of) == said


def test_targets_have_their_own_limit() -> None:
    assert among(["A", "B", "C"], 3, "targets", few=2) == "all 3 targets"
    assert among(["A", "B", "C"], 4, "targets", few=2) == "3 of 4 targets"


def table(*rows: tuple[str, ...]) -> Grid:
    return Grid("T", ("Suite", "Tokens", "Layer", "n"), rows, words=2, note="Read so.", suites=("s",) * len(rows))


def test_a_column_that_never_varies_goes_into_the_note() -> None:
    both = slim(table(("A", "objects", "1", "24"), ("B", "objects", "2", "24")), "Tokens", "n", "Layer")
    assert both.columns == ("Suite", "Layer") and both.rows == (("A", "1"), ("B", "2"))
    assert both.words == 1 and both.suites == ("s", "s")
    assert both.note == "Read so. The same in every row: Tokens: objects; n: 24."


def test_a_column_that_varies_or_is_not_named_and_a_single_row_stay() -> None:
    whole = table(("A", "objects", "1", "24"), ("B", "strips", "1", "24"))
    assert slim(whole, "Tokens") == slim(whole) == whole
    one = table(("A", "objects", "1", "24"))
    assert slim(one, "Tokens", "n") == one
