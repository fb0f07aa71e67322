"""Attention within the image: figure, tables and sentences, from `looking_summary`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from backsight.maths.comparison import DRAWS
from backsight.maths.grouping import spans
from backsight.results import by_head
from backsight.results.drawing.style import counted
from backsight.results.looking import grids
from backsight.results.looking.figure import NAMES, draw, suite_words
from backsight.results.looking.tables import SUMMARY
from backsight.results.pages import common
from backsight.results.pages.content import Section, Statement
from backsight.results.pages.layers import layer_words
from backsight.results.pages.study import Study
from backsight.results.pages.wording import decimal, in_list, listed, omitted, with_interval

Row = dict[str, Any]
NULL_WORDS = {"gray": "gray picture", "mirrored": "mirrored box", "random": "random boxes"}
CAPTION = (
    "How well the attention of the answer position separates tokens inside of a box from those outside (AUROC), by "
    "layer and head; the column apart is the mean over a layer's heads. White is chance. A dot: above the same box on "
    "a gray picture, the mirrored box (where there is one) and random boxes."
)
METHOD = (
    "AUROC: the probability that an image token inside of a box gets more attention than one outside, a token at the "
    "edge counted by the share of its cell that lies inside; differences under a hundredth of the mean are ties. In "
    "rows of three the subject is the object that is the answer and the reference the one in the middle.",
    "Attention finds a box where its AUROC is above the highest of three nulls: the same box and question on a gray "
    "picture, the box mirrored along the axis of the question, and boxes of the same size anywhere. The difference is "
    "paired, with a randomisation test over pictures corrected over the layers, or the heads, of a suite (Holm), p "
    f"below {by_head.LEVEL}. A box in the middle has no mirrored one: it is held against the other two.",
    "A sink is a token that gets more than five times the uniform share both in the picture and in a gray one.",
)
LIMITS = (
    "Attention that finds a box is no evidence that the answer uses it: see the ablation of heads.",
    f"The test knows no p-value below 1 / {DRAWS + 1:,}: of some thousand heads none can pass it after correction; the "
    "mean over a layer's heads can.",
    "Incorrect answers have many causes; that attention found the box in them speaks for none.",
)


def section(study: Study) -> Section | None:
    """The section; None without the summary."""
    rows = study.rows(SUMMARY.name)
    if not rows:
        return None
    figure = common.figure(study, "looking", draw, study.tables[SUMMARY.name], CAPTION)
    layers = [row for row in rows if row["head"] is None]
    whole = [row for row in layers if row["answered"] == "all"]
    named = {_target(group[0], study.titles): group for group in _by_target(whole)}
    return Section(
        anchor="looking", question="why", title="Attention within the image", claim=claim(named),
        null=null(named), figures=(figure,),
        statements=tuple(Statement(sentence(name, g, layers), g[0]["suite"], short(g)) for name, g in named.items()),
        tables=grids.of_study(study, layers, _by_target([row for row in rows if row["head"] is not None])),
        method=METHOD, limits=LIMITS, samples=common.samples(study, "looking", {row["suite"] for row in rows}),
    )  # fmt: skip


def _target(row: Row, titles: Mapping[str, str] | None) -> str:
    """A target as it is spoken of: "the subject on Squares"."""
    queries = " (the question's tokens)" if row["queries"] == "question" else ""
    return f"the {NAMES[row['target']]} on {in_list(suite_words(row, titles))}{queries}"


def _key(row: Row) -> tuple[str, ...]:
    return row["suite"], row["prompt"], row["queries"], row["target"]


def _by_target(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows of one suite, prompt and target each; both boxes together only where neither is named."""
    of: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        of.setdefault(_key(row), []).append(row)
    named = {key[:3] for key in of if key[3] == "subject"}
    return [group for key, group in of.items() if key[3] != "boxes" or key[:3] not in named]


def best(group: Sequence[Row]) -> Row | None:
    """The layer of a target that is furthest above its nulls, those at which attention finds it before others."""
    scored = [row for row in group if row["over"] is not None]
    return max(scored, key=lambda row: (bool(row["finds"]), float(row["over"]))) if scored else None


def claim(named: Mapping[str, Sequence[Row]]) -> str:
    """Which targets attention does not find at any layer, then which it finds, each with the one that is hardest."""
    known = {name: group for name, group in named.items() if not group[0]["omitted"]}
    if not known:
        return f"Not shown: too few questions for {listed(named)}."
    finding = {name: group for name, group in known.items() if any(row["finds"] for row in group)}
    lost = {name: group for name, group in known.items() if name not in finding}
    parts = []
    if lost:
        parts.append(f"at no layer is attention shown to find {_names(list(lost), len(known))}{_hardest(lost, 'best')}")
    if finding:
        counts = [sum(bool(row["finds"]) for row in group) for group in finding.values()]
        at = " to ".join(dict.fromkeys((str(min(counts)), str(max(counts)))))
        layers = counted(max(len(group) for group in finding.values()), "layer")
        each = "each at" if len(finding) > 1 else "at"
        least = "" if lost else _hardest(finding, "least")
        names = _names(list(finding), len(known))
        parts.append(f"attention finds {names} above {_every(finding)}, {each} {at} of {layers}{least}")
    sentence = "; ".join(parts)
    return f"{sentence[:1].upper()}{sentence[1:]}."


