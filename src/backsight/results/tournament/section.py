"""The tournament's section of the report, from `tournament_summary` and `tournament_classes`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.amplification.titles import filtered, titled, titles
from backsight.results.pages import common, pictures
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, p_value, with_interval
from backsight.results.tournament import schema as of
from backsight.results.tournament.figure import draw
from backsight.results.tournament.text import claim, null, repairs, statements

Row = dict[str, Any]
ANCHOR = KIND = "tournament"
CAPTION = (
    "Filled: what a repair gains of accuracy over no repair, on held-out questions. Hollow: what its controls gain; "
    "diamond: its gain where answers are read freely. A repair in bold is worth having."
)
METHOD = (
    "Pictures are split once: directions, weights, thresholds and strengths are chosen on about a third of them, and "
    "everything is scored on the others. A control is the same change with chance, or a constant, in place of what "
    "makes it a repair: random directions, one weight for all questions, as many other positions.",
    "A repair is worth having where more held-out answers are correct than without it and than with each of its "
    "controls, where it corrects more than it breaks, and where it loses no class of question. Both comparisons are "
    "Fisher's paired randomisation test with the picture as its unit, which is McNemar's exact test where each picture "
    "is asked about once. The larger of the two p-values is corrected by Holm over all repairs, so that of repairs "
    "that do nothing one is named in at most 5 % of such sets.",
    "An answer is the most probable option; the free read-out takes the top token of the vocabulary. What only the "
    "free read-out gains is a change of how the model answers, not of what it knows.",
    "The absent relation asks which of two squares is nearer to a third. No built-in model is trained on distances, "
    "and no change at inference time can supply what was never learned.",
)
LIMITS = (
    "No gain shown is not no gain: the interval says how large a gain may have been missed.",
    "A repair that is given where the objects are is an upper bound, and never worth having.",
    "A repair is scored on these questions; on others it may gain or lose.",
)
OTHER_QUESTIONS = (
    "Amplification has a section of its own, with more questions and another split: its alpha and numbers differ "
    "from those here."
)


def tournament(study: Study) -> Section | None:
    """The section, and which repair is worth having; None without the summary."""
    rows = of.read(study.rows("tournament_summary"))
    if not repairs(rows):
        return None
    by_set = {suite: group for suite, group in _sets(rows).items() if repairs(group)}
    several = len(by_set) > 1
    named = {suite: titled(study, KIND, suite) if several else "" for suite in by_set}
    table = study.tables["tournament_summary"]
    view = pictures.figure(
        study.folder, ANCHOR, draw, table, label=table.schema.title, caption=CAPTION, titles=titles(study, KIND)
    )
    return Section(
        anchor=ANCHOR,
        question="repair",
        title="Tournament of repairs",
        claim=claim({titled(study, KIND, suite): group for suite, group in by_set.items()}),
        null=" ".join(f"{f'{named[suite]}: ' if several else ''}{null(group)}" for suite, group in by_set.items()),
        figures=(view,),
        statements=tuple(
            one
            for suite, group in by_set.items()
            for one in statements(group, named[suite], filtered(study, KIND, suite))
        ),
        tables=(*_tables(study, rows, several=several), *_classes(study)),
        method=METHOD,
        limits=(*LIMITS, *([OTHER_QUESTIONS] if study.rows("amplify_summary") else [])),
        samples=common.samples(study, KIND, {row["suite"] for row in rows}),
    )


def _sets(rows: Sequence[Row]) -> dict[str, list[Row]]:
    names = dict.fromkeys(row["suite"] for row in rows if row["part"] != of.LEFT_OUT)
    return {suite: [row for row in rows if row["suite"] == suite] for suite in names}


def _tables(study: Study, rows: Sequence[Row], *, several: bool) -> list[Grid]:
    """What each repair does; then, folded, its controls, how it was chosen and tested, and the absent relation."""
    scored = [row for row in rows if row["part"] == of.SCORE]
    tried = repairs(scored)
    itself = [row for row in scored if row["control"] is None]
    controls = [row for row in scored if row["control"] is not None]
    beside = {(row["suite"], row["repair"]): row for row in tried}
    absent = [row for row in rows if row["part"] == of.ABSENT]

    def grid(heading: str, of_rows: Sequence[Row], columns: dict[str, Any], **more: Any) -> Grid:
        lines = tuple(
            (*((titled(study, KIND, row["suite"]),) if several else ()), *(cell(row) for cell in columns.values()))
            for row in of_rows
        )
        names = (*(("Questions of",) if several else ()), *columns)
        suites = tuple(filtered(study, KIND, row["suite"]) for row in of_rows)
        return Grid(heading, names, lines, suites=suites, **more)

    words = 3 if several else 2
    grids = [
        grid(
            "Repairs, on questions that nothing was chosen on",
            itself,
            {"Repair": _name, "Verdict": lambda row: of.judged(row["verdict"]), **SHARES, "Gain": _of("gain")},
            words=words,
            files=study.files("tournament_summary"),
        ),
        grid(
            "Their controls, on the same questions",
            controls,
            {
                "Repair": _name,
                "Control": lambda row: row["control"],
                **SHARES,
                "Repair's lead": lambda row: _lead(row, beside.get((row["suite"], row["repair"]))),
            },
            words=words,
            folded=True,
            note="The lead is a repair's accuracy less that of the control that is hardest to tell from it.",
        ),
        grid(
            "What was chosen, tests, and the free read-out",
            tried,
            CHOSEN,
            words=words,
            folded=True,
            note="p: after Holm's correction over the repairs of a set; that of both, the larger of two, decides. "
            "Cost: forward equivalents a question, without fits.",
        ),
    ]
    if absent:
        shown = {
            "Repair": _name,
            "Verdict": lambda row: of.of_absent(row["verdict"]),
            "Accuracy": _of("accuracy"),
            "Gain": _of("gain"),
        }
        grids.append(grid("The relation that is absent from training", absent, shown, words=words, folded=True))
    return [one for one in grids if one.rows]


def _name(row: Row) -> str:
    return of.called(row["repair"])


def _of(name: str) -> Any:
    """The cell of a number with its interval; a dash where the row has none."""
    low, high = ("low", "high") if name == "accuracy" else (f"{name}_low", f"{name}_high")
    return lambda row: with_interval(row[name], row[low], row[high])


def _lead(row: Row, repair: Row | None) -> str:
    """A repair's lead, beside the control that it is hardest to tell from."""
    return _of("lead")(repair) if repair is not None and repair["nearest"] == row["control"] else "–"


