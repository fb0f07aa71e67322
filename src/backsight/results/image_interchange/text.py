"""The fixed words of both sections: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST
from backsight.results.pages.layers import ANSWER_RULE

IMAGES_CAPTION = (
    "Probability of two answers when image tokens at the first and the last position of a row change positions with "
    "those of the reversed row, by the layer before which they do; bands are 95 % intervals. Shaded: layers at "
    "which the flipped answer stands above the clean one, with intervals apart, and is the model's."
)
_SWAP = (
    "For each pair and each layer, the tokens at the first position of the clean row take the states of those at "
    "the last position of the reversed row, and the other way round; all else is computed on. Each thing keeps its "
    "look and gets the other's position (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: section 5.2.2, figures 5 to 7). Layer l is the input of decoder block l, so layer 0 is the "
    "image embeddings; the last is the input of the final norm, where image tokens are no longer read."
)
_KEPT = (
    "The question is the same in both rows, so if the swapped tokens carry the order that the answer goes by, "
    "it flips to the thing on the other side. It is said to flip at the layers where the flipped answer is more "
    f"probable than the clean one, with intervals apart, and is the model's. {ANSWER_RULE} Pairs of which either run "
    "answers wrong by itself are dropped and counted."
)
IMAGES = (
    _SWAP,
    "Object tokens are those that the two outer things touch. Strips are the outer two of three strips that "
    "cover the picture across the row, with the things in them and all their background.",
    _KEPT,
)
INTERVALS = (
    'Intervals hold 95 %, clean images as units: Agresti and Coull\'s "plus four". Groups of fewer than '
    f"{SMALLEST} kept pairs are omitted."
)
IMAGES_LIMITS = (
    "A flip shows that the swapped tokens carry order and that the answer goes by it. No flip does not show that "
    "they carry none: other tokens may carry it too, and these are left as they are.",
    "The tokens stand where they stood. The language model's position encoding is not swapped, and may still tell the "
    "clean order.",
    "Where the clean answer comes back at late layers, the image tokens need not have lost the order: by then the "
    "last token may have read what it needs.",
    "Strips hold the objects too: a flip by strips alone says that the background has a part in it, not that the "
    "objects have none.",
    "Only pairs that the model answers right are kept, so it says nothing about how wrong answers arise.",
    "The two answers need not sum to one. The interval is over images, not over words or another training.",
)
BACKUP_CAPTION = (
    "Probability of two answers when object tokens at the first and the last position of a row change positions with "
    "those of the reversed row, by the layer before which they do, while the image embeddings of both rows say "
    "nothing of where the things stand; bands are 95 % intervals. Where the flipped answer stands above the clean "
    "one with intervals apart and is the model's (shaded), the language model has written order into the object tokens."
)
BACKUP = (
    "The order that the vision encoder wrote is removed from both runs, as under Position pathways: each thing's "
    "tokens come from a picture of it isolated in the centre, all others from an empty picture (section 5.3.1). Then "
    "the object tokens are swapped (section 5.3.2, figures 8, 17 and 18).",
    _SWAP,
    _KEPT,
)
BACKUP_LIMITS = (
    "Removal gives the tokens a false position, the centre, rather than none.",
    "Only pairs that the model still answers right after removal are kept. How often it does is told under Position "
    "pathways.",
    "A flip at some layers says that the language model can write order into object tokens, not that it does so, or "
    "relies on it, while the vision encoder's is there.",
    "No flip does not say that it makes no order: it may read rotary positions and token order where the answer is "
    "given, keep the order at the last token alone, or write it into the background. Nor does it say that nothing is "
    "written into object tokens: probes may read an order there that no answer goes by. Whether the language model can "
    "answer by its own position encoding is told under Position pathways.",
    "The two answers need not sum to one. The interval is over images, not over words or another training.",
)
AXES = (
    "Vertical against horizontal: the same three things in the same order are asked about along both axes. Of "
    "each such row that is kept along both, the flipped answer's probability is averaged over all layers, and "
    "the two are compared. The interval of the difference is a bootstrap over rows; p is that of the mean difference, "
    "two-sided, by turning the signs of rows at random, and Holm's correction is over all comparisons of the table."
)
CLAIM = "The paper holds that vertical rows strengthen the order that the language model makes (section 5.3.2)."
CLAIM_RULE = (
    "Borne out, or contradicted, is a difference of at least .01 whose interval is wholly on that side of zero and "
    "whose p is below .05 after Holm's correction; not shown does not say that there is none."
)
