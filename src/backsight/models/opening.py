"""Opening a checkpoint: a Hugging Face id, a local folder, or a built-in model; all by one path, contracts included.

Only safetensors are read and no remote code is run. A checkpoint with missing or unexpected weights is refused: a
model that is partly random answers, too.
"""

from __future__ import annotations

import json
import traceback
from importlib import resources
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
import transformers
from huggingface_hub import snapshot_download
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForImageTextToText, PretrainedConfig

from backsight.errors import ModelError, UsageError
from backsight.models import additions, contracts, hub
from backsight.models.families import Family, family_of
from backsight.models.families.common import CHAT, LACKING, VARIABLE_SIZE
from backsight.models.processors import check_template, load_processor
from backsight.models.vlm import VLM

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
    target = device_named(device)
    wanted = _dtype(dtype, target)
    folder = locate(name)
    where = str(folder) if folder is not None else name
    if folder is not None:
        _refuse_damaged(folder)
    local = folder is not None or not hub.reachable()
    row = _family(where, family, hub_is_away=local and folder is None)
    stock = getattr(transformers, row.stock_processor) if row.stock_processor else None
    processor = load_processor(where, stock, local=local)
    if row.can(CHAT):
        check_template(processor, where)
    if max_pixels is not None:
        _limit_pixels(processor, row, max_pixels)
    model = _weights(where, wanted, attention, local)
    try:
        vlm = VLM(model.to(target), processor, name=name, family=row, check=False, origin=folder)
        if check:
            vlm.prove(_first_call(vlm, where))
    except torch.OutOfMemoryError as error:
        raise ModelError(
            "The model does not fit into the memory of the device",
            where=where,
            got=f"{target}: {_first_line(error)}",
            do="give another --device, --dtype bfloat16 or --max-pixels",
        ) from error
    return vlm


def _first_call(vlm: VLM, where: str) -> contracts.FirstCall:
    """The first call of a checkpoint's model; ModelError where the libraries cannot run it on what its processor makes.

    An error that the seam's own lines raise is no fault of the checkpoint and stays what it is.
    """
    try:
        return contracts.first_call(vlm)
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, ValueError, IndexError) as error:
        if _is_own(error):
            raise
        raise ModelError(
            "The model cannot be run on what its processor makes of a picture and a question",
            where=where,
            got=_first_line(error),
            do="weights, configuration and processor must be of one checkpoint; save or download all of it again",
        ) from error


def _is_own(error: Exception) -> bool:
    """Whether an error was raised by a line of this package, not by a library that it called."""
    package = Path(str(resources.files("backsight")))
    return Path(traceback.extract_tb(error.__traceback__)[-1].filename).is_relative_to(package)


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
            choices = ", ".join(f"builtin:{k}" for k in known) or "none: run `backsight train plain`"
            raise UsageError("There is no built-in model of this name", got=name, do=f"choose from: {choices}")
        return root / name.removeprefix("builtin:")
    do = "give a folder, a Hugging Face id or builtin:plain"
    try:
        folder = Path(name).expanduser()
        there, is_folder = folder.exists(), folder.is_dir()
    except (OSError, RuntimeError, ValueError) as error:  # a folder above it is closed, a name too long, ~nobody
        raise UsageError("There is no such checkpoint folder", where=name, got=_first_line(error), do=do) from error
    if is_folder and name.strip():
        _refuse_adapter(folder)
        if not (folder / "config.json").is_file():
            raise UsageError(
                "This folder holds no checkpoint",
                where=folder,
                got="no config.json",
                do="give a folder that save_pretrained wrote (configuration, safetensors, processor)",
            )
        return folder
    if there or name.startswith((".", "/", "~")) or name.count("/") > 1 or not name.strip():
        got = "an empty name" if not name.strip() else "a file" if there else "nothing is there"
        raise UsageError("There is no such checkpoint folder", where=repr(name), got=got, do=do)
    return None


def _refuse_adapter(folder: Path) -> None:
    """UsageError for a folder that holds an adapter (LoRA and its like) and no model of its own."""
    path = folder / "adapter_config.json"
    if not path.is_file() or any(not p.name.startswith("adapter_") for p in folder.glob("*.safetensors")):
        return
    try:
        base = json.loads(path.read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError):
        base = None
    raise UsageError(
        "This folder holds an adapter, not a model",
        where=folder,
        got=f"adapter_config.json, for the base {base or 'that it does not name'}",
        do="merge it into its base and give the merged folder: PeftModel.from_pretrained(base, folder)"
        ".merge_and_unload().save_pretrained(new), and processor.save_pretrained(new)",
    )


