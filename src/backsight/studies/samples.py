"""Sample pictures: what a reader must see of a set to know what was asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backsight.examples import Example, ExampleSet, Pair
from backsight.models.vlm import VLM
from backsight.results.drawing.style import suite_title
from backsight.studies import own
from backsight.studies.jobs import Job, file_stem
from backsight.tables import replacing

FOLDER = "samples"
SIDE = 480  # pixels of a sample picture's longer side, at most


def describe(vlm: VLM, folder: Path, examples: ExampleSet, jobs: Sequence[Job]) -> dict[str, Any]:
    """A sample picture with the exact prompt, and a counterfactual of each kind that the jobs of a set take."""
    stem = file_stem(examples.name)
    first = {str(job.measurement.pair_kind): job.samples[0] for job in jobs if job.of_pairs}
    pairs = {kind: _pair(vlm, folder, pair, f"{stem}.{kind}") for kind, pair in first.items() if isinstance(pair, Pair)}
    return {
        "name": examples.name,
        "fingerprint": examples.fingerprint,
        "title": suite_title(examples.name),
        "note": examples.note,
        "examples": len(examples),
        "images": len({e.image_id for e in examples}),
        "sample": _sample(vlm, folder, examples[0], stem) | {"pairs": pairs},
        **own.described(folder, examples, jobs),
    }


def _pair(vlm: VLM, folder: Path, pair: Pair, stem: str) -> dict[str, Any]:
    """Both sides of a counterfactual pair and what each outcome answers."""
    sides = {"clean": pair.clean, "counterfactual": pair.counterfactual}
    shown = {side: _sample(vlm, folder, example, f"{stem}.{side}") for side, example in sides.items()}
    return shown | {"outcomes": dict(pair.outcomes)}


def _sample(vlm: VLM, folder: Path, example: Example, stem: str) -> dict[str, Any]:
    (folder / FOLDER).mkdir(exist_ok=True)
    image = example.image
    image.thumbnail((SIDE, SIDE))
    with replacing(folder / FOLDER / f"{stem}.png") as part:
        image.save(part, "PNG")
    return {
        "question": example.question,
        "system": example.system,
        "prompt": vlm.prompter.text(example.question, example.system),
        "options": list(example.options),
        "answer": example.answer,
        "picture": f"{FOLDER}/{stem}.png",
    }