def _every(finding: Mapping[str, Sequence[Row]]) -> str:
    """The nulls that all layers with a target are above; which of them was not measured, for all targets or some."""
    shown = [row for group in finding.values() for row in group if row["finds"]]
    lacking = {words: [row[name] is None for row in shown] for name, words in NULL_WORDS.items()}
    parts = [f"{'' if all(gone) else 'for some '}no {words}" for words, gone in lacking.items() if any(gone)]
    return f"every null that was measured ({listed(parts)})" if parts else "every null"


def _names(names: Sequence[str], of: int) -> str:
    """Targets, those of one suite together: "the subject and the reference on Squares"; counted where they are many."""
    on: dict[str, list[str]] = {}
    for name in names:
        target, _, suite = name.partition(" on ")
        on.setdefault(suite, []).append(target)
    if len(names) == of and of > 2:
        return f"all {of} targets"
    spoken = [f"{listed(targets)} on {suite}" if suite else listed(targets) for suite, targets in on.items()]
    return listed(spoken) if len(on) <= 2 else f"{len(names)} of {of} targets"


def _hardest(of: Mapping[str, Sequence[Row]], word: str) -> str:
    """The target whose best layer is least above its nulls, with its numbers; empty where no layer has any."""
    one = hardest(of)
    if one is None:
        return ", as no layer attends to the image"
    name, row = one
    return f"; {word} {name}: {_numbers(row)}" if len(of) > 1 else f": {_numbers(row)}"


def hardest(of: Mapping[str, Sequence[Row]]) -> tuple[str, Row] | None:
    """The target whose best layer is least above its nulls, with that layer's row; None where no layer has nulls."""
    scored = {name: row for name, group in of.items() if (row := best(group)) is not None}
    return min(scored.items(), key=lambda one: float(one[1]["over"])) if scored else None


def _numbers(row: Row) -> str:
    """AUROC at a layer beside the hardest null."""
    auroc = with_interval(row["auroc"], row["low"], row["high"])
    hardest = f"{NULL_WORDS[row['hardest']]} {decimal(row[row['hardest']])}"
    return f"AUROC {auroc} at layer {row['layer']} ({hardest})"


def null(named: Mapping[str, Sequence[Row]]) -> str:
    """What each null gives at the layer whose AUROC the claim gives; empty where the claim gives none."""
    known = {name: group for name, group in named.items() if not group[0]["omitted"]}
    lost = {name: group for name, group in known.items() if not any(row["finds"] for row in group)}
    one = hardest(lost or known)
    if one is None:
        return ""
    name, row = one
    there = listed(f"{words} {decimal(row[of])}" for of, words in NULL_WORDS.items() if row[of] is not None)
    lacking = [words for of, words in NULL_WORDS.items() if row[of] is None]
    without = f"; the {listed(lacking)} could not be measured" if lacking else ""
    return f"AUROC of the nulls for {name} at layer {row['layer']}: {there}{without}; chance is 0.5."


def short(group: Sequence[Row]) -> float:
    """1 where attention finds a target at no layer, down to 0 for an AUROC that is .5 above its nulls."""
    if group[0]["omitted"]:
        return 0.0
    row = best(group)
    return 1.0 if row is None or not row["finds"] else max(0.0, 1.0 - 2 * float(row["over"]))


def sentence(name: str, group: Sequence[Row], rows: Sequence[Row] = ()) -> str:
    """Where attention finds one target, at its best layer, beside the hardest null; by correctness of the answers."""
    start = f"{name[:1].upper()}{name[1:]}"
    if group[0]["omitted"]:
        return f"{start}: {omitted(group[0]['questions'], 'question')}."
    row = best(group)
    if row is None:
        return f"{start}: no layer attends to the image."
    at = [one["layer"] for one in group if one["finds"]]
    last = max(one["layer"] for one in group)
    where = f"finds it at {layer_words(spans(at), last)}" if at else "finds it at no layer"
    apart = ""
    sides = {one["answered"]: one for one in rows if _key(one) == _key(row) and one["layer"] == row["layer"]}
    correct, incorrect = sides.get("right"), sides.get("wrong")
    if correct and incorrect and correct["auroc"] is not None and incorrect["auroc"] is not None:
        apart = (
            f"; there {decimal(correct['auroc'])} in correct answers (n={correct['questions']}), "
            f"{decimal(incorrect['auroc'])} in incorrect ones (n={incorrect['questions']})"
        )
    word = "best" if at else "nearest"
    return f"{start}: attention {where}; {word} {_numbers(row)} ({counted(row['questions'], 'question')}){apart}."
