"""The notebooks in examples/: they run from the first cell to the last, and are stored without outputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from backsight.tables import Table

nbformat = pytest.importorskip("nbformat", reason="nbformat is in the test extra")
nbclient = pytest.importorskip("nbclient", reason="nbclient is in the test extra")
pytest.importorskip("ipykernel", reason="ipykernel is in the test extra")

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
LONGEST = 20  # lines of a cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    assert notebook.metadata.kernelspec.name == "python3"
    assert notebook.cells[0].cell_type == "markdown" and notebook.cells[0].source.startswith("# ")
    for cell in notebook.cells:
        assert cell.source.strip() and max(map(len, cell.source.splitlines())) <= 120
        if cell.cell_type == "code":
            assert cell.outputs == [] and cell.execution_count is None
            assert len(cell.source.splitlines()) <= LONGEST
    assert path.read_text(encoding="utf-8") == nbformat.writes(notebook, indent=1) + "\n"


def test_there_are_three() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["1_first_look", "2_explain_a_picture", "3_your_own_measurement"]


def run(path: Path, folder: Path) -> Any:
    """The notebook after a run in a folder, which is its temporary place too, by the interpreter of the tests."""
    from jupyter_client.kernelspec import KernelSpec
    from jupyter_client.manager import AsyncKernelManager

    command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]

    class Manager(AsyncKernelManager):
        """Starts the interpreter of the tests, whatever kernels are installed."""

        @property
        def kernel_spec(self) -> KernelSpec:
            return KernelSpec(argv=command, display_name="Python 3", language="python")

    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    client = nbclient.NotebookClient(notebook, timeout=300, resources=where, km=Manager())
    env = {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path), "TMPDIR": str(folder)}
    return client.execute(env={**os.environ, **env})


def shown(notebook: Any) -> list[set[str]]:
    """The kinds of output of each code cell."""
    return [
        {kind for output in cell.outputs for kind in output.get("data", {})}
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def html(notebook: Any) -> str:
    outputs = (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    return "\n".join("".join(output.get("data", {}).get("text/html", "")) for output in outputs)


@pytest.mark.slow
def test_a_first_look(tmp_path: Path) -> None:
    ran = run(NOTEBOOKS[0], tmp_path)
    said = html(ran)
    assert "position comes from the language model&#x27;s position encoding" in said
    assert "A study of <strong>builtin:relay</strong>" in said and "<svg" in said
    assert sum("image/svg+xml" in kinds for kinds in shown(ran)) == 2  # two figures that are the last line of a cell
    assert (tmp_path / "path.svg").exists() and not (tmp_path / "runs").exists()
    assert len(list(tmp_path.glob("*/runs/first-look/study.json"))) == 1


@pytest.mark.slow
def test_a_picture_explained(tmp_path: Path) -> None:
    ran = run(NOTEBOOKS[1], tmp_path)
    assert html(ran).count("<img") >= 3
    assert "image/svg+xml" in shown(ran)[-1]


@pytest.mark.slow
def test_a_measurement_of_ones_own(tmp_path: Path) -> None:
    run(NOTEBOOKS[2], tmp_path)  # its control is asserted in it
    table = Table.read(tmp_path / "runs" / "dependence" / "tables" / "dependence_summary.parquet")
    assert {row["direction"] for row in table.rows()} == {"left", "right", "above", "below"}
