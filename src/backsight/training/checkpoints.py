"""Checkpoints on the way: one file that holds all a killed run needs to go on, bit for bit.

Weights, optimiser and random state are safetensors, the rest is JSON in the file's metadata; nothing is unpickled. The
file takes the old one's place when it is whole, so a full disk or a kill leaves the last good one.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from backsight.errors import DataError, StudyError
from backsight.tables import replacing
from backsight.training.recipe import Recipe

FORMAT = 1
NAME = "checkpoint.safetensors"


@dataclass(frozen=True)
class Place:
    """Where a run stands: `step` steps of a phase are done. `log` holds the rows of the log so far."""

    phase: int = 0
    step: int = 0
    log: Sequence[dict[str, Any]] = ()


def save(folder: Path, recipe: Recipe, module: nn.Module, optimizer: torch.optim.Optimizer, place: Place) -> None:
    """Write the checkpoint of a run; StudyError where it cannot be written, and the last one stays."""
    state = optimizer.state_dict()
    tensors = {f"weight.{name}": value for name, value in _weights(module).items()}
    for index, values in state["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
    tensors["random"] = torch.get_rng_state()
    header = {
        "format": FORMAT, "recipe": recipe.identity, "phase": place.phase, "step": place.step, "log": list(place.log),
        "groups": state["param_groups"],
    }  # fmt: skip
    target = folder / NAME
    try:
        with replacing(target) as part:
            own = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
            save_file(own, part, metadata={"backsight": json.dumps(header)})
    except (OSError, SafetensorError) as error:
        raise StudyError(
            "A checkpoint on the way cannot be written", where=target,
            got=getattr(error, "strerror", None) or error,
            do="make room on the disk and give the same command again: it goes on from the last checkpoint",
        ) from error  # fmt: skip


def resume(folder: Path, recipe: Recipe, module: nn.Module, optimizer: torch.optim.Optimizer) -> Place:
    """Take weights, optimiser and random state from a folder's checkpoint, where it has one; where the run stands.

    DataError where the file is damaged, or of another recipe or version.
    """
    path = folder / NAME
    if not path.exists():
        return Place()
    do = "give another folder for checkpoints (--work), or remove this one"
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["backsight"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise DataError("The checkpoint on the way is damaged", where=path, got=error, do=do) from error
    if header.get("format") != FORMAT:
        raise DataError(
            "The checkpoint is of another version of backsight", where=path,
            got=f"format {header.get('format')}, not {FORMAT}", do=do,
        )  # fmt: skip
    if header["recipe"] != recipe.identity:
        raise DataError(
            "The checkpoint belongs to another recipe, or to another seed or size of this one", where=path,
            got=_difference(header["recipe"], recipe.identity), do=do,
        )  # fmt: skip
    weights = _weights(module)
    stored = {name.removeprefix("weight."): v for name, v in tensors.items() if name.startswith("weight.")}
    if stored.keys() != weights.keys() or any(stored[n].shape != weights[n].shape for n in weights):
        raise DataError(
            "The checkpoint's weights are those of another architecture", where=path,
            got=", ".join(sorted(stored.keys() ^ weights.keys())[:3]) or "other shapes", do=do,
        )  # fmt: skip
    with torch.no_grad():
        for name, weight in weights.items():
            weight.copy_(stored[name])
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": header["groups"]})
    torch.set_rng_state(tensors["random"])
    return Place(header["phase"], header["step"], header["log"])


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Every weight and persistent buffer once, tied ones under their first name."""
    weights: dict[str, Tensor] = dict(module.named_parameters())
    known = module.state_dict(keep_vars=True)
    return weights | {name: buffer for name, buffer in module.named_buffers() if name in known}


def _difference(stored: str, wanted: str) -> str:
    """Where two identities part, with a little on both sides."""
    at = next(
        (i for i, (a, b) in enumerate(zip(stored, wanted, strict=False)) if a != b), min(len(stored), len(wanted))
    )
    return f"...{stored[max(0, at - 30) : at + 30]}... where ...{wanted[max(0, at - 30) : at + 30]}... is wanted"
