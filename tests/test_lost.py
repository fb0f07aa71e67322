"""Where position is readable, and the part of the model that it is lost in, from rows of the probes' summary."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from backsight.results.pages.study import Study
from backsight.results.probes import PROBES_SUMMARY
from backsight.results.probes.lost import readable, records
from backsight.tables import Table

Row = dict[str, Any]
BLOCKS, EMBEDDINGS, LAYERS = ("vision", 3), ("image_embeds", 1), ("resid_pre", 3)


def summary(able: str, *, suite: str = "squares", arrangement: str = "horizontal", **changes: Any) -> list[Row]:
    """A summary of 3 vision blocks, embeddings and 3 layers; `able` has a letter each: y, n (above chance), c, ?, -."""
    places = [(site, layer) for site, count in (BLOCKS, EMBEDDINGS, LAYERS) for layer in range(count)]
    rows: list[Row] = []
    for (site, layer), letter in zip(places, able, strict=True):  # c: at chance, ?: omitted, -: absent
        share = {"y": 0.97, "c": 0.35}.get(letter, 0.5 + layer / 100)
        for measure, value in (("objects", share), ("selectivity", share - 0.4)):
            row: Row = {"suite": suite, "arrangement": arrangement, "shown": "standard", "site": site, "layer": layer}
            row |= {"measure": measure, "share": value, "low": value - 0.05, "high": value + 0.02}
            row |= {"pictures": 12, "chance": 1 / 3 if measure == "objects" else 0.0, "omitted": letter == "?"}
            if letter == "?":
                row |= {"share": None, "low": None, "high": None}
            rows += [] if letter == "-" else [row | changes]
    return rows


@pytest.mark.parametrize(
    ("able", "lost", "first"),
    [
        ("yyyyyyy", "nowhere", ("vision", 0)),
        ("nnyyyyy", "nowhere", ("vision", 2)),
        ("yynyyyy", "vision encoder", ("vision", 0)),
        ("nyynyyy", "projector", ("vision", 1)),
        ("nyynnnn", "projector", ("vision", 1)),
        ("nyyynnn", "language model", ("vision", 1)),
        ("nnnyyyy", "nowhere", ("image_embeds", 0)),
        ("nnnnnny", "nowhere", ("resid_pre", 2)),
        ("nnnnnnn", "partly readable", None),
        ("ccnncnc", "partly readable", None),
        ("ccccccc", "never readable", None),
        ("---nnnn", None, None),
        ("---yyyy", None, ("image_embeds", 0)),
        ("---ynnn", "language model", ("image_embeds", 0)),
        ("yyyn---", "projector", ("vision", 0)),
        ("yyy????", None, ("vision", 0)),
        ("???????", None, None),
    ],
)
def test_the_part_that_position_is_lost_in(able: str, lost: str | None, first: tuple[str, int] | None) -> None:
    (one,) = records(summary(able))
    assert (one.lost, one.first) == (lost, first)


@pytest.mark.parametrize(
    ("able", "part", "end"),
    [("yynyyyy", "vision encoder", 2), ("nyynnnn", "projector", 0), ("nyyynnn", "language model", 2)],
)
def test_a_loss_is_shown_where_the_intervals_lie_apart(able: str, part: str, end: int) -> None:
    """The best before is .97 [.92, .99]; the interval behind the loss ends below or above .92."""
    site = {"vision encoder": "vision", "projector": "image_embeds", "language model": "resid_pre"}[part]
    for high, lost in ((0.91, part), (0.93, "nowhere")):
        rows = [row | ({"high": high} if (row["site"], row["layer"]) == (site, end) else {}) for row in summary(able)]
        (one,) = records(rows)
        assert one.lost == lost and one.first is not None


def test_a_stage_has_its_layers_and_its_best_number() -> None:
    (one,) = records(summary("nynynnn"))
    assert one.vision is not None and one.language is not None and one.projector is not None
    assert (one.vision.layers, one.vision.readable, one.vision.last) == ((0, 1, 2), (1,), False)
    assert (one.vision.best, one.vision.share) == (1, 0.97)
    assert (one.vision.low, one.vision.high) == (pytest.approx(0.92), pytest.approx(0.99))
    assert (one.projector.readable, one.projector.last) == ((0,), True)
    assert (one.language.readable, one.language.best, one.language.share) == ((), 2, pytest.approx(0.52))
    assert one.vision.end_high == pytest.approx(0.54) and one.vision.above and one.language.above
    assert (one.pictures, one.chance) == (12, pytest.approx(1 / 3))


def test_a_share_without_a_lead_over_shuffled_positions_is_not_readable() -> None:
    rows = [row | ({"low": -0.01} if row["measure"] == "selectivity" else {}) for row in summary("yyyyyyy")]
    (one,) = records(rows)
    assert one.first is None and one.lost == "partly readable"


def test_what_was_not_measured_or_is_omitted_is_none() -> None:
    (one,) = records(summary("---y???"))
    assert one.vision is None and one.language is None and one.projector is not None
    assert records([]) == ()
    shifted = [row | {"shown": "shifted"} for row in summary("yyyyyyy")]
    assert records(shifted) == ()


def test_a_record_a_suite_and_arrangement_in_the_order_of_the_study(tmp_path: Path) -> None:
    rows = summary("yyyyyyy", suite="squares") + summary("ccccccc", suite="objects", arrangement="vertical")
    study = Study(tmp_path, {}, {"probes_summary": Table.of(PROBES_SUMMARY, rows)})
    found = [(one.suite, one.arrangement, one.lost) for one in readable(study)]
    assert found == [("squares", "horizontal", "nowhere"), ("objects", "vertical", "never readable")]
    assert readable(Study(tmp_path, {}, {})) == ()
