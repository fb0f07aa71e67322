"""What the section on text against picture says: its sentences are functions of summary rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.follows import points, share, span
from backsight.results.pages.wording import listed, omitted, percent

Row = Mapping[str, Any]
Rows = Mapping[tuple[str, str], Row]  # of a suite, by image and sentence

CAPTION = (
    "Whom answers follow behind each sentence: the picture, the false sentence, or neither, with 95 % intervals. "
    "Behind the neutral sentence the text's share is the null: that answer without anybody stating it. The thin bar "
    "under each is the blank image's answers behind the same sentence."
)
METHOD = (
    'Before the question stands a sentence such as "The apple is to the left of the pot.": a false one that states '
    "the opposite of the truth, a true one, and a neutral one that names the same two things with as many words and "
    "does not state where. An answer follows the text where it is what the false sentence states. Of rows of three "
    "the false sentence puts the thing at the other end where the question asks. Differences from the neutral sentence "
    "are paired. With a blank image the sentence is all there is: a model that does not follow it there does not read "
    "such sentences at all.",
)
LIMITS = (
    "A model that was never trained on statements before a question may not read them: that it follows the picture "
    "then does not show trust in the picture. The blank image's share tells.",
    "Following a false statement may be obedience and no belief: the two look alike from outside.",
)
NOTE = (
    "Difference: the text's share less that behind the neutral sentence; of the neutral one, less that without. Tokens "
    "apart: the mean distance in length from the neutral sentence."
)
UNKNOWN = 0.5  # how short of what it should be a suite is that has no numbers


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
    shown = "" if follows(false) else "not shown to be followed, "
    parts = [
        f"{title}: {share(false, 'text')} of {counted(false['questions'], 'answer')} follow a false sentence, "
        f"{percent(neutral['text'])} are the same behind a neutral one ({shown}difference "
        f"{points(false, 'text_difference')})"
    ]
    if neutral["picture_difference"] is not None and neutral["picture_difference_high"] < 0:
        down = f", down to guessing ({percent(neutral['chance'])})" if lost(rows) else ""
        parts.append(
            f"The neutral sentence by itself costs correct answers ({points(neutral, 'picture_difference')}){down}"
        )
    elif lost(rows):
        parts.append(f"Behind the neutral sentence answers are no better than guesses ({percent(neutral['chance'])})")
    return " ".join(f"{part}." for part in [*parts, *_read(blank)])


def short(rows: Rows) -> float:
    """How far answers behind a false sentence are from following the picture, from 0 to 1."""
    false = rows.get(("picture", "false"))
    return UNKNOWN if false is None or false["omitted"] else 1.0 - float(false["picture"])


def _read(blank: Row | None) -> list[str]:
    if blank is None or blank["omitted"]:
        return []
    what = f"With a blank image the text's share changes by {points(blank, 'text_difference')}"
    return [what if follows(blank) else f"{what}: no sign that the sentence is read"]


def claim(named: Sequence[tuple[str, Rows]]) -> str:
    """Where any sentence costs correct answers, where a false one turns them, and where that cannot be tested."""
    judged = [(title, rows) for title, rows in named if (one := rows.get(("picture", "false"))) and not one["omitted"]]
    if not judged:
        return "Not tested: no suite has enough questions."
    # A suite that answers no better than guesses behind a neutral sentence tells nothing, unless the text is followed.
    answering = [(title, rows) for title, rows in judged if not lost(rows) or follows(rows["picture", "false"])]
    gone = [(title, rows["picture", "neutral"]) for title, rows in judged if title not in dict(answering)]
    guessed = listed(f"{title} ({share(row, 'picture')} correct)" for title, row in gone) if gone else ""
    behind = f"behind a neutral sentence answers on {guessed} are no better than guesses"
    costs = _costs(judged)
    if not answering:
        return f"{costs}Text against picture cannot be tested on this model: {behind}."
    return f"{costs}{_outcome(answering)}{f'; {behind}' if gone else ''}."


def _costs(judged: Sequence[tuple[str, Rows]]) -> str:
    """What a neutral sentence costs by itself, where the whole interval lies below zero: the largest loss."""
    neutral = [(title, rows, rows["picture", "neutral"]) for title, rows in judged if ("picture", "neutral") in rows]
    lower = [
        one for one in neutral if one[2]["picture_difference"] is not None and one[2]["picture_difference_high"] < 0
    ]
    if not lower:
        return ""
    title, rows, row = min(lower, key=lambda one: float(one[2]["picture_difference"]))
    before = rows["picture", "none"]["picture"]
    some = "" if len(lower) == len(judged) == 1 else f" on {len(lower)} of {counted(len(judged), 'suite')}; most"
    return (
        f"A sentence before the question, even a neutral one, costs correct answers{some} on {title}: "
        f"{percent(before)} without, {percent(row['picture'])} with it ({points(row, 'picture_difference')}). "
    )


def _outcome(answering: Sequence[tuple[str, Rows]]) -> str:
    false = [(title, rows["picture", "false"]) for title, rows in answering]
    believed = [one for one in false if follows(one[1])]
    suites = counted(len(answering), "suite")
    title, row = max(believed or false, key=lambda one: float(one[1]["text_difference"]))
    most = f"most on {title}: {points(row, 'text_difference')} beside a neutral one"
    if believed:
        return f"A false sentence before the question turns answers on {len(believed)} of {suites} ({most})"
    if any(follows(rows.get(("blank", "false"))) for _, rows in answering):
        return f"On none of {suites} is a false sentence shown to turn answers, though it is read ({most})"
    return (
        f"On none of {suites} is a false sentence shown to turn answers ({most}), nor with a blank image: this model "
        "shows no sign of reading such sentences, and its trust in text is not tested"
    )


def null(named: Sequence[tuple[str, Rows]]) -> str:
    """How often the answer of the false sentence comes behind a neutral one, and chance."""
    given = [row for _, rows in named if (row := rows.get(("picture", "neutral"))) and not row["omitted"]]
    if not given:
        return ""
    text, chance = (span([row[name] for row in given]) for name in ("text", "chance"))
    return f"Behind a neutral sentence the same answer comes in {text}; chance is {chance}."
