"""Example, Pair and ExampleSet: what a model is asked.

An `Example` is one question about one picture, with its options and its answer. Pictures are lazy: an example
set of thousands holds recipes or paths, and a picture is opened when it is needed. A `Pair` carries a clean and
a counterfactual example together, with what the one changes against the other, so that nobody zips two lists.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, TypeVar, overload

import numpy as np
from PIL import Image

from backsight.errors import DataError, UsageError
from backsight.grid import Box
from backsight.pictures import FilePicture, MemoryPicture, Picture, PlainPicture, as_picture

__all__ = [
    "Example",
    "ExampleSet",
    "FilePicture",
    "MemoryPicture",
    "Pair",
    "PairSet",
    "Picture",
    "PlainPicture",
    "as_picture",
    "as_samples",
]

Scoring = Literal["token", "sequence", "auto"]


@dataclass(frozen=True)
class Example:
    """One question about one picture.

    `answer` is one of `options`. `direction` is the relation that the question is about (left, right, above,
    below) where there is one. `subject` and `reference` name what the question is about; `boxes` gives boxes in
    pixels of the picture by name. `system` is the system sentence of the prompt. `tags` are further columns
    for the tables (prompt, ground). A path or a PIL image will do as `picture`.
    """

    id: str
    picture: Picture
    question: str
    options: tuple[str, ...]
    answer: str
    suite: str = "custom"
    direction: str | None = None
    subject: str | None = None
    reference: str | None = None
    boxes: Mapping[str, Box] = field(default_factory=dict)
    system: str | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    source: Any = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "picture", as_picture(self.picture))
        object.__setattr__(self, "options", _texts(self.options, self.id))
        if self.options and self.answer not in self.options:
            raise DataError(
                "The answer is not among the options",
                where=f"example {self.id}",
                got=f"{self.answer!r} of {self.options}",
            )

    @property
    def image_id(self) -> str:
        return self.picture.id

    @property
    def image(self) -> Image.Image:
        """The picture, opened."""
        return self.picture.open()

    def blank(self) -> Example:
        """The same question about a uniform gray picture of the same size."""
        return replace(self, picture=PlainPicture(self.picture.size))

    def _repr_html_(self) -> str:
        inside = _image_tag(self.picture, 160) + _caption(self)
        return f"<figure style='display:inline-block;margin:4px;max-width:16em'>{inside}</figure>"


@dataclass(frozen=True)
class Pair:
    """A clean and a counterfactual example.

    `outcomes` names the answers that an intervention may give (clean, ordinal, counterfactual). `changes` is what
    the counterfactual declares to change against the clean example, as dotted names; all else is equal.
    """

    id: str
    clean: Example
    counterfactual: Example
    outcomes: Mapping[str, str]
    changes: frozenset[str] = frozenset()

    def _repr_html_(self) -> str:
        outcomes = ", ".join(f"{_escape(k)}: <b>{_escape(v)}</b>" for k, v in self.outcomes.items())
        return f"<div>{self.clean._repr_html_()}{self.counterfactual._repr_html_()}<p>{outcomes}</p></div>"


@dataclass(frozen=True, repr=False)
class PairSet(Sequence[Pair]):
    """Pairs under a name; `kind` says what they are made for (last_token). DataError where two have one id."""

    name: str
    items: tuple[Pair, ...]
    kind: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", _distinct(self.items, Pair, f"pair set {self.name!r}"))

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        about = _by_direction(pair.clean.direction for pair in self.items)
        return f"PairSet({self.name!r}, {_counted(len(self), 'pair')}{about}, kind={self.kind!r})"

    @overload
    def __getitem__(self, index: int) -> Pair: ...
    @overload
    def __getitem__(self, index: slice) -> PairSet: ...
    def __getitem__(self, index: int | slice) -> Pair | PairSet:
        return replace(self, items=self.items[index]) if isinstance(index, slice) else self.items[index]

    def limit(self, count: int | None) -> PairSet:
        """At most `count` pairs, evenly over the directions of the clean questions, the first of each."""
        if count is None or count >= len(self.items):
            return self
        return replace(
            self, items=tuple(self.items[i] for i in _evenly([p.clean.direction for p in self.items], count))
        )

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every question, answer and picture, and of the outcomes."""
        parts = [(_content(p.clean), _content(p.counterfactual), sorted(p.outcomes.items())) for p in self.items]
        return _digest([self.name, self.kind, parts])

    def _repr_html_(self) -> str:
        return f"<p>{_escape(self.name)}: {len(self)} pairs</p>" + "".join(p._repr_html_() for p in self.items[:2])


