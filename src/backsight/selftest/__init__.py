"""The self-test: every measurement on a model on which it must fire, and on one on which it must not.

`run` gives the outcome of all controls, `register` adds one from outside the package.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from backsight import __version__
from backsight.errors import UsageError
from backsight.models.opening import locate
from backsight.results import RESULTS
from backsight.results.selftest import Checked, Outcome
from backsight.selftest import (
    attention,
    axes,
    evidence,
    gap,
    localized,
    norms,
    order,
    priors,
    repairs,
    rotary,
    settings,
    tournament,
)
from backsight.selftest.base import SIZES, Bench, Control, Seen, Size

LIBRARIES = ("torch", "transformers")
BESIDE = ("compare", "sweep")  # results whose rows are no measurement's
CONTROLS: list[Control] = [
    *evidence.CONTROLS[:1], *axes.CONTROLS, *gap.CONTROLS, *order.CONTROLS, *norms.CONTROLS, *localized.CONTROLS,
    *attention.CONTROLS,
    *rotary.CONTROLS, *priors.CONTROLS, *evidence.CONTROLS[1:], *settings.CONTROLS, *repairs.CONTROLS,
    *tournament.CONTROLS,
]  # fmt: skip


def register(control: Control) -> Control:
    """Add the control of a measurement of one's own, and give it back."""
    CONTROLS.append(control)
    return control


def measurements() -> tuple[str, ...]:
    """The names of all registered measurements and of those that have a control, in the order of the report."""
    registered = [name for name in RESULTS if name not in BESIDE]
    return tuple(dict.fromkeys([*registered, *(control.measurement for control in CONTROLS)]))


def run(
    only: Sequence[str] = (), *, size: Size = "small", folders: Mapping[str, Path] | None = None,
    progress: Callable[[Control], None] | None = None,
) -> Outcome:  # fmt: skip
    """The outcome of the controls of some measurements, or of all.

    `folders` are checkpoints to take in place of built-in models, by name. UsageError for a measurement that is not
    registered, a size or a model that is not there; that is said before anything is run.
    """
    known = measurements()
    if unknown := [name for name in only if name not in known]:
        raise UsageError("There is no such measurement", got=", ".join(unknown), do=f"choose from: {', '.join(known)}")
    if size not in SIZES:
        raise UsageError("There is no such number of samples", got=size, do=f"choose from: {', '.join(SIZES)}")
    folders = dict(folders or {})
    chosen = [one for one in CONTROLS if size in one.sizes and (not only or one.measurement in only)]
    _all_there(chosen, folders)
    bench, checks, power = Bench(size, folders), [], dict[str, list[Mapping[str, object]]]()
    try:
        for control in chosen:
            if progress is not None:
                progress(control)
            seen = control.judge(bench)
            checks.append(_checked(control, seen))
            for entry in seen.power:
                power.setdefault(control.measurement, []).append(entry)
    finally:
        bench.close()
    without = tuple(name for name in known if (not only or name in only) and not _has_control(name))
    return Outcome(versions(), size, tuple(checks), without, power)


def versions() -> dict[str, str]:
    """The releases of the package and of the libraries that it measures with."""
    return {"backsight": __version__} | {name: importlib.metadata.version(name) for name in LIBRARIES}


def _has_control(measurement: str) -> bool:
    return any(control.measurement == measurement for control in CONTROLS)


def _all_there(controls: Sequence[Control], folders: Mapping[str, Path]) -> None:
    """UsageError that names every model that a control needs and that is neither built in nor given."""
    needed = {name: control for control in reversed(controls) for name in control.models}
    missing = [name for name in needed if name not in folders and not _built_in(name)]
    if missing:
        raise UsageError(
            "The self-test needs a model that is not there", where=f"control of {needed[missing[0]].measurement}",
            got=", ".join(f"no builtin:{name}" for name in missing),
            do=f"train it (`backsight train {missing[0]} --out DIR`) and give --model {missing[0]}=DIR, or "
            "choose other measurements with --measurement",
        )  # fmt: skip
    if strange := [name for name in folders if name not in needed]:
        raise UsageError(
            "No control asks for this model", got=", ".join(strange), do=f"choose from: {', '.join(sorted(needed))}"
        )


def _built_in(name: str) -> bool:
    try:
        return locate(f"builtin:{name}") is not None
    except UsageError:
        return False


def _checked(control: Control, seen: Seen) -> Checked:
    return Checked(
        control.measurement, control.about, control.must_fire, seen.fired, bool(seen.fires), control.must_not, seen.did,
        bool(seen.silent),
    )  # fmt: skip


__all__ = ["CONTROLS", "Bench", "Control", "Seen", "measurements", "register", "run", "versions"]
