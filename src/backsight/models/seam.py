"""Seam: what reads and writes inside a model, and the only object that calls one.

It prepares batches and offers recording, editing, plain forwards and generation. Contracts, recordings and
replays work on it; `VLM` is a seam whose contracts have been run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from backsight.errors import UsageError
from backsight.examples import Example, Picture, PlainPicture, as_picture
from backsight.grid import TokenGrid
from backsight.models import answers, blocks, counting, fingerprints
from backsight.models.families import Family, family_of
from backsight.models.families.common import capped
from backsight.models.findings import Tried
from backsight.models.flops import Call, Flops, Ledger, Seen, Work
from backsight.models.hooks import Hooks
from backsight.models.prompts import Batch, Prompter
from backsight.models.recording import GradFrom, Recording
from backsight.models.sites import Edit, Parts, Positions, SiteName


class Seam:
    """A vision-language model and its processor, opened for reading and writing; nothing of it is proved."""

    def __init__(self, model: Any, processor: Any, *, name: str, family: Family | None, origin: Path | None) -> None:
        """Put a model in eval mode and freeze its parameters, until `close`. ModelError where the family is unknown."""
        self.family = family or family_of(model.config)
        self.model: Any = model
        self.processor, self.name, self.origin = processor, name, origin
        self.tokenizer = processor.tokenizer
        self.prompter = Prompter(model, processor, self.family)
        self.parts = Parts.of(model, self.family)
        self.hooks = Hooks(model, self.parts, self.prompter.image_token_id)
        self.length_tried: tuple[Tried, ...] | None = None  # of `reach_contract`, once it was tried
        self._ledger = Ledger()
        self._options: dict[tuple[str, ...], list[list[int]] | None] = {}
        self._grids: dict[tuple[int, int], TokenGrid] = {}
        self._state: _State | None = _State(model)
        model.eval().requires_grad_(False)

    def close(self) -> None:
        """Give the model back as it came: which modules train and which parameters want gradients. It then asks no
        more; a second call does nothing."""
        if self._state is not None:
            self._state.restore()
        self._state = None

    def __repr__(self) -> str:
        shape = f"{self.n_layers} layers, {self.dtype}, {self.device}"
        return f"{type(self).__name__}({self.name}, {self.family.name}, {shape})"

    @property
    def n_layers(self) -> int:
        """Number of decoder blocks, L; `resid_pre` has L + 1 layers."""
        return len(self.parts.layers)

    def options(self, options: tuple[str, ...]) -> list[list[int]] | None:
        """The token ids that spell each option, or None where single tokens cannot tell the options apart."""
        if options not in self._options:
            self._options[options] = answers.token_options(self.tokenizer, options)
        return self._options[options]

    def choose(self, logits: Tensor, options: tuple[str, ...]) -> tuple[str, Tensor]:
        """The most probable of some options by next-token logits (vocabulary,), and the options' probabilities.

        UsageError where single tokens cannot tell them apart.
        """
        single = self.options(options)
        if single is None:
            raise UsageError(
                "Single tokens cannot tell these options apart", got=options,
                do="give options that are tokens of the vocabulary and differ",
            )  # fmt: skip
        scores = answers.option_probabilities(logits, single)
        return options[int(scores.argmax())], scores

    @property
    def device(self) -> torch.device:
        return next(iter(self.model.parameters())).device  # type: ignore[no-any-return]

    @property
    def dtype(self) -> torch.dtype:
        return next(iter(self.model.parameters())).dtype  # type: ignore[no-any-return]

    @property
    def attention(self) -> str:
        """The language model's attention implementation."""
        return blocks.implementation(self.model.config.get_text_config())

    @cached_property
    def grid(self) -> TokenGrid:
        """The token grid of a picture of the size at which suites are drawn for this model."""
        return self.grid_of(PlainPicture(self.prompter.native_size()))

    def grid_of(self, image: Picture | Image.Image | str | Path) -> TokenGrid:
        """The token grid that this model lays over a picture; it follows from the picture's size alone."""
        size = as_picture(image).size
        if size not in self._grids:
            self._grids[size] = self.prompter.grid(size, self.prompter.pixels([PlainPicture(size).open()]), 0)
        return self._grids[size]

    def prepare(self, examples: Sequence[Example]) -> Batch:
        """The input for a batch of examples, padded on the left; UsageError where the seam is closed."""
        if self._state is None:
            raise UsageError(
                "This model is closed: it was given back to its owner",
                where=self.name, do="wrap it again: VLM(model, processor)",
            )  # fmt: skip
        return self.prompter.prepare(examples, self.device, self.dtype)

    def forward(self, batch: Batch) -> Tensor:
        """Next-token logits behind each prompt, (batch, vocabulary)."""
        call = self.call(batch)
        self.charge(call, call.forward() * self.hooks.passes)
        with torch.set_grad_enabled(self.hooks.wants_gradients):
            output = self.model(**batch.inputs, **blocks.WHOLE_PROMPT, logits_to_keep=1)
        logits: Tensor = output.logits[:, -1]
        return logits

    def recording(
        self,
        *sites: SiteName,
        layers: Sequence[int] | None = None,
        positions: Positions = "all",
        grad_from: GradFrom = None,
    ) -> AbstractContextManager[Recording]:
        """Record sites in every call inside the context; `grad_from` keeps gradients from that layer's input
        on, or from the end of the vision encoder ("vision")."""
        return self.hooks.recording(*sites, layers=layers, positions=positions, grad_from=grad_from)

    def editing(self, *edits: Edit) -> AbstractContextManager[None]:
        """Apply edits in every call inside the context, `model.generate` included."""
        return self.hooks.editing(*edits)

    def watching(
        self, watch: Callable[[int, Tensor], None], layers: Sequence[int] | None = None
    ) -> AbstractContextManager[None]:
        """Call `watch(layer, weights)` with the attention (batch, head, query, key) of every prompt inside the context.

        One layer's weights stand in memory at a time: what a watcher does not keep is gone.
        """
        return self.hooks.watching(watch, layers)

    def logits(self, hidden: Tensor) -> Tensor:
        """Next-token logits (..., vocabulary) of states at the input of the final norm, (..., d_model)."""
        return capped(self.model, self.model.lm_head(self.parts.norm(hidden)))

    def generate(self, batch: Batch, *, max_new_tokens: int = 8) -> list[str]:
        """Plain greedy generation, the new text of each prompt."""
        with torch.no_grad():
            ids = self.model.generate(**batch.inputs, max_new_tokens=max_new_tokens, do_sample=False)
        new = ids[:, batch.input_ids.shape[1] :]
        call = self.call(batch)
        self.charge(call, call.written(new.shape[1]))
        return [str(t).strip() for t in self.tokenizer.batch_decode(new, skip_special_tokens=True)]

    def extended(self, batch: Batch, tails: Sequence[Sequence[int]]) -> Batch:
        """The batch with token ids behind each prompt, as if the model had decoded them."""
        kinds = dict.fromkeys(self.family.type_ids, self.family.suffix_type)
        return batch.extended(tails, self.tokenizer.pad_token_id or 0, kinds)

    def sequence_log_probabilities(self, batch: Batch, options: Sequence[str]) -> Tensor:
        """log p of each option's tokens behind each prompt, (batch, option): one forward an option.

        Long options have lower sums: `answers.per_token` gives the mean over an option's tokens beside them.
        CannotAnswer where two options are the same tokens.
        """
        start, columns, call = batch.input_ids.shape[1], [], self.call(batch)
        for ids in answers.sequences(self.tokenizer, options):
            longer = self.extended(batch, [ids] * len(batch))
            self.charge(call, call.forward(longer=len(ids), logits=call.tokens + len(ids)) * self.hooks.passes)
            with torch.no_grad(), self.hooks.behind(len(ids)):
                logits = self.model(**longer.inputs, **blocks.WHOLE_PROMPT).logits[:, start - 1 : -1].float()
            picked = torch.log_softmax(logits, -1).gather(2, longer.input_ids[:, start:, None])
            columns.append(picked.sum((1, 2)))
        return torch.stack(columns, 1)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of weights, configuration and processor."""
        return fingerprints.of(self.model, self.processor, self.origin)

    @property
    def forward_equivalents(self) -> float:
        """What has run since the model was opened, in forward equivalents."""
        return self._ledger.total(self.seen if self._ledger else None)

    def charge(self, call: Call, flops: Flops) -> None:
        """Count what a batch has run."""
        self._ledger.charge(call, flops)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """What runs inside the context is not charged: it belongs to no measurement."""
        ledger, self._ledger = self._ledger, Ledger()
        try:
            yield
        finally:
            self._ledger = ledger

    def call(self, asked: Batch | Sequence[Example]) -> Call:
        """What a plain call of a batch is made of, or of examples that were not prepared as one."""
        if isinstance(asked, Batch):
            tokens, grids = asked.input_ids.shape[1], asked.grids
        else:
            grids = tuple(self.grid_of(e.picture) for e in asked)
            texts = [len(self.tokenizer.encode(self.prompter.text(e.question, e.system))) for e in asked]
            tokens = max(text + self._around + len(grid) for text, grid in zip(texts, grids, strict=True))
        return Call(self.work, tokens, tuple(self.prompter.patches(grid.size) for grid in grids))

    @cached_property
    def work(self) -> Work:
        """The FLOPs of the parts of this architecture."""
        return counting.work(self.model, self.parts, self.prompter.patches(self.prompter.native_size()))

    @cached_property
    def seen(self) -> Seen:
        """The FLOPs of one picture of the model's own size in the vision encoder; it runs once for this."""
        inputs = self._reference.inputs

        def watch(mark: Callable[[], None]) -> list[Any]:
            last = self.parts.vision_blocks[-1:]
            return [h for b in last for h in self.hooks.observe(b, before=lambda *_: None, after=lambda _: mark())]

        with self.hooks.suspended():
            return counting.seen(lambda: self.family.features(self.model, self.family.taken(inputs)), watch)

    @property
    def reference(self) -> Call:
        """A call with a picture of the model's own size and a short question."""
        return self.call(self._reference)

    @cached_property
    def _reference(self) -> Batch:
        return self.prepare([Example("share", PlainPicture(self.prompter.native_size()), "Where is it?", (), "")])

    @cached_property
    def _around(self) -> int:
        """A prompt's positions beyond those of its text and its grid."""
        batch = self._reference
        text = len(self.tokenizer.encode(self.prompter.text(batch.examples[0].question, None)))
        return batch.input_ids.shape[1] - text - len(batch.grids[0])

    @property
    def vision_share(self) -> float:
        """The vision encoder's and projector's share of the FLOPs of one plain call, a short question's."""
        return self.seen.picture / self.seen.of(self.reference.plain())

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return sum(p.numel() for p in nn.Module.parameters(self.model))


class _State:
    """Which modules of a model were training and which parameters wanted gradients when it came."""

    def __init__(self, model: nn.Module) -> None:
        self._training = [(module, module.training) for module in model.modules()]
        self._wanted = [(parameter, parameter.requires_grad) for parameter in model.parameters()]

    def restore(self) -> None:
        """Put all of it back."""
        for module, training in self._training:
            module.training = training
        for parameter, wanted in self._wanted:
            parameter.requires_grad_(wanted)
