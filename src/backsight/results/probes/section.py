"""Probes: where the position of each thing is readable, from `probes_summary` and the probe maps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results import probe_maps
from backsight.results.drawing.style import counted
from backsight.results.pages import common, pictures
from backsight.results.pages.content import Grid, Section, Statement
from backsight.results.pages.study import Study
from backsight.results.pages.wording import percent, unbroken, with_interval
from backsight.results.probes import text
from backsight.results.probes.figure import SITES, draw
from backsight.results.probes.readable import READABLE, is_readable, missing

MAPS = "probe_maps"
Row = dict[str, Any]
Place = tuple[str, int]  # site and layer
Group = Mapping[Place, Mapping[str, Row]]  # in the order of the computation; rows by measure
EMBEDDINGS: Place = ("image_embeds", 0)
MEASURES = {
    "objects": "Objects",
    "selectivity": "Selectivity",
    "background": "Background",
    "background_selectivity": "Background selectivity",
}
READINGS = {"as_ordinal": "Given its position in the row", "as_column": "Given its strip"}


def probes(study: Study) -> Section | None:
    """The section and its answer; None with neither the summary nor maps, without an answer with maps alone."""
    rows = study.rows("probes_summary")
    if not rows and MAPS not in study.tables:
        return None
    by_arrangement = _grouped(rows)
    tables = (_places(study, by_arrangement), _shifted(study, by_arrangement)) if rows else ()
    section = Section(
        anchor="probes",
        question="where",
        title="Probes",
        notes=(),
        figures=_figures(study, rows),
        tables=tuple(grid for grid in tables if grid is not None),
        method=(*text.METHOD, *fit_sentences(study)),
        limits=text.LIMITS,
        samples=common.samples(study, "probes", {row["suite"] for row in rows}),
    )
    return section.concluding(text.READABLE_LEAD, _statements(study, by_arrangement)) if rows else section


def fit_sentences(study: Study) -> tuple[str, ...]:
    """How the study's probes were fitted, by the record of its jobs; none where that does not say."""
    jobs = (str(job.get("measurement")) for job in study.jobs if job.get("kind") in ("probes", "probemaps"))
    fits = sorted({fit for job in jobs for fit in re.findall(r"method='(\w+)'", job) if fit in text.FITS})
    return tuple(f"The probes are {'' if len(fits) == 1 else 'in part '}{text.FITS[fit]}." for fit in fits)


def _figures(study: Study, rows: Sequence[Row]) -> tuple[pictures.FigureView, ...]:
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
    if MAPS in study.tables:
        views["maps"] = common.figure(study, MAPS, probe_maps.draw, study.tables[MAPS], text.MAPS_CAPTION)
    return tuple(views[name] for name in ("objects", "maps", "background", "shifted") if name in views)


def _grouped(rows: Sequence[Row]) -> dict[tuple[str, str, str], Group]:
    """Rows by suite, arrangement and what is shown, then by site and layer, then by measure."""
    by_arrangement: dict[tuple[str, str, str], dict[Place, dict[str, Row]]] = {}
    for row in sorted(rows, key=lambda r: (SITES.index(r["site"]), r["layer"])):
        group = by_arrangement.setdefault((row["suite"], row["arrangement"], row["shown"]), {})
        group.setdefault((row["site"], row["layer"]), {})[row["measure"]] = row
    order = dict.fromkeys((r["suite"], r["arrangement"], r["shown"]) for r in rows)
    return {key: by_arrangement[key] for key in order}


def _statements(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> tuple[Statement, ...]:
    suites: dict[str, dict[str, Group]] = {}
    for (suite, arrangement, shown), group in by_arrangement.items():
        if shown == "standard":
            suites.setdefault(suite, {})[arrangement] = group
    sentences = (readable_sentence(common.title(study, suite), groups) for suite, groups in suites.items())
    return tuple(Statement(one) for one in sentences)


def readable_sentence(title: str, groups: Mapping[str, Group]) -> str:
    """From where on the position of a suite's things is readable, in the order of the computation, by arrangement."""
    counts = {arrangement: _count(group) for arrangement, group in groups.items()}
    alike = len(set(counts.values())) == 1
    if all(missing(at) for group in groups.values() for at in group.values()):
        pictures = " and ".join(dict.fromkeys(counted(n, "test picture") for n in counts.values()))
        return f"{title}: omitted ({pictures}, fewer than {SMALLEST})"
    parts = []
    for arrangement, group in groups.items():
        name = "" if arrangement == "grid" else f"{arrangement} "
        parts.append(f"{name}{readable(group)}" + ("" if alike else f" (n = {counts[arrangement]})"))
    each = " an axis" if len(groups) > 1 else ""
    number = next(iter(counts.values()))
    tested = f" ({number} test picture{'' if number == 1 else 's'}{each})" if alike else ""
    return f"{title}: {', '.join(parts)}{tested}"


def readable(group: Group) -> str:
    """The first site and layer at which the position is readable, in words; "omitted"; or "nowhere" and its best."""
    known = [(place, at) for place, at in group.items() if not missing(at)]
    if not known:
        return "omitted"
    able = [is_readable(at) for _, at in known]
    if not any(able):
        best, at = max(known, key=lambda one: float(one[1]["objects"]["share"]))
        share = at["objects"]["share"]
        alone = "; no lead over a probe of shuffled positions is shown" if share >= READABLE else ""
        return f"nowhere (at most {percent(share)} of the tokens, at {place_words(best)}{alone})"
    first = able.index(True)
    where = place_words(known[first][0])
    return f"from {where} on" if all(able[first:]) else f"first at {where}, but not at all that follow"


def place_words(place: Place) -> str:
    """A site and layer as it is spoken of."""
    site, layer = place
    words = {"vision": f"vision block {layer}", "image_embeds": "the embeddings"}
    return words.get(site, f"layer {layer} of the language model")


def _count(group: Group) -> int:
    return max(int(row["pictures"]) for at in group.values() for row in at.values())


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
            lines.append((suite, arrangement, best, f"{place_words(best)} (best)", group))
    return lines


def _places(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> Grid | None:
    heading = "Share of tokens given their position, at the embeddings and where most object tokens are"
    return _table(study, _shown(by_arrangement, "standard"), heading, MEASURES, study.files("probes_summary"))


def _shifted(study: Study, by_arrangement: Mapping[tuple[str, str, str], Group]) -> Grid | None:
    heading = "Rows that stand elsewhere: object tokens whose position in the row and whose strip differ"
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
        rows.append((title, unbroken(words), str(_count(group)), *cells))
    columns = ("Suite", "Where", "Pictures", *measures.values())
    return Grid(heading, columns, tuple(rows), words=2, files=files) if rows else None


def _cell(row: Row | None) -> str:
    if row is None:
        return "–"
    return "omitted" if row["omitted"] else with_interval(row["share"], row["low"], row["high"])
