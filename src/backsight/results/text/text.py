"""What the section on text against picture says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points, share
from backsight.results.pages.wording import listed, omitted, percent

Row = Mapping[str, Any]
Rows = Mapping[tuple[str, str], Row]  # of a suite, by image and sentence

QUESTION = "Text against picture: which one is believed?"
CAPTION = (
    "Whom answers follow behind each sentence: the picture, the false sentence, or neither; lines are 95 % "
    "intervals. Behind the neutral sentence the text's share is the null: that answer without anybody saying so. "
    "The thin bar under each is the blank image's answers behind the same sentence."
)
METHOD = (
    'Before the question stands a sentence such as "The apple is to the left of the pot.": a false one that states '
    "the opposite of the truth, a true one, and a neutral one that names the same two things with as many words and "
    "says nothing of where. An answer follows the text where it is what the false sentence says. Of rows of three "
    "the false sentence puts the thing at the other end where the question asks. With a blank image the sentence is "
    "all there is: a model that does not follow it there does not take such sentences in at all. Differences from "
    "the neutral sentence are paired; intervals hold 95 %, with pictures as units.",
)
LIMITS = (
    "A model that was never trained on statements before a question may not read them: that it follows the picture "
    "then says nothing of trust. The blank image's share tells.",
    "Following a false statement may be obedience and no belief: the two look alike from outside.",
)
NOTE = (
    "Difference: the text's share less that behind the neutral sentence, paired; of the neutral one, less that "
    "without. Tokens apart: the mean distance in length from the neutral sentence, in tokens."
)


def follows(row: Row | None) -> bool:
    """Whether the false sentence is followed more often than behind the neutral one, the whole interval above zero."""
    return row is not None and not row["omitted"] and bool(row["text_difference_low"] > 0)


def lost(rows: Rows) -> bool:
    """Whether answers behind a neutral sentence are no better than guesses: such a model cannot be asked so."""
    neutral = rows.get(("picture", "neutral"))
    return neutral is not None and not neutral["omitted"] and bool(neutral["picture_low"] <= neutral["chance"])


def sentence(title: str, rows: Rows) -> str:
    """What the false sentence does on a suite: `rows` by image and sentence."""
    false, neutral, blank = (
        rows.get(key) for key in (("picture", "false"), ("picture", "neutral"), ("blank", "false"))
    )
    if false is None or neutral is None:
        return ""
    if false["omitted"]:
        return f"{title}: {omitted(false['questions'], 'question')}."
    comes = "comes" if follows(false) else "is not shown to come"
    parts = [
        f"{title}: behind a false sentence {share(false, 'text')} of {counted(false['questions'], 'answer')} follow "
        f"the text and {share(false, 'picture')} the picture; behind a neutral one {percent(neutral['text'])} and "
        f"{percent(neutral['picture'])}, and the text's answer {comes} more often than behind the neutral one "
        f"({points(false, 'text_difference')})"
    ]
    if neutral["picture_difference"] is not None and neutral["picture_difference_high"] < 0:
        fallen = f"the neutral sentence by itself costs right answers ({points(neutral, 'picture_difference')})"
        down = f", to chance or below ({percent(neutral['chance'])}): behind any sentence questions are not answered"
        parts.append(fallen + (down if lost(rows) else ""))
    elif lost(rows):
        parts.append(f"behind the neutral sentence answers are no better than guesses ({percent(neutral['chance'])})")
    parts += _read(blank)
    return "; ".join(parts) + "."


def _read(blank: Row | None) -> list[str]:
    if blank is None or blank["omitted"]:
        return []
    what = f"with a blank image the text's share changes by {points(blank, 'text_difference')}"
    return [what if follows(blank) else f"{what}: no sign that the sentence is read at all"]


def lead(named: Sequence[tuple[str, Rows]]) -> str:
    """Where a false sentence is followed; empty where no suite has numbers."""
    judged = [(title, rows) for title, rows in named if (one := rows.get(("picture", "false"))) and not one["omitted"]]
    if not judged:
        return ""
    answering = [(title, rows) for title, rows in judged if follows(rows["picture", "false"]) or not lost(rows)]
    names = [title for title, _ in answering]
    gone = listed(title for title, _ in judged if title not in names) if len(answering) < len(judged) else ""
    behind = f"Behind a neutral sentence answers on {gone} are no better than guesses: nothing is told there."
    if not answering:
        return f"{behind} Text against picture cannot be tested on this model."
    return " ".join(filter(None, (_outcome(answering), behind if gone else "")))


def _outcome(answering: Sequence[tuple[str, Rows]]) -> str:
    believed = [title for title, rows in answering if follows(rows["picture", "false"])]
    suites = counted(len(answering), "suite")
    if believed:
        return (
            f"A false sentence before the question turns answers on {listed(believed)} ({len(believed)} of {suites})."
        )
    if any(follows(rows.get(("blank", "false"))) for _, rows in answering):
        return f"On none of {suites} is a false sentence shown to turn answers from the picture, though it is read."
    return (
        f"On none of {suites} is a false sentence shown to turn answers; nor is it with a blank image, so that this "
        "model shows no sign of reading such sentences, and its trust in text is not tested."
    )
