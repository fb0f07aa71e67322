"""Accuracy from the rows of Behaviour."""

from __future__ import annotations

from backsight import schemas
from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import mean_over_images
from backsight.tables import Table


def behaviour_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy of `behaviour` rows by suite, prompt, ground, direction (and all), condition and read-out."""
    expect(rows, "behaviour")
    found = []
    keys = ["suite", "prompt", "ground", "condition"]
    for values, group in groups(rows.frame, keys):
        for direction, part in with_all(group):
            for read_out, column in (("free", "free_correct"), ("options", "choice_correct")):
                scored = part[part[column].notna()]
                if len(scored) == 0:
                    continue
                omitted = len(scored) < smallest
                interval = mean_over_images(scored[column].astype(float), scored["image_id"].astype(str))
                number = {"accuracy": interval.mean, "low": interval.low, "high": interval.high}
                found.append(
                    dict(zip(keys, values, strict=True))
                    | {"direction": direction, "read_out": read_out, "questions": len(scored)}
                    | {"images": scored["image_id"].nunique(), "interval": interval.kind, "omitted": omitted}
                    | {name: None if omitted else value for name, value in number.items()}
                    | {"p_answer": None if omitted else float(scored["p_answer"].mean())}
                    | {"chance": float((1 / scored["options"].astype(float)).mean())}
                )
    return Table.of(schemas.BEHAVIOUR_SUMMARY, found, rows.provenance)
