"""What of a study's tables can be compared: per kind of table, how its rows become values of samples.

The registry of results says which. A metric is named by its family, the set, and the values of its key columns, such as
`accuracy/squares/left/options`. A sample is the same in two studies where its id, its picture and the columns `same`
agree: ids repeat between seeds, and the id of a picture names its pixels.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from backsight.errors import DataError
from backsight.maths.grouping import groups
from backsight.results import Metric, result_of
from backsight.tables import Table

TIED = 1e-9  # means of layers that differ by no more are equal: rounding, which depends on the processor


@dataclass(frozen=True)
class Values:
    """One metric of one study: `frame` has a row a sample and a column a layer, or the single column 0."""

    name: str
    metric: Metric
    set_name: str
    drawn: bool
    frame: pd.DataFrame

    def of(self, samples: pd.Index | None = None) -> tuple[int | None, pd.Series[float], pd.Index]:
        """The layer with the highest mean over some samples, or all; each one's value there; each one's image.

        Of layers that differ by rounding alone it is the first.
        """
        frame = self.frame if samples is None else self.frame.reindex(samples)
        means = frame.mean()
        layer = int(str(means.index[means >= means.max() - TIED][0])) if means.notna().any() else int(means.index[0])
        images = frame.index.get_level_values("image_id").astype(str)
        return layer if self.metric.layered else None, frame[layer], images


def values(table: Table, set_name: str) -> Iterator[Values]:
    """Every metric of a table of rows; none for a schema without metrics. DataError where it lacks columns."""
    result = result_of(table)
    if result is None or not result.metrics:
        return
    table = result.updated(table)
    missing = sorted(result.schema.columns.keys() - table.schema.columns.keys())
    if missing:
        raise DataError(
            "A table lacks columns", where=f"{table.schema.name} of {set_name}", got=f"no {', '.join(missing)}",
            do="make the study again with this version of backsight",
        )  # fmt: skip
    for metric in result.metrics:
        frame = metric.rows(table.frame)
        frame = frame[frame[metric.value].notna()]
        keyed = groups(frame, list(metric.keys)) if metric.keys else [((), frame)]
        for key, group in keyed if len(frame) else ():
            named = dict(zip(metric.keys, key, strict=True))
            name = "/".join([metric.family, set_name, *(str(one) for one in key if one is not None)])
            wanted = metric.plotted
            drawn = wanted is not None and all(named[column] == one for column, one in wanted.items())
            yield _values(metric, name, set_name, drawn, group)


def _values(metric: Metric, name: str, set_name: str, drawn: bool, group: pd.DataFrame) -> Values:
    by = [metric.sample, "image_id", *metric.same]
    group = group.assign(
        value=group[metric.value].astype(float), at=group["layer"].astype(int) if metric.layered else 0
    )
    frame = group.groupby([*by, "at"], dropna=False)["value"].mean().unstack("at")
    return Values(name, metric, set_name, drawn, frame.dropna())
