"""The page of the experiment, in Markdown: all numbers, sentences and verdicts are made of its tables."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from backsight.results.pages.wording import decimal, listed
from backsight.results.projector.claims import LONGER, RULE, projector_claims
from backsight.results.projector.tables import NAMES, PAIRS, projector_summary
from backsight.tables import Table

Row = Mapping[str, Any]
CALLED = {"plain": "plain", "large": "plain, long", "normed": "normed"}
MEASURES = (
    ("start", "image_norm", "Length of image embeddings, before training"),
    ("clean", "image_norm", "Length of image embeddings, trained"),
    ("clean", "text_norm", "Length of the prompt's text embeddings"),
    ("clean", "ratio", "Image over text, trained"),
    ("clean", "vocabulary_mean", "Mean length of text embeddings in the vocabulary"),
    ("clean", "vocabulary_largest", "Largest length of text embeddings in the vocabulary"),
    ("start", "ratio", "Image over text, before training"),
    ("training", "where", "Accuracy of where, mean along training"),
    ("clean", "where", "Accuracy of where"),
    ("clean", "what", "Accuracy of what"),
    ("degraded", "where", "Accuracy of where, degraded pictures"),
    ("degraded", "what", "Accuracy of what, degraded pictures"),
    ("clean", "psi_where", "Position Sensitivity Index of where, as published"),
    ("clean", "corrected_where", "The same, of the accuracy above chance"),
    ("clean", "corrected_what", "The same, of what"),
    ("clean", "gain_where", "Gain by rescaling at inference time, where"),
)  # fmt: skip
ACCURACIES = ("where", "what")
INTRODUCTION = """# A norm behind the projector

