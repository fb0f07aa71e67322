"""Tables of answers: behaviour, and studies beside one another."""

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
        # Where options are sequences: the same with each option's tokens averaged, so that length does not decide.
        "choice_per_token": "str",
        "choice_per_token_correct": "bool",
        "p_answer_per_token": "float",  # the geometric mean of the probabilities of the answer's tokens
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
