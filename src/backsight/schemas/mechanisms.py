"""Tables of where order is kept, and of a repair: Dual Mechanisms."""

from __future__ import annotations

from backsight.tables import Schema

INTERCHANGE = Schema(
    "interchange",
    {
        "pair_id": "str",
        "image_id": "str",  # of the clean example
        "suite": "str",
        "direction": "str",  # of the clean question
        "site": "str",
        "position": "str",
        "layer": "int",  # missing in the single row of a pair that was dropped
        "p_clean": "float",
        "p_ordinal": "float",
        "p_counterfactual": "float",
        "top_token": "str",
        "kept": "bool",  # both runs answer right
        "clean_choice": "str",
        "counterfactual_choice": "str",
    },
    "Interchange interventions, one row a pair and layer",
)

INTERCHANGE_SUMMARY = Schema(
    "interchange_summary",
    {
        "suite": "str",
        "direction": "str",  # or all
        "layer": "int",
        "outcome": "str",  # clean, ordinal, counterfactual
        "probability": "float",
        "low": "float",
        "high": "float",
        "pairs": "int",
        "dropped": "int",
        "interval": "str",
        "omitted": "bool",
    },
    "Probability of each outcome by layer, with 95 % intervals",
)

ORDER_LAYERS = Schema(
    "order_layers",
    {
        "suite": "str",
        "direction": "str",
        "layers": "str",  # as 3-5, 7; empty where there is none
        "found": "bool",
        "pairs": "int",
        "dropped": "int",
        "omitted": "bool",
    },
    "Layers whose last-token state carries the place and not the answer",
)

ROADS = Schema(
    "roads",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "asked": "str",  # order: the suite's question; control: which of two things is there
        "condition": "str",  # plain, removed, cells, shuffled
        "seed": "int",  # of a shuffle
        "answer": "str",
        "choice": "str",  # among all options
        "correct": "bool",
        "choice_of_two": "str",  # between the two entities that the question does not name
        "correct_of_two": "bool",
        "p_answer_of_two": "float",
    },
    "Answers with one road for position closed, one row a question and condition",
)

ROADS_SUMMARY = Schema(
    "roads_summary",
    {
        "suite": "str",
        "asked": "str",
        "direction": "str",  # or all
        "condition": "str",
        "questions": "int",
        "images": "int",
        "accuracy": "float",  # among all options
        "low": "float",
        "high": "float",
        "accuracy_of_two": "float",
        "low_of_two": "float",
        "high_of_two": "float",
        "share": "float",  # of the accuracy of two above one half that is left; missing for plain
        "share_low": "float",
        "share_high": "float",
        "omitted": "bool",
    },
    "Accuracy with a road closed, and the share above chance that is left, with 95 % intervals",
)

IMAGE_INTERCHANGE = Schema(
    "image_interchange",
    {
        "pair_id": "str",
        "image_id": "str",  # of the clean example
        "group": "str",  # the same row asked along the other axis has the same group
        "suite": "str",
        "direction": "str",
        "vision": "str",  # intact, or removed: the order that the vision encoder wrote is taken out of both runs
        "tokens": "str",  # objects, strips
        "layer": "int",  # missing in the single row of a pair that was dropped
        "p_clean": "float",
        "p_flipped": "float",  # of the entity on the other side
        "top_token": "str",
        "kept": "bool",  # both runs answer right
        "clean_choice": "str",
        "counterfactual_choice": "str",
    },
    "Interchange of image tokens, one row a pair, set of tokens and layer",
)

PROBES = Schema(
    "probes",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "arrangement": "str",  # horizontal, vertical, grid
        "shown": "str",  # standard, or shifted: rows that stand elsewhere than those the probe was fitted on
        "site": "str",  # image_embeds, vision (behind a block of the encoder), resid_pre (before a block)
        "layer": "int",
        "places": "int",
        "objects": "float",  # share of the object tokens given their object's place
        "objects_shuffled": "float",  # the same by a probe of shuffled places
        "background": "float",  # share of the other tokens given the place of their strip
        "background_shuffled": "float",
        "as_ordinal": "float",  # of object tokens whose place and strip differ: given the place
        "as_column": "float",  # ... or given the strip
    },
    "Position probes, one row a test picture, site and layer",
)