def _refuse_damaged(folder: Path) -> None:
    """ModelError for a file of JSON that cannot be read; the libraries below name neither the file nor the reason."""
    for path in sorted(folder.glob("*.json")):
        try:
            json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ModelError(
                "A file of the checkpoint is damaged", where=path, got=error, do="save or download it again"
            ) from error


def _family(where: str, given: Family | None, *, hub_is_away: bool) -> Family:
    """A checkpoint's family, read before transformers makes anything of the configuration."""
    local = hub_is_away or Path(where).is_dir()
    try:
        raw, _ = PretrainedConfig.get_config_dict(where, local_files_only=local)
        kind = raw.get("model_type")
        family = given or family_of(SimpleNamespace(model_type=kind or "no model_type"))
        AutoConfig.from_pretrained(where, trust_remote_code=False, local_files_only=local)
    except ModelError as error:
        raise ModelError(error.what, where=where, got=error.got, do=error.do) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, StrictDataclassError) as error:
        if Path(where).is_dir():
            raise ModelError(
                "The checkpoint's configuration cannot be read",
                where=f"{where}/config.json",
                got=_first_line(error),
                do="save or download the checkpoint again",
            ) from error
        away = "the Hugging Face hub cannot be reached, and the local cache has no such model"
        raise UsageError(
            "The model cannot be found",
            where=where,
            got=away if hub_is_away else _first_line(error),
            do="give a checkpoint folder, a Hugging Face id that can be reached from here, or builtin:plain",
        ) from error
    return family


def _weights(where: str, dtype: torch.dtype | str, attention: str | None, local: bool) -> Any:
    options: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
    try:
        model, report = AutoModelForImageTextToText.from_pretrained(
            where, dtype=dtype, use_safetensors=True, trust_remote_code=False, output_loading_info=True,
            local_files_only=local, **options,
        )  # fmt: skip
    except SafetensorError as error:
        raise ModelError(
            "A weights file is damaged", where=where, got=_first_line(error), do="save or download it again"
        ) from error
    except (OSError, ValueError, RuntimeError, ImportError, KeyError, TypeError) as error:
        raise ModelError(
            "The checkpoint's weights cannot be loaded",
            where=where,
            got=_first_line(error),
            do="the weights must be safetensors that fit the configuration; download or save the checkpoint again",
        ) from error
    own = f"{additions.PLACE}." if additions.carried(model.config) else None
    wrong = {
        kind: sorted(key for key in map(str, report.get(kind) or ()) if own is None or not key.startswith(own))
        for kind in ("missing_keys", "unexpected_keys", "mismatched_keys")
    }
    if any(wrong.values()):
        faults = "; ".join(
            f"{len(keys)} {kind.split('_')[0]}, such as {keys[0]}" for kind, keys in wrong.items() if keys
        )
        raise ModelError(
            "The weights do not fit the configuration",
            where=where,
            got=faults,
            do="save the whole model again; a partly random model would answer, and mean nothing",
        )
    if own is not None:
        additions.restore(model, _files(where))
    return model


def _files(where: str) -> list[Path]:
    """The safetensors of a checkpoint whose weights are loaded already."""
    if Path(where).is_dir():
        return sorted(Path(where).glob("*.safetensors"))
    folder = snapshot_download(where, local_files_only=True, allow_patterns="*.safetensors")
    return sorted(Path(folder).glob("*.safetensors"))


def device_named(name: str | None) -> torch.device:
    """The device of that name, or a GPU where there is one; UsageError names the devices of this machine."""
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
        if device.type == "meta":
            raise RuntimeError("it computes nothing")
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        count = torch.cuda.device_count()
        known = ", ".join(["cpu", *(f"cuda:{i}" for i in range(count))])
        raise UsageError(
            "There is no such device on this machine", got=f"{name!r}: {_first_line(error)}", do=f"choose from: {known}"
        ) from error
    return device


def _dtype(name: str | None, device: torch.device) -> torch.dtype | str:
    if name is None:
        return torch.float32 if device.type == "cpu" else "auto"
    if name not in DTYPES:
        raise UsageError("There is no such dtype", got=name, do=f"choose from: {', '.join(DTYPES)}")
    return DTYPES[name]


def _limit_pixels(processor: Any, row: Family, limit: int) -> None:
    images = processor.image_processor
    if not row.can(VARIABLE_SIZE):
        raise UsageError(LACKING[VARIABLE_SIZE], got=f"--max-pixels {limit}", do="leave it out")
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
    return (str(error).strip() or type(error).__name__).split("\n")[0][:300]
