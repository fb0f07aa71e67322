"""A gallery of answers explained by CREG: a strong, a diffuse and a wrong compass, chosen by a stated rule.

The rule takes rows of Creg by the default projection, for the prediction. Strong is the largest share of the evidence
in the peak's sector among peaks within half a sector of the true direction, wrong the largest share among peaks more
than 90 degrees off, diffuse the smallest share of all. Nobody picked them.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backsight.errors import CannotAnswer
from backsight.examples import Example
from backsight.maths.relevance import CHOICE, DEFAULT
from backsight.measurements.explain import DEPTH, explained
from backsight.models.vlm import VLM
from backsight.studies.jobs import Job, file_stem
from backsight.studies.store import Store
from backsight.tables import replacing

if TYPE_CHECKING:
    import pandas as pd

FOLDER = "gallery"
METHOD = "creg"
TIED = 1e-9  # shares that differ by no more are equal: which is larger is rounding
RULES = {
    "strong": "the largest share in the peak's sector, of peaks within 22.5 degrees of the true direction",
    "diffuse": "the smallest share in the peak's sector of all",
    "wrong": "the largest share in the peak's sector, of peaks more than 90 degrees off",
}


def make(vlm: VLM, store: Store, jobs: Sequence[Job]) -> list[dict[str, Any]]:
    """Write one explanation a rule and set that Creg was measured on into gallery/; what a report needs of them."""
    entries: list[dict[str, Any]] = []
    for job in jobs:
        if job.kind != METHOD:
            continue
        rows = store.read_table(job.table).frame
        examples: dict[str, Example] = {e.id: e for e in job.samples if isinstance(e, Example)}
        for rule, name in chosen(rows).items():
            try:
                entries.append(_write(vlm, store.folder, job, rule, examples[name]))
            except CannotAnswer:
                continue
    return entries


def chosen(rows: pd.DataFrame) -> dict[str, str]:
    """The id of the example that each rule takes, in the order of the rules; of equals the first by id."""
    frame = rows[(rows["method"] == METHOD) & (rows["target"] == CHOICE) & (rows["projection"] == DEFAULT)]
    frame = frame[frame["share"].notna() & (frame["tied"] == 1)].sort_values("example_id", kind="stable")
    parts = {"strong": frame[frame["dae"] <= 22.5], "diffuse": frame, "wrong": frame[frame["dae"] > 90]}
    picked: dict[str, str] = {}
    for rule, part in parts.items():
        left = part[~part["example_id"].isin(picked.values())]
        if len(left):
            share = -left["share"] if rule == "diffuse" else left["share"]
            picked[rule] = str(left["example_id"][share >= share.max() - TIED].iloc[0])
    return picked


def _write(vlm: VLM, folder: Path, job: Job, rule: str, example: Example) -> dict[str, Any]:
    from backsight.results.drawing.style import to_svg

    set_name = job.set_name
    explanation = explained(vlm, example, METHOD, depth=getattr(job.measurement, "depth", DEPTH))
    (folder / FOLDER).mkdir(exist_ok=True)
    stem = f"{FOLDER}/{file_stem(set_name)}-{rule}"
    files = {
        "svg": to_svg(explanation.figure(), f"{set_name}-{rule}"),
        "json": json.dumps(explanation.as_dict(), indent=1) + "\n",
    }
    for ending, text in files.items():
        with replacing(folder / f"{stem}.{ending}") as part:
            part.write_text(text, encoding="utf-8")
    return {
        "set": set_name, "rule": rule, "said": RULES[rule], "example": example.id, "sentence": explanation.sentence(),
        "question": example.question, "method": METHOD, "file": stem,
    }  # fmt: skip
