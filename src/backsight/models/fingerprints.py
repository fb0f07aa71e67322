"""Fingerprints: content hashes of weights, configuration and processor.

A study's jobs are keyed by them. Hashing a large checkpoint takes a while, so hashes of files are kept by path, size
and time of change in the user's cache folder; a cache that cannot be written is done without.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import torch

from backsight.tables import replacing

_ENDINGS = {".safetensors", ".json", ".jinja", ".model", ".txt"}


def of(model: Any, processor: Any, origin: Path | None) -> str:
    """16 hex digits: of the checkpoint's files where it came from a folder, else of the weights in memory."""
    digest = hashlib.sha256(model.config.to_json_string().encode())
    if origin is not None:
        for path in sorted(p for p in origin.iterdir() if p.suffix in _ENDINGS and p.is_file()):
            digest.update(path.name.encode() + _file(path).encode())
    else:
        _add_weights(digest, model)
        digest.update(json.dumps(_of_processor(processor), sort_keys=True, default=str).encode())
    return digest.hexdigest()[:16]


def exact(model: Any) -> str:
    """16 hex digits of a model's weights as they are, by name and bit for bit: any change of one is another."""
    digest = hashlib.sha256()
    _add_weights(digest, model)
    return digest.hexdigest()[:16]


def _add_weights(digest: Any, model: Any) -> None:
    for name, value in sorted(model.state_dict().items()):
        flat = value.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
        digest.update(f"{name} {tuple(value.shape)} {value.dtype}".encode() + flat.numpy().tobytes())


def of_weights(model: Any) -> str:
    """16 hex digits of a model's weights, the same for every precision and release that it is opened with.

    Weights are compared as bfloat16, the coarsest precision that checkpoints come in, and without their names, which
    releases of transformers change. Nothing of configuration and processor is in it.
    """
    digests = set()
    for value in model.state_dict().values():
        stored = value.detach().to(torch.bfloat16) if value.is_floating_point() else value.detach()
        flat = stored.cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
        digests.add(hashlib.sha256(str(tuple(value.shape)).encode() + flat.tobytes()).hexdigest())
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:16]


def _of_processor(processor: Any) -> dict[str, Any]:
    """What a processor makes of text and pictures, as plain values."""
    return {
        "vocabulary": processor.tokenizer.get_vocab(),
        "pictures": processor.image_processor.to_dict(),
        "template": getattr(processor, "chat_template", None),
    }


def _file(path: Path) -> str:
    """The hash of one file's content, from the cache where the file has not changed."""
    stat = path.stat()
    key = f"{path.resolve()}|{stat.st_size}|{stat.st_mtime_ns}"
    store = cache_folder() / "fingerprints.json"
    try:
        known = json.loads(store.read_text())
    except (OSError, ValueError):
        known = {}
    known = known if isinstance(known, dict) else {}
    if key not in known:
        with path.open("rb") as file:
            known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        try:
            store.parent.mkdir(parents=True, exist_ok=True)
            with replacing(store) as part:
                part.write_text(json.dumps(known))
        except OSError:
            pass
    return str(known[key])


def cache_folder() -> Path:
    """Where small things may be kept between runs; nothing in it changes a result."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "backsight"
