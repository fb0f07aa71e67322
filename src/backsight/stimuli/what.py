"""Questions of what is in a picture, made of a question of where: naming, presence and colour.

They need no spatial information and are about the same picture, so that what a model knows of things stands beside what
it knows of their positions. Wording is that of the suites; presence is worded as built-in models are trained on. A
thing that is asked for as absent must be absent: drawn scenes and exhaustively annotated photographs say so
themselves, of any other picture the names are taken of the other questions of the set, and that they are absent is
assumed.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

import numpy as np

from backsight.examples import Example
from backsight.stimuli import object_pictures, rows, scattered, things
from backsight.stimuli.questions import PRESENCE
from backsight.stimuli.render import Painter, ScenePicture
from backsight.stimuli.scene import Scene
from backsight.stimuli.tabletop_world import TableScene

Kind = Literal["naming", "presence", "colour"]
Absence = Literal["known", "assumed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
NAMING = "One object in the picture is the"
COLORS_THERE = "One color in the picture is"
COLOR_OF = "The color of the {name} is"
ABSENT = 3  # names, at most, that a naming question offers beside the one that is there
# What `things.COLORS` are called, in their order.
THING_COLORS = ("red", "blue", "green", "yellow", "purple", "teal")


@dataclass(frozen=True)
class Annotated:
    """What is annotated in a photograph, of the categories that are annotated wherever they occur. Kept as the
    `source` of an example."""

    there: tuple[str, ...]
    categories: tuple[str, ...]


@dataclass(frozen=True)
class NamedThings:
    """The names that the questions of a set speak of, sorted, and those of each picture by its id."""

    names: tuple[str, ...] = ()
    by_picture: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def asked_for(self, name: str) -> bool:
        """Whether a name tells pictures apart: not every picture of the set is known to show it."""
        return not all(name in there for there in self.by_picture.values())


def named_things(examples: Iterable[Example]) -> NamedThings:
    """Subjects and references of a set, by picture."""
    by_picture: dict[str, frozenset[str]] = {}
    for example in examples:
        mine = frozenset(name for name in _spoken_of(example) if name)
        by_picture[example.image_id] = by_picture.get(example.image_id, frozenset()) | mine
    return NamedThings(tuple(sorted(frozenset().union(*by_picture.values()))), by_picture)


@dataclass(frozen=True)
class Shown:
    """What a picture shows: names `there` that may be asked for, names that are `absent`, and what says so.

    `wording` is the suite whose presence question fits, `color` the colour of the thing called `there[0]` where it has
    one of its own.
    """

    wording: str
    there: tuple[str, ...]
    absent: tuple[str, ...]
    absence: Absence = "known"
    color: str | None = None


def shown(example: Example, named: NamedThings | None = None) -> Shown | None:
    """What the picture of an example shows; None where no thing is known to be there or none to be absent.

    `named` are the names of the set that the example belongs to, for pictures of which nobody says what they do not
    show.
    """
    seen = _drawn(example) or _annotated(example) or _assumed(example, named)
    return seen if seen is not None and seen.there and seen.absent else None


def what(example: Example, named: NamedThings | None = None) -> dict[Kind, Example]:
    """The questions of what the picture of an example shows, by kind; those that cannot be asked are left out.

    presence: which of two things is there, both named, chance 1/2. naming: one thing that is there, none named, among
    it and up to three absent ones. colour: of rows of coloured figures one colour that is there, as naming; of a thing
    that comes in several colours its colour. Which names are taken follows from the example's id. The answer's own
    read-out is among `options`; tag `absence` says whether the absence is known or assumed. The system sentence is
    the example's own.
    """
    seen = shown(example, named)
    if seen is None:
        return {}
    rng = np.random.default_rng(zlib.crc32(f"what:{example.id}".encode()))
    there = str(rng.choice(np.array(seen.there)))
    absent = [str(name) for name in rng.permutation(np.array(seen.absent))[:ABSENT]]
    one, two = (there, absent[0]) if rng.random() < 0.5 else (absent[0], there)
    asked = {"presence": _asked(example, seen, "presence", _presence(seen, one, two), (one, two), there)}
    colored = seen.wording != "objects"
    options = tuple(str(name) for name in rng.permutation(np.array([there, *absent])))
    kind: Kind = "colour" if colored else "naming"
    asked[kind] = _asked(example, seen, kind, COLORS_THERE if colored else NAMING, options, there)
    if seen.color is not None:
        question = COLOR_OF.format(name=seen.there[0])
        asked["colour"] = _asked(example, seen, "colour", question, THING_COLORS, seen.color)
    return {kind: asked[kind] for kind in KINDS if kind in asked}


def _presence(seen: Shown, one: str, two: str) -> str:
    return PRESENCE[seen.wording].format(one=one, two=two)


def _asked(
    example: Example, seen: Shown, kind: Kind, question: str, options: tuple[str, ...], answer: str
) -> Example:  # fmt: skip
    return replace(
        example, id=f"{example.id}-{kind}", question=question, options=options, answer=answer,
        tags={**example.tags, "absence": seen.absence},
    )  # fmt: skip


def _drawn(example: Example) -> Shown | None:
    """Of drawn scenes, which hold what they hold."""
    source, picture = example.source, example.picture
    if isinstance(source, rows.Row):
        return Shown(source.suite, source.names, _others(source.known, source.names))
    if isinstance(source, TableScene):
        thing = source.thing
        color = THING_COLORS[things.COLORS.index(thing.color)] if thing.color in things.COLORS else None
        return Shown("objects", (thing.name,), _others(things.NAMES, (thing.name,)), color=color)
    if not isinstance(source, Scene):
        return None
    there = tuple(figure.name for figure in source.named)
    known = object_pictures.NAMES
    if isinstance(picture, ScenePicture) and isinstance(picture.assets, Painter):
        known = picture.assets.names
    elif set(there) <= set(scattered.SHAPE_NAMES) and len(there) == len(source.figures):
        known = scattered.SHAPE_NAMES  # a distractor may be any shape of any colour
    return Shown("objects", there, _others(known, there)) if set(there) <= set(known) else None


def _annotated(example: Example) -> Shown | None:
    """Of photographs whose annotations are exhaustive."""
    source = example.source
    if not isinstance(source, Annotated):
        return None
    there = tuple(name for name in dict.fromkeys(_spoken_of(example)) if name in source.there)
    return Shown("objects", there, _others(source.categories, source.there))


def _assumed(example: Example, named: NamedThings | None) -> Shown | None:
    """Of any other picture, whose questions name what is there, and not what is not."""
    if named is None or None in (example.subject, example.reference):
        return None
    here = named.by_picture.get(example.image_id, frozenset()) | set(_spoken_of(example))
    # A name that every picture shows, as the only furniture of a set, is answered without looking.
    there = tuple(name for name in dict.fromkeys(_spoken_of(example)) if named.asked_for(name))
    return Shown("objects", there, _others(named.names, tuple(here)), "assumed")


def _spoken_of(example: Example) -> tuple[str, ...]:
    names = getattr(example.source, "names", None)
    if isinstance(names, tuple) and all(isinstance(name, str) for name in names):
        return names
    return tuple(name for name in (example.subject, example.reference) if name is not None)


def _others(known: Iterable[str], there: Iterable[str]) -> tuple[str, ...]:
    inside = set(there)
    return tuple(name for name in dict.fromkeys(known) if name not in inside)
