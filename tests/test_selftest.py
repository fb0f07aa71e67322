"""The self-test: what a judge says of either kind of numbers, what is refused, and all controls on shipped models."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from backsight import __version__, results, selftest
from backsight.errors import DataError, UsageError
from backsight.measurements import relevance
from backsight.models import by_hand
from backsight.models.sites import Edit
from backsight.models.vlm import VLM
from backsight.results import selftest as outcomes
from backsight.results.selftest import Checked, Outcome
from backsight.selftest import evidence, lookup, order, repairs, settings
from backsight.selftest.base import Bench, Control, Seen, layers
from backsight.stimuli.questions import DIRECTIONS
from tests.conftest import Command
from tests.test_report import behaviour_rows, interchange_rows, page_of, study_record, write_study

Sides = tuple[bool, bool]
ROOT = Path(__file__).parent.parent
CHECK = Checked("interchange", "window", "a: layer 3", "layer 3", True, "b: none", "no layer", True)


def outcome(*checks: Checked, **changes: Any) -> Outcome:
    return replace(Outcome({"backsight": __version__, "torch": "1"}, "small", checks), **changes)


def sides(seen: Seen) -> Sides:
    return bool(seen.fires), bool(seen.silent)


# The judges, on numbers of which each makes one side false.


def means(outcome: str, values: list[float], other: str = "p_clean", rest: list[float] | None = None) -> pd.DataFrame:
    return pd.DataFrame({outcome: values, other: rest or [0.0] * len(values), "pairs": 24})


@pytest.mark.parametrize(
    ("window", "counterfactual", "expected"),
    [
        ({2, 3, 4}, [0, 0, 0, 0, 0.9, 1], (True, True)),
        ({2, 4}, [0, 0, 0, 0, 0.9, 1], (False, True)),  # not at S
        (set(), [0, 0, 0, 0, 0.9, 1], (False, True)),
        ({0, 3}, [0, 0, 0, 0, 0.9, 1], (True, False)),  # where both runs have the same token
        ({3, 5}, [0, 0, 0, 0, 0.9, 1], (True, False)),  # where the answer is made
        ({3}, [0, 0, 0, 0.2, 0.9, 1], (True, False)),  # knows of the picture before it can see it
    ],
)
def test_the_ordinal_window_is_judged(window: set[int], counterfactual: list[float], expected: Sides) -> None:
    shown = means("p_ordinal", [0, 0, 0.8, 0.95, 0.6, 0], "p_counterfactual", counterfactual)
    seen = order.ordinal(window, shown, 3, "builtin:staged")
    assert sides(seen) == expected
    assert seen.power == ({"model": "builtin:staged", "layer": 3, "share": 0.95, "pairs": 24},)


@pytest.mark.parametrize(
    ("mine", "others", "measured", "expected"),
    [
        ({3, 4}, set(), True, (True, True)),
        ({2, 4}, set(), True, (False, True)),
        ({0, 3}, set(), True, (True, False)),  # the embeddings hold no position
        ({3}, {5}, True, (True, False)),  # the other model writes order into no token
        ({3}, set(), False, (False, False)),  # and a model without kept pairs shows nothing
    ],
)
def test_flips_are_judged(mine: set[int], others: set[int], measured: bool, expected: Sides) -> None:
    shown = means("p_flipped", [0, 0, 0, 0.98, 0.6, 0])
    assert sides(order.flips(mine, shown, 3, others, measured, "builtin:staged")) == expected


@pytest.mark.parametrize(
    ("strips", "objects", "staged", "expected"),
    [
        (0.99, 0.01, 0.0, (True, True)),
        (0.6, 0.01, 0.0, (False, True)),
        (0.99, 0.5, 0.0, (True, False)),
        (0.99, 0.01, 0.5, (True, False)),
    ],
)
def test_strips_are_judged(strips: float, objects: float, staged: float, expected: Sides) -> None:
    background = {"strips": means("p_flipped", [strips, 0]), "objects": means("p_flipped", [objects, 0])}
    other = {"strips": means("p_flipped", [staged, 0]), "objects": means("p_flipped", [0.0, 0])}
    assert sides(order.ground(background, other)) == expected
    assert sides(order.ground(background | {"strips": means("p_flipped", [])}, other)) == (False, False)


@pytest.mark.parametrize(
    ("at", "entering", "vision", "mixed", "expected"),
    [
        (1.0, 0.33, 1.0, 0.3, (True, True)),
        (0.6, 0.33, 1.0, 0.3, (False, True)),
        (1.0, 0.33, 0.5, 0.3, (False, True)),
        (1.0, 0.9, 1.0, 0.3, (True, False)),
        (1.0, 0.33, 1.0, 0.7, (True, False)),
    ],
)
def test_probes_are_judged(at: float, entering: float, vision: float, mixed: float, expected: Sides) -> None:
    rows = [("resid_pre", 0, entering), ("resid_pre", 1, 0.5), ("resid_pre", 2, at)]
    deep = pd.DataFrame(rows, columns=["site", "layer", "objects"]).assign(shown="standard", objects_shuffled=mixed)
    flat = pd.DataFrame({"objects": [vision], "objects_shuffled": [0.3]})
    assert sides(order.readable(deep, flat, 2)) == expected


@pytest.mark.parametrize(("own", "other", "expected"), [(1, 0.3, (True, True)), (0.5, 0.8, (False, False))])
def test_probe_maps_are_judged(own: float, other: float, expected: Sides) -> None:
    def shown(share: float) -> pd.DataFrame:
        rows = {"object": [0, 0, None], "place": [0, 1, 0], "share": [share, 0.0, 0.0]}
        return pd.DataFrame(rows).astype({"object": "Int64"})

    assert sides(order.mapped(shown(own), shown(other))) == expected


def test_verdicts_are_judged() -> None:
    assert sides(order.judged("vision", "vision", "cannot tell")) == (True, True)
    assert sides(order.judged("vision", "cannot tell", "language")) == (False, False)


def test_accuracies_are_judged() -> None:
    assert sides(evidence.accurate(1.0, 0.25, 0.25)) == (True, True)
    assert sides(evidence.accurate(0.9, 0.5, 0.25)) == (False, False)
    assert sides(evidence.accurate(1.0, 0.25, 0.3)) == (True, False)


def gains(low: float, count: int = len(evidence.KNOWN)) -> pd.DataFrame:
    names = list(evidence.KNOWN[:count])
    return pd.DataFrame({"dae_gain_low": [low] * count, "dae": [12.0] * count}, index=names)


@pytest.mark.parametrize(
    ("subject", "corner", "uniform", "expected"),
    [
        (gains(70.0), gains(-20.0), 0.0, (True, True)),
        (gains(70.0, 3), gains(-20.0), 0.0, (False, True)),  # a method without a compass
        (gains(-1.0), gains(-20.0), 0.0, (False, True)),
        (gains(70.0), gains(5.0), 0.0, (True, False)),
        (gains(70.0), gains(-20.0), 4.0, (True, False)),
    ],
)
def test_compasses_are_judged(subject: Any, corner: Any, uniform: float, expected: Sides) -> None:
    assert sides(evidence.pointing(subject, corner, uniform)) == expected


def effects(own: float, correlation: float = 0.5, angles: int = 12) -> pd.DataFrame:
    rows = [("knockout", own, None), ("point_at_subject", 10.0, 0.4), ("subject_box", 10.0, correlation)]
    frame = pd.DataFrame(rows, columns=["method", "dae", "correlation"])
    return frame.assign(form="attention", angles=angles)


def test_effects_are_judged() -> None:
    assert sides(evidence.effects(effects(12.0), effects(0.0, angles=0))) == (True, True)
    assert sides(evidence.effects(effects(80.0), effects(0.0, angles=0))) == (False, True)
    assert sides(evidence.effects(effects(12.0, -0.1), effects(0.0, angles=3))) == (False, False)


def score(value: float, low: float, change: float = 0.0) -> pd.DataFrame:
    columns = {"sector": "true", "of": "prediction", "over": "options"}
    return pd.DataFrame([columns | {"score": value, "low": low, "high": value + 1, "change": change}])


def test_occlusion_is_judged() -> None:
    assert sides(evidence.hidden(score(1.0, 0.5), score(0.0, 0.0))) == (True, True)
    assert sides(evidence.hidden(score(1.0, -0.5), score(0.3, 0.0))) == (False, False)
    assert sides(evidence.hidden(score(1.0, 0.5), score(0.0, 0.0, -0.2))) == (True, False)


def test_the_mirror_and_the_moved_subject_are_judged() -> None:
    def r(low: float, high: float, names: tuple[str, ...] = evidence.FEW) -> pd.DataFrame:
        return pd.DataFrame({"low": low, "high": high}, index=list(names))

    assert sides(evidence.turned(r(0.95, 1), r(-0.2, 0.1))) == (True, True)
    assert sides(evidence.turned(r(0.5, 1), r(-0.2, 0.8))) == (False, False)
    assert sides(evidence.turned(r(0.95, 1, ("creg",)), r(-0.2, 0.1))) == (False, True)

    def gain(low: float) -> pd.DataFrame:
        return pd.DataFrame({"gain_low": low, "followed": 20.0}, index=list(evidence.FEW))

    assert sides(evidence.followed(gain(50.0), gain(-9.0))) == (True, True)
    assert sides(evidence.followed(gain(-1.0), gain(2.0))) == (False, False)


def test_explanations_are_judged() -> None:
    right: Any = [SimpleNamespace(dae=10.0, peak=0.0)] * 3
    wrong: Any = [SimpleNamespace(dae=60.0, peak=0.0)]
    none: Any = [SimpleNamespace(dae=None, peak=None)] * 3
    assert sides(evidence.told(right, none)) == (True, True)
    assert sides(evidence.told([*right, *wrong], wrong)) == (False, False)
    assert sides(evidence.told(none, [])) == (False, False)


def test_repairs_are_judged() -> None:
    assert sides(repairs.restored(1.0, 0.25, 1.0, 0.25)) == (True, True)
    assert sides(repairs.restored(1.0, 0.25, 0.9, 0.9)) == (False, False)
    assert sides(repairs.restored(1.0, 1.0, 1.0, 1.0)) == (False, True)  # nothing was broken

    def summary(low: float, high: float, random: float) -> pd.DataFrame:
        rows = [("probe", 0.6, low, 0.9), ("random", random, 0.0, high)]
        frame = pd.DataFrame(rows, columns=["directions", "corrected", "corrected_low", "corrected_high"])
        return frame.assign(form="projected", suite="lookup", alpha=4.0)

    assert sides(repairs.corrected(summary(0.4, 0.2, 0.1))) == (True, True)
    assert sides(repairs.corrected(summary(0.4, 0.5, 0.4))) == (False, False)
    assert sides(repairs.corrected(summary(0.4, 0.2, np.nan))) == (False, False)


def test_the_phase_range_is_judged() -> None:
    def table(column: float, above: float) -> pd.DataFrame:
        rows = [("sliding_attention", "column", column, column * 11), ("sliding_attention", "row", 12.0, 132.0)]
        rows += [("full_attention", "column", above / 11, above)]
        return pd.DataFrame(rows, columns=["layers", "axis", "radians_cell", "radians_grid"]).assign(frequency=0)

    expected = {"column": np.array([1.0]), "row": np.array([12.0])}
    assert sides(settings.turned(table(1.0, 1e-8), expected)) == (True, True)
    assert sides(settings.turned(table(0.5, 0.1), expected)) == (False, False)


def test_spans_are_read_as_they_are_written() -> None:
    assert layers("2-4, 6") == {2, 3, 4, 6} and layers("") == set() and layers("0") == {0}


# The models by hand: what is known of them, without the measurements.


@pytest.fixture(scope="module")
def by_evidence() -> dict[str, VLM]:
    return {name: lookup.lookup(name) for name in ("subject", "corner", "nowhere")}  # type: ignore[arg-type]


def attended(vlm: VLM) -> torch.Tensor:
    """The attention weights of the last position to image tokens in the last block (example, image_token)."""
    batch = vlm.prepare(list(lookup.scenes(8)))
    scores: list[torch.Tensor] = []

    def kept(rows: torch.Tensor) -> torch.Tensor:
        scores.append(rows.detach())
        return rows

    with vlm.editing(Edit("scores", kept)):
        vlm.forward(batch)
    (examples, positions), keys = batch.input_ids.shape, scores[-1].shape[-1]
    weights = scores[-1].reshape(examples, positions, keys)[:, -1].softmax(-1)  # one head
    return torch.stack([row[mask] for row, mask in zip(weights, batch.image_mask, strict=True)])


def test_the_last_position_looks_at_the_subject_at_a_corner_or_nowhere(by_evidence: dict[str, VLM]) -> None:
    scenes = lookup.scenes(8)
    grid = by_evidence["subject"].grid
    for number, weights in enumerate(attended(by_evidence["subject"])):
        token = grid.tokens_in(scenes[number].boxes["red square"], 0.5)
        assert len(token) == 1 and float(weights[token].sum()) > 0.9
    corner = [by_hand.SIDE * row + column for row, column in by_hand.CORNER]
    assert float(attended(by_evidence["corner"])[:, corner].sum(-1).min()) > 0.9
    assert np.ptp(attended(by_evidence["nowhere"]).numpy()) < 1e-6


def test_the_written_directions_are_those_of_the_scenes() -> None:
    written = by_hand.written()
    scenes = lookup.scenes(32)
    assert len({e.image_id for e in scenes}) == 32
    grid = lookup.lookup().grid
    for example in scenes:
        (token,) = grid.tokens_in(example.boxes["red square"], 0.5)
        assert DIRECTIONS[int(written[int(token)].argmax())] == example.direction
    assert [sum(e.direction == name for e in scenes) for name in DIRECTIONS] == [8] * 4
    assert written.sum(1).eq(1).all() and written.sum(0).tolist() == [30, 30, 20, 20]  # diagonals count as across


def test_a_picture_does_not_come_through_where_there_is_no_evidence(by_evidence: dict[str, VLM]) -> None:
    blind = by_evidence["nowhere"]
    logits = blind.forward(blind.prepare(list(lookup.scenes(4))))
    numbers = torch.stack([relevance.option_logits(blind, row, ("1", "2", "3", "4")) for row in logits])
    assert np.ptp(numbers.numpy()) < 1e-6


# What is refused.


def test_a_control_without_a_known_answer_is_refused() -> None:
    def judge(_: Bench) -> Seen:
        return Seen("", True, "", True)

    for must_fire, must_not in (("", "b: none"), ("a: all", " ")):
        with pytest.raises(UsageError, match="known answer on both sides") as caught:
            Control("mine", "all", must_fire, must_not, judge)
        assert "control of mine" in str(caught.value) and "do:" in str(caught.value)


@pytest.fixture
def own_controls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Control]]:
    controls: list[Control] = []
    monkeypatch.setattr(selftest, "CONTROLS", controls)
    yield controls


def control(fires: bool = True, silent: bool = True, **changes: Any) -> Control:
    one = Control("interchange", "window", "a: fires", "b: none", lambda _: Seen("fired", fires, "did not", silent))
    return replace(one, **changes)


def test_a_missing_model_is_said_before_anything_is_run(own_controls: list[Control], command: Command) -> None:
    def judge(_: Bench) -> Seen:
        raise AssertionError("nothing is to be run")

    own_controls += [control(judge=judge), control(models=("nowhere", "plain", "away"), measurement="creg")]
    left = command("selftest")
    assert left.code == 2 and left.out == ""
    assert "no builtin:nowhere, no builtin:away" in left.err and "control of creg" in left.err
    assert "--model nowhere=DIR" in left.err
    own_controls[0] = control()
    assert command("selftest", "--measurement", "interchange").code == 0


def test_what_cannot_be_used_is_said(own_controls: list[Control], command: Command, tmp_path: Path) -> None:
    own_controls.append(control())
    (tmp_path / "file").write_text("")
    wrong = {
        "There is no such measurement": ("--measurement", "smell"),
        "There is no such number of samples": ("--samples", "huge"),
        "This names no model and folder": ("--model", "staged"),
        "There is no such folder": ("--model", f"staged={tmp_path / 'none'}"),
        "No control asks for this model": ("--model", f"staged={tmp_path}"),
        "is a file": ("--out", tmp_path / "file"),
        "is a folder": ("--write", tmp_path),
        "no outcome of a version": ("--write", tmp_path / "x.json", "--measurement", "interchange"),
    }
    for words, arguments in wrong.items():
        left = command("selftest", *arguments)
        assert left.code == 2 and words in left.err, (words, left)


# The outcome.


def test_a_failed_control_exits_with_1_and_is_written(
    own_controls: list[Control], command: Command, tmp_path: Path
) -> None:
    own_controls += [control(), control(about="other", silent=False)]
    left = command("selftest", "--out", tmp_path / "new", "--write", tmp_path / "shipped.json")
    assert left.code == 1 and "failed" in left.out and "1 of 2 controls failed" in left.out
    written = (tmp_path / "shipped.json").read_text()
    assert written == (tmp_path / "new" / "selftest.json").read_text()
    read = Outcome.read(tmp_path / "shipped.json")
    assert [one.passed for one in read.checks] == [True, False] and read.as_dict() == json.loads(written)
    assert set(read.versions) == {"backsight", "torch", "transformers"} and str(tmp_path) not in written
    again = command("selftest", "--json")
    assert again.code == 1 and json.loads(again.out) == json.loads(written)


def test_a_measurement_without_a_control_is_listed_and_does_not_fail(
    own_controls: list[Control], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = replace(results.RESULTS["moved"], schema=replace(results.RESULTS["moved"].schema, name="mine"))
    monkeypatch.setattr(results, "RESULTS", {})
    monkeypatch.setattr(selftest, "RESULTS", {"interchange": results.base, "mine": mine})
    own_controls.append(control())
    left = command("selftest")
    assert left.code == 0 and "mine" in left.out and "no control" in left.out
    assert "1 measurement has no control" in left.out


def test_every_registered_measurement_has_a_control() -> None:
    assert [name for name in selftest.measurements() if not selftest._has_control(name)] == []


def test_the_sentence_of_a_measurement_is_that_of_its_controls() -> None:
    failed = replace(CHECK, about="strips", silent=False)
    passed = outcomes.sentence("interchange", outcome(CHECK, CHECK))
    assert passed == "In this version it fires where it must and stays silent where it must not: 2 controls passed."
    assert "1 control passed" in outcomes.sentence("interchange", outcome(CHECK))
    assert "fails 1 of 2 controls (strips)" in outcomes.sentence("interchange", outcome(CHECK, failed))
    assert "fails its control (strips)" in outcomes.sentence("interchange", outcome(failed))
    assert "has no control" in outcomes.sentence("probes", outcome(CHECK))
    assert "not run for this version" in outcomes.sentence("interchange", None)
    older = outcome(CHECK, versions={"backsight": "0.0.1"})
    assert outcomes.sentence("interchange", older).startswith("In version 0.0.1 (not in this one")


def test_the_summary_counts() -> None:
    failed = replace(CHECK, fires=False)
    assert outcomes.summary(outcome(CHECK)) == "In this version all 1 controls passed."
    assert "1 of 2 controls failed" in outcomes.summary(outcome(CHECK, failed))
    assert outcomes.summary(outcome(CHECK, without=("a", "b"))).endswith("; 2 measurements have no control.")
    rows = outcome(CHECK, failed, without=("mine",)).grid().rows
    assert [row[-1] for row in rows] == ["passed", "failed", "no control"]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"checks": [{"measurement": "x"}]}'])
def test_another_file_is_no_outcome(tmp_path: Path, text: str) -> None:
    (tmp_path / "selftest.json").write_text(text)
    with pytest.raises(DataError, match="no outcome of a self-test"):
        Outcome.read(tmp_path / "selftest.json")


def test_the_shipped_outcome_is_of_this_version_and_whole() -> None:
    shipped = outcomes.shipped()
    assert shipped is not None
    assert shipped.versions["backsight"] == __version__ and not shipped.failed
    assert {one.measurement for one in shipped.checks} == set(selftest.measurements()) - set(shipped.without)
    assert set(shipped.power) == {"interchange", "image_interchange"}


@pytest.mark.slow
def test_every_measurement_fires_where_it_must_and_nowhere_else(command: Command) -> None:
    left = command("selftest", "--json")
    outcome = json.loads(left.out)
    assert [one for one in outcome["checks"] if not one["passed"]] == [] and left.code == 0


# The report.


@pytest.fixture
def page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def write(shown: Outcome | None) -> str:
        monkeypatch.setattr(outcomes, "shipped", lambda: shown)
        folder = tmp_path / f"study {shown is None}"
        write_study(folder, study_record("squares"), behaviour_rows("squares"), interchange_rows("squares"))
        return page_of(folder)

    return write


def test_a_report_says_how_each_measurement_did_on_its_controls(page: Any) -> None:
    text = page(outcome(CHECK, without=("behaviour",)))
    assert ' id="controls">' in text and '<a href="#controls">Controls</a>' in text
    assert "interchange: In this version it fires where it must" in text
    assert "behaviour: This measurement has no control" in text and "no control</td>" in text


def test_a_report_says_that_a_control_failed_or_was_not_run(page: Any) -> None:
    assert "it fails its control (window)" in page(outcome(replace(CHECK, fires=False)))
    without = page(None)
    assert "Its control was not run for this version." in without and 'id="controls"' not in without


def test_the_readme_counts_the_controls_of_this_version() -> None:
    stored = json.loads((ROOT / "src/backsight/builtin/selftest.json").read_text(encoding="utf-8"))["checks"]
    passed = sum(one["passed"] for one in stored)
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert passed == len(stored) and f"in this version all {passed} controls passed" in readme
