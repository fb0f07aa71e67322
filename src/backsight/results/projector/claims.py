"""What is said of the lengths of image embeddings and of a norm behind the projector, judged by numbers.

A sentence is one or two tests, each of a number over seeds beside a bound (`maths.verdicts`). Confirmed: all tests lie
on the side that the sentence says, shown after Holm over the sentences. Not confirmed: one is shown on the other side.
Undecided: else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from backsight.maths.grouping import expect
from backsight.maths.verdicts import LEVEL, Judged, Verdict, holm, judged
from backsight.results.projector.tables import PROJECTOR, WHERE, Runs, Term, by_run, estimate
from backsight.tables import Schema, Table

SMALL = 0.05
KNOWN = 0.5  # of the range above chance
LONGER = 10.0  # times as long as text embeddings, the least that is published of LLaVA
RULE = (
    "Each test is Student's t over seeds, paired by seed, against the bound in the column \u201cHolds if\u201d; "
    "values have 95 % intervals. p of a sentence is the largest of its tests, or, where a mean lies on the other side, "
    "the smallest of those on that side times the number of tests; it is adjusted by Holm over all sentences that "
    f"have one. Confirmed: all means lie on the side that the sentence says, and p < {LEVEL:g}. Not confirmed: one "
    f"lies on the other side, and p < {LEVEL:g}. Undecided: else, also with fewer than three seeds. Neither the "
    "length of training nor the tests were fixed beforehand: models of 100 steps had been examined when 400 were "
    "chosen, and after that the questions, the lengths that the norm takes and some tests were changed."
)


@dataclass(frozen=True)
class Test:
    """A number that a sentence is judged by, the sum of `terms`. It holds above `above`, or below `below`."""

    __test__ = False  # no test of pytest's

    measured: str
    terms: tuple[Term, ...]
    above: float | None = None
    below: float | None = None

    def judge(self, runs: Runs) -> Judged | None:
        """The number over seeds beside its bound; None where no seed has it."""
        each = [value for _, value in estimate(runs, *self.terms).each]
        if not each:
            return None
        if self.above is not None:
            return judged(each, "above", self.above)
        assert self.below is not None
        return judged(each, "below", self.below)

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


_MENDED = Test("accuracy of where, with the norm less long embeddings", _less("normed", "large", WHERE), above=0.0)
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
        (Test("accuracy of where lost by shuffled image tokens, long embeddings less plain",
              _less("large", "plain", "lost_where"), below=0.0),
         Test("accuracy of what, long embeddings, as a share of the range above chance",
              (Term("large", "clean", "above what"),), above=KNOWN)),
    ),
    Claim(
        "counteract", "To counteract this, recent work proposes embedding norm normalization",
        (_MENDED,),
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
        (_MENDED,  # without it there is no fix, and a short training leaves a gap by itself
         Test("accuracy of what less that of where with the norm, as shares of the ranges above chance",
              (Term("normed", "clean", "above what"), Term("normed", "clean", "above where", -1.0)), above=SMALL)),
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
        "p": "float",  # of the test, two-sided
        "adjusted": "float",  # of the sentence, by Holm over all
        "verdict": "str",  # of the sentence
    },
    "Sentences on the lengths of image embeddings, each with its tests and verdict",
)


def p_of(tests: Sequence[Judged | None]) -> float | None:
    """p of a sentence from those of its tests: that all hold, or that one of those on the other side is there.

    All hold no less surely than the least sure one; of several that may fail the surest is one of as many. None where
    nothing lies on the other side and a test has no p.
    """
    against = [one.p for one in tests if one is not None and one.p is not None and not holds(one)]
    if against:
        return min(1.0, min(against) * len(tests))
    ps = [None if one is None else one.p for one in tests]
    known = [p for p in ps if p is not None]
    return max(known) if known and len(known) == len(ps) else None


def holds(test: Judged) -> bool:
    """Whether the mean lies on the side that the sentence says."""
    return test.mean > test.bound if test.side == "above" else test.mean < test.bound


def verdict(tests: Sequence[Judged | None], adjusted: float | None) -> Verdict:
    """Of a sentence, from the sides of its tests and its adjusted p."""
    if adjusted is None or adjusted >= LEVEL:
        return "undecided"
    return "confirmed" if all(one is not None and holds(one) for one in tests) else "not confirmed"


def projector_claims(rows: Table) -> Table:
    """Every sentence with its tests, a row a test, from the rows of all examined models."""
    expect(rows, PROJECTOR.name)
    runs: Runs = by_run(rows.rows())
    every = [[test.judge(runs) for test in claim.tests] for claim in CLAIMS]
    ps = [p_of(tests) for tests in every]
    known = iter(holm([p for p in ps if p is not None]))
    adjusted = [None if p is None else next(known) for p in ps]
    lines = []
    for claim, tests, p in zip(CLAIMS, every, adjusted, strict=True):
        for test, number in zip(claim.tests, tests, strict=True):
            of = (0, *[None] * 4) if number is None else (number.n, number.mean, number.low, number.high, number.p)
            lines.append(
                {
                    "claim": claim.key, "quote": claim.quote, "ours": claim.ours, "measured": test.measured,
                    **dict(zip(("seeds", "value", "low", "high", "p"), of, strict=True)),
                    "holds": test.wanted, "adjusted": p, "verdict": verdict(tests, p),
                }
            )  # fmt: skip
    return Table.of(PROJECTOR_CLAIMS, lines, rows.provenance)
