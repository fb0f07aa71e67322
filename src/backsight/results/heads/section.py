"""Heads that find the boxes, ablated: figure, table and sentences, from `heads_summary`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results import by_head
from backsight.results.drawing import panels
from backsight.results.drawing.style import counted
from backsight.results.heads.figure import WORDS, draw
from backsight.results.heads.tables import SUMMARY
from backsight.results.looking.figure import suite_words
from backsight.results.pages import common
from backsight.results.pages.alike import among, slim
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import (
    decimal,
    in_list,
    listed,
    omitted,
    p_value,
    points,
    points_within,
    with_interval,
)

Row = dict[str, Any]
CAPTION = (
    "Accuracy with the heads ablated that find the boxes best, and with as many random heads of the same layers, with "
    "95 % intervals, on pictures that the heads were not chosen on. Dashed: chance."
)
DEPENDS = "answers depend on these heads, more than on others of the same layers"
UNSHOWN = "answers are not shown to depend on these heads"
METHOD = (
    "Heads are chosen on half of the pictures, by AUROC less that on a gray picture, for the target that each finds "
    "best. On the other half their outputs are set to zero at every position of the prompt (or, as an option, to their "
    "mean). The null is as many others drawn from the same layers, of which no more than half of the heads are chosen.",
    "Differences of accuracy are paired over pictures; all comparisons of a suite are corrected together (Holm).",
)
LIMITS = (
    "Heads may stand in for one another: that ablating some changes nothing does not show that none of them is used.",
    "A head set to zero is nothing that the model was trained on: what random heads do is the measure.",
)


def section(study: Study) -> Section | None:
    """The section's part on heads; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    figure = common.figure(study, "heads", draw, study.tables[SUMMARY.name], CAPTION)
    groups = panels.grouped(rows, SUMMARY.name, "suite", "prompt").values()
    named = {in_list(suite_words(group[0], study.titles)): group for group in groups}
    return Section(
        anchor="looking", question="why", title="Attention within the image", claim=claim(named), null=null(named),
        figures=(figure,),
        statements=tuple(Statement(sentence(name, g), g[0]["suite"], short(g)) for name, g in named.items()),
        tables=(_table(study, rows),), method=METHOD, limits=LIMITS,
        samples=common.samples(study, "heads", {row["suite"] for row in rows}),
    )  # fmt: skip


def _of(rows: Sequence[Row]) -> tuple[Row, Row, Row]:
    """The rows of a suite: plain, chosen, and random heads ablated in the way that the chosen ones are."""
    plain = next(row for row in rows if row["condition"] == "plain")
    chosen = next(row for row in rows if row["condition"] == "chosen")
    random = next(row for row in rows if row["condition"] == "random" and row["ablation"] == chosen["ablation"])
    return plain, chosen, random


def claim(named: Mapping[str, Sequence[Row]]) -> str:
    """Where answers are not shown to depend on the heads, then where they do, each with the largest loss."""
    known = {name: _of(group) for name, group in named.items() if not group[0]["omitted"]}
    if not known:
        return f"Not shown: fewer than {SMALLEST} questions on {listed(named)}."
    does = {name: of for name, of in known.items() if verdict(*of[:2]) == DEPENDS}
    doubtful = {name: of for name, of in known.items() if name not in does}
    parts = []
    for part, words in ((doubtful, "are not shown to depend"), (does, "depend")):
        if part:
            on = among(list(part), len(known))
            parts.append(f"answers {words} on the heads that find the boxes best, on {on}: {_loss(part)}")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _loss(of: Mapping[str, tuple[Row, Row, Row]]) -> str:
    """What ablating the chosen heads costs where it costs most, beside random ones."""
    name = min(of, key=lambda one: float(of[one][1]["change"]))
    _, chosen, random = of[name]
    on = f" on {name}" if len(of) > 1 else ""
    most = "at most " if len(of) > 1 else ""
    change = points_within(chosen["change"], chosen["change_low"], chosen["change_high"])
    return f"ablated, they change accuracy by {most}{change}{on}, random heads by {points(random['change'])}"


