"""One answer explained: the picture with both boxes and the relevance on it, and the compass beside its baseline."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backsight.grid import Box
from backsight.results.drawing import style
from backsight.results.drawing.panels import Entry, legend, line, patch
from backsight.results.relevance.answers import answered, pointed
from backsight.results.relevance.words import method_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {0: "right", 90: "above", 180: "left", 270: "below"}
PICTURE_SIDE = 360  # pixels, of the picture as it stands in the figure
SIDE, SCALE = 3.4, 0.5  # inches, of the picture's width and of the colour scale's height
STRONGEST = 0.75  # how much of a token's gray the most relevant one hides
POINTING: dict[str, Any] = {"color": style.ORANGE, "alpha": 0.85, "linewidth": 0}
UNIFORM: dict[str, Any] = {"fill": False, "edgecolor": style.SOFT, "linewidth": 1.1, "linestyle": "--"}


@dataclass(frozen=True)
class Explanation:
    """What one answer was explained with.

    `relevance` (image_token,) stands on the tokens' boxes `cells` (image_token, 4) in pixels of the picture. `compass`
    and `null`, the compass of uniform relevance, are shares of K sectors, the first one centred on the right, counted
    upwards; either is empty where no relevance lies where the projection looks. Angles are in degrees.
    """

    picture: Image.Image
    question: str
    options: tuple[str, ...]
    probabilities: tuple[float, ...]
    choice: str
    answer: str
    subject: str
    subject_box: Box
    reference: str
    reference_box: Box
    method: str
    target: str
    relevance: NDArray[np.float64]
    cells: NDArray[np.float64]
    compass: tuple[float, ...]
    null: tuple[float, ...]
    true: float
    peak: float | None
    dae: float | None
    dae_null: float | None
    dae_floor: float | None
    model: str = ""
    words: Mapping[str, str] | None = None  # what an option stands for, as 1: left

    def as_dict(self) -> dict[str, Any]:
        """All numbers as plain values, ready for JSON; the picture is left out but for its size."""
        numbers = asdict(self) | {"picture_size": list(self.picture.size)}
        del numbers["picture"]
        return {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in numbers.items()}

    def figure(self, *, columns: int = 2) -> Figure:
        """The figure; `columns` is 1 for a phone."""
        return explanation(self, columns=columns)

    def sentence(self) -> str:
        """What was asked, answered, and which way the evidence points beside uniform relevance."""
        dae = None if self.peak is None else self.dae
        return f"{self.answered()} {pointed(self.subject, dae, self.dae_null, zero=not self.relevance.any())}"

    def answered(self) -> str:
        """What the model answers, how probably, and whether that is correct."""
        p = self.probabilities[self.options.index(self.choice)]
        return answered(self.worded(self.choice), self.worded(self.answer), p)

    def worded(self, option: str) -> str:
        """An option in words."""
        return (self.words or {}).get(option, option)

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=120)
        data = base64.b64encode(buffer.getvalue()).decode()
        return f"<img alt=\"{escape(self.sentence())}\" src='data:image/png;base64,{data}' style='max-width:100%'>"


def explanation(explained: Explanation, *, columns: int = 2) -> Figure:
    """The picture with relevance and boxes, and the compass rose beside it, or below it in one column."""
    from backsight.results.drawing import canvas

    with style.style():
        figure = canvas.QuietFigure(figsize=(2 * SIDE, 2 * SIDE))
        tall = SIDE * min(1.0, explained.picture.size[1] / explained.picture.size[0])
        picture = figure.add_axes((0.02, 0.3, 0.46, 0.46 * tall / SIDE))
        rose = figure.add_axes((0.52, 0.3, 0.46, 0.46), projection="polar")
        _picture(picture, explained, tall)
        _rose(rose, explained)
        legend(figure, _entries(explained), 1 if columns == 1 else 3)
        words = [(*_question(explained), ""), (*_direction(explained), "")]
        for axes, (title, below, _) in zip((picture, rose), words, strict=True):
            style.heading(axes, title, below)
        canvas.arrange(figure, [picture, rose], words, [0.55 + tall + SCALE, 0.55 + SIDE], columns, None, alike=False)
        return figure


def _question(explained: Explanation) -> tuple[str, str]:
    """The heading of the picture: what is asked, and the answer."""
    return textwrap.shorten(_asked(explained), 80, placeholder=" ..."), explained.answered()


def _direction(explained: Explanation) -> tuple[str, str]:
    """The heading of the compass: how far it points away, beside uniform relevance."""
    title = f"Compass of {method_words(explained.method)}"
    if explained.dae is None:
        return title, "no relevance lies where the projection looks"
    beside = "" if explained.dae_null is None else f"; uniform relevance {explained.dae_null:.0f}\u00b0"
    return title, f"off by {explained.dae:.0f}\u00b0{beside}"


def _entries(explained: Explanation) -> list[Entry]:
    """The legend: what is filled, dashed and drawn as a line or a box."""
    entries: list[Entry] = [(patch(**POINTING), f"compass of {method_words(explained.method)}")]
    if explained.null:
        entries.append((patch(**UNIFORM), "compass of uniform relevance"))
    return [
        *entries,
        (line(color=style.BLUE, linewidth=1.6), f"true direction to the {explained.subject}"),
        (patch(fill=False, edgecolor=style.BLUE, linewidth=1.6), f"box of the {explained.subject}"),
        (patch(fill=False, edgecolor=style.INK, linewidth=1.6), f"box of the {explained.reference}"),
    ]


def _picture(axes: Axes, explained: Explanation, tall: float) -> None:
    from matplotlib.patches import Rectangle

    width, height = explained.picture.size
    axes.imshow(lit(explained), extent=(0, width, height, 0), interpolation="none")
    for name, box, color in (
        (explained.reference, explained.reference_box, style.INK),
        (explained.subject, explained.subject_box, style.BLUE),
    ):
        axes.add_patch(
            Rectangle((box.left, box.top), box.width, box.height, fill=False, edgecolor=color, linewidth=1.6)
        )
        inside = box.top > 0.08 * height
        axes.text(
            min(max(box.left, 2), width), box.top - 3 if inside else box.bottom + 3, name, color="white", fontsize=7.5,
            va="bottom" if inside else "top", clip_on=True,
            bbox={"facecolor": color, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
    axes.set(xlim=(0, width), ylim=(height, 0), xticks=[], yticks=[])
    axes.set_anchor("NW")
    for spine in axes.spines.values():
        spine.set_visible(False)
    _scale(axes, explained, tall)


def lit(explained: Explanation) -> Image.Image:
    """The picture in gray, no side longer than `PICTURE_SIDE` pixels, with relevance as orange over its tokens."""
    width, height = explained.picture.size
    scale = min(1.0, PICTURE_SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    gray = np.asarray(explained.picture.convert("L").resize(size, Image.Resampling.LANCZOS), dtype=np.float64)
    alpha = np.zeros(gray.shape)
    for share, cell in zip(_shares(explained.relevance), explained.cells, strict=True):
        left, upper, right, lower = (round(float(side) * scale) for side in cell)
        alpha[upper:lower, left:right] = STRONGEST * share
    color = np.array([int(style.ORANGE[at : at + 2], 16) for at in (1, 3, 5)], dtype=np.float64)
    shown = gray[..., None] * (1 - alpha[..., None]) + color * alpha[..., None]
    return Image.fromarray(shown.round().astype(np.uint8))


def _shares(relevance: NDArray[np.float64]) -> NDArray[np.float64]:
    """Relevance as shares of the largest, none below zero."""
    return np.maximum(relevance, 0.0) / (relevance.max(initial=0.0) or 1.0)


def _scale(axes: Axes, explained: Explanation, tall: float) -> None:
    """The colour scale: from no relevance to the largest of any token, in percent of all relevance."""
    positive = np.maximum(explained.relevance, 0.0)
    if not positive.any():
        return
    bar = axes.inset_axes((0.0, -0.17 / tall, 0.55, 0.1 / tall))
    ground = np.array([0.75, 0.75, 0.75])
    color = np.array([int(style.ORANGE[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    alpha = STRONGEST * np.linspace(0, 1, 32)[:, None]
    largest = 100 * float(positive.max() / positive.sum())
    bar.imshow((ground * (1 - alpha) + color * alpha)[None], aspect="auto", extent=(0, largest, 0, 1))
    bar.set(xticks=[0, largest / 2, largest], yticks=[])
    bar.set_xticklabels([f"{value:.2g}" for value in (0, largest / 2, largest)], fontsize=7.5)
    bar.set_xlabel("relevance of a token, percent of all", fontsize=7.5, loc="left")
    bar.tick_params(axis="x", length=2)
    bar.spines[:].set_visible(False)


def _asked(explained: Explanation) -> str:
    """The question in few words: where the subject is, or the first sentence of another question."""
    if explained.words is not None or {"left", "right"} <= set(explained.options):
        return f"Where is the {explained.subject}?"
    return explained.question.partition("?")[0] + "?" if "?" in explained.question else f"{explained.question} ..."


def _rose(axes: Axes, explained: Explanation) -> None:
    polar: Any = axes
    count = max(len(explained.compass), len(explained.null), 1)
    angles = np.radians(np.arange(count) * 360 / count)
    width = 0.86 * 2 * np.pi / count
    if explained.compass:
        polar.bar(angles, explained.compass, width=width, **POINTING)
    if explained.null:
        polar.bar(angles, explained.null, width=width, **UNIFORM)
    top = 1.12 * max([*explained.compass, *explained.null, 0.01])
    polar.plot([np.radians(explained.true)] * 2, [0, top], color=style.BLUE, linewidth=1.6)
    polar.set_ylim(0, top)
    polar.set_xticks(np.radians(list(NAMES)), labels=list(NAMES.values()))
    polar.set_yticks([])
    polar.grid(color=style.FAINT)
    polar.spines["polar"].set_color(style.FAINT)
