"""What relevance is called in every table: methods, references, targets, and the views it is projected under.

Data alone, so that what reads tables needs no torch. How a method is computed stands in `measurements.relevance`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


PER_DECADE, DECADES = 12, 18  # points of a path that are evenly spaced in log alpha, and how far down they begin
# Why a method has no number on a model; what stands before the colon is shown in its place.
ZERO = "zero by construction: at the last block's input an answer sees the direction of an image token's state alone"
SAME = "the same as CREG: its layer -2 is zero by construction, and left out there too"


@dataclass(frozen=True)
class Method:
    """What a method needs recorded, whether it is contrastive, and whether it has a target at all.

    `upper` are the last layers as a graph, `path` the line from zero to the state before the last block, `whole` a
    forward pass as a graph. A path is taken at equal steps (`right` sums) or at points evenly spaced in `log` alpha.
    A method of the `top` layer alone is gradient times state there, and nothing where that is zero.
    """

    needs: Literal["upper", "path", "whole"]
    contrastive: bool = False
    targeted: bool = True
    rule: Literal["right", "log"] | None = None
    top: bool = False

    def points(self, steps: int) -> int:
        """At how many points of a path its gradients are taken, where a measurement asks for `steps` equal ones."""
        return {None: 0, "right": steps, "log": PER_DECADE * DECADES + 1}[self.rule]


THIRD = "creg_from_third"  # without the layer where gradient times state is zero: models.reach_contract
INTEGRATED, RIGHT_SUMS = "integrated_gradients", "integrated_gradients_right"
METHODS: dict[str, Method] = {
    "creg": Method("upper", contrastive=True),
    "creg_meant_weights": Method("upper", contrastive=True),  # layers weighted by their unscaled maxima
    "creg_by_maximum": Method("upper", contrastive=True),  # layers divided by their maximum, the minimum kept
    THIRD: Method("upper", contrastive=True),  # layers from -3 down
    "creg_plain": Method("upper"),  # not contrastive: table 5's "no contrastive"
    "single_layer_contrastive": Method("upper", contrastive=True, top=True),  # table 5's ablation
    "single_layer": Method("upper", top=True),  # section 5.1's baseline: neither aggregation nor contrast
    "gradient_norm": Method("upper"),
    INTEGRATED: Method("path", rule="log"),
    RIGHT_SUMS: Method("path", rule="right", top=True),  # what is commonly run: 50 equal steps
    "integrated_magnitudes": Method("path", rule="right"),  # appendix A.3: accumulated gradient magnitudes
    "rollout": Method("whole", targeted=False),
    "gradcam": Method("whole"),
    "chefer": Method("whole"),
}


def path_points(methods: Iterable[str], steps: int) -> int:
    """At how many points of a path some methods take gradients: those of one rule share them."""
    by_rule = {METHODS[name].rule: METHODS[name].points(steps) for name in methods}
    return sum(by_rule.values())


def without(methods: Sequence[str], blind: Sequence[int], *, n_layers: int, depth: int) -> dict[str, str]:
    """Which of some methods have no number on a model, and why, by its layers and `reach_contract.blind` tell."""
    top, seen = n_layers - 1, [n_layers - 1 - k for k in range(depth) if n_layers - 1 - k not in blind]
    reasons = {}
    for name in (m for m in methods if METHODS[m].needs == "upper" or METHODS[m].top):
        if name == THIRD and depth < 2:
            reasons[name] = "There is one layer to take relevance from, and this method leaves it out"
        elif name != "gradient_norm" and (top in blind if METHODS[name].top else not seen):
            reasons[name] = ZERO
        elif name == THIRD and top in blind:
            reasons[name] = SAME
    return reasons


UNTARGETED = frozenset(name for name, method in METHODS.items() if not method.targeted)
