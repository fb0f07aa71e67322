"""The fixed words of the section: what was done, from which source, and what it does not show."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST
from backsight.maths.intervals import RESAMPLES

CAPTION = (
    "Share of the object tokens that a linear probe gives their object's position, on pictures that it was not "
    "fitted on: behind each block of the vision encoder, at the embeddings (emb.), and before each layer of the "
    "language model. Bands are 95 % intervals. Gray: a probe that was fitted on shuffled positions. Dashed: chance."
)
MAPS_CAPTION = (
    "What the probe at the embeddings says of each token. A token has the colour of the position that it is given "
    "in most test pictures, the paler the fewer they are. Outlined are the tokens of the objects, on which alone "
    "the probe was fitted; 1 is the first position, at the left or at the top."
)
BACKGROUND_CAPTION = (
    "Share of the background tokens that the same probes give the position of the strip, or of the field of a grid, "
    "that they lie in. Where this is above both the gray and the dashed line, the background too tells the position."
)
SHIFTED_CAPTION = (
    "The same probes on rows that stand closer together at the ends of the picture, so that the second thing may "
    "stand where the first or the third stood. Of object tokens for which the two differ: the share given its "
    "position in the row, and the share given the strip that it stands in."
)
READABLE_LEAD = (
    "From which site on at least 95 % of the object tokens are given their position by a linear probe, with the "
    "interval of its lead over a probe of shuffled positions wholly above zero:"
)
METHOD = (
    "A linear probe is fitted on the object tokens of three quarters of the pictures to tell which position its object "
    "has, and scored on the other quarter (The Dual Mechanisms of Spatial Reasoning in Vision-Language Models, arXiv "
    "2603.22278: sections 3.3 and 5.2.1, appendices B.3 and B.4). One probe is fitted for each suite, arrangement, "
    "site and layer. Blocks and layers are counted from 0, as in the tables, and layer l is the input of decoder block "
    "l.",
    "Selectivity is what the probe gives right beyond one that was fitted with the positions of each picture "
    "exchanged among themselves: what is left is position, not what else a probe can learn from a token.",
    "Background tokens are those of no object. They count as right where the probe, which saw none of them, gives "
    "the position of the strip or field that they lie in.",
    'Intervals hold 95 %, test pictures as units: Agresti and Coull\'s "plus four"; of differences (selectivity) a '
    f"percentile bootstrap ({RESAMPLES:,} draws). Groups of fewer than "
    f"{SMALLEST} test pictures are omitted.",
)
FITS = {
    "logistic": (
        "fitted by logistic regression on standardised features, which begins at zero and stops at its optimum or "
        "after 50 steps, so that what it finds hangs on no random beginning"
    ),
    "adamw": "fitted as the authors did, by 200 steps of AdamW from a random beginning",
}
LIMITS = (
    "That the position is readable does not say that the model uses it: that is what the interchange of image tokens "
    "asks.",
    "The rows start at the same position in every picture: in them a position in the row and an absolute column are "
    "one thing. The shifted rows tell the two apart.",
    "The best layer is chosen on the pictures that it is reported on, so its number may be too high.",
    "The probe is linear: where it fails, the position may still be there in another form.",
    "There is one split of the pictures and one fit; the interval is over test pictures alone.",
)
