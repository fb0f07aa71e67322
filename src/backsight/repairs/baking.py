"""Folding a repair into the weights: an ordinary checkpoint that answers as the repaired model, at no cost.

The last layer of the projector gives e = x W + b, so that a map e -> e A + s of the image embeddings is the layer with
W A and b A + s. What is no such map, or stands behind no such layer, cannot be folded and is refused.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor

from backsight import __version__
from backsight.errors import CannotAnswer, ModelError, UsageError
from backsight.models import additions, contract_parts, fingerprints
from backsight.models.projectors import LastLayer, last_layer
from backsight.models.vlm import VLM
from backsight.repairs.base import Affine, Fitted
from backsight.repairs.files import width_of
from backsight.training.saving import save

CLOSE = 1e-4  # of the largest logit, or of 1 where that is smaller
# Repairs that are an affine map with some settings only.
AFFINE = {"norm_rescale": "--set mode=fixed --set clip=false"}
# What a checkpoint's folder holds beside weights and configuration; copied as it is.
_COPIED = {".json", ".jinja", ".model", ".txt", ""}
_WRITTEN = {"config.json", "generation_config.json"}


def bake(vlm: VLM, fitted: Fitted, out: str | Path, *, fitted_on: str = "") -> Path:
    """Save `vlm` with a repair folded into the last layer of its projector, as a new folder in float32.

    `fitted_on` goes into the folder's README.md. `vlm` is as before afterwards. UsageError where it is not open in
    float32, or where `out` is the model's own folder or holds something; CannotAnswer where the repair is no affine map
    of the image embeddings, or the family has no linear layer that takes it; ModelError where the folded model does
    not answer as the repaired one; StudyError where the folder cannot be written.
    """
    target = Path(os.path.realpath(out))
    refuse_folder(target, vlm.origin)
    if vlm.dtype != torch.float32:
        raise UsageError(
            "A repair is folded into weights in float32", got=str(vlm.dtype).removeprefix("torch."),
            do='open the model in float32: load(..., dtype="float32")',
        )  # fmt: skip
    change = affine(fitted, width_of(vlm))
    weights = fingerprints.of_weights(vlm.model)
    batch = vlm.prepare(contract_parts.examples(vlm)[:1])
    with vlm.uncounted(), fitted.applied(vlm):
        repaired = vlm.forward(batch)
    with folded(vlm, change) as layer:
        with vlm.uncounted():
            _prove(vlm.forward(batch), repaired, layer)
        card = _card(vlm, fitted, layer, weights, fitted_on)
        return save(
            vlm.model, None if vlm.origin else vlm.processor, target, dtype=torch.float32,
            beside=lambda part: _beside(part, vlm.origin, card),
        )  # fmt: skip


def refuse_folder(out: Path, origin: Path | None) -> None:
    """UsageError where a checkpoint cannot be written to `out`: the folder that it comes from, or one that is taken."""
    if origin is not None and origin.resolve() in (out, *out.parents):
        raise UsageError("This is the model's own folder", where=out, do="name a new one; the source stays as it is")
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        got = "a folder with something in it" if out.is_dir() else "a file"
        raise UsageError("The place to write to is taken", where=out, got=got, do="name a new folder, or an empty one")


def affine(fitted: Fitted, width: int) -> Affine:
    """The map of image embeddings that a repair is; CannotAnswer where it is none, with the reason."""
    change = fitted.affine(width)
    if change is not None:
        return change
    if set(fitted.sites) == {"image_embeds"}:
        why = "it changes an image embedding by more than one fixed affine map, such as a length of its own or a clip"
    else:
        where = ", ".join(fitted.sites) or "every call of the model"
        why = f"it acts at {where} when a question is asked, not on the image embeddings"
    other = f"fit it with {AFFINE[fitted.name]}, or " if fitted.name in AFFINE else ""
    raise CannotAnswer(
        "This repair cannot be folded into a checkpoint", got=f"{fitted.name}: {why}",
        do=f"{other}apply it where the model runs: backsight.repairs.load(FILE, vlm).applied(vlm)",
    )  # fmt: skip


@contextmanager
def folded(vlm: VLM, change: Affine) -> Iterator[LastLayer]:
    """The model with an affine map of the image embeddings in its projector; its own weights again on exit.

    CannotAnswer where the last layer has no bias and the map a shift.
    """
    layer = last_layer(vlm.model, vlm.family)
    weight, bias = _changed(layer, change, vlm.family.name)
    kept = layer.weight.detach().clone(), None if layer.bias is None else layer.bias.detach().clone()
    try:
        _set(layer, weight, bias)
        yield layer
    finally:
        _set(layer, *kept)


def _changed(layer: LastLayer, change: Affine, family: str) -> tuple[Tensor, Tensor | None]:
    """Weight and bias of the layer with the map behind it, computed in float64."""
    matrix, shift = change.matrix.double().cpu(), change.shift.double().cpu()
    if layer.bias is None and bool(shift.any()):
        raise CannotAnswer(
            f"The last projector layer of {family} has no bias, so that a map without a shift can be folded into it",
            where=layer.name, got=f"a shift of length {float(shift.norm()):.3g}",
            do="take a form without one (amplification: --set form=projected), or apply it where the model runs",
        )  # fmt: skip
    old = layer.weight.detach().double().cpu()
    weight = old @ matrix if layer.by_column else matrix.T @ old
    return weight, None if layer.bias is None else layer.bias.detach().double().cpu() @ matrix + shift


def _set(layer: LastLayer, weight: Tensor, bias: Tensor | None) -> None:
    with torch.no_grad():
        layer.weight.copy_(weight)
        if layer.bias is not None and bias is not None:
            layer.bias.copy_(bias)


def _prove(logits: Tensor, repaired: Tensor, layer: LastLayer) -> None:
    gap, scale = float((logits - repaired).abs().max()), max(1.0, float(repaired.abs().max()))
    if not gap <= CLOSE * scale:
        raise ModelError(
            "The model with the repair folded in does not answer as the repaired one",
            where=layer.name, got=f"logits differ by {gap:.1e} of {scale:.1f}",
            do="nothing is written; something stands between this layer and the image embeddings",
        )  # fmt: skip


def _beside(part: Path, origin: Path | None, card: str) -> None:
    """The processor's files as they are in the source, and the card."""
    for path in sorted(origin.iterdir()) if origin is not None else ():
        if path.is_file() and path.suffix in _COPIED and path.name not in _WRITTEN and not _of_weights(path.name):
            shutil.copyfile(path, part / path.name)
    (part / "README.md").write_text(card, encoding="utf-8")


