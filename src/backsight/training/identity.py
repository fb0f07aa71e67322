"""What tells two trainings apart: the values of a recipe as text that is the same in every process.

Functions and classes of the package are told by name, and `VERSION` stands for what they do; those of installed
packages by name. Those of other files are told by name and by the text of the file that they stand in, as it was when
it was read; what that file imports is not looked at. A function without a file, as one of a notebook, is told by its
code, and not by the variables of the notebook that it reads.
"""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache, partial
from pathlib import Path
from types import CellType, CodeType, ModuleType
from typing import Any

import numpy as np
import torch

# Raised when a step of a recipe of the package computes other numbers: its pictures, questions, answers, loss or
# weights at the start, or what the loop does with them. A checkpoint of another version is refused.
VERSION = 1
DIGEST = "__backsight_digest__"  # a module's variable: the SHA-256 of the text that was run


def described(value: Any) -> str:
    """A value as text: what a function was bound to and closes over with it, arrays by type, shape and SHA-256."""
    if isinstance(value, partial):
        parts = [described(value.func), *map(described, value.args)]
        return f"partial({', '.join([*parts, *_named(value.keywords)])})"
    if is_dataclass(value) and not isinstance(value, type) and not callable(value):
        of = {one.name: getattr(value, one.name) for one in fields(value)}
        return f"{type(value).__name__}{_text(type(value))}({', '.join(_named(of))})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{described(key)}: {described(one)}' for key, one in value.items())}}}"
    if isinstance(value, tuple | list):
        return f"({', '.join(map(described, value))})"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(described, value)))}}}"
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return _array("tensor", value.dtype, value.shape, value.contiguous().flatten().view(torch.uint8).numpy())
    if isinstance(value, np.ndarray):
        return described(value.tolist()) if value.dtype == object else _array("array", value.dtype, value.shape, value)
    if callable(value) and hasattr(value, "__qualname__"):
        return _function(value)
    if type(value).__repr__ is object.__repr__:  # type: ignore[comparison-overlap]
        return f"{described(type(value))}({', '.join(_named(getattr(value, '__dict__', {})))})"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value)) + _text(type(value))


def _named(values: Mapping[str, Any]) -> list[str]:
    return [f"{name}={described(value)}" for name, value in values.items()]


def _array(kind: str, dtype: object, shape: Any, content: np.ndarray[Any, Any]) -> str:
    return f"{kind}({dtype}, {tuple(shape)}, sha256 {_short(np.ascontiguousarray(content).tobytes())})"


def _function(value: Any) -> str:
    """A function, a bound method or a class: its name and its text, the object that it is of, what it closes over."""
    name = str(value.__qualname__) if _file(value) else f"{value.__module__}.{value.__qualname__}"
    owner = getattr(value, "__self__", None)
    of = "" if owner is None or isinstance(owner, ModuleType) else f" of {described(owner)}"
    # Two of one name, as lambdas and what a function returns, differ in what they hold.
    cells = [one for one in map(_content, getattr(value, "__closure__", None) or ()) if one is not value]
    local = hasattr(value, "__code__") and "<" in value.__qualname__
    if not local:
        return name + _text(value) + of
    held = [_short(_code(value.__code__)), *map(described, (value.__defaults__, value.__kwdefaults__, *cells))]
    return f"{name}{_text(value)}{of} holding ({', '.join(held)})"


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # of a variable that is not set yet
        return None


def _variables(value: Any) -> Mapping[str, Any]:
    """The variables of the module that a function or class stands in: its own, also where the file was read again."""
    if not hasattr(value, "__globals__") and isinstance(value, type):
        methods = (getattr(one, "fget", None) or one for one in vars(value).values())
        value = next((one for one in methods if getattr(one, "__module__", None) == value.__module__), value)
    name = str(getattr(value, "__module__", None) or "builtins")
    variables: Mapping[str, Any] = getattr(value, "__globals__", None) or getattr(sys.modules.get(name), "__dict__", {})
    return variables


def _file(value: Any) -> str:
    """The file of a user's own that a function or class stands in; empty for those of installed packages and none."""
    name = str(getattr(value, "__module__", None) or "builtins")
    path = str(_variables(value).get("__file__") or "")
    known = name.partition(".")[0] in {"backsight", "builtins", *sys.stdlib_module_names}
    return "" if known or {"site-packages", "dist-packages"} & set(Path(path).parts) else path


def _text(value: Any) -> str:
    """The digest of the text of a function or class of a user's own, or of its code where it stands in no file."""
    path, variables = _file(value), _variables(value)
    if path:
        return f" [{Path(path).name} sha256 {variables.get(DIGEST) or _digest(value.__module__, path)}]"
    without = hasattr(value, "__code__") and not variables.get("__file__")
    return f" [code {_short(_code(value.__code__))}, {described(value.__defaults__)}]" if without else ""


@cache
def _digest(module: str, path: str) -> str:
    """The digest of a module's file, as it is when it is first asked for: what is run does not change behind that."""
    try:
        return digest(Path(path).read_bytes())
    except OSError:  # of a module that is in memory only
        return "unread"


def digest(text: bytes) -> str:
    """Sixteen hexadecimal digits that tell a text from others."""
    return _short(text)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def _code(code: CodeType) -> bytes:
    """What a function does: its bytecode, names and constants, and those of functions inside it."""
    parts = [code.co_code, repr(code.co_names).encode()]
    parts += [_code(one) if isinstance(one, CodeType) else repr(one).encode() for one in code.co_consts]
    return b"|".join(parts)
