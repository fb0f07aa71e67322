"""The facts of an open model: what a plan must know of it, counted from its configuration and its processor.

One prompt is prepared, and what others take follows from their texts and the sizes of their pictures. Nothing is run
but what a model that was opened unproved has not yet been tried on (`reach_contract`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from backsight.examples import Example, Pair, PlainPicture
from backsight.models import answers, blocks, reach_contract, replay
from backsight.models.facts import ModelFacts, Replays, Shown, Stack, sides
from backsight.models.families.common import ENTERS_ONCE, LACKING
from backsight.models.seam import Seam


def facts(vlm: Seam, samples: Iterable[Example | Pair], *, priced: bool = True) -> ModelFacts:
    """The facts of a model for some examples, and for both sides and the outcomes of pairs.

    One prompt is prepared, and the sizes of all others follow from its own: a text's tokens, and a picture's grid and
    patches. Without `priced` nothing is run; with it one prompt is, for the FLOPs of its picture and what a
    replay reaches.
    """
    given = list(samples)
    examples = sides(given)
    config = vlm.model.config.get_text_config()
    prompts = {
        asked: len(vlm.tokenizer.encode(vlm.prompter.text(*asked)))
        for asked in dict.fromkeys((e.question, e.system) for e in examples)
    }
    outcomes = (text for pair in given if isinstance(pair, Pair) for text in pair.outcomes.values())
    options = dict.fromkeys([*(option for e in examples for option in e.options), *outcomes])
    return ModelFacts(
        name=vlm.name,
        fingerprint=vlm.fingerprint,
        family=vlm.family.name,
        capabilities=vlm.family.capabilities,
        lacking={name: why for name, why in LACKING.items() if not vlm.family.can(name)},
        dtype=str(vlm.dtype).removeprefix("torch."),
        device=str(vlm.device),
        attention=vlm.attention,
        text=_text(vlm),
        vision=_vision(vlm),
        vocabulary=int(config.vocab_size),
        item=vlm.dtype.itemsize,
        masks=len(set(getattr(config, "layer_types", None) or ["all"])),
        injected=0 if vlm.family.can(ENTERS_ONCE)
        else len(getattr(vlm.model.config.vision_config, "deepstack_visual_indexes", ())),
        weights=weights(vlm),
        work=vlm.work,
        seen=vlm.seen if priced else None,
        replays=_replays(vlm) if priced else None,
        leads=_leads(vlm, dict.fromkeys([None, *(e.system for e in examples)])),
        length_blind=() if vlm.hooks.edits else reach_contract.blind(vlm),
        native=vlm.grid.size,
        prompts=prompts,
        spellings={option: tuple(answers.spellings(vlm.tokenizer, option)) for option in options},
        tokens={option: tuple(vlm.tokenizer.encode(option, add_special_tokens=False)) for option in options},
        **_shown(vlm, dict.fromkeys([vlm.grid.size, *(e.picture.size for e in examples)])),
    )  # fmt: skip


def _replays(vlm: Seam) -> Replays:
    """What a change of the last image token of a prompt reaches in the first block, and who sees the last position."""
    batch = vlm.prepare([_reference(vlm)])
    with vlm.uncounted():
        trace = replay.record(vlm, batch)
    tokens = batch.image_mask[0].nonzero().flatten()
    first = int(trace.reach(0, tokens[-1:].to(trace.final.device))[0])
    reach = "causal" if first == int(tokens[-1]) else "prompt" if first < int(tokens[0]) else "picture"
    return Replays(reach, trace.last_is_private())


def _leads(vlm: Seam, systems: Iterable[str | None]) -> dict[str | None, int]:
    """Positions of a prompt before its picture, by system sentence."""
    question = _reference(vlm).question
    first = int(vlm.prepare([_reference(vlm)]).image_mask[0].nonzero()[0])
    plain = len(vlm.tokenizer.encode(vlm.prompter.text(question, None)))
    return {s: first + len(vlm.tokenizer.encode(vlm.prompter.text(question, s))) - plain for s in systems}


def _reference(vlm: Seam) -> Example:
    return Example("size", PlainPicture(vlm.grid.size), "Where is it?", (), "")


def _shown(vlm: Seam, pictures: Iterable[tuple[int, int]]) -> dict[str, Any]:
    """What pictures of some sizes are to a model, and the bytes of a prompt's position, from one prepared prompt."""
    asked = _reference(vlm).question
    size = vlm.grid.size
    batch = vlm.prepare([_reference(vlm)])
    text = len(vlm.tokenizer.encode(vlm.prompter.text(asked, None)))
    around = batch.input_ids.shape[1] - text - len(vlm.grid)
    positional = sum(v.nbytes for v in batch.inputs.values() if v.shape == batch.input_ids.shape)
    pixels = sum(v.nbytes for v in batch.inputs.values()) - positional
    shown = {}
    for other in pictures:
        grid, patches = vlm.grid_of(PlainPicture(other)), vlm.prompter.patches(other)
        shown[other] = Shown(grid, patches, pixels * patches // vlm.prompter.patches(size), around + len(grid))
    return {"shown": shown, "position_bytes": positional // batch.input_ids.shape[1]}


def weights(vlm: Seam) -> int:
    """Bytes of a model's parameters and buffers."""
    return sum(value.nbytes for value in (*vlm.model.parameters(), *vlm.model.buffers()))


def _text(vlm: Seam) -> Stack:
    config = vlm.model.config.get_text_config()
    heads = int(config.num_attention_heads)
    return Stack(
        layers=vlm.n_layers,
        width=int(config.hidden_size),
        inner=int(config.intermediate_size),
        heads=heads,
        kv_heads=int(getattr(config, "num_key_value_heads", None) or heads),
        head=int(getattr(config, "head_dim", None) or config.hidden_size // heads),
        eager=vlm.attention == "eager" or getattr(config, "attn_logit_softcapping", None) is not None,
    )


def _vision(vlm: Seam) -> Stack:
    """The vision encoder; its settings bear other names from family to family."""
    config: Any = vlm.model.config.vision_config
    width = int(getattr(config, "embed_dim", None) or config.hidden_size)
    heads = int(getattr(config, "num_heads", None) or config.num_attention_heads)
    inner = getattr(config, "intermediate_size", None) or width * (getattr(config, "mlp_ratio", None) or 4)
    return Stack(
        layers=len(vlm.parts.vision_blocks),
        width=width,
        inner=int(inner),
        heads=heads,
        kv_heads=heads,
        head=width // heads,
        eager=blocks.implementation(config) == "eager",
    )
