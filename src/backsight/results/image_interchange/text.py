"""The fixed words of both sections: what was done, from which source, and what it does not show."""

from __future__ import annotations

IMAGES_CAPTION = (
    "Probability of two answers when image tokens at the ends of a row take the states of those at the other end of "
    "the reversed row, by the layer before which they do, with 95 % intervals. Shaded: the flipped answer is above the "
    "clean one, with intervals apart, and the model's."
)
SWAP = (
    "For each pair and layer, the tokens at the first position of the clean row take the states of those at the last "
    "position of the reversed row, and the other way round, so each object keeps its look and gets the other's "
    "position (Dual Mechanisms, arXiv 2603.22278: section 5.2.2, figures 5 to 7). The question stays: if the swapped "
    "tokens carry the order that the answer goes by, it flips to the object on the other side.",
    "Object tokens are those that the two outer objects touch. Strips are the outer two of three strips that cover the "
    "picture across the row. Layer 0 is the image embeddings. A layer counts where the flipped answer is more probable "
    "than the clean one, with intervals apart, and is the model's answer.",
)
IMAGES_LIMITS = (
    "No flip does not show that the swapped tokens carry no order: other tokens, which are left as they are, may carry "
    "it too, and the language model's position encoding, which is not swapped, may still give the clean order.",
    "Where the clean answer comes back at late layers, the last token may have read what it needs before.",
    "Strips hold the objects too: a flip by strips only says that the background has a part in it.",
)
BACKUP_CAPTION = (
    "The same swap of object tokens in rows whose image embeddings hold no position, with 95 % intervals. Where the "
    "flipped answer is above the clean one, with intervals apart, and the model's (shaded), the language model has "
    "written order into the object tokens."
)
REMOVAL = (
    "The order that the vision encoder wrote is removed from both runs, as under Position pathways: each object's "
    "tokens come from a picture of it isolated in the centre, all others from an empty picture (Dual Mechanisms, "
    "section 5.3.1). Then the object tokens are swapped (section 5.3.2, figures 8, 17 and 18)."
)
BACKUP_LIMITS = (
    "Removal gives the tokens a false position, the centre, rather than none.",
    "A flip says that the language model can write order into object tokens, not that it relies on it while the vision "
    "encoder's order is there.",
    "No flip does not say that it makes no order: it may read rotary positions where the answer is given, keep the "
    "order at the last token, or write it into the background.",
)
SAME = "The swap, the pairs kept and the rule for a flip are those of {title}."
KEPT_AS = "Pairs are kept, and answers counted, as under {title}."
AXES = (
    "Vertical against horizontal: the same three objects in the same order are asked about along both axes, and the "
    "flipped answer's mean probability over all layers is compared (bootstrap over rows; two-sided test by random "
    "signs, corrected by Holm). The paper holds that vertical rows strengthen the language model's order (section "
    "5.3.2). Borne out, or contradicted, is a difference of at least .01 with its interval wholly on that side of zero "
    "and a corrected p below .05."
)
