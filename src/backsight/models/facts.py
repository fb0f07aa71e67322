"""ModelFacts: what a plan must know of a model, as plain values that can be stored, sent and compared.

Facts are read off an open model once, for the examples at hand (`sizes.facts`): how long their prompts are, what grid
lies over their pictures, which of their options are single tokens. From then on a study is planned without the model
and without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, ExampleSet, Pair, Picture
from backsight.grid import TokenGrid
from backsight.models.flops import Call, Flops, Seen, Work

Key = TypeVar("Key")
Value = TypeVar("Value")
Priced = TypeVar("Priced")


@dataclass(frozen=True)
class Stack:
    """Equal blocks of attention and MLP. `inner` is the MLP's width, `head` a head's.

    `eager` says that the scores (head, query, key) stand in memory.
    """

    layers: int
    width: int
    inner: int
    heads: int
    kv_heads: int
    head: int
    eager: bool


@dataclass(frozen=True)
class Sizes:
    """One sample, the largest of some. `patches` enter the vision encoder and `image_tokens` leave it.

    `inputs` are the bytes of what a model is called with, `opened` those of the opened picture and `item` of one
    number. `masks` says how many kinds of layer have a mask of their own, `injected` after how many blocks vision
    features are added.
    """

    text: Stack
    vision: Stack
    tokens: int
    image_tokens: int
    patches: int
    vocabulary: int
    inputs: int
    opened: int
    item: int
    masks: int
    injected: int

    def longer(self, tokens: int) -> Sizes:
        """The same with tokens behind the prompt."""
        return replace(self, tokens=self.tokens + tokens)


@dataclass(frozen=True)
class Shown:
    """A picture of some size as the model takes it in: its token grid, its patches and the bytes of their pixels.

    `extra` are the prompt's tokens beyond those of its text: image tokens and what stands around them.
    """

    grid: TokenGrid
    patches: int
    pixels: int
    extra: int


@dataclass(frozen=True)
class Replays:
    """What a change of an image token reaches: those behind it (`causal`), its whole `picture`, or the whole `prompt`.

    `private` says whether the last position is seen by itself only.
    """

    reach: str
    private: bool


@dataclass(frozen=True)
class ModelFacts:
    """What plans read of a model, and its answers for some examples.

    `dtype` and `device` are written as in float32 and cuda:0; `capabilities` are names that a family is given,
    `lacking` says of each other one what its lack means;
    `weights` are bytes, `position_bytes` those of a prompt's position in the input. `work` are FLOPs of the parts of
    the architecture; `seen`, those of a picture, and `replays`, what a replay reaches, are None where nobody asked for
    costs. `leads` are the positions before the picture by system sentence. `shown` is by picture size (width, height),
    `prompts` are tokens of a text by question and system sentence, `spellings` the single tokens that spell an option,
    `tokens` all of its text. `length_blind` are the layers at which gradient times state is zero by construction
    (`models.reach_contract`).
    """

    name: str
    fingerprint: str
    family: str
    capabilities: frozenset[str]
    lacking: Mapping[str, str]
    dtype: str
    device: str
    attention: str
    text: Stack
    vision: Stack
    vocabulary: int
    item: int
    masks: int
    injected: int
    weights: int
    position_bytes: int
    work: Work
    seen: Seen | None
    replays: Replays | None
    leads: Mapping[str | None, int]
    native: tuple[int, int]
    shown: Mapping[tuple[int, int], Shown] = field(repr=False)
    prompts: Mapping[tuple[str, str | None], int] = field(repr=False)
    spellings: Mapping[str, tuple[int, ...]] = field(repr=False)
    tokens: Mapping[str, tuple[int, ...]] = field(repr=False)
    length_blind: tuple[int, ...] = ()

    @property
    def n_layers(self) -> int:
        """Number of decoder blocks."""
        return self.text.layers

    @property
    def grid(self) -> TokenGrid:
        """The token grid of a picture of the size at which suites are drawn for this model."""
        return self.shown[self.native].grid

    def grid_of(self, picture: Picture) -> TokenGrid:
        """The token grid over a picture; UsageError for a size that the facts were not made for."""
        return self._known(self.shown, picture.size, "pictures of this size").grid

    def token_options(self, options: Sequence[str]) -> list[tuple[int, ...]] | None:
        """The token ids that spell each option, or None where single tokens cannot tell the options apart."""
        spelled = [self._known(self.spellings, option, "this option") for option in options]
        flat = [number for ids in spelled for number in ids]
        return spelled if all(spelled) and len(flat) == len(set(flat)) else None

    def length_of(self, option: str) -> int:
        """How many tokens an option has as a text."""
        return len(self._known(self.tokens, option, "this option"))

    def demand(self, capabilities: Iterable[str]) -> None:
        """CannotAnswer where an architecture lacks one of some capabilities."""
        for capability in sorted(set(capabilities)):
            if capability not in self.capabilities:
                raise CannotAnswer(self.lacking.get(capability, f"It has no {capability}"), got=self.family)

    def check_options(self, examples: ExampleSet) -> None:
        """CannotAnswer where a tokenizer cannot tell a set's options apart, as single tokens where the set demands
        them."""
        for options in {e.options for e in examples}:
            if self.token_options(options) is not None:
                continue
            if examples.scoring == "token":
                unknown = [option for option in options if not self.spellings[option]]
                raise CannotAnswer(
                    "The tokenizer has no single token for some options" if unknown else "Two options share a token",
                    where=f"suite {examples.name}",
                    got=unknown or options,
                )
            try:
                told_apart(options, [list(self._known(self.tokens, option, "this option")) for option in options])
            except CannotAnswer as error:
                raise CannotAnswer(error.what, where=f"suite {examples.name}", got=error.got, do=error.do) from error

    def call(self, examples: Iterable[Example]) -> Call:
        """What a plain call of some examples as one batch is made of."""
        given = list(examples)
        shown = [self._known(self.shown, e.picture.size, "pictures of this size") for e in given]
        return Call(self.work, max(self._tokens(e) for e in given), tuple(one.patches for one in shown))

    def equivalents(self, call: Call, flops: Flops) -> float:
        """FLOPs of a batch in forward equivalents; UsageError where the facts leave costs out."""
        return call.equivalents(flops, self._priced(self.seen))

    def private(self) -> bool:
        """Whether the last position is seen by itself only; UsageError where the facts leave costs out."""
        return self._priced(self.replays).private

    def behind(self, example: Example, token: int) -> int:
        """Positions that a change of image tokens from `token` on reaches; UsageError for facts without costs."""
        reach = self._priced(self.replays).reach
        before = {"causal": self.leads[example.system] + token, "picture": self.leads[example.system], "prompt": 0}
        return self._tokens(example) - before[reach]

    def _tokens(self, example: Example) -> int:
        text = self._known(self.prompts, (example.question, example.system), "this question")
        return text + self._known(self.shown, example.picture.size, "pictures of this size").extra

    def _priced(self, one: Priced | None) -> Priced:
        if one is None:
            raise UsageError("These facts were made without costs", where=self.name, do="make them with priced=True")
        return one

    def sizes(self, samples: Iterable[Example | Pair]) -> Sizes:
        """The sizes of the largest of some samples: the longest text beside the largest picture."""
        given = sides(samples)
        longest = max(self._known(self.prompts, (e.question, e.system), "this question") for e in given)
        pictures = {e.picture.size: self._known(self.shown, e.picture.size, "pictures of this size") for e in given}
        _, largest = max(pictures.items(), key=lambda one: (one[1].patches, one[0][0] * one[0][1]))
        tokens = longest + largest.extra
        return Sizes(
            text=self.text,
            vision=self.vision,
            tokens=tokens,
            image_tokens=len(largest.grid),
            patches=largest.patches,
            vocabulary=self.vocabulary,
            inputs=largest.pixels + tokens * self.position_bytes,
            opened=3 * max(width * height for width, height in pictures),
            item=self.item,
            masks=self.masks,
            injected=self.injected,
        )

    def _known(self, answers: Mapping[Key, Value], asked: Key, what: str) -> Value:
        if asked not in answers:
            raise UsageError(
                f"The facts of a model say nothing of {what}", where=self.name, got=asked,
                do="make them for all examples of the plan; a measurement names what it adds to its samples in `asked`",
            )  # fmt: skip
        return answers[asked]


def sides(samples: Iterable[Example | Pair]) -> list[Example]:
    """Some examples, and both sides of pairs among them."""
    return [e for s in samples for e in ((s.clean, s.counterfactual) if isinstance(s, Pair) else (s,))]


def told_apart(options: Sequence[str], ids: Sequence[list[int]]) -> None:
    """CannotAnswer where two of some options are the same tokens, or one has none."""
    empty = [option for option, one in zip(options, ids, strict=True) if not one]
    if empty:
        raise CannotAnswer("The tokenizer has no token for some options", got=empty, do="leave them out")
    alike = [option for option, one in zip(options, ids, strict=True) if list(ids).count(one) > 1]
    if alike:
        raise CannotAnswer(
            "The tokenizer cannot tell some options apart: they are the same tokens",
            got=alike, do="give options of words that its vocabulary knows, each once",
        )  # fmt: skip
