"""What methods of relevance and references are called, and the order in which tables and figures list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.relevance import (
    BOX,
    CHOICE,
    EFFECTS,
    FLOOR,
    NULL,
    ORACLE,
    RANDOM,
    SAME,
    SECTOR,
    TRUTH,
    ZERO,
)
from backsight.results.pages.wording import omitted, unbroken

Row = dict[str, Any]
TRUE_SECTOR = "true_sector"  # stands for a method in the line of the sector that the subject lies in
METHOD_WORDS = {
    "creg": "CREG",
    "creg_plain": "CREG, not contrastive",
    "creg_meant_weights": "CREG, layer weights as meant",
    "creg_by_maximum": "CREG, scaled by the maximum",
    "creg_from_third": "CREG, without layer -2",
    "single_layer_contrastive": "Single layer, contrastive (table 5)",
    "single_layer": "Single layer (5.1)",
    "gradient_norm": "Gradient norm",
    "integrated_gradients": "Integrated gradients",
    "integrated_gradients_right": "Integrated gradients, 50 right sums",
    "integrated_magnitudes": "Integrated gradients, magnitudes",
    "rollout": "Attention rollout",
    "gradcam": "GradCAM",
    "chefer": "Chefer",
}
# What a page shows of the methods; the variants of one, as a table's files hold them, are compared by an ablation.
VARIANTS = (
    "creg_meant_weights", "creg_by_maximum", "creg_from_third", "single_layer_contrastive",
    "integrated_gradients_right", "integrated_magnitudes",
)  # fmt: skip
REFERENCE_WORDS = {
    TRUE_SECTOR: "True sector (COS-true)",
    NULL: "Uniform relevance",
    RANDOM: "Random relevance",
    SECTOR: "Random sector",
    FLOOR: "All on the subject (best possible)",
    BOX: "Subject's box",
    ORACLE: "True direction itself",
    EFFECTS: "The tokens' effects themselves",
}
ORDER = (*METHOD_WORDS, *REFERENCE_WORDS)
TARGET_WORDS = {TRUTH: "truth", CHOICE: "choice", None: "–"}


def method_words(name: str) -> str:
    """What a person calls a method or a reference."""
    known = METHOD_WORDS | REFERENCE_WORDS
    return known.get(name) or (name.replace("_", " ")[:1].upper() + name.replace("_", " ")[1:])


def in_order(methods: Sequence[str]) -> list[str]:
    """Methods as tables and figures list them, unknown ones behind the known, references last."""
    known = {name: place for place, name in enumerate(ORDER)}
    middle = len(METHOD_WORDS) - 0.5
    return sorted(dict.fromkeys(methods), key=lambda name: known.get(name, middle))


def by_prompt(rows: Sequence[Row]) -> dict[tuple[str, str | None], list[Row]]:
    """Rows by suite and prompt, in the order of appearance."""
    groups: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        groups.setdefault((row["suite"], row["prompt"]), []).append(row)
    return groups


def unavailable(row: Row) -> bool:
    """Whether a row of `creg_summary` is that of a method which the model cannot give."""
    return row["questions"] == 0 and row["empty"] > 0 and row["omitted"] and row["accuracy"] is None


def why_missing(row: Row) -> str:
    """What stands in place of a method's numbers where the model cannot give it."""
    reason = row.get("missing") or ""
    return reason.partition(":")[0] if reason in (ZERO, SAME) else "not available"


def left_out_words(row: Row, rule: str = "picture") -> str:
    """What stands for the numbers of an omitted row: how many it has of what the `rule` counts, picture or question."""
    return omitted(row["images" if rule == "picture" else "questions"], rule)


def short(method: str) -> str:
    """A method's name in a table, which no line is broken in."""
    return unbroken(method_words(method))


def said_method(method: str) -> str:
    """A method's name in a sentence: what sets it apart in brackets, so that names can be listed."""
    name, _, rest = method_words(method).partition(", ")
    return f"{name} ({rest.split(' (')[0]})" if rest else name
