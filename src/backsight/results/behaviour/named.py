"""What a suite is called where it was put on several grounds."""

from __future__ import annotations

from collections.abc import Iterable

Key = tuple[str, str | None]  # suite and ground


def with_ground(title: str, one: Key, keys: Iterable[Key]) -> str:
    """A suite's title, with its ground where several of all `keys` are of that suite."""
    several = sum(name == one[0] for name, _ in set(keys)) > 1
    return f"{title}, {one[1]} ground" if several and one[1] else title
