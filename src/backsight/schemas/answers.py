"""Studies beside one another."""

from __future__ import annotations

from backsight.tables import Schema

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
