"""Saving a trained model as any checkpoint is saved: configuration, bfloat16 safetensors, tokenizer, image processor
and chat template, so that it is opened by the path of a downloaded one.
"""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from backsight.errors import StudyError, UsageError
from backsight.tables import HOST


def save(
    model: Any, processor: Any, folder: Path, *, dtype: torch.dtype = torch.bfloat16,
    beside: Callable[[Path], None] | None = None,
) -> Path:  # fmt: skip
    """Write a checkpoint into a new folder, whole or not at all.

    `beside` writes further files into the folder that it is given; without a `processor` they are the processor's, too.
    UsageError where the folder is there and not empty, StudyError where it cannot be written.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise UsageError(
            "The folder for the checkpoint is there already", where=folder, do="give another, or remove it"
        )
    part = folder.with_name(f".{folder.name}.{HOST}.{os.getpid()}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        same = all(weight.dtype == dtype for weight in model.parameters())
        stored = model if same else copy.deepcopy(model).to(dtype)
        stored.save_pretrained(part)
        if processor is not None:
            processor.save_pretrained(part)
            _stock_names(part)
        if beside is not None:
            beside(part)
        for path in part.iterdir():
            path.chmod(0o644)
        part.rename(folder)
    except (OSError, SafetensorError) as error:
        raise StudyError(
            "The checkpoint cannot be written",
            where=folder,
            got=getattr(error, "strerror", None) or error,
            do="make room on the disk, or name another place",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder


def _stock_names(folder: Path) -> None:
    """Name the image processor as stock transformers does, so that a machine with torchvision takes its own form."""
    for path in (folder / "processor_config.json", folder / "preprocessor_config.json"):
        if not path.is_file():
            continue
        text = path.read_text(encoding="utf-8").replace("ImageProcessorPil", "ImageProcessor")
        json.loads(text)
        path.write_text(text, encoding="utf-8")
