"""The contract of generation: an edit addresses the prompt inside `model.generate` as it does in a forward.

A seam that misreads the cache takes each decoded token for a prompt. Its first step is right all the same, so every
step is compared, and the rows that each call of the model edits are counted.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from backsight.models import blocks
from backsight.models.contract_parts import close, disturb, examples
from backsight.models.findings import Finding
from backsight.models.prompts import Batch
from backsight.models.seam import Seam
from backsight.models.sites import Edit


def generation(vlm: Seam, batch: Batch, *, steps: int = 4) -> Finding:
    """An edit acts in `model.generate` as it does in a forward of the prompt grown by what was decoded, at each step.

    It acts on the rows of the prompt alone: calls for decoded tokens edit none, and a recording keeps the prompt.
    """
    name = "edits hold inside generate"
    layer, length = vlm.n_layers - 1, batch.input_ids.shape[1]
    edited, counted = Edit("resid_pre", disturb, (layer,), "last"), _Counted(vlm)
    with vlm.editing(edited, counted.edit), vlm.recording("resid_pre", layers=[0]) as recorded:
        ids, decoded = _decoded(vlm, batch, steps)
        rows, kept = counted.rows, recorded["resid_pre", 0].shape[1]
    if (lost := _lost_in_generation(vlm)) is not None:
        return Finding(name, False, lost)
    if rows != [len(batch) * length] + [0] * (steps - 1):
        return Finding(name, False, f"rows that each call edits: {rows}, of {len(batch) * length} in the prompt")
    if kept != length:
        return Finding(name, False, f"a recording of the prompt holds {kept} of {length} positions after decoding")
    longer = vlm.extended(batch, ids[:, length:].tolist())
    last = torch.zeros_like(longer.image_mask)
    last[:, length - 1] = True
    with torch.no_grad(), vlm.editing(replace(edited, positions=last)):
        expected = vlm.model(**longer.inputs, **blocks.WHOLE_PROMPT).logits[:, length - 1 : -1]
    outcomes = [close(vlm, decoded[:, step], expected[:, step]) for step in range(steps)]
    worst = [f"step {step}: {d}" for step, (passed, d) in enumerate(outcomes) if not passed] or [outcomes[-1][1]]
    return Finding(name, all(passed for passed, _ in outcomes), worst[0])


def _lost_in_generation(vlm: Seam) -> str | None:
    """The sites at which an edit acts in `generate` otherwise than in a forward, or not at all; None where none is.

    On one prompt: `generate` counts the positions of a padded one otherwise, and scores of padding are edited too.
    """
    batch = vlm.prepare(examples(vlm)[:1])
    untouched = _decoded(vlm, batch, 1)[1][:, 0]
    for site in vlm.parts.sites:
        with vlm.editing(Edit(site, disturb, (vlm.parts.count(site) // 2,))):
            inside, forward = _decoded(vlm, batch, 1)[1][:, 0], vlm.forward(batch)
        if torch.equal(inside, untouched):
            return f"the edit at {site} was lost"
        passed, detail = close(vlm, inside, forward)
        if not passed:
            return f"an edit at {site} acts otherwise than in a forward: {detail}"
    return None


def prompt_alone(vlm: Seam, batch: Batch) -> Finding:
    """The cheap part of `generation`: an edit of all positions runs on the prompt's rows and on no decoded token's."""
    counted, whole = _Counted(vlm), len(batch) * batch.input_ids.shape[1]
    with vlm.editing(counted.edit):
        _decoded(vlm, batch, 2)
    detail = f"rows that each call edits: {counted.rows}, of {whole} in the prompt"
    return Finding("edits address the prompt alone", counted.rows == [whole, 0], detail)


class _Counted:
    """An edit of every position that changes nothing, and the rows that it was given in each call of the model."""

    def __init__(self, vlm: Seam) -> None:
        self._hooks, self._before = vlm.hooks, vlm.hooks.calls
        self._rows: dict[int, int] = {}
        self.edit = Edit("resid_pre", self._count, (0,))

    def _count(self, rows: Tensor) -> Tensor:
        self._rows[self._hooks.calls] = self._rows.get(self._hooks.calls, 0) + len(rows)
        return rows.clone()

    @property
    def rows(self) -> list[int]:
        """One number a call."""
        return [self._rows.get(call, 0) for call in range(self._before + 1, self._hooks.calls + 1)]


def _decoded(vlm: Seam, batch: Batch, steps: int) -> tuple[Tensor, Tensor]:
    """Ids (batch, position) of prompts with `steps` decoded tokens, and the logits (batch, step, vocabulary)."""
    options: dict[str, Any] = dict(max_new_tokens=steps, min_new_tokens=steps, do_sample=False)
    with torch.no_grad():
        output = vlm.model.generate(**batch.inputs, **options, return_dict_in_generate=True, output_logits=True)
    return output.sequences, torch.stack(output.logits, 1)
