"""Tables of answers: rows a question and condition, and the accuracies that are read from them."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST, expect, groups, with_all
from backsight.maths.intervals import mean_over_images
from backsight.tables import Schema, Table

BEHAVIOUR = Schema(
    "behaviour",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "prompt": "str",
        "ground": "str",
        "group": "str",  # the set that an example belongs to, as a set of four of What'sUp
        "condition": "str",  # picture, or gray: the same question about a uniform gray picture
        "question": "str",
        "answer": "str",
        "options": "int",  # how many; chance is one over it
        "choice": "str",  # the most probable option
        "choice_correct": "bool",
        "p_answer": "float",  # probability of the answer, summed over its spellings, over the whole vocabulary
        "p_choice": "float",
        "p_answer_of_options": "float",  # the same, renormalised over the options
        "top_token": "str",
        "free_correct": "bool",  # the top token, normalised, equals the answer; missing where options are sequences
        "scoring": "str",  # token or sequence
        # Where options are sequences: the same with each option's tokens averaged, so that length does not decide.
        "choice_per_token": "str",
        "choice_per_token_correct": "bool",
        "p_answer_per_token": "float",  # the geometric mean of the probabilities of the answer's tokens
        "probabilities": "str",  # of every option, over the whole vocabulary, as JSON
        "opposite": "str",  # the answer that lies the other way along the axis, where one is known
    },
    "Answers, one row a question and condition",
)
BEHAVIOUR_SUMMARY = Schema(
    "behaviour_summary",
    {
        "suite": "str",
        "direction": "str",  # or all
        "prompt": "str",
        "ground": "str",
        "condition": "str",
        "read_out": "str",  # free: the top-1 token; options: the most probable option
        "questions": "int",
        "images": "int",
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "interval": "str",  # agresti-coull, with images as units
        "p_answer": "float",
        "chance": "float",
        "omitted": "bool",  # fewer questions than the stated smallest number: no figures
    },
    "Accuracy by suite, direction and condition, with 95 % intervals",
)


def behaviour_summary(rows: Table, *, smallest: int = SMALLEST) -> Table:
    """Accuracy of `behaviour` rows by suite, prompt, ground, direction (and all), condition and read-out."""
    expect(rows, "behaviour")
    summary = []
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
                summary.append(
                    dict(zip(keys, values, strict=True))
                    | {"direction": direction, "read_out": read_out, "questions": len(scored)}
                    | {"images": scored["image_id"].nunique(), "interval": interval.kind, "omitted": omitted}
                    | {name: None if omitted else value for name, value in number.items()}
                    | {"p_answer": None if omitted else float(scored["p_answer"].mean())}
                    | {"chance": float((1 / scored["options"].astype(float)).mean())}
                )
    return Table.of(BEHAVIOUR_SUMMARY, summary, rows.provenance)
