"""Which changes to a formula does no test notice? Mutants of `maths/` by mutmut, each run against its file's own tests.

`make mutants`, or `python benchmarks/mutants.py [FILE ...]`. Works on a copy of the last commit, in a folder of its
own. Every mutant is a process forked from one that has the libraries loaded, so that it costs its tests alone. Prints
the changes that survive; what is left of them should be text, types and bounds that no value reaches.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

MATHS = "src/backsight/maths"
TESTS: dict[str, Sequence[str]] = {
    "saliency.py": ("tests/test_saliency.py",),
    "compass.py": ("tests/test_compass.py",),
    "intervals.py": ("tests/test_intervals.py",),
    "comparison.py": ("tests/compare/test_maths.py",),
    "edits.py": ("tests/test_amplification.py", "-k", "edit or direction or hand"),
    "probes.py": ("tests/test_probes.py", "-k", "fit or class or shuffled or ties or columns"),
}
TYPES = (" Literal[", " = NDArray[", "@dataclass")
LIMIT = 120  # seconds for one mutant, after which it counts as noticed


def main() -> int:
    """Print each survivor as a diff, and a line a file; the exit code is 0 whatever survives."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="*", default=list(TESTS), help=f"of {MATHS}: {', '.join(TESTS)}")
    parser.add_argument("--minutes", type=float, default=60.0, help="stop after so many")
    asked = parser.parse_args()
    end = time.monotonic() + 60 * asked.minutes
    root = Path(__file__).parents[1]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["git", "clone", "--quiet", str(root), folder], check=True)
        os.chdir(folder)
        sys.path[:0] = [f"{folder}/src", folder]
        os.environ["PYTHONPATH"] = f"{folder}/src"
        _load_libraries()
        for file in asked.files:
            _examine(file, end)
    return 0


def _load_libraries() -> None:
    """Import what the tests import, and forget what is the project's own, so that each process reads it again."""
    from importlib import import_module

    for name in ("conftest", *{arguments[0] for arguments in TESTS.values()}):
        import_module(f"tests.{name.removeprefix('tests/').removesuffix('.py').replace('/', '.')}")
    for name in [name for name in sys.modules if name.split(".")[0] in ("backsight", "tests")]:
        del sys.modules[name]


def _examine(file: str, end: float) -> None:
    from mutmut import Context, list_mutations, mutate

    path = Path(MATHS, file)
    source = path.read_text()
    if not _passes(TESTS[file]):
        sys.exit(f"{file}: its tests fail before anything is changed")
    counts = {"noticed": 0, "survived": 0, "left out": 0}
    # Names of types and what a dataclass generates are no formula.
    for mutation in list_mutations(Context(source=source, filename=str(path))):
        if time.monotonic() > end:
            counts["left out"] += 1
            continue
        if any(text in source.splitlines()[mutation.line_number] for text in TYPES):
            continue
        changed, _ = mutate(Context(source=source, filename=str(path), mutation_id=mutation))
        path.write_text(changed)
        survived = _passes(TESTS[file])
        path.write_text(source)
        counts["survived" if survived else "noticed"] += 1
        if survived:
            _show(file, source, changed)
    print(f"{file}: " + ", ".join(f"{number} {kind}" for kind, number in counts.items()), flush=True)


def _show(file: str, source: str, changed: str) -> None:
    for number, (old, new) in enumerate(zip(source.splitlines(), changed.splitlines(), strict=False), start=1):
        if old != new:
            print(f"{file}:{number}\n  - {old.strip()}\n  + {new.strip()}", flush=True)
            return


def _passes(arguments: Sequence[str]) -> bool:
    """Whether the tests pass, in a process of their own that begins with the libraries loaded."""
    child = os.fork()
    if child == 0:
        import pytest
        from hypothesis import settings

        settings.register_profile("mutants", deadline=None)  # a busy machine is no mutant
        settings.load_profile("mutants")
        os.setsid()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1), os.dup2(null, 2)
        sys.dont_write_bytecode = True
        os._exit(int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", *arguments])))
    for _ in range(10 * LIMIT):
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status) == 0
        time.sleep(0.1)
    os.killpg(child, 9)
    os.waitpid(child, 0)
    return False


if __name__ == "__main__":
    sys.exit(main())
