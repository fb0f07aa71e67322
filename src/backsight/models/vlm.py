"""VLM: a seam that has proved itself, and what a user asks of it.

It wraps a model in memory; `opening.load` makes one of a checkpoint. The cheap contracts run when it is made, so that
a seam that does not fit a model is refused before anything is measured.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import torch
from PIL import Image
from torch import Tensor

from backsight.errors import ContractWarning, UsageError
from backsight.examples import Example, Picture, as_picture
from backsight.models import additions, answers, contracts
from backsight.models.families import Family
from backsight.models.findings import Finding
from backsight.models.seam import Seam


@dataclass(frozen=True)
class Answer:
    """What a model answers. `text` is its top token, or the best option; `probabilities` are over the options.

    Where options are sequences, `per_token` has the same with each option's tokens averaged (the geometric mean of
    their probabilities), so that length does not decide; else it is empty.
    """

    text: str
    probabilities: dict[str, float]
    top_tokens: tuple[tuple[str, float], ...]
    per_token: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.text


class VLM(Seam):
    """A vision-language model and its processor, behind the seam.

    While it is open the model is in eval mode and its parameters are frozen. `close`, or the end of a `with` block,
    gives it back as it came: `with VLM(model, processor) as vlm: ...` inside a training loop.
    """

    def __init__(
        self, model: Any, processor: Any, *, name: str = "in memory", family: Family | None = None, check: bool = True,
        origin: Path | None = None,
    ) -> None:  # fmt: skip
        """Wrap a model in memory. ModelError where the family is unknown, or where the model lacks additions that its
        configuration names; ContractError where a contract fails."""
        additions.demand_present(model)
        super().__init__(model, processor, name=name, family=family, origin=origin)
        self.findings: list[Finding] = []
        if check:
            try:
                self.prove()
            except BaseException:
                self.close()
                raise

    def prove(self, first: contracts.FirstCall | None = None) -> None:
        """Run the cheap contracts, on a plain call of the model where one was made.

        ContractError where one fails; a ContractWarning for each that passes with something to know.
        """
        self.findings = contracts.at_load(self, first)
        for finding in self.findings:
            if finding.warning:
                warnings.warn(finding.words(self.name), ContractWarning, stacklevel=2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _repr_html_(self) -> str:
        """Family, size, grid, layers, dtype, device, and the contracts that were run, as a table for a notebook."""
        grid = self.grid
        cells = f"{grid.rows} × {grid.columns} tokens" if grid.is_rectangle else f"{len(grid)} tokens"
        facts = {
            "Family": self.family.name,
            "Parameters": f"{self.n_parameters:,}",
            "Layers": str(self.n_layers),
            "A picture": cells,
            "Ran in": f"{str(self.dtype).removeprefix('torch.')} on {self.device}",
            "Contracts": self._proved(),
        }
        rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items())
        return f"<p><strong>{escape(self.name)}</strong></p><table><tbody>{rows}</tbody></table>"

    def _proved(self) -> str:
        """How many contracts passed, and which did not or are not decided."""
        if not self.findings:
            return "not run"
        bad = [
            f"{one.name}: {'not decided' if one.passed else 'fails'}"
            for one in self.findings
            if one.warning or not one.passed
        ]
        passed = sum(one.passed and not one.warning for one in self.findings)
        return "; ".join([f"{passed} of {len(self.findings)} passed", *bad])

    def ask(
        self, image: Picture | Image.Image | str | Path, question: str, options: Sequence[str] | None = None, *,
        system: str | None = None,
    ) -> Answer:  # fmt: skip
        """The answer to one question: the best of `options`, or the top token where none are given.

        UsageError where `options` is one string, CannotAnswer where the tokenizer cannot tell them apart, DataError
        where the picture is missing or cannot be read.
        """
        if isinstance(options, str):
            raise UsageError(
                "Options are several strings, not one", got=repr(options), do='give a list: ["red", "blue"]'
            )
        choices = tuple(options or ())
        example = Example("ask", as_picture(image), question, choices, choices[0] if choices else "", system=system)
        batch = self.prepare([example])
        logits = self.forward(batch)[0]
        probability = torch.softmax(logits.float(), -1)
        best = probability.topk(min(5, probability.shape[0]))
        tokens = tuple(
            (self.tokenizer.decode([i]), float(p)) for p, i in zip(best.values, best.indices.tolist(), strict=True)
        )
        if not choices:
            return Answer(tokens[0][0].strip(), {}, tokens)
        single = self.options(choices)
        if single is not None:
            return _chosen(choices, answers.option_probabilities(logits, single), tokens)
        log = self.sequence_log_probabilities(batch, choices)[0]
        mean = answers.per_token(self.tokenizer, choices, log)
        return _chosen(choices, log.exp(), tokens, per_token=_shares(choices, mean.exp()))


def _chosen(
    choices: tuple[str, ...], scores: Tensor, tokens: tuple[tuple[str, float], ...], **more: dict[str, float]
) -> Answer:
    return Answer(choices[int(scores.argmax())], _shares(choices, scores), tokens, **more)


def _shares(choices: tuple[str, ...], scores: Tensor) -> dict[str, float]:
    return dict(zip(choices, (scores / scores.sum()).tolist(), strict=True))
