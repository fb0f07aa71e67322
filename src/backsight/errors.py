"""The exceptions that a user may want to catch.

Each says what went wrong, where, what was got and what to do. The command line prints the text and leaves
with the class's `exit_code`, one of EXIT_CODES.
"""

from __future__ import annotations

DONE, WORSE, WRONG_USE, FAILED, INTERRUPTED = 0, 1, 2, 3, 130
# Of every command; docs/commands.md holds the same table, and a test holds the two together.
EXIT_CODES = {
    DONE: "done",
    WORSE: "done, with a bad outcome: `compare` finds something worse, a contract of `doctor` or a control of "
    "`selftest` fails",
    WRONG_USE: "wrong use: an option, a name or a folder that cannot be used, or is not there; nothing is written",
    FAILED: "failed: data, a model or a table that cannot be read, a disk that is full, another study in the folder",
    INTERRUPTED: "interrupted by Ctrl-C or a termination signal; what is finished is kept",
}


class BacksightError(Exception):
    """Root of all errors that the package raises on purpose."""

    exit_code = FAILED

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

    exit_code = WRONG_USE


class ModelError(BacksightError):
    """A checkpoint that cannot be opened: unsupported, incomplete, or with weights that do not fit."""


class ContractError(ModelError):
    """The seam does not hold for a model: what it would read or write is not what the model computes."""


class ContractWarning(UserWarning):
    """A contract that nothing speaks against and that cannot be shown to hold; the model opens all the same."""


class ConditionsWarning(UserWarning):
    """A training goes on with other threads, releases or another device: it will not end bit for bit the same."""


class EditError(BacksightError):
    """An edit that did not apply, or whose function changed shape, dtype or device."""


class GridError(BacksightError):
    """A question to a token grid that it cannot answer, such as the rows of a grid made of several views."""


class DataError(BacksightError):
    """Input data that cannot be read: a missing picture, a missing column, a box outside its image."""


class CannotAnswer(BacksightError):  # noqa: N818, reads as what it says: raise CannotAnswer, listed as skipped
    """An example set that a model cannot be asked: words unknown to its tokenizer, a grid too small."""


class StudyError(BacksightError):
    """A study that cannot be run or written: nothing to run, no memory, no room, another one in its folder."""


class TrainingError(BacksightError):
    """A training that cannot go on: its loss diverges."""


class FolderError(StudyError):
    """An output folder that cannot be given for this study: a file, other things in it, another study's."""

    exit_code = WRONG_USE


class Interrupted(BacksightError):  # noqa: N818, it is the user who stops
    """A run that was stopped, with what is kept."""

    exit_code = INTERRUPTED
