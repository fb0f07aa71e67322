"""Layers that stand out in an interchange, in words, beside a layer of no effect and the positive control."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.maths.interchange import ANSWERED, GUESSED
from backsight.results.controls import ControlPower, power
from backsight.results.drawing.style import counted
from backsight.results.drawing.sweeps import WHOLE
from backsight.results.pages.alike import among
from backsight.results.pages.content import Statement
from backsight.results.pages.study import text
from backsight.results.pages.wording import listed, percent, whole_percent

Row = Mapping[str, Any]
Title = Callable[[str], str]
ANSWER_RULE = (
    "An outcome is the model's answer where it is the most probable token in at least half of the pairs and the "
    "interval of that share lies above one third (in tables of earlier releases, without the top token: where the "
    "interval of its probability lies above one half)."
)
KEPT = "Pairs of which either run is answered incorrectly without the swap are dropped and counted."
KEPT_ALONE = (
    "Only pairs answered correctly are kept, so it says nothing about how incorrect answers arise. The probabilities "
    "shown need not sum to one."
)
SHOWS = {
    "interchange": "has the position at the last token",
    "image_interchange": "flips by object tokens",
    "backup": "flips by object tokens",
}
LEADS = "it leads without being the model's answer"
UNKNOWN_POWER = "The positive control was not measured for this version"


@dataclass(frozen=True)
class Words:
    """How an interchange is spoken of: what a layer shows ("swapped object tokens flip the answer"), and what is so in
    a share of the pairs ("the answer flips")."""

    does: str
    happens: str
    before: str = ""  # what was done before, with a comma


@dataclass(frozen=True)
class Layers:
    """The layers of a suite that stand out, and the layer with the largest share of pairs, with its 95 % interval.

    `spans` are the layers as 3-5, 7, `leading` those at which the outcome leads and is not the model's answer. `layer`,
    `share`, `low` and `high` are None where the table does not tell. `silent` are the directions without a layer.
    """

    suite: str
    spans: str
    leading: str
    omitted: bool
    pairs: int
    dropped: int
    layer: int | None = None
    share: float | None = None
    low: float | None = None
    high: float | None = None
    silent: tuple[str, ...] = ()

    @property
    def found(self) -> bool:
        """Whether any layer stands out."""
        return bool(self.spans) and not self.omitted

    @property
    def short(self) -> float:
        """How far it is from a layer that shows it in all pairs: 1 where none does, 0 for what is omitted too."""
        if self.omitted:
            return 0.0
        return 1.0 if not self.found or self.share is None else 1.0 - self.share


def measured(rows: Sequence[Row], summary: Sequence[Row], outcome: str) -> Layers:
    """What the rows of `order_layers` or `flip_layers` of one suite, a row a direction and one of all, say of it.

    The interval of its largest share is that of the summary's rows.
    """
    row = next(one for one in rows if one["direction"] == "all")
    layer, omitted = row.get("peak_layer"), bool(row["omitted"])
    about = {key: row[key] for key in ("suite", "vision", "tokens", "direction") if key in row and key in summary[0]}
    peak: Row = {}
    if layer is not None and not omitted:
        here = about | {"layer": layer, "outcome": outcome}
        peak = next((one for one in summary if all(one[key] == value for key, value in here.items())), {})
    silent = (r["direction"] for r in rows if r["direction"] not in WHOLE and not r["found"] and not r["omitted"])
    return Layers(
        row["suite"], text(row["layers"]), text(row.get("leading")), omitted, int(row["pairs"]), int(row["dropped"]),
        layer if peak else None, peak.get("answer"), peak.get("answer_low"), peak.get("answer_high"), tuple(silent),
    )  # fmt: skip


def claim(of: Sequence[Layers], words: Words, title: Title, last: int | None) -> str:
    """Over all suites, in one sentence: those without a layer first, then those with one and the least of their shares.

    What was omitted stands last.
    """
    present, none, gone = _sides(of)
    total = len(of)

    def names(some: Sequence[Layers]) -> str:
        return among([title(one.suite) for one in some], total)

    if not present and not none:
        return f"Not shown: fewer than {SMALLEST} pairs are answered correctly by both runs in {names(gone)}."
    parts = []
    if none:
        most = max(none, key=lambda one: one.share or 0.0)
        parts.append(f"{words.before}no layer is shown at which {words.does} in {names(none)}{_least(most, words)}")
    if present:
        least = min(present, key=_certain)
        where = "shown in" if none else f"{words.before}{words.does} in"
        alike = len({_there(one) for one in present}) == 1
        equal = len({one.share for one in present}) == 1
        on = "" if alike else f"; least {'certain ' if equal else ''}in {title(least.suite)}"
        there = _there(least).replace(", in", ", each in", 1) if alike and len(present) > 1 else _there(least)
        parts.append(f"{where} {names(present)} at {_where(present, last)}{on}{there}{_silent(present)}")
    parts += [f"omitted in {names(gone)}"] if gone else []
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def statements(of: Sequence[Layers], words: Words, title: Title, last: int | None) -> tuple[Statement, ...]:
    """A sentence a suite with such a layer; one for all that have none, and one for all that are omitted."""
    present, none, gone = _sides(of)
    written = []
    if none:
        most = max(none, key=lambda one: one.share or 0.0)
        led = [f"{title(one.suite)} at {layer_words(one.leading, None)}" for one in none if one.leading]
        leads = f"; {LEADS} in {listed(led)}" if led else ""
        names = listed(title(one.suite) for one in none)
        does = f"{words.before}no layer is shown at which {words.does.rstrip(',')}"
        sentence = f"{names}: {does}{_least(most, words)}{leads}."
        written.append(Statement(sentence, none[0].suite if len(none) == 1 else "", 1.0))
    bodies: dict[str, list[Layers]] = {}
    for one in present:
        leads = f"; {LEADS} at {layer_words(one.leading, None)}" if one.leading else ""
        body = f"{words.before}{words.does} at {layer_words(one.spans, last)}{_there(one)}{leads}{_silent([one])}"
        bodies.setdefault(body, []).append(one)
    for body, of_it in bodies.items():
        names = listed(title(one.suite) for one in of_it)
        written.append(Statement(f"{names}: {body}.", of_it[0].suite if len(of_it) == 1 else "", of_it[0].short))
    if gone:
        names = listed(f"{title(one.suite)}{_counts(one)}" for one in gone)
        written.append(Statement(f"Omitted under {SMALLEST} pairs: {names}.", gone[0].suite if len(gone) == 1 else ""))
    return tuple(written)


def null(summary: Sequence[Row], outcome: str, layer: int | None, why: str, happens: str) -> str:
    """What the swap gives at a layer where it can change nothing, over all suites, and what blind naming gives."""
    at = [row for row in summary if row["layer"] == layer and row["outcome"] == outcome and row["direction"] == "all"]
    shares = [row["probability"] if row.get("answer") is None else row["answer"] for row in at if not row["omitted"]]
    blind = f"naming one of a row's three objects blindly gives {whole(GUESSED)}"
    if not shares:
        return f"{blind[:1].upper()}{blind[1:]}."
    return f"At layer {layer}, where {why}, {happens} in {between(shares)} of pairs; {blind}."


def between(shares: Sequence[float]) -> str:
    """The least and the largest of some shares in whole percent: "0 %", "0 to 2 %"."""
    ends = [f"{100 * end:.0f}" for end in (min(shares), max(shares))]
    return f"{' to '.join(dict.fromkeys(ends))}\u00a0%"


def _sides(of: Sequence[Layers]) -> tuple[list[Layers], list[Layers], list[Layers]]:
    """Suites with a layer, without one, and omitted."""
    present = [one for one in of if one.found]
    return present, [o for o in of if not o.found and not o.omitted], [one for one in of if one.omitted]


def _where(present: Sequence[Layers], last: int | None) -> str:
    """The layers of several suites: their own where all have the same, else from the first to the last of any."""
    if len({one.spans for one in present}) == 1:
        return layer_words(present[0].spans, last)
    ends = [int(end) for one in present for span in one.spans.split(", ") for end in span.split("-")]
    of = f" of 0-{last}" if last is not None else ""
    return f"some of layers {min(ends)}-{max(ends)}{of}"


def _certain(one: Layers) -> tuple[float, float]:
    """By what suites with a layer are put in order: the share of pairs, then the lower end of its interval."""
    return 1.0 if one.share is None else one.share, 0.0 if one.low is None else one.low


def _least(one: Layers, words: Words) -> str:
    """Behind suites without a layer: in how many pairs it is so at most; the pairs where the table does not tell."""
    at_most = "at most " if one.share else ""
    return f": {words.happens} in {at_most}{_share(one)}" if one.share is not None else _counts(one)


def _there(one: Layers) -> str:
    """Behind the layers of a suite: in how many pairs it is so; the pairs where the table does not tell."""
    return f", in {_share(one)}" if one.share is not None else _counts(one)


def _share(one: Layers) -> str:
    """In how many pairs the outcome is the answer, at its best layer; the layer where it is not clear which."""
    share, low, high = (0.0 if end is None else end for end in (one.share, one.low, one.high))
    at = f" at layer {one.layer}" if share > 0 and one.spans != str(one.layer) else ""
    return f"{whole_percent(share, low, high)} of {_pairs(one)}{at}"


def _silent(of: Sequence[Layers]) -> str:
    """The single directions without a layer in some suites that have one, with the number of suites; most first."""
    counts = Counter(name for one in of for name in one.silent)
    if len(of) == 1 or not counts:
        return f"; no layer is shown for {listed(quoted(list(counts)))} questions" if counts else ""
    words = [f'"{name}" ({number} of {len(of)} suites)' for name, number in counts.most_common()]
    named = [words[0], *(one.replace(" suites)", ")") for one in words[1:])]
    return f"; no layer is shown for questions of {listed(named)}"


def quoted(names: Sequence[str]) -> list[str]:
    """Options, as they stand in sentences."""
    return [f'"{name}"' for name in names]


def whole(share: float) -> str:
    """A share in whole percent, without an interval."""
    return f"{100 * share:.0f}\u00a0%"


def layer_words(spans: object, last: int | None) -> str:
    """Layers as they are spoken of: "layers 3-4, 6 of 0-28", "layer 4"."""
    layers = text(spans)
    noun = "layers" if "-" in layers or "," in layers else "layer"
    return f"{noun} {layers}" + (f" of 0-{last}" if last is not None else "")


def _pairs(one: Layers) -> str:
    return counted(one.pairs, "pair") + (f" ({one.dropped} dropped)" if one.dropped else "")


def _counts(one: Layers) -> str:
    """The pairs in brackets, with a space before."""
    return f" ({counted(one.pairs, 'pair')}{f', {one.dropped} dropped' if one.dropped else ''})"


def silence(measurement: str, rows: Sequence[Row]) -> str:
    """What stands beside rows of which one has no layer: the positive control's power with as many pairs; else empty.

    Where removal's control was not measured, that of the same swap without removal is named as such.
    """
    silent = [row["pairs"] for row in rows if not row["found"] and not row["omitted"]]
    if not silent:
        return ""
    pairs = min(silent)
    shown = power(measurement, pairs)
    if shown is None and measurement == "backup":
        return power_words(power("image_interchange", pairs), pairs, f"{SHOWS[measurement]} without removal")
    return power_words(shown, pairs, SHOWS.get(measurement, "shows it"))


def power_words(shown: ControlPower | None, pairs: int, shows: str) -> str:
    """What the positive control shows, for a reader of a study with so many pairs that shows no layer."""
    if shown is None:
        return f"{UNKNOWN_POWER}."
    of = f"{percent(shown.share)} of {counted(shown.pairs, 'pair')}"
    sentence = f"Positive control: {shown.model} {shows} at layer {shown.layer} in {of}"
    if shown.share < ANSWERED:
        return f"{sentence}, too few to count: no layer says nothing here."
    if shown.pairs > pairs:
        return f"{sentence}; this study has fewer."
    return f"{sentence}."
