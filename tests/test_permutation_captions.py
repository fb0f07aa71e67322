"""Captions before and after a shuffle: the score by hand, a model that was never taught to write, and by arrays."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from backsight import stimuli
from backsight.errors import CannotAnswer, UsageError
from backsight.maths.token_f1 import token_f1, words
from backsight.measurements import Captions
from backsight.measurements.captions import PROMPT, _others
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.results import captions
from backsight.tables import Table
from backsight.training.questions import corpus

KNOWN = "The color to the left of red is"


def test_token_f1_by_hand() -> None:
    assert words("A red apple, on the Table.") == ["red", "apple", "on", "table"]
    assert token_f1("a red apple", "The apple is red!") == pytest.approx(2 * 2 / 5)
    assert token_f1("red red", "red") == pytest.approx(2 / 3)
    assert token_f1("", "the") == 1 and token_f1("", "red") == 0


def test_others_are_other_pictures_and_hang_on_no_order() -> None:
    names = [f"picture {n}" for n in range(6)]
    others = _others(names)
    assert all(len(set(of)) == 3 and n not in of for n, of in enumerate(others))
    turned = _others(names[::-1])
    assert [{names[::-1][i] for i in of} for of in turned[::-1]] == [{names[i] for i in of} for of in others]
    assert _others(names[:2]) == [[1], [0]]


@pytest.fixture(scope="module")
def vlm() -> VLM:
    return VLM(*tiny("qwen2_vl", corpus()), check=False)


def test_captions_of_a_random_model_are_those_of_generate(vlm: VLM) -> None:
    given = stimuli.squares(vlm.grid).limit(4)
    measured = Captions(shuffles=2, words=4, prompt=KNOWN, batch=2)(vlm, given)
    one = measured.rows()[0]
    sample = next(e for e in given if e.id == one["example_id"])
    asked = replace(sample, question=KNOWN, options=(KNOWN,), answer=KNOWN, system=None)
    assert one["caption"] == vlm.generate(vlm.prepare([asked]), max_new_tokens=4)[0]
    assert one["f1"] == token_f1(one["caption"], one["shuffled"]) and one["similarity"] is None
    assert len(measured) == 2 * len({e.image_id for e in given}) and not vlm.hooks.edits


def test_the_shuffle_holds_inside_generate(vlm: VLM) -> None:
    """Image embeddings replaced by those of a shuffle give what the shuffled embeddings give themselves."""
    from backsight.measurements.shuffles import shuffled
    from backsight.models import embeds
    from backsight.models.sites import Edit

    batch = vlm.prepare([stimuli.squares(vlm.grid)[0]])
    there = 30 * shuffled(embeds.of_batch(vlm, batch), batch, 0)
    seen: list[torch.Tensor] = []
    with vlm.editing(Edit("image_embeds", lambda rows: there.to(rows))), vlm.recording("image_embeds") as recorded:
        vlm.generate(batch, max_new_tokens=2)
        seen.append(recorded["image_embeds", 0])
    assert seen[0].shape[-1] == there.shape[-1]
    torch.testing.assert_close(seen[0].reshape(-1, there.shape[-1])[-len(there) :], there)


def test_a_model_that_was_not_taught_the_words_is_skipped_with_a_reason(vlm: VLM) -> None:
    with pytest.raises(CannotAnswer, match="does not know the words"):
        Captions()(vlm, stimuli.squares(vlm.grid).limit(4))
    assert Captions.opt_in and Captions().prompt == PROMPT
    with pytest.raises(UsageError, match="less than two tokens"):
        Captions(words=1)
    with pytest.raises(CannotAnswer, match="other pictures"):
        Captions(prompt=KNOWN)(vlm, stimuli.squares(vlm.grid).limit(1))


def made(same: float, other: float, spoken: int = 6, count: int = 12) -> Table:
    rows: list[dict[str, Any]] = [
        {"example_id": f"e{n}", "image_id": f"i{n}", "suite": "s", "seed": seed, "caption": "x", "shuffled": "x",
         "words": spoken, "f1": same + 0.01 * (n % 3 - 1), "f1_other": other + 0.01 * (n % 2), "similarity": None,
         "similarity_other": None}
        for n in range(count) for seed in range(2)
    ]  # fmt: skip
    return Table.of(captions.CAPTIONS, rows)


def test_the_summary_and_its_sentences() -> None:
    (row,) = captions.captions_summary(made(0.9, 0.4)).rows()
    assert row["pictures"] == 12 and row["same"] == pytest.approx(0.9) and row["above"] == pytest.approx(0.495)
    assert row["kept"] == pytest.approx(0.495 / 0.595) and row["kept_low"] < row["kept"] < row["kept_high"]
    assert "leaves 83" in captions.sentence("S", row) and "nearly the same" not in captions.sentence("S", row)
    (few,) = captions.captions_summary(made(0.99, 0.4)).rows()
    assert "nearly the same" not in captions.sentence("S", few)  # of 12 pictures
    (near,) = captions.captions_summary(made(0.99, 0.4, count=120)).rows()
    assert "nearly the same" in captions.sentence("S", near)
    (none,) = captions.captions_summary(made(0.4, 0.405)).rows()
    assert "not shown to be more alike" in captions.sentence("S", none)
    (word,) = captions.captions_summary(made(0.9, 0.4, spoken=1)).rows()
    assert word["reason"] == "captions of one word" and "omitted (captions of one word)" in captions.sentence("S", word)
    (few,) = captions.captions_summary(made(0.9, 0.4, count=9)).rows()
    assert few["reason"] == "few pictures" and few["same"] is None
    assert captions.draw(captions.captions_summary(made(0.9, 0.4))).axes


def test_the_claim_has_the_suite_that_keeps_least_first() -> None:
    (much,) = captions.captions_summary(made(0.9, 0.4)).rows()
    (little,) = captions.captions_summary(made(0.75, 0.4)).rows()
    (none,) = captions.captions_summary(made(0.4, 0.405)).rows()
    (few,) = captions.captions_summary(made(0.9, 0.4, count=9)).rows()
    titles = {name: name.upper() for name in "abcd"}

    def claim(**rows: Any) -> str:
        named = [row | {"suite": name} for name, row in rows.items()]
        return captions.claim(named, titles).replace("\u00a0", " ")

    apart = "what sets captions apart from those of other pictures"
    start = "With image tokens shuffled, captions keep"
    both = claim(a=much, b=little)
    assert re.fullmatch(rf"{start} 58 % \[\d+, \d+\] in B and 83 % \[\d+, \d+\] in A of {apart}\.", both)
    assert claim(c=none).endswith(f"keep no measurable part of {apart} in C.")
    assert claim(c=none, a=much, d=few).startswith(f"{start} no measurable part of {apart} in C; 83 % [")
    assert claim(a=much, d=few).endswith("; not shown in D (few pictures).")
    assert claim(d=few) == "Whether captions survive a shuffle of the image tokens is not shown: D (few pictures)."
    same = {"kept": None, "reason": None, "measure": "f1"}
    assert claim(d=same).endswith("is not shown: D (captions of all pictures are the same).")
    assert captions.null([much]).startswith("Captions of two different pictures have a token F1 of 0.405 [0.")
    assert "F1 of at most 0.405 [" in captions.null([much, little])
    assert captions.null([few]) == ""
    assert captions.short(few) == 1 > captions.short(little) > captions.short(much) > 0


def test_an_embedder_is_a_local_folder(tmp_path: Path) -> None:
    from transformers import BertConfig, BertModel, BertTokenizer

    from backsight.models.sentences import Sentences

    with pytest.raises(UsageError, match="There is no sentence embedder"):
        Sentences(tmp_path / "none")
    (tmp_path / "vocab.txt").write_text(
        "\n".join(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "red", "apple", "key"])
    )
    BertTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    config = BertConfig(vocab_size=8, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    BertModel(config).save_pretrained(tmp_path)
    states = Sentences(tmp_path)(["red apple", "red", "red apple"], batch=2)
    torch.testing.assert_close(states.norm(dim=-1), torch.ones(3))
    torch.testing.assert_close(states[0], states[2], atol=1e-5, rtol=0)
    assert float(states[0] @ states[1]) < 1 - 1e-4
