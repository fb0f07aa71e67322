"""Checkpoints on the way: one file that holds all a killed run needs to go on, bit for bit.

Weights, optimiser and random state are safetensors, the rest is JSON in the file's metadata; nothing is unpickled. The
file takes the old one's place when it is whole, so a full disk or a kill leaves the last good one.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from backsight.errors import ConditionsWarning, DataError, StudyError
from backsight.tables import replacing

FORMAT = 3
NAME = "checkpoint.safetensors"
NAMED = ("seed", "size", "precision", "steps")
IDENTITY = re.compile(  # of `loop.identity`; the recipe's name is in `beside`, its settings are `body`
    r"(?P<beside>.*?\('[^']*'), (?P<seed>\d+), '(?P<size>\w+)'(?P<body>, .*), precision (?P<precision>\w+), "
    r"steps (?P<steps>\w+)", re.DOTALL,
)  # fmt: skip
DO = "give another folder for checkpoints (--work), or remove this one"


@dataclass(frozen=True)
class Place:
    """Where a run stands: `step` steps of a phase are done. `log` holds the rows of the log so far."""

    phase: int = 0
    step: int = 0
    log: Sequence[dict[str, Any]] = ()


@dataclass(frozen=True)
class Stored:
    """A checkpoint that was read. `scaler` is the state of the loss scale of fp16, None where there is none;
    `conditions` are those that it was written under."""

    path: Path
    place: Place
    tensors: Mapping[str, Tensor]
    groups: Sequence[dict[str, Any]]
    scaler: dict[str, Any] | None
    conditions: Mapping[str, Any]

    def give(self, module: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Put weights, optimiser and random state where they were; DataError where they are of another module."""
        weights = _weights(module)
        stored = {name.removeprefix("weight."): v for name, v in self.tensors.items() if name.startswith("weight.")}
        if stored.keys() != weights.keys() or any(stored[n].shape != weights[n].shape for n in weights):
            raise DataError(
                "The checkpoint's weights are those of another architecture", where=self.path,
                got=", ".join(sorted(stored.keys() ^ weights.keys())[:3]) or "other shapes", do=DO,
            )  # fmt: skip
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in self.tensors.items():
            if name.startswith("optimizer."):
                _, index, key = name.split(".", 2)
                state.setdefault(int(index), {})[key] = value
        try:
            optimizer.load_state_dict({"state": state, "param_groups": list(self.groups)})
        except ValueError as error:
            what = "The checkpoint's optimiser is that of other weights"
            raise DataError(what, where=self.path, got=error, do=DO) from error
        with torch.no_grad():
            for name, weight in weights.items():
                weight.copy_(stored[name])
        torch.set_rng_state(self.tensors["random"])
        if "random.cuda" in self.tensors and torch.cuda.is_available():
            torch.cuda.set_rng_state(self.tensors["random.cuda"])


def save(
    folder: Path, identity: str, module: nn.Module, optimizer: torch.optim.Optimizer, place: Place,
    scaler: Mapping[str, Any] | None = None,
) -> None:  # fmt: skip
    """Write the checkpoint of a run; StudyError where it cannot be written, and the last one stays.

    `identity` is all that a step of the run depends on, as text.
    """
    state = optimizer.state_dict()
    tensors = {f"weight.{name}": value for name, value in _weights(module).items()}
    for index, values in state["state"].items():
        tensors |= {f"optimizer.{index}.{key}": value for key, value in values.items()}
    tensors["random"] = torch.get_rng_state()
    if any(value.is_cuda for value in tensors.values()):
        tensors["random.cuda"] = torch.cuda.get_rng_state()
    header = {
        "format": FORMAT, "run": identity, "phase": place.phase, "step": place.step, "log": list(place.log),
        "groups": state["param_groups"], "scaler": dict(scaler) if scaler else None,
        "conditions": conditions(next(module.parameters()).device),
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


def read(folder: Path, identity: str) -> Stored | None:
    """The checkpoint of a folder, None where it has none. DataError for a damaged one, and one of another run."""
    path = folder / NAME
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            header = json.loads((file.metadata() or {})["backsight"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
        if header["format"] != FORMAT:
            raise DataError(
                "The checkpoint is of another version of backsight", where=path,
                got=f"format {header['format']}, not {FORMAT}", do=DO,
            )  # fmt: skip
        place = Place(header["phase"], header["step"], header["log"])
        stored = Stored(path, place, tensors, header["groups"], header["scaler"], dict(header["conditions"]))
        run, _ = header["run"], tensors["random"]
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise DataError("The checkpoint on the way is damaged", where=path, got=error, do=DO) from error
    if run != identity:
        raise DataError(
            "The checkpoint belongs to another recipe, or to another seed or size of this one", where=path,
            got=difference(run, identity), do=DO,
        )  # fmt: skip
    return stored


def conditions(device: torch.device) -> dict[str, Any]:
    """What the last digits of a step depend on beside its identity: sums are taken in another order under others."""
    kind = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "device": kind, "CPU threads": torch.get_num_threads(), "torch": torch.__version__,
        "transformers": version("transformers"),
    }  # fmt: skip


def warn_of_others(stored: Stored, device: torch.device) -> None:
    """ConditionsWarning where a checkpoint was written under other conditions than it is gone on from."""
    now = conditions(device)
    other = [f"{name} {stored.conditions.get(name)}, now {one}" for name, one in now.items()
             if stored.conditions.get(name) != one]  # fmt: skip
    if other:
        text = "The training goes on under other conditions, so it will not end bit for bit as one that was not stopped"
        warnings.warn(f"{text}: {'; '.join(other)}", ConditionsWarning, stacklevel=3)


def _weights(module: nn.Module) -> dict[str, Tensor]:
    """Every weight and persistent buffer once, tied ones under their first name."""
    weights: dict[str, Tensor] = dict(module.named_parameters())
    known = module.state_dict(keep_vars=True)
    return weights | {name: buffer for name, buffer in module.named_buffers() if name in known}


def difference(stored: str, wanted: str) -> str:
    """Where two identities part: in the fields that a command names, else at the first place, with a little on both
    sides."""
    a, b = IDENTITY.fullmatch(stored), IDENTITY.fullmatch(wanted)
    if a is not None and b is not None and (a["beside"], a["body"]) == (b["beside"], b["body"]):
        parts = [f"{name} {a[name]} where {name} {b[name]} is wanted" for name in NAMED if a[name] != b[name]]
        if parts:
            return "; ".join(parts)
    at = next(
        (i for i, (a, b) in enumerate(zip(stored, wanted, strict=False)) if a != b), min(len(stored), len(wanted))
    )
    return f"...{stored[max(0, at - 30) : at + 30]}... where ...{wanted[max(0, at - 30) : at + 30]}... is wanted"
