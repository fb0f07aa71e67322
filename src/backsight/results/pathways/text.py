"""The fixed words of the section: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST
from backsight.maths.pathways import CONTROL

CAPTION = (
    "Accuracy between the two things that the question does not name, with 95 % intervals: as it is, and with one "
    "position pathway ablated. Removal and single cells leave the language model's position encoding; shuffling leaves "
    "what the vision encoder wrote into the image tokens. Hollow: a presence question, which needs no spatial "
    "information. Dashed: chance."
)
METHOD = (
    "Position can reach the answer by two pathways: by what the vision encoder writes into the image tokens, and by "
    "the language model's position encoding (rotary positions, token order). Each pathway is ablated in turn and the "
    "same questions are asked again. The edits are made on the image embeddings, before the first layer of the "
    "language model.",
    "Order removed: each thing's tokens come from a picture of it isolated in the centre, all other tokens from an "
    "empty picture at the same position (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: section 5.3.1, figure 9). Single cells: each cell of the token grid goes through the vision "
    "encoder by itself. Shuffled: the image tokens of a picture are put in a random order; several orders are "
    "sampled for each picture, and their mean is given.",
    "The presence question is which of two things is in the picture: it needs no spatial information. Where it is "
    "still answered right, the edit left the rest of the model at work.",
    "Answers are read out twice: among all options, as in the paper's tables, and between the two things that "
    "the question does not name, or a relation and its opposite, where chance is one half. The figure and the shares "
    "go by the latter. Order can be removed of drawn figures only: a photograph, or a scene in perspective, has no "
    "picture that shows one thing without the others at another position with the same tokens. There the "
    "shuffle stands alone.",
)
SHARES = (
    "A share is (accuracy with the pathway ablated - .5) / (accuracy - .5), between two. One says that nothing is "
    "lost, zero that chance is left. Where the accuracy itself is not far enough above one half, no share is given: "
    f"at chance. Of the presence question none is given unless its accuracy is known to be above {CONTROL}: no "
    "control. Single cells are not available where the architecture gives a patch its position by a table, removal "
    "where the set shows no drawn figures."
)
OUTCOMES = (
    "In brackets the share that is left with the other pathway ablated, with its 95 % interval over all looks. Axes "
    "are judged by the same bound on their own questions."
)
RULE = "The verdict on where position comes from follows a fixed rule."
INTERVALS = (
    "Intervals hold 95 %, images as units: Agresti and Coull's of accuracies, Fieller's of shares. In the verdict they "
    f"hold over all looks together. Groups of fewer than {SMALLEST} questions are omitted."
)
LIMITS = (
    "Removal takes away what the vision encoder wrote of where these things stand. It does not leave their "
    "tokens without a position: each now says that its thing is in the centre, a false position rather than none, and "
    "the background still has the positions of an empty picture.",
    "A shuffle takes away the language model's position encoding, and puts false positions in its stead. It also "
    "destroys what neighbouring tokens tell together: a thing that covers several tokens is torn apart.",
    "A pathway that is enough by itself need not be the one that is taken while both are intact.",
    "Single cells are shown to the vision encoder without what is around them, so it cannot write order and "
    "cannot see a thing that reaches over several cells as one. They are not available where the architecture "
    "gives a patch its position by a table: there a cell cannot be shown without a position.",
    "The interval is over images, not over other words, other pictures than those of the set, or another training "
    "of the model.",
)
