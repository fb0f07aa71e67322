"""Causal checks of relevance: knockout, occlusion, the mirror and the moved subject, each from its summary."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from backsight.figures.controls import ITSELF, flip_summary, knockout_summary, moved_summary, occlusion_summary
from backsight.figures.creg import REFERENCE_WORDS, by_prompt, in_order
from backsight.results import creg_methods as methods
from backsight.results.pages import common
from backsight.results.pages.content import Grid, Section
from backsight.results.pages.pictures import FigureView
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, unbroken, with_interval
from backsight.results.sections.compass_words import (
    CHOICE,
    LEADING,
    TARGET_WORDS,
    TRUTH,
    Cells,
    Place,
    Row,
    degrees,
    degrees_between,
    in_stead,
    place_cells,
    short,
    split,
)

FORMS = {"attention": "attention to the token cut", "embedding": "embedding of the empty picture"}
VARIANT_WORDS = {
    "gray": "Gray, to the picture's edge",
    "mean colour": "Mean colour",
    "blur": "Blurred",
    "noise": "Noise",
    "tokens": "Tokens",
    "gray, up to r_max": "Gray, up to r_max",
    "gray, boxes spared": "Gray, boxes spared",
    "gray, equal areas": "Gray, equal areas",
}
CHECKS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {  # by summary: caption, method, limits
    "knockout": (methods.KNOCKOUT_CAPTION, (methods.KNOCKOUT,), methods.KNOCKOUT_LIMITS),
    "occlusion": (methods.OCCLUSION_CAPTION, (methods.OCCLUSION,), methods.OCCLUSION_LIMITS),
    "moved": (methods.MOVED_CAPTION, (methods.MOVED,), methods.MOVED_LIMITS),
    "flip": (methods.FLIP_CAPTION, (methods.FLIP,), methods.FLIP_LIMITS),
}

FIGURES = {
    "knockout": knockout_summary,
    "occlusion": occlusion_summary,
    "moved": moved_summary,
    "flip": flip_summary,
}


def causal(study: Study) -> common.Part | None:
    """The section, of as many checks as there are summaries; None without any. The compass says it in the opening."""
    there = {name: rows for name in CHECKS if (rows := study.rows(f"{name}_summary"))}
    if not there:
        return None
    made: dict[str, Callable[[Study, Sequence[Row]], Iterator[Grid]]] = {
        "knockout": _knockout, "occlusion": _occlusion, "moved": _moved, "flip": _flip,
    }  # fmt: skip
    kinds = [sample for name in there for sample in common.samples(study, name, set())]
    asked = {sample.title: sample for sample in kinds}
    section = Section(
        anchor="causal",
        title="Causal checks of relevance",
        notes=(),
        figures=tuple(view for name, rows in there.items() if (view := _figure(study, name, rows)) is not None),
        tables=tuple(grid for name, rows in there.items() for grid in made[name](study, rows)),
        method=(*(text for name in there for text in CHECKS[name][1]), methods.CONTROL_INTERVALS),
        limits=tuple(text for name in there for text in CHECKS[name][2]),
        samples=tuple(asked.values()),
        folded=True,
    )
    return common.Part(section, None)


def _figure(study: Study, name: str, rows: Sequence[Row]) -> FigureView | None:
    """The check's figure; None where every group is omitted."""
    if all(row["omitted"] for row in rows):
        return None
    return common.figure(study, name, FIGURES[name], study.tables[f"{name}_summary"], CHECKS[name][0])


def _first(rows: Sequence[Row]) -> Place:
    """The first suite and prompt that is not wholly omitted, which stands open."""
    groups = by_prompt(rows)
    return next((place for place, group in groups.items() if not all(r["omitted"] for r in group)), next(iter(groups)))


def _left_out(group: Sequence[Row], words: int, numbers: int) -> Cells:
    """The one line of a group that is wholly omitted."""
    said = f"omitted (n={max(row['questions'] for row in group)})"
    return "all methods", *["–"] * (words - 1), said, *["–"] * (numbers - 1)


