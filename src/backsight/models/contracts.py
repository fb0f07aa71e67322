"""Contracts: what the seam must satisfy for a model.

The cheap ones run whenever a model is opened (one small picture, at most eight forward passes of it); all run in
`backsight doctor`. Each returns a finding. At load a failed contract is an error: a seam that does not fit would give
numbers about another computation than the model's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch import Tensor

from backsight.errors import BacksightError, ContractError
from backsight.models import blocks, contract_parts, reach_contract, releases, replay
from backsight.models.contract_parts import close, disturb, examples
from backsight.models.findings import Finding
from backsight.models.generation_contract import generation, prompt_alone
from backsight.models.grid_contract import grid
from backsight.models.prompts import Batch
from backsight.models.seam import Seam
from backsight.models.sites import Edit, SiteName


@dataclass(frozen=True)
class FirstCall:
    """One example as a batch, and the next-token logits (batch, vocabulary) of a plain Hugging Face call of it."""

    batch: Batch
    plain: Tensor


def first_call(vlm: Seam) -> FirstCall:
    """The plain call that the cheap contracts compare with; errors of transformers and torch come as they are."""
    batch = vlm.prepare(examples(vlm)[:1])
    return FirstCall(batch, _plain(vlm, batch))


def at_load(vlm: Seam, first: FirstCall | None = None) -> list[Finding]:
    """The cheap contracts; ContractError where one fails."""
    first = first or first_call(vlm)
    batch, plain = first.batch, first.plain
    same = _identically_edited(vlm, batch)
    recorded = cache(lambda: replay.record(vlm, batch))
    checks: dict[str, Callable[[], Finding]] = {
        "logits equal a plain call": lambda: parity(vlm, batch, plain),
        "identity edits change nothing": lambda: identity(vlm, same, plain),
        "edits change the logits": lambda: changes(vlm, batch, same, plain, ("resid_pre", "image_embeds")),
        "edits address the prompt alone": lambda: prompt_alone(vlm, batch),
        "replay equals the whole forward": lambda: replays(vlm, batch, plain, recorded()),
        "the token grid is right": lambda: grid(vlm),
        reach_contract.NAME: lambda: reach_contract.reach(vlm, recorded()),
    }
    findings = [_run(vlm, name, check) for name, check in checks.items()]
    failed = [f for f in findings if not f.passed]
    if failed:
        raise ContractError(
            "The seam does not hold for this model",
            where=f"{vlm.name}; {releases.stated()}",
            got="; ".join(f"{f.name}: {f.detail}" for f in failed),
            do="; ".join([*dict.fromkeys(f.do for f in failed), "`backsight doctor` runs all contracts"]),
        )
    return findings


def all_of(vlm: Seam) -> list[Finding]:
    """Every contract, on a batch of prompts of several lengths."""
    batch = vlm.prepare(examples(vlm))
    plain, same = _plain(vlm, batch), _identically_edited(vlm, batch)
    checks: dict[str, Callable[[], Finding]] = {
        "logits equal a plain call": lambda: parity(vlm, batch, plain),
        "sites are transformers' hidden states": lambda: residuals(vlm, batch),
        "identity edits change nothing": lambda: identity(vlm, same, plain),
        "edits change the logits": lambda: changes(vlm, batch, same, plain, vlm.parts.sites),
        "edits act at their layer": lambda: layers(vlm, batch),
        "edits act at their positions": lambda: positions(vlm, batch),
        "replay equals the whole forward": lambda: replays(vlm, batch, plain),
        "the last-token sweep equals hooked forwards": lambda: sweep(vlm, batch),
        "edits hold inside generate": lambda: generation(vlm, batch),
        "the token grid is right": lambda: grid(vlm),
        reach_contract.NAME: lambda: reach_contract.reach(vlm),
        "hooks and attention are put back": lambda: restored(vlm),
    }
    return [_run(vlm, name, check) for name, check in checks.items()]


def _run(vlm: Seam, name: str, check: Callable[[], Finding]) -> Finding:
    """What a contract finds, with what to do about it unless it simply passed."""
    try:
        finding = check()
    except BacksightError as error:
        finding = Finding(name, False, error.what + (f" ({error.got})" if error.got else ""), do=error.do or "")
    except (AttributeError, KeyError, TypeError) as error:
        if releases.is_tested(releases.installed()):
            raise
        finding = Finding(name, False, f"{type(error).__name__}: {error}")  # names that a newer release has changed
    return finding if finding.do or (finding.passed and not finding.warning) else replace(finding, do=advice(vlm))


def advice(vlm: Seam) -> str:
    """What a user can do about a contract that fails, the likeliest reason first."""
    reasons = []
    if not releases.is_tested(releases.installed()):
        reasons.append(f"install a release of transformers that was tested ({releases.advice()})")
    if vlm.dtype != torch.float32:
        reasons.append("open the model in float32, where rounding is no reason")
    reasons.append("compare its family with docs/extending.md, if it is one of your own")
    reasons.append("report the findings of `backsight doctor`: measurements on this model would be wrong")
    return "; else ".join(reasons)


def _plain(vlm: Seam, batch: Batch) -> Tensor:
    """Next-token logits of a plain Hugging Face call, no seam involved."""
    with torch.no_grad():
        logits: Tensor = vlm.model(**batch.inputs).logits[:, -1]
    return logits


def parity(vlm: Seam, batch: Batch, plain: Tensor) -> Finding:
    """The seam's logits, with every site recorded, equal a plain call of the model."""
    with vlm.recording("resid_pre", "resid_post", "image_embeds", "heads"):
        passed, detail = close(vlm, vlm.forward(batch), plain)
    return Finding("logits equal a plain call", passed, detail)


