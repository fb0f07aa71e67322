"""The words of the section: claim, null and statements of where position is readable, and the fixed ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backsight.maths.grouping import SMALLEST
from backsight.results.drawing.style import counted
from backsight.results.pages.alike import among
from backsight.results.pages.content import Statement
from backsight.results.pages.layers import between, whole
from backsight.results.pages.wording import listed, whole_percent
from backsight.results.probes.lost import Place, Readable, Stage
from backsight.results.probes.readable import RULE

CAPTION = (
    "Share of the object tokens that a linear probe gives their object's position, on pictures that it was not fitted "
    "on: behind each block of the vision encoder, at the embeddings (emb.), and before each layer of the language "
    "model. Bands are 95 % intervals. Gray: a probe of shuffled positions; dashed: chance; dotted: "
    "the share from which on position counts as readable."
)
MAPS_CAPTION = (
    "What the probe at the embeddings gives each token: its colour is the position given in most test pictures, the "
    "paler the fewer they are. Outlined are the objects' tokens, on which only the probe was fitted; 1 is the first "
    "position, at the left or at the top."
)
BACKGROUND_CAPTION = (
    "Share of the background tokens that the same probes give the position of the strip, or field of a grid, that they "
    "lie in. Above both the gray and the dashed line, the background holds the position too."
)
SHIFTED_CAPTION = (
    "The same probes on rows that stand closer together at one end of the picture, so that a token's position in the "
    "row and its strip differ: the share of such object tokens given either."
)
METHOD = (
    "A linear probe is fitted on the object tokens of three quarters of the pictures to give the position of their "
    "object, and scored on the other quarter, for each suite, arrangement, site and layer (Dual Mechanisms, arXiv "
    "2603.22278: sections 3.3 and 5.2.1, appendices B.3 and B.4).",
    "Position counts as readable where at least 95 % of the object tokens are given it, with the interval of the lead "
    "over a probe of shuffled positions (its selectivity) wholly above zero. That probe was fitted with the positions "
    "of each picture exchanged among themselves.",
    "Background tokens are those of no object; they count as correct where the probe gives the position of the strip "
    "or field that they lie in.",
)
FITS = {
    "logistic": (
        "fitted by logistic regression on standardised features, from zero to its optimum or for 50 steps, so that "
        "nothing depends on a random start"
    ),
    "adamw": "fitted as the authors did, by 200 steps of AdamW from a random start",
}
LIMITS = (
    "That position is readable does not say that the model uses it: see Interchange of image tokens.",
    "The rows start at the same position in every picture, so that order and column are one; the shifted rows separate "
    "them.",
    "The best layer is chosen on the pictures that it is reported on, so its number may be too high.",
    "Where a linear probe fails, the position may be there in another form. There is one split and one fit.",
)
STAGES = {"vision": "in the vision encoder", "projector": "behind the projector", "language": "in the language model"}
SITE = {"vision": "vision", "projector": "image_embeds", "language": "resid_pre"}
ROWS = {"horizontal": "horizontal rows", "vertical": "vertical rows", "grid": ""}


def claim(records: Sequence[Readable], title: Callable[[str], str]) -> str:
    """In how many suites and arrangements position is readable, part by part, and the lowest of their shares."""
    known = [one for one in records if stages(one)]
    if not known:
        names = among([title(suite) for suite in dict.fromkeys(one.suite for one in records)], len(records))
        return f"Not shown: fewer than {SMALLEST} test pictures in {names}."
    parts: list[str] = []
    for name, words in STAGES.items():
        of = [stages(one)[name] for one in known if name in stages(one)]
        if of:
            noun = "" if parts else " arrangements"
            parts.append(f"{sum(bool(stage.readable) for stage in of)} of {len(of)}{noun} {words}")
    name, least = min(
        ((name, one) for one in known for name in stages(one)),
        key=lambda pair: stages(pair[1])[pair[0]].share - pair[1].chance,
    )
    return (
        f"Position is readable by a linear probe ({RULE} of object tokens) in {listed(parts)}; "
        f"lowest is {_named(least, title)} {STAGES[name]}, "
        f"{_share(stages(least)[name])} of object tokens (chance {whole(least.chance)})."
    )


def null(records: Sequence[Readable], shuffled: Sequence[float]) -> str:
    """What probes of shuffled positions give over all sites and layers, and what a guess gives."""
    chance = f"chance is {between([one.chance for one in records])}" if records else ""
    if not shuffled:
        return f"{chance[:1].upper()}{chance[1:]}." if chance else ""
    return f"A probe of shuffled positions gives {between(shuffled)} of object tokens theirs; {chance}."


def statements(records: Sequence[Readable], title: Callable[[str], str]) -> tuple[Statement, ...]:
    """From where on position is readable, a sentence for all suites and arrangements of which the same holds."""
    bodies: dict[tuple[str, float], list[Readable]] = {}
    gone = [one for one in records if not stages(one)]
    for one in records:
        if stages(one):
            bodies.setdefault((readable_words(one), one.chance), []).append(one)
    written = []
    for (body, _), of in bodies.items():
        names = arrangements([(one.suite, one.arrangement) for one in of], title)
        suite = of[0].suite if len({one.suite for one in of}) == 1 else ""
        written.append(Statement(f"{names}: {body}{_below(of)}.", suite, max(short(one) for one in of)))
    if gone:
        names = listed(f"{_named(one, title)} ({counted(one.pictures, 'test picture')})" for one in gone)
        written.append(Statement(f"Omitted under {SMALLEST} test pictures: {names}."))
    return tuple(written)


def readable_words(one: Readable) -> str:
    """From which site and layer on position is readable, or that it is nowhere, of what was measured."""
    if one.first is None:
        return "position is readable at no site"
    places = _places(one)
    later = places[places.index(one.first) :]
    gap = next((place for place in later if place not in _able(one)), None)
    start = f"position is readable from {place_words(one.first)}"
    return f"{start} on" if gap is None else f"{start}, but not at {place_words(gap)}"


def short(one: Readable) -> float:
    """The share of the measured parts in which position is not readable: 1 where it is in none."""
    of = stages(one).values()
    return sum(not stage.readable for stage in of) / len(of) if of else 0.0


def stages(one: Readable) -> dict[str, Stage]:
    """The parts of the model that were measured, by their names, in the order of the computation."""
    of = {"vision": one.vision, "projector": one.projector, "language": one.language}
    return {name: stage for name, stage in of.items() if stage is not None}


def arrangements(keys: Sequence[tuple[str, str]], title: Callable[[str], str]) -> str:
    """Suites with their arrangements: "Squares and Shapes (vertical rows)"; rows are named where not both are meant."""
    by_suite: dict[str, list[str]] = {}
    for suite, arrangement in keys:
        by_suite.setdefault(suite, []).append(ROWS.get(arrangement, arrangement))
    names = []
    for suite, rows in by_suite.items():
        named = rows[0] if len(rows) == 1 and rows[0] else ""
        names.append(f"{title(suite)} ({named})" if named else title(suite))
    return listed(names) if names else ""


def no_maps(names: str) -> str:
    """That maps are not drawn where the probe is not shown to be above chance; empty where all are."""
    return f"No map of {names}: the probe at the embeddings is not shown to be above chance there." if names else ""


def place_words(place: Place) -> str:
    """A site and layer as it is spoken of."""
    site, layer = place
    words = {"vision": f"vision block {layer}", "image_embeds": "the embeddings"}
    return words.get(site, f"layer {layer} of the language model")


def _below(of: Sequence[Readable]) -> str:
    """The largest share in the parts where position is not readable in any of some arrangements."""
    parts = []
    for name, words in STAGES.items():
        there = [stages(one)[name] for one in of if name in stages(one)]
        if there and not any(stage.readable for stage in there):
            parts.append(f"{_share(max(there, key=lambda stage: stage.share))} {words}")
    least, most = min(one.pictures for one in of), max(one.pictures for one in of)
    tested = counted(most, "test picture") if least == most else f"{least} to {most} test pictures"
    at_most = f"; the share of object tokens given theirs is at most {listed(parts)}" if parts else ""
    return f"{at_most} (chance {whole(of[0].chance)}; {tested})"


def _named(one: Readable, title: Callable[[str], str]) -> str:
    return arrangements([(one.suite, one.arrangement)], title)


def _places(one: Readable) -> list[Place]:
    """The measured sites and layers in the order of the computation."""
    return [(SITE[name], layer) for name, stage in stages(one).items() for layer in stage.layers]


def _able(one: Readable) -> set[Place]:
    """Those at which position is readable."""
    return {(SITE[name], layer) for name, stage in stages(one).items() for layer in stage.readable}


def _share(stage: Stage) -> str:
    return whole_percent(stage.share, stage.low, stage.high)
