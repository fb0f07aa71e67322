"""PIN: its network by hand, its insert patch by patch, its training beside Hugging Face's loss, and the protocol."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from backsight import repairs, stimuli
from backsight.cli import repair as cli_repair
from backsight.errors import CannotAnswer, EditError, UsageError
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.measurements import Tournament, entrants
from backsight.measurements.amplify import parted
from backsight.measurements.base import needed
from backsight.measurements.entrants import insert_bytes
from backsight.models import embeds, fingerprints
from backsight.models.contracts import hook_count
from backsight.models.sites import Edit
from backsight.models.sizes import facts as facts_of
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.repairs import Inserted, Pin, pin
from backsight.repairs.pin import added, network, order_of, shape_of, sinusoid, text_loss
from backsight.results.tournament.schema import LEFT_OUT
from backsight.stimuli.suites import layout_for
from backsight.studies import memory
from backsight.training.questions import COUNT, corpus

WORDS = [*corpus(), "The box of the apple is", *(f" {word}" for word in COUNT)]
SHORT = Pin(steps=3, batch=4, hidden=(16,), frequencies=8)


def model(family: str = "qwen2_vl") -> VLM:
    return VLM(*tiny(family, WORDS), name=family, check=False)


@pytest.fixture(scope="module")
def qwen() -> VLM:
    return model()


@pytest.fixture(scope="module")
def asked(qwen: VLM) -> ExampleSet:
    return stimuli.located(layout_for(qwen.grid), scenes=12, form="grid", sides=8)


def test_the_published_network_has_its_published_size() -> None:
    """64 -> 512 -> 768 -> 1,024, the width of CLIP's large encoder; norms have two values each."""
    by_hand = (64 * 512 + 512) + 2 * 512 + (512 * 768 + 768) + 2 * 768 + (768 * 1024 + 1024)
    assert sum(w.numel() for w in network(64, (512, 768), 1024).parameters()) == by_hand == 1_217_280


def test_the_sinusoid_by_hand() -> None:
    signal = sinusoid(3, 4)
    expected = [[0, 1, 0, 1], [0.84147, 0.5403, 0.01, 0.99995], [0.9093, -0.41615, 0.02, 0.9998]]
    torch.testing.assert_close(signal, torch.tensor(expected), atol=1e-5, rtol=0)
    assert len(sinusoid(1024, 64).unique(dim=0)) == 1024


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl", "gemma3", "paligemma"])
def test_each_patch_gets_the_vector_of_its_row_and_column(family: str) -> None:
    """The mean of what a token's patches gain is the mean of the vectors of the patches that lie in its cell."""
    vlm = model(family)
    picture = MemoryPicture(Image.new("RGB", vlm.grid.size, "gray"))
    batch = vlm.prepare([Example(str(n), picture, "?", (), "") for n in range(2)])
    shape = shape_of(vlm)
    row, column = (i.flatten() for i in torch.meshgrid(*map(torch.arange, (shape.rows, shape.columns)), indexing="ij"))
    insert = torch.zeros(len(row), shape.width)
    insert[:, 0], insert[:, 1] = row.float(), column.float()
    last = len(vlm.parts.vision_blocks) - 1
    states = []
    for fitted in (None, Inserted(insert, shape.rows, shape.columns, 0)):
        with vlm.recording("vision", layers=[last]) as recorded:
            if fitted is None:
                vlm.forward(batch)
            else:
                with fitted.applied(vlm, batch):
                    vlm.forward(batch)
        states.append(embeds.by_cell(vlm, recorded["vision", last], batch))
    gained = (states[1] - states[0]).view(2, -1, shape.width)
    side, grid = shape.merge, vlm.grid
    middle = (side - 1) / 2
    expected = torch.stack([torch.from_numpy(i) * side + middle for i in (grid.row, grid.column)], 1)
    for picture in gained:
        torch.testing.assert_close(picture[:, :2], expected.float(), atol=1e-4, rtol=0)
        torch.testing.assert_close(picture[:, 2:], torch.zeros_like(picture[:, 2:]), atol=1e-5, rtol=0)


def test_only_whole_pictures_are_added_to() -> None:
    table = torch.arange(4.0)[:, None].expand(4, 3)
    assert torch.equal(added(torch.zeros(8, 3), table)[:, 0], torch.tensor([0.0, 1, 2, 3, 0, 1, 2, 3]))
    assert torch.equal(added(torch.zeros(2, 4, 3), table)[1], table)
    assert added(torch.zeros(4, 3, dtype=torch.bfloat16), table).dtype == torch.bfloat16
    for wrong in (torch.zeros(6, 3), torch.zeros(2, 8, 3)):
        with pytest.raises(EditError, match="not those of whole pictures"):
            added(wrong, table)


