"""Opening a checkpoint: a Hugging Face id, a local folder, or a built-in model; all by one path.

Only safetensors are read and no remote code is run. A checkpoint with missing or unexpected weights is refused: a
model that is partly random answers, too.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoConfig, AutoModelForImageTextToText

from backsight.errors import ModelError, UsageError
from backsight.models.families import Family
from backsight.models.processors import load_processor
from backsight.models.vlm import VLM, family_of

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load(
    source: str | Path, *, dtype: str | None = None, device: str | None = None, max_pixels: int | None = None,
    family: Family | None = None, attention: str | None = None, check: bool = True,
) -> VLM:  # fmt: skip
    """Open a model: `builtin:plain`, a local folder, or a Hugging Face id.

    Default dtype: fp32 on a CPU, the checkpoint's own on a GPU. `max_pixels` caps a picture's area where the family
    takes pictures of any size. UsageError for an unknown name, ModelError for a checkpoint that cannot be opened,
    ContractError where a contract fails.
    """
    name = str(source)
    folder = locate(name)
    place = str(folder) if folder is not None else name
    target = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    config = _config(place)
    row = family or family_of(config)
    stock = getattr(transformers, row.stock_processor) if row.stock_processor else None
    processor = load_processor(place, stock)
    if max_pixels is not None:
        _limit_pixels(processor, row, max_pixels)
    model = _weights(place, _dtype(dtype, target), attention).to(target)
    return VLM(model, processor, name=name, family=family, check=check, origin=folder)


def quiet() -> None:
    """Keep transformers from writing notes and bars of its own to the terminal."""
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()


def locate(name: str) -> Path | None:
    """The folder of a built-in or local model; None for a name that can only be a Hugging Face id."""
    if name.startswith("builtin:"):
        root = Path(str(resources.files("backsight") / "builtin"))
        known = sorted(p.name for p in root.iterdir() if (p / "config.json").is_file())
        if name.removeprefix("builtin:") not in known:
            choices = ", ".join(f"builtin:{k}" for k in known) or "none: run `backsight train-builtin plain`"
            raise UsageError("There is no built-in model of this name", got=name, do=f"choose from: {choices}")
        return root / name.removeprefix("builtin:")
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise UsageError(
                "This folder holds no checkpoint",
                where=folder,
                got="no config.json",
                do="give a folder that save_pretrained wrote (configuration, safetensors, processor)",
            )
        return folder
    if folder.exists() or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        raise UsageError(
            "There is no such checkpoint folder", got=repr(name), do="give a folder, a Hugging Face id or builtin:plain"
        )
    return None


def _config(place: str) -> Any:
    try:
        return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise UsageError(
            "The model cannot be found or its configuration cannot be read",
            got=f"{place}: {_first_line(error)}",
            do="give a checkpoint folder, a Hugging Face id that can be reached from here, or builtin:plain",
        ) from error


def _weights(place: str, dtype: torch.dtype | str, attention: str | None) -> Any:
    options: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            place, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ModelError(
            "The checkpoint's weights cannot be loaded",
            where=place,
            got=_first_line(error),
            do="the weights must be safetensors that fit the configuration; download or save the checkpoint again",
        ) from error
    except Exception as error:
        if type(error).__module__.startswith("safetensors"):
            raise ModelError(
                "A weights file is damaged", where=place, got=_first_line(error), do="download it again"
            ) from error
        raise
    wrong = {
        kind: sorted(map(str, report.get(kind) or ()))
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
    }
    if any(wrong.values()):
        said = "; ".join(f"{len(keys)} {kind.split('_')[0]}, such as {keys[0]}" for kind, keys in wrong.items() if keys)
        raise ModelError(
            "The weights do not fit the configuration",
            where=place,
            got=said,
            do="save the whole model again; a partly random model would answer, and mean nothing",
        )
    return model


def _dtype(name: str | None, device: torch.device) -> torch.dtype | str:
    if name is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if name not in DTYPES:
        raise UsageError("There is no such dtype", got=name, do=f"choose from: {', '.join(DTYPES)}")
    return DTYPES[name]


def _limit_pixels(processor: Any, row: Family, limit: int) -> None:
    images = processor.image_processor
    if row.grid != "thw":
        raise UsageError("This family takes pictures of one size only", got=f"--max-pixels {limit}", do="leave it out")
    size = dict(images.size)
    cell = images.patch_size * images.merge_size
    if limit < 36 * cell * cell:
        raise UsageError(
            "So few pixels leave fewer than 6 x 6 image tokens", got=limit, do=f"give at least {36 * cell * cell}"
        )
    images.size = type(images.size)(
        **{"shortest_edge": min(size["shortest_edge"], limit), "longest_edge": min(size["longest_edge"], limit)}
    )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0][:300]
