"""Explain one answer: from a picture and two named boxes to an `Explanation`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from backsight.errors import CannotAnswer, UsageError
from backsight.examples import Example, Picture, as_picture
from backsight.grid import Box, TokenGrid
from backsight.maths import compass
from backsight.maths.compass import Floats
from backsight.maths.relevance import DEFAULT, EFFECTS
from backsight.measurements import creg, relevance
from backsight.measurements.knockout import token_effects
from backsight.measurements.relations import refusal
from backsight.measurements.relevance import Target
from backsight.models import replay
from backsight.models.vlm import VLM
from backsight.results.explanation import Explanation
from backsight.stimuli.questions import CREG_PROMPTS, DIRECTIONS, NUMBER, Direction, relation_question
from backsight.stimuli.relations import relation

Named = tuple[str, Sequence[float]]  # a name, and left, top, width, height in pixels
DEPTH = 4  # layers that CREG aggregates
METHODS = (*relevance.METHODS, EFFECTS)


def explain(
    model: VLM | str, image: Picture | Image.Image | str | Path, *, subject: Named, reference: Named,
    method: str = "creg", target: Target = "prediction", prompt: str = "A", system: str | None = None,
) -> Explanation:  # fmt: skip
    """Ask a model where the subject is relative to the reference, and which way the evidence for its answer points.

    `subject` and `reference` are a name and a box (x, y, width, height) in pixels of the picture, as in COCO. `method`
    is one of `relevance.METHODS` or `knockout`. UsageError for a name, box or method that cannot be used; CannotAnswer
    where the model cannot be asked so.
    """
    if method not in METHODS:
        raise UsageError("There is no such method of relevance", got=method, do=f"choose from: {', '.join(METHODS)}")
    if target not in relevance.TARGETS:
        raise UsageError("There is no such target", got=target, do=f"choose from: {', '.join(relevance.TARGETS)}")
    example = question(image, subject=subject, reference=reference, prompt=prompt, system=system)
    if isinstance(model, str):
        from backsight.models.opening import load

        model = load(model)
    return explained(model, example, method, target)


def question(
    image: Picture | Image.Image | str | Path, *, subject: Named, reference: Named, prompt: str = "A",
    system: str | None = None, text: str | None = None, options: Sequence[str] = (),
) -> Example:  # fmt: skip
    """CREG's prompt about two named boxes of a picture, or a question of one's own; the answer is what the boxes say.

    `text` is asked in place of the prompt; `options` are its answers, each a direction (left, right, above, below),
    all four where none is given. UsageError where the direction of the boxes is none of them.
    """
    if options and text is None:
        raise UsageError("Options belong to a question of one's own", got=list(options), do="give the question, too")
    unknown = [option for option in options if option not in DIRECTIONS]
    if unknown or 0 < len(set(options)) < 2:
        do = f"give at least two of: {', '.join(DIRECTIONS)}"
        raise UsageError("These are no options of a question about a direction", got=list(options), do=do)
    if prompt not in CREG_PROMPTS:
        raise UsageError("There is no such prompt", got=prompt, do=f"choose from: {', '.join(CREG_PROMPTS)}")
    picture = as_picture(image)
    (name, box), (other, beside) = (_named(what, one) for what, one in (("subject", subject), ("reference", reference)))
    if name == other:
        raise UsageError("Subject and reference bear one name", got=name, do="name them apart, such as 'left cup'")
    direction = _relation(box, beside)
    if text is None:
        asked, answers, answer = relation_question(prompt, name, other), tuple(NUMBER.values()), NUMBER[direction]
    else:
        asked, answers, answer = text, tuple(dict.fromkeys(options)) or DIRECTIONS, direction
    if answer not in answers:
        do = f"add {answer} to the options"
        raise UsageError("Of the options none is where the boxes say that the subject is", got=list(answers), do=do)
    return Example(
        "explain", picture, asked, tuple(answers), answer, direction=direction, subject=name, reference=other,
        boxes={name: box, other: beside}, system=system, tags={"prompt": prompt} if text is None else {},
    )  # fmt: skip


def explained(
    vlm: VLM, example: Example, method: str = "creg", target: Target = "prediction", *, depth: int = DEPTH
) -> Explanation:  # fmt: skip
    """The explanation of one question with a subject and a reference; CannotAnswer where it cannot be given."""
    grid = vlm.grid_of(example.picture)
    reason = refusal(example, grid)
    if reason is not None:
        boxes = {name: tuple(example.boxes[str(name)]) for name in (example.subject, example.reference)}
        raise UsageError(
            f"This picture has no compass: {reason}", where="a picture of {} x {} px".format(*grid.size), got=boxes,
            do="give boxes of some area inside the picture, whose centres differ (x, y, width, height)",
        )  # fmt: skip
    relevance.check(vlm.options, {example.options})
    batch = vlm.prepare([example])
    trace = replay.record(vlm, batch)
    shown = [method] if method in relevance.METHODS else ["creg"]
    maps = relevance.maps(vlm, batch, shown, depth=min(depth, vlm.n_layers), trace=trace)
    chosen = maps.chosen[0]
    if method == EFFECTS:
        score = relevance.score(vlm, batch, maps.chosen, target, contrastive=True)
        values: Floats = np.abs(token_effects(trace, score, "attention")[0].cpu().double().numpy())
    elif method in maps.missing:
        do = f"choose from: {', '.join(m for m in METHODS if m not in maps.missing)}"
        raise CannotAnswer(f"The method {method} is not available for this model", got=maps.missing[method], do=do)
    else:
        values = maps.relevance[method, target if relevance.METHODS[method].targeted else "truth"][0]
    probabilities = np.exp(np.array(chosen.scores) - np.logaddexp.reduce(chosen.scores))
    return _made(vlm, example, grid, values, method, target, tuple(probabilities.tolist()), chosen.choice)


def _made(
    vlm: VLM, example: Example, grid: TokenGrid, values: Floats, method: str, target: Target,
    probabilities: tuple[float, ...], choice: int,
) -> Explanation:  # fmt: skip
    subject, reference = example.boxes[str(example.subject)], example.boxes[str(example.reference)]
    weights = compass.sector_weights(grid, reference, subject, creg.PROJECTIONS[DEFAULT])
    true = compass.direction(reference, subject)
    maps = (values, np.ones(len(grid)), compass.point(grid, subject))
    own, null, floor = (compass.compass_or_none(map_, weights) for map_ in maps)
    cells = np.array(
        [box if kind == "cell" else (0.0, 0.0, 0.0, 0.0) for kind, box in zip(grid.kind, grid.box, strict=True)]
    )
    numbered = {number: name for name, number in NUMBER.items()}
    return Explanation(
        picture=example.image, question=example.question, options=example.options, probabilities=probabilities,
        choice=example.options[choice], answer=example.answer, subject=str(example.subject), subject_box=subject,
        reference=str(example.reference), reference_box=reference, method=method, target=target, relevance=values,
        cells=cells, compass=_listed(own), null=_listed(null), true=true,
        peak=None if own is None else float(compass.sector_centers(len(own))[compass.peaks(own)[0]]),
        dae=_error(own, true), dae_null=_error(null, true), dae_floor=_error(floor, true), model=vlm.name,
        words=numbered if set(example.options) <= numbered.keys() else None,
    )  # fmt: skip


def _error(shares: Floats | None, true: float) -> float | None:
    return None if shares is None else compass.alignment_error(shares, true)


def _listed(shares: Floats | None) -> tuple[float, ...]:
    return () if shares is None else tuple(shares.tolist())


def _named(what: str, given: Named) -> tuple[str, Box]:
    """A name and its box by edges; UsageError that says what is wrong."""
    try:
        name, box = given
        box = [float(edge) for edge in box]
    except (TypeError, ValueError) as error:
        do = "give a name and four numbers: (name, (x, y, width, height))"
        raise UsageError(f"The {what} is not a name with a box", got=given, do=do) from error
    if not str(name).strip():
        raise UsageError(f"The {what} has no name", got=repr(name), do="give a name, as in the picture's question")
    if len(box) != 4 or not np.isfinite(box).all():
        raise UsageError(
            f"The {what}'s box is not four numbers", got=tuple(box), do="give x, y, width, height in pixels"
        )
    x, y, width, height = box
    if not (width > 0 and height > 0):
        raise UsageError(f"The {what}'s box has no area", got=tuple(box), do="give x, y, width, height in pixels")
    return str(name).strip(), Box(x, y, x + width, y + height)


def _relation(subject: Box, reference: Box) -> Direction:
    """The relation by CREG's ratio, or the nearest of the four where it is not clear."""
    direction = relation(subject, reference)
    if direction is not None or subject.center == reference.center:
        return direction or DIRECTIONS[0]  # one centre: refused later, with the picture's size
    true = compass.direction(reference, subject)
    return min(DIRECTIONS, key=lambda name: float(compass.apart(creg.DEGREES[name], true)))
