"""The report's section on localization."""

from __future__ import annotations

from typing import Any

from backsight.results.localization import text
from backsight.results.localization.figure import draw
from backsight.results.localization.tables import ENDS
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import in_list, with_interval

Row = dict[str, Any]
_SHOWN = ("readable", "iou", "hit", "constant", "other", "blank", "above")
_ERRORS = ("boxes", "error", "error_middle", "error_blank", "closer")


def section(study: Study) -> Section | None:
    """The section on absolute where; None without the summary."""
    rows = study.rows("localization_summary")
    if not rows:
        return None
    cells = tuple(
        (common.title(study, row["suite"]), row["form"], str(row["questions"]), *(_cell(row, name) for name in _SHOWN))
        for row in rows
    )
    columns = (
        "Suite", "Format", "Questions", "Readable", "Mean IoU", "IoU ≥ 0.5", "Constant box", "Other pictures",
        "Gray picture", "Above the best of these",
    )  # fmt: skip
    boxes = Grid("Boxes that the model names", columns, cells, words=2, files=study.files("localization_summary"),
                 suites=tuple(row["suite"] for row in rows))  # fmt: skip
    errors = Grid(
        "Location error: the distance of the middles, of readable boxes",
        ("Suite", "Format", "Readable texts", "Named boxes", "Mean middle", "Gray picture", "Closer than the best"),
        tuple(
            (common.title(study, row["suite"]), row["form"], *(_cell(row, name) for name in _ERRORS)) for row in rows
        ),
        words=2, files=study.files("localization_summary"), suites=tuple(row["suite"] for row in rows),
    )  # fmt: skip
    titles = {row["suite"]: in_list(common.title(study, row["suite"])) for row in rows}
    return Section(
        anchor="localization", title="Localization: naming a thing's box", question="can",
        claim=text.claim(rows, titles), null=text.null(rows),
        figures=(common.figure(study, "localization", draw, study.tables["localization_summary"], text.CAPTION),),
        statements=tuple(
            Statement(text.sentence(titles[row["suite"]], row), row["suite"], text.short(row)) for row in rows
        ),
        tables=(boxes, errors), method=text.METHOD, limits=text.LIMITS,
        samples=common.samples(study, "localization", set(titles)),
    )  # fmt: skip


def _cell(row: Row, name: str) -> str:
    if name == "boxes":
        return str(row[name])
    return row["reason"] or with_interval(*(row[f"{name}{end}"] for end in ENDS))
