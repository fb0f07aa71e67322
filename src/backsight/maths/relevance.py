"""What relevance is called in every table: methods, references, targets, and the views it is projected under.

Data alone, so that what reads tables needs no torch. How a method is computed stands in `measurements.relevance`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

TRUTH, CHOICE = "truth", "prediction"  # targets: whose logit is explained
# References, which know nothing of the model, nor have a target.
NULL = "constant"  # uniform relevance: the baseline of every number
RANDOM = "random_relevance"
SECTOR = "random_sector"
FLOOR = "point_at_subject"  # all relevance on the subject: the best possible on this grid
BOX = "subject_box"
ORACLE = "geometry"  # the true direction itself, which no projection made
REFERENCES = (NULL, RANDOM, SECTOR, FLOOR, BOX, ORACLE)
EFFECTS = "knockout"  # the absolute effects of the tokens themselves

DEFAULT = "default"  # the projection that every number is of unless another one is named
RANDOM_CENTRE, SWAPPED = "random centre", "swapped"
ELSEWHERE = (RANDOM_CENTRE, SWAPPED)  # views that are other questions, not other options
LEADING = "creg"  # the method that stands first


@dataclass(frozen=True)
class Method:
    """What a method needs recorded, whether it is contrastive, and whether it has a target at all.

    `upper` are the last layers as a graph, `path` the line from zero to the state before the last block, `whole` a
    forward pass as a graph.
    """

    needs: Literal["upper", "path", "whole"]
    contrastive: bool = False
    targeted: bool = True


THIRD = "creg_from_third"  # without the layer where gradient times state is zero: saliency.gradient_times_state
METHODS: dict[str, Method] = {
    "creg": Method("upper", contrastive=True),
    "creg_meant_weights": Method("upper", contrastive=True),  # layers weighted by their unscaled maxima
    "creg_by_maximum": Method("upper", contrastive=True),  # layers divided by their maximum, the minimum kept
    THIRD: Method("upper", contrastive=True),  # layers from -3 down
    "creg_plain": Method("upper"),  # not contrastive: table 5's "no contrastive"
    "single_layer_contrastive": Method("upper", contrastive=True),  # table 5's ablation
    "single_layer": Method("upper"),  # section 5.1's baseline: neither aggregation nor contrast
    "gradient_norm": Method("upper"),
    "integrated_gradients": Method("path"),  # textbook form
    "integrated_magnitudes": Method("path"),  # appendix A.3: accumulated gradient magnitudes
    "rollout": Method("whole", targeted=False),
    "gradcam": Method("whole"),
    "chefer": Method("whole"),
}

UNTARGETED = frozenset(name for name, method in METHODS.items() if not method.targeted)
