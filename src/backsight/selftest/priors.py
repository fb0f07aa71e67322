"""Controls of language prior against pixels, of text against picture, and of resolution.

Of the models whose weights are set by hand one reads the picture and nothing else, one a sentence of the text and
nothing of the picture, and one neither, so that it gives the blank image's answer whatever it is shown. `vision` writes
position into image embeddings, and `language` writes none.
"""

from __future__ import annotations

import pandas as pd

from backsight.measurements import Priors, Resolution, Text
from backsight.results import RESULTS
from backsight.selftest import lookup
from backsight.selftest.base import Bench, Control, Seen
from backsight.tables import Table

PRIOR = 0.5  # what speaks for the answer "1" where nothing else does
HARDLY = 0.1


def prior(bench: Bench) -> Seen:
    """Scenes whose answer is another than the blank image's, and pictures upside down."""
    scenes = lookup.scenes(bench.count("repaired"))
    blind, seeing = (
        _summary(bench.rows(vlm, Priors(), scenes, len(scenes)))
        for vlm in (bench.lookup("nowhere", prior=PRIOR), bench.lookup())
    )
    return stays(blind, seeing)


def stays(blind: pd.DataFrame, seeing: pd.DataFrame) -> Seen:
    """By the summaries of a model that sees nothing and of one that sees all."""
    fires = _line(blind, "reversed")
    both = [_line(seeing, condition) for condition in ("reversed", "upside down")]
    shares = [float(one["prior"]) for one in both]
    return Seen(
        f"prior {fires['prior']:.2f}, {fires['excess']:+.2f} over even errors",
        bool(fires["prior"] == 1 and fires["excess_low"] > 0),
        f"prior {shares[0]:.2f} reversed, {shares[1]:.2f} upside down",
        all(share == 0 for share in shares) and all(float(one["pixels"]) == 1 for one in both),
    )


def text(bench: Bench) -> Seen:
    """A false sentence before the question, to a model that reads it and to one that cannot."""
    scenes = lookup.scenes(bench.count("scenes"))
    reading, looking = (
        _summary(bench.rows(vlm, Text(), scenes, len(scenes)))
        for vlm in (bench.lookup("text", prior=PRIOR), bench.lookup())
    )
    return believed(reading, looking)


def believed(reading: pd.DataFrame, looking: pd.DataFrame) -> Seen:
    """By the summaries of a model that reads sentences only, and of one that reads the picture only."""
    one, other = (frame[(frame["shown"] == "picture") & (frame["sentence"] == "false")].iloc[0]
                  for frame in (reading, looking))  # fmt: skip
    return Seen(
        f"text {one['text']:.2f}, {one['text_difference']:+.2f} over the neutral sentence",
        bool(one["text"] == 1 and one["text_difference_low"] > 0),
        f"text {other['text']:.2f}, {other['text_difference']:+.2f} over the neutral sentence",
        bool(other["text"] == 0 and other["text_difference"] == 0 and other["picture"] == 1),
    )


def resolution(bench: Bench) -> Seen:
    """What probes of the language model's input read, where position is written there and where it is not."""
    count = bench.count("rows")
    read = []
    for name in ("vision", "language"):
        vlm = bench.builtin(name)
        rows = bench.rows(vlm, Resolution(sizes=((8, 8),)), bench.squares(vlm), count)
        probes = RESULTS["resolution"].further[0].make(rows).frame
        read.append(probes[(probes["layer"] == 0) & (probes["fitted"] == "own") & (probes["size"] == "own")])
    return reads(*read)


def reads(there: pd.DataFrame, nowhere: pd.DataFrame) -> Seen:
    """By the probes' lines of a model with position at its input, and of one without; a line an axis."""
    return Seen(
        f"gain over shuffled {_least(there):+.2f} at least",
        bool(len(there)) and bool((there["gain_low"] > 0).fillna(False).all()),
        f"gain over shuffled {_most(nowhere):+.2f} at most",
        bool(len(nowhere)) and bool((nowhere["gain_low"] <= HARDLY).fillna(False).all()),
    )


def _least(lines: pd.DataFrame) -> float:
    return float(lines["gain"].astype(float).min()) if len(lines) else float("nan")


def _most(lines: pd.DataFrame) -> float:
    return float(lines["gain"].astype(float).max()) if len(lines) else float("nan")


def _summary(rows: Table) -> pd.DataFrame:
    result = RESULTS[rows.schema.name]
    assert result.summary is not None
    return result.summary.make(rows).frame


def _line(frame: pd.DataFrame, condition: str) -> pd.Series[float]:
    return frame[(frame["direction"] == "all") & (frame["condition"] == condition)].iloc[0]


CONTROLS: tuple[Control, ...] = (
    Control("priors", "the blank image's answer, and upside down",
            "by hand, evidence nowhere: the blank image's answer in every scene",
            "by hand, evidence in the subject: none follows a prior, reversed or upside down", prior),
    Control("text", "a false sentence", "by hand, reads a sentence and no picture: all answers follow the text",
            "by hand, reads the picture and no text: none follows, and nothing changes", text),
    Control("resolution", "thirds of the picture, read by probes", "vision: readable at the language model's input",
            "language: nothing of position is written there", resolution, ("vision", "language")),
)  # fmt: skip
