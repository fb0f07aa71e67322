"""The comparison that most of these tests look at."""

from __future__ import annotations

from pathlib import Path

import pytest

from .by_hand import BASE, TUNED, answers, two


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return two(tmp_path, {"behaviour/squares": answers(BASE)}, {"behaviour/squares": answers(TUNED)})
