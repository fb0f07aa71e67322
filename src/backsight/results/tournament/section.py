"""The tournament's section of the report, from `tournament_summary` and `tournament_classes`."""

from __future__ import annotations

from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, p_value, unbroken, with_interval
from backsight.results.tournament import schema as of
from backsight.results.tournament.figure import draw
from backsight.results.tournament.text import each, repairs, sentence

Row = dict[str, Any]
ANCHOR = "tournament"
CAPTION = (
    "Gain of accuracy over no repair on held-out questions (filled), beside what the repair's controls gain (hollow) "
    "and its gain where answers are read freely (diamond). Bold: worth having."
)
METHOD = (
    "Pictures are split once; directions, weights, thresholds and strengths are chosen on about a third of them, and "
    "everything is scored on the others. A control is the same change with chance, or a constant, in place of what "
    "makes it a repair: random directions, one weight for all questions, as many other positions.",
    "A repair is worth having where it answers more held-out questions right than nothing does and than each of its "
    "controls, corrects more than it breaks, and loses no class of question. Both comparisons are Fisher's paired "
    "randomisation test with the picture as its unit, which is McNemar's exact test where each picture is asked about "
    "once. The larger of the two p-values is corrected by Holm over all repairs, so that with repairs that do nothing "
    "one is named in at most 5 % of such sets.",
    "Right and wrong are by the most probable option; the free read-out takes the top token of the vocabulary. What "
    "only the free read-out gains is a change of how the model answers, not of what it knows.",
    "The absent relation asks which of two squares is nearer to a third. No built-in model is trained on distances; a "
    "change at inference time cannot supply what was never learned.",
    f"Intervals hold 95 %, pictures as units. Shares of fewer than {SMALLEST} failures or right answers are omitted.",
)
LIMITS = (
    "The failures are those of these questions; other failures may have other causes.",
    "No gain shown is not no gain: an interval says how large a gain could have been missed.",
    "A repair that is told where things are is an upper bound, and never worth having by itself.",
)


def tournament(study: Study) -> Section | None:
    """The section, and which repair is worth having; None without the summary."""
    rows = study.rows("tournament_summary")
    if not repairs(rows):
        return None
    section = Section(
        anchor=ANCHOR,
        question="repair",
        title="Tournament of repairs",
        notes=tuple(
            f"{common.title(study, suite)}: {words}"
            for suite, group in _sets(rows).items()
            for words in (*each(group), *_left_out(group))
        ),
        figures=(common.figure(study, ANCHOR, draw, study.tables["tournament_summary"], CAPTION),),
        tables=(_table(study, rows), *_classes(study)),
        method=METHOD,
        limits=LIMITS,
        samples=common.samples(study, "tournament", {row["suite"] for row in rows}),
    )
    statements = tuple(
        Statement(f"{common.title(study, suite)}: {sentence(group)}") for suite, group in _sets(rows).items()
    )
    return section.concluding("", statements)


def _sets(rows: list[Row]) -> dict[str, list[Row]]:
    names = dict.fromkeys(row["suite"] for row in rows if row["part"] != of.LEFT_OUT)
    return {suite: [row for row in rows if row["suite"] == suite] for suite in names}


def _left_out(rows: list[Row]) -> list[str]:
    return [f"{of.called(r['repair'])} was left out: {r['setting']}." for r in rows if r["part"] == of.LEFT_OUT]


def _table(study: Study, rows: list[Row]) -> Grid:
    lines = []
    for row in rows:
        if row["part"] == of.LEFT_OUT:
            continue
        name = of.called(row["repair"]) if row["control"] is None else f"– {row['control']}"
        asked = common.title(study, row["suite"]) if row["part"] == of.SCORE else "Nearer (absent)"
        tried = row["verdict"] is not None
        shares = (
            with_interval(row[one], row[f"{one}_low"], row[f"{one}_high"])
            for one in ("corrected", "broken", "gain", "free_gain", "lead")
        )
        tests = (p_value(row[one]) if tried else "–" for one in ("p_nothing_holm", "p_control_holm", "p_holm"))
        lines.append(
            (
                asked, unbroken(name), unbroken(row["setting"] or "–"), unbroken(row["verdict"] or "–"),
                str(row["questions"]), with_interval(row["accuracy"], row["low"], row["high"]), decimal(row["free"]),
                *shares, *tests, "–" if row["cost"] is None else f"{row['cost']:.2f}",
            )
        )  # fmt: skip
    columns = (
        "Questions of", "Repair or – control", "As chosen", "Verdict", "Questions", "Accuracy", "Free read-out",
        "Failures corrected", "Right answers broken", "Gain over nothing", "Gain, read freely", "Lead over its control",
        "p, nothing", "p, control", "p, both", "Cost",
    )  # fmt: skip
    note = (
        "p: after Holm's correction over the repairs of a set; that of both, the larger of two, decides. The lead is "
        "over the control that is hardest to tell from the repair. Cost: forward equivalents a question, without fits."
    )
    heading = "On questions that nothing was chosen on"
    return Grid(heading, columns, tuple(lines), words=4, files=study.files("tournament_summary"), note=note)


def _classes(study: Study) -> tuple[Grid, ...]:
    rows = study.rows("tournament_classes")
    lines = tuple(
        (
            common.title(study, row["suite"]), unbroken(of.called(row["repair"])), row["class"], str(row["questions"]),
            *(with_interval(row[c], row[f"{c}_low"], row[f"{c}_high"]) for c in ("before", "after", "difference")),
            p_value(row["p_holm"]), decimal(row["given_before"]), decimal(row["given_after"]),
        )
        for row in rows
    )  # fmt: skip
    columns = (
        "Suite", "Repair", "Class", "Questions", "Accuracy before", "After", "Difference", "p", "Given before",
        "Given after",
    )  # fmt: skip
    note = "Given: the share of all answers of the suite that are this class's. p: after Holm's correction over all."
    heading = "By class of question"
    files = study.files("tournament_classes")
    return (Grid(heading, columns, lines, words=3, folded=True, files=files, note=note),) if lines else ()