def _knockout(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """Methods ranked by rank correlation, with the place that each has by its gain in angle; a table a form."""
    columns = (("Method",), ("Rank correlation", "Angle", "Layout", "Gain", "Rank", "DAE", "n"))
    for form, words in FORMS.items():
        mine = [row for row in rows if row["form"] == form]
        made = {place: _agreement(group) for place, group in by_prompt(mine).items()}
        if made:
            note, file = (methods.KNOCKOUT_NOTE, "knockout_summary") if form == "attention" else ("", "")
            title = f"Agreement with the tokens' causal effects, {words}"
            yield from split(study, made, _first(mine), title, columns, note, file)


def _agreement(group: Sequence[Row]) -> list[Cells]:
    if all(row["omitted"] for row in group):
        return [_left_out(group, 1, 7)]
    lines: list[Cells] = []
    ranks = _ranks(group, "angle_gain")
    for row in _ranked(group):
        if said := in_stead(row):
            lines.append((short(row["method"]), said, *["–"] * 6))
            continue
        correlation = with_interval(row["correlation"], row["correlation_low"], row["correlation_high"])
        gain = degrees_between(row["angle_gain"], row["gain_low"], row["gain_high"])
        plain = (degrees(row["angle"]), degrees(row["angle_null"]))
        rank = ranks.get(row["method"], "–")
        questions = str(row["questions"])
        lines.append((short(row["method"]), correlation, *plain, gain, rank, degrees(row["dae"]), questions))
    return lines


def _ranked(rows: Sequence[Row]) -> list[Row]:
    """Methods by their correlation, the highest first; then references, and the effects themselves."""
    order = {name: place for place, name in enumerate(in_order([row["method"] for row in rows]))}

    def rank(row: Row) -> tuple[bool, bool, float, int]:
        own = 2.0 if row["correlation"] is None else -float(row["correlation"])
        return row["method"] == ITSELF, row["method"] in REFERENCE_WORDS, own, order[row["method"]]

    return sorted(rows, key=rank)


def _ranks(rows: Sequence[Row], value: str) -> dict[str, str]:
    """The place of each method by a value, the highest first; equal ones share a place."""
    own = {r["method"]: r[value] for r in rows if r["method"] not in REFERENCE_WORDS and r[value] is not None}
    return {method: str(1 + sum(other > mine for other in own.values())) for method, mine in own.items()}


def _occlusion(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """COS of the true sector, once, then of the sectors that methods indicate, then the variants."""
    variants = list(dict.fromkeys(row["variant"] for row in rows))
    plain = [row for row in rows if row["variant"] == variants[0] and row["over"] == "options"]
    columns = ("n", "Change", "Opposite", "Beside", "COS", "COS, beside")
    true = [
        (*place_cells(study, (r["suite"], r["prompt"])), *_scores(r))
        for r in plain
        if (r["sector"], r["of"]) == ("true", TRUTH)
    ]
    if true:
        yield Grid(
            "Occlusion of the true sector, as table 4", ("Suite", "Prompt", *columns), tuple(true), words=2,
            files=study.files("occlusion_summary"), note=methods.TRUE_NOTE,
        )  # fmt: skip
    indicated = [r for r in plain if (r["sector"], r["of"]) == ("indicated", CHOICE) and r["target"] != TRUTH]
    made = {}
    for place, group in by_prompt(indicated).items():
        of = {row["method"]: row for row in group}
        lines = ((method, _scores(of[method])) for method in in_order(list(of)))
        made[place] = [(short(m), *cells[:3], *cells[4:], _gain(of[m])) for m, cells in lines]
    if made:
        title = "Occlusion of the sector that a method indicates"
        numbers = (*columns[:3], *columns[4:], "Gain")
        yield from split(study, made, _first(indicated), title, (("Method",), numbers), methods.INDICATED_NOTE)
    yield from _variants(study, rows, variants)


def _scores(row: Row) -> Cells:
    if said := in_stead(row):
        return str(row["questions"]), "–", "–", "–", said, "–"
    changes = (decimal(row[name]) for name in ("change", "change_opposite", "change_adjacent"))
    return str(row["questions"]), *changes, *_both(row)


def _gain(row: Row) -> str:
    """How much higher the score is than the layout's."""
    return "–" if row["gain"] is None else with_interval(row["gain"], row["gain_low"], row["gain_high"])


def _both(row: Row | None) -> Cells:
    """COS, and the score against the neighbours."""
    if row is None or in_stead(row):
        return in_stead(row), "–"
    against = with_interval(row["against_adjacent"], row["adjacent_low"], row["adjacent_high"])
    return with_interval(row["score"], row["low"], row["high"]), against


def _variants(study: Study, rows: Sequence[Row], variants: Sequence[str]) -> Iterator[Grid]:
    """COS of the true sector and of CREG's under every variant, over the options and over the vocabulary."""
    lines = []
    for place, group in by_prompt(rows).items():
        for sector, method, of, words in (("true", None, TRUTH, "true"), ("indicated", LEADING, CHOICE, "CREG's")):
            mine = [r for r in group if (r["sector"], r["method"], r["of"]) == (sector, method, of)]
            for variant in variants:
                found = {r["over"]: r for r in mine if r["variant"] == variant and r["target"] in (None, of)}
                if found:
                    start = (*place_cells(study, place), words, unbroken(VARIANT_WORDS.get(variant, variant)))
                    count = str(max(row["questions"] for row in found.values()))
                    cells = (cell for over in ("options", "vocabulary") for cell in _both(found.get(over)))
                    lines.append((*start, count, *cells))
    if lines and len(variants) > 1:
        numbers = ("n", "Options: COS", "COS, beside", "Vocabulary: COS", "COS, beside")
        yield Grid(
            "Occlusion under every variant, over the options and over the vocabulary",
            ("Suite", "Prompt", "Sector", "Variant", *numbers), tuple(lines), words=4, folded=True,
            note=methods.VARIANTS_NOTE,
        )  # fmt: skip


def _lines(group: Sequence[Row], cells: Callable[[Row], Cells], numbers: int) -> list[Cells]:
    """A line a method and target, one where both give the same; a group that is wholly omitted has one."""
    if all(row["omitted"] for row in group):
        return [_left_out(group, 2, numbers)]
    lines: list[Cells] = []
    for method in in_order([row["method"] for row in group]):
        mine = sorted((row for row in group if row["method"] == method), key=lambda row: row["target"] or "")
        shown = [(in_stead(row), *["–"] * (numbers - 1)) if row["omitted"] else cells(row) for row in mine]
        alike = len(mine) > 1 and len(set(shown)) == 1
        for row, of in list(zip(mine, shown, strict=True))[: 1 if alike else None]:
            target = "both" if alike else TARGET_WORDS.get(row["target"], str(row["target"]))
            lines.append((short(method), target, *of))
    return lines


def _beside(
    study: Study, rows: Sequence[Row], title: str, numbers: Cells, cells: Callable[[Row], Cells], note: str, file: str
) -> Iterator[Grid]:
    made = {place: _lines(group, cells, len(numbers)) for place, group in by_prompt(rows).items()}
    yield from split(study, made, _first(rows), title, (("Method", "Target"), numbers), note, file)


def _flip(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """r by question and pooled, the layout's beside."""

    def cells(row: Row) -> Cells:
        plain = (decimal(row[name]) for name in ("r_null", "r_pooled", "r_pooled_null"))
        return with_interval(row["r"], row["low"], row["high"]), *plain, str(row["questions"])

    numbers = ("r", "Layout's r", "Pooled", "Layout's, pooled", "n")
    title = "The compass in a mirror, as section 6.1"
    yield from _beside(study, rows, title, numbers, cells, methods.FLIP_NOTE, "flip_summary")


def _moved(study: Study, rows: Sequence[Row]) -> Iterator[Grid]:
    """How far the compass's turn is off the subject's, the layout's beside."""

    def cells(row: Row) -> Cells:
        off = degrees_between(row["followed"], row["low"], row["high"])
        gain = degrees_between(row["gain"], row["gain_low"], row["gain_high"])
        plain = (degrees(row["dae"]), degrees(row["dae_moved"]), str(row["questions"]))
        return off, degrees(row["followed_null"]), gain, *plain

    numbers = ("Off by", "Layout", "Gain", "DAE before", "DAE after", "n")
    title = "The subject moved: whether the compass follows"
    yield from _beside(study, rows, title, numbers, cells, methods.MOVED_NOTE, "moved_summary")
