"""Layers that stand out, in words, and what a "no layer" stands beside: what the positive control shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.interchange import ANSWERED
from backsight.results.controls import ControlPower, power
from backsight.results.drawing.style import counted
from backsight.results.pages.study import text
from backsight.results.pages.wording import percent

Row = Mapping[str, Any]
ANSWER_RULE = (
    "It is the model's answer where it is the most probable token of all in at least half of the pairs, and the "
    "interval of that share lies above one third, which naming one of a row's three things blindly gives. Tables of "
    "earlier releases do not say what the top token is: of them those layers count at which the probability's interval "
    "lies above one half."
)
SHOWS = {
    "interchange": "has the position at the last token",
    "image_interchange": "flips by object tokens",
    "backup": "flips by object tokens",
}
UNKNOWN_POWER = "The positive control was not measured for this version"


def order_sentence(title: str, row: Row, last: int | None) -> str:
    """Where the last token carries the position, for a suite, from a row of the table of order layers."""
    where = "omitted" if row["omitted"] else layer_words(row["layers"], last) if row["found"] else "no such layer"
    return f"{title}: {where} ({'; '.join([_kept(row), *_shares(row, 'it is the answer')])})"


def flip_sentence(title: str, rows: Sequence[Row], names: Mapping[str, str], last: int | None) -> str:
    """Where swapped image tokens flip a suite's answer: a row a set of tokens, `names` gives what each is called."""
    counts = [_kept(row) for row in rows]
    alike = len(set(counts)) == 1
    parts = []
    for row, count in zip(rows, counts, strict=True):
        where = "omitted" if row["omitted"] else layer_words(row["layers"], last) if row["found"] else "no layer"
        at = "" if row["omitted"] or len(rows) == 1 else "at "
        named = f"{names.get(row['tokens'], row['tokens'])} " if len(rows) > 1 else ""
        beside = [*([] if alike and len(rows) > 1 else [count]), *_shares(row, "it flips")]
        parts.append(f"{named}{at}{where}" + (f" ({'; '.join(beside)})" if beside else ""))
    return f"{title}: {', '.join(parts)}" + (f" ({counts[0]})" if alike and len(rows) > 1 else "")


def _shares(row: Row, happens: str) -> list[str]:
    """In how many pairs the outcome is the model's answer, and where it leads without being it; none if unknown."""
    share, layer = row.get("peak_share"), row.get("peak_layer")
    if share is None or layer is None or row["omitted"]:
        return []
    most = "up to" if row["found"] else "at most"
    words = [f"{happens} in {most} {percent(share)} of them, at layer {layer}" if share > 0 else f"{happens} in none"]
    if leading := text(row.get("leading")):
        words.append(f"it leads at {layer_words(leading, None)} without being the model's answer")
    return words


def layer_words(spans: object, last: int | None) -> str:
    """Layers as they are spoken of: "layers 3-4, 6 of 0-28", "layer 4"."""
    layers = text(spans)
    noun = "layers" if "-" in layers or "," in layers else "layer"
    return f"{noun} {layers}" + (f" of 0-{last}" if last is not None else "")


def _kept(row: Row) -> str:
    return counted(row["pairs"], "pair") + (f", {row['dropped']} dropped" if row["dropped"] else "")


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
