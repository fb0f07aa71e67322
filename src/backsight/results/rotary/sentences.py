"""How much of the answers depends on the rotary coordinates: the claim over all suites, its null, a sentence a suite.

All are functions of the rows of `rotary_summary` and of what suites are called.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.drawing.style import counted
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed, omitted, whole_percent
from backsight.results.rotary.text import OTHER, QUESTIONS, WORDS, cells, first_step, verdict

Row = Mapping[str, Any]
Titles = Mapping[str, str]
About = Mapping[tuple[str, str, str], Row]  # rows by (along, given, quantity)
# What answers of each verdict do in the claim, by which quantity, and what its share does.
CLAIMED = {
    "follows": ("follow", "mirrored", " become their mirror image"),
    "in part": ("follow in part", "mirrored", " become their mirror image"),
    "disturbed": ("are lost", "other", " become another answer"),
    "stays": ("stay", "stays", ""),
}
BOTH = "left, right, above and below"


def mirrored(rows: Sequence[Row], suite: str) -> dict[tuple[str, str, str], Row]:
    """A suite's rows of mirrored coordinates, by (along, given, quantity)."""
    return {(r["along"], r["given"], r["quantity"]): r for r in rows if (r["suite"], r["edit"]) == (suite, "mirror")}


def claim(rows: Sequence[Row], titles: Titles) -> str:
    """What becomes of the answers along each coordinate when it is mirrored, over all suites."""
    of: dict[str, dict[str, list[Row]]] = {word: {} for word in CLAIMED}
    unknown: dict[str, list[str]] = {}
    for suite in dict.fromkeys(row["suite"] for row in rows):
        for along, by_quantity in _own(mirrored(rows, suite)).items():
            word = verdict(by_quantity["mirrored"], by_quantity["stays"])
            if word in CLAIMED:
                of[word].setdefault(along, []).append(by_quantity[CLAIMED[word][1]])
            else:
                unknown.setdefault(titles[suite], []).append(along)
    parts = [_group(word, questions, group, titles) for word in of for questions, group in _alike(of[word])]
    by_questions: dict[str, list[str]] = {}
    for title, coordinates in unknown.items():
        by_questions.setdefault(_questions(coordinates), []).append(title)
    hidden = [f"{questions} in {listed(suites)}" for questions, suites in by_questions.items()]
    if not parts:
        asked = f" for {' and '.join(hidden)}" if hidden else ""
        return f"Whether answers depend on the rotary coordinates of image tokens is not shown{asked}."
    beside = f"; not shown for {' and '.join(hidden)}" if hidden else ""
    return f"With rotary coordinates of the image tokens mirrored, {'; '.join(parts)}{beside}."


def _questions(coordinates: Sequence[str]) -> str:
    return BOTH if len(coordinates) > 1 else QUESTIONS[coordinates[0]]


def _alike(of: Mapping[str, Sequence[Row]]) -> list[tuple[str, list[Row]]]:
    """Rows of one verdict with what they are questions of; both coordinates together where they are of one suites."""
    suites = [{row["suite"] for row in group} for group in of.values()]
    if len(of) > 1 and suites[0] == suites[1]:
        return [(BOTH, [row for group in of.values() for row in group])]
    return [(QUESTIONS[along], list(group)) for along, group in of.items()]


def _own(by_about: About) -> dict[str, dict[str, Row]]:
    """Rows by quantity of each coordinate that answers lie along and that is mirrored."""
    of = {along: {name: by_about.get((along, along, name)) for name in ("mirrored", "stays", "other")}
          for along in QUESTIONS}  # fmt: skip
    return {
        along: {name: row for name, row in one.items() if row is not None}
        for along, one in of.items()
        if all(row is not None for row in one.values())
    }


def _group(word: str, questions: str, group: Sequence[Row], titles: Titles) -> str:
    """The answers of one verdict, by the least of their shares."""
    least = min(group, key=lambda row: float(row["low"]))
    suites = list(dict.fromkeys(titles[row["suite"]] for row in group))
    where = listed(suites) if len(suites) < 3 else f"{len(suites)} suites"
    does, _, becomes = CLAIMED[word]
    share = f"{'at least ' if len(group) > 1 else ''}{_share(least)}{becomes}"
    return f"answers of {questions} {does} in {where} ({share})"


def null(rows: Sequence[Row]) -> str:
    """How many mirror images a gray picture and the other coordinate give, at most over all suites."""
    known = [row for row in rows if row["edit"] == "mirror" and row["quantity"] == "mirrored" and not row["omitted"]]
    own = [row for row in known if row["along"] == row["given"] and row["null"] is not None]
    across = [row for row in known if OTHER.get(row["along"]) == row["given"]]
    parts = []
    if own:
        gray = max(own, key=lambda row: float(row["null"]))
        share = whole_percent(gray["null"], gray["null_low"], gray["null_high"])
        parts.append(f"with a gray picture in at most {share}")
    if across:
        most = max(across, key=lambda row: float(row["value"]))
        parts.append(f"with the other coordinate mirrored in at most {_share(most)}")
    return f"Answers become their mirror image {' and '.join(parts)} of the cases." if parts else ""


