"""Amplification in sentences, each a function of the summary's rows and of the paired gains."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.amplification.gains import Gain
from backsight.results.amplification.tables import ALL, ENOUGH
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed, percent, points_within, whole_percent

Row = dict[str, Any]
Title = Callable[[str], str]


def kinds(rows: Sequence[Row], suite: str) -> dict[str, Row]:
    """A suite's rows as run, by the kind of their directions."""
    return {row["directions"]: row for row in rows if row["suite"] == suite and row["form"] in (None, "projected")}


def whole(rows: Sequence[Row]) -> str:
    """The suite that stands for all: all of them together, or the one with the most questions."""
    suites = [row for row in rows if row["directions"] == "none"]
    return ALL if any(row["suite"] == ALL for row in suites) else max(suites, key=lambda r: r["questions"])["suite"]


def claim(rows: Sequence[Row], gains: Mapping[str, Gain], title: Title) -> str:
    """Over all suites: whether amplification gains accuracy, and more than random directions do."""
    suite = whole(rows)
    of = kinds(rows, suite)
    before, probe = of["none"], of["probe"]
    if probe["omitted"]:
        return (
            f"Whether amplification repairs is not shown: {before['failures']} of {before['questions']} questions were "
            f"answered incorrectly, and {SMALLEST} are needed."
        )
    of_all = f"on {_inside(title(suite))} ({before['failures']} of {before['questions']} answered incorrectly)"
    gain = gains.get(suite)
    if gain is None:
        return (
            f"Amplification is not shown to repair {of_all}: it corrects {_share(probe, 'corrected')} of the failures "
            f"and breaks {_share(probe, 'broken')} of the correct answers."
        )
    end = f"; its probes read position in {percent(read)} of tokens." if (read := probe["probe"]) is not None else "."
    subject = f"Amplification at alpha {probe['alpha']:g}"
    change, lead = points_within(*gain.gain[:3]), f"{points_within(*gain.lead[:3])} against random directions"
    if gain.harms:
        return f"{subject} lowers accuracy {of_all}: {change}; {lead}{end}"
    if gain.shown:
        return (
            f"{subject} raises accuracy {of_all}: {change}; {lead}; it breaks {_share(probe, 'broken')} of the correct "
            f"answers{end}"
        )
    if gain.gain.low > 0:
        return f"{subject} is not shown to gain more than random directions {of_all}: {change}; {lead}{end}"
    return f"{subject} is not shown to raise accuracy {of_all}: {change}; {lead}{end}"


def null(rows: Sequence[Row], title: Title) -> str:
    """What random directions do at the same alpha, over all suites."""
    suite = whole(rows)
    of = kinds(rows, suite)
    if (random := of.get("random")) is None or random["accuracy"] is None:
        return ""
    accuracies = [f"{whole_percent(row['accuracy'], row['low'], row['high'])}" for row in (of["none"], random)]
    text = f"Accuracy on {_inside(title(suite))} is {accuracies[0]} without and {accuracies[1]} with random directions"
    if random["corrected"] is None or random["broken"] is None:
        return f"{text}."
    return (
        f"{text}, which correct {_share(random, 'corrected')} of the failures and break {_share(random, 'broken')} of "
        "the correct answers."
    )


def statements(
    rows: Sequence[Row], gains: Mapping[str, Gain], title: Title, filtered: Title
) -> tuple[Statement, ...]:  # fmt: skip
    """A sentence a suite, and one for all that have too few failures."""
    suites = [suite for suite in dict.fromkeys(row["suite"] for row in rows) if suite != ALL]
    few = [suite for suite in suites if kinds(rows, suite)["probe"]["omitted"]]
    shown = tuple(
        _statement(kinds(rows, suite), gains.get(suite), title(suite), filtered(suite))
        for suite in suites
        if suite not in few
    )
    if not few:
        return shown
    counts = [kinds(rows, suite)["none"] for suite in few]
    names = listed(
        f"{title(suite)} ({row['failures']} of {row['questions']})" for suite, row in zip(few, counts, strict=True)
    )
    text = f"Omitted, as fewer than {SMALLEST} questions were answered incorrectly: {names}."
    of = {filtered(suite) for suite in few}
    return (*shown, Statement(text, of.pop() if len(of) == 1 else ""))


def _statement(of: Mapping[str, Row], gain: Gain | None, title: str, suite: str) -> Statement:
    before, probe, random = of["none"], of["probe"], of["random"]
    change = f", {points_within(*gain.gain[:3])}" if gain is not None else ""
    text = (
        f"{title}: accuracy {percent(before['accuracy'])} without and {percent(probe['accuracy'])} with amplification "
        f"at alpha {probe['alpha']:g}{change}. {_shares(before, probe, random)}"
    )
    few = f"fewer than {ENOUGH} failures" if before["failures"] < ENOUGH else ""
    return Statement(text, suite, short(before, probe), few)


def _shares(before: Row, probe: Row, random: Row) -> str:
    """What is corrected and broken, beside random directions; what too few answers give is left out and said."""
    corrected = f"It corrects {percent(probe['corrected'])} of {before['failures']} failures"
    if probe["broken"] is None:
        beside = f" ({percent(random['corrected'])} with random directions)" if random["corrected"] is not None else ""
        return f"{corrected}{beside}; too few answers were correct to tell how many it breaks."
    return (
        f"{corrected} and breaks {percent(probe['broken'])} of the correct answers (random directions: "
        f"{_percent(random['corrected'])} and {_percent(random['broken'])})."
    )


def short(before: Row, probe: Row) -> float:
    """How far amplification is from a repair: 0 where it leaves no failure, 1 where it leaves as many or more."""
    failed = 1 - before["accuracy"]
    return 1.0 if failed <= 0 else 1 - min(1.0, max(0.0, (probe["accuracy"] - before["accuracy"]) / failed))


def _share(row: Row, name: str) -> str:
    if row[name] is None:
        return "an omitted share"
    return whole_percent(row[name], row[f"{name}_low"], row[f"{name}_high"])


def _percent(value: float | None) -> str:
    return "an omitted share" if value is None else percent(value)


def _inside(title: str) -> str:
    """A title within a sentence: "all hard questions", where it begins with a word of ours."""
    return title[0].lower() + title[1:] if title.startswith(("All ", "Hard ")) else title