def residuals(vlm: Seam, batch: Batch) -> Finding:
    """The sites are transformers' hidden_states: [0] is resid_pre(0), [l] is resid_post(l - 1) for 1 <= l < L.

    Between two blocks a family may add something at image tokens (DeepStack), and nowhere else.
    """
    with torch.no_grad(), vlm.recording("resid_pre", "resid_post") as recorded:
        states = vlm.model(**batch.inputs, **blocks.WITH_STATES).hidden_states
    gaps = [float((recorded["resid_pre", 0] - states[0]).abs().max())]
    for layer in range(1, vlm.n_layers):
        gaps.append(float((recorded["resid_post", layer - 1] - states[layer]).abs().max()))
        added = recorded["resid_pre", layer] - recorded["resid_post", layer - 1]
        gaps.append(float(added[~batch.image_mask].abs().max()))
    worst = max(gaps)
    passed = worst <= contract_parts.TOLERANCE
    return Finding("sites are transformers' hidden states", passed, f"largest difference {worst:.1e}")


def _identically_edited(vlm: Seam, batch: Batch) -> Tensor | BacksightError:
    """Next-token logits under an edit that changes nothing, at every site and layer at once."""
    try:
        with vlm.editing(*(Edit(site, torch.clone) for site in vlm.parts.sites)):
            return vlm.forward(batch)
    except BacksightError as error:
        return error


def identity(vlm: Seam, same: Tensor | BacksightError, plain: Tensor) -> Finding:
    """An edit that changes nothing, at every site and layer at once, changes nothing."""
    name = "identity edits change nothing"
    if isinstance(same, BacksightError):
        return Finding(name, False, f"{same.what} ({same.got})")
    return Finding(name, *close(vlm, same, plain))


def changes(
    vlm: Seam, batch: Batch, same: Tensor | BacksightError, plain: Tensor, sites: Iterable[SiteName]
) -> Finding:
    """An edit at each kind of site changes the logits beyond what an identity edit does: no edit is silently lost."""
    noise = 0.0 if isinstance(same, BacksightError) else float((same - plain).abs().max())
    lost, small = [], float("inf")
    for site in sites:
        layer = vlm.parts.count(site) // 2
        with vlm.editing(Edit(site, disturb, (layer,))):
            gap = float((vlm.forward(batch) - plain).abs().max())
        small = min(small, gap)
        if gap <= max(1e-6, 4 * noise):
            lost.append(site)
    detail = f"no effect at {', '.join(lost)}" if lost else f"at least {small:.1e}"
    return Finding("edits change the logits", not lost, detail)


