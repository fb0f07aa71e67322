"""What a shuffle of the image tokens takes: the claim over all suites, its null, and a sentence a suite.

All are functions of the rows of `permutation_summary` and of what suites are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed
from backsight.results.permutation.text import ABOVE, TAKEN, index, taken, why

Row = Mapping[str, Any]
Titles = Mapping[str, str]
FEW_NAMED = 3  # suites that a claim names one by one


def own(rows: Sequence[Row]) -> dict[str, Row]:
    """Each suite's own questions at the tokens' own norm, shuffled with positions kept."""
    return {
        row["suite"]: row
        for row in rows
        if (row["norm"], row["order"]) == ("own", "kept") and row["kind"] in ("relational", "other")
    }


def claim(rows: Sequence[Row], titles: Titles) -> str:
    """What the shuffle takes of each suite's own questions, the largest loss first, and where there is no index."""
    by_word: dict[str, list[Row]] = {word: [] for word in (*TAKEN, "omitted")}
    for row in own(rows).values():
        by_word[taken(row)].append(row)
    omitted = by_word.pop("omitted")
    parts = [f"{TAKEN[word]} {ABOVE}: {_shares(of, titles)}" for word, of in by_word.items() if of]
    missing = [f"in {listed(suites)}, where {reason}" for reason, suites in _reasons(omitted, titles).items()]
    if not parts:
        return f"What a shuffle of the image tokens takes is not shown {'; '.join(missing) or 'by any suite'}."
    where = all(row["kind"] == "relational" for row in own(rows).values())
    noun = "questions of where a thing is" if where else "the suites' own questions"
    beside = f"; not shown {'; '.join(missing)}" if missing else ""
    return f"With image tokens shuffled, {noun} lose {'; '.join(parts)}{beside}."


def _shares(of: Sequence[Row], titles: Titles) -> str:
    if len(of) <= FEW_NAMED:
        return listed(f"{index(row)} in {titles[row['suite']]}" for row in of)
    least = min(of, key=lambda row: float(row["corrected"]))
    return f"at least {index(least)} in {len(of)} suites"


def _reasons(of: Sequence[Row], titles: Titles) -> dict[str, list[str]]:
    """Suites by why they have no index."""
    reasons: dict[str, list[str]] = {}
    for row in of:
        reasons.setdefault(why(row), []).append(titles[row["suite"]])
    return reasons


def null(rows: Sequence[Row], titles: Titles) -> str:
    """Beside what the losses stand: questions that need no position, under the same shuffle."""
    control = [row for row in rows if (row["kind"], row["norm"], row["order"]) == ("semantic", "own", "kept")]
    there = [row for row in control if not row["reason"]]
    if not there:
        return "There is no control: no question of what is there is answered above chance."
    most = max(there, key=lambda row: float(row["corrected_high"]))
    where = f" ({titles[most['suite']]})" if len(there) > 1 else ""
    return f"Questions of what is there need no position: they lose {'at most ' if where else ''}{index(most)}{where}."


def statements(rows: Sequence[Row], titles: Titles) -> tuple[Statement, ...]:
    """A sentence a suite, and one of all suites without any index for the same reason."""
    lines, silent = [], []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        of = [row for row in rows if row["suite"] == suite and row["norm"] == "own"]
        if all(row["reason"] for row in of):
            silent += [row for row in of if row is of[0]]
        else:
            lines.append(Statement(of_suite(of, titles[suite]), suite, _short(of)))
    for reason, suites in _reasons(silent, titles).items():
        lines.append(
            Statement(f"No index in {listed(suites)}: {reason}.", silent[0]["suite"] * (len(silent) == 1), 1.0)
        )
    return tuple(lines)


def of_suite(rows: Sequence[Row], title: str) -> str:
    """What both shuffles take of one suite's questions, from rows at the tokens' own norm."""
    at = {("what" if row["kind"] == "semantic" else "where", row["order"]): row for row in rows}
    asked = "questions of where" if any(row["kind"] == "relational" for row in rows) else "its own questions"
    names = (asked, ("where", "kept")), ("questions of what is there", ("what", "kept"))
    there = [(name, at[key]) for name, key in names if key in at]
    parts = [f"{name} {_loses(row, f' {ABOVE}' * (row is there[0][1]))}" for name, row in there]
    sentence = f"{title}: with image tokens shuffled, {', '.join(parts)}"
    moved = at.get(("where", "moved"))
    return f"{sentence}; with rotary positions moved along, {asked} {_loses(moved, '')}." if moved else f"{sentence}."


def _loses(row: Row, of: str) -> str:
    word = taken(row)
    if word == "omitted":
        return f"have no index, since {why(row)}"
    return f"lose {TAKEN[word]}{of} ({index(row)})"


def _short(rows: Sequence[Row]) -> float:
    """How much the shuffle takes beyond position: the loss that questions of what is there are known to have."""
    lows = [float(row["corrected_low"]) for row in rows if row["kind"] == "semantic" and not row["reason"]]
    return min(1.0, max([0.0, *lows])) if lows else 0.5
