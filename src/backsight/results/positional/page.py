"""The page of the positional experiment, in Markdown: sentences judged, the figure, and the tables behind them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backsight.results.drawing import style
from backsight.results.pages.markdown import filled
from backsight.results.positional import claims, prediction
from backsight.results.positional.settings import BY_NAME, SETTINGS, TABLES, title
from backsight.results.positional.tables import CONDITIONS, TRAINED, positional_summary
from backsight.tables import Table

Summary = Mapping[tuple[str, str, str, str], Mapping[str, Any]]  # by setting, measure, condition and axis
NONE = "\u2013"
TAUGHT = "taught"  # in place of where a probe reads what training taught


@dataclass(frozen=True)
class How:
    """How the rows came about: the path of the drawing beside the page, the command, the `cores` of the machines that
    examined, and of the training the columns where things stand, the read-out's (steps, pictures), its steps along with
    answers, the steps and pictures of answers of the language model's settings, the gain of bias tables, the bases that
    fit 64 tokens and 8 cells, the customary one, and how many models there are to be."""

    figure: str
    command: str
    cores: tuple[int, ...]
    columns: int
    taught: tuple[int, int]
    read: int
    answers: int
    images: int
    gain: float
    bases: tuple[float, float]
    customary: float
    models: int


def page(rows: Table, how: How) -> str:
    """The page of the rows of all examined models."""
    parts = ["# Positional encodings side by side\n", _opening(rows, how)]
    parts += _recorded(rows, how) if len(rows) else ["Nothing is recorded yet.\n"]
    return "\n".join([*parts, "## How they are trained\n", _trained(how)])


def _recorded(rows: Table, how: How) -> list[str]:
    """What the rows say: sentences, figure and tables."""
    summary: Summary = {
        (r["setting"], r["measure"], r["condition"], r["axis"]): r for r in positional_summary(rows).rows()
    }
    predicted = prediction.positional_prediction(rows).rows()
    known = [one.name for one in SETTINGS if any(key[0] == one.name for key in summary)]
    return [
        "## Sentences on positional encodings\n",
        _judged(claims.positional_claims(rows).rows()),
        _filled(claims.RULE),
        "## Accuracy by setting and condition\n",
        f"![Accuracy of relations of every setting and condition, a dot a seed]({how.figure})\n",
        _filled(
            "Relations are read out between the first and the last thing of a row, and every row is shown reversed "
            "too, so that chance is .50 and what knows only which things are there has .50 exactly. Mean over seeds "
            "[95 % interval, Student\u2019s t, of three seeds or more that are not all alike], and in brackets the "
            "accuracy on a gray picture. Below .50 stand answers that are systematically reversed, which ignorance of "
            "order does not give."
        ),
        _accuracies(summary, known),
        "## What the instrument says of them\n",
        _instruments(rows, summary, known),
        "## Rows against columns\n",
        _filled(prediction.RULE),
        *(_filled(prediction.sentence(line)) for line in predicted if line["setting"] == "all"),
        _predicted(predicted, summary),
    ]


def _opening(rows: Table, how: How) -> str:
    seeds: dict[str, set[int]] = {}
    for row in rows.rows():
        seeds.setdefault(row["setting"], set()).add(row["seed"])
    counts = sorted({len(of) for of in seeds.values()})
    each = f"{counts[0]} to {counts[-1]} seeds" if len(counts) > 1 else style.counted(sum(counts), "seed")
    subject = f"{style.counted(len(seeds), 'setting')} of one small model, {each} each" if seeds else "One small model"
    about = (
        f"{subject}: Gemma-3 or Qwen2-VL with four language layers, an 8x8 grid of 14 px cells, three squares of one "
        f"cell in a row or a column. In training they stand in the first {how.columns} of 8 columns. Each setting has "
        "one positional encoding or none, in the vision encoder or in the language model. Both sides are [trained "
        "differently](#how-they-are-trained), so one is never compared with the other."
    )
    parsed = f"<!-- parsed only: it trains and examines {how.models} models, which takes hours -->"
    cores = " or ".join(str(count) for count in how.cores)
    hardware = f"Examined on {cores} CPU cores, one thread a model."
    on = _filled(hardware) if how.cores else ""
    return f"{_filled(about)}\n{parsed}\n```bash\n{how.command}\n```\n\n{on}"


def _trained(how: How) -> str:
    steps, pictures = how.taught
    one, two = how.bases
    return "\n".join(
        _filled(words)
        for words in (
            f"The settings of the vision encoder, *none* among them, are first trained for {steps} steps of "
            f"{pictures} pictures on no answer at all: a linear read-out on the image tokens of each thing is taught "
            "its ordinal position and its name, and the encoder along with it. Without that a vision encoder writes no "
            f"position, since nothing reads it there yet. Then come {how.read} steps of {how.images} pictures of "
            f"answers, with the read-out trained along. The settings of the language model have no read-out, and "
            f"{how.answers} steps of answers.",
            "So accuracies, steps and probes of the two sides do not compare. A probe asks for the very label that the "
            f"read-out was taught, so of those settings the table says *{TAUGHT}* and not where position is readable.",
            f"An entry of a relative bias counts {how.gain:g} times, without which a short training leaves the table "
            f"near nothing. Rotary positions of the vision encoder have base {one:g} on one axis and {two:g} on two, "
            f"and sinusoidal tables {two:g}: bases that fit the grid. Settings of the language model have the "
            f"customary {how.customary:,.0f} unless their names say another. Learned tables begin as long as "
            "sinusoidal ones. On another size a learned table is interpolated, a sinusoid goes on, a relative bias "
            "keeps its farthest offset, and rotary positions count on.",
        )
    )


def _filled(words: str) -> str:
    """A paragraph of the page."""
    return filled(words) + "\n"


def _judged(rows: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for row in rows:
        quote = f"{row['quote']} (ours)" if row["ours"] else f"\u201c{row['quote']}\u201d"
        number = claims.number(row) + claims.without(row)
        lines.append((quote, row["verdict"], row["measured"], number, str(row["seeds"])))
    return table(("the sentence", "verdict", "measured", "number", "seeds"), lines)


def _accuracies(summary: Summary, known: Sequence[str]) -> str:
    lines = []
    for name in known:
        cells = [_share(summary.get((name, "relation", condition, "all"))) for condition in CONDITIONS]
        presence = _share(summary.get((name, "presence", TRAINED, "all")))
        lines.append((title(name), str(_seeds(summary, name)), *cells, presence))
    return table(("setting", "seeds", *CONDITIONS, "presence, trained"), lines)


def _instruments(rows: Table, summary: Summary, known: Sequence[str]) -> str:
    notes: dict[tuple[str, str, str], list[str]] = {}
    for row in rows.rows():
        if row["note"]:
            notes.setdefault((row["setting"], row["measure"], row["condition"]), []).append(row["note"])
    lines = []
    for name in known:
        word = ", ".join(_counted(notes.get((name, "verdict", ""), [])))
        shares = [_number(summary.get((name, "pathway", part, "all"))) for part in ("vision encoder", "language model")]
        psi = [_number(summary.get((name, "psi", order, "all"))) for order in ("kept", "moved")]
        axes = [_share(summary.get((name, "relation", TRAINED, axis))) for axis in ("horizontal", "vertical")]
        readable = [_readable(summary, name, axis) for axis in ("horizontal", "vertical")]
        changed = _number(summary.get((name, "mirrored", TRAINED, "all")))
        norm = _number(summary.get((name, "norm_ratio", "resid_pre 0", "all")))
        lines.append((title(name), word or NONE, *shares, *psi, changed, *axes, *readable, norm))
    head = (
        "setting", "pathway verdict (seeds)", "share by the vision encoder", "share by the language model",
        "PSI, positions kept", "PSI, positions moved along", "answers changed by a reversed row",
        "accuracy, left and right", "accuracy, above and below",
        "readable along rows", "readable along columns", "image norm / text norm",
    )  # fmt: skip
    text = (
        "PSI is corrected for chance: 0 where a shuffle costs nothing, 1 where chance is left. A share is what a "
        "pathway keeps of the accuracy above chance by itself. Readable: the first site where a linear probe gives at "
        "least 95 % of object tokens their ordinal position, mean over seeds; `vision n` is behind block n of the "
        "encoder, `resid_pre n` before block n of the language model. *Taught*: training taught that very read-out. "
        "Answers changed: of a picture and the same one with its row reversed; a bag of patches changes none."
    )
    handed = [name for name in TABLES if "vision" in notes.get((name, "verdict", ""), [])]
    if handed:
        text += (
            f" The verdict of {' and '.join(title(name) for name in handed)} is vision, since the table reaches the "
            "language model inside the image tokens: what is ablated in the language model is an encoding of its own, "
            "and it has none."
        )
    return f"{_filled(text)}\n{table(head, lines)}"


def _readable(summary: Summary, setting: str, axis: str) -> str:
    if BY_NAME[setting].part != "language model":
        return TAUGHT
    order = {"vision": 0, "image_embeds": 1, "resid_pre": 2}
    at = [key[2] for key in summary if key[0] == setting and key[1] == "probe" and key[3] == axis]
    at.sort(key=lambda place: (order.get(place.split()[0], 3), int(place.split()[1])))
    if not at:
        return NONE
    for place in at:
        row = summary[setting, "probe", place, axis]
        if row["mean"] >= 0.95:
            return f"{place} ({row['mean']:z.2f})"
    best = max(at, key=lambda place: float(summary[setting, "probe", place, axis]["mean"]))
    return f"nowhere (best {summary[setting, 'probe', best, axis]['mean']:z.2f} at {best})"


def _predicted(lines: Sequence[Mapping[str, Any]], summary: Summary) -> str:
    by_setting: dict[str, dict[str, Mapping[str, Any]]] = {}
    for line in lines:
        if line["setting"] != "all":
            by_setting.setdefault(line["setting"], {})[line["outcome"]] = line
    cells = []
    for name, of in by_setting.items():
        ranges = [summary.get((name, "phase_range", "language", axis)) for axis in ("vertical", "horizontal")]
        turned = [f"{one['mean']:.3g}" if one is not None else "0" for one in ranges]
        accuracy, steps = of.get("accuracy"), of.get("steps")
        cells.append(
            (title(name), *turned, f"{accuracy['lead']:+.3f}" if accuracy else NONE,
             f"{steps['lead']:+.0f}" if steps else NONE, str(max(one["seeds"] for one in of.values())))
        )  # fmt: skip
    head = ("setting", "phase range of rows, rad", "of columns", "accuracy, vertical less horizontal",
            "steps sooner, vertical", "seeds")  # fmt: skip
    return table(head, cells)


def _seeds(summary: Summary, name: str) -> int:
    return max((row["seeds"] for key, row in summary.items() if key[0] == name), default=0)


def _share(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return NONE
    null = f" ({row['null']:z.2f})" if row["null"] is not None else ""
    return _number(row) + null


def _number(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return NONE
    ends = "" if row["low"] is None else f" [{row['low']:z.2f}, {row['high']:z.2f}]"
    return f"{row['mean']:z.2f}{ends}"


def _counted(words: Iterable[str]) -> list[str]:
    words = list(words)
    return [f"{word} ({words.count(word)})" for word in dict.fromkeys(words)]


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table; what would end a cell is escaped."""
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows) + "\n"
