"""The tournament in sentences, each a function of the summary's rows.

The claim speaks of all sets at once, `sentence` of one; statements say what the claim leaves open.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed, percent, points, points_within, signed, whole_percent
from backsight.results.tournament import schema as of

Row = dict[str, Any]


def claim(by_set: Mapping[str, Sequence[Row]]) -> str:
    """Which repair, if any, is worth having: rows by the title of their set, those without one first."""
    tried = {title: rows for title, rows in by_set.items() if repairs(rows)}
    if len(tried) == 1:
        return sentence(next(iter(tried.values())))
    won = {title: " and ".join(of.called(row["repair"]) for row in _winners(rows)) for title, rows in tried.items()}
    parts = [f"{names} is worth having on {title}" for title, names in won.items() if names]
    without = [title for title, names in won.items() if not names]
    if parts:
        none = [f"no repair is shown to be worth having on {listed(without)}"] if without else []
        return of.capitalized(f"{'; '.join([*none, *parts])}.")
    title, best = max(
        ((title, row) for title, rows in tried.items() for row in candidates(rows) or repairs(rows)),
        key=lambda one: one[1]["gain"],
    )
    return (
        f"No repair is shown to be worth having on any of {len(tried)} sets: the largest change of accuracy is "
        f"{_change(best)} ({of.with_alpha(best)} on {title})."
    )


def sentence(rows: Sequence[Row]) -> str:
    """Which repair, if any, is worth having, by the held-out questions of one set."""
    tried = candidates(rows)
    if not tried:
        return "No repair could be tried, nothing but an upper bound." if repairs(rows) else "No repair could be tried."
    before = plain(rows)
    about = f"({before['questions']} held-out questions, {before['failures']} answered incorrectly)"
    winners = _winners(rows)
    if not winners and undecided(tried):
        harms = [of.called(row["repair"]) for row in tried if row["verdict"] in (of.HARMS, of.LOWERS)]
        return (
            f"Whether a repair is worth having is not shown: {before['failures']} of {before['questions']} held-out "
            f"questions were answered incorrectly, in {counted(before['failed_images'], 'picture')}, and {SMALLEST} of "
            f"each are needed{f'; more is broken than corrected by {listed(harms)}' if harms else ''}."
        )
    if not winners:
        worst, best = (end(tried, key=lambda row: row["gain"]) for end in (min, max))
        ends = f"{_change(worst)} with {of.with_alpha(worst)}"
        ends += f" to {_change(best)} with {of.with_alpha(best)}" if best is not worst else ""
        none = f"None of {len(tried)} repairs" if len(tried) > 1 else of.capitalized(of.called(best["repair"]))
        shown = "is shown to be worth having" if len(tried) > 1 else "is not shown to be worth having"
        return f"{none} {shown} {about}: accuracy changes by {ends}."
    best, others = winners[0], winners[1:]
    rest = len(tried) - len(winners)
    more = [f"so is {listed([of.called(row['repair']) for row in others])}"] if others else []
    more += [f"{rest} other {'repair is' if rest == 1 else 'repairs are'} not shown to be"] if rest else []
    return (
        f"{of.capitalized(of.with_alpha(best))} is worth having {about}: accuracy changes by {_change(best)}, by "
        f"{points(best['gain'] - best['lead'])} with its hardest control ({best['nearest']})"
        f"{''.join(f'; {one}' for one in more)}."
    )


def null(rows: Sequence[Row]) -> str:
    """What the repairs' controls do and what a blank image gives, on the held-out questions of one set."""
    before = plain(rows)
    scored = [row for row in rows if row["part"] == of.SCORE]
    controls = [r["accuracy"] - before["accuracy"] for r in scored if r["control"] and not r["upper_bound"]]
    blank = next((row for row in scored if row["repair"] == of.BLANK), None)
    parts = []
    if controls:
        ends = dict.fromkeys(signed(100 * change(controls), 1) for change in (min, max))
        parts.append(f"the repairs' controls change it by {' to '.join(ends)}\u00a0points")
    if blank is not None:
        parts.append(f"with a blank image it is {_accuracy(blank)}")
    start = f"Accuracy without a repair is {_accuracy(before)}"
    return f"{'; '.join([start, *parts])}."


def statements(rows: Sequence[Row], title: str = "", suite: str = "") -> tuple[Statement, ...]:
    """What the claim leaves open: repairs by verdict, lost classes, gains of format only, the upper bound, the relation
    that is absent from training, and what was left out. `title` of the set stands in front where there are several."""
    start = f"{title}: " if title else ""
    before = plain(rows)
    texts: list[tuple[str, float]] = []
    for row in candidates(rows):
        name = of.capitalized(of.called(row["repair"]))
        if row["verdict"] not in (of.NOTHING, of.FEW):
            texts.append((_each(of.capitalized(of.with_alpha(row)), before, row), short(before, row)))
        if row["lost"]:
            texts.append((f"{name} loses {row['lost']}.", 1.0))
        if (words := formats(row)) is not None:
            texts.append((f"{name}: {words}.", 1.0))
    same = [of.called(row["repair"]) for row in candidates(rows) if row["verdict"] == of.NOTHING]
    texts += [(f"No gain of accuracy is shown with {listed(same)}.", 1.0)] if same else []
    texts += [(bound(before, row), 0.0) for row in repairs(rows) if row["verdict"] == of.BOUND]
    absent = [row for row in rows if row["part"] == of.ABSENT]
    texts += [(supplied(absent), 0.5)] if repairs(absent, of.ABSENT) else []
    texts += [
        (f"{of.capitalized(of.called(row['repair']))} was left out: {row['setting']}.", 0.0)
        for row in rows
        if row["part"] == of.LEFT_OUT
    ]
    return tuple(Statement(f"{start}{text}", suite, far) for text, far in texts)


