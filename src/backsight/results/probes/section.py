"""Probes: where the position of each thing is readable, from `probes_summary` and the probe maps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from backsight.results import probe_maps
from backsight.results.pages import common, pictures
from backsight.results.pages.alike import slim
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import with_interval
from backsight.results.probes import lost, text
from backsight.results.probes.figure import draw
from backsight.results.probes.lost import Group, Place
from backsight.results.probes.readable import missing
from backsight.tables import Table

MAPS = "probe_maps"
Row = Mapping[str, Any]
EMBEDDINGS: Place = ("image_embeds", 0)
MEASURES = {
    "objects": "Objects",
    "selectivity": "Selectivity",
    "background": "Background",
    "background_selectivity": "Its selectivity",
}
READINGS = {"as_ordinal": "Position in the row", "as_column": "Strip"}


def probes(study: Study) -> Section | None:
    """The section; None with neither the summary nor maps, without a claim with maps only."""
    rows = study.rows("probes_summary")
    if not rows and MAPS not in study.tables:
        return None
    by_arrangement = lost.grouped(rows)
    tables = (_places(study, by_arrangement), _shifted(study, by_arrangement)) if rows else ()
    title, records = partial(common.title, study), lost.records(rows)
    maps, why = _maps(study, by_arrangement)
    return Section(
        anchor="probes",
        question="where",
        title="Probes",
        claim=text.claim(records, title) if rows else "",
        null=text.null(records, shuffled(by_arrangement)) if rows else "",
        figures=_figures(study, rows, maps),
        statements=(*text.statements(records, title), *([Statement(why)] if why else [])),
        tables=tuple(grid for grid in tables if grid is not None),
        method=(*text.METHOD, *fit_sentences(study)),
        limits=text.LIMITS,
        kinds=("probemaps",) if MAPS in study.tables else (),
        samples=common.samples(study, "probes", {row["suite"] for row in rows}),
    )


def shuffled(by_arrangement: Mapping[tuple[str, str, str], Group]) -> list[float]:
    """The shares that probes of shuffled positions give of standard rows, at all sites and layers."""
    of = (at for (*_, shown), group in by_arrangement.items() if shown == "standard" for at in group.values())
    rows = (at["objects_shuffled"] for at in of if "objects_shuffled" in at)
    return [float(row["share"]) for row in rows if not row["omitted"]]


def _maps(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> tuple[Table | None, str]:
    """The maps without those of probes that are not shown to be above chance, and the sentence that says so."""
    if MAPS not in study.tables:
        return None, ""
    table = study.tables[MAPS]
    blind = [
        (suite, arrangement)
        for (suite, arrangement, shown), group in by_arrangement.items()
        if shown == "standard" and EMBEDDINGS in group and not lost.above_chance(group[EMBEDDINGS])
    ]
    keys = list(zip(table.frame["suite"], table.frame["arrangement"], strict=True))
    unseen = [key for key in dict.fromkeys(keys) if key in blind]
    kept = table.frame[[key not in blind for key in keys]]
    names = text.arrangements(unseen, partial(common.title, study))
    return Table(table.schema, kept, table.provenance) if len(kept) else None, text.no_maps(names)


def fit_sentences(study: Study) -> tuple[str, ...]:
    """How the study's probes were fitted, by the record of its jobs; none where that does not say."""
    jobs = (str(job.get("measurement")) for job in study.jobs if job.get("kind") in ("probes", "probemaps"))
    fits = sorted({fit for job in jobs for fit in re.findall(r"method='(\w+)'", job) if fit in text.FITS})
    return tuple(f"The probes are {'' if len(fits) == 1 else 'in part '}{text.FITS[fit]}." for fit in fits)


def _figures(study: Study, rows: Sequence[Row], maps: Table | None) -> tuple[pictures.FigureView, ...]:
    """Objects and maps first, then the background and the shifted rows; as many as there are rows for."""
    there = {(row["shown"], row["measure"]) for row in rows}
    views = {}
    for measure, name, key, caption in (
        ("objects", "probes", ("standard", "objects"), text.CAPTION),
        ("background", "probes_background", ("standard", "background"), text.BACKGROUND_CAPTION),
        ("shifted", "probes_shifted", ("shifted", "as_ordinal"), text.SHIFTED_CAPTION),
    ):
        if key in there:
            views[measure] = common.figure(study, name, draw, study.tables["probes_summary"], caption, measure=measure)
    if maps is not None:
        views["maps"] = common.figure(study, MAPS, probe_maps.draw, maps, text.MAPS_CAPTION)
    return tuple(views[name] for name in ("objects", "maps", "background", "shifted") if name in views)


def _best(group: Group) -> Place | None:
    """The first of the places at which most object tokens are given theirs."""
    known = {place: at["objects"]["share"] for place, at in group.items() if not missing(at)}
    return max(known, key=lambda place: known[place]) if known else None


def _shown(arranged: Mapping[tuple[str, str, str], Group], shown: str) -> list[tuple[str, str, Place, str, Group]]:
    """The lines of a table: suite, arrangement, place, what it is called, and the group that is shown there.

    The embeddings, and the best place by the objects in standard rows, unless they are the same.
    """
    lines = []
    for (suite, arrangement, kind), group in arranged.items():
        if kind != shown:
            continue
        best = _best(arranged.get((suite, arrangement, "standard"), {}))
        if EMBEDDINGS in group:
            words = "embeddings (best)" if best == EMBEDDINGS else "embeddings"
            lines.append((suite, arrangement, EMBEDDINGS, words, group))
        if best is not None and best != EMBEDDINGS and best in group:
            lines.append((suite, arrangement, best, f"{text.place_words(best)} (best)", group))
    return lines


def _places(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> Grid | None:
    heading = "Share of tokens given their position, at the embeddings and at the best layer"
    return _table(study, _shown(by_arrangement, "standard"), heading, MEASURES, study.files("probes_summary"))


def _shifted(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> Grid | None:
    heading = "Rows that stand elsewhere: object tokens given their position in the row, or their strip"
    return _table(study, _shown(by_arrangement, "shifted"), heading, READINGS, ())


def _table(
    study: Study,
    lines: Sequence[tuple[str, str, Place, str, Group]],
    heading: str,
    measures: Mapping[str, str],
    files: tuple[tuple[str, str], ...],
) -> Grid | None:
    rows = []
    for suite, arrangement, place, words, group in lines:
        cells = (_cell(group[place].get(measure)) for measure in measures)
        title = common.title(study, suite) + ("" if arrangement == "grid" else f", {arrangement}")
        rows.append((title, words, str(lost.pictures(group)), *cells))
    columns = ("Suite", "Where", "Pictures", *measures.values())
    suites = tuple(suite for suite, *_ in lines)
    grid = Grid(heading, columns, tuple(rows), words=2, files=files, suites=suites)
    return slim(grid, "Pictures") if rows else None


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    return "omitted" if row["omitted"] else with_interval(row["share"], row["low"], row["high"])
