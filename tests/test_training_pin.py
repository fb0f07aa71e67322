"""The base models for PIN: packed texts of several tokens, a model without positions, and the table that it is lent."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from backsight.examples import Example, MemoryPicture
from backsight.grid import Box
from backsight.models import embeds
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.stimuli.render import render
from backsight.stimuli.rows import COLORS
from backsight.stimuli.scene import Figure, Scene
from backsight.training import pin
from backsight.training.answering import answer_logits
from backsight.training.catalogue import recipes
from backsight.training.loop import train
from backsight.training.questions import Asked

CPU = torch.device("cpu")


def test_a_batch_is_a_function_of_its_key() -> None:
    one, again, other = (
        pin.batch("placed_squares", pin.LAYOUT, images=3, key=key, exact=0, textured=0)
        for key in ((1, 2), (1, 2), (1, 3))
    )
    assert [a.questions for a in one] == [a.questions for a in again] != [a.questions for a in other]
    for asked in one:
        words = [len(answer.split()) for _, answer in asked.questions]
        assert words in ([4, 1], [4, 4, 1, 1])  # of one square, of two


def test_packed_logits_of_a_text_are_those_of_the_prompt_with_the_text_behind_it() -> None:
    learner = pin.NEVER.start(CPU)
    asked = pin.batch("placed_squares", pin.LAYOUT, images=2, key=(5,), exact=0, textured=0)
    packed = learner.packer.pack(asked)
    with torch.no_grad():
        logits = answer_logits(learner.model.eval(), packed)
    vlm, at = VLM(learner.model, learner.processor, check=False), 0
    for one in asked:
        for question, answer in one.questions:
            ids = vlm.tokenizer(answer, add_special_tokens=False).input_ids
            assert packed.answers[at : at + len(ids)].tolist() == ids
            example = Example("q", MemoryPicture(one.image), question, (), answer, system=pin.SYSTEM)
            batch = vlm.prepare([example])
            longer = vlm.extended(batch, [ids])
            with torch.no_grad():
                plain = vlm.model(**longer.inputs, use_cache=False).logits[0, batch.input_ids.shape[1] - 1 : -1]
            torch.testing.assert_close(logits[at : at + len(ids)], plain, atol=2e-4, rtol=1e-3)
            at += len(ids)
    assert at == len(logits)


def test_the_model_cannot_tell_where_a_thing_is() -> None:
    """Squares moved by whole cells give the same answers; other colours give others."""
    vlm = VLM(*pin.build(3), check=False)

    def logits(*spots: tuple[int, int], colors: tuple[str, str] = ("red", "blue")) -> torch.Tensor:
        boxes = [Box(x * 14, y * 14, x * 14 + 14, y * 14 + 14) for x, y in spots]
        figures = tuple(Figure(c, "square", b, COLORS[c]) for c, b in zip(colors, boxes, strict=True))
        picture = MemoryPicture(render(Scene(pin.LAYOUT.size, figures)))
        return vlm.forward(
            vlm.prepare([Example("q", picture, "The box of the red square is", (), "", system=pin.SYSTEM)])
        )

    here = logits((0, 0), (3, 2))
    torch.testing.assert_close(logits((5, 1), (2, 4)), here, atol=1e-4, rtol=1e-4)
    assert float((logits((0, 0), (3, 2), colors=("red", "green")) - here).abs().max()) > 1e-3


def test_the_table_is_added_where_the_insert_is_and_is_not_saved(tmp_path: Path) -> None:
    from backsight.repairs import Inserted

    recipe = replace(pin.DORMANT, stages=(replace(pin.DORMANT.stages[0], steps=3),))
    learner = train(recipe, tmp_path / "work")
    assert isinstance(learner, pin.LocatedLearner)
    learner.save(tmp_path / "base")
    vlm = load(tmp_path / "base", dtype="float32", check=False)
    assert not vlm.model.get_submodule(pin.TABLE).weight.any()
    assert {name for name, _ in learner.module.named_parameters() if name.startswith("table")} == {"table.weight"}
    table = learner.table.weight.detach()
    example = Example("q", MemoryPicture(render(Scene(pin.LAYOUT.size, ()))), "?", (), "")
    batch = vlm.prepare([example])
    with torch.no_grad():
        lent = pin.with_table(vlm.model, batch.inputs["pixel_values"], table)
        none = pin.with_table(vlm.model, batch.inputs["pixel_values"], torch.zeros_like(table))
    with Inserted(table, 6, 6, 0).applied(vlm, batch):
        torch.testing.assert_close(embeds.of_batch(vlm, batch), lent)
    torch.testing.assert_close(embeds.of_batch(vlm, batch), none)
    assert not torch.allclose(lent, none)


@pytest.mark.parametrize("name", ["pin-never", "pin-dormant"])
def test_the_loss_falls(name: str, tmp_path: Path) -> None:
    recipe = recipes()[name]
    assert (isinstance(recipe, pin.Located) and recipe.identity != pin.NEVER.identity) or name == "pin-never"
    losses: list[float] = []
    train(recipe, tmp_path / name, max_steps=12, progress=lambda *seen: losses.append(seen[3]["loss"]))
    assert sum(losses[-3:]) < sum(losses[:3])


def test_an_answer_of_several_tokens_is_refused_where_one_is_asked_for() -> None:
    from backsight.errors import UsageError
    from backsight.training.packing import Packer

    model, processor = pin.build(0)
    asked = Asked(render(Scene(pin.LAYOUT.size, ())), (("?", "one two three four"),))
    with pytest.raises(UsageError, match="must be one token"):
        Packer(model, processor, pin.SYSTEM).pack([asked])
