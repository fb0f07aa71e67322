"""What `backsight selftest` found: every measurement on a model on which it must fire and one on which it must not.

The outcome of a release is data of the package, so that a report says of each measurement whether it was seen to work,
without running it again. It holds no date and no machine: the same versions give the same file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from backsight import __version__
from backsight.errors import DataError
from backsight.results.pages.content import Grid
from backsight.tables import replacing

SHIPPED = "selftest.json"
COLUMNS = ("Measurement", "Must fire", "Fired", "Must not fire", "Did", "Outcome")
ANCHOR = "controls"


@dataclass(frozen=True)
class Checked:
    """One control of a measurement, a row of the table.

    `measurement` is the name of its result, `about` what of it the control is about. `must_fire` and `must_not` are
    the known answers with their models; `fired` and `did` what was seen, and `fires` and `silent` whether that is so.
    """

    measurement: str
    about: str
    must_fire: str
    fired: str
    fires: bool
    must_not: str
    did: str
    silent: bool

    @property
    def passed(self) -> bool:
        """Whether it fired where it must and nowhere else."""
        return self.fires and self.silent


@dataclass(frozen=True)
class Outcome:
    """All controls of one run.

    `versions` are the releases of what can move a number, `without` the measurements that have no control. `power` is,
    by measurement, how often the positive control showed its outcome at its layer, with how many pairs (see
    `results.controls`).
    """

    versions: Mapping[str, str]
    samples: str
    checks: tuple[Checked, ...]
    without: tuple[str, ...] = ()
    power: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def failed(self) -> tuple[Checked, ...]:
        """The controls that did not pass."""
        return tuple(one for one in self.checks if not one.passed)

    def of(self, measurement: str) -> tuple[Checked, ...]:
        """The controls of one measurement."""
        return tuple(one for one in self.checks if one.measurement == measurement)

    def as_dict(self) -> dict[str, Any]:
        """The outcome as it stands in a file; `passed` of each control is for a reader's eye."""
        return {
            "versions": dict(self.versions),
            "samples": self.samples,
            "checks": [asdict(one) | {"passed": one.passed} for one in self.checks],
            "without": list(self.without),
            "power": {name: [dict(one) for one in entries] for name, entries in self.power.items()},
        }

    def write(self, path: Path) -> Path:
        """Write the outcome as JSON, whole or not at all; its path."""
        with replacing(path) as part:
            part.write_text(json.dumps(self.as_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Outcome:
        """An outcome that `write` wrote; DataError where the file is none."""
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
            checks = tuple(Checked(**{k: v for k, v in one.items() if k != "passed"}) for one in data["checks"])
            return cls(data["versions"], data["samples"], checks, tuple(data["without"]), data["power"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(
                "This is no outcome of a self-test", where=path, got=str(error), do="write it by `backsight selftest`"
            ) from error

    def grid(self) -> Grid:
        """The table: a line a control, then the measurements that have none."""
        lines = [
            (f"{one.measurement}: {one.about}", one.must_fire, one.fired, one.must_not, one.did,
             "passed" if one.passed else "failed")
            for one in self.checks
        ]  # fmt: skip
        lines += [(name, "–", "–", "–", "–", "no control") for name in self.without]
        return Grid("", COLUMNS, tuple(lines), words=len(COLUMNS))


@cache
def shipped() -> Outcome | None:
    """The outcome that the package carries; None where it carries none."""
    path = Path(str(resources.files("backsight") / "builtin" / SHIPPED))
    return Outcome.read(path) if path.is_file() else None


def sentence(measurement: str, outcome: Outcome | None) -> str:
    """Whether a measurement was seen to fire where it must and nowhere else, in this version of the package."""
    if outcome is None:
        return "Its control was not run for this version."
    checks = outcome.of(measurement)
    if not checks:
        return "This measurement has no control: no model is known on which it must fire, or must not."
    when = version(outcome)
    count = f"{len(checks)} control{'s' if len(checks) > 1 else ''}"
    failed = [one.about for one in checks if not one.passed]
    if failed:
        of = "its control" if len(checks) == 1 else f"{len(failed)} of {count}"
        return f"{when} it fails {of} ({'; '.join(failed)}): read it with that in mind."
    return f"{when} it fires where it must and stays silent where it must not: {count} passed."


def version(outcome: Outcome) -> str:
    """In which version the controls were run, as the start of a sentence."""
    measured = outcome.versions.get("backsight", "an unknown version")
    return "In this version" if measured == __version__ else f"In version {measured} (not in this one, {__version__})"


def summary(outcome: Outcome) -> str:
    """How many controls passed, and how many measurements have none."""
    count, failed, without = len(outcome.checks), len(outcome.failed), len(outcome.without)
    passed = f"all {count} controls passed" if not failed else f"{failed} of {count} controls failed"
    none = "" if not without else f"; {without} measurement{'s have' if without > 1 else ' has'} no control"
    return f"{version(outcome)} {passed}{none}."