def statements(rows: Sequence[Row], titles: Titles, ranges: Mapping[str, float]) -> tuple[Statement, ...]:
    """A sentence a suite and coordinate, and one a suite of turned keys.

    `ranges` is the language model's rotary phase range by axis, radians over the grid; empty where it is not known.
    """
    lines, few, turned = [], [], []
    for suite in dict.fromkeys(row["suite"] for row in rows):
        title, by_about = titles[suite], mirrored(rows, suite)
        beside = range_sentence(ranges, by_about)
        for along, of in _own(by_about).items():
            if of["mirrored"]["omitted"]:
                count = omitted(of["mirrored"]["questions"], "correct answer")
                few.append((f"{QUESTIONS[along]} in {title}: {count}", suite))
                continue
            short = 1 - max(0.0, float(of["mirrored"]["low"]), float(of["stays"]["low"]))
            lines.append(Statement(f"{title}, {mirror_sentence(along, by_about)}.", suite, short, beside))
            beside = ""
        if sentence := turn_sentence([row for row in rows if row["suite"] == suite]):
            turned.append(Statement(f"{title}: {sentence}.", suite))
    if few:
        words = "; ".join(one for one, _ in few)
        suite = few[0][1] if len({name for _, name in few}) == 1 else ""
        lines.append(Statement(f"{words[:1].upper()}{words[1:]}.", suite, 1.0))
    return (*lines, *turned)


def mirror_sentence(along: str, by_about: About) -> str:
    """What becomes of one suite's answers along a coordinate when it is mirrored."""
    own = _own(by_about)[along]
    became, stays, other = own["mirrored"], own["stays"], own["other"]
    beside = [] if became["null"] is None else [f"gray picture {_alone(became['null'])}"]
    control = by_about.get((along, OTHER[along], "mirrored"))
    if control is not None and not control["omitted"]:
        beside.append(f"{OTHER[along]}s mirrored {_alone(control['value'])}")
    shown = f" ({', '.join(beside)})" if beside else ""
    asked = counted(became["questions"], "correct answer")
    return (
        f"{QUESTIONS[along]}: with {along}s mirrored, {_share(became)} of {asked} become their mirror image{shown}, "
        f"{_share(stays)} stay and {_share(other)} become another; {WORDS[verdict(became, stays)]}"
    )


def range_sentence(ranges: Mapping[str, float], by_about: About) -> str:
    """Whether the axis with the larger rotary phase range follows its coordinates more; empty where either is missing.

    `ranges` are radians over the grid by axis.
    """
    shown = {along: by_about.get((along, along, "mirrored")) for along in QUESTIONS}
    column, row = shown["column"], shown["row"]
    if not ranges.keys() >= QUESTIONS.keys() or column is None or row is None or column["omitted"] or row["omitted"]:
        return ""
    wide = max(QUESTIONS, key=lambda along: ranges[along])
    near, far = (column, row) if wide == "column" else (row, column)
    radians = f"{ranges['column']:.3g} radians over the columns, {ranges['row']:.3g} over the rows"
    if near["low"] > far["high"]:
        relation = "the axis with the larger range follows its coordinates more"
    elif far["low"] > near["high"]:
        relation = "the axis with the smaller range follows its coordinates more"
    else:
        relation = "by their intervals the two axes do not follow differently"
    return f"Rotary phase range, at most {radians}: {relation}."


def turn_sentence(rows: Sequence[Row]) -> str:
    """What turned keys change in one suite: the answer, and the attention within the image at the layer where it moves
    most; empty where nothing was measured."""
    step = first_step([r for r in rows if r["edit"] == "turn"])
    turn = [r for r in rows if r["edit"] == "turn" and r["steps"] == step and not r["omitted"]]
    parts = []
    for given in ("column", "row"):
        changed = next((r for r in turn if r["given"] == given and r["quantity"] == "changed"), None)
        moved = [r for r in turn if r["given"] == given and r["quantity"] == "map_moved"]
        if changed is None or not moved:
            continue
        most = max(moved, key=lambda r: float(r["value"]))
        parts.append(
            f"along {given}s, {_share(changed)} of the answers change ({_against(changed)} {_alone(changed['null'])} "
            f"with keys turned to no position) and at most {_share(most)} of the attention within the image moves "
            f"(layer {most['layer']}; {_alone(most['null'])} there)"
        )
    return f"with image keys turned by {cells(step)} {'; '.join(parts)}" if parts else ""


def _share(row: Row) -> str:
    """A row's value with its 95 % interval."""
    return whole_percent(row["value"], row["low"], row["high"])


def _alone(value: float) -> str:
    """A share whose interval is in the table, in whole percent."""
    return f"{round(100 * value)}\u00a0%"


def _against(row: Row) -> str:
    """How a value stands to its null by the paired difference's interval."""
    if row["difference_low"] > 0:
        return "more than"
    return "fewer than" if row["difference_high"] < 0 else "not told apart from"
