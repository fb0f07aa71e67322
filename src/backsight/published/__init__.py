"""What papers print of a model, with what is known to be wrong in it.

Every figure stands in one file, `figures.json`, one line each and as it is printed: tables 1 to 6 of *The Dual
Mechanisms of Spatial Reasoning in Vision-Language Models* (arXiv 2603.22278v1), and tables 1 to 7 and sections 4, 6.1
and 6.2 of *CREG: Compass Relational Evidence for Interpreting Spatial Reasoning in Vision-Language Models* (arXiv
2603.20475v1). A correction says what is wrong and where that can be seen, and has a value where the authors' own code
gives one; a remark leaves the figure as it is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import pairwise
from pathlib import PurePath
from typing import Any

FILE = "figures.json"
KEYS = ("table", "model", "suite", "direction", "condition", "metric")
OPTIONAL = ("row", "method", "target", "projection", "subset", "prompt", "low", "high")


@dataclass(frozen=True)
class Correction:
    """What is wrong with a published figure; `printed` is the figure in its stead, empty where there is none."""

    printed: str
    n: int | None
    reason: str
    source: str

    @property
    def value(self) -> float | None:
        """The figure in its stead as a number."""
        return number(self.printed) if self.printed else None


@dataclass(frozen=True)
class Remark:
    """What is known of a published figure that stands: how it was got, or what the paper does not say of it."""

    text: str
    source: str


@dataclass(frozen=True)
class Published:
    """One figure of one table, or of one section, about one model; `model` is None where it is about data alone.

    `model` is the paper's name for it, `short` what the paper itself is called here. `suite` and `direction` are named
    as in our tables; a setting has neither. `condition` is, in Dual Mechanisms, picture, removed, none, random, probe
    or setting, and in CREG relevance, picture, occlusion, mirror, validation or audit. `n` is the number of questions:
    as CREG prints it, and by the authors' code in Dual Mechanisms, which prints none.

    For CREG, `row` is the paper's name of the line and `low` and `high` are the interval as printed; `method`,
    `target`, `projection`, `subset` and `prompt` are named as in `creg_summary`, as far as the figure is of these.
    """

    paper: str
    short: str
    source: str
    table: str
    model: str | None
    suite: str | None
    direction: str | None
    condition: str
    metric: str
    printed: str
    n: int | None
    correction: Correction | None
    remarks: tuple[Remark, ...] = ()
    row: str | None = None
    method: str | None = None
    target: str | None = None
    projection: str | None = None
    subset: str | None = None
    prompt: str | None = None
    low: str | None = None
    high: str | None = None

    @property
    def value(self) -> float:
        """The printed figure as a number: "50.7%" is .507, and "12×12" is 12, the side of a square."""
        return number(self.printed)

    @property
    def best(self) -> str:
        """The figure to compare with, as printed: the correction's, else the paper's; empty where neither holds."""
        return self.printed if self.correction is None else self.correction.printed


@dataclass(frozen=True)
class Model:
    """A model that a paper measured: the paper's name, its ids on Hugging Face, and its decoder blocks."""

    name: str
    hugging_face: tuple[str, ...]
    layers: int


def figures(model_name: str, *, layers: int | None = None) -> list[Published]:
    """What is published of a model, in the order of the file; empty for a model that no paper measured.

    What a paper prints of its data alone comes with the papers that measured the model. `model_name` is what a study
    was given, and `match` says when it is a published model.
    """
    model = match(model_name, layers=layers)
    if model is None:
        return []
    papers = {one.paper for one in everything() if one.model == model.name}
    return [one for one in everything() if one.paper in papers and one.model in (model.name, None)]


def match(model_name: str, *, layers: int | None = None) -> Model | None:
    """The published model that a name stands for; None where that is not certain.

    A name matches when it is one of the model's ids on Hugging Face, letter for letter; when it is a path into the
    hub's own cache of that id (`models--OWNER--NAME/snapshots/...`); or when it is the path of a folder that has the
    model's name. `owner/name` is read as an id and not as a path: a copy under another owner may have been trained
    further. So may what lies in a folder; its configuration cannot tell, as `_name_or_path` is not saved with a model,
    and where it was it named what the model was trained from. A reader must be told of a match `by_folder`. `layers`,
    where given, must be the model's number of decoder blocks.
    """
    parts = PurePath(model_name).parts
    for model in models():
        if layers is not None and layers != model.layers:
            continue
        for name in model.hugging_face:
            cached = (f"models--{name.replace('/', '--')}", "snapshots")
            in_cache = cached in pairwise(parts)
            is_folder = by_folder(model_name) and parts[-1] == name.split("/")[-1]
            if model_name == name or in_cache or is_folder:
                return model
    return None


def by_folder(model_name: str) -> bool:
    """Whether a name is a path, so that only its last part speaks for what the model is."""
    parts = PurePath(model_name).parts
    is_id = len(parts) == 2 and not model_name.startswith((".", "/", "~"))
    return bool(parts) and not is_id and "snapshots" not in parts


@lru_cache(maxsize=1)
def models() -> tuple[Model, ...]:
    """The models that a paper measured."""
    return tuple(Model(one["name"], tuple(one["hugging_face"]), one["layers"]) for one in _file()["models"])


@lru_cache(maxsize=1)
def everything() -> tuple[Published, ...]:
    """Every published figure, in the order of the file."""
    data = _file()
    return tuple(_published(one, data) for one in data["figures"])


def number(printed: str) -> float:
    """A figure as printed, as a number: "0.60" is .6, "50.7%" is .507, "2×2" is 2, "≈90°" is 90."""
    printed = printed.removeprefix("≈").removesuffix("°")
    if printed.endswith("%"):
        return float(printed[:-1]) / 100
    first, _, second = printed.partition("×")
    if second and second != first:
        raise ValueError(f"not a square: {printed}")
    return float(first)


def rounding(printed: str) -> float:
    """Half of the last digit that is printed: "0.60" stands for .595 to .605, "50.7%" for .5065 to .5075."""
    decimals = len(printed.rstrip("%°").partition(".")[2]) + (2 if printed.endswith("%") else 0)
    return 0.5 * 10.0**-decimals


def _published(one: dict[str, Any], data: dict[str, Any]) -> Published:
    paper, given = data["papers"][one["paper"]], one.get("correction")
    correction = None
    if given is not None:
        reason = data["reasons"][given["reason"]]
        correction = Correction(given.get("value", ""), given.get("n"), reason["text"], reason["source"])
    remarks = tuple(Remark(**data["reasons"][name]) for name in one.get("remarks", ()))
    named: dict[str, Any] = {key: one[key] for key in KEYS} | {key: one.get(key) for key in OPTIONAL}
    named |= {key: paper[key] for key in ("short", "source")}
    return Published(
        paper=paper["title"], printed=one["value"], n=one.get("n"), correction=correction, remarks=remarks, **named
    )  # fmt: skip


@lru_cache(maxsize=1)
def _file() -> dict[str, Any]:
    content = (resources.files("backsight.published") / FILE).read_text(encoding="utf-8")
    papers: dict[str, Any] = json.loads(content)
    return papers
