"""The fixed words of a report: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.amplification import ENOUGH
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

ROADS_CAPTION = (
    "Accuracy between the two things that the question does not name, with 95 % intervals: as it is, and with "
    "one road for position closed. Removal and single cells leave the places that the language model gives to "
    "image tokens; shuffling leaves what the vision encoder wrote into them. Hollow: a control question that "
    "place has no part in. Dashed: chance."
)
ROADS = (
    "Position can reach the answer by two roads: by what the vision encoder writes into the image tokens, and "
    "by the places that the language model gives them. Each road is closed in turn and the same questions are "
    "asked again. The edits are made on the image embeddings, before the first layer of the language model.",
    "Order removed: each thing's tokens come from a picture of it alone in the centre, all other tokens from an "
    "empty picture at the same place (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: section 5.3.1, figure 9). Single cells: each cell of the token grid goes through the vision "
    "encoder by itself. Shuffled: the image tokens of a picture change places at random; several orders are "
    "drawn for each picture, and their mean is given.",
    "The control question is which of two things is in the picture. Where it is still answered right, the edit "
    "left the rest of the model at work.",
    "Answers are read out twice: among all options, as in the paper's tables, and between the two things that "
    "the question does not name, where chance is one half. The figure and the shares go by the latter.",
)
SHARES = (
    "A share is (accuracy with the road closed - .5) / (accuracy - .5), between two. One says that nothing is "
    "lost, zero that chance is left. Where the accuracy itself is not wholly above one half, no share is given: "
    "at chance. Single cells are not available where the architecture gives a patch its place by a table."
)
ROADS_RULE = "The verdict on where the order comes from follows a fixed rule."
ROADS_INTERVALS = (
    f"Intervals hold 95 %: percentile bootstrap over images ({RESAMPLES:,} draws); Wilson's where all images "
    f"score the same. Groups of fewer than {SMALLEST} questions are omitted."
)
ROADS_LIMITS = (
    "Removal takes away what the vision encoder wrote of where these things stand. It does not leave their "
    "tokens without a place: each now says that its thing is in the centre, a false place rather than none, and "
    "the background still has the places of an empty picture.",
    "A shuffle takes away the language model's places, and puts false ones in their stead. It also destroys what "
    "neighbouring tokens tell together: a thing that covers several tokens is torn apart.",
    "A road that is enough by itself need not be the one that is taken while both are open.",
    "Single cells are shown to the vision encoder without what is around them, so it cannot write order and "
    "cannot see a thing that reaches over several cells as one. They are not available where the architecture "
    "gives a patch its place by a table: there a cell cannot be shown without a place.",
    "The interval is over images, not over other words, other pictures than rows of three, or another training "
    "of the model.",
)

IMAGES_CAPTION = (
    "Probability of two answers when image tokens at the first and the last place of a row change places with "
    "those of the reversed row, by the layer before which they do; bands are 95 % intervals. Shaded: layers at "
    "which the flipped answer stands above the clean one, with intervals apart."
)
_SWAP = (
    "For each pair and each layer, the tokens at the first place of the clean row take the states of those at "
    "the last place of the reversed row, and the other way round; all else is computed on. Each thing keeps its "
    "look and gets the other's place (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: section 5.2.2, figures 5 to 7). Layer l is the input of decoder block l, so layer 0 is the "
    "image embeddings; the last is the input of the final norm, where image tokens are no longer read."
)
_KEPT = (
    "The question is the same in both rows, so if the swapped tokens carry the order that the answer goes by, "
    "it flips to the thing on the other side. It is said to flip at the layers where the flipped answer is more "
    "probable than the clean one, with intervals apart. Pairs of which either run answers wrong by itself are "
    "dropped and counted."
)
IMAGES = (
    _SWAP,
    "Object tokens are those that the two outer things touch. Strips are the outer two of three strips that "
    "cover the picture across the row, with the things in them and all their background.",
    _KEPT,
)
IMAGES_INTERVALS = (
    f"Intervals hold 95 %: percentile bootstrap over clean images ({RESAMPLES:,} draws). Groups of fewer than "
    f"{SMALLEST} kept pairs are omitted."
)
IMAGES_LIMITS = (
    "A flip shows that the swapped tokens carry order and that the answer goes by it. No flip does not show that "
    "they carry none: other tokens may carry it too, and these are left as they are.",
    "The tokens stand where they stood. The places that the language model gives them are not swapped, and tell "
    "the clean order at the first layers.",
    "Where the clean answer comes back at late layers, the image tokens need not have lost the order: by then the "
    "last token may have read what it needs.",
    "Strips hold the objects too: a flip by strips alone says that the background has a part in it, not that the "
    "objects have none.",
    "Only pairs that the model answers right are kept, so it says nothing about how wrong answers arise.",
    "The two answers need not sum to one. The interval is over images, not over words or another training.",
)
BACKUP_CAPTION = (
    "Probability of two answers when object tokens at the first and the last place of a row change places with "
    "those of the reversed row, by the layer before which they do, while the image embeddings of both rows say "
    "nothing of where the things stand; bands are 95 % intervals. Where the flipped answer stands above the clean "
    "one with intervals apart (shaded), the object tokens carry an order that the language model made itself."
)
BACKUP = (
    "The order that the vision encoder wrote is removed from both runs, as under Roads: each thing's tokens come "
    "from a picture of it alone in the centre, all others from an empty picture (section 5.3.1). Then the object "
    "tokens are swapped (section 5.3.2, figures 8, 17 and 18).",
    _SWAP,
    _KEPT,
)
BACKUP_LIMITS = (
    "Removal gives the tokens a false place, the centre, rather than none.",
    "Only pairs that the model still answers right after removal are kept. How often it does is told under Roads.",
    "A flip at some layers says that the language model can make the order, not that it does so, or relies on "
    "it, while the vision encoder's is there.",
    "No flip does not say that it makes none: it may keep the order at the last token alone, or in the background.",
    "The two answers need not sum to one. The interval is over images, not over words or another training.",
)
AXES = (
    "Vertical against horizontal: the same three things in the same order are asked about along both axes. Of "
    "each such row that is kept along both, the flipped answer's probability is averaged over all layers, and "
    "the two are compared. The interval of the difference is a bootstrap over rows; p is Wilcoxon's signed-rank "
    "test, and Holm's correction is over all comparisons of the table."
)
CLAIM = "The paper holds that vertical rows strengthen the order that the language model makes (section 5.3.2)."
CLAIM_RULE = (
    "Borne out, or contradicted, is a difference of at least .01 whose interval is wholly on that side of zero and "
    "whose p is below .05 after Holm's correction; not shown does not say that there is none."
)

PROBES_CAPTION = (
    "Share of the object tokens that a linear probe gives their object's place, on pictures that it was not "
    "fitted on: behind each block of the vision encoder, at the embeddings (emb.), and before each layer of the "
    "language model. Bands are 95 % intervals. Gray: a probe that was fitted on shuffled places. Dashed: chance."
)
MAPS_CAPTION = (
    "What the probe at the embeddings says of each token. A token has the colour of the place that it is given "
    "in most test pictures, the paler the fewer they are. Outlined are the tokens of the objects, on which alone "
    "the probe was fitted; 1 is the first place, at the left or at the top."
)
BACKGROUND_CAPTION = (
    "Share of the background tokens that the same probes give the place of the strip, or of the field of a grid, "
    "that they lie in. Where this is above both the gray and the dashed line, the background too tells the place."
)
SHIFTED_CAPTION = (
    "The same probes on rows that stand closer together at the ends of the picture, so that the second thing may "
    "stand where the first or the third stood. Of object tokens for which the two differ: the share given its "
    "place in the row, and the share given the strip that it stands in."
)
READABLE_LEAD = (
    "From which site on at least 95 % of the object tokens are given their place by a linear probe, with the "
    "interval of its lead over a probe of shuffled places wholly above zero:"
)
PROBES = (
    "A linear probe (logistic regression on standardised features; the authors' own fit is an option) is fitted on the "
    "object tokens of three quarters of the pictures to tell which place its object has, and scored on the other "
    "quarter (The Dual Mechanisms of Spatial Reasoning in Vision-Language "
    "Models, arXiv 2603.22278: sections 3.3 and 5.2.1, appendices B.3 and B.4). One probe is fitted for "
    "each suite, arrangement, site and layer. Blocks and layers are counted from 0, as in the tables, and layer l "
    "is the input of decoder block l.",
    "Selectivity is what the probe gives right beyond one that was fitted with the places of each picture "
    "exchanged among themselves: what is left is place, not what else a probe can learn from a token.",
    "Background tokens are those of no object. They count as right where the probe, which saw none of them, gives "
    "the place of the strip or field that they lie in.",
    f"Intervals hold 95 %: percentile bootstrap over test pictures ({RESAMPLES:,} draws). Groups of fewer than "
    f"{SMALLEST} test pictures are omitted.",
)
PROBES_LIMITS = (
    "That the place is readable does not say that the model uses it: that is what the interchange of image tokens "
    "asks.",
    "The rows start at the same place in every picture: in them a place in the row and an absolute column are one "
    "thing. The shifted rows tell the two apart.",
    "The best layer is chosen on the pictures that it is reported on, so its number is a little too high.",
    "The probe is linear: where it fails, the place may still be there in another form.",
    "There is one split of the pictures and one fit; the interval is over test pictures alone.",
)

AMPLIFICATION_CAPTION = (
    "Share of the failures that amplification corrects (filled) and of the right answers that it breaks (hollow), "
    "on pictures that alpha was not chosen on. Random directions stand beside the probes' at the same alpha. The "
    "oracle takes the alpha that does best on these very pictures: it shows what there is to gain."
)
AMPLIFICATION_LEAD = "Amplifying the directions of the position probes on every image token, as the authors ran it:"
AMPLIFICATION = (
    "The columns of position probes are the directions. As run, each image embedding gets alpha times its own part "
    "along each direction on top; equation 3, as printed, adds alpha times the directions themselves (The Dual "
    "Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv 2603.22278: section 5.4, table 3).",
    "Alpha is chosen on about a third of the pictures and scored on the others. The paper chose it on the failures "
    "that it scored. The control turns the directions into a subspace drawn at random, keeping their lengths and "
    "angles. There are ten draws, and each is asked about every third picture; its share is the mean over all answers. "
    "The authors' control, independent directions of unit length, also differs in how much it changes.",
    "The probes are fitted on the first part where it shows three things in a row, else on jittered Squares of which "
    "none is asked about; where pictures are composites, both parts may share half a photograph. Fitted by logistic "
    "regression, the columns of a probe sum to zero, so equation 3 as printed adds next to nothing: what it did in the "
    "authors' hands came from what their fit left of its random beginning.",
    f"Intervals hold 95 %: percentile bootstrap over pictures ({RESAMPLES:,} draws). Shares of fewer than {SMALLEST} "
    "failures or right answers are omitted.",
)
AMPLIFICATION_LIMITS = (
    "What is corrected counts only beside what is broken, and beside what random directions do.",
    "Directions of probes that read no place from the embeddings (their accuracy is in the table) are no directions "
    "of order.",
    f"Fewer than {ENOUGH} failures say little: each one is a percent or more.",
    "The failures are those of these pictures; other failures may have other causes.",
)

POSITIONS_CAPTION = (
    "How far each rotary frequency turns from the first cell to the last, for the axis that it is given to. Below a "
    "few hundredths of a radian an axis cannot be told by rotation."
)
POSITIONS = (
    "Read from the model's settings, without a forward pass: base, head size and the sections that give frequencies to "
    "rows and columns; where image tokens are counted in raster order, a row is as many places away as there are "
    "columns. A part that gives places by a table has no budget.",
)
POSITIONS_LIMITS = (
    "A budget says what rotation could tell, not what the model uses: causal order and the vision encoder tell places "
    "too.",
)
