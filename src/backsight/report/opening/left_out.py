"""What a study did not measure, and why, in a sentence or two."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten

from backsight.results import RESULTS, today
from backsight.results.drawing.style import counted
from backsight.results.pages.study import Study, mapping, number, records, text, texts
from backsight.results.pages.wording import listed

NOTHING = "Nothing: every measurement that the study plans was made on every set that it was planned for."
UNKNOWN = "The study's record does not say what it skipped."
MOST = 2  # of the reasons, and of what has too few samples, that are named
LONGEST = 44  # letters of a reason; the table of what is left out has it whole
ALL = "all"
REMOVED = {"removed": "backup"}  # what a result's rows are called where the vision encoder's order was removed


def left_out(study: Study) -> tuple[str, ...]:
    """What was skipped, by reason, what too few samples were left of, and how the study was limited by what was asked
    for."""
    skipped = records(study.data.get("skipped"))
    lines = [*_skipped(study, skipped), *_too_few(study), *_limited(mapping(study.data.get("options")))]
    if study.damaged:
        lines.insert(0, f"{counted(len(study.damaged), 'table')} missing or damaged: {listed(study.damaged)}.")
    if study.data.get("finished") is False:
        lines.append("What is not finished: the command of the study goes on with it.")
    return tuple(lines) or (NOTHING if isinstance(study.data.get("skipped"), list) else UNKNOWN,)


def _skipped(study: Study, skipped: list[Mapping[str, object]]) -> list[str]:
    """How many measurements of a set were skipped; the reasons that most of them share are named."""
    if not skipped:
        return []
    by_reason: dict[str, list[Mapping[str, object]]] = {}
    for one in skipped:
        by_reason.setdefault(text(one.get("reason")), []).append(one)
    ordered = sorted(by_reason.items(), key=lambda item: -len(item[1]))
    parts = [f"{_about(study, of)} ({shorten(reason, LONGEST, placeholder=' ...')})" for reason, of in ordered[:MOST]]
    rest = sum(len(of) for _, of in ordered[MOST:])
    parts += [f"{rest} more"] if rest else []
    return [f"{counted(len(skipped), 'measurement')} of a set: {listed(parts)}."]


def _about(study: Study, of: list[Mapping[str, object]]) -> str:
    """What was skipped for one reason: a measurement of a set, or how many of which measurements."""
    kinds = list(dict.fromkeys(today(text(one.get("measurement"))) for one in of))
    if len(of) == 1:
        name = text(of[0].get("set"))
        return f"{kinds[0]} on {study.titles.get(name, name)}"
    names = listed(kinds) if len(kinds) < 4 else counted(len(kinds), "measurement")
    return f"{names} on {counted(len({text(one.get('set')) for one in of}), 'set')}"


def _too_few(study: Study) -> list[str]:
    """Which measurements give no number of a set, as too few samples are left of it."""
    sets: dict[str, list[str]] = {}
    for result in RESULTS.values():
        if result.summary is not None:
            for name, suite in omitted(study.rows(result.summary.name)):
                sets.setdefault(REMOVED.get(name, result.name).replace("_", " "), []).append(suite)
    parts = [
        f"{name} on {study.titles.get(of[0], of[0]) if len(of) == 1 else counted(len(of), 'set')}"
        for name, of in sets.items()
    ]
    rest = len(parts) - MOST
    named = [*parts[:MOST], *([f"{rest} more"] if rest > 0 else [])]
    return [f"Too few samples: {listed(named)}."] if parts else []


def omitted(rows: Sequence[Mapping[str, object]]) -> list[tuple[str, str]]:
    """The suites that a summary gives no number of, each with how the vision encoder was left where that is told.

    These are the suites whose rows are all omitted; of tables that go by direction or axis, the rows of all together.
    """
    for column in ("direction", "axis"):
        rows = [row for row in rows if row.get(column) == ALL] or rows
    given: dict[tuple[str, str], bool] = {}
    for row in rows:
        if row.get("suite") is not None and row.get("omitted") is not None:
            key = text(row.get("vision")), text(row["suite"])
            given[key] = given.get(key, False) or row["omitted"] is not True
    return [key for key, any_given in given.items() if not any_given]


def _limited(options: Mapping[str, object]) -> list[str]:
    """What the command left out by its options."""
    parts = []
    if only := texts(options.get("only")):
        parts.append(f"all but {listed(only)} (--only)")
    if options.get("quick") is True:
        parts.append("what needs many samples (--quick)")
    for name in ("limit", "samples", "budget"):
        if (most := number(options.get(name))) is not None:
            parts.append(f"samples beyond {most:.0f} (--{name})")
    return [f"As was asked for: {listed(parts)}."] if parts else []
