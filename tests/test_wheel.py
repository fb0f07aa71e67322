"""The package as a user gets it: built, installed in a clean environment, used from another folder."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

import pytest

import backsight

pytest.importorskip("build")
pytest.importorskip("hatchling")
pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DATA = (
    "py.typed",
    "builtin/plain/model.safetensors",
    "builtin/gemma/model.safetensors",
    "builtin/vision/tokenizer.json",
    "report/templates/report.html.j2",
    "report/templates/report.css",
    "stimuli/assets/apple.png",
    "published/figures.json",
)


class Built(NamedTuple):
    """The two files that are published."""

    wheel: Path
    sdist: Path


class Clean(NamedTuple):
    """An environment in which the wheel is installed, and a folder far from the checkout."""

    bin: Path
    folder: Path

    def run(self, *command: object) -> subprocess.CompletedProcess[str]:
        """A program of the environment, run in the folder."""
        program, *arguments = map(str, command)
        return run([str(self.bin / program), *arguments], self.folder)


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    """A command with nothing of this process' import path."""
    surroundings = {key: value for key, value in os.environ.items() if key not in {"PYTHONPATH", "PYTHONHOME"}}
    done = subprocess.run(command, cwd=folder, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done


def libraries() -> list[str]:
    """The folders that hold this process' installed packages, in the order of import, without the checkout."""
    folders = dict.fromkeys(Path(entry).resolve() for entry in sys.path if entry)
    return [str(path) for path in folders if any(path.glob("*.dist-info"))]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """An sdist, and a wheel that is built from it."""
    out = tmp_path_factory.mktemp("dist")
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)], out)
    (wheel,), (sdist,) = out.glob("*.whl"), out.glob("*.tar.gz")
    return Built(wheel, sdist)


@pytest.fixture(scope="module")
def clean(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Clean:
    """The wheel alone is installed; what it depends on is lent by this environment, afterwards."""
    place = tmp_path_factory.mktemp("clean")
    run([sys.executable, "-m", "venv", str(place / "venv")], place)
    python = place / "venv/bin/python"
    run([str(python), "-m", "pip", "install", "--no-index", "--no-deps", str(built.wheel)], place)
    (packages,) = (place / "venv").glob("lib/python*/site-packages")
    (packages / "lent.pth").write_text("\n".join(libraries()) + "\n")
    folder = place / "elsewhere"
    folder.mkdir()
    return Clean(python.parent, folder)


def test_the_wheel_holds_the_whole_package(built: Built) -> None:
    source = ROOT / "src"
    files = {str(p.relative_to(source)) for p in source.rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    with zipfile.ZipFile(built.wheel) as wheel:
        packed = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert packed == files
    assert {f"backsight/{name}" for name in DATA} <= packed


def test_the_sdist_holds_the_tests_and_what_they_read(built: Built) -> None:
    with tarfile.open(built.sdist) as sdist:
        packed = {name.split("/", 1)[1] for name in sdist.getnames()}
    tests = {str(p.relative_to(ROOT)) for p in (ROOT / "tests").rglob("*") if p.suffix != ".pyc" and p.is_file()}
    assert tests - packed == set()
    others = ("docs/method.md", "benchmarks/replay.py", "Makefile", "requirements/lock.txt", "requirements/oldest.txt")
    workflows = (".github/workflows/test.yml", ".ci/run")
    assert {*others, *workflows, "README.md", "CONTRIBUTING.md", "CITATION.cff", "LICENSE"} <= packed


def test_an_unpacked_sdist_passes_the_tests_that_read_the_project(built: Built, clean: Clean, tmp_path: Path) -> None:
    with tarfile.open(built.sdist) as sdist:
        sdist.extractall(tmp_path, filter="data")
    (root,) = tmp_path.iterdir()
    python = [str(clean.bin / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not slow"]
    done = run([*python, "tests/test_docs.py", "tests/test_versions.py"], root)
    assert " passed" in done.stdout and "skipped" not in done.stdout


def test_what_is_imported_is_the_installed_package(clean: Clean) -> None:
    asked = "import backsight, importlib.metadata as m; print(backsight.__file__, m.version('backsight'))"
    path, version = clean.run("python", "-c", asked).stdout.split()
    assert Path(path).is_relative_to(clean.bin.parent) and version == backsight.__version__


def test_the_licence_and_what_is_asked_for_stand_in_the_metadata(clean: Clean) -> None:
    folder = next(clean.bin.parent.glob("lib/python*/site-packages/backsight-*.dist-info"))
    stated = importlib.metadata.PathDistribution(folder).metadata
    assert stated["License-Expression"] == "Apache-2.0" and stated["License-File"] == "LICENSE"
    assert any(line.startswith("transformers<") for line in stated.get_all("Requires-Dist") or ())


def test_the_command_says_what_it_can_do(clean: Clean) -> None:
    written = clean.run("backsight", "--help").stdout
    assert {"study", "doctor", "explain", "compare"} <= set(written.split())


def test_a_study_runs_from_another_folder(clean: Clean) -> None:
    asked = ("--quick", "--only", "behaviour/squares", "--limit", 12, "--out", "study")
    clean.run("backsight", "study", "builtin:plain", *asked)
    report = (clean.folder / "study/report.html").read_text(encoding="utf-8")
    assert "builtin:plain" in report and "</html>" in report
    assert (clean.folder / "study/study.json").is_file()
