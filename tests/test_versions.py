"""Releases: what is stated, locked and tested agree; transformers 4 is refused in one clear line."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

import backsight
from backsight.models import releases

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
ASKED = {
    canonicalize_name(r.name): r
    for r in map(Requirement, PROJECT["dependencies"] + PROJECT["optional-dependencies"]["test"])
}
LOCKS = ("lock", "oldest")
# Every stage of a make recipe that installs is written here instead of being run.
RECORDER = """#!/bin/sh
echo "$@" >> "{log}"
test "$1" != -c || exit {has_torch}
"""
OLD = (
    "import importlib.metadata as m; real = m.version; "
    "m.version = lambda name: '4.57.1' if name == 'transformers' else real(name); "
    "from backsight.cli import main; import sys; sys.argv = ['backsight', 'doctor', 'builtin:plain']; main()"
)


def locked(name: str) -> dict[str, Version]:
    """Package and version of each line of a lock."""
    text = (ROOT / f"requirements/{name}.txt").read_text()
    return {package: Version(version) for package, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, re.MULTILINE)}


def variable(name: str) -> str:
    """The value that the Makefile gives a variable."""
    line = re.search(rf"^{name} \??:?= (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert line is not None, name
    return line[1]


def workflow(name: str) -> dict[str, Any]:
    """One workflow, as read from its file."""
    return dict(yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text()))


def test_transformers_4_is_refused() -> None:
    done = subprocess.run([sys.executable, "-c", OLD], capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "transformers 4 is not supported" in done.stderr and "transformers 4.57.1" in done.stderr
    assert "pip install" in done.stderr and "Traceback" not in done.stderr


def test_the_packages_bounds_are_the_oldest_and_the_newest_tested_release() -> None:
    oldest, newest = Version(releases.OLDEST), Version(releases.NEWEST)
    bounds = ASKED["transformers"].specifier
    assert oldest in bounds and newest in bounds
    assert f"{oldest.major}.{oldest.minor - 1}.99" not in bounds
    assert f"{newest.major}.{newest.minor}.99" in bounds and f"{newest.major}.{newest.minor + 1}.0" not in bounds


def test_each_lock_holds_the_release_that_its_tests_speak_for() -> None:
    assert locked("lock")["transformers"] == Version(releases.NEWEST)
    assert locked("oldest")["transformers"] == Version(releases.OLDEST)
    assert variable("OLDEST_TRANSFORMERS") == f"transformers=={releases.OLDEST}"


def test_torch_is_tested_at_its_lower_bound_and_above() -> None:
    oldest, usual = (Version(variable(name).removeprefix("torch==")) for name in ("OLDEST_TORCH", "TORCH"))
    (lower,) = ASKED["torch"].specifier
    assert lower.operator == ">=" and Version(lower.version) == Version(f"{oldest.major}.{oldest.minor}")
    assert usual > oldest


def test_the_readme_names_the_tested_releases() -> None:
    (row,) = [s for s in (ROOT / "README.md").read_text().splitlines() if s.startswith("| transformers, torch |")]
    stated = {releases.OLDEST, releases.NEWEST, *(variable(n).split("==")[1] for n in ("TORCH", "OLDEST_TORCH"))}
    assert {release for release in stated if release not in row} == set()


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_each_package_by_version_and_hash(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > 60
    pinned = re.compile(r"[\w.-]+==[\w.]+( ; [^-]+)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line[:60] for line in lines if not pinned.fullmatch(line.strip())] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_address_no_torch_and_no_gpu_library(name: str) -> None:
    text = (ROOT / f"requirements/{name}.txt").read_text()
    assert "://" not in text and "/" not in text and "--index" not in text and "--find-links" not in text
    assert [p for p in locked(name) if p in {"torch", "triton"} or p.startswith(("nvidia", "cuda"))] == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_satisfies_all_that_the_project_asks_for(name: str) -> None:
    held = locked(name)
    assert [p for p in ASKED if p != "torch" and p not in held] == []
    assert [p for p, asked in ASKED.items() if p in held and held[p] not in asked.specifier] == []


def test_the_newest_releases_are_asked_for_without_upper_bounds() -> None:
    lines = runpy.run_path(str(ROOT / "requirements/unbounded.py"))["unbounded"](ROOT / "pyproject.toml")
    wanted = {Requirement(line).name: str(Requirement(line).specifier) for line in lines}
    assert wanted["transformers"] == f">={Version(releases.OLDEST).major}.{Version(releases.OLDEST).minor}"
    assert wanted["torch"] == ">=2.11" and wanted["pandas-stubs"] == ""
    assert len(wanted) == len(ASKED) and not any("<" in bounds for bounds in wanted.values())


def test_python_versions_are_the_same_wherever_they_stand() -> None:
    named = [
        c.split(" :: ")[-1] for c in PROJECT["classifiers"] if c.startswith("Programming Language :: Python :: 3.")
    ]
    assert named == workflow("test")["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_workflows_call_targets_that_exist() -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = {
        name: [step["run"] for job in workflow(name)["jobs"].values() for step in job["steps"] if "run" in step]
        for name in ("test", "oldest", "newest")
    }
    assert called["oldest"] == ["make test-oldest"] and called["newest"] == ["make test-newest"]
    assert {command.removeprefix("make ") for commands in called.values() for command in commands} <= targets


def test_tests_run_when_something_changes_and_the_newest_each_week() -> None:
    # YAML 1.1 reads the key `on` as true.
    triggers: dict[str, Any] = {name: dict(workflow(name))[True] for name in ("test", "oldest", "newest")}  # type: ignore[index]
    assert {"push", "pull_request"} <= set(triggers["test"]) & set(triggers["oldest"])
    assert [entry["cron"].split()[2:4] for entry in triggers["newest"]["schedule"]] == [["*", "*"]]
    assert triggers["newest"]["schedule"][0]["cron"].split()[4] in "0123456"


def test_the_citation_is_of_this_version() -> None:
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["version"] == backsight.__version__
    assert cited["license"] == PROJECT["license"] and cited["keywords"] == PROJECT["keywords"]
    assert {"cff-version", "message", "title", "authors"} <= set(cited)


@pytest.mark.parametrize(("has_torch", "ours", "installs"), [(0, False, False), (0, True, True), (1, False, True)])
def test_setup_leaves_a_torch_that_was_there_before(tmp_path: Path, has_torch: int, ours: bool, installs: bool) -> None:
    log, python = tmp_path / "log", tmp_path / "venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text(RECORDER.format(log=log, has_torch=has_torch))
    python.chmod(0o755)
    if ours:
        (tmp_path / "venv/.torch").touch()
    make = ["make", "--no-print-directory", "setup", f"VENV={tmp_path / 'venv'}"]
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    calls = log.read_text().splitlines()
    assert any(call.endswith("--require-hashes --no-deps -r requirements/lock.txt") for call in calls)
    assert any(call.endswith(variable("TORCH")) for call in calls) == installs
    assert calls[-1].endswith("--no-build-isolation --no-deps -e .")
    subprocess.run(make, cwd=ROOT, check=True, capture_output=True)
    assert log.read_text().splitlines() == calls
