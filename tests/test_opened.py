"""An opened study: tables, figures and verdict without torch; wrong folders; what shows itself in a notebook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import backsight as bs
from backsight.errors import DataError, UsageError
from backsight.measurements import Behaviour, Interchange
from backsight.models.findings import Finding
from backsight.models.vlm import VLM
from backsight.report.opened import OpenedStudy, open_study
from backsight.results.interchange import INTERCHANGE_SUMMARY, order_layers
from backsight.studies import Options, Study
from backsight.tables import Schema, Table

from .test_path import judged, ordinal, words_of

Row = dict[str, Any]
HOSTILE = "<script>alert(1)</script>"


def record(**changes: Any) -> Row:
    """A study.json of one suite with a verdict."""
    model = {"name": "builtin:plain", "family": "Qwen2-VL", "parameters": 1459840, "layers": 4, "dtype": "float32"}
    of: Row = {"format": 1, "finished": True, "model": model, "jobs": [], "verdicts": {"squares": judged("squares")}}
    return of | {"sets": [{"name": "squares", "title": "Squares of colour"}]} | changes


def written(folder: Path, **changes: Any) -> Path:
    """A study's folder with one summary and what is derived of it."""
    table = Table.of(INTERCHANGE_SUMMARY, ordinal("squares", [3]), {"measurement": "Interchange()"})
    table.write(folder / "tables", "interchange_summary")
    order_layers(table).write(folder / "tables", "order_layers")
    (folder / "study.json").write_text(json.dumps(record(**changes)), encoding="utf-8")
    return folder


@pytest.fixture
def opened(tmp_path: Path) -> OpenedStudy:
    return open_study(written(tmp_path / "study"))


def test_what_a_study_holds(opened: OpenedStudy) -> None:
    assert opened.model["name"] == "builtin:plain" and opened.finished
    assert str(opened.verdict) == "Position comes from the language model's position encoding."
    assert opened.verdict.title == "Squares of colour"
    assert list(opened.tables) == ["interchange_summary", "order_layers"] and len(opened.tables) == 2
    frame = opened.tables["order_layers"]
    assert frame.loc[0, "layers"] == "3"
    frame.loc[0, "layers"] = "9"
    assert opened.tables["order_layers"].loc[0, "layers"] == "3"
    assert opened.table("interchange_summary").provenance == {"measurement": "Interchange()"}
    assert opened.path.ordinal.places[0].layer == 3
    assert "order_layers" in opened.tables and "creg" not in opened.tables
    assert opened.tables.get("creg") is None
    assert repr(opened.tables) == "Tables(interchange_summary, order_layers)"
    assert repr(opened) == f"OpenedStudy(builtin:plain, 2 tables, position: language, {opened.folder})"


def test_figures_by_name(opened: OpenedStudy) -> None:
    assert opened.figures == ("path", "interchange")
    drawn = opened.figure("interchange")
    assert drawn.axes[0].get_title(loc="left") == "Squares of colour"
    assert opened.figure("interchange_summary").axes[0].get_title(loc="left") == "Squares of colour"
    assert opened.figure("path", columns=1).get_size_inches()[0] == 4.2
    assert words_of(bs.plot(opened)) == words_of(opened.figure("path"))
    assert not (opened.folder / "figures").exists()


TABLES, FIGURES = "choose from: interchange_summary, order_layers", "choose from: path, interchange"


@pytest.mark.parametrize(
    ("ask", "what", "got", "do"),
    [
        (lambda s: s.tables["order_layer"], "table", "order_layer", f"did you mean order_layers? {TABLES}"),
        (lambda s: s.table("zzz"), "table", "zzz", TABLES),
        (lambda s: s.figure("probes"), "figure", "probes", FIGURES),
        (lambda s: s.figure("interchang"), "figure", "interchang", f"did you mean interchange? {FIGURES}"),
    ],
)
def test_unknown_names_list_the_close_ones_and_all(
    opened: OpenedStudy, ask: Callable[[OpenedStudy], Any], what: str, got: str, do: str
) -> None:
    with pytest.raises(UsageError) as caught:
        ask(opened)
    assert str(caught.value) == f"There is no such {what} in this study\n  got:   '{got}'\n  do:    {do}"


