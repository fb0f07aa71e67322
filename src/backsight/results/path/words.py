"""The path in words: what stands in the diagram, and what stands for it where it is not seen."""

from __future__ import annotations

from backsight.maths.grouping import SMALLEST, spans
from backsight.results.drawing.style import counted
from backsight.results.pages.wording import percent
from backsight.results.path.facts import PathFacts
from backsight.results.path.lanes import EMBEDS, LAYER, VISION, Kind, Lane, Place
from backsight.results.path.verdict import PATHWAYS
from backsight.results.probes.readable import READABLE

SHARE = f"\u2265 {100 * READABLE:.0f}\u00a0%"
LABELS: dict[Kind, tuple[str, str]] = {  # wide, and short for a phone
    "readable": (f"Position readable ({SHARE} of tokens)", f"Readable ({SHARE})"),
    "flips": ("Swapped object tokens flip the answer", "Swaps flip the answer"),
    "ordinal": ("Last token carries the position", "Position at last token"),
}
SPANS = 4  # of layers, from which on they are counted and not listed
SCALE = "accuracy above chance left, 0\u00a0%: chance"
CAPTION = (
    "The path of position through the model. First row: what is left of the accuracy above chance with one position "
    "pathway only; 0 % (dashed) is chance, 100 % is nothing lost, lines are 95 % intervals. Other rows, by layer: the "
    "share of object tokens that a linear probe gives their position, and the shares of pairs in which swapped object "
    "tokens flip the answer, or the last token's state carries the position. Dark bars count by each method's rule, "
    "pale bars do not; dashed is chance. A suite counts as the same where, at the earlier of both first "
    f"readable layers, its interval reaches {100 * READABLE:.0f} %. Layer l is the input of decoder block l."
)


def agreement(same: int, suites: int) -> str:
    """In how many suites it is the same, as "same in 3 of 3 suites"; empty for one suite."""
    return f"same in {same} of {suites} suites" if suites > 1 else ""


def where(lane: Lane, *, short: bool = False) -> str:
    """Where it holds, in few words; `short` for one line of a phone, along both axes together."""
    if lane.state == "omitted":
        noun = "picture" if lane.kind == "readable" else "pair"
        return f"omitted: {counted(lane.number, noun)}, {SMALLEST} needed"
    if lane.state == "no table":
        return "its table is missing"
    if lane.state == "not measured":
        return "not measured"
    words = {name: _held(places, lane) for name, places in lane.parts}
    if len(set(words.values())) == 1:
        return next(iter(words.values()))
    if short:
        holding = [name for name, places in lane.parts if places]
        apart = f"{holding[0]} only" if len(holding) == 1 else "differs by axis"
        return f"{_held(lane.places, lane)} along both axes" if lane.places else apart
    return ", ".join(f"{name} {one}" for name, one in words.items())


def _held(places: tuple[Place, ...], lane: Lane) -> str:
    if not places:
        return "nowhere" if lane.kind == "readable" else "at no layer"
    first = place_words(places[0])
    if lane.kind == "readable":
        order = [bar.place for bar in lane.bars]
        after = order[order.index(places[0]) :]
        return f"from {first} on" if set(after) <= set(places) else f"from {first} on, with gaps"
    layers = spans([place.layer for place in places])
    if layers.count(",") >= SPANS:
        return f"at {len(places)} layers from {places[0].layer} to {places[-1].layer}"
    return f"at {'layers' if '-' in layers or ',' in layers else 'layer'} {layers}"


def place_words(place: Place) -> str:
    """A place in few words."""
    names = {VISION: f"vision block {place.layer}", EMBEDS: "the embeddings", LAYER: f"layer {place.layer}"}
    return names[place.site]


def describe(facts: PathFacts) -> str:
    """All that the diagram shows, in two sentences: for those who do not see it."""
    pathways = "; ".join(_pathway(name, facts) for name in PATHWAYS)
    same = agreement(*facts.same)
    about = ", ".join(filter(None, (facts.model, facts.title and f"{facts.title}{f' ({same})' if same else ''}")))
    first = f"{about}: {_lowered(facts.verdict.headline)} ({pathways})."
    lanes = "; ".join(f"{_lowered(LABELS[one.kind][0])} {_told(one, facts)}" for one in facts.lanes)
    return f"{first} By layer: {lanes}."


def _pathway(name: str, facts: PathFacts) -> str:
    one = facts.verdict.pathways[name]
    share = f", {one.share} of the accuracy above chance is left" if one.share else ""
    same = agreement(*facts.agreeing.get(name, (0, 0)))
    return f"{PATHWAYS[name]}: {one.outcome}{share}{f', {same}' if same else ''}"


def _told(one: Lane, facts: PathFacts) -> str:
    """Where it holds, beside what null, and in how many suites."""
    more = [one.title] if one.suite and one.suite != facts.suite else []
    if one.state == "measured":
        noun = "test picture" if one.kind == "readable" else "pair"
        more.append(counted(one.number, noun))
        top = max(one.bars, key=lambda bar: bar.share)
        ends = f"[{100 * top.low:.0f}, {100 * top.high:.0f}]"
        chance = f", chance {percent(one.null)}" if one.null is not None else ""
        more.append(f"at most {percent(top.share)} {ends} at {place_words(top.place)}{chance}")
        more.append(agreement(one.same, one.suites))
    rest = ", ".join(filter(None, more))
    return f"{where(one)}{f' ({rest})' if rest else ''}"


def _lowered(words: str) -> str:
    return words[:1].lower() + words[1:]