def layers(vlm: Seam, batch: Batch) -> Finding:
    """An edit of resid_pre(l) is first seen in the output of block l, in transformers' own hidden_states[l + 1]."""

    def states() -> tuple[Tensor, ...]:
        with torch.no_grad():
            hidden: tuple[Tensor, ...] = vlm.model(**batch.inputs, **blocks.WITH_STATES).hidden_states
        return hidden

    before, wrong = states(), []
    for layer in range(vlm.n_layers):
        with vlm.editing(Edit("resid_pre", disturb, (layer,), "last")):
            after = states()
        changed = [k for k in range(len(before)) if not torch.equal(before[k], after[k])]
        if not changed or changed[0] not in ((0, 1) if layer == 0 else (layer + 1,)):
            wrong.append(layer)
    return Finding(
        "edits act at their layer", not wrong, f"wrong at layers {wrong}" if wrong else f"all {vlm.n_layers} layers"
    )


def positions(vlm: Seam, batch: Batch) -> Finding:
    """An edit of the last position, or of the image tokens, changes the recorded states there and nowhere else."""
    with vlm.recording("resid_pre", layers=[1]) as recorded:
        vlm.forward(batch)
        before = recorded["resid_pre", 1]
        last = torch.zeros_like(batch.image_mask)
        last[:, -1] = True
        wrong = []
        for name, expected in (("last", last), ("image", batch.image_mask)):
            with vlm.editing(Edit("resid_pre", disturb, (1,), name)):  # type: ignore[arg-type]
                vlm.forward(batch)
            if not torch.equal((recorded["resid_pre", 1] != before).any(-1), expected):
                wrong.append(name)
    return Finding("edits act at their positions", not wrong, f"wrong: {wrong}" if wrong else "last, image")


def replays(vlm: Seam, batch: Batch, plain: Tensor, trace: replay.Trace | None = None) -> Finding:
    """Replay from the first, middle and last layer, all rows, equals the whole forward."""
    trace = trace or replay.record(vlm, batch)
    rows = torch.arange(trace.final.shape[1])
    outcomes = [close(vlm, trace.logits, plain)]
    for layer in sorted({0, vlm.n_layers // 2, vlm.n_layers}):
        outcomes.append(close(vlm, trace.replay(layer, trace.resid_pre(layer), rows), plain))
    worst = [detail for passed, detail in outcomes if not passed] or [outcomes[-1][1]]
    return Finding("replay equals the whole forward", all(passed for passed, _ in outcomes), worst[0])


def sweep(vlm: Seam, batch: Batch) -> Finding:
    """The last-token sweep equals one hooked forward a layer, with states of the other examples patched in."""
    trace = replay.record(vlm, batch)
    source = torch.stack([trace.resid_pre(k)[:, -1].roll(1, 0) for k in range(vlm.n_layers + 1)])
    swept = trace.sweep_last(source)
    outcomes = []
    for layer in range(vlm.n_layers + 1):
        with vlm.editing(Edit("resid_pre", _constant(source[layer]), (layer,), "last")):
            outcomes.append(close(vlm, swept[layer], vlm.forward(batch)))
    worst = [detail for passed, detail in outcomes if not passed] or [outcomes[-1][1]]
    return Finding("the last-token sweep equals hooked forwards", all(passed for passed, _ in outcomes), worst[0])


def _constant(value: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda rows: value.to(rows.dtype)


def restored(vlm: Seam) -> Finding:
    """No hook is left behind, and the attention implementation is the model's own again."""
    before, count = vlm.attention, hook_count(vlm)
    with vlm.recording("scores"), vlm.editing(Edit("resid_pre", torch.clone)):
        pass
    passed = vlm.attention == before and hook_count(vlm) == count
    return Finding(
        "hooks and attention are put back", passed, f"{hook_count(vlm) - count} hooks left, attention {vlm.attention}"
    )


def hook_count(vlm: Seam) -> int:
    """Forward hooks and pre-hooks on all modules."""
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in vlm.model.modules())
