"""What is said of positional encodings, each sentence judged by numbers, by rules that were fixed before any model was
examined.

A sentence is one or two tests. A test holds where the 95 % interval of its number lies wholly on the side that the
sentence says, and fails where it lies wholly on the other one. Confirmed: all tests hold. Not confirmed: one fails.
Undecided: else. Sources: the blog post on what and where, quoted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from backsight.maths.grouping import expect
from backsight.results.positional import settings as names
from backsight.results.positional.estimates import Estimate, Runs, difference, drop, excess, lost, over, plain
from backsight.results.positional.tables import PLACEMENTS, POSITIONAL, UNSEEN, by_run
from backsight.tables import Schema, Table

Verdict = Literal["confirmed", "not confirmed", "undecided"]
HALF, SMALL = 0.5, 0.05
CHANCE_BAND = (0.4, 0.6)
KNOWN = 0.75  # of the presence question, which needs no position
CHANGED = tuple(f"{size}, {placement}" for size in ("larger", "wide", "tall") for placement in PLACEMENTS)
RULE = (
    "Each sentence has one or two tests. A test holds where the 95 % interval of its number lies wholly on the side "
    "that the sentence says, and fails where it lies wholly on the other. Confirmed: all tests hold; not confirmed: "
    "one fails; undecided: else. Numbers are means over settings that learned their trained positions (accuracy of "
    "relations at least .75), over seeds within them; intervals generalise over seeds. Another size is larger (12x12), "
    "wide (12x8) or tall (8x12) than 8x8, rows at the same cells or the same fractions of the picture, all weighing "
    "alike. The rules were written down before any of the models was examined."
)


@dataclass(frozen=True)
class Test:
    """A number that a sentence is judged by. It holds above `above` and below `below`, where they are given."""

    __test__ = False  # no test of pytest's

    measured: str
    number: Callable[[Runs], Estimate]
    above: float | None = None
    below: float | None = None

    def outcome(self, of: Estimate) -> Verdict:
        """Whether the interval lies wholly inside (confirmed), wholly outside on one side, or neither."""
        if of.value is None or of.low is None or of.high is None:
            return "undecided"
        if self.above is not None and of.high < self.above:
            return "not confirmed"
        if self.below is not None and of.low > self.below:
            return "not confirmed"
        inside = (self.above is None or of.low > self.above) and (self.below is None or of.high < self.below)
        return "confirmed" if inside else "undecided"

    @property
    def wanted(self) -> str:
        """The side on which the test holds, in words."""
        if self.above is not None and self.below is not None:
            return f"from {self.above:g} to {self.below:g}"
        return f"above {self.above:g}" if self.above is not None else f"below {self.below:g}"


@dataclass(frozen=True)
class Claim:
    """A sentence, of whom it is judged, and its tests. `beside` says that it is ours, put beside the post's."""

    key: str
    quote: str
    tests: tuple[Test, ...]
    beside: bool = False


def _of(settings: Sequence[str], quantity: Any, *, learned: bool = True) -> Callable[[Runs], Estimate]:
    return lambda runs: over(runs, settings, quantity, learned=learned)


def _less(
    one: Sequence[str], other: Sequence[str], quantity: Any, *, learned: bool = True
) -> Callable[[Runs], Estimate]:
    def number(runs: Runs) -> Estimate:
        first, second = (over(runs, settings, quantity, learned=learned) for settings in (one, other))
        return difference(first, second, runs, quantity)

    return number