def test_no_torch_is_loaded(opened: OpenedStudy) -> None:
    lines = (
        "import sys, backsight as bs",
        "s = bs.open_study(sys.argv[1])",
        "s.tables['order_layers'], s.figure('interchange'), bs.plot(s), s._repr_html_()",
        "print(s.verdict)",
        "print(sorted({'torch', 'transformers'} & sys.modules.keys()))",
    )
    code = "\n".join(lines)
    done = subprocess.run([sys.executable, "-c", code, opened.folder], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["Position comes from the language model's position encoding.", "[]"]


# --- wrong input ---


def test_folders_without_a_study(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    for name, got in (("none", "no such folder"), ("file", "a file"), ("empty", "no such file")):
        with pytest.raises(UsageError, match=f"There is no study here\n  where: .*{name}.*\n  got:   {got}\n  do:"):
            open_study(tmp_path / name)


@pytest.mark.parametrize("content", ["{", '{"format": 0}', "[]", '"study"'])
def test_records_that_cannot_be_read(tmp_path: Path, content: str) -> None:
    (tmp_path / "study.json").write_text(content)
    with pytest.raises(DataError, match=r"A study's record .*\n  where: .*study.json\n  got: .*\n  do:"):
        open_study(tmp_path)


def test_damaged_tables_are_named_and_left_out(tmp_path: Path) -> None:
    folder = written(tmp_path / "s")
    stamps = {name: bs.tables.stamp(folder / "tables" / f"{name}.parquet", 5) for name in ("interchange_summary",)}
    stamps["gone"] = {"rows": 3, "sha256": "0"}
    jobs = [{"name": "interchange/squares", "kind": "interchange", "set": "squares", "tables": []}]
    (folder / "study.json").write_text(json.dumps(record(tables=stamps, jobs=jobs)))
    (folder / "tables" / "interchange_summary.parquet").write_bytes(b"PAR1")
    study = open_study(folder)
    with pytest.raises(DataError, match=r"not as it was written\n.*\n  got:   the file is damaged\n"):
        study.tables["interchange_summary"]
    with pytest.raises(DataError, match="got:   no such file"):
        study.tables["gone"]
    assert study.figures == ("path",)
    assert "its table is missing" in words_of(bs.plot(study))
    assert "Not as they were written: interchange_summary and gone." in study._repr_html_()


def test_a_study_without_a_verdict_says_so(tmp_path: Path) -> None:
    study = open_study(written(tmp_path / "s", verdicts=None, verdict=None))
    assert "was not measured" in str(study.verdict) and "position" not in repr(study)
    assert "Where position comes from was not measured." in study._repr_html_()


def test_tables_of_an_earlier_name(tmp_path: Path) -> None:
    folder = written(tmp_path / "s")
    Table.of(Schema("roads", {"suite": "str"}), [{"suite": "squares"}]).write(folder / "tables", "roads.squares")
    study = open_study(folder)
    assert "pathways.squares" in study.tables and study.table("pathways.squares").schema.name == "pathways"


# --- what shows itself ---


def test_an_opened_study_shows_itself_escaped(tmp_path: Path) -> None:
    sets = [{"name": "squares", "title": HOSTILE}]
    model = {"name": HOSTILE, "family": HOSTILE, "dtype": HOSTILE}
    folder = written(tmp_path / "s", model=model, sets=sets)
    Table.of(Schema("own", {}), []).write(folder / "tables", "<i>own")
    shown = open_study(folder)._repr_html_()
    assert "<script" not in shown and "<i>" not in shown and "&lt;i&gt;own" in shown
    assert shown.count("<svg") == 1 and 'role="img" aria-label="&lt;script' in shown
    assert "href" not in re.sub(r'href="#[^"]*"', "", shown).replace("xlink:", "").replace("w3.org", "")


def test_a_table_shows_title_rows_and_provenance() -> None:
    schema = Schema("answers", {"word": "str", "n": "int"}, title=f"Answers {HOSTILE}")
    rows = [{"word": HOSTILE, "n": n} for n in range(25)]
    shown = Table.of(schema, rows, {HOSTILE: {"seed": HOSTILE}})._repr_html_()
    assert "<strong>Answers &lt;script&gt;" in shown and "(25 rows, the first 10 are shown)" in shown
    assert "<script" not in shown and shown.count("<tr") == 1 + 10 + 1 and "Provenance" in shown
    one = Table.of(Schema("answers", {"n": "int"}), [{"n": 1}])._repr_html_()
    assert "<strong>answers</strong> (1 row)" in one and "Provenance" not in one


def test_a_model_shows_itself(tiny_vlm: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = re.sub(r"<[^>]+>", " ", tiny_vlm._repr_html_())
    for words in ("Qwen2-VL", "6 × 6 tokens", "float32 on cpu", f"{tiny_vlm.n_layers}", f"{tiny_vlm.n_parameters:,}"):
        assert words in shown
    assert f"{len(tiny_vlm.findings)} of {len(tiny_vlm.findings)} passed" in shown
    bad = [Finding("one", True, ""), Finding("<b>two", True, "", warning=True), Finding("three", False, "")]
    monkeypatch.setattr(tiny_vlm, "findings", bad)
    monkeypatch.setattr(tiny_vlm, "name", HOSTILE)
    said = tiny_vlm._repr_html_()
    assert "1 of 3 passed; &lt;b&gt;two: not decided; three: fails" in said and "<script" not in said
    monkeypatch.setattr(tiny_vlm, "findings", [])
    assert "not run" in tiny_vlm._repr_html_()


@pytest.fixture(scope="module")
def ran(tiny_vlm: VLM, tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study of two measurements on a few squares, run."""
    squares = bs.stimuli.squares(grid=tiny_vlm.grid, seed=0).limit(24)
    folder = tmp_path_factory.mktemp("ran") / "study"
    study = Study(tiny_vlm, [squares], folder, Options(0), [Behaviour(gray=False), Interchange()])
    assert repr(study).startswith("Study(") and "2 jobs, 2 left to run" in repr(study)
    study.run()
    return study


def test_a_running_study_shows_what_is_planned(ran: Study) -> None:
    shown = ran._repr_html_()
    assert "<td>behaviour</td><td>squares</td><td>0 of 1</td>" in shown and str(ran.folder) in shown
    assert "0 left to run" in repr(ran)


def test_a_study_that_was_run_is_opened(ran: Study) -> None:
    study = open_study(str(ran.folder))
    assert study.finished and study.model["vision_layers"] == len(ran.vlm.parts.vision_blocks)
    assert study.path.blocks == study.model["vision_layers"] and study.path.layers == ran.vlm.n_layers
    assert study.model["projector"] is True
    assert {"behaviour.squares", "behaviour_summary"} <= set(study.tables)
    assert "behaviour" in study.figures


def test_an_unfinished_study_is_opened_with_what_is_there(ran: Study, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ran.folder, tmp_path / "part"))
    (folder / "study.json").unlink()
    for name in ("behaviour_summary", "interchange_summary", "order_layers"):
        (folder / "tables" / f"{name}.parquet").unlink(missing_ok=True)
    (folder / "tables" / "interchange.squares.parquet").write_bytes(b"half")
    study = open_study(folder)
    assert not study.finished
    assert "not finished: 2 jobs so far" in repr(study)
    assert "<strong>This study is not finished</strong>: 2 jobs ran so far." in study._repr_html_()
    whole = open_study(ran.folder)
    assert study.study.rows("behaviour_summary") == whole.study.rows("behaviour_summary")
    assert study.tables["behaviour.squares"].equals(whole.tables["behaviour.squares"])
    assert study.figures == ("path", "behaviour")
    assert "its table is missing" in words_of(bs.plot(study))
    with pytest.raises(DataError, match="not as it was written"):
        study.tables["interchange.squares"]
