"""The rows of the experiment with PIN: one a model, insert and seed."""

from __future__ import annotations

from backsight.tables import Schema

ENDS = ("", "_low", "_high")
NONE, INSERT, CONTROL, LENT = "none", "PIN", "positions shuffled", "lent table"
INSERTS = (NONE, INSERT, CONTROL, LENT)
# What is measured, each with a 95 % interval over pictures: readable texts, mean IoU, hits at 0.5, location error; the
# three nulls of the IoU, and how far it is above the best of them; relations, and what is there.
MEASURES = ("readable", "iou", "hit", "error", "constant", "other", "blank", "above", "where", "what")
PIN = Schema(
    "pin",
    {
        "model": "str",
        "insert": "str",
        "seed": "int",  # of the insert; 0 where there is none
        "key": "str",  # of weights and settings: rows with another are of another experiment
        "weights": "str",  # of the base model, bit for bit
        "base_steps": "int",  # of the base model's training; missing where its log is
        "steps": "int",  # of the insert's training, and what follows
        "batch": "int",
        "rate": "float",
        "scenes": "int",
        "parameters": "int",  # trained; of a lent table its numbers
        "seconds": "float",  # of one core, for the fit
        "kib": "float",  # of the file
        "unchanged": "bool",  # whether the base model's weights are bit for bit as before the fit
        "questions": "int",
        "images": "int",
        "relations": "int",  # questions
        "best": "str",  # the null of the highest IoU
        **{f"{name}{end}": "float" for name in MEASURES for end in ENDS},
        "hardware": "str",
    },
    "Frozen models without an insert, with one, with its control, and with the table they were lent in training",
)
