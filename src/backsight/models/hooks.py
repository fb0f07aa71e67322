"""Recording and editing: two context managers that own every hook.

One dispatcher visits a site in a model call: the edits apply in the order in which they were entered, then every
recording sees the edited value, whichever context was entered first. Hooks come off on exit, also on an error. An
edit that never applied while the model was called is an error on exit: no edit is silently lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from backsight.errors import EditError, UsageError
from backsight.models import attention, blocks
from backsight.models.families.common import capped
from backsight.models.sites import SITES, Call, Edit, Parts, Positions, SiteName

GradFrom = int | Literal["vision"] | None
# Of a call's positional and keyword arguments: what becomes of its logits (batch, position, vocabulary), or None.
Around = Callable[[tuple[Any, ...], dict[str, Any]], Callable[[Tensor], Tensor] | None]


@dataclass
class Recording:
    """What was seen at some sites in the latest call of the model: `recording["resid_pre", 3]`.

    Values are (batch, position, d_model) for "all" positions, else the selected rows (row, d_model) in batch-major
    order. With `grad_from`, the residual stream before that layer is a leaf, or with "vision" what the last block of
    the vision encoder gives: gradients stop there.
    """

    sites: tuple[SiteName, ...]
    layers: frozenset[int] | None
    positions: Positions
    grad_from: GradFrom
    values: dict[tuple[SiteName, int], Tensor] = field(default_factory=dict)

    def __getitem__(self, key: tuple[SiteName, int]) -> Tensor:
        if key not in self.values:
            raise EditError("Nothing was recorded there", where=key, got=f"{len(self.values)} other sites and layers")
        return self.values[key]

    def wants(self, site: SiteName, layer: int) -> bool:
        """Whether this site and layer is recorded."""
        return site in self.sites and (self.layers is None or layer in self.layers)


class Hooks:
    """The only owner of forward hooks on a model."""

    def __init__(self, model: nn.Module, parts: Parts, image_token_id: int) -> None:
        self.model, self.parts, self.image_token_id = model, parts, image_token_id
        self.edits: list[Edit] = []
        self.recordings: list[Recording] = []
        self.applied: dict[int, int] = {}
        self.calls = 0
        self._call: Call | None = None
        self._watching = 0
        self._around: list[Around] = []
        self._aside = False
        self._behind = 0
        self._handles: list[Any] = []

    @property
    def wants_gradients(self) -> bool:
        """Whether a recording asks for gradients."""
        return any(r.grad_from is not None for r in self.recordings)

    @contextmanager
    def recording(
        self, *sites: SiteName, layers: Sequence[int] | None, positions: Positions, grad_from: GradFrom
    ) -> Iterator[Recording]:
        """Record `sites` in every call of the model inside the context."""
        for site in sites:
            if site not in SITES:
                raise UsageError("There is no such site", got=site, do=f"choose from: {', '.join(SITES)}")
            self._check_layers(site, layers)
        if grad_from == "vision" and not self.parts.vision_blocks:
            raise UsageError("The vision encoder has no blocks to take gradients from", got=grad_from)
        opened = Recording(sites, None if layers is None else frozenset(layers), positions, grad_from)
        self.recordings.append(opened)
        try:
            with self._installed():
                yield opened
        finally:
            self.recordings = [r for r in self.recordings if r is not opened]
            self._reinstall()

    @contextmanager
    def editing(self, *edits: Edit) -> Iterator[None]:
        """Apply `edits` in every call of the model inside the context."""
        for edit in edits:
            self._check_layers(edit.site, edit.layers)
        calls = self.calls
        self.edits += edits
        for edit in edits:
            self.applied[id(edit)] = 0
        try:
            with self._installed():
                yield
            lost = [edit for edit in edits if self.applied[id(edit)] == 0]
            if lost and self.calls > calls:
                raise EditError(
                    "An edit never applied although the model was called",
                    where=[(edit.site, edit.layers) for edit in lost],
                    do="check its positions against the prompt",
                )
        finally:
            self.edits = [e for e in self.edits if not any(e is mine for mine in edits)]
            for edit in edits:
                self.applied.pop(id(edit), None)
            self._reinstall()

    @contextmanager
    def watching(self, watch: Callable[[int, Tensor], None], layers: Sequence[int] | None = None) -> Iterator[None]:
        """Call `watch(layer, weights)` with the attention of each prompt in some layers, or in all.

        Weights are (batch, head, query, key), behind the softmax and all edits. They are not kept: a watcher that wants
        less than all of them takes it out there and then, so that one layer's stand in memory at a time.
        """
        self._check_layers("scores", layers)

        def watcher(layer: int) -> attention.WeightWatcher:
            def seen(weights: Tensor) -> None:
                if self._call is not None and self._call.past == 0 and not self._aside:
                    watch(layer, weights)

            return seen

        chosen = range(len(self.parts.layers)) if layers is None else layers
        watchers = {blocks.attending(self.parts.layers[layer]): watcher(layer) for layer in chosen}
        with self._installed_for(watchers):
            yield

    @contextmanager
    def around(self, act: Around) -> Iterator[None]:
        """Call `act` before each call of the whole model for a prompt; what it gives makes new logits of the call's.

        A call that `act` makes itself runs `aside`. Where two are open, the inner one's logits go to the outer one.
        """
        self._around.append(act)
        finish: list[Callable[[Tensor], Tensor] | None] = []

        def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            if not self._aside:
                finish.append(act(args, kwargs) if blocks.decoded_before(kwargs) == 0 else None)

        def after(module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
            new = None if self._aside or not finish else finish.pop()
            if new is not None:
                output.logits = new(output.logits)

        handles = [
            self.model.register_forward_pre_hook(before, with_kwargs=True),
            self.model.register_forward_hook(after),
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()
            self._around.remove(act)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """What runs inside the context is edited, but neither recorded, watched nor counted as a call."""
        recordings, calls, aside = self.recordings, self.calls, self._aside
        self.recordings, self._aside = [], True
        try:
            yield
        finally:
            self.recordings, self.calls, self._aside = recordings, calls, aside

    @contextmanager
    def behind(self, count: int) -> Iterator[None]:
        """In calls inside the context `count` tokens stand behind each prompt, as if they were decoded already."""
        before, self._behind = self._behind, count
        try:
            yield
        finally:
            self._behind = before

    @property
    def is_aside(self) -> bool:
        """Whether a call in progress runs beside another one."""
        return self._aside

    @property
    def combined(self) -> bool:
        """Whether a call's logits are made of several calls, so that no replay of one gives them."""
        return bool(self._around)

    @property
    def passes(self) -> int:
        """How many forward passes of the model a call takes."""
        return (2 if self.gated else 1) * (1 + len(self._around))

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """No edit, no recording and no vote sees what runs inside the context."""
        edits = self.edits
        self.edits = []
        try:
            with self.aside():
                yield
        finally:
            self.edits = edits

    def observe(self, module: nn.Module, *, before: Any, after: Any = None) -> list[Any]:
        """Handles of plain observers of a module, for `replay`; the caller removes them.

        `before(args, kwargs)` may return new keyword arguments; `after(output)` only looks. They run behind the edits.
        """

        def on_input(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            new = before(args, kwargs)
            return None if new is None else (args, new)

        handles: list[Any] = [module.register_forward_pre_hook(on_input, with_kwargs=True)]
        if after is not None:
            handles.append(module.register_forward_hook(lambda module, args, output: after(output)))
        return handles

    def _check_layers(self, site: SiteName, layers: Sequence[int] | None) -> None:
        count = self.parts.count(site)
        wrong = [layer for layer in layers or () if not 0 <= layer < count]
        if wrong:
            raise UsageError(f"The site {site!r} has no such layer", got=wrong, do=f"give 0 to {count - 1}")

    @contextmanager
    def _installed_for(self, watchers: dict[nn.Module, attention.WeightWatcher]) -> Iterator[None]:
        """Hooks that know which call is in progress, while some attention modules are watched."""
        self._watching += 1
        try:
            with self._installed(), attention.explicit(self.model, weights=watchers):
                yield
        finally:
            self._watching -= 1
            self._reinstall()

    @contextmanager
    def _installed(self) -> Iterator[None]:
        self._reinstall()
        scored = any(e.site == "scores" for e in self.edits) or any("scores" in r.sites for r in self.recordings)
        with ExitStack() as stack:
            if scored:
                functions = {
                    blocks.attending(layer): self._score_function(index)
                    for index, layer in enumerate(self.parts.layers)
                }
                stack.enter_context(attention.explicit(self.model, scores=functions))
            yield

    def _reinstall(self) -> None:
        """Take every hook off and, while a context is open, put the needed ones on again."""
        while self._handles:
            self._handles.pop().remove()
        if not self.edits and not self.recordings and not self._watching:
            return
        parts, add = self.parts, self._handles.append
        add(parts.base.register_forward_pre_hook(self._enter, with_kwargs=True))
        add(parts.base.register_forward_hook(self._leave, always_call=True))
        add(parts.decoder.register_forward_pre_hook(self._on_embeds, with_kwargs=True))
        for index, layer in enumerate([*parts.layers, parts.norm]):
            add(layer.register_forward_pre_hook(self._on_input("resid_pre", index), prepend=True))
        for index, layer in enumerate(parts.layers):
            add(layer.register_forward_hook(self._on_output("resid_post", index), prepend=True))
            add(blocks.head_projection(layer).register_forward_pre_hook(self._on_input("heads", index)))
        for index, block in enumerate(parts.vision_blocks):
            add(block.register_forward_hook(self._on_output("vision", index), prepend=True))

    def _enter(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        past = blocks.decoded_before(kwargs)
        call = Call(blocks.input_ids(args, kwargs), blocks.padding_mask(kwargs), past, behind=self._behind)
        if past == 0 and self.gated:
            call = replace(call, logits=self._plain_logits(call, args, kwargs))
        self._call = call
        self.calls += 1
        if past == 0:
            encoded = blocks.is_encoded(kwargs)  # by `generate`, before it called the model
            for recording in self.recordings:
                recording.values = {k: v for k, v in recording.values.items() if encoded and k[0] == "vision"}

    @property
    def gated(self) -> bool:
        """Whether an edit has a gate, so that each prompt takes a second forward pass."""
        return any(edit.gate is not None for edit in self.edits)

    def _plain_logits(self, call: Call, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        """Next-token logits (batch, vocabulary) of the call in progress without its gated edits."""
        edits = self.edits
        self.edits = [edit for edit in edits if edit.gate is None]
        try:
            with torch.no_grad(), self.aside():
                output = self.parts.base(*args, **{**blocks.without_cache(kwargs), **blocks.WHOLE_PROMPT})
        finally:
            self.edits = edits
        hidden: Tensor = output.last_hidden_state
        mask = call.mask("last", hidden.shape[1], self.image_token_id)
        assert mask is not None
        head: Any = self.model.lm_head
        return capped(self.model, head(hidden[mask.to(hidden.device)]))

    def _leave(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        self._call = None

    def _on_input(self, site: SiteName, layer: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            return (self._visit(site, layer, args[0]), *args[1:])

        return hook

    def _on_output(self, site: SiteName, layer: int) -> Any:
        def hook(module: nn.Module, args: tuple[Any, ...], output: Any) -> Any:
            if isinstance(output, tuple):
                return (self._visit(site, layer, output[0]), *output[1:])
            return self._visit(site, layer, output)

        return hook

    def _on_embeds(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
        return args, {**kwargs, "inputs_embeds": self._visit("image_embeds", 0, kwargs["inputs_embeds"])}

    def _score_function(self, layer: int) -> attention.ScoreFunction:
        def function(scores: Tensor) -> Tensor:
            by_query = scores.transpose(1, 2)  # (batch, query, head, key), so that a row is a query
            return self._visit("scores", layer, by_query).transpose(1, 2)

        return function

    def _visit(self, site: SiteName, layer: int, value: Tensor) -> Tensor:
        """Edit a site and then record it; nothing else does either."""
        call = self._call
        if call is None and site == "vision":  # `generate` runs the vision encoder before it calls the model
            call = Call(None, None, 0)
        if call is None:  # a layer called by itself, as replay does
            return value
        for edit in self.edits:
            if edit.at(site, layer) and (call.past == 0 or edit.decoded):
                value = self._edited(edit, value, call)
        ends = site == "vision" and layer == len(self.parts.vision_blocks) - 1
        leaf: GradFrom = layer if site == "resid_pre" else "vision" if ends else None
        if leaf is not None and call.past == 0 and any(r.grad_from == leaf for r in self.recordings):
            value = value.detach().requires_grad_(True)
        for recording in self.recordings:
            if recording.wants(site, layer) and call.past == 0:
                mask = None if site == "vision" else self._mask(recording.positions, site, value, call)
                recording.values[site, layer] = value if mask is None else value[mask]
        return value

    def _edited(self, edit: Edit, value: Tensor, call: Call) -> Tensor:
        mask = None if edit.site == "vision" else self._mask(edit.positions, edit.site, value, call)
        if edit.site == "vision":
            new = edit.apply(value)
        elif edit.keys is not None:
            seen = self._pairs(edit, mask, value, call)
            if not seen.any():
                return value
            by_key = value.transpose(2, 3)  # (batch, query, key, head)
            changed = edit.apply(by_key[seen], *_by_row(edit, call, seen))
            new = by_key.masked_scatter(_like(seen, by_key), changed).transpose(2, 3)
        elif mask is None:
            every = torch.ones(value.shape[:2], dtype=torch.bool, device=value.device)
            new = edit.apply(value.flatten(0, 1), *_by_row(edit, call, every)).view_as(value)
        elif not mask.any():
            return value
        else:
            new = value.masked_scatter(_like(mask, value), edit.apply(value[mask], *_by_row(edit, call, mask)))
        self.applied[id(edit)] += 1
        return new

    def _pairs(self, edit: Edit, queries: Tensor | None, scores: Tensor, call: Call) -> Tensor:
        """(batch, query, key), true where an edit of scores (batch, query, head, key) with `keys` acts."""
        batch, length, _, width = scores.shape
        assert edit.keys is not None
        keys = call.mask(edit.keys, length, self.image_token_id)
        every = torch.ones(batch, length, dtype=torch.bool, device=scores.device)
        seen = every if keys is None else keys.to(scores.device)
        if width > length:  # a cache of fixed length: what stands behind the prompt is no key of it
            seen = torch.cat([seen, seen.new_zeros(batch, width - length)], 1)
        return (every if queries is None else queries)[:, :, None] & seen[:, None, :]

    def _mask(self, positions: Positions, site: SiteName, value: Tensor, call: Call) -> Tensor | None:
        if site == "image_embeds" and isinstance(positions, str) and positions == "all":
            positions = "image"
        if call.past > 0:  # a decoded token: the last position is the only one there is
            if isinstance(positions, str) and positions in ("all", "last"):
                return None
            return torch.zeros(value.shape[:2], dtype=torch.bool, device=value.device)
        mask = call.mask(positions, value.shape[1], self.image_token_id)
        return mask if mask is None else mask.to(value.device)


@contextmanager
def at_block(model: Any, layer: int, act: Callable[[Tensor], Tensor | None]) -> Iterator[None]:
    """Call `act` with the input (batch, position, d_model) of a decoder block, gradients and all; what it gives back
    takes the input's place. For training, where the seam's parameters are not frozen."""

    def hook(_: nn.Module, given: tuple[Any, ...]) -> tuple[Any, ...] | None:
        taken = act(given[0])
        return None if taken is None else (taken, *given[1:])

    handle = model.get_decoder().layers[layer].register_forward_pre_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def _like(mask: Tensor, value: Tensor) -> Tensor:
    return mask.view(*mask.shape, *[1] * (value.ndim - mask.ndim)).expand_as(value)


def _by_row(edit: Edit, call: Call, chosen: Tensor) -> list[Tensor]:
    """What an edit's function takes beside the rows: what its gate gives for each row's prompt, and which that is."""
    if edit.gate is None and not edit.by_prompt:
        return []
    prompts = chosen.nonzero()[:, 0]
    more = [prompts] if edit.by_prompt else []
    if edit.gate is None:
        return more
    assert call.logits is not None
    return [edit.gate(call.logits).to(chosen.device)[prompts], *more]
