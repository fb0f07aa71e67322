"""Work that is done beside the page: figures are drawn by further processes while sections are written.

Processes are forked, which is safe as long as this one has a single thread and no torch; a started one would run a
user's script again. Anywhere else, and where a process cannot be had, the work is done here, to the same result.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import Any, Generic, TypeVar

T = TypeVar("T")
MOST = 4  # processes
_POOL: ContextVar[Executor | None] = ContextVar("_POOL", default=None)


class Later(Generic[T]):
    """A result that is on its way, or there; `function` can be called again where a process was lost."""

    def __init__(self, function: Callable[..., T], *args: Any) -> None:
        """Begin with `function` of `args` in a further process; where there is none, once the result is asked for."""
        self._make, self._args = function, args
        pool = _POOL.get()
        self._future: Future[T] | None = None
        if pool is not None:
            with suppress(RuntimeError):  # the pool is broken, as a process was lost: the work is done here
                self._future = pool.submit(function, *args)
        self._done: list[T] = []

    def result(self) -> T:
        """The result, waited for where it is not there; an error of `function` is raised as it is."""
        if not self._done:
            self._done.append(self._waited())
        return self._done[0]

    def _waited(self) -> T:
        if self._future is None:
            return self._make(*self._args)
        try:
            return self._future.result()
        except Exception:  # a process that was lost, work that cannot be sent to one, or an error, which comes again
            return self._make(*self._args)


@contextmanager
def workers() -> Iterator[None]:
    """Let what is made `Later` inside be made by further processes."""
    count = min(MOST, len(os.sched_getaffinity(0))) if _forks() else 1
    if count < 2:
        yield
        return
    from backsight.results.drawing import canvas  # noqa: F401  matplotlib is read before processes part

    pool = ProcessPoolExecutor(count, multiprocessing.get_context("fork"), gc.disable)
    token = _POOL.set(pool)
    try:
        yield
    finally:
        _POOL.reset(token)
        pool.shutdown(wait=True, cancel_futures=True)


def _forks() -> bool:
    """Whether a process can be forked off this one without harm."""
    return sys.platform == "linux" and "torch" not in sys.modules and threading.active_count() == 1
