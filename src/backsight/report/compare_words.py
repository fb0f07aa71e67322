"""What the page of a comparison says: its claim, its null, a sentence a set, and how the comparison was done."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from backsight.maths.comparison import DRAWS, EXACT, LEVEL, ROUNDING
from backsight.maths.grouping import SMALLEST
from backsight.maths.intervals import RESAMPLES
from backsight.results.compared import change_words, keys_words, metric_words, reach
from backsight.results.drawing.style import counted, suite_title
from backsight.results.pages.content import Statement
from backsight.results.pages.wording import listed
from backsight.studies.compare_answer import FAMILY_WORDS, FIRST, Judged

Row = dict[str, Any]
METHOD = (
    "A sample is shared where both studies have it with the same id, the same picture and the same question or answer. "
    f"Where at least {SMALLEST} samples of at least two images are shared, the difference is the mean over them of the "
    "study's value less the baseline's. Where fewer are, the two means stand beside each other, each with its own "
    f"interval, and nothing is tested. Metrics of fewer than {SMALLEST} samples are omitted.",
    f"Brackets hold 95 % intervals: percentile bootstrap over images ({RESAMPLES:,} draws), as an image is asked "
    f"several times. p is that of Fisher's paired randomisation test, two-sided, with images as its units: every "
    f"pattern of signs up to {EXACT} images that differ, {DRAWS:,} random ones beyond. A metric is called better or "
    "worse, and --fail-if-worse fails, where the interval lies wholly on that side of zero and p is below .05. "
    f"Differences of a sample below {ROUNDING:g} count as none.",
    "Judged are the metrics that --fail-if-worse asks for; where it asks for none, the few of whole sets that the "
    "figures show. Holm's correction is over the judged metrics of one study, and no other metric has such a p.",
    "Interchanges and probes are those of the layer with the highest mean over the samples compared, each study's own: "
    "the probability of the ordinal answer at the last token, of the flipped answer for image tokens, and the share of "
    "object tokens whose position is read correctly. Of pairs, those count that both runs of a model answer correctly.",
    "Corrected is the share of failures that a repair corrects, broken that of correct answers that it breaks: paired "
    "are the questions that both models fail without it, or that both answer correctly.",
)
LIMITS = (
    "Intervals are not corrected for their number; Holm's p-values of the judged metrics are.",
    "Where few images differ the bootstrap's interval is too narrow: four images lost and none won put it below zero, "
    "while p is 0.125.",
    "Metrics overlap: a set and its directions, or two read-outs, are of the same answers.",
    "Of interchanges and probes more is called better, whether or not it is the model's answer at that layer; a model "
    "may answer as well with less.",
    "The pairs that both models answer correctly are no random ones.",
    "The interval says how the difference would vary over other pictures of the same kind, not over another run of the "
    "training.",
)


def claim(answer: Judged) -> str:
    """How many of the judged metrics are worse and better, and the one that is furthest off, the worse first."""
    which = FAMILY_WORDS[answer.family]
    if not answer.paired:
        return f"Not shown: no metric {which} could be compared paired."
    worse, better = answer.moved("worse"), answer.moved("better")
    of = f"of {counted(len(answer.paired), 'metric')} {which}"
    if worse:
        start = f"{len(worse)} {of} {'is' if len(worse) == 1 else 'are'} worse, {len(better) or 'none'} better"
        return f"{start}; the worst is {metric_words(worse[0])}, {change_words(worse[0])}."
    if better:
        start = f"None {of} is shown to be worse, {len(better)} {'is' if len(better) == 1 else 'are'} better"
        return f"{start}; the best is {metric_words(better[0])}, {change_words(better[0])}."
    return f"No difference is shown in any {of}."


def null(answer: Judged) -> str:
    """What chance would call worse or better, and what is left after correction; empty where nothing was compared."""
    if not answer.paired:
        return ""
    count = len(answer.paired)
    chance = LEVEL / 2 * count
    return (
        f"Were the two studies alike, chance would call at most {chance:.1f} of {counted(count, 'metric')} worse and "
        f"as many better. After Holm's correction over all {count}, {answer.sure} "
        f"{'has' if answer.sure == 1 else 'have'} p below .05."
    )


def statements(answer: Judged, rows: Sequence[Row]) -> tuple[Statement, ...]:
    """A sentence a set, those with the largest share of worse metrics first; one for all sets where nothing moved."""
    by_set: dict[str, list[Row]] = {}
    for row in answer.paired:
        by_set.setdefault(row["set"], []).append(row)
    moved = {name: of for name, of in by_set.items() if any(row["moved"] != "no" for row in of)}
    shown = [_of_set(name, of) for name, of in moved.items()]
    shown.sort(key=lambda one: -one.short)
    still = [suite_title(name) for name in by_set if name not in moved]
    if still:
        shown.append(Statement(f"No judged metric is shown to differ in {listed(still)}."))
    shown.append(Statement(answer.left_out()))
    paired = [row for row in rows if row["how"] == "paired"]
    off = sum(row["moved"] != "no" for row in paired)
    if paired:
        shown.append(Statement(f"Of all {counted(len(paired), 'paired metric')} {off} moved: the tables name them."))
    return tuple(shown)


def _of_set(name: str, rows: Sequence[Row]) -> Statement:
    words = []
    for way in ("worse", "better"):
        of = sorted((row for row in rows if row["moved"] == way), key=lambda row: -reach(row))
        if of:
            more = f"; and {len(of) - FIRST} more" if of[FIRST:] else ""
            named = "; ".join(_within_set(row) for row in of[:FIRST])
            words.append(f"{len(of)} {way}: {named}{more}")
    worse = sum(row["moved"] == "worse" for row in rows)
    text_ = f"{suite_title(name)}, {counted(len(rows), 'metric')}. {'. '.join(w[0].upper() + w[1:] for w in words)}."
    return Statement(text_, name, worse / len(rows))


def _within_set(row: Row) -> str:
    """A metric where its set is named before: the family, what of its keys tells it apart, and by how much it moved."""
    title, keys = suite_title(row["set"]), keys_words(row)
    return f"{row['title'] or row['family']}{keys.removeprefix(title)} {change_words(row)}"