def _opened(vlm: VLM) -> str:
    """How plain transformers opens the folder: as it is, or without what it carries beside its architecture."""
    carried = additions.carried(vlm.model.config)
    if not carried:
        return "Plain transformers opens this folder as any checkpoint."
    names = ", ".join(f"{name} ({given['kind']})" for name, given in carried.items())
    return (
        "Plain transformers opens this folder, reports unexpected weights and leaves out what the model carries beside "
        f"its architecture: {names}. With `backsight.load` it is whole."
    )


def _of_weights(name: str) -> bool:
    return name.startswith(".") or name.endswith(".index.json")


def _card(vlm: VLM, fitted: Fitted, layer: LastLayer, weights: str, fitted_on: str) -> str:
    """What was folded into which model, in Markdown."""
    local = vlm.origin is not None and not vlm.name.startswith("builtin:")
    name = Path(vlm.name).resolve().name if local else vlm.name  # a path says nothing on another machine
    settings = json.dumps(fitted.settings(), default=str)
    lines = [
        f"# {name}, with {fitted.name} folded in",
        "",
        f"- model: {name} (weights {weights}), {vlm.family.name}; its terms of use hold for this one",
        f"- repair: {fitted.name}, {settings}{f', fitted on {fitted_on}' if fitted_on else ''}",
        f"- folded into: `{layer.name}`, by backsight {__version__}; every other weight is the model's own",
        "",
        f"{_opened(vlm)} Nothing is added to what a call costs. It is in float32: bfloat16 "
        "rounds the changed layer, so that answers come near the repaired model's and not to 1e-4. "
        "Where the model takes videos, they go through the same layer and are changed too.",
    ]
    return "\n".join(lines) + "\n"
