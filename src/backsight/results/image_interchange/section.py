"""Interchange of image tokens, with the vision encoder's order intact and after its removal.

Both are made of `image_interchange_summary`, `flip_layers` and `axes`; a study has the rows of either, or of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backsight.maths.intervals import holm
from backsight.results.drawing.sweeps import TOKEN_WORDS
from backsight.results.image_interchange import text
from backsight.results.image_interchange.beside import pathway_sentence
from backsight.results.image_interchange.figure import FLIP_WORDS, draw
from backsight.results.image_interchange.tables import flip_layers
from backsight.results.pages import common, layers
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.study import text as text_of
from backsight.results.pages.wording import decimal, listed, p_value, with_interval
from backsight.tables import Table

Row = dict[str, Any]
COLUMNS = {"clean": "Clean answer", "flipped": "Flipped answer"}
LEVEL = 0.05  # of Holm's p, below which a difference counts as shown
LEAST = 0.01  # a difference of probability nearer to zero than this is none that matters, whatever its p


@dataclass(frozen=True)
class _Kind:
    """What differs between the two sections."""

    anchor: str
    vision: str
    job: str
    control: str  # the positive control that a "no layer" stands beside
    title: str
    question: str
    lead: str
    caption: str
    method: tuple[str, ...]
    limits: tuple[str, ...]


INTACT = _Kind(
    "image_interchange", "intact", "imageinterchange", "image_interchange", "Interchange of image tokens",
    "Do swapped image tokens flip the answer", "Layers at which they do:",
    text.IMAGES_CAPTION, text.IMAGES, text.IMAGES_LIMITS,
)  # fmt: skip
REMOVED = _Kind(
    "backup", "removed", "backup", "backup", "Backup: the same after removal",
    "Does the language model write order into object tokens",
    "Layers at which swapped object tokens flip the answer when the vision encoder's order is removed, so that it goes "
    "by an order written into them:",
    text.BACKUP_CAPTION, text.BACKUP, text.BACKUP_LIMITS,
)  # fmt: skip


def image_interchange(study: Study) -> Section | None:
    """The section with the vision encoder's order intact, and its answer; None without such rows."""
    return _part(study, INTACT)


def backup(study: Study) -> Section | None:
    """The section after removal, and its answer; None without such rows."""
    return _part(study, REMOVED)


def _part(study: Study, kind: _Kind) -> Section | None:
    rows = [row for row in study.rows("image_interchange_summary") if row["vision"] == kind.vision]
    if not rows:
        return None
    whole = study.tables["image_interchange_summary"]
    table = Table(whole.schema, whole.frame[whole.frame["vision"] == kind.vision], whole.provenance)
    flips = flip_layers(table).rows()
    view = common.figure(study, kind.anchor, draw, table, kind.caption)
    heading = "Layers at which the answer flips, with the number of pairs kept"
    silence = layers.silence(kind.control, [row for row in flips if row["direction"] == "all"])
    tables = [common.layers_table(study, flips, heading, study.files("flip_layers"), silence)]
    compared = [row for row in study.rows("axes") if row["vision"] == kind.vision]
    tables += [_axes(study, compared)] if compared else []
    tables.append(common.probabilities(study, rows, COLUMNS, study.files("image_interchange_summary")))
    section = Section(
        anchor=kind.anchor,
        question="where",
        title=kind.title,
        notes=(),
        figures=(view,),
        tables=tuple(tables),
        method=(*kind.method, *([text.AXES] if compared else []), text.INTERVALS),
        limits=kind.limits,
        samples=common.samples(
            study, kind.job, {row["suite"] for row in rows}, counterfactual="flipped", outcomes=FLIP_WORDS
        ),
    )
    return section.concluding(kind.lead, _statements(study, kind, rows, flips))


def _statements(study: Study, kind: _Kind, rows: Sequence[Row], flips: Sequence[Row]) -> tuple[Statement, ...]:
    """A statement a suite, of all directions together; of the verdict's suite the pathway beside it."""
    last = max((row["layer"] for row in rows if row["layer"] is not None), default=None)
    suites: dict[str, list[Row]] = {}
    for row in flips:
        if row["direction"] == "all":
            suites.setdefault(row["suite"], []).append(row)
    statements = []
    for suite, of in suites.items():
        sentence = layers.flip_sentence(common.title(study, suite), of, TOKEN_WORDS, last)
        statements.append(Statement(sentence, note=layers.silence(kind.control, of)))
        objects = [row for row in of if row["tokens"] == "objects"]
        if kind is REMOVED and suite == text_of(study.verdict.get("suite")) and objects:
            beside = pathway_sentence(study.verdict, common.title(study, suite), objects[0])
            statements += [Statement(beside)] if beside else []
    return tuple(statements)


def _axes(study: Study, rows: Sequence[Row]) -> Grid:
    """Vertical against horizontal, with Holm's correction over the comparisons of the table."""
    adjusted = corrected(rows)
    lines = []
    for row, p in zip(rows, adjusted, strict=True):
        start = (*common.named(study, common.key(row)), str(row["rows"]))
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 5))
            continue
        difference = with_interval(row["difference"], row["low"], row["high"])
        sides = (decimal(row["vertical"]), decimal(row["horizontal"]))
        lines.append((*start, *sides, difference, p_value(row["p_value"]), p_value(p)))
    columns = (
        "Suite", "Tokens", "Rows", "Vertical", "Horizontal", "Vertical - horizontal", "p", "p, Holm",
    )  # fmt: skip
    heading = "Vertical against horizontal: the flipped answer's probability, mean over all layers"
    return Grid(heading, columns, tuple(lines), words=2, files=study.files("axes"), note=_claim(study, rows, adjusted))


def corrected(rows: Sequence[Row]) -> list[float | None]:
    """Holm's p-values of the rows that have one, in the order of the rows."""
    tested = [number for number, row in enumerate(rows) if row["p_value"] is not None]
    adjusted: list[float | None] = [None] * len(rows)
    for number, p in zip(tested, holm([rows[n]["p_value"] for n in tested]), strict=True):
        adjusted[number] = p
    return adjusted


def _claim(study: Study, rows: Sequence[Row], adjusted: Sequence[float | None]) -> str:
    """What the comparisons say of the paper's claim on this model."""
    several = len({row["tokens"] for row in rows}) > 1
    sorted_: dict[str, dict[str, list[str]]] = {}
    for row, p in zip(rows, adjusted, strict=True):
        shown = p is not None and p < LEVEL
        outcome = (
            "omitted for" if row["omitted"]
            else "borne out for" if shown and row["low"] > 0 and row["difference"] >= LEAST
            else "contradicted for" if shown and row["high"] < 0 and row["difference"] <= -LEAST
            else "not shown for"
        )  # fmt: skip
        tokens: str = row["tokens"]
        suites = sorted_.setdefault(outcome, {})
        suites.setdefault(common.title(study, row["suite"]), []).append(TOKEN_WORDS.get(tokens, tokens))

    def names(outcome: str) -> str:
        return listed(f"{suite} ({', '.join(of)})" if several else suite for suite, of in sorted_[outcome].items())

    order = ("borne out for", "contradicted for", "not shown for", "omitted for")
    outcomes = "; ".join(f"{outcome} {names(outcome)}" for outcome in order if outcome in sorted_)
    return f"{text.CLAIM} On this model that is {outcomes}. {text.CLAIM_RULE}"
