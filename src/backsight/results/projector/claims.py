"""What is said of the lengths of image embeddings and of a norm behind the projector, judged by numbers.

The rules were written down before any of these models was examined. A sentence is one or two tests. A test holds where
the 95 % interval of its number lies wholly on the side that the sentence says, and fails where it lies wholly on the
other one. Confirmed: all tests hold. Not confirmed: one fails. Undecided: else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from backsight.maths.grouping import expect
from backsight.results.projector.tables import PROJECTOR, WHERE, Estimate, Runs, Term, by_run, estimate
from backsight.tables import Schema, Table

Verdict = Literal["confirmed", "not confirmed", "undecided"]
SMALL = 0.05
LONGER = 10.0  # times as long as text embeddings, the least that is published of LLaVA
RULE = (
    "A test holds where the 95 % interval of its number lies wholly on the side that the sentence says, and fails "
    "where it lies wholly on the other side. Confirmed: all tests of the sentence hold. Not confirmed: one fails. "
    "Undecided: else. The rules were written down before any of these models was examined."
)


@dataclass(frozen=True)
class Test:
    """A number that a sentence is judged by, the sum of `terms`. It holds above `above`, or below `below`."""

    __test__ = False  # no test of pytest's

    measured: str
    terms: tuple[Term, ...]
    above: float | None = None
    below: float | None = None

    def outcome(self, of: Estimate) -> Verdict:
        """Whether the interval lies wholly inside (confirmed), wholly outside, or neither."""
        if of.low is None or of.high is None:
            return "undecided"
        if self.above is not None:
            return "confirmed" if of.low > self.above else "not confirmed" if of.high < self.above else "undecided"
        assert self.below is not None
        return "confirmed" if of.high < self.below else "not confirmed" if of.low > self.below else "undecided"

    @property
    def wanted(self) -> str:
        """The side on which the test holds, in words."""
        return f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"


@dataclass(frozen=True)
class Claim:
    """A sentence and its tests. `ours` says that no source has it and that it stands beside those that have."""

    key: str
    quote: str
    tests: tuple[Test, ...]
    ours: bool = False


def _less(one: str, other: str, measure: str, pictures: str = "clean", factor: float = 1.0) -> tuple[Term, ...]:
    return Term(one, pictures, measure, factor), Term(other, pictures, measure, -factor)


_SPECIFIC = (*_less("large", "plain", "above where"), *_less("large", "plain", "above what", factor=-1.0))
CLAIMS: tuple[Claim, ...] = (
    Claim(
        "premise", "Image embeddings are at least 10 times as long as text embeddings, as published of LLaVA",
        (Test("ratio of the lengths, plain projector, trained", (Term("plain", "clean", "ratio"),), above=LONGER),),
        ours=True,
    ),
    Claim(
        "suppression", "embedding norm suppression",
        (Test("accuracy of where, long embeddings less plain", _less("large", "plain", WHERE), below=0.0),
         Test("the same less that of what, as shares of the ranges above chance", _SPECIFIC, below=0.0)),
    ),
    Claim(
        "bag", "the model appears to treat the image as a bag of semantic features",
        (Test("share of the accuracy of where above chance lost by shuffled image tokens, long embeddings less plain",
              _less("large", "plain", "corrected_where"), below=0.0),),
    ),
    Claim(
        "counteract", "To counteract this, recent work proposes embedding norm normalization",
        (Test("accuracy of where, with the norm less long embeddings", _less("normed", "large", WHERE), above=0.0),),
    ),
    Claim(
        "better", "A norm behind the projector makes a model better at where than the plain projector",
        (Test("accuracy of where, with the norm less plain", _less("normed", "plain", WHERE), above=0.0),),
        ours=True,
    ),
    Claim(
        "sooner", "With the norm where is learned sooner than with the plain projector",
        (Test("mean accuracy of where along training, with the norm less plain",
              _less("normed", "plain", WHERE, "training"), above=0.0),),
        ours=True,
    ),
    Claim(
        "degraded", "The norm helps on degraded pictures",
        (Test("accuracy of where on degraded pictures, with the norm less plain",
              _less("normed", "plain", WHERE, "degraded"), above=0.0),),
        ours=True,
    ),
    Claim(
        "partial", "balancing signal magnitudes is only a partial fix",
        (Test("accuracy of what less that of where with the norm, as shares of the ranges above chance",
              (Term("normed", "clean", "above what"), Term("normed", "clean", "above where", -1.0)), above=SMALL),),
    ),
)  # fmt: skip
PROJECTOR_CLAIMS = Schema(
    "projector_claims",
    {
        "claim": "str",
        "quote": "str",
        "ours": "bool",
        "measured": "str",
        "seeds": "int",
        "value": "float",
        "low": "float",
        "high": "float",
        "holds": "str",  # on which side the test holds
        "outcome": "str",  # of the test
        "verdict": "str",  # of the sentence
    },
    "Sentences on the lengths of image embeddings, each with its tests and verdict",
)


def verdict(outcomes: Sequence[Verdict]) -> Verdict:
    """Of all tests of a sentence: one that fails decides, else one that is open."""
    if "not confirmed" in outcomes:
        return "not confirmed"
    return "undecided" if "undecided" in outcomes or not outcomes else "confirmed"


def projector_claims(rows: Table) -> Table:
    """Every sentence with its tests, a row a test, from the rows of all examined models."""
    expect(rows, PROJECTOR.name)
    runs: Runs = by_run(rows.rows())
    judged = []
    for claim in CLAIMS:
        numbers = [estimate(runs, *test.terms) for test in claim.tests]
        outcomes = [test.outcome(number) for test, number in zip(claim.tests, numbers, strict=True)]
        for test, number, outcome in zip(claim.tests, numbers, outcomes, strict=True):
            judged.append(
                {
                    "claim": claim.key, "quote": claim.quote, "ours": claim.ours, "measured": test.measured,
                    "seeds": len(number.each), "value": number.mean, "low": number.low, "high": number.high,
                    "holds": test.wanted, "outcome": outcome, "verdict": verdict(outcomes),
                }
            )  # fmt: skip
    return Table.of(PROJECTOR_CLAIMS, judged, rows.provenance)
