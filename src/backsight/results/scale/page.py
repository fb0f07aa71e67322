"""Scale and time as a page in Markdown: the answer, the figures, the claims, every number, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.maths.seeds import FEWEST
from backsight.results.pages.markdown import filled
from backsight.results.pages.wording import listed
from backsight.results.scale import text
from backsight.results.scale.claims import DEGREES, LEAST, scale_claims
from backsight.results.scale.tables import EARLY, scale_changes, sizes
from backsight.tables import Table

COMMAND = "python benchmarks/scale.py RUNS OUT --results docs"
MEASURED = """## What is measured
Each model is asked about rows of three squares in whole cells, each row in both orders: the relation to the middle
square, between the two outer ones, and which of two colors is there (presence). "What" is presence and "where" the
relation, both (accuracy - .5) / .5 where the gray picture gives no more than .5. The gap is what less where.

A model that knows which squares are there and not where they stand gives a row and its reverse one answer, correct of
one of them: its accuracy is exactly .5, and its "where" exactly 0, whatever it learned of how often triples stand in
which order. The triples are those that training shows in both orders. Where a row stands is drawn afresh, and a picture
may be one of those that training showed."""


def page(table: Table) -> str:
    """The page of a table of `scale` rows, with its figures beside it in `docs/images`.

    `table.provenance["facts"]` says how the models were trained and measured: steps, images, rate, questions, pathway
    shuffles, depth of CREG, sizes (name: what it is) and hardware (of those machines that measured).
    """
    rows, claims = table.rows(), scale_claims(table)
    judged = claims.rows()
    facts: Mapping[str, Any] = table.provenance.get("facts", {})
    parts = [
        "# Scale and time",
        "Does the what/where gap vanish with a larger model, or with more training? Does the pathway change? Does CREG "
        "gain on uniform relevance where the model is larger (CREG, section 6.5)? Small models, trained here.",
        f"**{text.answer(judged)}**",
        *filter(None, [text.ended_sentence(rows)]),
        "![Each number against the size of the model](../images/scale-size.svg)",
        "![Each number against the steps of training](../images/scale-steps.svg)",
        "## The claims",
        "\n".join(f"- {escape(text.claim_sentence(row), quote=False)}" for row in judged),
        _rule(len(judged)),
        "## The models after their last step",
        text.markdown(table),
        "Brackets hold 95 % intervals over rows of squares. Vision and language: the share of the accuracy above .5 "
        "that a pathway gives by itself. CREG: degrees that it is nearer to the true direction than uniform relevance.",
        *text.omissions(table),
        "## What the numbers say",
        "\n".join(f"- {escape(sentence, quote=False)}" for sentence in _sentences(rows)),
        *_changes(table),
        MEASURED,
        _made(table, facts),
    ]
    return filled("\n\n".join(parts)) + "\n"


def _rule(count: int) -> str:
    return (
        "Each claim is judged by one number a seed: confirmed where the mean over seeds differs from the bound to the "
        "side that the sentence says, not confirmed where it differs to the other, undecided else (p < .05 by "
        f"Student's test, Holm over those of the {count} claims that have {FEWEST} seeds or more). Brackets hold 95 % "
        "intervals over seeds, before Holm; none is narrower than the error that the rows of squares leave. Changes "
        f"are paired by seed. The smallest gap that counts is {NO_GAP:g}, the smallest change {LEAST:g}, of CREG "
        f"{DEGREES:g} degrees. Claims and bounds were fixed after runs of half the length had been examined, and "
        "before these were."
    )


def _sentences(rows: list[dict[str, Any]]) -> list[str]:
    lines = [text.spread_sentence(rows), text.order_sentence(rows), text.pathway_sentence(rows)]
    return [line for line in (*lines, text.creg_sentence(rows)) if line]


def _changes(table: Table) -> list[str]:
    """The changes with size and with steps, and what their numbers are; nothing where nothing is compared."""
    changes = text.changes_markdown(scale_changes(table).rows())
    about = (
        f"Means are over the seeds that have both ends, brackets hold 95 % intervals over {FEWEST} seeds or more. No "
        "verdict rests on these numbers but those of the claims above."
    )
    return [changes, about] if changes else []


def _made(table: Table, facts: Mapping[str, Any]) -> str:
    named = sizes(table)
    seeds = len({row["seed"] for row in table.rows()})
    steps = sorted({row["steps"] for row in table.rows()})
    known = facts.get("sizes", {})
    words = [f"`{size}` ({known[size]})" if size in known else f"`{size}`" for size in named]
    lines = ["## How it is made", f"`{COMMAND}` trains what is missing in `RUNS`, measures what was not measured and "
             "writes this page; a run or a number of another recipe, of other weights or of other parameters is not "
             "used."]  # fmt: skip
    if facts:
        lines.append(
            f"One recipe, `scale`: Qwen2-VL on {facts['grid']}, three squares in a row or a column anywhere, four "
            f"questions a picture (two relations, an extreme, presence), {facts['steps']:,} steps of {facts['images']} "
            f"pictures, rate {facts['rate']:g}. Each model is asked {facts['questions']} relations, with "
            f"{facts['shuffles']} shuffles of its image tokens; CREG takes {facts['depth']} layers."
        )
        lines.append(f"Measured on {listed(facts['hardware'])}, one thread, fp32.")
    lines.append(
        f"Sizes: {escape(listed(words), quote=False)}; {seeds} {'seed' if seeds == 1 else 'seeds'}; measured after "
        f"{listed(f'{step:,}' for step in steps)} steps. Changes with steps go from the first of these at or after "
        f"1/{EARLY} of a run to its end. Every number is in [scale.csv](scale.csv)."
    )
    lines.append(_limit(len(named)))
    return "\n\n".join(lines)


def _limit(count: int) -> str:
    number = {1: "One size", 2: "Two sizes"}.get(count, f"{count} sizes")
    return (
        f"{number} of one small architecture, trained on squares: what holds at the sizes of real models is not shown."
    )
