"""How well suites are answered, in sentences: the claim over all of them, its null, and one a suite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.grouping import SMALLEST
from backsight.results.behaviour.worst import ALL, Accuracy, Worst
from backsight.results.drawing.style import counted
from backsight.results.pages.follows import span
from backsight.results.pages.wording import in_list, listed, percent, with_interval

Row = Mapping[str, Any]
NAMED = 3  # suites that a claim lists by name; more are counted
UNKNOWN = 0.5  # how short of what it should be a suite is that has no numbers


def accuracy(row: Row | None) -> str:
    """A summary row's accuracy for a table: with its interval, or that it was omitted."""
    if row is None:
        return "–"
    if row["omitted"]:
        return f"omitted (n={row['questions']})"
    return with_interval(row["accuracy"], row["low"], row["high"])


def claim(worst: Worst | None, suites: Sequence[Accuracy]) -> str:
    """The worst accuracy, and whether suites are answered better than by guessing; `suites` as of `per_suite`."""
    if worst is None:
        return f"No accuracy is given: no suite has the {SMALLEST} questions that it takes."
    one = worst.one
    lowest, highest = min(s.accuracy for s in suites), max(s.accuracy for s in suites)
    if worst.not_above:
        guessed = [s.title for s in suites if not s.above_guessing]
        names = f" ({listed(map(in_list, guessed))})" if len(guessed) <= NAMED else ""
        which = f"{len(guessed)} of {worst.suites} suites{names}" if worst.suites > 1 else guessed[0]
        free = _off_options([s for s in suites if not s.above_guessing])
        return f"Not shown to be better than guessing: {which}{free}; worst is {_at(one)}, {_number(one)}."
    if lowest == 1 and one.accuracy == 1:
        every = suites[0].title if worst.suites == 1 else f"all {worst.suites} suites"
        ends = min(s.low or 0.0 for s in suites)
        return f"Every answer is correct in {every}: the interval reaches down to {percent(ends)} at most."
    if worst.suites == 1:
        rest = f"over all directions {_interval(suites[0])}, better than guessing"
    else:
        rest = f"all {worst.suites} suites are answered better than by guessing, {span([lowest, highest])} correct"
    return f"Worst is {_at(one)}, {_number(one)}; {rest}."


def off_options(free: Sequence[float]) -> str:
    """What stands for the options where the model answers with something else; `free` are its free accuracies."""
    never = "none of the options" if max(free) == 0 else "hardly ever one of the options"
    return f"its most probable token is {never}"


def _off_options(guessed: Sequence[Accuracy]) -> str:
    """On how many of the suites that are at guessing the options are not what the model answers with."""
    free = [one.free for one in guessed if one.off_options and one.free is not None]
    if not free:
        return ""
    where = "there" if len(free) == len(guessed) else f"on {len(free)} of them"
    return f"; {where} {off_options(free)} ({span(free)} correct read freely)"


def null(accuracies: Sequence[Accuracy]) -> str:
    """What the gray picture and chance give over the suites, all directions together."""
    whole = [one for one in accuracies if one.direction == ALL]
    grays = [one.gray for one in whole if one.gray is not None]
    if not whole:
        return ""
    chance = f"hance is {span([one.chance for one in whole])}"
    gray = f"A gray picture gives {span(grays)}, c" if grays else "No gray picture was asked about; c"
    return f"{gray}{chance}."


def suite_sentence(prompts: Sequence[Accuracy], directions: Sequence[Accuracy], omitted: Sequence[Row] = ()) -> str:
    """How well a suite is answered: a record a prompt, its directions, and the rows of prompts that are omitted."""
    numbers = [f"{_interval(one)}{_with(one.prompt)}" for one in prompts]
    few = [f"; prompt {row['prompt']} omitted (n={row['questions']})" for row in omitted]
    sentence = f"{prompts[0].title}: {listed(numbers)} correct ({_beside(prompts)}){''.join(few)}"
    low = min(directions, key=lambda one: one.gained, default=None)
    if low is not None and low.gained < min(one.gained for one in prompts):
        sentence += f"; lowest for {_at(low, title=False)}, {_interval(low)}"
        sentence += f" of {counted(low.questions, 'question')}"
    return f"{sentence}{_guessing(prompts)}."


def perfect_sentence(suites: Sequence[Accuracy]) -> str:
    """Suites that are answered without an error, in one sentence; a record a suite and prompt."""
    titles = dict.fromkeys(one.title for one in suites)
    low = percent(min(one.low or 0.0 for one in suites))
    beside = f"intervals down to {low}; {_beside(suites, spans=True)}"
    return f"Every answer correct: {listed(map(in_list, titles))} ({beside})."


def omitted_sentence(rows: Sequence[tuple[str, Row]]) -> str:
    """Suites (by title) with too few questions, in one sentence."""
    named = [f"{in_list(title)}{_with(row['prompt'])} ({row['questions']})" for title, row in rows]
    return f"Omitted, with fewer than {SMALLEST} questions: {listed(named)}."


def _at(one: Accuracy, *, title: bool = True) -> str:
    """What an accuracy is of, as '"left" in Squares with prompt A'."""
    direction = "" if one.direction == ALL else f'"{one.direction}"'
    name = one.title if title else ""
    return " in ".join(filter(None, (direction, name))) + _with(one.prompt)


def _with(prompt: str | None) -> str:
    return f" with prompt {prompt}" if prompt else ""


def _interval(one: Accuracy) -> str:
    if one.low is None or one.high is None:
        return f"{percent(one.accuracy)} [no interval]"
    return f"{percent(one.accuracy)} [{100 * one.low:.1f},\u00a0{100 * one.high:.1f}]"


def _number(one: Accuracy) -> str:
    """An accuracy with interval, number of questions and what guessing gives it."""
    gray = "" if one.gray is None else f"gray picture {percent(one.gray)}, "
    asked = counted(one.questions, "question")
    return f"{_interval(one)} of {asked} correct ({gray}chance {percent(one.chance)})"


def _beside(prompts: Sequence[Accuracy], *, spans: bool = False) -> str:
    """The gray picture's accuracies, one a prompt, chance, and how many questions."""
    grays = [one.gray for one in prompts]
    parts = []
    given = [gray for gray in grays if gray is not None]
    if given:
        each = ["none" if gray is None else percent(gray) for gray in grays]
        shown = span(given) if spans else listed(each if len(set(each)) > 1 else each[:1])
        parts.append(f"gray picture {shown}")
    parts.append(f"chance {span([one.chance for one in prompts])}")
    few, most = min(one.questions for one in prompts), max(one.questions for one in prompts)
    asked = counted(few, "question") if few == most else f"{few} to {most} questions"
    return f"{', '.join(parts)}; {asked}{' each' if len(prompts) > 1 else ''}"


def _guessing(prompts: Sequence[Accuracy]) -> str:
    """A remark where an interval lies below chance, or reaches down to what guessing gives."""
    below = [one for one in prompts if one.below_chance]
    near = [one for one in prompts if one not in below and not one.above_guessing]
    remarks = [
        words + (f" with prompt {listed(one.prompt for one in of)}" if len(of) < len(prompts) else "")
        for words, of in (("worse than chance", below), ("not shown to be better than guessing", near))
        if of
    ]
    return "".join(f"; {remark}" for remark in remarks)
