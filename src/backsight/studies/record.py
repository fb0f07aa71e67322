"""What a study's record says of the model and of the machine."""

from __future__ import annotations

import os
import platform
import resource
import sys
from typing import Any

import torch

from backsight.models.families.common import CHAT
from backsight.models.vlm import VLM


def describe_model(vlm: VLM, dtype: str | None = None) -> dict[str, Any]:
    """What a reader must know of a model."""
    grid = vlm.grid
    reason = "as asked" if dtype else "the default on a CPU" if vlm.device.type == "cpu" else "the checkpoint's own"
    return {
        "name": vlm.name,
        "family": vlm.family.name,
        "fingerprint": vlm.fingerprint,
        "parameters": vlm.n_parameters,
        "layers": vlm.n_layers,
        "grid": {"rows": grid.rows, "columns": grid.columns, "cell": list(grid.cell)},
        "dtype": str(vlm.dtype).removeprefix("torch."),
        "dtype_reason": reason,
        "device": str(vlm.device),
        "attention": vlm.attention,
        "chat": vlm.family.can(CHAT),
    }


def machine() -> dict[str, Any]:
    """Hardware and the peak of memory so far, in MiB."""
    unit = 1024 if sys.platform == "linux" else 1024 * 1024
    found: dict[str, Any] = {
        "cpu": platform.machine(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "memory_peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit),
    }
    if torch.cuda.is_available():
        found["gpu"] = torch.cuda.get_device_name()
        found["gpu_memory_peak_mib"] = round(torch.cuda.max_memory_allocated() / 2**20)
    return found
