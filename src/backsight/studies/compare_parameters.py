"""Whether two jobs measured the same: parameters of a measurement, read from its repr and compared by their meaning.

How many samples a batch holds, and how many samples a study takes of a set, decide nothing that a sample's number
depends on: two GPUs of different memory measure the same.
"""

from __future__ import annotations

import ast

LIMITS = frozenset({"batch", "most", "max_samples", "looks"})


def parameters(measurement: str) -> dict[str, str]:
    """Parameters by name, each as Python writes it, without batch and sample limits; the measurement's own name is "".

    What is no call with named parameters is one parameter by itself.
    """
    try:
        call = ast.parse(measurement.strip(), mode="eval").body
    except (SyntaxError, ValueError):
        return {"": measurement}
    if not isinstance(call, ast.Call) or call.args or any(word.arg is None for word in call.keywords):
        return {"": measurement}
    named = {str(word.arg): ast.unparse(word.value) for word in call.keywords}
    return {"": ast.unparse(call.func)} | {name: value for name, value in named.items() if name not in LIMITS}


def differing(one: str, other: str) -> list[str]:
    """What two measurements differ in, as "depth 4, 2"; empty where they measure the same."""
    before, now = parameters(one), parameters(other)
    unlike = [name for name in dict.fromkeys((*before, *now)) if before.get(name) != now.get(name)]
    return [f"{name} {before.get(name, 'none')}, {now.get(name, 'none')}".strip() for name in unlike]
