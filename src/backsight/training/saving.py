"""Saving a trained model as any checkpoint is saved: configuration, bfloat16 safetensors, tokenizer, image processor
and chat template, so that it is opened by the path of a downloaded one.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

from backsight.errors import StudyError, UsageError


def save(model: Any, processor: Any, folder: Path) -> Path:
    """Write a checkpoint in bfloat16 into a new folder, whole or not at all.

    UsageError where the folder is there, StudyError where it cannot be written.
    """
    if folder.exists():
        raise UsageError(
            "The folder for the checkpoint is there already", where=folder, do="give another, or remove it"
        )
    part = folder.with_name(f".{folder.name}.part")
    try:
        shutil.rmtree(part, ignore_errors=True)
        stored = copy.deepcopy(model).to(torch.bfloat16)
        stored.save_pretrained(part)
        processor.save_pretrained(part)
        _stock_names(part)
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
