"""How much memory a measurement takes.

Everything is computed from sizes (`models/facts.py`) before anything is run, in bytes: what one sample of a batch
adds at the worst moment, and what is held whatever the batch. The parts are those that measurements are made of: a
forward pass, the vision encoder alone, a recording, a replay. Each counts the tensors that stand beside each other in
the fullest moment of one block, so it does not depend on the machine. The model's weights are not in it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from backsight.examples import Example
from backsight.models.facts import ModelFacts, Sizes, Stack
from backsight.stimuli.arrangements import labelled
from backsight.stimuli.isolated import isolated

FLOAT = 4  # bytes of a number where a model computes in float32 whatever its dtype: norms, rotations, softmax


def block(stack: Stack, rows: int, keys: int, item: int) -> int:
    """One block's activations at its fullest, for `rows` queries on `keys` keys of one sample."""
    stream = rows * stack.width * (3 * item + 2 * FLOAT)
    queries, heads = rows * stack.heads * stack.head, stack.heads * stack.head
    attention = rows * (stack.heads + 2 * stack.kv_heads) * stack.head * item + 3 * queries * max(item, FLOAT)
    attention += 2 * keys * heads * item + 2 * queries * item
    if stack.eager:
        attention += stack.heads * rows * keys * (item + 2 * FLOAT)
    return stream + max(attention, 4 * rows * stack.inner * item)


def mask(s: Sizes, rows: int) -> int:
    """The attention masks of `rows` queries, and what they are made from."""
    return s.masks * rows * s.tokens * (2 * s.item + 3)


def prepared(s: Sizes) -> int:
    """One picture and its pixels on their way in: as opened, as the processor's arrays, and in the model's dtype."""
    return s.opened + 3 * s.inputs * FLOAT // s.item


def pictures(s: Sizes, count: int) -> int:
    """The vision encoder over `count` pictures, and the embeddings that it returns."""
    return count * (max(prepared(s), s.inputs + seen(s)) + 2 * states(s, deep=False))


def seen(s: Sizes) -> int:
    """The vision encoder and the projector over one picture."""
    entered = s.patches * (2 * s.vision.width * s.item + 4 * s.vision.head * FLOAT)
    left = 2 * s.patches * s.vision.width * s.item + (2 + s.injected) * s.image_tokens * s.text.width * s.item
    return entered + left + block(s.vision, s.patches, s.patches, s.item)


def forward(s: Sizes) -> int:
    """A plain forward pass of one sample, its input and its logits."""
    entered = s.tokens * (3 * s.text.width * s.item + 2 * s.text.head * FLOAT + 64) + mask(s, s.tokens)
    features = (1 + s.injected) * s.image_tokens * s.text.width * s.item
    run = max(seen(s), features + block(s.text, s.tokens, s.tokens, s.item))
    return max(prepared(s), s.inputs + entered + run + logits(s))


def trained(s: Sizes, written: int) -> int:
    """A forward and a backward pass of one sample from the vision encoder's output on, with `written` tokens of `s`
    behind the prompt: what every block of the language model keeps for the way back, and the logits of those tokens
    with their softmax and its slope."""
    kept = s.text.layers * (block(s.text, s.tokens, s.tokens, s.item) + mask(s, s.tokens))
    projected = 4 * s.patches * s.vision.width * FLOAT + 2 * s.image_tokens * s.text.width * FLOAT
    return forward(s) + kept + projected + (written + 1) * s.vocabulary * (s.item + 3 * FLOAT)


def logits(s: Sizes, rows: int = 1) -> int:
    """Next-token logits of some rows."""
    return rows * s.vocabulary * s.item


def recorded(s: Sizes) -> int:
    """What a recording keeps of one sample: residual stream, keys and values of every block, masks, input, logits."""
    stream = (s.text.layers + 1 + 2 * s.injected) * s.tokens * s.text.width
    keys = 2 * s.text.layers * s.tokens * s.text.kv_heads * s.text.head
    turned = 2 * s.tokens * s.text.head * s.masks
    return s.inputs + (stream + keys + turned + s.masks * s.tokens**2 + s.vocabulary) * s.item


def replayed(s: Sizes) -> int:
    """A replay of one sample in which a change reaches every position, without its logits."""
    rows = s.tokens * 3 * s.text.width * s.item + 2 * s.tokens * s.text.kv_heads * s.text.head * s.item
    return rows + mask(s, s.tokens) + block(s.text, s.tokens, s.tokens, s.item)


def swept(s: Sizes) -> int:
    """The growing batch of a last-token sweep, without its logits: at most a row a layer on all keys."""
    rows, keys = s.text.layers + 1, s.tokens + s.text.layers
    longer = replace(s, tokens=keys)
    copies = 3 * rows * s.text.width * s.item + 2 * keys * s.text.kv_heads * s.text.head * s.item
    return copies + mask(longer, rows) + block(s.text, rows, keys, s.item)


def states(s: Sizes, *, deep: bool) -> int:
    """The states of one picture's image tokens at every site: embeddings, and if `deep` all blocks of both halves."""
    if not deep:
        return s.image_tokens * s.text.width * s.item
    return s.image_tokens * ((s.text.layers + 2) * s.text.width + s.vision.layers * s.vision.width) * s.item


def marked(facts: ModelFacts, pictures: Iterable[Example]) -> int:
    """How many tokens of some pictures of rows or grids show a thing."""
    return sum(int((labelled(e, facts.grid_of(e.picture))[0] >= 0).sum()) for e in pictures)


def without_order(facts: ModelFacts, examples: Iterable[Example], batch: int) -> int:
    """The pictures that removal takes the embeddings of a batch from: three isolated things and the empty ground of
    each row, and fewer where rows share them."""
    shown: set[str] = set()
    for example in {e.image_id: e for e in examples}.values():
        things, empty = isolated(example, facts.grid_of(example.picture).cell)
        shown |= {empty.id, *(one.picture.id for one in things)}
    return min(4 * batch, len(shown))


def words(size: int) -> str:
    """Bytes in words, as 1.5 GiB or 640 MiB."""
    unit, word = (2**30, "GiB") if size >= 2**30 else (2**20, "MiB")
    return f"{size / unit:.1f} {word}"
