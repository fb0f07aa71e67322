"""Checkpoints that cannot be opened: the message says what, where, got and do; nothing is opened in part."""

from __future__ import annotations

import ast
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from backsight.errors import EditError, ModelError, StudyError, UsageError
from backsight.models import contracts, hub, opening
from backsight.models.families import FAMILIES
from backsight.models.findings import Finding
from backsight.models.opening import load, locate
from backsight.models.prompts import Prompter
from backsight.models.sites import Parts
from backsight.training.saving import save
from tests.conftest import Command, no_space

Damage = Callable[[Path], object]


def change(name: str, **values: Any) -> Damage:
    """Change values of a JSON file; None takes one away."""

    def apply(folder: Path) -> None:
        data = json.loads((folder / name).read_text()) | values
        (folder / name).write_text(json.dumps({k: v for k, v in data.items() if v is not None}))

    return apply


def weights(edit: Callable[[dict[str, torch.Tensor]], object]) -> Damage:
    """Change the tensors of a checkpoint."""

    def apply(folder: Path) -> None:
        path = folder / "model.safetensors"
        tensors = load_file(path)
        edit(tensors)
        save_file(tensors, path, metadata={"format": "pt"})

    return apply


def cut(name: str) -> Damage:
    """Keep the first half of a file."""

    def apply(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: len(data) // 2])

    return apply


def without(*names: str) -> Damage:
    """Take files away."""
    return lambda folder: [(folder / name).unlink() for name in names]


NORM = "model.norm.weight"
DAMAGED: dict[str, tuple[Damage, str, str, str]] = {
    "architecture": (change("config.json", model_type="llava"), "This architecture is not supported", "llava",
                     "Qwen2-VL (qwen2_vl), Qwen2.5-VL (qwen2_5_vl), Qwen3-VL (qwen3_vl), Gemma-3 (gemma3), PaliGemma"),
    "unknown architecture": (change("config.json", model_type="no_such"), "This architecture is not supported",
                             "no_such", "supported: Qwen2-VL (qwen2_vl)"),
    "no architecture": (change("config.json", model_type=None), "This architecture is not supported", "no model_type",
                        "supported: Qwen2-VL"),
    "config not JSON": (cut("config.json"), "A file of the checkpoint is damaged", "line", "download it again"),
    "config of nonsense": (change("config.json", text_config="x"), "The checkpoint's configuration cannot be read",
                           "", "save or download the checkpoint again"),
    "no tokenizer": (without("tokenizer.json", "tokenizer_config.json"),
                     "The checkpoint's tokenizer is empty", "none for 'left right'", "processor.save_pretrained"),
    "no image processor": (without("processor_config.json"), "The checkpoint has no processor that can be opened",
                           "", "processor.save_pretrained"),
    "no chat template": (without("chat_template.jinja"), "The checkpoint's chat template is missing", "chat_template",
                         "save chat_template.jinja beside the weights"),
    "bad chat template": (lambda f: (f / "chat_template.jinja").write_text("{% for %}"),
                          "The checkpoint's chat template is missing or cannot be filled in", "", "chat_template"),
    "damaged tokenizer": (cut("tokenizer.json"), "A file of the checkpoint is damaged", "", "download it again"),
    "no weights": (without("model.safetensors"), "The checkpoint's weights cannot be loaded", "model.safetensors",
                   "the weights must be safetensors"),
    "damaged weights": (cut("model.safetensors"), "A weights file is damaged", "", "download it again"),
    "weights of nonsense": (lambda f: (f / "model.safetensors").write_bytes(b"x" * 64), "A weights file is damaged",
                            "", "download it again"),
    "missing weights": (weights(lambda t: t.pop(NORM)), "The weights do not fit the configuration",
                        "1 missing, such as model.language_model.norm.weight", "a partly random model"),
    "unexpected weights": (weights(lambda t: t.update(new=torch.ones(2))), "The weights do not fit the configuration",
                           "1 unexpected, such as new", "save the whole model again"),
    "weights of another shape": (weights(lambda t: t.update({NORM: torch.ones(3)})), "weights", "", "again"),
    "other patches": (change("processor_config.json", image_processor={
        "image_processor_type": "Qwen2VLImageProcessor", "patch_size": 16, "merge_size": 2, "temporal_patch_size": 2,
        "size": {"shortest_edge": 36864, "longest_edge": 36864},
    }), "The model cannot be run on what its processor makes of a picture", "", "must be of one checkpoint"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGED)
def test_a_checkpoint_that_cannot_be_opened(copied: Path, case: str) -> None:
    damage, what, got, do = DAMAGED[case]
    damage(copied)
    with pytest.raises(ModelError) as caught:
        load(copied, device="cpu")
    error = caught.value
    assert what in error.what
    assert str(copied) in str(error.where)
    assert error.got is not None and got in str(error.got)
    assert do in (error.do or "")
    assert str(error).count("\n") == 3  # what, where, got, do; each one line


@pytest.mark.parametrize(
    ("name", "what", "got"),
    [
        ("builtin:no-such", "There is no built-in model of this name", "builtin:no-such"),
        ("./no/such/folder", "There is no such checkpoint folder", "nothing is there"),
        ("/dev/null", "There is no such checkpoint folder", "a file"),
        ("", "There is no such checkpoint folder", "an empty name"),
        ("~no-such-user/model", "There is no such checkpoint folder", "home directory"),
        ("a" * 5000, "There is no such checkpoint folder", "too long"),
    ],
)
def test_an_unknown_model(name: str, what: str, got: str) -> None:
    with pytest.raises(UsageError) as caught:
        locate(name)
    assert caught.value.what == what
    assert got in str(caught.value.got)
    assert "builtin" in (caught.value.do or "")


def test_a_folder_without_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="This folder holds no checkpoint") as caught:
        load(tmp_path)
    assert (caught.value.where, caught.value.got) == (tmp_path, "no config.json")


def test_an_adapter_folder_is_named_as_one(tmp_path: Path) -> None:
    (tmp_path / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "Qwen/Qwen2-VL-2B-Instruct"}))
    (tmp_path / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(UsageError, match="This folder holds an adapter, not a model") as caught:
        load(tmp_path)
    assert caught.value.got == "adapter_config.json, for the base Qwen/Qwen2-VL-2B-Instruct"
    assert "merge_and_unload().save_pretrained(new)" in (caught.value.do or "")
    (tmp_path / "config.json").write_text("{}")  # written beside it by some trainers
    (tmp_path / "adapter_config.json").write_text("[]")
    with pytest.raises(UsageError, match="an adapter") as caught:
        locate(str(tmp_path))
    assert caught.value.got == "adapter_config.json, for the base that it does not name"


def test_a_merged_model_beside_its_adapter_is_a_model(copied: Path) -> None:
    (copied / "adapter_config.json").write_text("{}")
    assert locate(str(copied)) == copied


@pytest.mark.parametrize("kind", [ValueError, IndexError, RuntimeError])
def test_an_error_of_the_package_itself_is_not_blamed_on_the_checkpoint(
    tiny_checkpoint: Path, kind: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether in a contract, or on the way to the first call of the model."""

    def wrong(*_: object, **__: object) -> None:
        raise kind("a slip of ours")

    for owner, name in ((contracts, "parity"), (Prompter, "grid"), (Parts, "of")):
        with monkeypatch.context() as patched:
            patched.setattr(owner, name, wrong)
            patched.setattr(opening, "_is_own", lambda error: "slip" in str(error))  # these lines stand in a test
            with pytest.raises(kind, match="a slip of ours"):
                load(tiny_checkpoint, device="cpu")


def test_an_error_is_told_by_the_line_that_raised_it() -> None:
    for raising, own in (
        (lambda: Parts.of(None, FAMILIES["gemma3"]), True),
        (lambda: torch.nn.Linear(2, 2)(torch.ones(3)), False),
    ):
        with pytest.raises((AttributeError, RuntimeError)) as caught:
            raising()
        assert opening._is_own(caught.value) is own


def test_what_a_library_raises_in_the_first_call_is_told_of_the_checkpoint(
    tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raising(*_: object, **__: object) -> None:
        torch.nn.Linear(2, 2)(torch.ones(3))

    monkeypatch.setattr("transformers.Qwen2VLForConditionalGeneration.forward", raising)
    with pytest.raises(ModelError, match="The model cannot be run on what its processor makes") as caught:
        load(tiny_checkpoint, device="cpu")
    assert caught.value.where == str(tiny_checkpoint)


def test_a_hub_that_cannot_be_reached_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    assert hub.reachable(2.0) is False
    with pytest.raises(UsageError) as caught:
        load("nobody/no-such-model", device="cpu")
    error = caught.value
    assert (error.what, error.where) == ("The model cannot be found", "nobody/no-such-model")
    assert error.got == "the Hugging Face hub cannot be reached, and the local cache has no such model"
    assert error.do == "give a checkpoint folder, a Hugging Face id that can be reached from here, or builtin:plain"


def test_a_hub_that_never_answers_does_not_hold_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import threading
    import time

    monkeypatch.setattr(hub.constants, "HF_HUB_OFFLINE", False)
    never = threading.Event()
    monkeypatch.setattr(hub, "_answers", lambda address, seconds: never.wait(60))
    start = time.monotonic()
    assert hub.reachable(0.2) is False
    assert time.monotonic() - start < 5
    never.set()


@pytest.mark.parametrize(("device", "got"), [("nonsense", "nonsense"), ("meta", "computes nothing"), ("cpu:x", "")])
def test_a_device_that_is_not_there(tiny_checkpoint: Path, device: str, got: str) -> None:
    with pytest.raises(UsageError, match="There is no such device on this machine") as caught:
        load(tiny_checkpoint, device=device)
    assert got in str(caught.value.got)
    assert (caught.value.do or "").startswith("choose from: cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_a_gpu_that_is_not_there(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    for device in ("cuda", "cuda:3"):
        code, _, err = command("study", tiny_checkpoint, "--device", device, "--out", tmp_path / "out")
        assert code == 2
        assert "There is no such device on this machine" in err and "choose from: cpu" in err
    assert not (tmp_path / "out").exists()


def test_other_options_of_loading(tiny_checkpoint: Path, tiny_gemma: Path) -> None:
    with pytest.raises(UsageError, match="There is no such dtype") as caught:
        load(tiny_checkpoint, dtype="int8")
    assert (caught.value.got, caught.value.do) == ("int8", "choose from: float32, bfloat16, float16")
    with pytest.raises(UsageError, match="This family takes pictures of one size only") as caught:
        load(tiny_gemma, device="cpu", max_pixels=100_000)
    assert caught.value.got == "--max-pixels 100000"
    for few in (10, -1, 0):
        with pytest.raises(UsageError, match="fewer than 6 x 6 image tokens") as caught:
            load(tiny_checkpoint, device="cpu", max_pixels=few)
        assert (caught.value.got, caught.value.do) == (few, "give at least 28224")


def test_a_model_that_does_not_fit_into_memory(tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(torch.nn.Module, "to", full)
    with pytest.raises(ModelError, match="The model does not fit into the memory of the device") as caught:
        load(tiny_checkpoint, device="cpu")
    assert (caught.value.where, caught.value.got) == (str(tiny_checkpoint), "cpu: CUDA out of memory.")
    assert caught.value.do == "give another --device, --dtype bfloat16 or --max-pixels"


def test_a_checkpoint_is_saved_whole_or_not_at_all(tiny_vlm: Any, tmp_path: Path, monkeypatch: Any) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    with pytest.raises(UsageError, match="The folder for the checkpoint is there already"):
        save(tiny_vlm.model, tiny_vlm.processor, tmp_path)
    (tmp_path / "kept.txt").unlink()
    monkeypatch.setattr(type(tiny_vlm.processor), "save_pretrained", no_space)
    with pytest.raises(StudyError, match="The checkpoint cannot be written") as caught:
        save(tiny_vlm.model, tiny_vlm.processor, tmp_path / "new")
    assert (caught.value.where, caught.value.got) == (tmp_path / "new", "No space left on device")
    assert list(tmp_path.iterdir()) == []


AT_LOAD = (
    "contracts", "contract_parts", "generation_contract", "grid_contract", "opening", "processors", "prompts", "vlm",
    "seam", "hub", "blocks", "families/__init__", "families/common",
)  # fmt: skip
OWN_WORDS = {"ContractError", "ModelError", "UsageError"}


def raised(path: Path) -> list[tuple[str, int, ast.Call]]:
    """Every error of the package's own that the lines of a file raise."""
    calls = (node.exc for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Raise))
    return [
        (path.name, call.lineno, call)
        for call in calls
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id in OWN_WORDS
    ]


def test_whatever_is_refused_at_load_says_what_to_do() -> None:
    """Every raise of the files that opening a model runs through."""
    package = Path(opening.__file__).parent
    sites = [site for name in AT_LOAD for site in raised(package / f"{name}.py")]
    assert len(sites) > 25
    silent = [f"{name}:{line}" for name, line, call in sites if "do" not in {k.arg for k in call.keywords}]
    assert silent == []


def test_whatever_a_contract_finds_says_what_to_do(tiny_vlm: Any) -> None:
    """A contract that fails or is not decided; one that passes has nothing to say."""
    for passed, warning in ((False, False), (True, True)):
        finding = contracts._run(tiny_vlm, "x", lambda p=passed, w=warning: Finding("x", p, "it is", w))  # type: ignore[misc]
        assert "docs/extending.md" in finding.do and "backsight doctor" in finding.do
    assert contracts._run(tiny_vlm, "x", lambda: Finding("x", True, "it is")).do == ""
    assert contracts._run(tiny_vlm, "x", lambda: Finding("x", False, "it is", do="read")).do == "read"

    def lost() -> Finding:
        raise EditError("An edit never applied", do="check its positions")

    assert contracts._run(tiny_vlm, "x", lost) == Finding("x", False, "An edit never applied", do="check its positions")


def test_another_release_and_another_dtype_are_named_where_a_contract_fails(
    tiny_vlm: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "float32" not in contracts.advice(tiny_vlm) and "pip install" not in contracts.advice(tiny_vlm)
    monkeypatch.setattr(contracts.releases, "installed", lambda: "5.31.0")
    assert contracts.advice(tiny_vlm).startswith("install a release of transformers that was tested (pip install")
    monkeypatch.setattr(type(tiny_vlm), "dtype", torch.bfloat16)
    assert "open the model in float32" in contracts.advice(tiny_vlm)


def test_a_warning_at_load_reaches_the_command_line(
    command: Command, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undecided = Finding("the token grid is right", True, "36 cells do not tell", warning=True, do="look twice")
    monkeypatch.setattr(contracts, "grid", lambda vlm: undecided)
    code, _, err = command("study", tiny_checkpoint, "--only", "no-such", "--out", tiny_checkpoint.parent / "no")
    assert code == 2
    assert "warning: A contract is not decided: the token grid is right" in err and "do:    look twice" in err
    code, out, _ = command("doctor", tiny_checkpoint)
    assert code == 0 and "warning" in out and "do: look twice" in out


def test_a_fingerprint_follows_every_file(copied: Path, tiny_vlm: Any, tmp_path: Path) -> None:
    again = load(copied, device="cpu")
    assert again.fingerprint == tiny_vlm.fingerprint
    moved = Path(shutil.copytree(copied, tmp_path / "moved"))
    weights(lambda t: t.update({NORM: t[NORM] * 2}))(moved)
    assert load(moved, device="cpu").fingerprint != tiny_vlm.fingerprint
