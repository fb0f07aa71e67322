"""The recorded comparison as a page in Markdown: what the numbers say, then how they were made."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from backsight.maths.seeds import FEWEST
from backsight.results.contrastive import text
from backsight.results.contrastive.claims import LEAST, claims
from backsight.results.contrastive.tables import summary
from backsight.results.pages.markdown import filled
from backsight.results.pages.wording import listed
from backsight.tables import Table

COMMAND = "python benchmarks/clip_cloc.py --out DIR --results docs/results"
SCENES = """\
- **Scenes.** One to four of 36 coloured shapes (six colours, six shapes) anywhere on plain or textured ground.
  Both encoders see the same scenes in the same order and begin with the same weights.
- **Captions** say only what there is: "a red square and a blue circle"."""
LOSSES = """\
- **CLIP-style**: symmetric image-text InfoNCE. Pictures with the same contents are no negatives of each other.
- **CLOC-style**: the same, plus symmetric region-text InfoNCE over all regions of the batch (regions with the
  same text are no negatives), plus the regression of a text's box (L1 and 1 - GIoU), each with weight 1.
- **Over a language model.** The vision blocks go into a Gemma-3 tower and are frozen; a projector and a language
  model learn rows of three squares at fixed positions (what is left of the middle one, which is leftmost, which of two
  colors is there), every ordered triple alike. Asked the relations of Squares, on the very pictures that training
  shows, and the same moved by whole cells to where training never shows a thing. *Open*: 1-D rotary positions.
  *Closed*: rotary positions stretched by 1e9, which leaves image tokens without order, so that position can only come
  out of the encoder."""
EXAMINED = f"""\
- **Regions without training.** The encoder's own pooling head reads the tokens that a box touches; the prompter
  is CLOC-style's own.
- **Probes.** Logistic regression on the tokens of things; half of the pictures fit, half test; chance is that
  of the same probe on labels dealt out anew.
- **Chance** of relations is 1/2: each row is there in both orders, and a model that is blind to order gives both
  the same answer, on pictures that it was trained on too.
- **Intervals** are Student's over {FEWEST} seeds or more, differences are paired by seed. None is narrower than the
  error that the pictures leave, which are the same for all seeds; those of shares are cut to 0 and 1."""
OURS = """## What is not public, and so ours
CLOC (Chen et al., arXiv 2410.02746) is described by its paper; its weights are not public. The three losses and
the idea of a light prompter are the paper's. The prompter's form (one cross-attention from sine features of the
box, without a residual), the weights of the losses, the sampling of regions (all of a scene), the treatment of
equal texts, and everything about size and data are ours. So this is CLOC-*style*: it tests the objective on
drawn scenes, not the published encoder."""


def _made(table: Table) -> list[str]:
    """How the models were made and examined; `facts` are those of the recipes, as the benchmark gives them."""
    facts: Mapping[str, Any] = table.provenance.get("facts", {})
    machines = table.provenance.get("hardware")
    start = (
        f"`{COMMAND}` trains what is missing in `DIR`, examines it and writes this page, its figure and its rows "
        "(`clip-cloc.csv`, `clip-cloc-claims.csv`). It goes on where it was stopped. A model of another recipe, or "
        "over an encoder that was trained anew, is refused; a table of other weights is made anew."
    )
    lines = [SCENES]
    if facts:
        lines.append(
            f"- **Sizes.** Pictures of {facts['side']} px, {facts['grid']} image tokens. Encoder (SiglipModel): "
            f"{facts['encoder']}, {facts['encoder_steps']} steps of {facts['encoder_images']} pictures. Language "
            f"model: {facts['language']}, {facts['steps']} steps of {facts['images']} pictures."
        )
    parts = ["## How it is made", start, "\n".join([*lines, LOSSES, EXAMINED])]
    if machines:
        parts.append(f"Examined on {escape(listed(machines), quote=False)}, one thread, fp32.")
    return [*parts, OURS]


def page(table: Table) -> str:
    """The page of a table of examinations (`tables.EXAMINED`), with its figure at ../images/clip-cloc.svg.

    `table.provenance` has `hardware`, the machines that examined, and `facts`, the recipes' sizes and steps.
    """
    judged, of = claims(table).rows(), summary(table)
    parts = ["# CLIP-style against CLOC-style pre-training"]
    parts += [headline] if (headline := text.headline(judged)) else []
    parts += [text.claim(kind, judged) for kind in ("more", "none", "cost")]
    parts += ["## The claims, by measure", text.judgements(judged).rstrip("\n")]
    parts.append(
        f"Each claim is judged by each of its measures: confirmed where the mean over seeds differs from the bound to "
        f"the side that the claim says, not confirmed where it differs to the other, undecided else (p < .05 by "
        f"Student's test, Holm over those of all {len(judged)} that have {FEWEST} seeds or more). The bound is "
        f"{LEAST:g} of accuracy, the smallest that counts. Claims and models are ours. Brackets hold 95 % intervals, "
        "before Holm."
    )
    parts += ["## All numbers", *([text.start(of)] if text.start(of) else [])]
    parts.append("![Where, what, and position probes by block, CLIP-style and CLOC-style](../images/clip-cloc.svg)")
    parts += [text.markdown(of).rstrip("\n"), *_made(table)]
    return filled("\n\n".join(part.rstrip("\n") for part in parts)) + "\n"
