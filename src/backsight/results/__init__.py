"""Results: what is made of a measurement's rows, one line each, in the order of the report.

Studies, report, comparison and `plot` read `RESULTS` and know no measurement by name. `register` adds one from outside
the package.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from backsight.errors import UsageError
from backsight.results import (
    amplification,
    behaviour,
    captions,
    comparison,
    creg,
    flip,
    gap,
    heads,
    image_interchange,
    interchange,
    knockout,
    looking,
    modalities,
    moved,
    norms,
    occlusion,
    path,
    pathways,
    permutation,
    position_budget,
    priors,
    probe_maps,
    probes,
    resolution,
    rotary,
    seeds,
    text,
    tournament,
)
from backsight.results.base import Derived, Metric, Result
from backsight.tables import Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RESULTS: dict[str, Result] = {
    result.name: result
    for result in (
        behaviour.RESULT,
        gap.RESULT,
        pathways.RESULT,
        permutation.RESULT,
        captions.RESULT,
        norms.RESULT,
        interchange.RESULT,
        probes.RESULT,
        probe_maps.RESULT,
        image_interchange.RESULT,
        modalities.RESULT,
        looking.RESULT,
        heads.RESULT,
        rotary.RESULT,
        priors.RESULT,
        text.RESULT,
        resolution.RESULT,
        creg.RESULT,
        knockout.RESULT,
        occlusion.RESULT,
        moved.RESULT,
        flip.RESULT,
        position_budget.RESULT,
        amplification.RESULT,
        tournament.RESULT,
        comparison.RESULT,
        seeds.RESULT,
    )
}


def register(result: Result) -> Result:
    """Add a result to the registry, and give it back; UsageError where another one has its name."""
    if RESULTS.get(result.name, result) is not result:
        raise UsageError(
            "A result of this name is registered already", got=result.name, do="give the schema another name"
        )
    RESULTS[result.name] = result
    return result


def today(name: str) -> str:
    """What a name that an earlier release wrote is called today; other names are given back as they are.

    The name may go on after its first word, as those of jobs, tables and metrics do.
    """
    word = re.match(r"\w*", name)
    first = word[0] if word else ""
    return next((one.earlier[first] + name[len(first) :] for one in RESULTS.values() if first in one.earlier), name)


def result_of(table: Table) -> Result | None:
    """The result whose rows a table holds, under the name of today or an earlier one; None for any other table."""
    return RESULTS.get(today(table.schema.name))


def plot(what: Table | path.PathFacts | path.HasPath, **options: Any) -> Figure:
    """The figure of a table of rows or of their summary, or the path diagram of an opened study.

    `options` are those of the function that draws it. UsageError where no figure is known for it, DataError where the
    table holds nothing to draw.
    """
    if not isinstance(what, Table):
        facts = getattr(what, "path", what)
        if isinstance(facts, path.PathFacts):
            return path.draw(facts, **options)
        do = "give a table, or a study that `open_study` opened"
        raise UsageError("There is no figure of this", got=type(what).__name__, do=do)
    table = what
    name = today(table.schema.name)
    for result in RESULTS.values():
        if name in (result.name, result.summary.name if result.summary else result.name):
            figure = result.figure(result.updated(table), **options)
            if figure is not None:
                return figure
    known = [one for result in RESULTS.values() if result.draw for one in _plotted(result)]
    raise UsageError("There is no figure for tables of this schema", got=name, do=f"give one of: {', '.join(known)}")


def _plotted(result: Result) -> list[str]:
    """The names of the tables that a result's figure can be made of."""
    if result.summary is None:
        return [result.name]
    return [result.summary.name] if result.summary.beside else [result.name, result.summary.name]


__all__ = ["RESULTS", "Derived", "Metric", "Result", "plot", "register", "result_of", "today"]
