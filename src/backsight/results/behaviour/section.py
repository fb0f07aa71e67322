"""Behaviour: how well the model answers, from `behaviour_summary`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.behaviour.figure import draw
from backsight.results.behaviour.sentences import accuracy, accuracy_sentence
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import PHOTOGRAPHS, decimal, with_interval

Row = dict[str, Any]
CAPTION = (
    "Accuracy by the direction that is asked for. Filled: with the picture, with its 95 % interval. "
    "Hollow: the same questions about a gray picture. Dashed: chance. The distance from hollow to filled "
    "is what the picture adds."
)
METHOD = (
    "Each question is put to the model together with its picture, in the model's own chat template, and "
    "once more with a uniform gray picture of the same size. What the gray picture gives is what the "
    "question alone gives away; it is the null of each number here.",
    "Two read-outs come from the same forward pass. Options: the most probable of the listed options at "
    "the next token, with an option's spellings added up (or of whole options, where they are longer than "
    "a token). Free: the single most probable token of the whole vocabulary. The opening sentences and "
    "the figure go by the options.",
    "Questions in rows of three are those of The Dual Mechanisms of Spatial Reasoning in Vision-Language "
    "Models (arXiv 2603.22278), section 3.1 and appendix A.3; its table 1 gives the same accuracies for "
    "published models.",
)
CREG_PROMPTS = "Prompts A, B and C are those of CREG (arXiv 2603.20475), table 6."
INTERVALS = (
    'Intervals hold 95 %: Agresti and Coull\'s "plus four" with the effective number of questions, as an image is '
    "asked several times: fewer than were asked where the answers about an image go together. Groups of "
    f"fewer than {SMALLEST} questions are omitted."
)
LIMITS = (
    "A right answer does not say how it was reached.",
    "The exact suites start each row at the same position, so the third in a row is also always in the same "
    "column: order and position are not told apart here.",
    "The gray picture controls for what the question gives away, not for what else in a picture may.",
    "The interval is over images. It says how the number would vary over other pictures of the same kind, "
    "not over other words, other kinds of picture or another training of the model.",
)


def behaviour(study: Study) -> Section | None:
    """The section and its answer; None without the summary."""
    rows = study.rows("behaviour_summary")
    if not any(row["read_out"] == "options" for row in rows):
        return None
    keys = ("suite", "ground", "prompt", "direction", "condition", "read_out")
    index = {tuple(row[key] for key in keys): row for row in rows}
    statements = []
    for suite, ground in _groups(rows):
        title = _title(study, rows, suite, ground)
        key = (suite, ground, "all", "options")
        of = [r for r in rows if (r["suite"], r["ground"], r["direction"], r["read_out"]) == key]
        shown = [r for r in of if r["condition"] == "picture"]
        grays = {r["prompt"]: r for r in of if r["condition"] == "gray"}
        if shown:
            note = PHOTOGRAPHS if suite in study.unseen_photographs else ""
            statements.append(Statement(accuracy_sentence(title, shown, grays), note=note))
    lead = "Choosing among the options, the model"
    prompts = any(row["prompt"] for row in rows)
    method = (*METHOD, *([CREG_PROMPTS] if prompts else []), INTERVALS)
    suites = {row["suite"] for row in rows}
    section = Section(
        anchor="behaviour",
        question="can",
        title="Behaviour",
        notes=(PHOTOGRAPHS,) if suites & study.unseen_photographs else (),
        figures=(common.figure(study, "behaviour", draw, study.tables["behaviour_summary"], CAPTION),),
        tables=(
            _accuracies(study, rows, index, whole=True),
            _accuracies(study, rows, index, whole=False),
            *_whatsup(study),
        ),
        method=method,
        limits=LIMITS,
        samples=common.samples(study, "behaviour", suites),
    )
    return section.concluding(lead, tuple(statements))


def _whatsup(study: Study) -> tuple[Grid, ...]:
    """Pictures, pairs and sets right, of What'sUp and of scenes in its form; none where there are none."""
    rows = [r for r in study.rows("whatsup_summary") if r["read_out"] == "options"]
    by_about = {(r["suite"], r["metric"], r["condition"]): r for r in rows}
    lines = []
    for suite, metric in dict.fromkeys((r["suite"], r["metric"]) for r in rows):
        picture, gray = (by_about.get((suite, metric, condition)) for condition in ("picture", "gray"))
        one = picture or gray
        if one is not None:
            shown = (_share(picture), _share(gray))
            lines.append((common.title(study, suite), metric, str(one["n"]), *shown, decimal(one["chance"])))
    columns = ("Suite", "Right", "Number", "Picture", "Gray picture", "Chance")
    note = "Individual: a picture. Pair: both opposites of one thing and reference. Set: all four."
    files = study.files("whatsup_summary")
    return (Grid("What'sUp's metrics", columns, tuple(lines), words=2, files=files, note=note),) if lines else ()


def _share(row: Row | None) -> str:
    if row is None:
        return "–"
    return "omitted" if row["omitted"] else with_interval(row["accuracy"], row["low"], row["high"])


def _groups(rows: Sequence[Row]) -> list[tuple[str, str | None]]:
    return list(dict.fromkeys((row["suite"], row["ground"]) for row in rows))


def _title(study: Study, rows: Sequence[Row], suite: str, ground: str | None) -> str:
    """A suite's title, with its ground where it has several."""
    title = common.title(study, suite)
    several = sum(name == suite for name, _ in _groups(rows)) > 1
    return f"{title}, {ground} ground" if several and ground else title


def _accuracies(study: Study, rows: Sequence[Row], index: dict[Any, Row], *, whole: bool) -> Grid:
    """Accuracies in a table: of all directions together, or (folded) one by one."""
    prompts = any(row["prompt"] for row in rows)
    keys = dict.fromkeys((r["suite"], r["ground"], r["prompt"], r["direction"]) for r in rows)
    lines = []
    for suite, ground, prompt, direction in keys:
        if (direction == "all") != whole:
            continue
        picture, gray, free = (
            index.get((suite, ground, prompt, direction, condition, out))
            for condition, out in (("picture", "options"), ("gray", "options"), ("picture", "free"))
        )
        one = picture or gray or free
        if one is None:
            continue
        line = [_title(study, rows, suite, ground), *([prompt or "–"] if prompts else [])]
        line += [] if whole else [direction]
        line += [str(one["questions"]), str(one["images"])]
        lines.append((*line, accuracy(picture), accuracy(gray), decimal(one["chance"]), accuracy(free)))
    words = ["Suite", *(["Prompt"] if prompts else []), *([] if whole else ["Direction"])]
    columns = (*words, "Questions", "Images", "Picture", "Gray picture", "Chance", "Picture, free")
    title = "All directions together" if whole else "Each direction"
    files = study.files("behaviour_summary") if whole else ()
    return Grid(title, columns, tuple(lines), words=len(words), folded=not whole, files=files)
