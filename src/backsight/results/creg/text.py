"""The fixed words of the section on the compass: caption, what was done, what it does not show, notes of tables."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST
from backsight.maths.intervals import RESAMPLES

PAPER = "CREG: Compass Relational Evidence for Interpreting Spatial Reasoning in Vision-Language Models"


CAPTION = (
    "Angle between the peak of a method's compass and the true direction (DAE): the mean with its 95 % interval; less "
    "is better. Dashed: the baseline, uniform relevance through the same projection, which knows the boxes alone. "
    "Where a method has no compass for some questions the line steps aside, as it is of the same questions. Dotted: "
    "the best possible on this grid, all relevance on the subject. Where both targets give the same there is one mark."
)
METHOD = (
    "The relevance of each image token for an answer is projected on compass sectors around the reference: a cell's "
    "angle as in equation 4, a Gaussian weight of its distance, and the share of each sector as in equation 5. DAE is "
    "the angle between the middle of the strongest sector and the direction from the reference's centre to the "
    "subject's (equation 6); EA is the share of questions where it is at most 45 degrees (equation 7). Source: "
    f"{PAPER}, arXiv 2603.20475 v1, sections 3 and 4.",
    "CREG explains the logit of an answer less that of its strongest rival (equation 1): of the right answer, or of "
    "the model's choice. Relevance is |sum of gradient times state| at four layers from -2 down (equation 2), each "
    "brought to 0 to 1, then weighted and added up (equation 3). As printed the weights are vacuous: each layer has "
    "the maximum 1, so that all weigh the same. As meant, they come from the maxima before the scaling.",
    "Where the last block normalises its input, gradient times state is zero by construction at that input, layer -2: "
    "an answer sees an image token there through keys and values of a normalised state, which the state's length does "
    "not change. Which layers are so is tried when a model is opened (contracts). They are left out of every form of "
    "CREG; of the single layer nothing is then left. A layer at which one question's relevance is no more than its own "
    "rounding is left out of that question. The gradient's length, which gradient norm and magnitudes take at layer "
    "-2, is not zero.",
    "The others go through the same projection. Not contrastive, and single layer, contrastive, are table 5's; single "
    "layer is section 5.1's baseline, with neither layers nor contrast. Integrated gradients, times the "
    "state, are taken at 217 points evenly spaced in log alpha, where they add up to the logit's change (each map says "
    "how nearly); 50 equal steps are a named option, and accumulated gradient magnitudes are appendix A.3's. "
    "Attention rollout explains no answer, so "
    "it has no target. GradCAM is at the last block of the vision encoder. Chefer's relevance is not in the paper's "
    "tables. The paper aims the baselines at the right answer alone; here they have both targets.",
    "The paper's: 8 sectors, sigma of 0.6 times r_max, r_max of twice the distance of both centres (appendix A.3), "
    "layers and contrast. This package's defaults, where the paper leaves it open: cells beyond r_max are dropped, "
    "those of the reference's own box are kept, the one cell at the reference's centre, which has no direction, is "
    "dropped, a cell stands at its centre, and a layer is scaled by minimum and maximum. Each is an option in the "
    "tables. A cell on a border counts half for both sectors, and tied sectors count by their mean.",
    "Uniform relevance is the baseline of every number here, on the very questions for which a method has a compass: "
    "it gives what the positions of the boxes alone give. Gain is the improvement over it: its DAE less the method's, "
    "question by question. Best possible is what all relevance on the subject gives, which sectors and cells keep from "
    "zero. Random relevance is the mean of 20 maps. The paper's random (91 degrees) is what a random sector gives, and "
    "its oracle (0.0) is the true direction itself: no projection gives either.",
)
INTERVALS = (
    "Figures are of the questions that no choice was made on: a tenth of the pictures, sampled by the picture alone, "
    "is the development split. The ablations are of all questions. Intervals hold 95 %: percentile bootstrap over "
    f"pictures ({RESAMPLES:,} resamples), and those of a gain are paired. Methods in pairs: the mean "
    "difference is tested by turning the signs of pictures at random, one-sided against uniform relevance (that the "
    "method is nearer), else two-sided, with Holm's correction over all pairs of a suite, prompt and target. A method "
    "is said to be nearer than uniform relevance where the mean is shown to be and more pictures have it nearer than "
    "further off. Groups of fewer than "
    f"{SMALLEST} pictures are omitted, however many questions are about them."
)
LIMITS = (
    "A compass that points at the subject does not show a relation: relevance that lights the subject points there "
    "too. What is seen from a random centre, and with subject and reference swapped, stands in a table of its own.",
    "A gain above zero says that relevance lies nearer to the subject's direction than if it were uniform, not that "
    "the answer goes by it. That is what the causal checks ask.",
    "No gain does not show that a method is wrong: what the answer goes by need not lie in the subject's direction. "
    "With few questions the interval is wide.",
    "Where all answers are right both targets are one, and nothing tells evidence for the truth from evidence for the "
    "decision.",
    "A peak is one sector of 45 degrees of relevance on whole cells; the rest of the compass does not count.",
    "In rows of three the reference is in the middle and the subject at an end, so that uniform relevance points "
    "nowhere. Elsewhere it may come near to the subject, and nearer under some options than under others: compare "
    "methods under one.",
    "The interval is over pictures, not over other words, other kinds of picture or another training of the model.",
)
METHODS_NOTE = (
    "DAE, uniform (the DAE of uniform relevance), best possible and gain (the improvement over uniform relevance) are "
    "in degrees, all of the same questions as the method; empty counts those for which it has no compass. EA's "
    "intervals are in the file. Both: the two targets give the same, as where every answer is right."
)
SUBSETS_NOTE = (
    "Right and wrong are the model's answers. Lines to the choice give, on wrong answers, the angle to the direction "
    "that the model's choice names: evidence for the decision would come nearer to it than to the truth, and nearer "
    "than uniform relevance does."
)
ABLATIONS_NOTE = (
    "All questions, the development split too, so that the first line may differ from the table above. The paper's are "
    "of 60 samples. The target is the model's choice."
)
PROJECTIONS_NOTE = (
    "DAE in degrees, in brackets that of uniform relevance by the same option on the same questions. The target is the "
    "model's choice. A lower DAE under an option means nothing where that of uniform relevance falls with it."
)
VALIDATION_NOTE = (
    "The paper has a random sector (about 90 degrees and .22, where 90 and .25 are expected; .375 where directions "
    "lie on the axes, as in Squares) and CREG on synthetic pictures (52.7 degrees, .75, accuracy 1.0), which are to "
    "confirm that the pipeline works. Uniform relevance, which knows nothing of the model, and the best possible (all "
    "relevance on the subject) say what such figures are worth."
)
CHOICES_NOTE = (
    "The method and option with the largest gain over uniform relevance in the development split, and its gain on all "
    "other pictures, in degrees. The best of many is too good where it was chosen: the second gain is what it is "
    f"worth. It takes {SMALLEST} pictures in the development split, which about {12 * SMALLEST} samples have "
    "(--samples)."
)
ELSEWHERE_NOTE = (
    "DAE in degrees, in brackets that of uniform relevance; then the gain with its interval. Random centre: the same "
    "relevance seen from a point sampled in the picture, the subject looked for. Swapped: seen from the subject, the "
    "reference looked for. A gain from a random centre as large as from the reference says that the subject is lit, "
    "wherever one looks from, and nothing of a relation."
)
PAIRS_NOTE = (
    "Difference is the DAE of the first less that of the second, in degrees: below zero the first is nearer. p is of "
    "that mean: that the first is nearer where the second is uniform relevance, else that they differ. Shown are "
    "pairs of which the target is the model's choice or none, and Holm's correction is over them; those of the truth "
    "are in the file."
)
PROMPTS_NOTE = (
    "Prompts A, B and C are the paper's (table 6, of 30 samples). The last column is the accuracy on the development "
    "split."
)
