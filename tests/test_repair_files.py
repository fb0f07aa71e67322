"""Repairs as files: what is written is read, and what does not fit, was changed or is of another kind is refused."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from backsight import repairs, stimuli
from backsight.errors import DataError, UsageError
from backsight.models import fingerprints
from backsight.models.opening import load
from backsight.models.prompts import Batch
from backsight.models.sites import Edit
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs import Amplified, Fitted, files
from backsight.training.questions import corpus
from tests.conftest import Command, no_space

DEVELOPMENT = stimuli.squares().limit(24)
DIRECTIONS = torch.randn(6, 64, generator=torch.Generator().manual_seed(0))
REPAIR = Amplified(DIRECTIONS, 2.5, "printed")


@dataclass(frozen=True)
class Numbers(Fitted):
    """A repair of settings only, several of them in a tuple."""

    name: ClassVar[str] = "numbers"

    weights: tuple[float, ...]
    threshold: float | None = None

    def edits(self, vlm: VLM, batch: Batch | None) -> tuple[Edit, ...]:
        return ()

    def control(self, seed: int) -> Fitted:
        return self


@pytest.fixture
def path(tiny_vlm: VLM, tmp_path: Path) -> Path:
    """A repair that was fitted on the tiny checkpoint."""
    return repairs.save(REPAIR, tmp_path / "repair.safetensors", tiny_vlm, DEVELOPMENT)


def header(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        return dict(json.loads(file.metadata()["backsight_repair"]))


def rewritten(path: Path, *, honest: bool = True, tensors: dict[str, Tensor] | None = None, **changes: Any) -> Path:
    """The file with other header fields or tensors; `honest` with the digest of what it then holds."""
    with safe_open(path, "pt") as file:
        held = {name: file.get_tensor(name) for name in file.keys()} if tensors is None else tensors  # noqa: SIM118
    new = header(path) | changes
    if honest:
        new["digest"] = files._digest({k: v for k, v in new.items() if k != "digest"}, held)
    save_file(held, path, {"backsight_repair": json.dumps(new)})
    return path


def test_what_is_written_is_read(path: Path, tiny_vlm: VLM) -> None:
    for again in (repairs.load(path), repairs.load(path, tiny_vlm)):
        assert isinstance(again, Amplified)
        assert (again.alpha, again.form) == (2.5, "printed")
        assert torch.equal(again.directions, DIRECTIONS)
    stored = files.read(path)
    assert stored.development == {"name": "squares", "fingerprint": DEVELOPMENT.fingerprint, "questions": 24}
    assert stored.model == {
        "name": tiny_vlm.name, "weights": fingerprints.of_weights(tiny_vlm.model), "width": 64, "dtype": "float32"
    }  # fmt: skip
    assert header(path)["format"] == files.FORMAT
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", repairs.REPAIRS)
def test_each_repair_answers_from_its_file_as_it_was_fitted(name: str, tiny_vlm: VLM, tmp_path: Path) -> None:
    rows = stimuli.build("squares", tiny_vlm.grid).limit(16)
    short = {"pin": {"steps": 1, "batch": 2, "hidden": (8,)}}.get(name, {})
    fitted = repairs.REPAIRS[name](**short).fit(tiny_vlm, rows)  # type: ignore[arg-type]
    again = repairs.load(repairs.save(fitted, tmp_path / name, tiny_vlm, rows), tiny_vlm)
    assert type(again) is type(fitted) and again.settings() == fitted.settings()
    batch = tiny_vlm.prepare(rows.items[:2])
    logits = []
    for one in (fitted, again, again.control(1)):
        with one.applied(tiny_vlm, batch):
            logits.append(tiny_vlm.forward(batch))
    assert torch.equal(logits[0], logits[1])
    assert torch.isfinite(logits[2]).all()


def test_a_repair_without_tensors_keeps_tuples_and_none(
    tiny_vlm: VLM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(repairs.FITTED, "numbers", Numbers)
    path = repairs.save(Numbers((0.5, 2.0)), tmp_path / "new" / "n", tiny_vlm, DEVELOPMENT)
    assert repairs.load(path, tiny_vlm) == Numbers((0.5, 2.0), None)
    with pytest.raises(UsageError, match="cannot be written as JSON"):
        repairs.save(Numbers((float("nan"),)), tmp_path / "nan", tiny_vlm, DEVELOPMENT)
    assert not (tmp_path / "nan").exists()


def test_weights_have_one_fingerprint_in_every_precision(tiny_checkpoint: Path, tiny_vlm: VLM) -> None:
    """`VLM.fingerprint` differs there, and a repair fitted in bfloat16 would be refused on its own model."""
    half = load(tiny_checkpoint, dtype="bfloat16", device="cpu", check=False)
    mark = fingerprints.of_weights(tiny_vlm.model)
    assert fingerprints.of_weights(half.model) == mark
    assert half.fingerprint != tiny_vlm.fingerprint
    with torch.no_grad():
        weight = half.model.model.visual.merger.mlp[2].weight
        weight[0, 0] += 1
    assert fingerprints.of_weights(half.model) != mark


@pytest.fixture(scope="module")
def other() -> VLM:
    """Another tiny model of the same width."""
    return VLM(*tiny("qwen2_vl", corpus(), seed=1), check=False)


def test_a_repair_of_another_model_is_refused_unless_it_is_asked_for(path: Path, other: VLM, tiny_vlm: VLM) -> None:
    with pytest.raises(UsageError, match="fitted on another model") as caught:
        repairs.load(path, other)
    assert tiny_vlm.name in str(caught.value) and "--any-model" in str(caught.value)
    assert isinstance(repairs.load(path, other, any_model=True), Amplified)


def test_a_repair_of_another_width_is_refused_always(tiny_vlm: VLM, tmp_path: Path) -> None:
    path = repairs.save(REPAIR, tmp_path / "a", tiny_vlm, DEVELOPMENT)
    model = dict(header(path)["model"]) | {"width": 32}
    rewritten(path, model=model, tensors={"directions": DIRECTIONS[:, :32].contiguous()})
    for any_model in (False, True):
        with pytest.raises(UsageError, match="another width") as caught:
            repairs.load(path, tiny_vlm, any_model=any_model)
        assert "32 values" in str(caught.value) and "has 64" in str(caught.value)


def test_a_file_that_is_cut_short_at_any_place_is_refused(path: Path) -> None:
    whole = path.read_bytes()
    for length in (0, 4, 20, 200, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DataError, match=r"damaged|holds no repair"):
            repairs.load(path)


def test_a_value_that_was_changed_is_noticed(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)
    with pytest.raises(DataError, match="not as it was written"):
        repairs.load(path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"settings": {"alpha": 3.0, "form": "printed"}, "honest": False}, "not as it was written"),
        ({"format": 2, "version": "9.1"}, "format 2, written by backsight 9.1"),
        ({"repair": "magic"}, "'magic'"),
        ({"settings": {"alpha": float("nan"), "form": "printed"}}, "NaN is no finite number"),
        ({"settings": {"alpha": 3.0, "strength": 1}}, "cannot be built"),
        ({"settings": [1]}, "cannot be built"),
        ({"model": None}, "cannot be built"),
        ({"tensors": {}}, "cannot be built"),
        ({"tensors": {"directions": torch.full((1, 64), float("nan"))}}, "directions: 64 of 64"),
        ({"tensors": {"directions": torch.full((1, 64), float("inf"))}}, "not finite"),
    ],
    ids=["changed", "format", "name", "a number", "setting", "settings", "model", "no tensor", "nan", "infinite"],
)
def test_a_header_that_does_not_fit(path: Path, changes: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError) as caught:
        repairs.load(rewritten(path, **changes))
    assert words in str(caught.value) and str(path) in str(caught.value) and "  do:" in str(caught.value)


def test_files_of_other_kinds(tmp_path: Path) -> None:
    place = tmp_path / "f"
    place.write_bytes(b"\x80\x04\x95 a pickle, or anything")
    with pytest.raises(DataError, match="damaged"):
        repairs.load(place)
    save_file({"weight": torch.zeros(2)}, place)
    with pytest.raises(DataError, match="holds no repair"):
        repairs.load(place)
    save_file({"weight": torch.zeros(2)}, place, {"backsight_repair": "{"})
    with pytest.raises(DataError, match="header of a repair's file is damaged"):
        repairs.load(place)
    for missing in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(UsageError, match="There is no such file"):
            repairs.load(missing)


def test_what_cannot_be_written(tiny_vlm: VLM, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = path.read_bytes()
    wrong = replace(REPAIR, directions=DIRECTIONS * float("inf"))
    with pytest.raises(DataError, match="not finite"):
        repairs.save(wrong, path, tiny_vlm, DEVELOPMENT)
    with pytest.raises(UsageError, match="This is a folder"):
        repairs.save(REPAIR, path.parent, tiny_vlm, DEVELOPMENT)
    monkeypatch.setattr(Path, "write_bytes", no_space)
    with pytest.raises(OSError, match="No space left"):
        repairs.save(REPAIR, path, tiny_vlm, DEVELOPMENT)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_the_command_fits_what_the_library_fits(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = tmp_path / "r.safetensors"
    options = ("--set", "alpha=3", "--set", "form=printed", "--seed", 5, "--limit", 40)
    code, printed, err = command("repair", "fit", tiny_checkpoint, "--repair", "amplification", "--out", out, *options)
    assert (code, printed) == (0, f"{out}\n"), err
    assert "fitted on 40 questions of jittered_squares" in err
    vlm = load(tiny_checkpoint, device="cpu")
    examples = stimuli.jittered(vlm.grid, suite="squares", count=240, seed=5).limit(40, 5)
    expected = repairs.Amplification(3.0, "printed", seed=5).fit(vlm, examples)
    again = repairs.load(out, vlm)
    assert isinstance(again, Amplified) and (again.alpha, again.form) == (3.0, "printed")
    torch.testing.assert_close(again.directions, expected.directions)
    assert files.read(out).development["fingerprint"] == examples.fingerprint


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--repair", "magic"), ("no such repair", "amplification")),
        (("--repair", "amplification", "--set", "alpha"), ("no such setting", "KEY=VALUE")),
        (("--repair", "amplification", "--set", "weight=1"), ("no such setting", "alpha, form, seed, method")),
        (("--repair", "amplification", "--set", "alpha=much"), ("a number", "'much'")),
        (("--repair", "amplification", "--set", "alpha=nan"), ("outside of its range",)),
        (("--repair", "amplification", "--set", "alpha=99"), ("outside of its range",)),
        (("--repair", "amplification", "--set", "seed=1.5"), ("a whole number",)),
        (("--repair", "amplification", "--set", "form=best"), ("no such choice", "projected, printed")),
        (("--repair", "amplification", "--data", "/nowhere"), ("no such folder",)),
        (("--repair", "amplification", "--vsr-split", "x"), ("--vsr-split goes with --vsr",)),
    ],
)
def test_wrong_use_of_fit(
    command: Command, tiny_checkpoint: Path, tmp_path: Path, options: tuple[str, ...], words: tuple[str, ...]
) -> None:
    out = tmp_path / "r"
    code, printed, err = command("repair", "fit", tiny_checkpoint, "--out", out, *options)
    assert (code, printed) == (2, "") and not out.exists()
    assert all(word in err for word in words), err


def test_an_earlier_file_is_not_overwritten_by_the_command(command: Command, path: Path) -> None:
    code, _, err = command("repair", "fit", "builtin:plain", "--repair", "amplification", "--out", path)
    assert code == 2 and "is there already" in err
    code, _, err = command("repair", "fit", "builtin:plain", "--repair", "amplification", "--out", path / "inside")
    assert code == 2 and "a file, not a folder" in err


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        (float, "2", 2.0),
        (bool, "True", True),
        (float | None, "none", None),
        (float | None, "0.5", 0.5),
        (tuple[float, ...], "0.5, 1.2", (0.5, 1.2)),
        (str, "word", "word"),
    ],
)
def test_settings_are_read_as_their_types_say(kind: Any, text: str, value: Any) -> None:
    from backsight.cli.repair import _value

    assert _value(kind, text, "here") == value


@pytest.mark.parametrize(
    ("kind", "text"), [(bool, "yes"), (int, "1.5"), (tuple[float, ...], "1,x"), (float | None, "")]
)
def test_settings_that_cannot_be_read(kind: Any, text: str) -> None:
    from backsight.cli.repair import _value

    with pytest.raises(UsageError, match="This setting is"):
        _value(kind, text, "here")
