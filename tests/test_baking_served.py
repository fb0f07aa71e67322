"""Folded repairs as a user has them: by the command, and served by a fresh process that has no such package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from backsight import repairs, stimuli
from backsight.models.contract_parts import examples
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.repairs import Fitted
from tests.conftest import Command
from tests.test_baking import amplification, called, mapped, of


@pytest.fixture
def fitted(tiny_vlm: VLM, tmp_path: Path) -> Path:
    return repairs.save(amplification("printed"), tmp_path / "r", tiny_vlm, stimuli.squares().limit(8))


def test_the_command(command: Command, tiny_checkpoint: Path, tiny_vlm: VLM, fitted: Path, tmp_path: Path) -> None:
    code, out, err = command("repair", "bake", tiny_checkpoint, "--repair", fitted, "--out", tmp_path / "baked")
    assert (code, out) == (0, f"{tmp_path / 'baked'}\n"), err
    batch = tiny_vlm.prepare(examples(tiny_vlm))
    with amplification("printed").applied(tiny_vlm):
        repaired = tiny_vlm.forward(batch)
    torch.testing.assert_close(called(tmp_path / "baked", batch)[0], repaired, atol=1e-4, rtol=0)
    assert "8 questions of squares" in (tmp_path / "baked" / "README.md").read_text()


def test_a_baked_model_is_another_model(command: Command, tiny_checkpoint: Path, fitted: Path, tmp_path: Path) -> None:
    """The repair is not folded in twice, unless it is asked for."""
    again = ("--repair", fitted, "--out", tmp_path / "twice")
    assert command("repair", "bake", tiny_checkpoint, "--repair", fitted, "--out", tmp_path / "once").code == 0
    code, _, err = command("repair", "bake", tmp_path / "once", *again)
    assert code == 2 and "fitted on another model" in err and not (tmp_path / "twice").exists()
    assert command("repair", "bake", tmp_path / "once", *again, "--any-model").code == 0


def test_wrong_use_of_bake(command: Command, tiny_checkpoint: Path, fitted: Path, tmp_path: Path) -> None:
    whole, out = fitted.read_bytes(), tmp_path / "out"
    (tmp_path / "cut").write_bytes(whole[:-1])

    def refused(expected: int, words: str, *arguments: object) -> None:
        code, printed, err = command("repair", "bake", *arguments)
        assert (code, printed) == (expected, "") and words in err, err
        assert err.count("  do:") == 1 and not out.exists()

    refused(2, "There is no such file", tiny_checkpoint, "--repair", tmp_path / "no", "--out", out)
    refused(2, "This is a folder", tiny_checkpoint, "--repair", tmp_path, "--out", out)
    refused(3, "damaged", tiny_checkpoint, "--repair", tmp_path / "cut", "--out", out)
    refused(2, "own folder", tiny_checkpoint, "--repair", fitted, "--out", tiny_checkpoint)
    refused(2, "is taken", tiny_checkpoint, "--repair", fitted, "--out", tmp_path)
    refused(2, "no built-in model", "builtin:none", "--repair", fitted, "--out", out)
    refused(2, "no such checkpoint folder", tmp_path / "none", "--repair", fitted, "--out", out)
    refused(2, "another width", "builtin:plain", "--repair", fitted, "--out", out)
    refused(2, "another width", "builtin:plain", "--repair", fitted, "--out", out, "--any-model")


SERVE = """
import json, sys
from pathlib import Path

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "backsight":
            raise ImportError("this package is not here")

sys.meta_path.insert(0, Absent())
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers import AutoModelForImageTextToText, AutoProcessor

for folder in map(Path, sys.argv[1:]):
    model = AutoModelForImageTextToText.from_pretrained(folder / "baked").eval()
    if (folder / "prompt.txt").exists():
        processor = AutoProcessor.from_pretrained(folder / "baked")
        picture = Image.open(folder / "picture.png").convert("RGB")
        text = (folder / "prompt.txt").read_text()
        inputs = dict(processor(text=text, images=picture, return_tensors="pt"))
        inputs.pop("labels", None)
    else:
        inputs = load_file(folder / "inputs.safetensors")
    with torch.no_grad():
        logits = model(**inputs).logits[:, -1].contiguous()
        text = model.generate(**inputs, max_new_tokens=3, do_sample=False)[:, inputs["input_ids"].shape[1]:]
    save_file({"logits": logits, "new": text.contiguous()}, folder / "answer.safetensors")
assert not [name for name in sys.modules if name.split(".")[0] == "backsight"]
"""


def served(folder: Path, vlm: VLM, repair: Fitted, *, stock: bool) -> tuple[Tensor, Tensor]:
    """What a fresh process will answer from, and the repaired model's logits and new tokens."""
    folder.mkdir()
    repairs.bake(vlm, repair, folder / "baked")
    example = stimuli.squares(vlm.grid)[0] if vlm.origin else examples(vlm)[0]
    batch = vlm.prepare([example])
    if stock:  # elsewhere than here the others have theirs, too: they need torchvision
        example.picture.open().save(folder / "picture.png")
        (folder / "prompt.txt").write_text(vlm.prompter.text(example.question, example.system))
    else:
        save_file({name: value.contiguous() for name, value in batch.inputs.items()}, folder / "inputs.safetensors")
    plain = vlm.forward(batch)
    with repair.applied(vlm):
        new = vlm.model.generate(**batch.inputs, max_new_tokens=3, do_sample=False)[:, batch.input_ids.shape[1] :]
        repaired = vlm.forward(batch)
    assert (repaired - plain).abs().max() > 0.01  # or there is nothing to see
    return repaired, new


@pytest.mark.slow
def test_a_fresh_process_without_this_package_answers_as_the_repaired_model(tmp_path: Path) -> None:
    """A trained model on its own tensors, and one with a stock processor, from a PNG file and a text."""
    plain = load("builtin:plain", device="cpu", check=False)
    rows = stimuli.build("jittered_squares", plain.grid).limit(48)
    trained = repairs.Amplification(alpha=4.0).fit(plain, rows)
    expected: dict[str, Any] = {
        "plain": served(tmp_path / "plain", plain, trained, stock=False),
        "paligemma": served(tmp_path / "paligemma", of("paligemma"), mapped(), stock=True),
    }
    script = tmp_path / "serve.py"
    script.write_text(SERVE)
    folders = [str(tmp_path / name) for name in expected]
    done = subprocess.run([sys.executable, "-I", str(script), *folders], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for name, (logits, new) in expected.items():
        answer = load_file(tmp_path / name / "answer.safetensors")
        torch.testing.assert_close(answer["logits"], logits, atol=1e-4, rtol=0)
        assert torch.equal(answer["new"], new)
