"""A fitted repair as a file: safetensors, whose header holds as JSON all that is no tensor. No pickle is read.

One file and not two, so that settings and tensors cannot be parted. The header says which repair it is and how it was
set, which model it was fitted on and on which examples, and holds a digest of all of it: safetensors itself does not
notice a value that was changed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialized
from torch import Tensor

from backsight import __version__
from backsight.errors import BacksightError, DataError, UsageError
from backsight.examples import ExampleSet
from backsight.models import fingerprints
from backsight.models.vlm import VLM
from backsight.repairs.base import Fitted
from backsight.repairs.registry import FITTED
from backsight.tables import replacing

FORMAT = 1
_KEY = "backsight_repair"
_AGAIN = "fit it again: backsight repair fit"


@dataclass(frozen=True)
class Stored:
    """What a file holds: the repair, and what it was fitted on.

    `model` has name, weights (their fingerprint), width (d_model) and dtype; `development` has name, fingerprint and
    number of questions of the examples. `version` is the package's that wrote it.
    """

    fitted: Fitted
    model: Mapping[str, Any]
    development: Mapping[str, Any]
    version: str


def save(fitted: Fitted, path: str | Path, vlm: VLM, examples: ExampleSet) -> Path:
    """Write a repair that was fitted on `vlm` and `examples`, in place of any file of this name, whole or not at all.

    DataError where it holds a number that is not finite, UsageError where `path` is a folder or a setting is no JSON.
    """
    path = Path(path)
    if path.is_dir():
        raise UsageError(
            "This is a folder, not a file", where=path, do="give the name of a file, as repair.safetensors"
        )
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in fitted.tensors().items()}
    _finite(tensors, fitted.name)
    header: dict[str, Any] = {
        "format": FORMAT,
        "version": __version__,
        "repair": fitted.name,
        "settings": fitted.settings(),
        "model": {
            "name": vlm.name,
            "weights": fingerprints.of_weights(vlm.model),
            "width": width_of(vlm),
            "dtype": str(vlm.dtype).removeprefix("torch."),
        },
        "development": {"name": examples.name, "fingerprint": examples.fingerprint, "questions": len(examples)},
    }
    try:
        text = json.dumps(header, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise UsageError(
            "A setting of this repair cannot be written as JSON", where=fitted.name, got=error,
            do="settings are numbers, texts, tuples and None; a tensor is a field of its own",
        ) from error  # fmt: skip
    header = json.loads(text)
    header["digest"] = _digest(header, tensors)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_bytes(serialized(tensors, {_KEY: json.dumps(header)}))
    return path


def load(path: str | Path, vlm: VLM | None = None, *, any_model: bool = False) -> Fitted:
    """The repair in a file. With `vlm`, UsageError where it was fitted on another model's weights.

    `any_model` takes a repair of another model all the same, where both have one width (d_model).
    UsageError where there is no such file, DataError for any file that `save` did not write or that was changed since.
    """
    stored = read(path)
    if vlm is not None:
        fit(stored, vlm, path, any_model=any_model)
    return stored.fitted


def read(path: str | Path) -> Stored:
    """What a file holds, whatever model it is for; errors as of `load`."""
    path = Path(path)
    if not path.is_file():
        got = "a folder" if path.is_dir() else "nothing is there"
        raise UsageError("There is no such file of a repair", where=path, got=got, do="give what `repair fit` wrote")
    try:
        with safe_open(path, "pt") as file:
            written = (file.metadata() or {}).get(_KEY)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except (SafetensorError, OSError, ValueError) as error:
        raise DataError("The file of a repair is damaged", where=path, got=error, do=_AGAIN) from error
    if written is None:
        raise DataError(
            "This safetensors file holds no repair", where=path, got=f"tensors {', '.join(sorted(tensors)[:3])} ...",
            do="give what `backsight repair fit` wrote",
        )  # fmt: skip
    return _read(path, written, tensors)


def _read(path: Path, written: str, tensors: dict[str, Tensor]) -> Stored:
    try:
        header = json.loads(written, parse_constant=_no_number)
        form, version = header["format"], header["version"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError("The header of a repair's file is damaged", where=path, got=error, do=_AGAIN) from error
    if form != FORMAT:
        raise DataError(
            "This repair's file has another format than this release reads", where=path,
            got=f"format {form}, written by backsight {version}",
            do=f"this is backsight {__version__}, which reads format {FORMAT}; fit it again, or install that release",
        )  # fmt: skip
    if header.get("digest") != _digest({k: v for k, v in header.items() if k != "digest"}, tensors):
        raise DataError(
            "The file of a repair is not as it was written", where=path, got="another digest than its own", do=_AGAIN
        )
    if header.get("repair") not in FITTED:
        raise DataError(
            "There is no repair of this name in this release", where=path,
            got=f"{header.get('repair')!r}, written by backsight {version}", do=f"known: {', '.join(FITTED)}",
        )  # fmt: skip
    _finite(tensors, path)
    try:
        fitted = FITTED[header["repair"]].rebuilt(tensors, {k: _frozen(v) for k, v in header["settings"].items()})
        return Stored(fitted, dict(header["model"]), dict(header["development"]), str(version))
    except BacksightError as error:
        raise DataError(error.what, where=path, got=error.got, do=_AGAIN) from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError("The repair in this file cannot be built", where=path, got=error, do=_AGAIN) from error


def fit(stored: Stored, vlm: VLM, path: str | Path, *, any_model: bool) -> None:
    """UsageError where a repair was fitted on another model than `vlm`, or, with `any_model`, of another width."""
    width, name = width_of(vlm), stored.model.get("name")
    if stored.fitted.tensors() and stored.model.get("width") != width:
        raise UsageError(
            "This repair was fitted on a model of another width", where=path,
            got=f"embeddings of {stored.model.get('width')} values ({name}); {vlm.name} has {width}",
            do="fit one on this model: backsight repair fit; no option makes this one fit",
        )  # fmt: skip
    if any_model:
        return
    weights = fingerprints.of_weights(vlm.model)
    if stored.model.get("weights") != weights:
        raise UsageError(
            "This repair was fitted on another model", where=path,
            got=f"fitted on {name} (weights {stored.model.get('weights')}); {vlm.name} has weights {weights}",
            do="fit one on this model, or take it all the same: --any-model, any_model=True",
        )  # fmt: skip


def width_of(vlm: VLM) -> int:
    """How many values an embedding of the language model has, d_model."""
    return int(vlm.model.get_input_embeddings().weight.shape[1])


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no finite number")


def _finite(tensors: Mapping[str, Tensor], where: object) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise DataError(
                "A repair holds numbers that are not finite", where=where,
                got=f"{name}: {int((~torch.isfinite(value)).sum())} of {value.numel()}", do=_AGAIN,
            )  # fmt: skip


def _digest(header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(header, sort_keys=True).encode())
    for name, value in sorted(tensors.items()):
        flat = value.reshape(-1).view(torch.uint8).numpy()
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode() + flat.tobytes())
    return digest.hexdigest()


def _frozen(value: Any) -> Any:
    """JSON has no tuples, and a repair has no lists."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