SHARES = {
    "Accuracy": _of("accuracy"), "Failures corrected": _of("corrected"), "Correct answers broken": _of("broken"),
}  # fmt: skip
CHOSEN = {
    "Repair": _name,
    "As chosen": lambda row: row["setting"] or "–",
    "p, nothing": lambda row: p_value(row["p_nothing_holm"]),
    "p, control": lambda row: p_value(row["p_control_holm"]),
    "p, both": lambda row: p_value(row["p_holm"]),
    "Read freely": lambda row: decimal(row["free"]),
    "Gain, read freely": _of("free_gain"),
    "Cost": lambda row: "–" if row["cost"] is None else f"{row['cost']:.2f}",
}


def _classes(study: Study) -> tuple[Grid, ...]:
    """Accuracy by class, where a class has enough questions."""
    rows = study.rows("tournament_classes")
    shown = [row for row in rows if row["before"] is not None]
    if not shown:
        return ()
    few = {(row["suite"], row["class"]) for row in rows if row["before"] is None}
    given = any(row["given_before"] is not None for row in shown)
    lines = tuple(
        (
            titled(study, KIND, row["suite"]),
            of.called(row["repair"]),
            f"{row['class']} ({row['questions']})",
            *(with_interval(row[c], row[f"{c}_low"], row[f"{c}_high"]) for c in ("before", "after", "difference")),
            p_value(row["p_holm"]),
            *([f"{decimal(row['given_before'])}, {decimal(row['given_after'])}"] if given else []),
        )
        for row in shown
    )
    columns = ("Suite", "Repair", "Class (questions)", "Before", "After", "Difference", "p")
    note = "p: after Holm's correction over all classes and repairs."
    note += " Given: the share of all answers of the suite that are this class's, before and after." if given else ""
    note += f" Left out: {len(few)} classes of fewer than {SMALLEST} questions each." if few else ""
    suites = tuple(filtered(study, KIND, row["suite"]) for row in shown)
    return (
        Grid(
            "Accuracy by class of question", (*columns, *(("Given",) if given else ())), lines, words=3, folded=True,
            files=study.files("tournament_classes"), note=note, suites=suites,
        ),
    )  # fmt: skip
