"""A study opened to be looked into: its tables as pandas frames, its figures, its verdict, without torch.

Everything is read when it is asked for, and nothing is written.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import UsageError
from backsight.report.integrity import damage
from backsight.report.page import build_sections
from backsight.report.reading import read_record, read_study
from backsight.report.unfinished import unfinished_record, unfinished_study
from backsight.results import RESULTS, today
from backsight.results.base import Result
from backsight.results.drawing.style import counted, to_svg
from backsight.results.pages.study import Study, mapping, number, text
from backsight.results.pages.wording import listed, model_line
from backsight.results.path import PathFacts, Verdict, describe, draw, path_facts, verdict_of
from backsight.tables import Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

PATH = "path"


def open_study(folder: str | Path) -> OpenedStudy:
    """The study in a folder that `backsight study` wrote, finished or not.

    UsageError where there is none; DataError where its record cannot be read or is of another format.
    """
    folder = Path(folder)
    if not folder.is_dir():
        got = "a file" if folder.exists() else "no such folder"
        do = "give the folder that `backsight study --out` names"
        raise UsageError("There is no study here", where=folder, got=got, do=do)
    if not (folder / "study.json").exists():
        record = unfinished_record(folder)
        if record is not None:
            return OpenedStudy(folder, record)
    return OpenedStudy(folder, read_record(folder))


@dataclass(frozen=True, eq=False, repr=False)
class OpenedStudy:
    """A study's folder and the content of its study.json; `open_study` makes it."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def finished(self) -> bool:
        """Whether all jobs ran and the study was put together."""
        return self.record.get("finished") is not False

    @property
    def model(self) -> Mapping[str, Any]:
        """What the study says of its model: name, family, fingerprint, parameters, layers, grid, dtype, device."""
        return mapping(self.record.get("model"))

    @cached_property
    def study(self) -> Study:
        """The study as sections of the report see it; tables that are not as they were written are left out."""
        if not self.finished:
            return unfinished_study(self.folder, self.record)
        return read_study(self.folder, damage(self.folder))

    @cached_property
    def verdict(self) -> Verdict:
        """Where position comes from; where that was not measured, a verdict that says so."""
        return verdict_of(Study(self.folder, self.record, {}))

    @cached_property
    def path(self) -> PathFacts:
        """The path of position through the model; `bs.plot` draws it."""
        return path_facts(self.study)

    @cached_property
    def tables(self) -> Tables:
        """All tables by name, as pandas frames."""
        return Tables(self)

    def table(self, name: str) -> Table:
        """A table with its schema and provenance. UsageError for an unknown name, DataError for a changed file."""
        names = self.table_names
        if name not in names:
            raise _unknown("table", name, list(names))
        path = self.folder / "tables" / f"{names[name]}.parquet"
        stamp = mapping(mapping(self.record.get("tables")).get(names[name]))
        table = Table.read(path, stamp or None)
        result = next((one for one in RESULTS.values() if today(table.schema.name) in _schemas(one)), None)
        return table if result is None else result.updated(table)

    @cached_property
    def table_names(self) -> dict[str, str]:
        """The names of tables, each with the name of its file, which an earlier release may have called otherwise."""
        names = Study(self.folder, self.record, {}).table_names()
        missing = sorted(mapping(self.record.get("tables")).keys() - set(names))
        return {today(name): name for name in [*names, *missing] if Path(name).name == name}

    @property
    def figures(self) -> tuple[str, ...]:
        """The names of the figures that `figure` draws: the path, and each result of which there is a table."""
        return (PATH, *(name for name, result in RESULTS.items() if result.draw and self._drawn(result)))

    def figure(self, name: str, **options: Any) -> Figure:
        """A figure by its name, or by that of a summary; `options` are those of what draws it, as `columns`.

        UsageError for an unknown name.
        """
        if name == PATH:
            return draw(self.path, **options)
        drawn = {one: table for one, result in RESULTS.items() if result.draw and (table := self._drawn(result))}
        of = name if name in drawn else next((one for one, table in drawn.items() if table.schema.name == name), "")
        figure = RESULTS[of].figure(drawn[of], **{"titles": self.study.titles} | options) if of else None
        if figure is None:
            raise _unknown("figure", name, list(self.figures))
        return figure

    @cached_property
    def claims(self) -> dict[str, str]:
        """What each section of the report claims, in a sentence, by its title, in the order of the page."""
        return {one.title: one.claim for one in build_sections(self.study) if one.claim}

    def _drawn(self, result: Result) -> Table | None:
        """The table that a result's figure is made of, where it is there."""
        return self.study.tables.get(result.summary.name if result.summary else result.name)

    def __repr__(self) -> str:
        state = "" if self.finished else f", not finished: {counted(len(self.study.jobs), 'job')} so far"
        source = f", position: {self.verdict.source}" if self.verdict.measured else ""
        tables = counted(len(self.table_names), "table")
        return f"OpenedStudy({text(self.model.get('name')) or 'a model'}, {tables}{source}{state}, {self.folder})"

    def _repr_html_(self) -> str:
        svg = to_svg(draw(self.path), "opened")
        picture = svg[svg.index("<svg") :].replace(
            "<svg", f'<svg role="img" aria-label="{escape(describe(self.path))}"', 1
        )
        name = escape(text(self.model.get("name")) or "a model")
        parts = [f"<p><strong>{name}</strong> {escape(model_line(self.model))}</p>"]
        if not self.finished:
            ran = counted(len(self.study.jobs), "job")
            parts.append(f"<p><strong>This study is not finished</strong>: {ran} ran so far.</p>")
        if damaged := damage(self.folder):
            parts.append(f"<p>Not as they were written: {escape(listed(damaged))}.</p>")
        parts.append(f"<p>{escape(str(self.verdict))}</p>{picture}")
        stamps = mapping(self.record.get("tables"))
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{_rows(mapping(stamps.get(stem)).get('rows'))}</td></tr>"
            for name, stem in self.table_names.items()
        )
        head = "<thead><tr><th>Table</th><th>Rows</th></tr></thead>"
        summary = f"<summary>{counted(len(self.table_names), 'table')}: study.tables[NAME]</summary>"
        parts.append(f"<details>{summary}<table>{head}<tbody>{rows}</tbody></table></details>")
        return "".join(parts)


