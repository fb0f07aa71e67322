"""Which rows of a site's value an edit acts on or a recording keeps, and what an edit makes of them."""

from __future__ import annotations

import torch
from torch import Tensor

from backsight.models.sites import Call, Edit, Positions, SiteName


def edited(edit: Edit, value: Tensor, call: Call, image_token_id: int) -> Tensor | None:
    """A site's value with an edit applied; None where it acts on no position of it."""
    mask = None if edit.site == "vision" else selected(edit.positions, edit.site, value, call, image_token_id)
    if edit.site == "vision":
        new = edit.apply(value)
    elif edit.keys is not None:
        seen = _pairs(edit, mask, value, call, image_token_id)
        if not seen.any():
            return None
        by_key = value.transpose(2, 3)  # (batch, query, key, head)
        changed = edit.apply(by_key[seen], *_by_row(edit, call, seen))
        new = by_key.masked_scatter(_like(seen, by_key), changed).transpose(2, 3)
    elif mask is None:
        every = torch.ones(value.shape[:2], dtype=torch.bool, device=value.device)
        new = edit.apply(value.flatten(0, 1), *_by_row(edit, call, every)).view_as(value)
    elif not mask.any():
        return None
    else:
        new = value.masked_scatter(_like(mask, value), edit.apply(value[mask], *_by_row(edit, call, mask)))
    return new


def _pairs(edit: Edit, queries: Tensor | None, scores: Tensor, call: Call, image_token_id: int) -> Tensor:
    """(batch, query, key), true where an edit of scores (batch, query, head, key) with `keys` acts."""
    batch, length, _, width = scores.shape
    assert edit.keys is not None
    keys = call.mask(edit.keys, length, image_token_id)
    every = torch.ones(batch, length, dtype=torch.bool, device=scores.device)
    seen = every if keys is None else keys.to(scores.device)
    if width > length:  # a cache of fixed length: what stands behind the prompt is no key of it
        seen = torch.cat([seen, seen.new_zeros(batch, width - length)], 1)
    return (every if queries is None else queries)[:, :, None] & seen[:, None, :]


def selected(positions: Positions, site: SiteName, value: Tensor, call: Call, image_token_id: int) -> Tensor | None:
    """(batch, position), true where a site's value is read or edited; None for all of it."""
    if site == "image_embeds" and isinstance(positions, str) and positions == "all":
        positions = "image"
    if call.past > 0:  # a decoded token: the last position is the only one there is
        if isinstance(positions, str) and positions in ("all", "last"):
            return None
        return torch.zeros(value.shape[:2], dtype=torch.bool, device=value.device)
    mask = call.mask(positions, value.shape[1], image_token_id)
    return mask if mask is None else mask.to(value.device)


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
