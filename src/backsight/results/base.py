"""What a measurement leaves behind its rows: summary, further tables, figure, section, comparison; in one record.

A `Result` is named by the schema of the rows. Studies, report, comparison and notebook read the registry
(`backsight.results`) and know no measurement by name, so a measurement is added by its own file, its result's file and
one line. Nothing here needs torch or a model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pandas as pd

from backsight.maths.comparison import Better
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from backsight.results.pages.content import Section
    from backsight.results.pages.study import Study

Draw = Callable[..., "Figure"]
MakeSection = Callable[["Study"], "Section | None"]


@dataclass(frozen=True)
class Derived:
    """A table that is made of others by a pure function, stored under the name of its schema.

    `make` takes the rows of one set, or with `of` "summary" the summary of all sets. Where `beside` names the schema of
    another measurement's rows, `make` takes those of the same set as its second argument, None where there are none.
    """

    schema: Schema
    make: Callable[..., Table]
    of: Literal["rows", "summary"] = "rows"
    beside: str | None = None

    @property
    def name(self) -> str:
        """What the table is called in a study's folder."""
        return self.schema.name


def _every(frame: pd.DataFrame) -> pd.DataFrame:
    return frame


@dataclass(frozen=True)
class Metric:
    """How rows become values that two studies are compared by, sample by sample.

    `rows` keeps those that count and makes columns, `keys` name the metric by its values. `sample` is the column of
    the sample's id and `value` that of its value; rows of one sample are averaged. A sample is the same in two studies
    where id, picture and the columns `same` agree. `layered` takes the layer with the highest mean over the samples
    compared, each study its own. `better` says which way is better. Where `plotted` holds the metric is one of the few
    of its set that a figure shows; None where none is. `title` is what its family is called.
    """

    family: str
    sample: str
    value: str
    keys: tuple[str, ...]
    same: tuple[str, ...] = ()
    rows: Callable[[pd.DataFrame], pd.DataFrame] = _every
    layered: bool = False
    better: Better = "more"
    plotted: Mapping[str, str] | None = field(default_factory=dict)
    title: str = ""


@dataclass(frozen=True)
class Result:
    """All that is made of the rows under one schema.

    `summary` and `further` are tables of a study. `draw` makes a figure of the summary, or of the rows where there is
    none. Each of `sections` gives a section of the report, or None where the study lacks its tables; sections with one
    anchor become one. `metrics` are compared between studies.

    Tables of earlier releases are read too: `earlier` gives names that tables, kinds of jobs, measurements and families
    of metrics had, each with the name of today; `later` are columns of rows or derived tables that older ones lack.
    """

    schema: Schema
    summary: Derived | None = None
    further: tuple[Derived, ...] = ()
    draw: Draw | None = None
    sections: tuple[MakeSection, ...] = ()
    metrics: tuple[Metric, ...] = ()
    earlier: Mapping[str, str] = field(default_factory=dict)
    later: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The name of the rows' schema."""
        return self.schema.name

    @property
    def tables(self) -> tuple[Derived, ...]:
        """The tables that are made of the rows."""
        return (*([self.summary] if self.summary else ()), *self.further)

    def updated(self, table: Table) -> Table:
        """A table of this result as it is laid out today: an earlier name replaced, later columns there but empty."""
        name = self.earlier.get(table.schema.name, table.schema.name)
        schemas = (self.schema, *(one.schema for one in self.tables))
        schema = next((one for one in schemas if one.name == name), None)
        if schema is None:
            return table
        columns, frame = dict(table.schema.columns), table.frame
        for column in self.later:
            if column in schema.columns and column not in columns:
                dtype = Table.of(schema, []).frame.dtypes[column]
                columns[column] = schema.columns[column]
                frame = frame.assign(**{column: pd.Series(pd.NA, index=frame.index, dtype=dtype)})
        return Table(Schema(name, columns, schema.title), frame, table.provenance)

    def figure(self, table: Table, **options: object) -> Figure | None:
        """The figure of rows or of their summary; None where there is none to be made of this table."""
        if self.draw is None:
            return None
        if self.summary is None or table.schema.name == self.summary.name:
            return self.draw(table, **options)
        return None if self.summary.beside else self.draw(self.summary.make(table), **options)