def test_the_loss_is_hugging_faces_on_the_text_of_the_box_alone(qwen: VLM, asked: ExampleSet) -> None:
    one = [asked[0]]
    batch = qwen.prepare(one)
    tail = qwen.tokenizer(one[0].answer, add_special_tokens=False).input_ids
    longer = qwen.extended(batch, [tail])
    labels = torch.full_like(longer.input_ids, -100)
    labels[:, -len(tail) :] = longer.input_ids[:, -len(tail) :]
    expected = qwen.model(**longer.inputs, labels=labels).loss
    torch.testing.assert_close(text_loss(qwen, one), expected)
    assert len(tail) >= 4
    # Texts of other lengths beside it: a padded token is none of the text.
    several = list(asked[:4])
    each = [text_loss(qwen, [e]) for e in several]
    counts = torch.tensor([len(qwen.tokenizer(e.answer, add_special_tokens=False).input_ids) for e in several])
    torch.testing.assert_close(text_loss(qwen, several), (torch.stack(each) * counts).sum() / counts.sum())


def test_a_loss_that_is_no_number_ends_the_training(
    qwen: VLM, asked: ExampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pin, "text_loss", lambda vlm, part: text_loss(vlm, part) * torch.nan)
    with pytest.raises(CannotAnswer, match="loss that is no number"):
        SHORT.fit(qwen, asked)


def test_the_exact_fingerprint_sees_what_bfloat16_does_not(qwen: VLM) -> None:
    layer = torch.nn.Linear(8, 8)
    coarse, exact = fingerprints.of_weights(layer), fingerprints.exact(layer)
    with torch.no_grad():
        layer.weight.mul_(1.00001)
    assert fingerprints.of_weights(layer) == coarse and fingerprints.exact(layer) != exact


def test_training_lowers_the_loss_and_leaves_the_model_as_it_was(asked: ExampleSet) -> None:
    vlm = model()
    weights, hooks = fingerprints.exact(vlm.model), hook_count(vlm)
    few = replace(asked, items=asked.items[:4])
    fitted = Pin(steps=12, batch=4, hidden=(32,), frequencies=16, rate=1e-2).fit(vlm, few)
    assert fingerprints.exact(vlm.model) == weights and hook_count(vlm) == hooks
    assert all(weight.grad is None for weight in vlm.model.parameters())
    assert fitted.parameters == 16 * 32 + 32 + 2 * 32 + 32 * 32 + 32
    assert not fitted.insert.requires_grad and fitted.insert.shape == (144, 32)
    before = text_loss(vlm, few.items)
    with fitted.applied(vlm):
        after = text_loss(vlm, few.items)
    assert float(after) < float(before) - 0.05
    torch.testing.assert_close(text_loss(vlm, few.items), before)


def test_a_seed_gives_one_insert_however_many_go_through_at_a_time(qwen: VLM, asked: ExampleSet) -> None:
    one, again = (SHORT.fit(qwen, asked) for _ in range(2))
    assert torch.equal(one.insert, again.insert)
    parted = replace(SHORT, at_once=3).fit(qwen, asked)
    assert not torch.equal(replace(SHORT, seed=1).fit(qwen, asked).insert, one.insert)
    assert float((parted.insert - one.insert).abs().max()) < 0.2 * float(one.insert.abs().max())


def test_it_holds_inside_generate(qwen: VLM, asked: ExampleSet) -> None:
    batch = qwen.prepare(asked.items[:2])
    shape = shape_of(qwen)
    insert = 20 * torch.randn(shape.rows * shape.columns, shape.width, generator=torch.Generator().manual_seed(0))
    fitted = Inserted(insert, shape.rows, shape.columns, 0)
    plain = qwen.generate(batch, max_new_tokens=3)
    with fitted.applied(qwen, batch):
        first = qwen.forward(batch).argmax(-1)
        ids = qwen.model.generate(**batch.inputs, max_new_tokens=3, do_sample=False)
    assert torch.equal(ids[:, batch.input_ids.shape[1]], first)
    assert qwen.generate(batch, max_new_tokens=3) == plain


def test_the_control_has_the_same_vectors_on_other_patches() -> None:
    insert = torch.randn(36, 4, generator=torch.Generator().manual_seed(1))
    fitted = Inserted(insert, 6, 6, 9)
    control = fitted.control(0)
    assert not torch.equal(control.insert, insert) and control.parameters == 9
    assert torch.equal(control.insert.sort(0).values, insert.sort(0).values)
    assert torch.equal(fitted.control(0).insert, control.insert)
    assert not torch.equal(fitted.control(1).insert, control.insert)