def null(named: Mapping[str, Sequence[Row]]) -> str:
    """What ablating random heads does to accuracy on the suites with the largest and the least change; empty where all
    are omitted."""
    changes = {name: float(_of(rows)[2]["change"]) for name, rows in named.items() if not rows[0]["omitted"]}
    if not changes:
        return ""
    ends = dict.fromkeys((min(changes, key=lambda one: changes[one]), max(changes, key=lambda one: changes[one])))
    parts = [f"by {points(changes[name])} on {name}" for name in ends]
    between = listed(parts) if len(changes) <= len(parts) else f"on {len(changes)} suites, {' to '.join(parts)}"
    return f"As many random heads of the same layers, ablated, change accuracy {between}."


def short(rows: Sequence[Row]) -> float:
    """1 where answers are not shown to depend on the heads; 0 where they do, and where that is omitted."""
    return 0.0 if rows[0]["omitted"] or verdict(*_of(rows)[:2]) == DEPENDS else 1.0


def sentence(title: str, rows: Sequence[Row]) -> str:
    """What the ablation of the chosen heads does, set to zero where that was asked, and what it is evidence of."""
    if rows[0]["omitted"]:
        return f"{title}: {omitted(rows[0]['questions'], 'question')}."
    plain, chosen, random = _of(rows)
    accuracy = with_interval(chosen["accuracy"], chosen["low"], chosen["high"])
    return (
        f"{title}: {verdict(plain, chosen)}. With heads {chosen['heads']} ablated accuracy is {accuracy}, with random "
        f"ones {decimal(random['accuracy'])}, with none {decimal(plain['accuracy'])} "
        f"({counted(plain['questions'], 'question')})."
    )


def verdict(plain: Row, chosen: Row) -> str:
    """What a summary's rows of a suite, plain and chosen, let one say."""
    if plain["low"] <= plain["chance"]:
        return "no accuracy can be lost, for the model is not shown to answer above chance"
    if chosen["over_low"] is None or chosen["over_low"] <= 0:
        return "these heads are not shown to find the boxes on other pictures better than on a gray one"
    if not _falls(chosen, "change"):
        return f"{UNSHOWN}, for no loss of accuracy by their ablation is shown"
    if not _falls(chosen, "beyond"):
        return f"{UNSHOWN}, for no larger loss than by random heads is shown"
    return DEPENDS


def _falls(row: Row, name: str) -> bool:
    return row[f"{name}_high"] is not None and row[f"{name}_high"] < 0 and row[f"{name}_p"] < by_head.LEVEL


def _table(study: Study, rows: Sequence[Row]) -> Grid:
    lines = []
    for row in rows:
        start = (suite_words(row, study.titles), WORDS[row["condition"]], row["ablation"] or "–", row["heads"] or "–")
        if row["omitted"]:
            lines.append((*start, *["omitted"] * 4, str(row["questions"])))
            continue
        lines.append(
            (*start, f"{decimal(row['auroc'])} ({decimal(row['gray'])})",
             with_interval(row["accuracy"], row["low"], row["high"]), _tested(row, "change"), _tested(row, "beyond"),
             str(row["questions"]))
        )  # fmt: skip
    columns = ("Suite", "Ablated", "To", "Heads", "AUROC (gray)", "Accuracy", "Change, p", "Beyond random, p", "n")
    note = (
        "Heads as layer.head. AUROC on the pictures that answers are counted on, beside that on a gray picture; that "
        "on the pictures where the heads were chosen is in the file. p is corrected (Holm)."
    )
    suites = tuple(row["suite"] for row in rows)
    grid = Grid("Heads that find the boxes, ablated", columns, tuple(lines), words=4, files=study.files(SUMMARY.name),
                note=note, suites=suites)  # fmt: skip
    return slim(grid, "n")


def _tested(row: Row, name: str) -> str:
    """A difference with its interval and its corrected p; a dash where there is none."""
    if row[name] is None:
        return "–"
    return f"{with_interval(row[name], row[f'{name}_low'], row[f'{name}_high'])}, {p_value(row[f'{name}_p'])}"
