"""The fixed words of the section: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.pathways import CONTROL

CAPTION = (
    "Accuracy between two things with 95 % intervals, as it is and with one position pathway ablated. Filled: the "
    "suite's own question; hollow: the presence question, which needs no spatial information. Dashed: chance."
)
METHOD = (
    "Position can reach the answer by two pathways: what the vision encoder writes into the image tokens, and the "
    "language model's position encoding (rotary positions, token order). Each is ablated in turn on the image "
    "embeddings, before the first layer of the language model, and the same questions are asked again.",
    "Order removed: each thing's tokens come from a picture of it isolated in the centre, all other tokens from an "
    "empty picture at the same position (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: section 5.3.1, figure 9). Single cells: each cell of the token grid goes through the vision encoder "
    "by itself. Shuffled: the image tokens are put in random orders, several a picture, and their mean is given.",
    "The presence question asks which of two things is in the picture. Where it is still answered correctly, the edit "
    "left the rest of the model at work.",
)
SHARES = (
    "A share is (accuracy with the pathway ablated - .5) / (accuracy - .5), between two: 1 says that nothing is lost, "
    "0 that chance is left. None is given where the accuracy is at chance, or where that of the presence question is "
    f"not known to be above {CONTROL} (no control). Single cells are not available where patches get their position "
    "from a table, removal where the set shows no drawn figures. Intervals are of one look; the verdict's, over all "
    "looks, are wider."
)
OUTCOMES = (
    "In brackets the share that is left with the other pathway ablated, with its interval over all looks. Axes are "
    "judged by the same bound on their own questions."
)
RULE = "The verdict follows a fixed rule."
LIMITS = (
    "Removal gives things a false position, the centre, rather than none, and the background keeps the positions of an "
    "empty picture. It is possible for drawn figures only: of photographs and scenes in perspective there is no "
    "picture of one thing by itself with the same tokens.",
    "A shuffle puts false positions in place of the language model's, and tears apart things of several tokens.",
    "A pathway that is enough by itself need not be the one that is taken while both are intact.",
    "Single cells cannot show the vision encoder a thing that reaches over several cells.",
)
