"""What the instrument says of one model of the positional experiment at its own size: permutation, pathways, probes,
norms."""

from __future__ import annotations

from typing import Any

from backsight.errors import CannotAnswer
from backsight.examples import ExampleSet
from backsight.maths.pathways import verdict
from backsight.measurements import EmbeddingNorms, Pathways, Permutation, Probes
from backsight.models.vlm import VLM
from backsight.results.norms.tables import embedding_norms_summary
from backsight.results.permutation.tables import permutation_summary
from backsight.results.probes.tables import probes_summary
from backsight.stimuli import whole_cells
from backsight.stimuli.whole_cells import Window
from backsight.studies.positional.answers import windows
from backsight.tables import Table
from backsight.training import positional

Row = dict[str, Any]
PICTURES = 48  # with two questions each
PROBED = 96  # pictures, of which a quarter is scored
SHUFFLES = 3


def samples(count: int, *, each: int = 2) -> ExampleSet:
    """`count` pictures at trained positions of the own grid with their relation questions, `each` of a picture."""
    trained = windows(Window(columns=(0, positional.TRAINED_COLUMNS)))
    placed = whole_cells.placed(trained, count=count, seed=3)
    of = whole_cells.examples(placed, pixels=positional.LAYOUT.cell)
    return of if each == 2 else ExampleSet(of.name, of.items[::2])


def instruments(vlm: VLM) -> list[Row]:
    """Permutation and PSI, pathways, probes and norms; what the architecture cannot be asked has its reason."""
    asked, shown = samples(PICTURES), samples(PROBED, each=1)
    records: list[Row] = []
    for read, measurement, of in (
        (_psi, Permutation(shuffles=SHUFFLES, rescaled=False, batch=32), asked),
        (_pathways, Pathways(shuffles=SHUFFLES, batch=32), asked),
        (_probes, Probes(method="logistic", batch=32), shown),
        (_norms, EmbeddingNorms(batch=32), shown),
    ):
        try:
            records += read(measurement(vlm, of))
        except CannotAnswer as error:
            name = type(measurement).__name__.lower()
            records.append({"measure": name, "condition": "", "axis": "all", "note": f"not measured: {error.what}"})
    return records


def _psi(table: Table) -> list[Row]:
    """The index corrected for chance, of relations, by order; its null is no loss."""
    return [
        {
            "measure": "psi", "condition": row["order"], "axis": "all", "n": row["questions"],
            "value": row["corrected"], "low": row["corrected_low"], "high": row["corrected_high"],
            "null": 0.0, "note": row["reason"],
        }
        for row in permutation_summary(table).rows()
        if row["kind"] == "relational" and row["norm"] == "own"
    ]  # fmt: skip


def _pathways(table: Table) -> list[Row]:
    """The share that each pathway keeps by itself and its outcome, and the verdict in one word."""
    judged = verdict(table)
    records: list[Row] = []
    for part, one in (("vision encoder", judged.vision), ("language model", judged.language)):
        share = one.share
        numbers = {} if share is None else {"value": share.value, "low": share.low, "high": share.high}
        records.append(
            {"measure": "pathway", "condition": part, "axis": "all", "n": judged.n, "note": one.outcome, **numbers}
        )
    return [*records, {"measure": "verdict", "condition": "", "axis": "all", "n": judged.n, "note": judged.source}]


def _probes(table: Table) -> list[Row]:
    """Object tokens given their ordinal position by site and layer, beside a probe of shuffled positions."""
    records = []
    summary = [row for row in probes_summary(table).rows() if row["shown"] == "standard" and not row["omitted"]]
    nulls = {_place(row): row["share"] for row in summary if row["measure"] == "objects_shuffled"}
    for row in summary:
        if row["measure"] == "objects":
            records.append(
                {
                    "measure": "probe", "condition": f"{row['site']} {row['layer']}", "axis": row["arrangement"],
                    "n": row["pictures"], "value": row["share"], "low": row["low"], "high": row["high"],
                    "null": nulls.get(_place(row)),
                }
            )  # fmt: skip
    return records


def _place(row: Row) -> tuple[Any, ...]:
    return row["arrangement"], row["site"], row["layer"]


def _norms(table: Table) -> list[Row]:
    """The ratio of image to text norms, and the share of object tokens' variance that position explains."""
    records: list[Row] = []
    for row in embedding_norms_summary(table).rows():
        if row["omitted"]:
            continue
        at = {"condition": f"{row['site']} {row['layer']}", "axis": "all", "n": row["pictures"]}
        if row["ratio"] is not None:
            ends = {"value": row["ratio"], "low": row["ratio_low"], "high": row["ratio_high"], "null": 1.0}
            records.append({"measure": "norm_ratio", **at, **ends})
        if row["objects"] is not None:
            ends = {"value": row["objects"], "low": row["objects_low"], "high": row["objects_high"]}
            records.append({"measure": "position_share", **at, **ends, "null": row["objects_null"]})
    return records
