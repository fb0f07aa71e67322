"""The log of a training: a table in long form, one row a figure and step, and its curves."""

from __future__ import annotations

from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from backsight.errors import DataError
from backsight.results.drawing import panels, style
from backsight.tables import Schema, Table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIRST = "first loss"  # of a phase, at step 0 of it; all other rows are means
TRAINING = Schema(
    "training",
    {"phase": "str", "step": "int", "seconds": "float", "figure": "str", "value": "float"},
    "The log of a training: means of each figure over the steps since the row before, counted in each phase",
)
COLORS = (style.BLUE, style.ORANGE, style.GREEN, style.PURPLE, style.AMBER, style.SKY, style.GRAY)
LOOKS = tuple((color, line) for line in ("-", "--", ":") for color in COLORS)


def curves(log: Table) -> Figure:
    """Loss, accuracy by kind of question and what else was logged, against the step counted over all phases.

    The loss of each phase begins with that of its first step. A dotted line stands where a phase ends, and no line goes
    across it. DataError where the log has no step.
    """
    rows = placed(log)
    rows["figure"] = rows["figure"].replace(FIRST, "loss")
    lengths = rows.groupby("phase", sort=False)["step"].max()
    ends = lengths.cumsum()
    accuracies = sorted(name for name in rows["figure"].unique() if name.startswith("accuracy"))
    others = sorted(set(rows["figure"].unique()) - {"loss", *accuracies, "rate"})
    with style.style():
        looks = {
            name: panels.line(color=color, linestyle=line, linewidth=1.2)
            for name, (color, line) in zip(accuracies, cycle(LOOKS), strict=False)
        }

        def draw(axis: Axes, names: list[str]) -> None:
            for name in names:
                line = looks.get(name)
                color, drawn = (style.INK, "-") if line is None else (line.get_color(), line.get_linestyle())
                for _, of in rows[rows["figure"] == name].groupby("phase", sort=False):
                    mark = "o" if len(of) == 1 else None  # one point makes no line
                    axis.plot(
                        of["at"], of["value"], color=color, linestyle=drawn, linewidth=1.2, marker=mark, markersize=4,
                        clip_on=mark is None,
                    )  # fmt: skip
            for end in list(ends)[:-1]:
                axis.axvline(end, color=style.SOFT, linestyle=":", linewidth=0.8)
            axis.set(xlabel="step", xlim=(0, int(ends.max())))
            if names == accuracies:
                panels.shares(axis, "accuracy")
            elif names == ["loss"]:
                axis.set_ylim(bottom=min(0.0, float(rows.loc[rows["figure"] == "loss", "value"].min())))

        below = f"{style.counted(int(ends.max()), 'step')} in {style.counted(len(lengths), 'phase')}"
        named = [("Loss", ["loss"]), *([("Accuracy in training", accuracies)] if accuracies else [])]
        named += [(name[:1].upper() + name[1:], [name]) for name in (*others, "rate")]
        shown = [panels.Panel(title, below, partial(draw, names=names)) for title, names in named]
        entries = [(looks[name], name.removeprefix("accuracy: ")) for name in accuracies]
        return panels.draw(shown, entries, None if len(shown) > 1 else 1)


def card(log: Table) -> str:
    """What a checkpoint was trained by, in Markdown: recipe, seed, size, and how each phase ended."""
    of = log.provenance
    lines = [f"# {of['recipe']}, seed {of['seed']}, size {of['size']}", ""]
    for phase, rows in log.frame.groupby("phase", sort=False):
        last = rows[(rows["figure"] != FIRST) & (rows["figure"] != "rate")].groupby("figure").last()
        ended = ", ".join(f"{name} {value:.3g}" for name, value in last["value"].items())
        lines.append(f"- {phase}: {style.counted(int(rows['step'].max()), 'step')}; at the end {ended}")
    words = "Figures are means over the last steps before a line of `training.csv`; accuracies are those of training."
    return "\n".join([*lines, "", words]) + "\n"


def placed(log: Table) -> pd.DataFrame:
    """The rows of a log with `at`, their step counted over all phases."""
    rows = log.frame.copy()
    if not (rows["step"] > 0).any():
        raise DataError("The log of the training has no step", where=log.schema.name)
    lengths = rows.groupby("phase", sort=False)["step"].max()
    rows["at"] = rows["step"] + rows["phase"].map(lengths.cumsum() - lengths)
    return rows
