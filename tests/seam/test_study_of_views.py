"""A study of a family whose pictures give several views: what it says of the grid, and what it leaves out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backsight import stimuli
from backsight.errors import CannotAnswer
from backsight.examples import ExampleSet
from backsight.measurements import Amplify, ProbeMaps, Probes
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.studies import Options, Study, default_sets

from .test_families import noise, two_views

WHY = "The grid has no rows and columns to lay a suite out on: its tokens are not one rectangle of cells"


@pytest.fixture(scope="module")
def halves() -> VLM:
    return VLM(**two_views(), name="halves", check=False)


def test_a_study_of_own_questions_writes_its_report(halves: VLM, tmp_path: Path) -> None:
    own = ExampleSet("own", tuple(noise(number, (336, 336)) for number in range(4)))
    sets, skipped = default_sets(halves)
    folder = Study(halves, [*sets, own], tmp_path / "out", Options(only=("behaviour/own",)), skipped=skipped).run()
    assert [job["name"] for job in json.loads((folder / "study.json").read_text())["jobs"]] == ["behaviour/own"]
    assert "72 image tokens in 2 views" in write_report(folder).read_text()


def test_suites_that_need_a_rectangle_are_skipped_with_the_reason(halves: VLM) -> None:
    sets, skipped = default_sets(halves)
    assert [examples.name for examples in sets] == ["tabletop_a", "tabletop_b"]
    assert {one.set_name for one in skipped} >= {"squares", "pairs", "pairs_textured_a", "hard", "jittered_objects"}
    assert {(one.measurement, one.reason) for one in skipped} == {("all", f"{WHY}: 72 tokens in 2 view(s)")}


@pytest.mark.parametrize("measurement", [Probes(), ProbeMaps(), Amplify()], ids=lambda one: type(one).__name__)
def test_what_reads_rows_and_columns_is_refused_first(halves: VLM, measurement: Probes | Amplify) -> None:
    with pytest.raises(CannotAnswer, match="The image tokens of this architecture are not one rectangle of cells"):
        measurement(halves, stimuli.squares().limit(8))
