"""The log of a training: a table in long form, one row a figure and step, and its curves."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from backsight.results.drawing import panels, style
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TRAINING = Schema(
    "training",
    {"phase": "str", "step": "int", "seconds": "float", "figure": "str", "value": "float"},
    "The log of a training: means of each figure over the steps since the row before, counted in each phase",
)


def curves(log: Table) -> Figure:
    """Loss, accuracy by kind of question and what else was logged, against the step counted over all phases.

    A dotted line stands where a phase ends.
    """
    rows = log.frame[log.frame["step"] > 0].copy()
    lengths = rows.groupby("phase", sort=False)["step"].max()
    before = lengths.cumsum() - lengths
    rows["at"] = rows["step"] + rows["phase"].map(before)
    accuracies = sorted(name for name in rows["figure"].unique() if name.startswith("accuracy"))
    others = sorted(set(rows["figure"].unique()) - {"loss", "rate", *accuracies})
    with style.style():
        colors = cycle((style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.AMBER, style.SKY, style.GRAY))
        looks = {name: panels.line(color=color, linewidth=1.2) for name, color in zip(accuracies, colors, strict=False)}

        def draw(axis: Axes, names: list[str]) -> None:
            for name in names:
                of, line = rows[rows["figure"] == name], looks.get(name)
                color = style.INK if line is None else line.get_color()
                axis.plot(of["at"], of["value"], color=color, linewidth=1.2)
            for end in list(before + lengths)[:-1]:
                axis.axvline(end, color=style.SOFT, linestyle=":", linewidth=0.8)
            axis.set_xlabel("step")
            if names == accuracies:
                panels.shares(axis, "accuracy")

        steps = int((before + lengths).max()) if len(rows) else 0
        below = f"{style.counted(steps, 'step')} in {style.counted(len(lengths), 'phase')}"
        named = [("Loss", ["loss"]), *([("Accuracy", accuracies)] if accuracies else [])]
        named += [(name[:1].upper() + name[1:], [name]) for name in others]
        shown = [panels.Panel(title, below, partial(draw, names=names)) for title, names in named]
        entries = [(looks[name], name.removeprefix("accuracy: ")) for name in accuracies]
        return panels.draw(shown, entries, 1)
