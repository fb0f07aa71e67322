"""One answer explained: the picture with both boxes and the relevance on it, and the compass beside its baseline."""

from __future__ import annotations

import base64
import io
import textwrap
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from backsight.grid import Box
from backsight.results.drawing import style
from backsight.results.relevance.answers import answered, pointed
from backsight.results.relevance.words import method_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAMES = {0: "right", 90: "above", 180: "left", 270: "below"}
PICTURE_SIDE = 480  # pixels, of the picture as it stands in the figure


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
        p = self.probabilities[self.options.index(self.choice)]
        first = answered(self.told(self.choice), self.told(self.answer), p)
        dae = None if self.peak is None else self.dae
        return f"{first} {pointed(self.subject, dae, self.dae_null, zero=not self.relevance.any())}"

    def told(self, option: str) -> str:
        """An option in words."""
        return (self.words or {}).get(option, option)

    def _repr_html_(self) -> str:
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=120)
        data = base64.b64encode(buffer.getvalue()).decode()
        return f"<img alt='' src='data:image/png;base64,{data}' style='max-width:100%'>"


def explanation(explained: Explanation, *, columns: int = 2) -> Figure:
    """The picture with relevance and boxes, and the compass rose beside it, or below it in one column."""
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from backsight.results.drawing import canvas

    with style.style():
        size = (7.6, 3.9) if columns > 1 else (style.NARROW, 7.4)
        layout = ConstrainedLayoutEngine(w_pad=0.09, h_pad=0.09, wspace=0.06, hspace=0.06)
        figure = canvas.QuietFigure(figsize=size, layout=layout)
        places = figure.add_gridspec(1, 2) if columns > 1 else figure.add_gridspec(2, 1)
        _picture(figure.add_subplot(places[0]), explained)
        _rose(figure.add_subplot(places[1], projection="polar"), explained)
        return figure


def _picture(axes: Axes, explained: Explanation) -> None:
    from matplotlib.collections import PatchCollection
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Rectangle

    width, height = explained.picture.size
    scale = min(1.0, PICTURE_SIDE / max(width, height))
    gray = (
        explained.picture.convert("L")
        .convert("RGB")
        .resize((max(1, round(width * scale)), max(1, round(height * scale))))
    )
    axes.imshow(gray, extent=(0, width, height, 0))
    shares = explained.relevance / (explained.relevance.max() or 1.0)
    lit = [
        (Rectangle((left, upper), right - left, lower - upper), to_rgba(style.ORANGE, 0.75 * float(share)))
        for share, (left, upper, right, lower) in zip(shares, explained.cells, strict=True)
        if share > 0
    ]
    axes.add_collection(PatchCollection([cell for cell, _ in lit], facecolors=[c for _, c in lit], edgecolors="none"))
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
    for spine in axes.spines.values():
        spine.set_visible(False)
    right = "right" if explained.choice == explained.answer else f"wrong, it is {explained.told(explained.answer)}"
    p = explained.probabilities[explained.options.index(explained.choice)]
    below = f"answer: {explained.told(explained.choice)} ({p:.2f}), {right}"
    style.heading(axes, textwrap.fill(textwrap.shorten(_asked(explained), 80, placeholder=" ..."), 44), below)


def _asked(explained: Explanation) -> str:
    """The question in few words: where the subject is, or the first sentence of another question."""
    if explained.words is not None or {"left", "right"} <= set(explained.options):
        return f"Where is the {explained.subject}?"
    return explained.question.partition("?")[0] + "?" if "?" in explained.question else f"{explained.question} ..."


def _rose(axes: Axes, explained: Explanation) -> None:
    polar: Any = axes
    count = max(len(explained.compass), len(explained.null), 1)
    angles = np.radians(np.arange(count) * 360 / count)
    width = 2 * np.pi / count
    if explained.compass:
        polar.bar(
            angles,
            explained.compass,
            width=0.86 * width,
            color=style.ORANGE,
            alpha=0.85,
            linewidth=0,
            label=method_words(explained.method),
        )
    if explained.null:
        polar.bar(
            angles, explained.null, width=0.86 * width, fill=False, edgecolor=style.SOFT, linewidth=1.1, linestyle="--",
            label="uniform relevance",
        )  # fmt: skip
    top = 1.12 * max([*explained.compass, *explained.null, 0.01])
    polar.plot(
        [np.radians(explained.true)] * 2, [0, top], color=style.BLUE, linewidth=1.6, label=f"to the {explained.subject}"
    )
    polar.set_ylim(0, top)
    polar.set_xticks(np.radians(list(NAMES)), labels=list(NAMES.values()))
    polar.set_yticks([])
    polar.grid(color=style.FAINT)
    polar.spines["polar"].set_color(style.FAINT)
    if explained.dae is None:
        below = "no relevance lies where the projection looks"
    else:
        below = f"off by {explained.dae:.0f}\u00b0" + (
            "" if explained.dae_null is None else f"; uniform relevance {explained.dae_null:.0f}\u00b0"
        )
    axes.set_title(f"Compass of {method_words(explained.method)}", fontweight="bold", pad=34)
    above: dict[str, Any] = {"xycoords": "axes fraction", "xytext": (0, 23), "textcoords": "offset points"}
    axes.annotate(below, (0, 1), color=style.SOFT, fontsize=7.5, **above)  # over the word "above"
    polar.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=1, fontsize=7.5)
