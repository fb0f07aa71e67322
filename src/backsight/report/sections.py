"""The two measurements of a report: each gives an answer for the opening and a section that it is read from.

A section is made of a summary table; without the table there is neither section nor answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.figures import plot, suite_title, to_svg
from backsight.maths.summaries import OUTCOMES, order_layers
from backsight.report import methods, pictures
from backsight.report.content import Answer, Grid, Sample, Section, Statement
from backsight.report.reading import Study
from backsight.report.samples import sample
from backsight.report.wording import accuracy, accuracy_sentence, decimal, order_sentence, with_interval

Row = dict[str, Any]
Found = tuple[Answer, Section] | None
COCO = "coco_pairs"


def behaviour(study: Study) -> Found:
    """How well the model answers, from `behaviour_summary`."""
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
            note = methods.PHOTOGRAPHS if suite == COCO and study.saw_no_photograph else ""
            statements.append(Statement(accuracy_sentence(title, shown, grays), "figure-behaviour", note))
    lead = "Choosing among the options, the model"
    prompts = any(row["prompt"] for row in rows)
    method = (*methods.BEHAVIOUR, *([methods.CREG_PROMPTS] if prompts else []), methods.BEHAVIOUR_INTERVALS)
    suites = {row["suite"] for row in rows}
    section = Section(
        anchor="behaviour",
        title="Behaviour",
        notes=(methods.PHOTOGRAPHS,) if COCO in suites and study.saw_no_photograph else (),
        figure=_figure(study, "behaviour", methods.BEHAVIOUR_CAPTION),
        tables=(
            _accuracies(study, rows, index, whole=True),
            _accuracies(study, rows, index, whole=False),
        ),
        method=method,
        limits=methods.BEHAVIOUR_LIMITS,
        samples=_samples(study, "behaviour", suites, counterfactual=False),
    )
    return Answer("How well it answers", lead, tuple(statements)), section


def _figure(study: Study, name: str, caption: str) -> pictures.FigureView:
    table = study.tables[f"{name}_summary"]
    label = table.schema.title or name
    return pictures.figure(study.folder, name, table, label=label, caption=caption, titles=study.titles)


def _groups(rows: Sequence[Row]) -> list[tuple[str, str | None]]:
    return list(dict.fromkeys((row["suite"], row["ground"]) for row in rows))


def _title(study: Study, rows: Sequence[Row], suite: str, ground: str | None) -> str:
    """A suite's title, with its ground where it has several."""
    title = study.titles.get(suite) or suite_title(suite)
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


def interchange(study: Study) -> Found:
    """Where the order is decided, from `interchange_summary` and `order_layers`."""
    rows = study.rows("interchange_summary")
    if not rows:
        return None
    table = study.tables["interchange_summary"]
    orders = study.rows("order_layers") or order_layers(table).rows()
    last = max((row["layer"] for row in rows if row["layer"] is not None), default=None)
    statements = tuple(
        Statement(order_sentence(_title(study, [], row["suite"], None), row, last), "figure-interchange")
        for row in orders
        if row["direction"] == "all"
    )
    figure = _figure(study, "interchange", methods.INTERCHANGE_CAPTION)
    section = Section(
        anchor="interchange",
        title="Interchange at the last token",
        notes=(),
        figure=pictures.with_file(figure, *_by_direction(study)),
        tables=(_order_table(study, orders), _probabilities(study, rows)),
        method=methods.INTERCHANGE,
        limits=methods.INTERCHANGE_LIMITS,
        samples=_samples(study, "interchange", {row["suite"] for row in rows}, counterfactual=True),
    )
    lead = "Layers at which the last token carries the place that is asked for, and not yet the answer:"
    return Answer("Where the order is decided", lead, statements), section


def _by_direction(study: Study) -> tuple[tuple[str, str], ...]:
    """The file with a panel a direction, where there are several directions."""
    table = study.tables["interchange_summary"]
    if len({row["direction"] for row in table.rows()} - {"all"}) < 2:
        return ()
    name = "interchange_by_direction"
    drawn = to_svg(plot(table, direction="each", titles=study.titles), name)
    return ((pictures.write(study.folder, name, drawn), "each direction by itself, SVG"),)


def _order_table(study: Study, orders: Sequence[Row]) -> Grid:
    suites = list(dict.fromkeys(row["suite"] for row in orders))
    directions = list(dict.fromkeys(row["direction"] for row in orders))
    found = {(row["suite"], row["direction"]): row for row in orders}
    rows = tuple(
        (_title(study, [], suite, None), *(_order(found.get((suite, d))) for d in directions)) for suite in suites
    )
    columns = ("Suite", *("All directions" if d == "all" else d.capitalize() for d in directions))
    title = "Layers where the order is decided, with the number of pairs kept"
    return Grid(title, columns, rows, words=1, files=study.files("order_layers"))


def _order(row: Row | None) -> str:
    if row is None:
        return "–"
    said = "omitted" if row["omitted"] else (row["layers"] if row["found"] else "none")
    return f"{said} (n={row['pairs']})"


def _probabilities(study: Study, rows: Sequence[Row]) -> Grid:
    found = {(r["suite"], r["layer"], r["outcome"]): r for r in rows if r["direction"] == "all"}
    lines: list[tuple[str, ...]] = []
    for suite, layer in dict.fromkeys((suite, layer) for suite, layer, _ in found):
        title = _title(study, [], suite, None)
        one = next(r for key, r in found.items() if key[:2] == (suite, layer))
        if one["omitted"]:
            lines.append((title, "–", str(one["pairs"]), "omitted", "omitted", "omitted"))
            continue
        of = [found.get((suite, layer, outcome)) for outcome in OUTCOMES]
        shown = ("–" if r is None else with_interval(r["probability"], r["low"], r["high"]) for r in of)
        lines.append((title, str(layer), str(one["pairs"]), *shown))
    columns = ("Suite", "Layer", "Pairs", "Clean answer", "Order", "Counterfactual answer")
    files = study.files("interchange_summary")
    title = "Probabilities by layer, all directions together"
    return Grid(title, columns, tuple(lines), folded=True, files=files)


def _samples(study: Study, kind: str, suites: set[str], *, counterfactual: bool) -> tuple[Sample, ...]:
    """The samples of the sets that were measured: those of the jobs, or named like a suite of the table."""
    of = study.sets_of(kind) or [s for s in study.sets if s.get("name") in suites]
    found = (sample(study, one, counterfactual=counterfactual) for one in of)
    return tuple(one for one in found if one is not None)
