"""Small pictures of a user's own questions, which the report shows one by one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backsight.examples import Example, ExampleSet
from backsight.results.behaviour.own import SHOWN
from backsight.studies.jobs import Job, file_stem
from backsight.tables import replacing

SIDE = 200  # px


def described(folder: Path, examples: ExampleSet, jobs: Sequence[Job]) -> dict[str, Any]:
    """What the record of a set that is the user's own holds more: that it is, and where its pictures are, by id."""
    if not examples.own:
        return {}
    of = (job.samples for job in jobs if job.kind == "behaviour" and job.set_name == examples.name)
    asked = [sample for samples in of for sample in samples if isinstance(sample, Example)]
    pictures = {example.image_id: example.picture for example in asked[:SHOWN]}
    (folder / "samples").mkdir(exist_ok=True)
    paths = {}
    for image_id, picture in pictures.items():
        paths[image_id] = f"samples/{file_stem(f'own.{examples.name}.{image_id}')}.jpg"
        image = picture.open().convert("RGB")
        image.thumbnail((SIDE, SIDE))
        with replacing(folder / paths[image_id]) as part:
            image.save(part, "JPEG", quality=85)
    return {"own": True, "pictures": paths}
