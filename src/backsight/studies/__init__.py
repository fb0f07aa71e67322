"""Studies: many measurements of one model, in a folder that can be gone on with."""

from backsight.studies.defaults import default_sets
from backsight.studies.jobs import Job, Skipped, plan
from backsight.studies.store import Store
from backsight.studies.study import Options, Study

__all__ = ["Job", "Options", "Skipped", "Store", "Study", "default_sets", "plan"]