class Tables(Mapping[str, "pd.DataFrame"]):
    """The tables of an opened study, each read when it is asked for."""

    def __init__(self, of: OpenedStudy) -> None:
        self._of = of

    def __getitem__(self, name: str) -> pd.DataFrame:
        """A table's rows. UsageError for an unknown name, DataError for a changed file."""
        return self._of.table(name).to_pandas()

    def get(self, name: str, default: Any = None) -> Any:
        """The rows of a table, or the default where there is no such table."""
        return self[name] if name in self else default  # noqa: SIM401, this is `get`

    def __contains__(self, name: object) -> bool:
        return name in self._of.table_names

    def __iter__(self) -> Iterator[str]:
        return iter(self._of.table_names)

    def __len__(self) -> int:
        return len(self._of.table_names)

    def __repr__(self) -> str:
        return f"Tables({', '.join(self)})"


def _schemas(result: Result) -> set[str]:
    return {result.name, *(one.name for one in result.tables)}


def _unknown(what: str, name: str, known: list[str]) -> UsageError:
    """The error for a name that is not there: the close ones first, then all."""
    close = difflib.get_close_matches(name, known, n=3)
    first = f"did you mean {' or '.join(close)}? " if close else ""
    return UsageError(
        f"There is no such {what} in this study", got=repr(name), do=f"{first}choose from: {', '.join(known)}"
    )


def _rows(value: object) -> str:
    count = number(value)
    return "–" if count is None else f"{count:,.0f}"
