"""The tournament in sentences, each a function of the summary's rows of one set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.wording import listed, percent
from backsight.results.tournament import schema as of

Row = dict[str, Any]


def sentence(rows: Sequence[Row]) -> str:
    """Which repair, if any, is worth having on a model; rows of one set, of its held-out questions."""
    tried = repairs(rows)
    if not tried:
        return "No repair could be tried on this model."
    before = plain(rows)
    about = f"of {before['questions']} held-out questions {before['failures']} fail"
    winners = sorted((row for row in tried if row["verdict"] == of.WINS), key=lambda row: -row["gain"])
    known = {row["verdict"] for row in tried} - {of.BOUND}
    if of.FEW in known and known <= {of.FEW, of.HARMS}:
        harms = [of.called(row["repair"]) for row in tried if row["verdict"] == of.HARMS]
        worse = f"; fewer right than without with {listed(harms)}" if harms else ""
        enough = f"{before['failures']} fail in {counted(before['failed_images'], 'picture')}"
        return (
            f"Whether a repair is worth having cannot be told: of {before['questions']} held-out questions {enough}, "
            f"too few for a comparison after correction{worse}."
        )
    if not winners:
        return f"No repair is worth having on this model: {about}{_no_winner(tried)}."
    best, others = winners[0], winners[1:]
    text = (
        f"Worth having on this model: {of.called(best['repair'])}. {about.capitalize()}; it corrects "
        f"{_share(best, 'corrected')} of them and breaks {_share(best, 'broken')} of the right answers: accuracy "
        f"{percent(before['accuracy'])} "
        f"before, {percent(best['accuracy'])} after, {percent(best['accuracy'] - best['lead'])} with its control "
        f"({best['nearest']}), at {best['cost']:.1f} forward equivalents a question."
    )
    if others:
        text += f" So is {listed([of.called(row['repair']) for row in others])}, which gains no more."
    return text


def _no_winner(tried: Sequence[Row]) -> str:
    """Why none of them is, in the order of how near they come."""
    parts = []
    for verdict, words in (
        (of.CONTROL, "more right than without, but not shown to be more than with its control,"),
        (of.PRICE, "more right than without, but at the price of a whole class,"),
        (of.FORMAT, "a gain of the free read-out only"),
        (of.NOTHING, "no gain shown"),
        (of.HARMS, "fewer right than without"),
    ):
        names = [of.called(row["repair"]) for row in tried if row["verdict"] == verdict]
        if names:
            parts.append(f"; {words} with {listed(names)}")
    return "".join(parts) or "; nothing but an upper bound could be tried"


def each(rows: Sequence[Row]) -> tuple[str, ...]:
    """What the sentence leaves open: controls that are not beaten, classes that are lost, gains of format alone, the
    upper bound, and the relation that is absent from training."""
    before = plain(rows)
    sentences: list[str] = []
    for row in repairs(rows):
        name = of.called(row["repair"])
        name = name[:1].upper() + name[1:]
        if row["verdict"] in (of.CONTROL, of.NOTHING, of.HARMS) and row["nearest"]:
            sentences.append(_beside(name, before, row))
        if row["lost"]:
            sentences.append(f"{name} loses {row['lost']}.")
        if (words := formats(row)) is not None:
            sentences.append(f"{name}: {words}.")
        if row["verdict"] == of.BOUND:
            sentences.append(
                f"{name} is told where things are and is no repair: {percent(row['accuracy'])} beside "
                f"{percent(before['accuracy'])} is what more attention of the last position to them brings"
                + (f", as chosen on the development split ({row['setting']})." if row.get("setting") else ".")
            )
    absent = [row for row in rows if row["part"] == of.ABSENT]
    return (*sentences, *([supplied(absent)] if repairs(absent, of.ABSENT) else []))


def _beside(name: str, before: Row, row: Row) -> str:
    control = row["accuracy"] - row["lead"]
    accuracies = (
        f"accuracy {percent(before['accuracy'])} without, {percent(row['accuracy'])} with it, {percent(control)} with "
        f"its control ({row['nearest']})"
    )
    if row["verdict"] == of.CONTROL:
        return f"{name} is not shown to beat its control: {accuracies}; p {row['p_holm']:.2g} after correction."
    claim = "answers fewer right than nothing does" if row["verdict"] == of.HARMS else "shows no gain"
    return f"{name} {claim}: {accuracies}."


def formats(row: Row) -> str | None:
    """What of a free read-out's gain is a change of the answers' format; None where that gain is not shown, or is
    no larger than the gain among the options."""
    if row["free_gain"] is None or row["p_free_holm"] >= of.LEVEL or row["free_gain"] <= 0:
        return None
    surplus = row["free_gain"] - row["gain"]
    if surplus <= row["free_gain"] / 2:
        return None
    return (
        f"the free read-out gains {points(row['free_gain'])}, the options gain {points(row['gain'])}: "
        f"{points(surplus)} are a change of the answers' format"
    )


def supplied(rows: Sequence[Row]) -> str:
    """What repairs do on the relation that is absent from training."""
    before, tried = plain(rows, of.ABSENT), repairs(rows, of.ABSENT)
    known = {"no": "that this model was not trained on"}.get(
        str(before["trained"]), "of which it is not known whether this model was trained on it"
    )
    start = (
        f"On a relation {known} (which of two is nearer, {before['questions']} questions, chance 50 %) it answers "
        f"{percent(before['accuracy'])} right"
    )
    changed = [row for row in tried if row["verdict"] in (of.MORE, of.FEWER)]
    if changed:
        ends = [
            f"{percent(row['accuracy'])} with {of.called(row['repair'])} (difference {points(row['gain'])} "
            f"[{100 * row['gain_low']:.1f}, {100 * row['gain_high']:.1f}])"
            for row in changed
        ]
        return f"{start}, and {listed(ends)}."
    best = max(tried, key=lambda row: row["accuracy"])
    return (
        f"{start}, and at most {percent(best['accuracy'])} with a repair ({of.called(best['repair'])}): a change is "
        "shown of none."
    )


def repairs(rows: Sequence[Row], part: str = of.SCORE) -> list[Row]:
    """The rows of repairs themselves."""
    return [r for r in rows if r["part"] == part and r["control"] is None and r["repair"] not in (of.NONE, of.BLANK)]


def plain(rows: Sequence[Row], part: str = of.SCORE) -> Row:
    """The row without a repair."""
    return next(row for row in rows if row["part"] == part and row["repair"] == of.NONE)


def points(value: float) -> str:
    """A difference of shares in percentage points."""
    number = 100 * value
    return f"{number:.1f}\u00a0{'point' if abs(round(number, 1)) == 1 else 'points'}"


def _share(row: Row, name: str) -> str:
    return "an omitted share" if row[name] is None else percent(row[name])
