"""Interchange of image tokens, with the vision encoder's order intact and after its removal.

Both are made of `image_interchange_summary`, `flip_layers` and `axes`; a study has the rows of either, or of both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from backsight.maths.intervals import holm
from backsight.results.drawing.style import counted
from backsight.results.drawing.sweeps import TOKEN_WORDS
from backsight.results.image_interchange import text
from backsight.results.image_interchange.beside import pathway_sentence
from backsight.results.image_interchange.figure import FLIP_WORDS, draw
from backsight.results.image_interchange.tables import flip_layers
from backsight.results.pages import common, layers
from backsight.results.pages.alike import slim
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
    """What differs between the two sections; `control` is the positive control that a "no layer" stands beside."""

    anchor: str
    vision: str
    job: str
    control: str
    title: str
    caption: str
    limits: tuple[str, ...]
    before: str  # what was done before the swap


AFTER = "image tokens are no longer read"
HAPPENS = "the answer flips"
INTACT = _Kind(
    "image_interchange", "intact", "imageinterchange", "image_interchange", "Interchange of image tokens",
    text.IMAGES_CAPTION, text.IMAGES_LIMITS, "",
)  # fmt: skip
REMOVED = _Kind(
    "backup", "removed", "backup", "backup", "Backup: the same after removal",
    text.BACKUP_CAPTION, text.BACKUP_LIMITS, "after removal of the vision encoder's order, ",
)  # fmt: skip


def image_interchange(study: Study) -> Section | None:
    """The section with the vision encoder's order intact; None without such rows."""
    return _part(study, INTACT)


def backup(study: Study) -> Section | None:
    """The section after removal; None without such rows."""
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
    tables = [common.layers_table(study, flips, heading, study.files("flip_layers"))]
    compared = [row for row in study.rows("axes") if row["vision"] == kind.vision]
    tables += [_axes(study, compared)] if compared else []
    tables.append(common.probabilities(study, rows, COLUMNS, study.files("image_interchange_summary")))
    over_all = [row for row in flips if row["direction"] == "all"]
    last = max((row["layer"] for row in rows if row["layer"] is not None), default=None)
    no_op = layers.null(rows, "flipped", last, AFTER, HAPPENS)
    how, limits = _how(study, kind)
    return Section(
        anchor=kind.anchor,
        question="where",
        title=kind.title,
        claim=_claim(study, kind, flips, rows, last),
        null=" ".join(filter(None, (no_op, layers.silence(kind.control, over_all)))),
        figures=(view,),
        statements=_statements(study, kind, flips, rows, last),
        tables=tuple(tables),
        method=(*how, *([text.AXES] if compared and kind is _first(study, "axes") else [])),
        limits=limits,
        samples=common.samples(
            study, kind.job, {row["suite"] for row in rows}, counterfactual="flipped", outcomes=FLIP_WORDS
        ),
    )


def _first(study: Study, table: str) -> _Kind:
    """The first section that has rows of a table; what holds for both is said there."""
    return INTACT if any(row["vision"] == INTACT.vision for row in study.rows(table)) else REMOVED


def _how(study: Study, kind: _Kind) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """How it was done, and what it does not show: what an earlier section of the page has said is not said again."""
    start = (text.REMOVAL,) if kind is REMOVED else ()
    if kind is not _first(study, "image_interchange_summary"):
        return (*start, text.SAME.format(title=INTACT.title)), kind.limits
    if study.rows("interchange_summary"):
        return (*start, *text.SWAP, text.KEPT_AS.format(title="Interchange at the last token")), kind.limits
    return (*start, *text.SWAP, layers.KEPT, layers.ANSWER_RULE), (*kind.limits, layers.KEPT_ALONE)


def _by_tokens(flips: Sequence[Row], rows: Sequence[Row]) -> dict[str, list[layers.Layers]]:
    """What was measured of each set of tokens, a record a suite; object tokens first."""
    of: dict[str, list[layers.Layers]] = {}
    for one, tokens in dict.fromkeys((row["suite"], row["tokens"]) for row in flips):
        mine = [row for row in flips if (row["suite"], row["tokens"]) == (one, tokens)]
        of.setdefault(tokens, []).append(layers.measured(mine, rows, "flipped"))
    return dict(sorted(of.items(), key=lambda item: item[0] != "objects"))


def _words(kind: _Kind, tokens: str) -> layers.Words:
    return layers.Words(f"{kind.before}swapped {TOKEN_WORDS.get(tokens, tokens)} flip the answer", HAPPENS)


def _claim(study: Study, kind: _Kind, flips: Sequence[Row], rows: Sequence[Row], last: int | None) -> str:
    """What the first set of tokens does over all suites, and in how many suites each other set flips the answer."""
    (tokens, first), *others = _by_tokens(flips, rows).items()
    sentence = layers.claim(first, _words(kind, tokens), partial(common.title, study), last)
    for name, of in others:
        known = [one for one in of if not one.omitted]
        if known:
            suites = counted(len(known), "suite")
            count = sum(one.found for one in known)
            sentence = f"{sentence[:-1]}; {TOKEN_WORDS.get(name, name)} do in {count} of {suites}."
    return sentence


def _statements(
    study: Study, kind: _Kind, flips: Sequence[Row], rows: Sequence[Row], last: int | None
) -> tuple[Statement, ...]:
    """What each set of tokens does, by suite; of the verdict's suite the pathway beside it."""
    title = partial(common.title, study)
    statements: list[Statement] = []
    for tokens, of in _by_tokens(flips, rows).items():
        statements += layers.statements(of, _words(kind, tokens), title, last)
    suite = text_of(study.verdict.get("suite"))
    objects = [row for row in flips if (row["tokens"], row["suite"], row["direction"]) == ("objects", suite, "all")]
    if kind is REMOVED and objects:
        beside = pathway_sentence(study.verdict, title(suite), objects[0])
        statements += [Statement(f"{beside}.", suite)] if beside else []
    return tuple(statements)


def _axes(study: Study, rows: Sequence[Row]) -> Grid:
    """Vertical against horizontal, with Holm's correction over the comparisons of the table."""
    adjusted = corrected(rows)
    lines = []
    for row, p in zip(rows, adjusted, strict=True):
        start = (*common.named(study, common.key(row)), str(row["rows"]))
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 4))
            continue
        difference = with_interval(row["difference"], row["low"], row["high"])
        sides = (decimal(row["vertical"]), decimal(row["horizontal"]))
        lines.append((*start, *sides, difference, p_value(p)))
    columns = ("Suite", "Tokens", "Rows", "Vertical", "Horizontal", "Difference", "p (Holm)")
    heading = "Vertical against horizontal: the flipped answer's probability, mean over all layers"
    suites, note = tuple(row["suite"] for row in rows), _borne_out(study, rows, adjusted)
    grid = Grid(heading, columns, tuple(lines), words=2, files=study.files("axes"), note=note, suites=suites)
    return slim(grid, "Tokens", "Rows")


def corrected(rows: Sequence[Row]) -> list[float | None]:
    """Holm's p-values of the rows that have one, in the order of the rows."""
    tested = [number for number, row in enumerate(rows) if row["p_value"] is not None]
    adjusted: list[float | None] = [None] * len(rows)
    for number, p in zip(tested, holm([rows[n]["p_value"] for n in tested]), strict=True):
        adjusted[number] = p
    return adjusted


def _borne_out(study: Study, rows: Sequence[Row], adjusted: Sequence[float | None]) -> str:
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
    return f"The paper's claim that vertical rows strengthen order is {outcomes}."