def short(before: Row, row: Row) -> float:
    """How far a repair is from one: 0 where it leaves no failure, 1 where it leaves as many or more."""
    failed = 1 - before["accuracy"]
    return 1.0 if failed <= 0 else 1 - min(1.0, max(0.0, row["gain"] / failed))


def _each(name: str, before: Row, row: Row) -> str:
    """A repair that does something, with its accuracy, and its control's."""
    claims = {
        of.WINS: "corrects more than it breaks, and more than its control does",
        of.CONTROL: "is not shown to beat its control",
        of.PRICE: "gains accuracy at the price of a class of questions",
        of.FORMAT: "gains in the free read-out only",
        of.HARMS: "breaks more than it corrects",
        of.LOWERS: f"lowers accuracy by {_change(row).removeprefix('-')}",
    }
    control = ""
    if row["nearest"]:
        control = f", {percent(row['accuracy'] - row['lead'])} with its control ({row['nearest']})"
    change = "" if row["verdict"] == of.LOWERS else f" ({_change(row)})"
    p = {of.CONTROL: row["p_holm"], of.LOWERS: row["p_nothing_holm"]}.get(row["verdict"])
    tested = "" if p is None else f"; p {p:.2g} after correction"
    shares = ""
    if row["corrected"] is not None and row["broken"] is not None:
        shares = (
            f" It corrects {percent(row['corrected'])} of {before['failures']} failures and breaks "
            f"{percent(row['broken'])} of the correct answers."
        )
    return (
        f"{name} {claims[row['verdict']]}: accuracy {percent(before['accuracy'])} without, "
        f"{percent(row['accuracy'])} with it{change}{control}{tested}.{shares}"
    )


def bound(before: Row, row: Row) -> str:
    """An upper bound, which is no repair."""
    setting = f", {row['setting']} as chosen on the development split" if row.get("setting") else ""
    return (
        f"{of.capitalized(of.called(row['repair']))} is given where the objects are, so it is an upper bound and no "
        f"repair: accuracy {percent(before['accuracy'])} without, {percent(row['accuracy'])} with it "
        f"({_change(row)}{setting})."
    )


def formats(row: Row) -> str | None:
    """What of a free read-out's gain is a change of the answers' format; None where that gain is not shown, or is
    no larger than the gain among the options."""
    if row["free_gain"] is None or row["p_free_holm"] >= of.LEVEL or row["free_gain"] <= 0:
        return None
    surplus = row["free_gain"] - row["gain"]
    if surplus <= row["free_gain"] / 2:
        return None
    return (
        f"the free read-out gains {points(row['free_gain'])}, the options gain {points(row['gain'])}, so "
        f"{points(surplus)} are a change of the answers' format"
    )


def supplied(rows: Sequence[Row]) -> str:
    """What repairs do on the relation that is absent from training."""
    before, tried = plain(rows, of.ABSENT), repairs(rows, of.ABSENT)
    known = {"no": "that this model was not trained on"}.get(
        str(before["trained"]), "of which it is not known whether this model was trained on it"
    )
    start = (
        f"On a relation {known} (which of two is nearer, {before['questions']} questions, chance 50\u00a0%) "
        f"accuracy is {_accuracy(before)}"
    )
    changed = [row for row in tried if row["verdict"] in (of.MORE, of.FEWER)]
    if changed:
        ends = [f"{_accuracy(row)} with {of.called(row['repair'])} ({_change(row)})" for row in changed]
        return f"{start}, and {listed(ends)}."
    best = max(tried, key=lambda row: row["accuracy"])
    most = f"{_accuracy(best)} with {of.called(best['repair'])}"
    return f"{start}, and at most {most}: no repair is shown to change it."


def repairs(rows: Sequence[Row], part: str = of.SCORE) -> list[Row]:
    """The rows of repairs themselves."""
    return [r for r in rows if r["part"] == part and r["control"] is None and r["repair"] not in (of.NONE, of.BLANK)]


def candidates(rows: Sequence[Row]) -> list[Row]:
    """The rows of repairs that can be worth having: no upper bound is."""
    return [row for row in repairs(rows) if row["verdict"] != of.BOUND]


def undecided(tried: Sequence[Row]) -> bool:
    """Whether repairs have too few failures to be judged, unless they harm."""
    known = {row["verdict"] for row in tried}
    return of.FEW in known and known <= {of.FEW, of.HARMS, of.LOWERS}


def lowering(tried: Sequence[Row]) -> int:
    """How many repairs lower accuracy on some set."""
    return len({row["repair"] for row in tried if row["verdict"] in (of.HARMS, of.LOWERS)})


def plain(rows: Sequence[Row], part: str = of.SCORE) -> Row:
    """The row without a repair."""
    return next(row for row in rows if row["part"] == part and row["repair"] == of.NONE)


def _winners(rows: Sequence[Row]) -> list[Row]:
    """The repairs that are worth having, the one that gains most first."""
    return sorted((row for row in repairs(rows) if row["verdict"] == of.WINS), key=lambda row: -row["gain"])


def _change(row: Row) -> str:
    return points_within(row["gain"], row["gain_low"], row["gain_high"])


def _accuracy(row: Row) -> str:
    return whole_percent(row["accuracy"], row["low"], row["high"])
