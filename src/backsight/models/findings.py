"""What contracts found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The outcome of one contract: passed, failed, or a warning (passed, with something to know).

    `do` is what a user can do about a failure or a warning.
    """

    name: str
    passed: bool
    detail: str
    warning: bool = False
    do: str = ""

    def words(self, where: str) -> str:
        """The finding of the model `where` as an error would say it: what, where, got, do."""
        what = "A contract fails" if not self.passed else "A contract is not decided" if self.warning else "It holds"
        return f"{what}: {self.name}\n  where: {where}\n  got:   {self.detail}" + (
            f"\n  do:    {self.do}" if self.do else ""
        )


@dataclass(frozen=True)
class Tried:
    """One layer of resid_pre: whether an answer is `blind` to the length of states there, and gradient times state as a
    `share` of what its features would give if they did not cancel (`saliency.share_of_length`); None where there is no
    gradient to tell it by, as where no answer reads the picture."""

    layer: int
    blind: bool
    share: float | None
