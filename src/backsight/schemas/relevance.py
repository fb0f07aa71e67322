"""Tables of where the evidence for an answer lies: CREG, its controls and its causal checks."""

from __future__ import annotations

from backsight.tables import Schema

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
        "dae_chosen": "float",  # degrees to the direction that the model's choice names
        "chosen_questions": "int",  # those whose choice names one
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

CREG_CHOICES = Schema(
    "creg_choices",
    {
        "suite": "str",
        "prompt": "str",
        "method": "str",  # what the pictures for choices would choose
        "target": "str",
        "projection": "str",
        "options": "int",  # methods times options that there were to choose from
        "dev_questions": "int",
        "dev_images": "int",
        "dev_gain": "float",  # degrees on the layout, among the pictures for choices
        "questions": "int",
        "images": "int",
        "gain": "float",  # the same on all other pictures
        "low": "float",
        "high": "float",
        "default_gain": "float",  # of CREG under the default on those of them where it has a compass
        "omitted": "bool",
    },
    "The method and option that the pictures for choices would choose, and its gain on the others",
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
        "log_p_chosen": "float",  # of what the model chooses where nothing is hidden, among the options
        "log_p_chosen_vocabulary": "float",
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
        "of": "str",  # truth, prediction: whose log p; what the model chooses where nothing is hidden
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
        "gain": "float",  # score less that of the layout's own peak, on the questions where both have one peak
        "gain_low": "float",
        "gain_high": "float",
        "gain_questions": "int",
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
        "angles": "int",  # questions where neither compass is empty: angles and gain are over these
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
