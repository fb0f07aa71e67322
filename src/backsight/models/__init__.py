"""The seam: the only package that imports transformers, and refuses a release that it cannot work with."""

from importlib.metadata import version

from backsight.errors import ModelError

if int(version("transformers").split(".")[0]) < 5:
    raise ModelError(
        "transformers 4 is not supported", got=f"transformers {version('transformers')}",
        do="pip install 'transformers>=5.17'",
    )  # fmt: skip
