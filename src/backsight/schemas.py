"""The schemas of the tables that measurements give, and of their summaries.

Rows are per sample and condition; a summary's rows carry the number of samples and an interval. A figure is chosen
by a table's schema.
"""

from __future__ import annotations

from backsight.tables import Schema

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
        "interval": "str",  # bootstrap over images; wilson where every image scores the same
        "p_answer": "float",
        "chance": "float",
        "omitted": "bool",  # fewer questions than the stated smallest number: no figures
    },
    "Accuracy by suite, direction and condition, with 95 % intervals",
)

WHATSUP_SUMMARY = Schema(
    "whatsup_summary",
    {
        "suite": "str",
        "condition": "str",
        "read_out": "str",
        "metric": "str",  # individual: a picture right; pair: both opposites right; set: all four right
        "accuracy": "float",
        "low": "float",
        "high": "float",
        "interval": "str",  # bootstrap over sets of four; wilson where every set scores the same
        "n": "int",  # pictures, complete pairs or complete sets
        "chance": "float",
        "omitted": "bool",
    },
    "What'sUp: pictures, pairs and sets right, with 95 % intervals",
)

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
        "chosen": "bool",  # the alpha that the first half chose
        "probe": "float",  # accuracy of the probes whose directions these are, on pictures they were not fitted on
    },
    "Answers with order amplified, one row a question, form, kind of directions, draw and alpha",
)

AMPLIFY_SUMMARY = Schema(
    "amplify_summary",
    {
        "suite": "str",
        "form": "str",
        "directions": "str",  # none, probe, random, oracle: the best alpha on the scored half itself
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

CREG = Schema(
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
    },
    "Direction of relevance, one row a question, method, target and projection",
)

CREG_SUMMARY = Schema(
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
        "dae_null": "float",  # of constant relevance on the same questions by the same projection
        "ea_null": "float",
        "dae_floor": "float",  # of all relevance at the subject
        "ea_floor": "float",
        "dae_gain": "float",  # dae_null - dae, paired: above zero is better than the layout
        "dae_gain_low": "float",
        "dae_gain_high": "float",
        "ea_gain": "float",  # ea - ea_null
        "ea_gain_low": "float",
        "ea_gain_high": "float",
        "dae_chosen": "float",
        "omitted": "bool",
    },
    "Direction of relevance beside its null and its floor, with 95 % intervals",
)

CREG_PAIRS = Schema(
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
        "p_value": "float",  # Wilcoxon's signed-rank test over images
        "p_holm": "float",
        "omitted": "bool",
    },
    "Direction of relevance, every method against every other, paired",
)

OCCLUSION = Schema(
    "occlusion",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "part": "str",  # dev, rest
        "refused": "str",  # why a sample has no direction, in its single row
        "variant": "str",  # what is hidden and by what; missing where nothing is
        "sector": "float",  # degrees of the middle of the hidden sector; missing where nothing is hidden
        "true": "float",
        "area": "float",  # share of the picture, or of the image tokens, that is hidden
        "answer": "str",
        "choice": "str",
        "log_p": "float",  # of the answer among the options, natural logarithm
        "log_p_vocabulary": "float",  # over the whole vocabulary
    },
    "Answers with one compass sector hidden, one row a question, variant and sector",
)

OCCLUSION_SUMMARY = Schema(
    "occlusion_summary",
    {
        "suite": "str",
        "prompt": "str",
        "variant": "str",
        "over": "str",  # options, vocabulary: what log p is over
        "sector": "str",  # true: the sector that the subject lies in; indicated: a method's own peak
        "method": "str",  # missing for the true sector, which is the same for every method
        "target": "str",
        "questions": "int",
        "images": "int",
        "change": "float",  # of log p with the sector hidden
        "change_opposite": "float",
        "change_adjacent": "float",  # the mean of its two neighbours
        "score": "float",  # COS: change_opposite - change
        "low": "float",
        "high": "float",
        "against_adjacent": "float",  # change_adjacent - change
        "adjacent_low": "float",
        "adjacent_high": "float",
        "omitted": "bool",
    },
    "Causal occlusion scores, of the true sector and of the one that a method indicates, with 95 % intervals",
)