_RELATION, _PRESENCE = plain("relation"), plain("presence")
CLAIMS: tuple[Claim, ...] = (
    Claim(
        "ape-resolution", "absolute position encoding \u2026 fails when the resolution changes",
        (Test("share of the accuracy above chance lost at other sizes, absolute",
              _of(names.ABSOLUTE, lost(*CHANGED)), above=HALF),),
    ),
    Claim(
        "ape-interpolation", "stretch or interpolate embeddings to a new size, but this distorts spatial relationships",
        (Test("accuracy of relations lost at other sizes, interpolated tables",
              _of(names.LEARNED, drop(*CHANGED)), above=SMALL),
         Test("\u2026 more than the presence question loses", _of(names.LEARNED, excess(*CHANGED)), above=0.0)),
    ),
    Claim(
        "ape-locations", "The model overfits to specific locations, limiting its ability to generalize or be "
        "translation-invariant",
        (Test("accuracy of relations lost at unseen positions of the trained size, absolute",
              _of(names.ABSOLUTE, drop(UNSEEN)), above=SMALL),),
    ),
    Claim(
        "ape-locations-beside", "Absolute encodings lose more at unseen positions than relative and rotary ones",
        (Test("accuracy lost at unseen positions, absolute less relative and rotary",
              _less(names.ABSOLUTE, names.RELATIVE + names.ROTARY, drop(UNSEEN)), above=0.0),),
        beside=True,
    ),
    Claim(
        "rpe-sizes", "To move beyond fixed grid sizes, later work introduces relative position encoding",
        (Test("accuracy lost at other sizes, absolute less relative",
              _less(names.ABSOLUTE, names.RELATIVE, drop(*CHANGED)), above=0.0),),
    ),
    Claim(
        "rope-sizes", "Today, the de facto standard \u2026 is rotary positional encoding",
        (Test("accuracy lost at other sizes, absolute less rotary (use itself is not tested)",
              _less(names.ABSOLUTE, names.ROTARY, drop(*CHANGED)), above=0.0),),
    ),
    Claim(
        "mrope-layout", "more expressive positional encodings (from APE to RPE to RoPE and M-RoPE) to better preserve "
        "the 2D layout of images",
        (Test("accuracy of relations, M-RoPE less causal order only",
              _less(names.MROPE, ("language-causal",), _RELATION, learned=False), above=0.0),),
    ),
    Claim(
        "two-axes", "Two rotary axes preserve the layout better than one",
        (Test("accuracy of relations, 2-D less 1-D rotary in the vision encoder",
              _less(("vision-rotary-2d",), ("vision-rotary-1d",), _RELATION, learned=False), above=0.0),),
        beside=True,
    ),
    Claim(
        "mrope-effect", "positional encodings, including mechanisms like M-RoPE, have little effect on the "
        "model\u2019s output",
        (Test("share of the accuracy above chance lost by shuffled image tokens, M-RoPE",
              _of(names.MROPE, plain("psi", "kept")), below=HALF),),
    ),
    Claim(
        "bag", "Without positional information, the model treats the image as a bag-of-patches",
        (Test("accuracy of relations without any encoding, image tokens see each other both ways",
              _of(("none",), _RELATION, learned=False), above=CHANCE_BAND[0], below=CHANCE_BAND[1]),
         Test("accuracy of the presence question", _of(("none",), _PRESENCE, learned=False), above=KNOWN)),
    ),
    Claim(
        "bag-causal", "The same without any encoding, image tokens in causal order",
        (Test("accuracy of relations", _of(("language-causal",), _RELATION, learned=False),
              above=CHANCE_BAND[0], below=CHANCE_BAND[1]),
         Test("accuracy of the presence question", _of(("language-causal",), _PRESENCE, learned=False), above=KNOWN)),
        beside=True,
    ),
)  # fmt: skip
POSITIONAL_CLAIMS = Schema(
    "positional_claims",
    {
        "claim": "str",
        "quote": "str",
        "ours": "bool",  # put beside the post's sentences
        "measured": "str",
        "settings": "str",
        "seeds": "int",  # of the least replicated setting
        "left_out": "str",  # settings that did not learn their trained positions
        "missing": "str",  # settings without such a number
        "value": "float",
        "low": "float",
        "high": "float",
        "holds": "str",  # on which side the test holds
        "outcome": "str",  # of the test
        "verdict": "str",  # of the sentence
    },
    "Sentences on positional encodings, each with its tests and verdict",
)


def verdict(outcomes: Sequence[Verdict]) -> Verdict:
    """Of all tests of a sentence: one that fails decides, else one that is open."""
    if "not confirmed" in outcomes:
        return "not confirmed"
    return "undecided" if "undecided" in outcomes or not outcomes else "confirmed"


def positional_claims(rows: Table) -> Table:
    """Every sentence with its tests, a row a test, from the rows of all examined models."""
    expect(rows, POSITIONAL.name)
    runs = by_run(rows.rows())
    judged = []
    for claim in CLAIMS:
        numbers = [test.number(runs) for test in claim.tests]
        outcomes = [test.outcome(number) for test, number in zip(claim.tests, numbers, strict=True)]
        for test, number, outcome in zip(claim.tests, numbers, outcomes, strict=True):
            judged.append(
                {
                    "claim": claim.key, "quote": claim.quote, "ours": claim.beside, "measured": test.measured,
                    "settings": ", ".join(number.settings), "seeds": number.seeds,
                    "left_out": ", ".join(number.left_out), "missing": ", ".join(number.missing),
                    "value": number.value, "low": number.low, "high": number.high, "holds": test.wanted,
                    "outcome": outcome, "verdict": verdict(outcomes),
                }
            )  # fmt: skip
    return Table.of(POSITIONAL_CLAIMS, judged, rows.provenance)


def sentence(rows: Sequence[dict[str, Any]]) -> str:
    """What the tests of one sentence say, in words and numbers, its verdict first."""
    parts = []
    for row in rows:
        if row["value"] is None:
            why = f"not learned: {row['left_out']}" if row["left_out"] else "not measured"
            parts.append(f"{row['measured']}: no number ({why})")
        elif row["low"] is None:
            parts.append(f"{row['measured']}: {row['value']:.2f}, of one seed")
        else:
            interval = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}]"
            parts.append(f"{row['measured']}: {interval}, to be {row['holds']}")
    first = rows[0]
    head = first["verdict"][:1].upper() + first["verdict"][1:]
    return f"{head}. {'; '.join(parts)}."
