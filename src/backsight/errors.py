"""The exceptions that a user may want to catch.

Each says what went wrong, where, what was got and what to do. The command line prints the text and leaves
with the class's `exit_code`: 2 where the command was wrong, 1 where the work failed.
"""

from __future__ import annotations


class BacksightError(Exception):
    """Root of all errors that the package raises on purpose."""

    exit_code = 1

    def __init__(self, what: str, *, where: object = None, got: object = None, do: str | None = None) -> None:
        self.what, self.where, self.got, self.do = what, where, got, do
        lines = [what]
        if where is not None:
            lines.append(f"  where: {where}")
        if got is not None:
            lines.append(f"  got:   {got}")
        if do is not None:
            lines.append(f"  do:    {do}")
        super().__init__("\n".join(lines))


class UsageError(BacksightError):
    """An argument that cannot be used: an unknown name, an unknown folder, a number out of range."""

    exit_code = 2


class ModelError(BacksightError):
    """A checkpoint that cannot be opened: unsupported, incomplete, or with weights that do not fit."""


class ContractError(ModelError):
    """The seam does not hold for a model: what it would read or write is not what the model computes."""


class EditError(BacksightError):
    """An edit that did not apply, or whose function changed shape, dtype or device."""


class GridError(BacksightError):
    """A question to a token grid that it cannot answer, such as the rows of a grid made of several views."""


class DataError(BacksightError):
    """Input data that cannot be read: a missing picture, a missing column, a box outside its image."""


class CannotAnswer(BacksightError):  # noqa: N818, reads as what it says: raise CannotAnswer, listed as skipped
    """An example set that a model cannot be asked: words unknown to its tokenizer, a grid too small."""


class StudyError(BacksightError):
    """An output folder that cannot be used for this study."""
