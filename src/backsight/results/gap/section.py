"""The what/where gap in the report: the sentence that opens it, its tables and what they do not show."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.gap import NO_GAP
from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.gap.figure import draw, with_ground
from backsight.results.gap.tables import GAP_SUMMARY
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import PHOTOGRAPHS, decimal, percent, with_interval

Row = Mapping[str, Any]
QUESTION = "Whether it knows what is there better than where it is"
LEAD = "On the same pictures and corrected for guessing (0 is guessing, 1 all right), the model"
AXES = {"horizontal": "left and right", "vertical": "above and below", "depth": "in front and behind"}
ABOUT = {"presence": "presence", "naming": "naming", "colour": "colour"}
CAPTION = (
    "Accuracy corrected for guessing with its 95 % interval, of what is there (blue) and of where it is (orange), on "
    "the same pictures. The distance between the two is the gap. Below 0 the picture misleads."
)
METHOD = (
    "Where: the suite's own question about a relation. What, of the same picture: presence (which of two named things "
    "is there), naming (one thing that is there, among it and up to three that are not) and colour. Drawn scenes say "
    "what is not there, and so do photographs whose annotations are exhaustive; of other pictures the names come from "
    "the set's other questions, and that they are absent is assumed, which is said where it is.",
    "Each question is asked with the picture and with a uniform gray one. Guessing is chance, or the gray picture's "
    "accuracy where that is higher; corrected is (accuracy - guessing) / (1 - guessing). A gray picture below chance "
    "does not lower guessing: who guesses with the picture and answers a gray one wrongly does not see.",
    f"The gap is what less where, of the pictures that both are asked about; its headline is of presence, and where "
    f"that cannot be asked (of fewer than {SMALLEST} pictures) of naming, then of colour. Presence can be asked of any "
    "set, and as in the question of where the things are named in it. The interval is over pictures, to first order in "
    "the four accuracies, with four pseudo-images. A gap is said where the interval excludes 0, none where it lies "
    f"within {NO_GAP:g} of 0.",
    "Kinds whose words the tokenizer of a small vocabulary lacks are left out and listed. Naming and colour are worded "
    "in the manner of the suites, in words that built-in models know but were not asked in.",
)
LIMITS = (
    "The gap compares two kinds of question. One may be worded in a way that the model is more used to; the wording is "
    "no part of what is corrected for.",
    "Presence among two names is an easy kind of what: that it is answered says that the thing is recognised, not that "
    "it would be named.",
    "Where both kinds lie at guessing the larger of chance and the gray picture's estimate lies a little above both, "
    "which makes the correction too strict by some .05 at 48 pictures.",
)


def gap(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = study.rows(GAP_SUMMARY.name)
    if not rows:
        return None
    suites: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        suites.setdefault((row["suite"], row["ground"]), []).append(row)
    titles = {one: with_ground(common.title(study, one[0]), one, suites) for one in suites}
    drawn = any(not row["omitted"] for row in rows)
    statements = tuple(
        Statement(
            gap_sentence(titles[one], group), one[0], note=PHOTOGRAPHS if one[0] in study.unseen_photographs else ""
        )
        for one, group in suites.items()
    )
    section = Section(
        anchor="gap",
        question="can",
        title="What and where",
        notes=(PHOTOGRAPHS,) if {suite for suite, _ in suites} & study.unseen_photographs else (),
        figures=(common.figure(study, "gap", draw, study.tables[GAP_SUMMARY.name], CAPTION),) if drawn else (),
        tables=(_table(study, rows, titles, whole=True), _table(study, rows, titles, whole=False)),
        method=METHOD,
        limits=LIMITS,
        samples=common.samples(study, "gap", {suite for suite, _ in suites}),
    )
    return section.concluding(LEAD, statements)


def gap_sentence(title: str, rows: Sequence[Row]) -> str:
    """Whether what or where is answered better in a suite; `rows` are its summary's, all axes and kinds."""
    main = next((row for row in rows if row["headline"] and row["axis"] == "all"), None)
    if main is None or main["omitted"]:
        images = max((row["images"] for row in rows if row["axis"] == "all"), default=0)
        return f"was asked too little of {title} ({counted(images, 'picture')} with both; {SMALLEST} needed)"
    where = _corrected(main, "where")
    numbers = f"{ABOUT[main['kind']]} {_corrected(main, 'what')}, relation {where}, gap {_ends(main, 'gap', '')}"
    by_axis = [row for row in rows if row["headline"] and row["axis"] != "all" and not row["omitted"]]
    axes = ", ".join(f"{AXES[row['axis']]} {_ends(row, 'gap', '')}" for row in by_axis)
    assumed = "; that the names are absent is assumed" if "assumed" in (main["absence"] or "") else ""
    pictures = counted(main["images"], "picture")
    return f"{_verdict(main, title)} ({numbers}{f'; gap of {axes}' if axes else ''}; {pictures}{assumed})"


def _verdict(row: Row, title: str) -> str:
    if row["verdict"] == "what":
        return f"answers what is in {title} better than where it is"
    if row["verdict"] == "where":
        return f"answers where things are in {title} better than what they are"
    if row["verdict"] == "none":
        return f"answers where things are in {title} as well as what they are, within {NO_GAP:g}"
    if max(row["what_low"], row["where_low"]) <= 0:
        return f"answers neither what is in {title} nor where it is better than by guessing"
    return f"leaves open whether it answers what is in {title} better than where it is: the interval is too wide"


def _corrected(row: Row, name: str) -> str:
    return _ends(row, f"{name}_corrected", f"{name}_")


def _ends(row: Row, value: str, start: str) -> str:
    return f"{row[value]:.2f} [{row[f'{start}low']:.2f},\u00a0{row[f'{start}high']:.2f}]"


def _table(study: Study, rows: Sequence[Row], titles: Mapping[tuple[str, str | None], str], *, whole: bool) -> Grid:
    """What, where and the gap by kind: of all directions, or (folded) by axis."""
    lines = []
    for row in rows:
        if (row["axis"] == "all") != whole:
            continue
        start = (titles[row["suite"], row["ground"]], *([] if whole else [row["axis"]]), row["kind"])
        numbers = [_cell(row, name) for name in ("what", "where")]
        gap = "–" if row["omitted"] else with_interval(row["gap"], row["low"], row["high"])
        lines.append((*start, str(row["images"]), *numbers[0], *numbers[1], gap, row["skipped"] or ""))
    columns = (
        "Suite", *([] if whole else ["Axis"]), "What", "Pictures", "What: accuracy", "Gray, chance", "What corrected",
        "Where: accuracy", "Gray, chance", "Where corrected", "Gap", "Left out",
    )  # fmt: skip
    title = "What and where, all directions together" if whole else "By axis"
    files = study.files(GAP_SUMMARY.name) if whole else ()
    return Grid(title, columns, tuple(lines), words=2 if whole else 3, folded=not whole, files=files)


def _cell(row: Row, name: str) -> tuple[str, str, str]:
    """Accuracy, what guessing is, and corrected accuracy."""
    if row["omitted"]:
        return "–", "–", f"omitted (n={row['images']})"
    corrected = with_interval(row[f"{name}_corrected"], row[f"{name}_low"], row[f"{name}_high"])
    return percent(row[name]), f"{decimal(row[f'{name}_blank'])}, {decimal(row[f'{name}_chance'])}", corrected
