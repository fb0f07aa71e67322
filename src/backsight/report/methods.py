"""The fixed words of a report: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.intervals import RESAMPLES
from backsight.maths.summaries import SMALLEST

PHOTOGRAPHS = "The built-in model has never seen a photograph: it was trained on generated scenes alone."

BEHAVIOUR_CAPTION = (
    "Accuracy by the direction that is asked for. Filled: with the picture, with its 95 % interval. "
    "Hollow: the same questions about a gray picture. Dashed: chance. The distance from hollow to filled "
    "is what the picture adds."
)
BEHAVIOUR = (
    "Each question is put to the model together with its picture, in the model's own chat template, and "
    "once more with a uniform gray picture of the same size. What the gray picture gives is what the "
    "question alone gives away; it is the null of each number here.",
    "Two read-outs come from the same forward pass. Options: the most probable of the listed options at "
    "the next token, with an option's spellings added up (or of whole options, where they are longer than "
    "a token). Free: the single most probable token of the whole vocabulary. The opening sentences and "
    "the figure go by the options.",
    "Questions in rows of three are those of The Dual Mechanisms of Spatial Reasoning in Vision-Language "
    "Models (arXiv 2603.22278), section 3.1 and appendix A.3; its table 1 gives the same accuracies for "
    "published models.",
)
CREG_PROMPTS = "Prompts A, B and C are those of CREG (arXiv 2603.20475), table 6."
BEHAVIOUR_INTERVALS = (
    f"Intervals hold 95 %: percentile bootstrap over images ({RESAMPLES:,} draws), as an image is asked "
    "several times; Wilson's over images where all are answered wholly right or wholly wrong. Groups of "
    f"fewer than {SMALLEST} questions are omitted."
)
BEHAVIOUR_LIMITS = (
    "A right answer does not say how it was reached.",
    "The exact suites start each row at the same place, so the third in a row is also always in the same "
    "column: order and place are not told apart here.",
    "The gray picture controls for what the question gives away, not for what else in a picture may.",
    "The interval is over images. It says how the number would vary over other pictures of the same kind, "
    "not over other words, other kinds of picture or another training of the model.",
)

INTERCHANGE_CAPTION = (
    "Probability of three answers when the last token's state before each layer comes from the "
    "counterfactual run; bands are 95 % intervals. From left to right: while the clean answer holds, "
    "nothing has arrived at the last token; where the order stands above both others (shaded) it carries "
    "the place; where the counterfactual answer rises it carries the answer."
)
INTERCHANGE = (
    "For each pair and each layer, the residual stream at the last token of the clean run is replaced by "
    "that of the counterfactual run, all else is computed on, and the probabilities of three answers are "
    "read (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv 2603.22278: section "
    "5.1, figures 2 and 3, equation 2). Layer l is the input of decoder block l; the last is the input of "
    "the final norm.",
    "The counterfactual keeps the middle object, has two other objects at its sides, and asks for the "
    "opposite direction. If the swapped state carries the answer itself, the model now gives the "
    "counterfactual answer. If it carries the place, the model gives what stands at that place in the "
    "clean picture. If neither has arrived yet, it stays with the clean answer.",
    "Shown are mean probabilities, as in the paper's interchange accuracy (section 3.3). Pairs of which "
    "either run answers wrong by itself are dropped and counted. The order is said to be decided at the "
    "layers where the object at the counterfactual's place is more probable than both others, with "
    "intervals apart.",
    f"Intervals hold 95 %: percentile bootstrap over clean images ({RESAMPLES:,} draws). Groups of fewer "
    f"than {SMALLEST} kept pairs are omitted.",
)
INTERCHANGE_LIMITS = (
    "It shows that order is carried at the last token, not where it comes from: the vision encoder, the "
    "places that the language model gives to image tokens, or both.",
    "The exact suites start each row at the same place, so 'third' and 'right column' coincide: what is "
    "called order here may be an absolute place.",
    "No such layer does not mean no order: place and answer may be turned into each other within one "
    "block, or reach the last token together.",
    "Only pairs that the model answers right are kept, so it says nothing about how wrong answers arise.",
    "The three answers need not sum to one: the rest of the vocabulary has what is left.",
    "The interval is over images, not over other words or another training of the model.",
)
