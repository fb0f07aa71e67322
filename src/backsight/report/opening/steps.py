"""What to do next, by rules on the study's numbers: what stops a reader first comes first.

Each rule looks at one thing, and says what to do and where in the page that is read from, or nothing.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from backsight.results.behaviour.axes import BEHAVIOUR_AXES, DIRECTIONS
from backsight.results.behaviour.sentences import NAMED, off_options
from backsight.results.behaviour.worst import ALL, accuracies, per_suite, worst
from backsight.results.drawing.style import counted
from backsight.results.pages.study import Study, mapping, number, records, text
from backsight.results.pages.wording import in_list, listed, rounded_percent
from backsight.results.pathways.reading import leading_record
from backsight.results.probes.lost import Readable, readable
from backsight.results.tournament.schema import SUMMARY, WINS

MOST = 2  # that a reader keeps in mind, and the first screen holds


@dataclass(frozen=True)
class Step:
    """What to do, with the anchor of what it is read from and what that is called."""

    text: str
    anchor: str = ""
    link: str = ""


def steps(study: Study, titles: Mapping[str, str]) -> tuple[Step, ...]:
    """At most two things to do; `titles` gives the sections that the page has, by anchor."""
    ends = {"contracts": "Contracts", "skipped": "Left out"}
    to_do: list[Step] = []
    for rule in RULES:
        for words, anchor in rule(study):
            link = titles.get(anchor) or ends.get(anchor, "")
            to_do.append(Step(words, anchor if link else "", link))
    return tuple(to_do[:MOST]) or (Step(SOUND),)


SOUND = "No rule for a next step applies: ask your own questions (--data DIR) or photographs (--photos DIR)."


def _unfinished(study: Study) -> Iterator[tuple[str, str]]:
    if study.data.get("finished") is False:
        yield "Run the study's command again: it goes on where it stopped.", ""


def _damaged(study: Study) -> Iterator[tuple[str, str]]:
    if study.damaged:
        number = counted(len(study.damaged), "table")
        yield f"Run the study's command again: it makes {number} again that are missing or damaged.", ""


def _broken_contracts(study: Study) -> Iterator[tuple[str, str]]:
    open_ones = [
        text(one.get("name"))
        for one in records(study.data.get("contracts"))
        if one.get("passed") is not True or one.get("warning") is True
    ]
    if open_ones:
        yield f"Read first what is not decided of the seam: {listed(open_ones)}.", "contracts"


def _guessing(study: Study) -> Iterator[tuple[str, str]]:
    lowest = worst(study)
    if lowest is not None and lowest.above == 0:
        yield (
            "No suite is answered better than by guessing, so little can be read from the rest: ask as the model was "
            "trained to be asked (--data DIR).",
            "behaviour",
        )


def _off_options(study: Study) -> Iterator[tuple[str, str]]:
    """Suites that are at guessing because the model answers with something else than an option."""
    lowest = worst(study)
    off = [one for one in per_suite(study) if one.off_options]
    if off and lowest is not None and lowest.above:
        names = dict.fromkeys(in_list(one.title) for one in off)
        where = listed(names) if len(names) <= NAMED else counted(len(names), "suite")
        free = off_options([one.free for one in off if one.free is not None])
        yield f"Ask as it was trained to be asked (--data DIR) on {where}: {free} there.", "behaviour"


def _guessed(study: Study) -> set[str]:
    """Suites that no prompt is shown to be answered better than by guessing on: a constant choice among options that
    the model would not answer with says nothing of its training."""
    whole = [one for one in accuracies(study) if one.direction == ALL]
    return {one.suite for one in whole} - {one.suite for one in whole if one.above_guessing}


def _inverted(study: Study) -> Iterator[tuple[str, str]]:
    """Axes that are answered the wrong way round, or without the picture."""
    guessed = _guessed(study)
    does = {
        "inverted": "are answered the wrong way round: look for exchanged labels in its training",
        "prior": "are answered without the picture: look for answers that its training gave away",
    }
    for verdict, words in does.items():
        suites: dict[str, list[str]] = {}
        for row in study.rows(BEHAVIOUR_AXES.name):
            if row["verdict"] == verdict and not (verdict == "prior" and row["suite"] in guessed):
                suites.setdefault(row["axis"], []).append(study.titles.get(row["suite"], row["suite"]))
        if suites:
            axes = listed(f"{DIRECTIONS[axis]} ({listed(dict.fromkeys(of))})" for axis, of in suites.items())
            yield f"{axes[:1].upper()}{axes[1:]} {words}.", "behaviour"


def _undecided(study: Study) -> Iterator[tuple[str, str]]:
    verdict = leading_record(study)
    if text(verdict.get("source")) != "cannot tell":
        return
    asked, budget = number(verdict.get("questions")), number(verdict.get("budget"))
    options = mapping(study.data.get("options"))
    limited = options.get("quick") is True or any(number(options.get(name)) for name in ("limit", "samples"))
    if limited:
        yield "Where position comes from is open: run the study without --quick and --limit.", "pathways"
    elif asked is not None and budget is not None and asked >= budget:
        yield f"Where position comes from is open: ask more (--budget {2 * budget:.0f}).", "pathways"


def _lost(study: Study) -> Iterator[tuple[str, str]]:
    """Where position is shown to go in readable and not to come out, or to be above chance at no probe.

    A suite that is answered better than by guessing has a position that the probes do not see: nothing follows there.
    """
    answered = {one.suite for one in accuracies(study) if one.direction == ALL and one.above_guessing}
    by_part: dict[str, list[Readable]] = {}
    for one in readable(study):
        if one.lost in (None, "nowhere", "partly readable"):
            continue
        if one.lost != "never readable" or one.suite not in answered:
            by_part.setdefault(str(one.lost), []).append(one)
    for part, of in by_part.items():
        suites = listed(dict.fromkeys(study.titles.get(one.suite, one.suite) for one in of))
        if part == "never readable":
            yield f"No probe is above chance ({suites}): train the vision encoder, not what reads it.", "probes"
        else:
            yield f"Position is lost at the {part} ({suites}): mend it there.", "probes"


def _repair(study: Study) -> Iterator[tuple[str, str]]:
    for name in dict.fromkeys(row["repair"] for row in study.rows(SUMMARY.name) if row["verdict"] == WINS):
        model = text(mapping(study.data.get("model")).get("name"))
        command = f"backsight repair fit {shlex.quote(model)} --repair {name} --out {name}.safetensors"
        yield f"Take the repair away: {command}.", "tournament"


def _smaller(study: Study) -> Iterator[tuple[str, str]]:
    """Sizes at which fewer questions are answered correctly than at the model's own."""
    sizes = [
        f"{row['columns']:.0f} x {row['rows']:.0f} tokens"
        for row in study.rows("resolution_summary")
        if row["size"] != "own" and row["difference_high"] is not None and row["difference_high"] < 0
    ]
    if sizes:
        yield f"Give it pictures of its own size: accuracy falls at {listed(dict.fromkeys(sizes))}.", "resolution"


def _worst(study: Study) -> Iterator[tuple[str, str]]:
    """The suite that is answered worst, where not all of it is answered correctly beyond its interval."""
    judged = worst(study)
    if judged is None or judged.above == 0:
        return
    one = judged.lowest
    if one.high is None or one.high < 1:
        prompt = f", prompt {one.prompt}" if one.prompt else ""
        yield (
            f"Most is missing on {one.title}{prompt} ({rounded_percent(one.accuracy)} correct): train on such "
            "pictures, then compare both studies (backsight compare).",
            "behaviour",
        )


Rule = Callable[[Study], Iterator[tuple[str, str]]]
RULES: tuple[Rule, ...] = (
    _damaged, _unfinished, _broken_contracts, _guessing, _off_options, _inverted, _undecided, _lost, _repair, _smaller,
    _worst,
)  # fmt: skip
