"""All recipes by name: the built-in models, and the experiments; and recipes of a user's own file."""

from __future__ import annotations

import importlib.util
import sys
import traceback
from pathlib import Path

from backsight.errors import UsageError
from backsight.training import identity
from backsight.training.recipe import Recipe


def recipes() -> dict[str, Recipe]:
    """Every recipe of the package, by its name."""
    from backsight.training import pin, positional, projector, scale
    from backsight.training import recipes as builtin
    from backsight.training.contrastive import language

    every: list[Recipe] = [
        *builtin.RECIPES.values(),
        *positional.RECIPES.values(),
        *projector.RECIPES.values(),
        *pin.RECIPES,
        *language.RECIPES,
        scale.SCALE,
    ]
    return {recipe.name: recipe for recipe in every}


def find(name: str) -> Recipe:
    """A recipe of the package, or of a file (`FILE.py`, `FILE.py:NAME`); UsageError where there is none."""
    known = recipes()
    if name in known:
        return known[name]
    path, _, wanted = name.partition(".py:")
    if name.endswith(".py") or wanted:
        return _of_file(Path(f"{path}.py") if wanted else Path(name), wanted)
    do = f"choose from: {', '.join(known)}; or give a Python file that holds one"
    raise UsageError("There is no such recipe", got=name, do=do)


def _of_file(path: Path, wanted: str) -> Recipe:
    """The recipe of a Python file: the one of that name, or the only one that it holds."""
    if not path.is_file():
        raise UsageError("There is no such file with a recipe", where=path, do="give a Python file, or a name (--list)")
    # Two files of one name are two modules.
    name = f"recipe_{path.stem}_{identity.digest(str(path.resolve()).encode())}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        text = path.read_bytes()
        setattr(module, identity.DIGEST, identity.digest(text))  # of what is run, whatever the file says later
        exec(compile(text, str(path), "exec"), vars(module))
    except Exception as error:
        lines = [
            f"line {one.lineno}: " for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)
        ]
        got = f"{lines[-1] if lines else ''}{type(error).__name__}: {error}"  # a syntax error names its line itself
        raise UsageError("The file with the recipe cannot be run", where=path, got=got, do="mend it") from error
    own = {
        key: value for key, value in vars(module).items() if isinstance(value, Recipe) and not key.startswith("_")
    }  # fmt: skip
    if wanted in own:
        return own[wanted]
    if len(own) == 1 and not wanted:
        return next(iter(own.values()))
    raise UsageError(
        "The file does not hold the recipe" if wanted else "The file does not hold one recipe",
        where=path, got=f"{wanted}; it holds: {', '.join(own) or 'none'}" if wanted else ", ".join(own) or "none",
        do="give FILE.py:NAME, with the name of a value that is a Recipe",
    )  # fmt: skip