KNOCKOUT = Schema(
    "knockout",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "form": "str",  # attention: cut to the token; embedding: that of the empty picture
        "correct": "bool",
        "method": "str",  # knockout is the tokens' effects themselves
        "true": "float",
        "correlation": "float",  # Spearman's, with the absolute effects of the tokens
        "angle": "float",  # degrees between the peaks of both compasses; missing where one is empty
        "dae": "float",
        "ea": "float",
    },
    "Relevance beside the causal effect of every image token, one row a question, form and method",
)

KNOCKOUT_SUMMARY = Schema(
    "knockout_summary",
    {
        "suite": "str",
        "prompt": "str",
        "form": "str",
        "method": "str",
        "questions": "int",
        "images": "int",
        "correlation": "float",
        "correlation_low": "float",
        "correlation_high": "float",
        "angle": "float",
        "angle_low": "float",
        "angle_high": "float",
        "angle_null": "float",  # of constant relevance on the same questions
        "angle_gain": "float",  # angle_null - angle, paired
        "gain_low": "float",
        "gain_high": "float",
        "dae": "float",
        "ea": "float",
        "omitted": "bool",
    },
    "Methods beside the causal effect of every image token, with 95 % intervals",
)

FLIP = Schema(
    "flip",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "method": "str",
        "target": "str",
        "sector": "float",  # degrees
        "share": "float",
        "share_mirrored": "float",  # of the mirrored picture's compass, turned back
    },
    "The compass beside that of the mirrored picture, one row a question, method and sector",
)

FLIP_SUMMARY = Schema(
    "flip_summary",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",
        "target": "str",
        "questions": "int",
        "images": "int",
        "r": "float",  # Pearson's over the sectors of a question, the mean over questions
        "low": "float",
        "high": "float",
        "r_pooled": "float",  # over all sectors of all questions
        "r_null": "float",  # of constant relevance on the same questions
        "r_pooled_null": "float",
        "omitted": "bool",
    },
    "How far the compass turns in a mirror, with 95 % intervals",
)

MOVED = Schema(
    "moved",
    {
        "example_id": "str",
        "image_id": "str",
        "suite": "str",
        "prompt": "str",
        "direction": "str",
        "method": "str",
        "target": "str",
        "turned": "float",  # degrees that the subject moved around the reference
        "followed": "float",  # degrees between the turn of the compass's peak and that of the subject
        "dae": "float",
        "dae_moved": "float",
    },
    "The compass with the subject put elsewhere, one row a question and method",
)

MOVED_SUMMARY = Schema(
    "moved_summary",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",
        "target": "str",
        "questions": "int",
        "images": "int",
        "turned": "float",
        "followed": "float",
        "low": "float",
        "high": "float",
        "followed_null": "float",  # of constant relevance on the same questions
        "gain": "float",  # followed_null - followed, paired
        "gain_low": "float",
        "gain_high": "float",
        "dae": "float",
        "dae_moved": "float",
        "omitted": "bool",
    },
    "Whether the compass follows the subject, with 95 % intervals",
)

COMPARE = Schema(
    "compare",
    {
        "study": "str",  # the one that is compared with the baseline
        "metric": "str",  # family/set/..., as accuracy/squares/left/options
        "family": "str",
        "set": "str",
        "better": "str",  # more, or less
        "drawn": "bool",  # one of the few of a set that a figure shows
        "how": "str",  # paired, unpaired, omitted, or which of the two alone has it: baseline, study
        "samples_baseline": "int",
        "samples": "int",
        "shared": "int",
        "images": "int",  # of the shared samples
        "layer_baseline": "int",  # where the metric is that of the layer with the highest mean
        "layer": "int",
        "baseline": "float",  # the mean, over the shared samples where paired, else over its own
        "baseline_low": "float",  # missing where paired
        "baseline_high": "float",
        "value": "float",  # the same of the study
        "value_low": "float",
        "value_high": "float",
        "difference": "float",  # value - baseline
        "low": "float",  # missing where unpaired
        "high": "float",
        "interval": "str",  # of the difference: bootstrap over images; none where all images differ alike
        "p_value": "float",  # paired randomisation test over images
        "p_holm": "float",  # by Holm's correction over all paired metrics of the study
        "moved": "str",  # better, worse, or no: whether the interval lies wholly on one side of zero
    },
    "Each study beside the baseline, one row a study and metric",
)
