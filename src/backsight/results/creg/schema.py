"""The tables on the direction of relevance: the rows, their summary, methods in pairs, and what would be chosen."""

from __future__ import annotations

from backsight.tables import Schema

ROWS = Schema(
    "creg",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "part": "str",  # dev: choices may be made on these; rest: and figures come from these
        "refused": "str",  # why a sample has no compass at all, in its single row
        "answer": "str",
        "choice": "str",
        "correct": "bool",
        "method": "str",
        "target": "str",  # truth, prediction; missing where a method has none
        "projection": "str",  # an option of the projection, or another centre: measurements.creg.views
        "sectors": "int",
        "true": "float",  # degrees from the centre to what is looked for: from reference to subject
        "chosen": "float",  # degrees of the direction that the model's choice names, where it names one
        "peak": "float",  # degrees, the first one where several are tied
        "tied": "int",  # how many sectors share the peak
        "share": "float",  # of the evidence in the peak's sector
        "dae": "float",  # degrees between peak and true direction; missing where the compass is empty
        "ea": "float",
        "dae_chosen": "float",  # degrees between peak and chosen direction
        "completeness": "float",  # of integrated gradients: sum over all tokens as a share of f(h) - f(0)
    },
    "Direction of relevance, one row a question, method, target and projection",
)


SUMMARY = Schema(
    "creg_summary",
    {
        "suite": "str",
        "prompt": "str",
        "samples": "str",  # all, or rest: without those that choices are made on
        "subset": "str",  # all, correct, incorrect, or a direction
        "method": "str",
        "target": "str",
        "projection": "str",
        "questions": "int",  # with a compass; all other figures are over these
        "empty": "int",  # questions whose compass is empty
        "images": "int",
        "accuracy": "float",  # of the model's answers
        "dae": "float",
        "dae_low": "float",
        "dae_high": "float",
        "ea": "float",
        "ea_low": "float",
        "ea_high": "float",
        "dae_null": "float",  # of uniform relevance on the same questions by the same projection
        "ea_null": "float",
        "dae_floor": "float",  # of all relevance on the subject
        "ea_floor": "float",
        "dae_gain": "float",  # dae_null - dae, paired: above zero is better than uniform relevance
        "dae_gain_low": "float",
        "dae_gain_high": "float",
        "ea_gain": "float",  # ea - ea_null
        "ea_gain_low": "float",
        "ea_gain_high": "float",
        "dae_chosen": "float",  # degrees to the direction that the model's choice names
        "chosen_questions": "int",  # those whose choice names one
        "completeness": "float",  # the median over questions, of integrated gradients
        "completeness_low": "float",  # and the least and the most
        "completeness_high": "float",
        "missing": "str",  # why the model cannot give a method at all
        "omitted": "bool",
    },
    "Direction of relevance beside the baseline and the best possible, with 95 % intervals",
)


PAIRS = Schema(
    "creg_pairs",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",
        "target": "str",
        "other": "str",
        "other_target": "str",
        "questions": "int",
        "images": "int",
        "difference": "float",  # dae of the method less that of the other
        "low": "float",
        "high": "float",
        # Of the mean difference, by sign flips over images: one-sided where the other is uniform relevance (that the
        # method is nearer), else two-sided.
        "p_value": "float",
        "nearer": "float",  # share of the images on which the method is nearer than the other
        "further": "float",  # share on which it is further off; the rest are ties
        "p_holm": "float",
        "omitted": "bool",
    },
    "Direction of relevance, every method against every other, paired",
)


CHOICES = Schema(
    "creg_choices",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",  # what the development split would choose
        "target": "str",
        "projection": "str",
        "options": "int",  # methods times options that there were to choose from
        "dev_questions": "int",
        "dev_images": "int",
        "dev_gain": "float",  # degrees over uniform relevance, in the development split
        "questions": "int",
        "images": "int",
        "gain": "float",  # the same on all other pictures
        "low": "float",
        "high": "float",
        "default_gain": "float",  # of CREG under the default on those of them where it has a compass
        "omitted": "bool",
    },
    "The method and option that the development split would choose, and its gain on the others",
)
