"""The fixed words of the section on the compass: caption, what was done, what it does not show, notes of tables."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST

PAPER = "CREG: Compass Relational Evidence for Interpreting Spatial Reasoning in Vision-Language Models"


CAPTION = (
    "Angle between the direction in which a method's evidence points and that of the object, with its 95 % interval; "
    "further left is better. Dashed: uniform relevance on the same questions. Dotted: the best possible on this grid, "
    "all relevance on the object."
)
METHOD = (
    "A question asks where one object, the subject, is as seen from another, the reference. The relevance of each "
    "image token for the model's choice is collected in a compass of 8 sectors around the reference (equations 4 and "
    "5), weighted by a Gaussian of its distance; cells further off than twice the distance between both centres are "
    "dropped. DAE is the angle between the strongest sector and the true direction (equation 6); EA is the share of "
    f"questions on which it is at most 45 degrees (equation 7). Source: {PAPER}, arXiv 2603.20475 v1, sections 3 and "
    "4.",
    "CREG explains the logit of an answer less that of its strongest rival (equation 1) by |sum of gradient times "
    "state| at four layers from -2 down (equations 2 and 3). Each layer is scaled to 0 to 1 before it is weighted, so "
    'that the printed weights do nothing; "layer weights as meant" takes them before the scaling. Where the last '
    "block normalises its input, gradient times state is zero at layer -2 by construction; that layer is left out.",
    "The other methods go through the same compass. Integrated gradients take 217 points evenly spaced in log alpha. "
    "Attention rollout explains no particular answer. GradCAM is at the vision encoder's last block. Chefer's "
    "relevance is not in the paper's tables.",
    "Uniform relevance is the baseline: the same relevance on every token, which gives what the positions of both "
    "boxes give. Improvement is its DAE less the method's, question by question. The paper compares with a random "
    "sector (about 90 degrees) instead, which is easier to improve on.",
    "A tenth of the pictures, sampled by the picture, is kept as a development split for choices of method and prompt; "
    "all numbers are of the other pictures. Methods are tested by turning the signs of pictures at random, one-sided "
    "against uniform relevance, with Holm's correction over all pairs of methods of a suite and prompt.",
)
LIMITS = (
    "A compass that points at the object does not show that the model uses the relation: relevance that lights the "
    "object points there from any centre. The causal checks below ask whether the answer goes by it.",
    "No improvement does not show that a method is wrong: what the answer goes by need not lie in the direction of the "
    "object.",
    "A peak is one sector of 45 degrees on whole tokens; the rest of the compass does not count.",
    "In rows of three the reference is in the middle, so that uniform relevance points nowhere; in other suites it "
    "comes near to the object. Compare improvements, not angles, between suites.",
)
METHODS_NOTE = (
    "Degrees closer to the object than uniform relevance on the same questions; below zero is further off. n: CREG's "
    "questions. The evidence is for the model's choice. The files also hold DAE and EA, the evidence for the correct "
    "answer, the variants of each method, every direction, and every pair of methods with Holm's correction."
)
VARIED_NOTE = (
    f"Improvement over uniform relevance by the same compass, in degrees. A dash: fewer than {SMALLEST} pictures."
)
PARTS_NOTE = (
    "As above, CREG unchanged. From a random centre: the same relevance seen from a point sampled in the picture. "
    "Swapped: seen from the subject, the reference looked for. An improvement as large from a random centre says that "
    "the object is lit wherever one looks from."
)
ANSWERS_NOTE = (
    "DAE of CREG for the model's choice and for the correct answer, in degrees. On correct answers both are the same."
)
CHOICES_NOTE = (
    "The method and option with the largest improvement in the development split, in degrees, and its improvement on "
    "all other pictures. The best of many is too good where it was chosen: the last but one column is what it is worth."
)
PROMPTS_NOTE = "CREG for the model's choice with each of the paper's prompts, on the same few pictures."
