"""Steps that end in the same weights each time, on however many threads.

Of the operations that recipes take on a CPU, one is not repeatable by itself: where an index names an element more than
twice, the threads of its gradient add to it in the order in which they get there.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def repeatable(device: torch.device) -> Iterator[None]:
    """Sums are taken in one order inside, on a CPU; what was set before is set again behind. Nothing on a GPU, where
    that takes a setting of the process (`CUBLAS_WORKSPACE_CONFIG`) and operations that have no such form."""
    if device.type != "cpu":
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)  # of a user's recipe, too: it is warned, not stopped
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
