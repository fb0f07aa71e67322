"""Tables: what is written comes back, whole or not at all, and no other file passes for a table."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backsight.errors import DataError
from backsight.tables import Schema, Table, difference, intact, replacing, stamp

SCHEMA = Schema("toy", {"word": "str", "count": "int", "amount": "float", "is_so": "bool"}, "A toy")
ROWS: list[dict[str, Any]] = [
    {"word": 'left, or\n"right"', "count": 3, "amount": 0.1, "is_so": True},
    {"word": None, "count": None, "amount": None, "is_so": None},
    {"word": "", "count": 2**62 + 1, "amount": 1e-300, "is_so": False},
]
PROVENANCE = {"measurement": "Toy(batch=2)", "nested": {"seeds": [0, 1], "none": None}}


def table() -> Table:
    return Table.of(SCHEMA, ROWS, PROVENANCE)


def test_rows_provenance_and_schema_come_back(tmp_path: Path) -> None:
    path = table().write(tmp_path / "new" / "folder", "toy")
    found = Table.read(path)
    assert path.name == "toy.parquet"
    assert found.rows() == ROWS and len(found) == 3
    assert found.provenance == PROVENANCE
    assert found.schema == SCHEMA and list(found.schema.columns) == list(SCHEMA.columns)
    assert list(found.frame.columns) == list(SCHEMA.columns)
    assert found.frame.dtypes.astype(str).tolist() == ["string", "Int64", "Float64", "boolean"]


ROW = st.fixed_dictionaries(
    {
        "word": st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=5),
        "count": st.none() | st.integers(-(2**63), 2**63 - 1),
        "amount": st.none() | st.floats(allow_nan=False),
        "is_so": st.none() | st.booleans(),
    }
)


@settings(deadline=None, max_examples=40)
@given(st.lists(ROW, max_size=4))
def test_any_rows_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]]) -> None:
    path = Table.of(SCHEMA, rows).write(tmp_path_factory.mktemp("any"), "toy")
    assert Table.read(path).rows() == rows


def test_writing_what_was_read_gives_the_same_files(tmp_path: Path) -> None:
    first = table().write(tmp_path / "one", "toy")
    second = Table.read(first).write(tmp_path / "two", "toy")
    assert first.read_bytes() == second.read_bytes()
    assert first.with_suffix(".csv").read_bytes() == second.with_suffix(".csv").read_bytes()


def test_the_csv_beside_it_says_the_same(tmp_path: Path) -> None:
    table().write(tmp_path, "toy")
    with (tmp_path / "toy.csv").open(newline="") as file:
        found = list(csv.reader(file))
    assert found == [
        ["word", "count", "amount", "is_so"],
        ['left, or\n"right"', "3", "0.1", "True"],
        ["", "", "", ""],
        ["", "4611686018427387905", "1e-300", "False"],
    ]
    assert {p.name for p in tmp_path.iterdir()} == {"toy.csv", "toy.parquet"}


def test_a_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    found = Table.read(Table.of(SCHEMA, []).write(tmp_path, "toy"))
    assert found.rows() == [] and list(found.frame.columns) == list(SCHEMA.columns)


@pytest.mark.parametrize(
    ("row", "wrong"), [({"word": "a"}, "amount"), ({**ROWS[0], "more": 1}, "more"), ({**ROWS[0], "x": None}, "x")]
)
def test_a_row_that_does_not_fit_is_named(row: dict[str, Any], wrong: str) -> None:
    with pytest.raises(DataError, match=rf"schema 'toy'\n  where: row 1\n  got:   \[.*'{wrong}'"):
        Table.of(SCHEMA, [ROWS[0], row])


@pytest.mark.parametrize("part", ["csv", "parquet"])
def test_a_write_that_fails_leaves_the_old_files_and_no_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    def fails(*args: Any, **options: Any) -> None:
        target = next(a for a in args if isinstance(a, Path))
        target.write_bytes(b"half a ta")
        raise OSError(28, "No space left on device")

    table().write(tmp_path, "toy")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    if part == "csv":
        monkeypatch.setattr(pd.DataFrame, "to_csv", fails)
    else:
        monkeypatch.setattr(pq, "write_table", fails)
    with pytest.raises(OSError, match="No space left"):
        Table.of(SCHEMA, ROWS[:1]).write(tmp_path, "toy")
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_provenance_that_json_cannot_hold_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(TypeError):
        Table.of(SCHEMA, ROWS, {"picture": object()}).write(tmp_path, "toy")
    assert list(tmp_path.iterdir()) == []


def test_replacing_shows_the_new_file_only_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with replacing(target) as part:
        part.write_text("new")
        assert target.read_text() == "old" and part.parent == tmp_path
    assert target.read_text() == "new"
    with pytest.raises(KeyboardInterrupt), replacing(target) as part:
        part.write_text("half")
        raise KeyboardInterrupt
    assert target.read_text() == "new" and list(tmp_path.iterdir()) == [target]


def foreign(path: Path, header: bytes | None) -> Path:
    stored = pa.table({"word": ["a"]})
    pq.write_table(stored if header is None else stored.replace_schema_metadata({b"backsight": header}), path)
    return path


@pytest.mark.parametrize(
    "header",
    [
        None,
        b"no json {",
        b"[]",
        json.dumps({"schema": {"name": "toy"}}).encode(),
        json.dumps({"schema": {"name": "a", "title": "", "columns": [["gone", "str"]]}, "provenance": {}}).encode(),
        json.dumps({"schema": {"name": "a", "title": "", "columns": [["word", "int"]]}, "provenance": {}}).encode(),
    ],
)
def test_a_foreign_parquet_is_refused(tmp_path: Path, header: bytes | None) -> None:
    path = foreign(tmp_path / "other.parquet", header)
    with pytest.raises(DataError, match=r"This is no table of ours\n  where: .*other\.parquet"):
        Table.read(path)


def test_what_is_no_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.parquet").write_text("word,count\n")
    whole = table().write(tmp_path, "toy").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    for name in ("text", "cut", "missing"):
        with pytest.raises(DataError, match=f"no table of ours\n  where: .*{name}.parquet"):
            Table.read(tmp_path / f"{name}.parquet")


def test_tables_of_one_schema_join_in_order() -> None:
    joined = Table.concat([Table.of(SCHEMA, ROWS[2:], PROVENANCE), Table.of(SCHEMA, ROWS[:2])])
    assert joined.rows() == [ROWS[2], ROWS[0], ROWS[1]] and joined.provenance == PROVENANCE
    assert joined.frame.dtypes.equals(table().frame.dtypes)


def test_tables_of_different_schemas_do_not_join() -> None:
    other = Table.of(Schema("other", {"word": "str"}), [])
    with pytest.raises(DataError, match=r"cannot be joined\n  got:   \['other', 'toy'\]"):
        Table.concat([table(), other])


def test_html_escapes_what_the_rows_say() -> None:
    shown = Table.of(SCHEMA, [{**ROWS[0], "word": "<script>"}])._repr_html_()
    assert "&lt;script&gt;" in shown and "<script>" not in shown
    assert repr(table()).startswith("Table(toy, 3 rows)\n")


def test_a_data_frame_of_its_own(tmp_path: Path) -> None:
    table = Table.of(Schema("s", {"n": "int"}), [{"n": 1}, {"n": 2}])
    frame = table.to_pandas()
    frame["n"] = 7
    assert table.frame["n"].tolist() == [1, 2]


def test_a_stamp_tells_what_became_of_a_file(tmp_path: Path) -> None:
    table = Table.of(Schema("s", {"n": "int"}), [{"n": 1}, {"n": 2}])
    path = table.write(tmp_path, "t")
    written = stamp(path, len(table))
    assert intact(path, written) and Table.read(path, written).rows() == [{"n": 1}, {"n": 2}]
    Table.of(table.schema, [{"n": 1}]).write(tmp_path, "t")
    assert difference(path, written) == "1 rows, 2 were written"
    Table.of(table.schema, [{"n": 1}, {"n": 3}]).write(tmp_path, "t")
    assert difference(path, written) == "other content than was written"
    with pytest.raises(DataError, match="A table is not as it was written") as caught:
        Table.read(path, written)
    assert caught.value.where == path and str(caught.value.do).startswith(
        "run the command of the study again: it makes"
    )
    path.write_bytes(path.read_bytes()[:-9])
    assert (intact(path, written), difference(path, written)) == (False, "the file is damaged")
    path.unlink()
    assert (intact(path, written), difference(path, written)) == (False, "no such file")
