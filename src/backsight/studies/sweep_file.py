"""A sweep as its file says it: recipes x seeds, how they are trained, and what is asked of each.

The file is TOML; a field that is not known, or of another type, is refused by name.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from backsight.errors import UsageError

LARGEST_SEED = 2**32 - 1
Kind = tuple[str, Callable[[Any], bool]]  # what a value must be, in words, and whether it is
Part = TypeVar("Part")


@dataclass(frozen=True)
class Training:
    """How every run is trained, as the options of `backsight train` say it.

    `threads` are those of one run, one unless said otherwise: so a run has the same weights whatever `workers` is.
    """

    size: str = "tiny"
    steps: int | None = None
    device: str = "cpu"
    precision: str = "no"
    threads: int = 1


@dataclass(frozen=True)
class Asked:
    """What is asked of every run, as the options of `backsight study` say it."""

    only: tuple[str, ...] = ()
    limit: int | None = None
    quick: bool = False
    samples: int | None = None
    budget: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Sweep:
    """Recipes x seeds. `baseline` is the recipe that the others are compared with, `workers` how many runs go on side
    by side; without `keep_weights` a run that is studied keeps its study and its log only.
    """

    recipes: tuple[str, ...]
    seeds: tuple[int, ...]
    baseline: str | None = None
    workers: int = 1
    keep_weights: bool = True
    train: Training = field(default_factory=Training)
    study: Asked = field(default_factory=Asked)

    def as_dict(self) -> dict[str, Any]:
        """The sweep as `of` takes it: what is None left out."""
        return _filled(asdict(self))


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: _filled(value) if isinstance(value, dict) else list(value) if isinstance(value, tuple) else value
        for name, value in values.items()
        if value is not None
    }


def _whole(smallest: int, largest: int | None = None) -> Kind:
    def fits(value: Any) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and smallest <= value and (largest is None or value <= largest)

    return f"a whole number of {smallest} or more", fits


def _list_of(words: str, one: Callable[[Any], bool], *, some: bool = True) -> Kind:
    return words, lambda value: isinstance(value, list) and (bool(value) or not some) and all(map(one, value))


TEXT: Kind = ("text", lambda value: isinstance(value, str) and bool(value))
FLAG: Kind = ("true or false", lambda value: isinstance(value, bool))
NAMES = _list_of("a list of names", TEXT[1])
SEED = _whole(0, LARGEST_SEED)
FIELDS: Mapping[str, Mapping[str, Kind]] = {
    "": {
        "recipes": NAMES, "seeds": _list_of(f"a list of whole numbers from 0 to {LARGEST_SEED}", SEED[1]),
        "baseline": TEXT, "workers": _whole(1, 64), "keep_weights": FLAG,
        "train": ("a table, as [train]", lambda value: isinstance(value, dict)),
        "study": ("a table, as [study]", lambda value: isinstance(value, dict)),
    },
    "train": {"size": TEXT, "steps": _whole(1), "device": TEXT, "precision": TEXT, "threads": _whole(1, 1024)},
    "study": {
        "only": _list_of("a list of measurements and sets", TEXT[1], some=False), "limit": _whole(1), "quick": FLAG,
        "samples": _whole(1), "budget": _whole(1), "seed": SEED,
    },
}  # fmt: skip


def read(path: Path) -> Sweep:
    """The sweep of a TOML file. UsageError where it is not there, is no TOML, or says what cannot be used.

    A recipe's own file (`FILE.py`, `FILE.py:NAME`) is looked for beside the TOML.
    """
    do = "give a TOML file with recipes and seeds: docs/training.md has one"
    if not path.is_file():
        raise UsageError("There is no such sweep file", where=path, do=do)
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("The sweep file is no TOML", where=path, got=error, do=do) from error
    recipes = values.get("recipes")
    if isinstance(recipes, list):
        values["recipes"] = [_beside(one, path.resolve().parent) if isinstance(one, str) else one for one in recipes]
    return of(values, path)


def of(values: Mapping[str, Any], where: object = None) -> Sweep:
    """The sweep of plain values, as TOML or JSON gives them; UsageError names the first that cannot be used."""
    _check(values, "", where)
    for name in ("recipes", "seeds"):
        if name not in values:
            raise UsageError("The sweep file lacks a field", where=where, got=f"no {name}", do=f"give {name} = [...]")
        twice = [one for one in dict.fromkeys(values[name]) if values[name].count(one) > 1]
        if twice:
            raise UsageError("A field of the sweep file has a value twice", where=where, got=f"{name}: {twice[0]}",
                             do="give each once")  # fmt: skip
    parts = {"train": _part(Training, values, where), "study": _part(Asked, values, where, "study")}
    own = {name: tuple(one) if isinstance(one, list) else one for name, one in values.items() if name not in parts}
    return Sweep(**own, train=parts["train"], study=parts["study"])  # type: ignore[arg-type]


def _part(kind: type[Part], values: Mapping[str, Any], where: object, name: str = "train") -> Part:
    given = values.get(name, {})
    _check(given, name, where)
    return kind(**{key: tuple(one) if isinstance(one, list) else one for key, one in given.items()})


def _check(values: Mapping[str, Any], part: str, where: object) -> None:
    known, place = FIELDS[part], f"[{part}] of " if part else ""
    for name, value in values.items():
        if name not in known:
            do = f"{place}the file may hold: {', '.join(known)}"
            raise UsageError("The sweep file has an unknown field", where=where, got=f"{place and part + '.'}{name}",
                             do=do)  # fmt: skip
        words, fits = known[name]
        if not fits(value):
            raise UsageError("A field of the sweep file cannot be used", where=where,
                             got=f"{place and part + '.'}{name} = {value!r}", do=f"give {words}")  # fmt: skip


def _beside(recipe: str, folder: Path) -> str:
    """A recipe's name as it is; the file of one's own with its path made whole."""
    path, mark, name = recipe.partition(".py")
    return f"{folder / path}{mark}{name}" if mark and (not name or name.startswith(":")) else recipe
