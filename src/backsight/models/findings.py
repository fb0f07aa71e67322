"""What a contract found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The outcome of one contract: passed, failed, or a warning (passed, with something to know)."""

    name: str
    passed: bool
    detail: str
    warning: bool = False