def test_what_it_cannot_be_added_to(qwen: VLM, asked: ExampleSet, tmp_path: Path) -> None:
    shape = shape_of(qwen)
    good = Inserted(torch.ones(shape.rows * shape.columns, shape.width), shape.rows, shape.columns, 0)
    with pytest.raises(UsageError, match="patches of another width"):
        Inserted(torch.ones(144, 8), 12, 12, 0).check(qwen)
    with pytest.raises(UsageError, match="another number of patches"):
        Inserted(torch.ones(16, shape.width), 4, 4, 0).check(qwen)
    with pytest.raises(UsageError, match="a vector for each patch"):
        Inserted(torch.ones(15, 8), 4, 4, 0)
    with pytest.raises(CannotAnswer, match="order of this vision encoder's patches"):
        SHORT.fit(model("qwen2_5_vl"), asked)
    with pytest.raises(UsageError, match="no example has one"):
        SHORT.fit(qwen, ExampleSet("none", tuple(replace(e, boxes={}, tags={}) for e in asked)))
    wide = replace(asked[0], picture=MemoryPicture(Image.new("RGB", (672, 168))))
    with pytest.raises(CannotAnswer, match="pictures of one number of patches"):
        good.ready(qwen, [wide])
    batch = qwen.prepare([wide])
    with pytest.raises(CannotAnswer, match="pictures of one number of patches"), good.applied(qwen, batch):
        pass
    with pytest.raises(CannotAnswer, match="cannot be folded") as caught:
        repairs.bake(qwen, good, tmp_path / "baked")
    assert "it acts at vision" in str(caught.value) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"steps": 0}, "steps 0"), ({"batch": 0}, "batch 0"), ({"frequencies": 7}, "frequencies 7"),
        ({"hidden": ()}, r"hidden \(\)"), ({"form": "yolo"}, "no such format"),
    ],
)  # fmt: skip
def test_wrong_settings(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        Pin(**wrong)  # type: ignore[arg-type]


def test_it_takes_part_in_the_tournament_where_it_is_named(qwen: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "pin" not in Tournament().entrants and list(Tournament(repairs=("pin",)).entrants) == ["pin"]
    monkeypatch.setattr(entrants, "INSERT", SHORT)
    squares = stimuli.squares(qwen.grid)
    samples = replace(squares, items=squares.items[::40])
    rows = Tournament(repairs=("pin",), absent=0, draws=1)(qwen, samples).rows()
    of = {(row["repair"], row["control"]) for row in rows}
    assert {("pin", None), ("pin", "positions shuffled"), ("none", None)} <= of
    settings = {row["setting"] for row in rows if row["repair"] == "pin" and row["control"] is None}
    assert settings == {f"12 x 12 patches, {8 * 16 + 16 + 2 * 16 + 16 * 32 + 32:,} parameters"}
    bare = replace(samples, items=tuple(replace(e, boxes={}) for e in samples))
    (left,) = [row for row in Tournament(repairs=("pin",), absent=0)(qwen, bare).rows() if row["part"] == LEFT_OUT]
    assert "no example has one" in left["setting"] and not left["upper_bound"]


@pytest.mark.parametrize("family", ["qwen2_vl", "paligemma"])
def test_what_is_kept_for_the_way_back_is_in_the_estimate(family: str) -> None:
    """The tensors that autograd keeps of a pass, and the logits, are fewer bytes than the estimate."""
    vlm = model(family)
    given = list(stimuli.located(layout_for(vlm.grid), scenes=4, form="grid", sides=8))
    shape, kept = shape_of(vlm), {}
    insert = torch.zeros(shape.rows * shape.columns, shape.width, requires_grad=True)

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    last = len(vlm.parts.vision_blocks) - 1
    edit = Edit("vision", lambda states: added(states, insert[order_of(vlm)]), (last,))
    weights = {value.untyped_storage().data_ptr() for value in vlm.model.state_dict().values()}
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor), vlm.editing(edit):
        loss = text_loss(vlm, given)
    held = sum(size for place, size in kept.items() if place not in weights)
    estimate = insert_bytes(facts_of(vlm, given, priced=False), given, len(given))
    assert loss.requires_grad and held < estimate < 12 * held


def test_the_tournament_counts_and_bounds_the_training_of_an_insert(qwen: VLM, monkeypatch: pytest.MonkeyPatch) -> None:
    squares = stimuli.squares(qwen.grid)
    samples = replace(squares, items=squares.items[::40])
    tournament = Tournament(repairs=("pin",), absent=0, draws=1, batch=2)
    facts = facts_of(qwen, tournament.asked(samples, qwen.grid), priced=False)  # type: ignore[arg-type]
    boxes = entrants.boxes_asked(parted(samples, tournament.seed)[0])
    assert needed(tournament, facts, samples) >= insert_bytes(facts, boxes, 2)
    whole = replace(tournament, batch=32)
    assert needed(whole, facts, samples) >= insert_bytes(facts, boxes, 32) > needed(tournament, facts, samples)
    at_once: list[int] = []

    def fit(self: Pin, vlm: VLM, examples: ExampleSet) -> Inserted:
        at_once.append(self.at_once)
        raise CannotAnswer("enough")

    monkeypatch.setattr(Pin, "fit", fit)
    tournament(qwen, samples)
    assert at_once == [2]


def test_a_fit_takes_no_more_at_a_time_than_there_is_memory_for(
    qwen: VLM, asked: ExampleSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = insert_bytes(facts_of(qwen, asked, priced=False), asked, 1)
    for room, expected in ((2.5, 2), (0.1, 1), (500, 64)):
        monkeypatch.setattr(memory, "free", lambda device, room=room: room * one / memory.SHARE)
        fitting = cli_repair._fitting(Pin(), qwen, asked)
        assert isinstance(fitting, Pin) and fitting.at_once == expected


def test_merged_patches_are_counted_by_blocks(qwen: VLM) -> None:
    assert order_of(qwen)[:6].tolist() == [0, 1, 12, 13, 2, 3]
