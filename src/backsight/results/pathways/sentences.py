"""What the verdicts of a study say of where position comes from: its claim, its null, and a sentence a suite.

All are functions of the verdicts (`reading.Judged`) and of what suites are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backsight.maths.pathways import BOUND, CHANCE, CONTROL
from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed
from backsight.results.pathways import reading
from backsight.results.pathways.card import SENTENCES, UNKNOWN, WORDS, sentence
from backsight.results.pathways.reading import NEITHER, OPEN, SUFFICES, Judged, Share, leading

Titles = Mapping[str, str]
UNDER = {"vision": "with image tokens shuffled", "language": "with the vision encoder's order removed"}
LEFT = "of the accuracy above chance remains"
NO_VERDICT = "Where position comes from is not shown: the study holds no verdict."


def claim(verdicts: Sequence[Judged], titles: Titles) -> str:
    """Where position comes from over all suites, the weakest evidence for it, and the suites that do not show it."""
    if not verdicts:
        return NO_VERDICT
    one = leading(verdicts)
    if not one.decided:
        return _unknown(verdicts, titles)
    same = [other for other in verdicts if (other.source, other.outcomes) == (one.source, one.outcomes)]
    remains = [_weakest(same, name) for name in one.decided]
    shares = ", ".join(f"{words}{f' {LEFT}' if number == 0 else ''} {UNDER[name]}"
                       for number, (name, words) in enumerate(zip(one.decided, remains, strict=True)))  # fmt: skip
    where, others = f"in {_where(same, len(verdicts), titles)}", _others(verdicts, same, titles)
    words = sentence(one).removesuffix(".")
    if one.source == OPEN:
        start = f"{where[:1].upper()}{where[1:]} {_lower(words)}"
    else:
        start = f"{words}{',' if ',' in words else ''} {where}"
    return f"{start}: {shares}{f'; {others}' if others else ''}."


def _unknown(verdicts: Sequence[Judged], titles: Titles) -> str:
    """The claim where no pathway is decided on any suite."""
    one = verdicts[0]
    suites = f" in any of {len(verdicts)} suites" if len(verdicts) > 1 else ""
    return f"{UNKNOWN.removesuffix('.')}{suites}: in {titles[one.suite]} {_why(one)}."


def _where(same: Sequence[Judged], total: int, titles: Titles) -> str:
    if len(same) > 1 and len(same) == total:
        return f"all {total} suites"
    return listed(titles[one.suite] for one in same) if len(same) < 3 else f"{len(same)} of {total} suites"


def _others(verdicts: Sequence[Judged], same: Sequence[Judged], titles: Titles) -> str:
    differing: dict[str, list[str]] = {}
    for other in verdicts:
        if other not in same:
            differing.setdefault(WORDS.get(other.source, "not shown"), []).append(titles[other.suite])
    return "; ".join(f"{word} in {listed(suites)}" for word, suites in differing.items())


def _weakest(same: Sequence[Judged], name: str) -> str:
    """The share, over suites of one outcome, that lies nearest to the bound, and on which side the others are."""
    shares = [share for one in same if (share := one.shares[name]) is not None]
    if not shares:
        return "an unknown share"
    enough = same[0].outcomes[name] == SUFFICES
    weakest = min(shares, key=lambda share: share.low) if enough else max(shares, key=lambda share: share.high)
    if len(shares) == 1:
        return str(weakest)
    return f"{'at least' if enough else 'at most'} {weakest}"


def null(verdicts: Sequence[Judged], titles: Titles) -> str:
    """Beside what the shares stand: chance, and what the presence question keeps under the same edits."""
    kept = [(share, one.suite, name) for one in verdicts for name, share in one.controls.items() if share is not None]
    without = [titles[one.suite] for one in verdicts if not any(one.controls.values())]
    if not kept:
        return "Chance is 0 % and nothing lost 100 %; there is no control, since no presence question could serve."
    share, suite, name = min(kept, key=lambda one: one[0].low)
    presence = "Chance is 0 %; the presence question, which needs no spatial information, keeps"
    lacking = f"; it is no control in {listed(without)}" if without else ""
    if share.low > BOUND:
        return f"{presence} at least {share} of its accuracy above chance under either edit{lacking}."
    then = "loses more than position" if share.high < BOUND else "is not known to lose position only"
    low = f"{presence} as little as {share} of its accuracy above chance in {titles[suite]} {UNDER[name]}"
    return f"{low}, so that edit {then} there{lacking}."


def statements(verdicts: Sequence[Judged], titles: Titles, *, asked: Mapping[str, bool]) -> tuple[Statement, ...]:
    """A sentence a suite, and one of all suites whose accuracy is at chance.

    `asked` says of each suite whether the model could be asked the presence question.
    """
    at_chance = [one for one in verdicts if not one.decided and one.accuracy and one.accuracy.low <= CHANCE]
    apart = [one for one in verdicts if one not in at_chance]
    lines = [Statement(of_suite(one, titles[one.suite]), one.suite, _short(one),
                       note(one, asked=asked.get(one.suite, True))) for one in apart]  # fmt: skip
    if at_chance:
        suites = listed(f"{titles[one.suite]} ({one.accuracy})" for one in at_chance)
        suite = at_chance[0].suite if len(at_chance) == 1 else ""
        words = f"{UNKNOWN.removesuffix('.')} in {suites}: accuracy between two is not above chance, 50 %."
        lines.append(Statement(words, suite, 1.0))
    return tuple(lines)


def _short(one: Judged) -> float:
    """0 where both pathways are decided and the presence question held, up to 1 where nothing is known."""
    if len(one.decided) < 2:
        return 1.0 - 0.3 * len(one.decided)
    return (0.5 if one.source == NEITHER else 0.0) + (0.0 if one.held else 0.2)


def of_suite(one: Judged, title: str) -> str:
    """Where position comes from in one suite, and by what numbers."""
    questions = f" ({counted(one.questions, 'question')})" if one.questions is not None else ""
    if not one.decided:
        return f"{UNKNOWN.removesuffix('.')} in {title}: {_why(one)}{questions}."
    remains = [f" {LEFT}", *("" for _ in one.decided[1:])]
    parts = (_accuracy(one.shares[name], name, words) for name, words in zip(one.decided, remains, strict=True))
    shares = f"{title}: accuracy {' and '.join(parts)}"
    if one.source != OPEN:
        return f"{shares}: {_lower(SENTENCES[one.source]).removesuffix('.')}{questions}."
    undecided = next(name for name, outcome in one.outcomes.items() if outcome == OPEN)
    why = reading.reason(one.reasons[undecided])
    return f"{shares}: {_lower(sentence(one)).removesuffix('.')}, since {why}{questions}."


def note(one: Judged, *, asked: bool) -> str:
    """What to know before a suite's verdict is believed: a control that is none or did not hold, a second edit that
    disagrees; empty where all is as it should be."""
    parts = []
    if not asked:
        parts.append("No control: the model could not be asked the presence question.")
    elif not any(one.controls.values()):
        parts.append(_no_control(one.control_accuracy))
    for name in one.decided:
        control = one.controls[name]
        if control is not None and control.low <= BOUND:
            then = "does not hold" if control.high < BOUND else "is not known to hold"
            parts.append(f"The presence question {then} {UNDER[name]}: {control} of its accuracy above chance remains.")
    if one.cells and "language" in one.decided and _side(one.cells) != _side(one.shares["language"]):
        parts.append(f"Single cells in place of removal leave {one.cells}: the two edits do not give the same.")
    if len(one.decided) < 2 and one.questions is not None and one.budget is not None:
        spent = one.questions >= one.budget
        parts.append(f"All {one.budget} questions were asked." if spent
                     else f"{one.questions} of at most {one.budget} questions were asked.")  # fmt: skip
    return " ".join(parts)


def _no_control(accuracy: Share | None) -> str:
    if accuracy is None:
        return "No control: the presence question is not answered above chance."
    known = f"not known to be above {100 * CONTROL:.0f}\u00a0%"
    return f"No control: the presence question is answered with an accuracy of {accuracy}, {known}."


def _side(share: Share | None) -> str:
    """On which side of the bound a share's interval lies."""
    if share is None:
        return ""
    return "above" if share.low > BOUND else "below" if share.high < BOUND else "across"


def _accuracy(share: Share | None, name: str, remains: str) -> str:
    """What becomes of the accuracy under the edit that leaves a pathway, with the share that remains."""
    return f"{change(share)} {UNDER[name]} ({share}{remains})" if share else f"is not known {UNDER[name]}"


def change(share: Share) -> str:
    """The verb that an interval of the remaining share allows: 0 is chance, 1 the accuracy as it is."""
    if share.high < 0:
        return "falls below chance"
    if share.low > 1:
        return "rises"
    if share.low > BOUND:
        return "holds" if share.high >= 1 else "falls by less than half"
    if share.high < BOUND:
        return "falls to chance" if share.low <= 0 else "falls by more than half"
    return "may fall or hold"


def _why(one: Judged) -> str:
    """Why no pathway is decided."""
    reasons = dict.fromkeys(reading.reason(words) for words in one.reasons.values() if words)
    return "; ".join(reasons) or "no reason is given"


def _lower(words: str) -> str:
    """A sentence as it goes on behind another part."""
    return f"{words[:1].lower()}{words[1:]}"
