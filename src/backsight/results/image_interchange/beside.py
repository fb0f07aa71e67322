"""What the interchange after removal stands beside: the verdict on the language model's position pathway.

Both ask about the language model and neither includes the other: it may answer by its position encoding and by no order
in object tokens, or write it there and answer few questions by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.layers import layer_words
from backsight.results.pages.study import mapping, text

Row = Mapping[str, Any]
BY_SOURCE = {"language": True, "both": True, "vision": False}


def suffices(verdict: Mapping[str, Any]) -> bool | None:
    """Whether the language model's pathway suffices, by a study's verdict; None where that is not decided.

    Of a verdict that judges each pathway its own word is taken, else it is read off the source.
    """
    own = text(mapping(mapping(verdict.get("pathways")).get("language")).get("outcome"))
    if own:
        return {"suffices": True, "does not suffice": False}.get(own)
    return BY_SOURCE.get(text(verdict.get("source")))


def pathway_sentence(verdict: Mapping[str, Any], title: str, row: Row) -> str:
    """The language model's pathway beside the layers of a row of `flip_layers`, and how both can hold.

    Empty where the study has no verdict.
    """
    if not text(verdict.get("source")):
        return ""
    start = f"Beside it, position pathways on {title}"
    pathway = "the language model's position encoding"
    known = suffices(verdict)
    if known is None:
        return f"{start}: whether {pathway} suffices cannot be told"
    sentence = f"{start}: {pathway} {'suffices' if known else 'does not suffice'}"
    if row["omitted"]:
        return f"{sentence}; too few pairs are answered correctly after removal to say more"
    layers = layer_words(row["layers"], None)
    if known and row["found"]:
        return f"{sentence}, and it writes order into object tokens at {layers}"
    if known:
        return (
            f"{sentence} although swapped object tokens flip no answer. Both can hold: it may read rotary positions "
            "and token order where the answer is given, and go by nothing that is written into object tokens"
        )
    if row["found"]:
        lost = f", {row['dropped']} are not" if row["dropped"] else ""
        return (
            f"{sentence} although it writes order into object tokens at {layers}. Both can hold: the flips are of the "
            f"{counted(row['pairs'], 'pair')} that are answered correctly after removal{lost}"
        )
    return f"{sentence}, and swapped object tokens flip no answer"