_Item = TypeVar("_Item", Example, Pair)
PairMaker = Callable[["ExampleSet"], PairSet]


@dataclass(frozen=True, repr=False)
class ExampleSet(Sequence[Example]):
    """Examples under a name. DataError where two have one id: rows of tables are sorted by it.

    `scoring` says how options are scored: `token` demands single tokens that differ, `sequence` scores the whole
    text, `auto` takes tokens where it can. `pair_makers` holds, by kind, how counterfactual pairs are made. `only`
    names the measurements that a study makes on the set; empty means all that apply. `own` holds for a user's own
    questions, which a report shows one by one.
    """

    name: str
    items: tuple[Example, ...]
    scoring: Scoring = "token"
    pair_makers: Mapping[str, PairMaker] = field(default_factory=dict, compare=False, repr=False)
    note: str = ""
    only: tuple[str, ...] = ()
    own: bool = field(default=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "items", _distinct(self.items, Example, f"example set {self.name!r}"))

    def __len__(self) -> int:
        return len(self.items)

    def __repr__(self) -> str:
        about = _by_direction(example.direction for example in self.items)
        return f"{type(self).__name__}({self.name!r}, {_counted(len(self), 'question')}{about})"

    @overload
    def __getitem__(self, index: int) -> Example: ...
    @overload
    def __getitem__(self, index: slice) -> ExampleSet: ...
    def __getitem__(self, index: int | slice) -> Example | ExampleSet:
        return replace(self, items=self.items[index]) if isinstance(index, slice) else self.items[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self.items)

    def where(self, keep: Callable[[Example], bool]) -> ExampleSet:
        """The examples that `keep` accepts."""
        return replace(self, items=tuple(e for e in self.items if keep(e)))

    def split(
        self, share: float, *, by: Literal["image", "example"] = "image", seed: int = 0
    ) -> tuple[ExampleSet, ExampleSet]:
        """Two parts, the first with `share` of the images (or examples); all questions of an image stay together."""
        if not 0 < share < 1:
            raise UsageError("A split needs a share between 0 and 1", got=share)
        if by not in ("image", "example"):
            raise UsageError("A set cannot be split by this", got=by, do="choose from: image, example")
        key: Callable[[Example], str] = (lambda e: e.image_id) if by == "image" else (lambda e: e.id)
        names = list(dict.fromkeys(key(e) for e in self.items))
        order = np.random.default_rng(seed).permutation(len(names))
        first = {names[i] for i in order[: round(share * len(names))]}
        return self.where(lambda e: key(e) in first), self.where(lambda e: key(e) not in first)

    def limit(self, count: int | None, seed: int = 0) -> ExampleSet:
        """At most `count` examples, drawn evenly over the directions and always the same for a seed."""
        if count is None or count >= len(self.items):
            return self
        order = np.random.default_rng(seed).permutation(len(self.items))
        groups = [(self.items[i].direction, sorted(self.items[i].tags.items())) for i in order]
        chosen = sorted(int(order[i]) for i in _evenly([str(group) for group in groups], count))
        return replace(self, items=tuple(self.items[i] for i in chosen))

    def pairs(self, kind: str) -> PairSet:
        """Counterfactual pairs of a kind (`last_token`), whose clean examples are in this set."""
        if kind not in self.pair_makers:
            raise UsageError(
                f"The set {self.name!r} has no pairs of kind {kind!r}",
                got=sorted(self.pair_makers) or "no kinds at all",
            )
        return self.pair_makers[kind](self)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every question, answer and picture."""
        return _digest([self.name, self.scoring, [_content(e) for e in self.items]])

    def _repr_html_(self) -> str:
        shown = "".join(e._repr_html_() for e in self.items[:4])
        pictures = len({e.image_id for e in self.items})
        return f"<p>{_escape(self.name)}: {len(self)} questions about {pictures} pictures</p>{shown}"


def as_samples(samples: ExampleSet | PairSet | Sequence[Example] | Sequence[Pair]) -> ExampleSet | PairSet:
    """The set itself, or a set `given` of a list of examples or of pairs; UsageError for anything else."""
    if isinstance(samples, (ExampleSet, PairSet)):
        return samples
    items = list(samples) if isinstance(samples, Sequence) and not isinstance(samples, str) else [samples]
    if items and all(isinstance(item, Example) for item in items):
        return ExampleSet("given", tuple(items), scoring="auto")  # type: ignore[arg-type]
    if items and all(isinstance(item, Pair) for item in items):
        return PairSet("given", tuple(items), "given")  # type: ignore[arg-type]
    do = "give an ExampleSet, a PairSet, or a list of Example or Pair"
    raise UsageError("These are no samples that can be measured", got=_kinds(items), do=do)


def _distinct(items: Sequence[_Item], kind: type[_Item], where: str) -> tuple[_Item, ...]:
    """The items as a tuple, each of a kind and with an id of its own."""
    wrong = [item for item in items if not isinstance(item, kind)]
    if wrong:
        raise UsageError(f"A set holds an item that is no {kind.__name__}", where=where, got=_kinds(wrong))
    first: dict[str, int] = {}
    for number, item in enumerate(items):
        if item.id in first:
            got = f"{item.id!r}, the items {first[item.id]} and {number}"
            raise DataError("An id occurs twice", where=where, got=got, do="give each its own id")
        first[item.id] = number
    return tuple(items)


def _texts(options: Sequence[str], name: str) -> tuple[str, ...]:
    if isinstance(options, str):
        do = 'give a tuple of texts, as ("left", "right")'
        raise UsageError("The options are one text", where=f"example {name}", got=repr(options), do=do)
    return tuple(options)


def _kinds(items: Sequence[object]) -> str:
    return ", ".join(sorted({type(item).__name__ for item in items})) or "none"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _by_direction(directions: Iterable[str | None]) -> str:
    """How many there are of each direction, in the order of their first; empty where none has one."""
    counts = Counter(directions)
    named = ", ".join(f"{number} {direction or 'without a direction'}" for direction, number in counts.items())
    return f": {named}" if set(counts) - {None} else ""


def _evenly(groups: Sequence[object], count: int) -> list[int]:
    """Indices of `count` items, one of each group in turn, in order."""
    queues: dict[object, list[int]] = {}
    for index, group in enumerate(groups):
        queues.setdefault(group, []).append(index)
    rounds = sorted((turn, index) for queue in queues.values() for turn, index in enumerate(queue))
    return sorted(index for _, index in rounds[:count])


def _content(example: Example) -> list[Any]:
    boxes = sorted((name, list(box)) for name, box in example.boxes.items())
    return [
        example.id,
        example.image_id,
        example.question,
        example.system,
        list(example.options),
        example.answer,
        boxes,
    ]


def _digest(value: object) -> str:
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


def _escape(text: str) -> str:
    import html

    return html.escape(text, quote=True)


def _image_tag(picture: Picture, side: int) -> str:
    import base64

    image = picture.open()
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f"<img alt='' src='data:image/png;base64,{data}'>"


def _caption(example: Example) -> str:
    return f"<figcaption>{_escape(example.question)} <b>{_escape(example.answer)}</b></figcaption>"