"Beyond Semantics" ([2503.17349](https://arxiv.org/abs/2503.17349)) trains a projector that ends in a norm: RMSNorm
with a learned weight, a cut of each embedding's length (at 1.22, the largest length of a text embedding of LLaMA), and
a scale (.83, their mean length). Here it is trained against the plain projector: equal first weights, equal batches,
equal numbers of steps, equal seeds.

| Recipe | Projector |
|---|---|
| `projector-plain` | that of Qwen2-VL: LayerNorm and two linear layers |
| `projector-large` | the same; its last layer is multiplied at the start, so that embeddings are 30 times as long |
| `projector-normed` | that of `projector-plain` with the norm behind it |

`projector-large` is there because the premise does not hold in a small model by itself: a fresh projector starts near
the length of text embeddings, and image embeddings of LLaVA are 10 to 1000 times as long as text embeddings. Thirty
times is of the mean length in the vocabulary; the tokens of the prompts are shorter than it, and the table's ratios are
to those.

The model is `builtin:plain`, a Qwen2-VL with 12x12 image tokens, with a new projector. Only the projector (and the
weight of the norm) is trained, as in LLaVA's first stage. The vision encoder and the language model stay, and with them
the rotary positions that the language model learned. Seeds change the projector's first weights and the batches;
the model around it is one, so intervals say nothing of other language models. Pictures hold three squares in a row or
a column. *Where*: relations, one of six colors (chance .17). *What*: which of two colors is there (chance .5). Tests
are on triples of colors that training never shows.
"""
CARRIED = """## How it is carried

No supported architecture has a norm at the end of its projector: Gemma-3's RMSNorm stands before its linear layer, the
Qwen-VL mergers end in a linear layer, and PaliGemma's projector is one. A scale by itself folds into that last layer.
RMSNorm and the cut depend on each embedding's length and fold into nothing. So the weight stands in the checkpoint's
safetensors under `backsight_additions.projector`, cut and scale in its config.json, and `backsight.load` puts the norm
back. Plain transformers opens the same files without it, and then it is another model.

The two lengths are measured on the text embeddings of `builtin:plain` before the first step, over all text tokens of
its vocabulary. They do not move, because the language model is not trained. Where it is trained along, cut and scale
stay as they were at the start.

As published, the formula multiplies two lengths, so it depends on the unit. With LLaMA's lengths the longest image
embedding is 1.22 x .83 = 1.01, which is a length of text embeddings. With the lengths of `builtin:plain` (mean 2.98,
largest 3.37) it would be 10.05, far above them. So the cut is taken in units in which the mean length is .83, as
LLaMA's: 3.37 x .83 / 2.98 = .938, and the longest image embedding is .938 x 2.98 = 2.80. With LLaMA's lengths this is
the published formula.

This is a change in training. `norm_rescale` ([repairs](../repairs.md)) rescales the embeddings of a finished model at
inference time; what that gains on these models is the last line of the tables, and it is another intervention.
"""
LIMITS = """## Limits

One small language model, one set of colored squares, and a short training that ends before the plain projector has
learned all it can. A projector that starts 30 times as long also changes more slowly in relation to its weights, and a
norm makes any training better conditioned: neither is special to position. So the sentence on suppression is tested
against *what* too, and the other differences of *where* are to be read beside those of *what*. With image tokens
shuffled, answers are read between the first and the last square of the row (chance .5); an index is omitted where that
accuracy is not told from chance.
"""
COMMANDS = """## Commands

<!-- parsed only: trains nine models, which takes minutes -->
```bash
backsight train projector-normed --out normed-0 --seed 0     # one model
python benchmarks/projector.py DIR --docs docs/results       # all models, the tables, the figure and this page
```
"""


def page(rows: Table, curves: Table) -> str:
    """The whole page of a table of rows and the curves beside it."""
    summary = projector_summary(rows).rows()
    claims = projector_claims(rows).rows()
    seeds = sorted({row["seed"] for row in rows.rows()})
    asked = max((row["n"] for row in rows.rows() if row["measure"] in ACCURACIES), default=0)
    steps = max((row["step"] for row in curves.rows()), default=0)
    conditions = (
        f"{steps} steps of 8 pictures with five questions; seeds {listed(seeds)}; {asked} test pictures. Intervals are "
        "95 %: Student's t over seeds (their number n in each cell), or what sampling pictures makes of it where that "
        "is more. Trained on one of two CPU cores."
    )  # fmt: skip
    parts = (
        INTRODUCTION, "## Verdicts\n", verdicts(claims), _wrapped(RULE) + "\n", "## Numbers\n",
        _wrapped(conditions) + "\n",
        numbers(summary), "\nDifferences, paired by seed:\n", differences(summary),
        "\n![Accuracy along training and in the end, and lengths](../images/projector.svg)\n", LIMITS,
        CARRIED, COMMANDS,
    )  # fmt: skip
    return "\n".join(parts)


def verdicts(claims: Sequence[Row]) -> str:
    """A table of the sentences, a line a test, and a sentence each."""
    lines = ["| Sentence | Measured | Holds if | Value | Verdict |", "|---|---|---|---|---|"]
    before = None
    for row in claims:
        quote = f"\u201c{row['quote']}\u201d" if not row["ours"] else f"{row['quote']} (ours)"
        first = row["claim"] != before
        cells = (quote if first else "", row["measured"], row["holds"], _number(row), row["verdict"] if first else "")
        lines.append(f"| {' | '.join(cells)} |")
        before = row["claim"]
    return "\n".join([*lines, "", *sentences(claims), ""])


def sentences(claims: Sequence[Row]) -> list[str]:
    """What the verdicts come to, each sentence a function of its row."""
    by_key: dict[str, list[Row]] = {}
    for row in claims:
        by_key.setdefault(row["claim"], []).append(row)
    said = []
    if (premise := by_key.get("premise")) and premise[0]["value"] is not None:
        row = premise[0]
        side = {"confirmed": "The premise holds", "not confirmed": "The premise does not hold"}.get(
            row["verdict"], "Whether the premise holds is undecided"
        )
        said.append(f"{side} in a small model by itself: its image embeddings are {_number(row, 'times')} as long as "
                    f"text embeddings, {LONGER:g} times are published.")  # fmt: skip
    said += [
        _change(by_key.get("suppression"), "Long image embeddings", "accuracy of where against short ones"),
        _change(by_key.get("counteract"), "The norm", "accuracy of where against long embeddings"),
        _change(by_key.get("better"), "The norm", "accuracy of where against the plain projector"),
    ]
    return [_wrapped(f"- {sentence}", "  ") for sentence in said if sentence]


def _change(rows: Sequence[Row] | None, what: str, of: str) -> str:
    """Which way a difference goes; undecided where its interval holds zero, nothing where there is none."""
    if not rows or rows[0]["low"] is None:
        return ""
    row = rows[0]
    verb = "raise" if row["low"] > 0 else "lower" if row["high"] < 0 else ""
    plural = what.endswith("s")
    if not verb:
        return f"Whether {what[0].lower()}{what[1:]} change{'' if plural else 's'} {of} is undecided: {_number(row)}."
    return f"{what} {verb}{'' if plural else 's'} {of}: {_number(row)}."


def numbers(summary: Sequence[Row]) -> str:
    """Means over seeds, a line a measure and a column a projector."""
    lines = [f"| Measure | {' | '.join(CALLED[name] for name in NAMES)} |", "|---" * (len(NAMES) + 1) + "|"]
    for pictures, measure, title in MEASURES:
        of = {r["projector"]: r for r in summary if (r["pictures"], r["measure"], r["less"]) == (pictures, measure, "")}
        if of:
            lines.append(f"| {title} | {' | '.join(_cell(of.get(name)) for name in NAMES)} |")
    return "\n".join(lines)


def differences(summary: Sequence[Row]) -> str:
    """Paired differences, a line a measure and a column a pair of projectors."""
    heads = [f"{CALLED[one]} less {CALLED[other]}" for one, other in PAIRS]
    lines = [f"| Measure | {' | '.join(heads)} |", "|---" * (len(PAIRS) + 1) + "|"]
    for pictures, measure, title in MEASURES:
        if "norm" in measure or "vocabulary" in measure or measure == "ratio":
            continue
        of = {(r["projector"], r["less"]): r for r in summary if (r["pictures"], r["measure"]) == (pictures, measure)}
        if any(pair in of for pair in PAIRS):
            lines.append(f"| {title} | {' | '.join(_cell(of.get(pair)) for pair in PAIRS)} |")
    return "\n".join(lines)


def _wrapped(words: str, indent: str = "") -> str:
    return textwrap.fill(words, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def _cell(row: Row | None) -> str:
    if row is None:
        return "omitted"
    null = f"; gray {decimal(row['null'])}" if row["null"] is not None else ""
    return f"{_number({**row, 'value': row['mean']})}{null} (n = {row['seeds']})"


def _number(row: Row, unit: str = "") -> str:
    """A value with its interval; "omitted" without one."""
    if row["value"] is None:
        return "omitted"
    value = f"{_shown(row['value'])}{' ' * bool(unit)}{unit}"
    return value if row["low"] is None else f"{value} [{_shown(row['low'])}, {_shown(row['high'])}]"


def _shown(value: float) -> str:
    """Three decimals below ten, one above, a true minus sign, no minus before zero."""
    text = f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"
    return f"\u2212{text[1:]}" if text.startswith("-") and float(text) != 0 else text.lstrip("-")
