"""Recording and editing: two context managers that own every hook.

One dispatcher visits a site in a model call: the edits apply in the order in which they were entered, then every
recording sees the edited value, whichever context was entered first. Hooks come off on exit, also on an error. An
edit that never applied while the model was called is an error on exit: no edit is silently lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from backsight.errors import EditError, UsageError
from backsight.models import attention, blocks
from backsight.models.families.common import capped
from backsight.models.recording import GradFrom, Recording
from backsight.models.selection import edited, selected
from backsight.models.sites import SITES, Call, Edit, Parts, Positions, SiteName

# Of a call's positional and keyword arguments: what becomes of its logits (batch, position, vocabulary), or None.
Around = Callable[[tuple[Any, ...], dict[str, Any]], Callable[[Tensor], Tensor] | None]


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
        with ExitStack() as stack:
            modules = dict(enumerate(map(blocks.attending, self.parts.layers)))
            if self._visits("scores"):
                functions = {module: self._score_function(layer) for layer, module in modules.items()}
                stack.enter_context(attention.explicit(self.model, scores=functions))
            if self._visits("keys"):
                functions = {module: self._key_function(layer) for layer, module in modules.items()}
                stack.enter_context(attention.explicit(self.model, keys=functions))
            yield

    def _visits(self, site: SiteName) -> bool:
        return any(e.site == site for e in self.edits) or any(site in r.sites for r in self.recordings)

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
                plain = {**blocks.without_cache(kwargs), **blocks.WHOLE_PROMPT}
                if call.input_ids is not None:
                    plain = blocks.cut_mask(plain, call.input_ids.shape[1])
                output = self.parts.base(*args, **plain)
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

    def _key_function(self, layer: int) -> attention.KeyFunction:
        def function(keys: Tensor) -> Tensor:
            call = self._call
            if call is None or call.past > 0:
                return keys
            length = keys.shape[2] if call.input_ids is None else call.input_ids.shape[1]
            by_position = keys[:, :, :length].transpose(1, 2)  # (batch, position, key_value_head, head_dim)
            edited = self._visit("keys", layer, by_position).transpose(1, 2)
            # A cache of fixed length: what stands behind the prompt is no key of it.
            return torch.cat([edited, keys[:, :, length:]], 2) if keys.shape[2] > length else edited

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
                new = edited(edit, value, call, self.image_token_id)
                if new is not None:
                    value = new
                    self.applied[id(edit)] += 1
        ends = site == "vision" and layer == len(self.parts.vision_blocks) - 1
        leaf: GradFrom = layer if site == "resid_pre" else "vision" if ends else None
        if leaf is not None and call.past == 0 and any(r.grad_from == leaf for r in self.recordings):
            value = value.detach().requires_grad_(True)
        for recording in self.recordings:
            if recording.wants(site, layer) and call.past == 0:
                mask = None
                if site != "vision":
                    mask = selected(recording.positions, site, value, call, self.image_token_id)
                recording.values[site, layer] = value if mask is None else value[mask]
        return value


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
