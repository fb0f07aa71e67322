"""Prints what pyproject.toml asks for, without upper bounds: `make test-newest` installs it."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def unbounded(project: Path) -> list[str]:
    """The requirements of the package and of its tests, each with its lower bound only."""
    asked = tomllib.loads(project.read_text())["project"]
    return [re.sub(r",?<=?[\w.]+", "", line) for line in asked["dependencies"] + asked["optional-dependencies"]["test"]]


if __name__ == "__main__":
    sys.stdout.write("\n".join(unbounded(PROJECT)) + "\n")
