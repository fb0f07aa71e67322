"""Studies: many measurements of one model, in a folder that can be gone on with.

Names are loaded when they are used: comparing finished studies needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from backsight.studies.defaults import default_sets
    from backsight.studies.executors import Executor, Serial
    from backsight.studies.jobs import Job, Skipped, plan
    from backsight.studies.store import Store
    from backsight.studies.study import Options, Study

_WHERE = {
    "default_sets": "defaults",
    "Executor": "executors",
    "Serial": "executors",
    "Job": "jobs",
    "Skipped": "jobs",
    "plan": "jobs",
    "Store": "store",
    "Options": "study",
    "Study": "study",
}

__all__ = ["Executor", "Job", "Options", "Serial", "Skipped", "Store", "Study", "default_sets", "plan"]


def __getattr__(name: str) -> Any:
    if name in _WHERE:
        return getattr(import_module(f"backsight.studies.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'backsight.studies' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
