"""Which releases of transformers the seam was tested with.

A newer release is not refused: the contracts decide whether the seam holds. A message that reports a seam that does
not hold names the tested releases, because another release may be the reason.
"""

from __future__ import annotations

from importlib.metadata import version

OLDEST = "5.17.0"
NEWEST = "5.24.0"


def installed() -> str:
    """The release of transformers that is installed here."""
    return version("transformers")


def is_tested(release: str) -> bool:
    """Whether a release lies between the oldest and the newest tested one; a bug-fix release counts as its minor."""
    low, here, high = (_minor(text) for text in (OLDEST, release, NEWEST))
    return low <= here <= high


def stated() -> str:
    """The tested releases and the installed one, in one clause for a message."""
    here = installed()
    remark = "" if is_tested(here) else ", which is not among them"
    return f"tested with transformers {OLDEST} to {NEWEST}; installed is {here}{remark}"


def advice() -> str:
    """What to do about a seam that does not hold, where the installed release may be the reason."""
    return f"pip install 'transformers>={OLDEST},<={NEWEST}'"


def _minor(release: str) -> tuple[int, int]:
    major, minor = release.split(".")[:2]
    return int(major), int("".join(c for c in minor if c.isdigit()) or 0)
