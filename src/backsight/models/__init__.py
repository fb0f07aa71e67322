"""The seam: the only package that imports transformers, and refuses a release that it cannot work with."""

from backsight.errors import ModelError
from backsight.models import releases

if int(releases.installed().split(".")[0]) < 5:
    raise ModelError(
        "transformers 4 is not supported", got=f"transformers {releases.installed()}",
        do=releases.advice(),
    )  # fmt: skip