PROBE_MAPS = Schema(
    "probe_maps",
    {
        "suite": "str",
        "arrangement": "str",
        "row": "int",
        "column": "int",
        "place": "int",
        "share": "float",  # of the test pictures in which the token is given the place
        "pictures": "int",
        "object": "int",  # the place of the object on that token, where there is one
    },
    "What the probe at the image embeddings says of each token",
)

IMAGE_INTERCHANGE_SUMMARY = Schema(
    "image_interchange_summary",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "direction": "str",  # or horizontal, vertical, all
        "layer": "int",
        "outcome": "str",  # clean, flipped
        "probability": "float",
        "low": "float",
        "high": "float",
        "pairs": "int",
        "dropped": "int",
        "interval": "str",
        "omitted": "bool",
    },
    "Probability of the clean and the flipped answer by layer, with 95 % intervals",
)

FLIP_LAYERS = Schema(
    "flip_layers",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "direction": "str",
        "layers": "str",  # as 3-5, 7; empty where there is none
        "found": "bool",
        "pairs": "int",
        "dropped": "int",
        "omitted": "bool",
    },
    "Layers at which swapped image tokens flip the answer",
)

AXES = Schema(
    "axes",
    {
        "suite": "str",
        "vision": "str",
        "tokens": "str",
        "rows": "int",  # of three things, asked along both axes and kept along both
        "vertical": "float",
        "horizontal": "float",
        "difference": "float",  # vertical - horizontal, of the flipped answer's mean probability over all layers
        "low": "float",
        "high": "float",
        "p_value": "float",  # Wilcoxon's signed-rank test
        "omitted": "bool",
    },
    "Vertical against horizontal: the flipped answer's probability over all layers",
)

PROBES_SUMMARY = Schema(
    "probes_summary",
    {
        "suite": "str",
        "arrangement": "str",
        "shown": "str",
        "site": "str",
        "layer": "int",
        "measure": "str",  # as the columns of probes, and selectivity: the probe less one of shuffled places
        "share": "float",
        "low": "float",
        "high": "float",
        "pictures": "int",
        "chance": "float",
        "omitted": "bool",
    },
    "Position probes by site and layer, with 95 % intervals",
)

AMPLIFY = Schema(
    "amplify",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "direction": "str",
        "ground": "str",
        "part": "str",  # choose: alpha is chosen on these; score: and scored on these
        "form": "str",  # projected, printed; missing without amplification
        "directions": "str",  # none, probe, random
        "draw": "int",
        "alpha": "float",
        "choice": "str",
        "correct": "bool",
        "p_answer": "float",
        "chosen": "bool",  # the alpha that the first part chose
        "probe": "float",  # accuracy of the probes whose directions these are, on pictures they were not fitted on
    },
    "Answers with order amplified, one row a question, form, kind of directions, draw and alpha",
)

AMPLIFY_SUMMARY = Schema(
    "amplify_summary",
    {
        "suite": "str",
        "form": "str",
        "directions": "str",  # none, probe, random, oracle: the best alpha on the scored part itself
        "alpha": "float",
        "questions": "int",
        "failures": "int",  # without amplification
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "corrected": "float",  # share of the failures
        "corrected_low": "float",
        "corrected_high": "float",
        "broken": "float",  # share of the right answers
        "broken_low": "float",
        "broken_high": "float",
        "probe": "float",  # accuracy of the probes on pictures they were not fitted on
        "omitted": "bool",  # fewer failures than the stated smallest number: no shares of them
    },
    "What amplification corrects and breaks on pictures that alpha was not chosen on, with 95 % intervals",
)

POSITION_BUDGET = Schema(
    "position_budget",
    {
        "part": "str",  # vision, language
        "layers": "str",  # all, or the kind of layer that a base belongs to
        "axis": "str",  # row, column
        "frequency": "int",
        "radians_cell": "float",
        "radians_grid": "float",  # over all cells of the axis, cells - 1 steps
        "cells": "int",
    },
    "How far rotary positions turn from cell to cell and over the grid",
)
