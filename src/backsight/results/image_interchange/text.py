"""The fixed words of both sections: what was done, from which source, and what it does not show."""

from __future__ import annotations

IMAGES_CAPTION = (
    "Probability of two answers when image tokens at the first and the last position of a row change positions with "
    "those of the reversed row, by the layer before which they do; bands are 95 % intervals. Shaded: layers at "
    "which the flipped answer stands above the clean one, with intervals apart, and is the model's."
)
SWAP = (
    "For each pair and layer, the tokens at the first position of the clean row take the states of those at the last "
    "position of the reversed row, and the other way round, so each object keeps its look and gets the other's "
    "position (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv 2603.22278: section 5.2.2, "
    "figures 5 to 7). The question is the same in both rows, so if the swapped tokens carry the order that the answer "
    "goes by, it flips to the object on the other side.",
    "Object tokens are those that the two outer objects touch. Strips are the outer two of three strips that cover the "
    "picture across the row, with the objects in them and all their background. Layer 0 is the image embeddings; at "
    "the last, the input of the final norm, image tokens are no longer read.",
    "The answer is said to flip at layers where the flipped answer is more probable than the clean one, with intervals "
    "apart, and is the model's answer.",
)
IMAGES_LIMITS = (
    "No flip does not show that the swapped tokens carry no order: other tokens, which are left as they are, may carry "
    "it too, and the language model's position encoding, which is not swapped, may still give the clean order.",
    "Where the clean answer comes back at late layers, the image tokens need not have lost the order: by then the last "
    "token may have read what it needs.",
    "Strips hold the objects too: a flip by strips only says that the background has a part in it.",
)
BACKUP_CAPTION = (
    "The same swap of object tokens in rows whose image embeddings say nothing of where the objects stand; bands are "
    "95 % intervals. Where the flipped answer stands above the clean one with intervals apart and is the model's "
    "(shaded), the language model has written order into the object tokens."
)
REMOVAL = (
    "The order that the vision encoder wrote is removed from both runs, as under Position pathways: each object's "
    "tokens come from a picture of it isolated in the centre, all others from an empty picture (Dual Mechanisms, "
    "section 5.3.1). Then the object tokens are swapped (section 5.3.2, figures 8, 17 and 18)."
)
BACKUP_LIMITS = (
    "Removal gives the tokens a false position, the centre, rather than none.",
    "A flip says that the language model can write order into object tokens, not that it does so, or relies on it, "
    "while the vision encoder's order is there.",
    "No flip does not say that it makes no order: it may read rotary positions where the answer is given, keep the "
    "order at the last token only, or write it into the background. Whether it can answer by its own position encoding "
    "is under Position pathways.",
)
SAME = "The swap, the pairs kept and the rule for a flip are those of {title}."
KEPT_AS = "Pairs are kept, and answers counted, as under {title}."
AXES = (
    "Vertical against horizontal: the same three objects in the same order are asked about along both axes. Of each "
    "such row kept along both, the flipped answer's probability is averaged over all layers, and the two are compared: "
    "a bootstrap interval over rows, and a two-sided test by random signs of the rows, corrected over all comparisons "
    "of the table (Holm). The paper holds that vertical rows strengthen the order that the language model makes "
    "(section 5.3.2): borne out, or contradicted, is a difference of at least .01 whose interval is wholly on that "
    "side of zero and whose p is below .05 after correction; not shown does not say that there is none."
)
