"""Folded repairs: a saved checkpoint answers as the repaired model, in plain transformers and without this package."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModelForImageTextToText

from backsight import repairs, stimuli
from backsight.errors import CannotAnswer, ModelError, StudyError, UsageError
from backsight.models import additions
from backsight.models.contract_parts import examples
from backsight.models.opening import load
from backsight.models.projectors import last_layer
from backsight.models.prompts import Batch
from backsight.models.sites import Edit, SiteName
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs import Affine, Amplified, Fitted, baking
from backsight.training.questions import corpus
from backsight.training.saving import save
from tests.conftest import no_space

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "paligemma", "gemma3")
WIDTH = 64


@dataclass(frozen=True, eq=False)
class Mapped(Fitted):
    """Any affine map of the image embeddings."""

    name: ClassVar[str] = "mapped"
    sites: ClassVar[tuple[SiteName, ...]] = ("image_embeds",)

    matrix: Tensor
    shift: Tensor

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        return (Edit("image_embeds", Affine(self.matrix, self.shift)),)

    def control(self, seed: int) -> Fitted:
        return self

    def affine(self, width: int) -> Affine:
        return Affine(self.matrix, self.shift)


@dataclass(frozen=True, eq=False)
class Clipped(Mapped):
    """A change of an embedding that depends on its own length."""

    name: ClassVar[str] = "clipped"

    def affine(self, width: int) -> None:  # type: ignore[override]
        return None


@dataclass(frozen=True, eq=False)
class Scored(Clipped):
    """A repair of the attention."""

    name: ClassVar[str] = "scored"
    sites: ClassVar[tuple[SiteName, ...]] = ("scores",)


def mapped(*, shift: bool = True, seed: int = 0) -> Mapped:
    """A map without symmetry, so that a transposed one would be seen."""
    generator = torch.Generator().manual_seed(seed)
    matrix = torch.eye(WIDTH) + 0.3 * torch.randn(WIDTH, WIDTH, generator=generator)
    return Mapped(matrix, 2.0 * shift * torch.randn(WIDTH, generator=generator))


def amplification(form: str, width: int = WIDTH) -> Amplified:
    return Amplified(torch.randn(6, width, generator=torch.Generator().manual_seed(3)), 4.0, form)  # type: ignore[arg-type]


def of(family: str) -> VLM:
    return VLM(*tiny(family, corpus()), name=f"tiny {family}", check=False)


def contents(folder: Path) -> dict[str, str]:
    return {str(p): hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.rglob("*")) if p.is_file()}


def called(folder: Path, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
    """Next-token logits of a checkpoint that transformers opens by itself, and its weights."""
    model = AutoModelForImageTextToText.from_pretrained(folder).eval()
    with torch.no_grad():
        return model(**batch.inputs).logits[:, -1], model.state_dict()


@pytest.mark.parametrize("family", FAMILIES)
def test_the_saved_model_answers_as_the_repaired_one(family: str, tmp_path: Path) -> None:
    """Each repair in each family, except where a shift has no bias to go into; the model itself is as it was."""
    vlm = of(family)
    batch = vlm.prepare(examples(vlm))
    before = {name: value.clone() for name, value in vlm.model.state_dict().items()}
    shifts = family != "gemma3"
    for number, fitted in enumerate((mapped(shift=shifts), amplification("printed" if shifts else "projected"))):
        with fitted.applied(vlm):
            repaired = vlm.forward(batch)
        assert (repaired - vlm.forward(batch)).abs().max() > 0.01  # or there is nothing to see
        folder = repairs.bake(vlm, fitted, tmp_path / str(number))
        logits, stored = called(folder, batch)
        torch.testing.assert_close(logits, repaired, atol=1e-4, rtol=0)
        changed = [name for name, value in stored.items() if not torch.equal(value, before[name])]
        assert changed and all(name.startswith(str(vlm.family.projector)) for name in changed)
        assert all(torch.equal(value, before[name]) for name, value in vlm.model.state_dict().items())


def test_a_shift_needs_a_bias(tmp_path: Path) -> None:
    vlm = of("gemma3")
    for fitted in (mapped(), amplification("printed")):
        with pytest.raises(CannotAnswer, match="has no bias") as caught:
            repairs.bake(vlm, fitted, tmp_path / "baked")
        assert "Gemma-3" in str(caught.value) and "form=projected" in str(caught.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "words"),
    [(Clipped, "more than one fixed affine map"), (Scored, "acts at scores when a question is asked")],
)
def test_a_repair_that_is_no_affine_map(kind: type[Clipped], words: str, tmp_path: Path) -> None:
    with pytest.raises(CannotAnswer, match="cannot be folded") as caught:
        repairs.bake(of("qwen2_vl"), kind(mapped().matrix, mapped().shift), tmp_path / "baked")
    assert kind.name in str(caught.value) and words in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_which_of_the_repairs_can_be_folded(tiny_vlm: VLM, tmp_path: Path) -> None:
    """Amplification, and a fixed rescale without a clip; the others are refused, with what they are."""
    others: tuple[Fitted, ...] = (
        repairs.AdaptedAttention(0.4, 0.5, 1.5), repairs.ScaledAttention(1.5), repairs.Voted(),
        repairs.AttendedBoxes(1.0), repairs.Rescaled(3.0, 2.0), repairs.Rescaled(3.0, 2.0, "fixed", 4.0),
        repairs.Rescaled(3.0, 2.0, "fixed").control(0), repairs.Inserted(torch.ones(4, 8), 2, 2, 0),
    )  # fmt: skip
    assert {one.name for one in others} | {"amplification"} == repairs.FITTED.keys()
    for one in others:
        with pytest.raises(CannotAnswer, match=f"{one.name}: it ") as caught:
            repairs.bake(tiny_vlm, one, tmp_path / one.name)
        assert ("--set mode=fixed --set clip=false" in str(caught.value)) == isinstance(one, repairs.Rescaled)
    fitted = repairs.NormRescale("fixed", clip=False).fit(tiny_vlm, stimuli.build("squares", tiny_vlm.grid).limit(8))
    batch = tiny_vlm.prepare(examples(tiny_vlm))
    with fitted.applied(tiny_vlm):
        repaired = tiny_vlm.forward(batch)
    logits, _ = called(repairs.bake(tiny_vlm, fitted, tmp_path / "fixed"), batch)
    torch.testing.assert_close(logits, repaired, atol=1e-4, rtol=0)
    assert {path.name for path in tmp_path.iterdir()} == {"fixed"}


def test_a_family_without_a_linear_last_layer(tmp_path: Path) -> None:
    vlm = of("qwen2_vl")
    for path, words in ((None, "No linear layer is known"), ("model.visual.merger.nothing", "nothing is there"),
                        ("model.visual.merger.mlp.1", "GELU"), ("model.visual.merger.ln_q", "LayerNorm")):  # fmt: skip
        vlm.family = replace(vlm.family, projector=path)
        with pytest.raises(CannotAnswer) as caught:
            repairs.bake(vlm, mapped(), tmp_path / "baked")
        assert words in str(caught.value)
    assert not list(tmp_path.iterdir())


def test_a_layer_with_something_behind_it_is_noticed(tmp_path: Path) -> None:
    """A family that names the first layer of the projector: the folded model is another one than the repaired."""
    vlm = of("qwen2_vl")
    layer = vlm.model.model.visual.merger.mlp
    layer[0] = nn.Linear(layer[0].in_features, WIDTH)
    layer[2] = nn.Linear(WIDTH, WIDTH)
    vlm.model.requires_grad_(False)
    vlm.family = replace(vlm.family, projector="model.visual.merger.mlp.0")
    kept = layer[0].weight.clone()
    with pytest.raises(ModelError, match="does not answer as the repaired one"):
        repairs.bake(vlm, mapped(), tmp_path / "baked")
    assert torch.equal(layer[0].weight, kept)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("family", FAMILIES)
def test_the_last_layer_gives_the_image_embeddings(family: str) -> None:
    """Doubled, it doubles them: nothing stands behind it, whatever the release of transformers."""
    vlm = of(family)
    inputs = vlm.family.taken(vlm.prepare(examples(vlm)).inputs)
    layer = last_layer(vlm.model, vlm.family)
    assert layer.width == WIDTH and (layer.bias is None) == (family == "gemma3")
    with torch.no_grad():
        before = vlm.family.features(vlm.model, inputs)
        layer.weight.mul_(2)
        if layer.bias is not None:
            layer.bias.mul_(2)
        torch.testing.assert_close(vlm.family.features(vlm.model, inputs), 2 * before)


def test_the_source_is_not_altered_and_its_processor_is_copied(tiny_checkpoint: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_checkpoint, tmp_path / "source"))
    (source / "LICENSE").write_text("terms")
    (source / "README.md").write_text("its own card")
    (source / "notes.bin").write_text("not of a checkpoint")
    before = contents(source)
    vlm = load(source, device="cpu")
    folder = repairs.bake(vlm, mapped(), tmp_path / "baked", fitted_on="24 questions of squares")
    assert contents(source) == before
    same = ("processor_config.json", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "LICENSE")
    assert all((folder / name).read_bytes() == (source / name).read_bytes() for name in same)
    assert not (folder / "notes.bin").exists()
    assert json.loads((folder / "config.json").read_text())["dtype"] == "float32"
    card = (folder / "README.md").read_text()
    assert card.startswith("# source, with mapped folded in") and str(tmp_path) not in card
    assert "24 questions of squares" in card and "model.visual.merger.mlp.2" in card
    assert {value.dtype for value in load_file(folder / "model.safetensors").values()} == {torch.float32}


def test_the_card_says_what_plain_transformers_leaves_out(tmp_path: Path) -> None:
    """Of a model that carries an addition; the folder opens with it, and plain transformers without."""
    model, processor = tiny("gemma3", corpus())
    mapped = Mapped(0.5 * torch.eye(WIDTH), torch.zeros(WIDTH))
    plain = baking.bake(VLM(model, processor, check=False), mapped, tmp_path / "plain")
    whole = "Plain transformers opens this folder as any checkpoint."
    assert whole in (plain / "README.md").read_text() and "leaves out" not in (plain / "README.md").read_text()
    heads = model.config.vision_config.num_attention_heads
    additions.add(model, {"offsets": additions.RelativeBias(reach=3, heads=heads)})
    card = (baking.bake(VLM(model, processor, check=False), mapped, tmp_path / "more") / "README.md").read_text()
    assert "leaves out what the model carries beside its architecture: offsets (relative_bias)" in card
    assert whole not in card
    assert additions.carried(load(tmp_path / "more", check=False).model.config)


def test_folders_that_a_checkpoint_cannot_be_written_to(tiny_checkpoint: Path, tmp_path: Path) -> None:
    source = Path(shutil.copytree(tiny_checkpoint, tmp_path / "source"))
    vlm = load(source, device="cpu", check=False)
    os.symlink(source, tmp_path / "link")
    (tmp_path / "file").write_text("")
    before = contents(tmp_path)
    for place in (source, tmp_path / "link", source / "inside", tmp_path / "x" / ".." / "source"):
        with pytest.raises(UsageError, match="the model's own folder"):
            repairs.bake(vlm, mapped(), place)
    for place in (tmp_path, tmp_path / "file"):
        with pytest.raises(UsageError, match="The place to write to is taken"):
            repairs.bake(vlm, mapped(), place)
    assert contents(tmp_path) == before
    (tmp_path / "empty").mkdir()
    assert (repairs.bake(vlm, mapped(), tmp_path / "empty") / "config.json").is_file()


def test_a_full_disk_leaves_nothing(tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    vlm = load(tiny_checkpoint, device="cpu", check=False)
    kept = vlm.model.model.visual.merger.mlp[2].weight.clone()
    monkeypatch.setattr(shutil, "copyfile", no_space)  # after the weights
    with pytest.raises(StudyError, match="cannot be written"):
        repairs.bake(vlm, mapped(), tmp_path / "baked")
    assert not list(tmp_path.iterdir())
    assert torch.equal(vlm.model.model.visual.merger.mlp[2].weight, kept)


def test_weights_are_folded_in_float32_only(tiny_checkpoint: Path, tmp_path: Path) -> None:
    vlm = load(tiny_checkpoint, dtype="bfloat16", device="cpu", check=False)
    with pytest.raises(UsageError, match="in float32"):
        repairs.bake(vlm, mapped(), tmp_path / "baked")


def test_a_folder_that_is_there_is_told_by_save_as_well(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a").write_text("")
    with pytest.raises(UsageError, match="is there already"):
        save(*tiny("qwen2_vl", corpus()), tmp_path / "full")


def test_what_a_repair_is_that_is_said_to_be_affine() -> None:
    """Both forms of amplification as a map: the one by their own function, row by row."""
    states = torch.randn(5, WIDTH, generator=torch.Generator().manual_seed(1))
    for form in ("projected", "printed"):
        fitted = amplification(form)
        torch.testing.assert_close(baking.affine(fitted, WIDTH)(states), fitted(states), atol=1e-4, rtol=1e-4)
