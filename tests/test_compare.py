"""Comparing studies: paired numbers worked out by hand, what is paired at all, the gate, the page, the errors."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import unescape
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from scipy import stats

from backsight import schemas
from backsight.errors import BacksightError, DataError, StudyError, UsageError
from backsight.figures import plot, to_svg
from backsight.figures.comparison import sorted_metrics
from backsight.maths import comparison
from backsight.maths.intervals import RESAMPLES, Interval, holm
from backsight.studies.compare import Comparison, compare, holds_comparison, matches
from backsight.studies.compare_metrics import KINDS
from backsight.tables import Schema, Table

from .conftest import Command
from .test_report import words

Row = dict[str, Any]
HOSTILE = "<script>alert(1)</script>"
ALL = "accuracy/squares/all/options"


# Studies made by hand: a table is a list of rows of which only what a comparison reads is given.


def filled(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Table:
    """Rows under a schema; what they do not name is missing."""
    return Table.of(schema, [dict.fromkeys(schema.columns) | dict(row) for row in rows])


def answers(right: Sequence[int], *, free: Sequence[int] | None = None, per_image: int = 2, seed: int = 0) -> Table:
    """Questions right (1) or wrong (0), `per_image` about a picture; those about a gray picture are all wrong."""
    rows: list[Row] = []
    for n, one in enumerate(right):
        row: Row = {
            "example_id": f"e{n}",
            "image_id": f"i{n // per_image}-seed{seed}",
            "question": "?",
            "answer": "red",
        }
        row |= {"direction": ("left", "right")[n % 2], "condition": "picture", "choice_correct": bool(one)}
        row |= {"free_correct": bool((free or right)[n])}
        rows += [row, row | {"condition": "gray", "choice_correct": False, "free_correct": False}]
    return filled(schemas.BEHAVIOUR, rows)


def make(
    folder: Path, tables: Mapping[str, Table], *, measured: Mapping[str, Row] | None = None, **changes: Any
) -> Path:  # fmt: skip
    """A finished study's folder with a job a table; keys of `tables` are kind/set."""
    record: Row = {"format": 1, "backsight": "0.1.0", "command": "", "seed": 0, "verdict": None, "finished": True}
    record |= {"model": {"name": "m", "fingerprint": str(folder), "dtype": "float32"}, "skipped": []}
    record |= {"options": {"limit": None, "quick": False, "max_pixels": None}, "versions": {"torch": "2.13.0"}}
    record["jobs"] = []
    for number, (name, table) in enumerate(tables.items()):
        table.write(folder / "tables", f"job{number}")
        job = {"name": name, "set": name.split("/", 1)[1], "measurement": "M()", "tables": [f"job{number}"]}
        record["jobs"].append(job | (measured or {}).get(name, {}))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "study.json").write_text(json.dumps(record | changes), encoding="utf-8")
    return folder


def two(tmp_path: Path, one: Mapping[str, Table], other: Mapping[str, Table], **changes: Any) -> list[Path]:
    """A baseline and a tuned study."""
    return [make(tmp_path / "base", one), make(tmp_path / "tuned", other, **changes)]


def by_metric(made: Comparison) -> dict[str, Row]:
    return {row["metric"]: row for row in made.rows}


# 24 questions about 12 pictures. Base: all right. Tuned: pictures 0-5 have one of two wrong, picture 6 both.
BASE = [1] * 24
TUNED = [0, 1] * 6 + [0, 0] + [1] * 10


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    return two(tmp_path, {"behaviour/squares": answers(BASE)}, {"behaviour/squares": answers(TUNED)})


# The maths.


def test_a_paired_difference_by_hand() -> None:
    """Pictures a and b with two questions each, c with one: differences -1, -1 | 0, -1 | +1; their mean is -2/5."""
    found = comparison.paired([1, 1, 1, 1, 0], [0, 0, 1, 0, 1], ["a", "a", "b", "b", "c"])
    assert (found.samples, found.images) == (5, 3)
    assert (found.first, found.second) == (0.8, pytest.approx(0.4))
    assert found.difference.mean == pytest.approx(-0.4)
    # Totals -2, -1, +1: |total| is 2 as found; of the eight patterns of signs +-2 +-1 +-1 six reach 2 (4, 2, 2 and
    # their opposites), two give 0.
    assert found.p_value == 6 / 8


def test_the_interval_is_scipys_bootstrap_over_images() -> None:
    rng = np.random.default_rng(3)
    images = np.repeat(np.arange(20), 3)
    one, other = rng.random(60), rng.random(60)
    found = comparison.paired(one, other, images).difference
    sums = np.array([(other - one)[images == n].sum() for n in range(20)])
    drawn = stats.bootstrap(
        (sums, np.full(20, 3.0)), lambda s, n, axis=-1: s.sum(axis) / n.sum(axis), paired=True, n_resamples=RESAMPLES,
        method="percentile", rng=np.random.default_rng(0),
    ).confidence_interval  # fmt: skip
    assert found == Interval(pytest.approx((other - one).mean()), pytest.approx(drawn.low), pytest.approx(drawn.high),
                             "bootstrap")  # fmt: skip


def test_the_interval_of_two_images_by_hand() -> None:
    """Two pictures of one question each, differences 0 and -1: the mean of a resample is 0, -1/2 or -1."""
    found = comparison.paired([1, 1], [1, 0], ["a", "b"])
    assert found.difference == Interval(-0.5, -1.0, 0.0, "bootstrap")


def test_the_test_is_scipys_permutation_test_of_pairs() -> None:
    rng = np.random.default_rng(5)
    few = rng.normal(0.3, 1, 11)
    exact = stats.permutation_test((few,), np.sum, permutation_type="samples", n_resamples=np.inf)
    assert comparison.sign_flips(few, np.arange(11)) == pytest.approx(exact.pvalue)
    many = rng.normal(0, 1, 60)
    many += 0.25 - many.mean()
    drawn = stats.permutation_test(
        (many,), np.sum, permutation_type="samples", n_resamples=20_000, rng=np.random.default_rng(1)
    )
    found = comparison.sign_flips(many, np.arange(60))
    assert found == pytest.approx(drawn.pvalue, abs=0.01) and 0.001 < found < 0.2
    assert comparison.sign_flips(many, np.arange(60)) == found  # the seed is fixed


def test_for_single_answers_the_test_is_mcnemars() -> None:
    """Eight discordant questions of one picture each, seven of them lost: the sign test of 7 in 8."""
    differences = [-1.0] * 7 + [1.0] + [0.0] * 30
    expected = stats.binomtest(1, 8).pvalue
    assert comparison.sign_flips(differences, np.arange(38)) == pytest.approx(expected)


def test_the_test_takes_the_image_as_its_unit() -> None:
    """Five pictures lost whole, four questions each: 2 of 2^5 patterns, not 2 of 2^20."""
    assert comparison.sign_flips([-1.0] * 20, np.repeat(np.arange(5), 4)) == 2 / 32
    assert comparison.sign_flips([-1.0, 1.0] * 10, np.repeat(np.arange(10), 2)) == 1.0
    assert comparison.sign_flips([0.0] * 4, np.arange(4)) == 1.0


def test_where_nothing_can_reach_it_the_smallest_p_is_that_of_the_draws() -> None:
    assert comparison.sign_flips([-1.0] * 200, np.arange(200)) == 1 / 20_000


def test_rounding_is_no_difference() -> None:
    found = comparison.paired([0.5] * 12, [0.5 - 1e-6] * 12, np.arange(12))
    assert found.difference == Interval(0.0, 0.0, 0.0, "none") and found.p_value == 1.0


@pytest.mark.parametrize(
    ("low", "high", "more", "less"),
    [(-0.2, -0.1, "worse", "better"), (0.1, 0.2, "better", "worse"), (-0.1, 0.1, "no", "no"), (-0.1, 0.0, "no", "no"),
     (0.0, 0.1, "no", "no"), (0.0, 0.0, "no", "no"), (-1.0, -1.0, "worse", "better")],
)  # fmt: skip
def test_what_moved_goes_by_the_interval_and_by_p(low: float, high: float, more: str, less: str) -> None:
    found = comparison.Paired(12, 12, 1.0, 1.0, Interval((low + high) / 2, low, high, "bootstrap"), 0.049)
    assert comparison.moved(found, "more") == more
    assert comparison.moved(found, "less") == less
    assert comparison.moved(replace(found, p_value=0.05), "more") == "no"


def test_four_lost_of_twelve_are_not_shown() -> None:
    found = comparison.paired([1.0] * 12, [0.0] * 4 + [1.0] * 8, np.arange(12))
    assert found.difference.high < 0 and found.p_value == pytest.approx(0.125)
    assert comparison.moved(found, "more") == "no"


# What is compared.


def test_studies_are_compared_question_by_question(pair: list[Path]) -> None:
    made = compare(pair)
    row = by_metric(made)[ALL]
    assert row["how"] == "paired" and row["study"] == "tuned"
    assert (row["samples_baseline"], row["samples"], row["shared"], row["images"]) == (24, 24, 24, 12)
    assert (row["baseline"], row["value"], row["difference"]) == (1.0, pytest.approx(16 / 24), pytest.approx(-8 / 24))
    assert row["low"] < row["difference"] < row["high"] < 0 and row["interval"] == "bootstrap"
    assert row["moved"] == "worse" and row["better"] == "more"
    # Totals of seven pictures, -1 six times and -2 once, all of one sign: two of 2^7 patterns.
    assert row["p_value"] == 2 / 128
    left, right = (by_metric(made)[f"accuracy/squares/{side}/options"] for side in ("left", "right"))
    assert (left["difference"], right["difference"]) == (pytest.approx(-7 / 12), pytest.approx(-1 / 12))
    assert right["moved"] == "no"  # one picture of twelve: the interval reaches zero


def test_holm_corrects_over_all_paired_metrics_of_a_study(pair: list[Path], tmp_path: Path) -> None:
    pair.append(make(tmp_path / "same", {"behaviour/squares": answers(BASE)}))
    made = compare(pair)
    for study in made.studies[1:]:
        rows = made.of(study)
        assert len(rows) == 6  # all, left and right, by two read-outs
        assert [row["p_holm"] for row in rows] == holm([row["p_value"] for row in rows])
    assert by_metric(compare(pair[:2]))[ALL]["p_holm"] == 6 * 2 / 128
    assert {row["p_holm"] for row in made.of(made.studies[2])} == {1.0}


def test_read_outs_and_prompts_are_metrics_of_their_own(tmp_path: Path) -> None:
    def asked(right: Sequence[int]) -> Table:
        table = answers(right, free=[0] * 24)
        frame = table.frame.assign(prompt="A")
        return Table(schemas.BEHAVIOUR, frame)

    made = compare(two(tmp_path, {"behaviour/pairs": asked(BASE)}, {"behaviour/pairs": asked(TUNED)}))
    rows = by_metric(made)
    assert rows["accuracy/pairs/all/A/options"]["difference"] == pytest.approx(-8 / 24)
    assert rows["accuracy/pairs/all/A/free"]["difference"] == 0.0
    assert [m for m, row in rows.items() if row["drawn"]] == ["accuracy/pairs/all/A/options"]


def test_what_a_read_out_does_not_score_is_left_out(tmp_path: Path) -> None:
    table = answers(BASE)
    table.frame["free_correct"] = None
    scored = Table(schemas.BEHAVIOUR, table.frame.astype({"free_correct": "boolean"}))
    made = compare(two(tmp_path, {"behaviour/squares": scored}, {"behaviour/squares": scored}))
    assert {metric.rsplit("/", 1)[1] for metric in by_metric(made)} == {"options"}


def test_only_shared_samples_are_paired(tmp_path: Path) -> None:
    """Base has 24 questions, tuned the first 14: the means are over the 14."""
    made = compare(two(tmp_path, {"b/squares": answers(TUNED)}, {"b/squares": answers(BASE[:14])}))
    row = by_metric(made)[ALL]
    assert row["how"] == "paired"
    assert (row["samples_baseline"], row["samples"], row["shared"], row["images"]) == (24, 14, 14, 7)
    assert (row["baseline"], row["value"]) == (pytest.approx(6 / 14), 1.0)
    assert row["moved"] == "better"


def test_the_order_of_rows_plays_no_part(tmp_path: Path, pair: list[Path]) -> None:
    turned = answers(TUNED)
    shuffled = Table(turned.schema, turned.frame.sample(frac=1, random_state=1).reset_index(drop=True))
    again = make(tmp_path / "again" / "tuned", {"behaviour/squares": shuffled})
    one, other = (by_metric(compare([pair[0], folder]))[ALL] for folder in (pair[1], again))
    assert one == other


@pytest.mark.parametrize("column", ["image_id", "question", "answer"])
def test_equal_ids_of_other_content_are_not_paired(tmp_path: Path, column: str) -> None:
    """Ids repeat between seeds while pictures and questions are others."""
    other = answers(TUNED)
    frame = other.frame.assign(**{column: other.frame[column] + "-other"})
    made = compare(two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": Table(other.schema, frame)}))
    row = by_metric(made)[ALL]
    assert (row["how"], row["shared"]) == ("unpaired", 0)
    assert (row["baseline"], row["value"], row["difference"]) == (1.0, pytest.approx(16 / 24), pytest.approx(-8 / 24))
    assert row["baseline_low"] == pytest.approx(12 / (12 + 1.959964**2)) and row["baseline_high"] == 1.0  # Wilson's
    assert row["value_low"] < 16 / 24 < row["value_high"]
    assert row["low"] is row["high"] is row["p_value"] is row["p_holm"] is row["moved"] is None


def test_a_handful_is_omitted_and_few_shared_ones_are_not_paired(tmp_path: Path) -> None:
    made = compare(two(tmp_path, {"b/squares": answers(BASE[:8])}, {"b/squares": answers(BASE)}))
    row = by_metric(made)[ALL]
    assert (row["how"], row["shared"], row["baseline"], row["difference"]) == ("omitted", 8, None, None)
    base, tuned = answers(BASE), answers(TUNED)
    ids = tuned.frame["example_id"].str.slice(1).astype(int)
    frame = tuned.frame.assign(
        example_id=[f"e{n + 16}" for n in ids], image_id=[f"i{(n + 16) // 2}-seed0" for n in ids]
    )
    made = compare(two(tmp_path / "b", {"b/squares": base}, {"b/squares": Table(tuned.schema, frame)}))
    row = by_metric(made)[ALL]
    assert (row["how"], row["shared"], row["images"]) == ("unpaired", 8, 4)


def test_one_image_has_no_interval_and_is_not_paired(tmp_path: Path) -> None:
    tables = [{"b/squares": answers(right, per_image=24)} for right in (BASE, [0] * 24)]
    row = by_metric(compare(two(tmp_path, *tables)))[ALL]
    assert (row["how"], row["shared"], row["images"]) == ("unpaired", 24, 1)


def test_what_one_study_alone_has_is_listed(tmp_path: Path) -> None:
    one = {"b/squares": answers(BASE), "b/shapes": answers(TUNED)}
    rows = by_metric(compare(two(tmp_path, one, {"b/squares": answers(BASE), "b/objects": answers(BASE[:4])})))
    shapes, objects = rows["accuracy/shapes/all/options"], rows["accuracy/objects/all/options"]
    assert (shapes["how"], shapes["samples_baseline"], shapes["samples"]) == ("baseline", 24, 0)
    assert (shapes["baseline"], shapes["value"]) == (pytest.approx(16 / 24), None)
    assert (objects["how"], objects["samples"], objects["value"]) == ("study", 4, None)  # too few for a number


def roads(removed: Sequence[int], shuffled: Sequence[Sequence[int]]) -> Table:
    """Questions right between two: plain all right, removed as given, shuffled by seed."""
    rows: list[Row] = []
    for n, one in enumerate(removed):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "asked": "order", "answer": "red"}
        rows.append(common | {"condition": "plain", "correct_of_two": True})
        rows.append(common | {"condition": "removed", "correct_of_two": bool(one)})
        rows += [common | {"condition": "shuffled", "seed": seed, "correct_of_two": bool(values[n])}
                 for seed, values in enumerate(shuffled)]  # fmt: skip
    return filled(schemas.ROADS, rows)


def test_roads_are_compared_by_condition_and_shuffles_are_averaged(tmp_path: Path) -> None:
    """Each question is one sample, whatever the number of shuffles."""
    base = roads([1] * 12, [[1] * 12, [0] * 12])
    tuned = roads([0] * 6 + [1] * 6, [[1] * 12, [1] * 12])
    rows = by_metric(compare(two(tmp_path, {"roads/squares": base}, {"roads/squares": tuned})))
    assert rows.keys() == {f"roads/squares/{one}/order" for one in ("plain", "removed", "shuffled")}
    assert rows["roads/squares/removed/order"]["difference"] == -0.5
    shuffled = rows["roads/squares/shuffled/order"]
    assert (shuffled["shared"], shuffled["baseline"], shuffled["difference"]) == (12, 0.5, 0.5)
    assert shuffled["interval"] == "none" and shuffled["moved"] == "better"  # all pictures differ alike


def sweep(
    schema: Schema, column: str, means: Mapping[int, float], pairs: int = 12, dropped: int = 0, **more: Any
) -> Table:
    """Pairs with this probability at each layer, and some that were dropped."""
    common = [{"pair_id": f"p{n}", "image_id": f"i{n}", **more} for n in range(pairs)]
    rows: list[Row] = [
        one | {"kept": True, "layer": layer, column: value} for one in common for layer, value in means.items()
    ]
    for n in range(pairs - dropped, pairs):
        rows = [row for row in rows if row["pair_id"] != f"p{n}"] + [common[n] | {"kept": False}]
    return filled(schema, rows)


def test_interchanges_are_those_of_each_studys_best_layer(tmp_path: Path) -> None:
    moved = {"tokens": "objects", "vision": "removed"}
    base = {
        "interchange/squares": sweep(schemas.INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.75, 2: 0.5}),
        "backup/squares": sweep(schemas.IMAGE_INTERCHANGE, "p_flipped", {0: 0.5, 1: 0.5}, **moved),
    }
    tuned = {
        "interchange/squares": sweep(schemas.INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.2, 2: 0.5}, dropped=2),
        "backup/squares": sweep(schemas.IMAGE_INTERCHANGE, "p_flipped", {0: 0.0, 1: 1.0}, **moved),
    }  # fmt: skip
    rows = by_metric(compare(two(tmp_path, base, tuned)))
    last = rows["interchange/squares/ordinal"]
    assert (last["layer_baseline"], last["layer"], last["difference"]) == (1, 2, -0.25)
    assert (last["samples_baseline"], last["samples"], last["shared"]) == (12, 10, 10)
    backup = rows["image_interchange/squares/objects/removed"]
    assert (backup["layer_baseline"], backup["layer"], backup["difference"]) == (0, 1, 0.5)  # of equals the first


def test_the_layer_is_the_best_over_the_shared_samples(tmp_path: Path) -> None:
    """One model's answers to 12 pairs and to 36: over all 36 another layer is best, over the shared ones the same."""
    few = sweep(schemas.INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.75})
    more = sweep(schemas.INTERCHANGE, "p_ordinal", {0: 1.0, 1: 0.25}, pairs=36)
    mine = more.frame["pair_id"].isin(few.frame["pair_id"])
    both = Table.concat([few, Table(more.schema, more.frame[~mine])])
    row = by_metric(compare(two(tmp_path, {"i/squares": few}, {"i/squares": both})))["interchange/squares/ordinal"]
    assert (row["samples"], row["shared"], row["layer_baseline"], row["layer"]) == (36, 12, 1, 1)
    assert (row["difference"], row["baseline"], row["value"]) == (0.0, 0.75, 0.75)


def probes(shares: Mapping[tuple[str, int], float]) -> Table:
    """Test pictures with this share at each site and layer; shifted rows are read worse, one has no object token."""
    rows: list[Row] = []
    for n, ((site, layer), share) in product(range(12), shares.items()):
        row = {"example_id": f"e{n}", "image_id": f"i{n}", "arrangement": "horizontal", "site": site, "layer": layer}
        rows.append(row | {"shown": "standard", "objects": share if n else None})
        rows.append(row | {"shown": "shifted", "objects": 0.0, "image_id": f"i{n}-moved"})
    return filled(schemas.PROBES, rows)


def test_probes_are_compared_by_site_at_the_best_layer(tmp_path: Path) -> None:
    base = probes({("image_embeds", 0): 0.5, ("resid_pre", 0): 0.5, ("resid_pre", 3): 1.0})
    tuned = probes({("image_embeds", 0): 0.75, ("resid_pre", 0): 1.0, ("resid_pre", 3): 0.5})
    rows = by_metric(compare(two(tmp_path, {"probes/squares": base}, {"probes/squares": tuned})))
    embeds = rows["probes/squares/horizontal/image_embeds"]
    deep = rows["probes/squares/horizontal/resid_pre"]
    assert (embeds["difference"], embeds["shared"]) == (0.25, 11)
    assert (deep["difference"], deep["layer_baseline"], deep["layer"]) == (0.0, 3, 0)


def amplified(before: Sequence[int], after: Sequence[int]) -> Table:
    """Scored questions before and after at the chosen alpha; another alpha and the first half are all wrong."""
    rows: list[Row] = []
    for n, (was, now) in enumerate(zip(before, after, strict=True)):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "part": "score", "form": "projected"}
        rows.append(common | {"directions": "none", "form": None, "correct": bool(was), "chosen": False})
        rows.append(common | {"directions": "probe", "correct": bool(now), "chosen": True, "alpha": 2.0})
        rows.append(common | {"directions": "probe", "correct": False, "chosen": False, "alpha": 4.0})
        rows.append(common | {"directions": "random", "correct": False, "chosen": True, "alpha": 2.0})
        first = common | {"example_id": f"first{n}", "part": "choose", "correct": False}
        rows.append(first | {"directions": "none", "form": None, "chosen": False})
        rows.append(first | {"directions": "probe", "chosen": True, "alpha": 2.0})
    return filled(schemas.AMPLIFY, rows)


def test_amplification_is_compared_on_what_both_fail_or_both_answer(tmp_path: Path) -> None:
    """40 questions: both fail 0-11, base alone fails 12-15, both answer 16-39. Less broken is better."""
    base = amplified([0] * 16 + [1] * 24, [1] * 16 + [1] * 24)
    tuned = amplified([0] * 12 + [1] * 28, [0] * 9 + [1] * 3 + [1] * 4 + [0] * 12 + [1] * 12)
    rows = by_metric(compare(two(tmp_path, {"amplify/degraded": base}, {"amplify/degraded": tuned})))
    corrected, broken = rows["corrected/degraded/projected"], rows["broken/degraded/projected"]
    assert (corrected["samples_baseline"], corrected["samples"], corrected["shared"]) == (16, 12, 12)
    assert (corrected["difference"], corrected["moved"], corrected["better"]) == (-0.75, "worse", "more")
    assert (broken["samples_baseline"], broken["samples"], broken["shared"]) == (24, 28, 24)
    assert (broken["difference"], broken["moved"], broken["better"]) == (0.5, "worse", "less")
    assert rows.keys() == {"corrected/degraded/projected", "broken/degraded/projected"}


def test_every_kind_of_table_with_samples_is_registered_under_its_schema() -> None:
    assert all(schema.name == name and metrics for name, (schema, metrics) in KINDS.items())
    for schema, metrics in KINDS.values():
        for metric in metrics:
            assert {metric.sample, "image_id", *metric.same} <= schema.columns.keys()


def test_tables_of_other_schemas_are_named(tmp_path: Path) -> None:
    own = filled(Schema("mine", {"example_id": "str"}), [{"example_id": "a"}])
    tables = {"b/squares": answers(BASE), "promptlength/squares": own}
    made = compare(two(tmp_path, tables, {"b/squares": answers(BASE)})).as_dict()
    assert made["not_compared"] == {"base": ["promptlength/squares"], "tuned": []}


def test_how_the_runs_differ_is_noted(tmp_path: Path) -> None:
    tables = {"b/squares": answers(BASE)}
    folders = two(
        tmp_path, tables, tables, seed=3, versions={"torch": "2.14.0"}, backsight="0.2.0",
        options={"limit": 40, "quick": False}, measured={"b/squares": {"measurement": "M(gray=False)"}},
        model={"name": "m", "fingerprint": "x", "dtype": "bfloat16", "grid": {"rows": 6, "cell": [28, 28]}},
    )  # fmt: skip
    assert compare(folders).notes == (
        "Seed: 0 in base, 3 in tuned.",
        "Limit: none in base, 40 in tuned.",
        "Dtype: float32 in base, bfloat16 in tuned.",
        "Grid: none in base, rows 6 cell 28 x 28 in tuned.",
        "Backsight: 0.1.0 in base, 0.2.0 in tuned.",
        "torch: 2.13.0 in base, 2.14.0 in tuned.",
        "Measured with other parameters in tuned: b/squares.",
    )
    same = make(tmp_path / "same", tables, model=json.loads((folders[0] / "study.json").read_text())["model"])
    assert compare([folders[0], same]).notes == ("base and same are studies of the same weights.",)


def test_folders_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    tables = {"b/squares": answers(BASE)}
    folders = [make(tmp_path / name / "out", tables) for name in ("one", "two")]
    assert [study.name for study in compare(folders).studies] == [str(folder) for folder in folders]


# The errors.


def no_study(tmp_path: Path) -> list[Path]:
    (tmp_path / "empty").mkdir()
    return [make(tmp_path / "base", {"b/squares": answers(BASE)}), tmp_path / "empty"]


def changed(text: str | None = None, **changes: Any) -> Callable[[Path], list[Path]]:
    """Two studies, the second with another study.json."""

    def folders(tmp_path: Path) -> list[Path]:
        found = two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": answers(BASE)}, **changes)
        if text is not None:
            (found[1] / "study.json").write_text(text)
        return found

    return folders


def unfinished(tmp_path: Path) -> list[Path]:
    found = changed()(tmp_path)
    (found[1] / "jobs").mkdir()
    (found[1] / "study.json").unlink()
    return found


def damaged(tmp_path: Path) -> list[Path]:
    found = changed()(tmp_path)
    (found[1] / "tables" / "job0.parquet").write_text("no table")
    return found


def older(tmp_path: Path) -> list[Path]:
    """A table of behaviour without the column of the free read-out."""
    columns = {name: kind for name, kind in schemas.BEHAVIOUR.columns.items() if name != "free_correct"}
    table = Table(Schema("behaviour", columns), answers(BASE).frame.drop(columns="free_correct"))
    return two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": table})


def nothing_in_common(tmp_path: Path) -> list[Path]:
    return two(tmp_path, {"b/squares": answers(BASE)}, {"b/shapes": answers(BASE)})


def one_alone(tmp_path: Path) -> list[Path]:
    return changed()(tmp_path)[:1]


def one_twice(tmp_path: Path) -> list[Path]:
    base = changed()(tmp_path)[0]
    return [base, base.parent / "tuned" / ".." / "base"]


@pytest.mark.parametrize(
    ("folders", "kind", "said"),
    [
        (one_alone, UsageError, ("at least two studies", "/base", "give folders that `backsight study` wrote")),
        (one_twice, UsageError, ("A study is given twice", "/base", "give each folder once")),
        (no_study, DataError, ("There is no study here", "/empty/study.json", "no such file", "give folders that")),
        (unfinished, StudyError, ("The study is not finished", "/tuned", "no study.json", "then compare")),
        (changed(finished=False), StudyError, ("The study is not finished", "finished is not true")),
        (changed(format=2), DataError, ("A study is of a newer format", "/tuned/study.json", "format 2",
                                        "format 1 is read here")),
        (changed(format=None), DataError, ("record cannot be read", "no format", "make the study again")),
        (changed("{"), DataError, ("record cannot be read", "/tuned/study.json")),
        (changed("[]"), DataError, ("record cannot be read", "no format")),
        (changed(model=None), DataError, ("record cannot be read", "no model")),
        (changed(jobs=[{"name": "b/squares"}]), DataError, ("jobs that are not as a study writes them",)),
        (changed(jobs=[{"name": "a", "set": "s", "measurement": "M", "tables": ["../x"]}]), DataError,
         ("jobs that are not as a study writes them",)),
        (changed(jobs="x"), DataError, ("jobs that are not as a study writes them",)),
        (changed(verdict="vision"), DataError, ("record cannot be read", "a verdict that is none")),
        (damaged, DataError, ("This is no table of ours", "job0.parquet")),
        (older, DataError, ("A table lacks columns", "behaviour of squares", "no free_correct", "study again")),
        (nothing_in_common, DataError, ("Two studies have no metric in common", "/base and ", "/tuned",
                                        "6 and 6 metrics, all different", "(--only, --data)")),
    ],
)  # fmt: skip
def test_what_cannot_be_compared_is_said(
    tmp_path: Path, command: Command, folders: Callable[[Path], list[Path]], kind: type[BacksightError],
    said: tuple[str, ...],
) -> None:  # fmt: skip
    found, out = folders(tmp_path), tmp_path / "out"
    with pytest.raises(kind) as caught:
        compare(found)
    assert all(one in str(caught.value) for one in said), str(caught.value)
    code, printed, err = command("compare", *found, "--out", out)
    assert (code, printed) == (2 if kind is UsageError else 1, "")
    assert err == f"backsight: {caught.value}\n"
    assert not out.exists()


def test_no_folder_at_all_is_wrong_usage(command: Command) -> None:
    assert command("compare").code == 2


# The gate.


@pytest.mark.parametrize(
    ("asked", "metric", "found"),
    [("accuracy", ALL, True), ("accuracy/squares", ALL, True), ("accuracy/squares/", ALL, True), (ALL, ALL, True),
     ("accuracy/squ", ALL, False), ("acc", ALL, False), ("", ALL, False), ("/", ALL, False), (ALL + "/x", ALL, False)],
)  # fmt: skip
def test_a_metric_is_asked_for_by_its_name_or_its_first_parts(asked: str, metric: str, found: bool) -> None:
    assert matches(asked, metric) is found


def test_a_worse_metric_fails_with_a_line_that_says_how_much(
    command: Command, pair: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out, "--fail-if-worse", "accuracy/squares/all/options")
    assert (code, printed) == (1, f"{(out / 'report.html').resolve()}\n")
    row = by_metric(compare(pair))[ALL]
    interval = f"-0.333 [{row['low']:+.3f}, {row['high']:+.3f}]"
    assert err == f"backsight: worse: {ALL} of tuned: {interval}, 24 samples, 12 images\n"
    page = words((out / "report.html").read_text())
    assert f"Asked to fail if worse: {ALL}. It failed: 1 metric worse." in page
    assert json.loads((out / "compare.json").read_text())["fail_if_worse"]["worse"] == [["tuned", ALL]]


def test_a_family_fails_with_a_line_for_each_of_its_metrics(command: Command, pair: list[Path], tmp_path: Path) -> None:
    code, _, err = command("compare", *pair, "--out", tmp_path / "out", "--fail-if-worse", "accuracy",
                           "--fail-if-worse", ALL)  # fmt: skip
    assert code == 1
    worse = [row["metric"] for row in compare(pair).rows if row["moved"] == "worse"]
    assert re.findall(r"worse: (\S+) of tuned", err) == worse
    assert len(worse) == 4  # all and left, by two read-outs; once each


def test_what_is_better_or_the_same_passes(command: Command, pair: list[Path], tmp_path: Path) -> None:
    arguments = ("--fail-if-worse", "accuracy", "--out", tmp_path / "out")
    assert command("compare", *pair[::-1], *arguments) == (0, f"{(tmp_path / 'out' / 'report.html').resolve()}\n", "")
    assert "It passed." in words((tmp_path / "out" / "report.html").read_text())
    code, _, _ = command("compare", *pair, "--fail-if-worse", "accuracy/squares/right", "--out", tmp_path / "out")
    assert code == 0  # lower by one question of twelve: the interval holds zero
    assert command("compare", *pair, "--out", tmp_path / "out").code == 0  # worse, but nobody asked


def test_more_broken_is_worse_and_less_is_not(command: Command, tmp_path: Path) -> None:
    few, many = amplified([1] * 24, [1] * 24), amplified([1] * 24, [0] * 12 + [1] * 12)
    folders = two(tmp_path, {"amplify/degraded": few}, {"amplify/degraded": many})
    arguments = ("--fail-if-worse", "broken", "--out", tmp_path / "out")
    code, _, err = command("compare", *folders, *arguments)
    assert code == 1 and "worse: broken/degraded/projected of tuned: +0.500 [+" in err
    assert command("compare", *folders[::-1], *arguments).code == 0


def test_any_comparison_can_fail(command: Command, pair: list[Path], tmp_path: Path) -> None:
    same = make(tmp_path / "same", {"behaviour/squares": answers(BASE)})
    arguments = ("--fail-if-worse", ALL, "--out", tmp_path / "out")
    code, _, err = command("compare", pair[0], same, pair[1], *arguments)
    assert code == 1 and err.count("worse:") == 1 and "of tuned" in err


def test_the_interval_decides_and_not_holm(command: Command, pair: list[Path], tmp_path: Path) -> None:
    row = by_metric(compare(pair))[ALL]
    assert row["p_holm"] > 0.05 > row["p_value"]
    assert command("compare", *pair, "--fail-if-worse", ALL, "--out", tmp_path / "out").code == 1


@pytest.mark.parametrize("asked", ["accuracy/squres", "acc", ""])
def test_a_metric_that_is_none_is_wrong_usage(command: Command, pair: list[Path], tmp_path: Path, asked: str) -> None:
    code, out, err = command("compare", *pair, "--out", tmp_path / "out", "--fail-if-worse", asked,
                             "--fail-if-worse", "accuracy")  # fmt: skip
    assert (code, out) == (2, "")
    assert err.startswith(f"backsight: --fail-if-worse names no metric of these studies\n  got:   {asked}\n")
    assert f"do:    choose from: accuracy, accuracy/squares/all/free, {ALL}, accuracy/squares/left" in err
    assert not (tmp_path / "out").exists()


def test_a_metric_that_is_not_paired_is_wrong_usage(command: Command, pair: list[Path], tmp_path: Path) -> None:
    """Paired with one study is not enough: the metric has to be judged in each comparison."""
    tables = {"b/squares": answers(BASE, seed=1), "b/shapes": answers(BASE)}
    other = make(tmp_path / "other", tables)
    code, out, err = command("compare", *pair, other, "--out", tmp_path / "out", "--fail-if-worse", ALL)
    assert (code, out) == (2, "")
    assert "--fail-if-worse names a metric that cannot be compared paired\n  where: other against base\n" in err
    assert f"got:   {ALL}: 24 and 24 samples, 0 shared, at least 10 of two images are needed\n" in err
    assert "do:    no metric is compared paired" in err
    code, _, err = command("compare", *pair, other, "--out", tmp_path / "out", "--fail-if-worse", "accuracy/shapes")
    assert code == 2 and "names no metric of these studies" in err
    code, _, err = command("compare", pair[0], other, "--out", tmp_path / "out", "--fail-if-worse", "accuracy/shapes")
    assert code == 2 and "accuracy/shapes/all/options: only one of the studies has it; " in err


def test_what_of_a_family_is_not_judged_is_said(command: Command, tmp_path: Path) -> None:
    one = {"b/squares": answers(BASE), "b/shapes": answers(BASE)}
    folders = two(tmp_path, one, {"b/squares": answers(BASE)})
    code, _, err = command("compare", *folders, "--out", tmp_path / "out", "--fail-if-worse", "accuracy")
    assert code == 0
    metrics = "accuracy/shapes/all/free, accuracy/shapes/all/options, accuracy/shapes/left/free and 3 more"
    said = f"6 asked for of tuned that only one of the studies has: {metrics}"
    assert err == f"backsight: not judged: {said}\n"
    page = words((tmp_path / "out" / "report.html").read_text())
    assert f"It passed. Not judged: {said}." in page
    record = json.loads((tmp_path / "out" / "compare.json").read_text())
    assert len(record["fail_if_worse"]["not_judged"]) == 6


# What is written.


def test_all_is_written_and_the_record_has_every_number(command: Command, pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out)
    assert (code, printed, err) == (0, f"{out.resolve()}/report.html\n", "")
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "compare.json", "report.html", "tables/compare.csv", "tables/compare.parquet", "figures/compare.svg",
    }  # fmt: skip
    record = json.loads((out / "compare.json").read_text())
    assert (record["format"], record["baseline"]) == (1, "base")
    assert record["command"] == f"backsight compare {pair[0]} {pair[1]} --out {out}"
    assert [study["name"] for study in record["studies"]] == ["base", "tuned"]
    (found,) = record["comparisons"]
    table = Table.read(out / "tables" / "compare.parquet")
    assert table.schema == schemas.COMPARE and table.provenance["baseline"] == "base"
    assert [{"study": "tuned"} | row for row in found["metrics"]] == table.rows() == list(compare(pair).rows)


def test_the_same_comparison_gives_the_same_bytes(command: Command, pair: list[Path], tmp_path: Path) -> None:
    def written() -> dict[str, bytes]:
        assert command("compare", *pair, "--out", tmp_path / "out").code == 0
        return {str(p): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}

    before = written()
    (tmp_path / "out" / "report.html").unlink()
    assert written() == before


def test_a_folder_with_other_things_in_it_is_refused(command: Command, pair: list[Path], tmp_path: Path) -> None:
    folder, file = tmp_path / "full", tmp_path / "file"
    folder.mkdir()
    (folder / "mine.txt").write_text("x")
    file.write_text("x")
    code, out, err = command("compare", *pair, "--out", folder)
    assert (code, out) == (1, "")
    assert err == (
        f"backsight: The output folder is not empty and holds no comparison\n  where: {folder}\n  got:   mine.txt\n"
        "  do:    give an empty or a new folder as --out\n"
    )
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert "The output folder is a file" in command("compare", *pair, "--out", file).err
    before = (pair[0] / "study.json").read_bytes()
    assert command("compare", *pair, "--out", pair[0]).code == 1  # a study's own folder
    assert (pair[0] / "study.json").read_bytes() == before and not (pair[0] / "compare.json").exists()


@pytest.mark.parametrize("text", ["{", "[]", '{"format": 1}'])
def test_any_compare_json_is_no_comparison_of_ours(tmp_path: Path, text: str) -> None:
    (tmp_path / "compare.json").write_text(text)
    with pytest.raises(StudyError, match="holds no comparison"):
        holds_comparison(tmp_path)


def test_a_folder_left_by_a_kill_in_the_first_write_counts_as_empty(tmp_path: Path) -> None:
    (tmp_path / ".compare.json.17.part").write_text("{")
    assert holds_comparison(tmp_path) is False


def test_names_on_the_page_are_escaped(command: Command, tmp_path: Path) -> None:
    tables = {f"b/{HOSTILE}": answers(BASE)}
    other = {f"b/{HOSTILE}": answers(TUNED), f"b/{HOSTILE}2": answers(BASE)}
    base = make(tmp_path / "base", tables)
    tuned = make(tmp_path / "<b>tuned", other, seed=HOSTILE, verdict={"source": HOSTILE, "suite": HOSTILE})
    code, _, err = command("compare", base, tuned, "--out", tmp_path / "out", "--fail-if-worse", f"accuracy/{HOSTILE}")
    assert code == 1 and HOSTILE in err
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<script" not in page and "<b>" not in page
    assert "accuracy/&lt;script&gt;alert(1)&lt;/script&gt;/all/options" in page and "&lt;b&gt;tuned" in page


def verdict(source: str, vision: float) -> Row:
    share = {"value": vision, "low": vision - 0.1, "high": vision + 0.1, "n": 40}
    return {
        "source": source,
        "suite": "squares",
        "accuracy": share,
        "vision_suffices": share,
        "language_suffices": None,
    }


def test_the_page_says_what_moved_and_what_could_not_be_compared(command: Command, tmp_path: Path) -> None:
    one = {"b/squares": answers(BASE), "b/shapes": answers(BASE), "b/few": answers(BASE[:4]), "b/mine": answers(BASE)}
    other = {"b/squares": answers(TUNED), "b/shapes": answers(TUNED, seed=1), "b/few": answers(BASE[:4])}
    folders = [make(tmp_path / "base", one, verdict=verdict("language", 0.25)),
               make(tmp_path / "tuned", other, verdict=verdict("both", 0.75), seed=3)]  # fmt: skip
    assert command("compare", *folders, "--out", tmp_path / "out").code == 0
    html = (tmp_path / "out" / "report.html").read_text()
    page = unescape(words(html).replace("\u00a0", " "))
    row = by_metric(compare(folders))[ALL]
    interval = f"-0.333 [{row['low']:+.3f}, {row['high']:+.3f}]"
    assert "tuned: of 6 paired metrics 4 worse, 0 better, by 95 % intervals off zero; 0 with p < 0.05 by Holm's" in page
    assert f"{ALL}: worse by {interval}, 24 samples, 12 images" in page
    assert f"{ALL} worse 1.000 0.667 {interval} 0.016 0.094 24 (12)" in page
    assert "Seed: 0 in base, 3 in tuned." in page
    unpaired = page[page.index("Unpaired") :]
    row_of_it = r"accuracy/shapes/all/free 1\.000 \[0\.758, 1\.000\] 0\.667 \[0\.\d{3}, 0\.\d{3}\] -0\.333 0 of 24, 24 "
    columns = "Unpaired Metric base tuned Difference of the means Shared samples "
    assert re.match(columns + row_of_it, unpaired)
    assert "Omitted: too few samples" in page and "Only in base: 6 metrics" in page and "Only in tuned" not in page
    assert "base language squares 25 % [15, 35] 25 % [15, 35] – 40" in page
    assert "tuned both squares 75 % [65, 85] 75 % [65, 85] – 40" in page
    assert html.count("<svg") == 2 and "http://" not in html.replace("http://www.w3.org", "")
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))


def test_a_comparison_with_nothing_paired_has_no_figure(command: Command, pair: list[Path], tmp_path: Path) -> None:
    assert command("compare", *pair, "--out", tmp_path / "out").code == 0
    folders = two(tmp_path / "b", {"b/squares": answers(BASE)}, {"b/squares": answers(TUNED, seed=1)})
    assert command("compare", *folders, "--out", tmp_path / "out").code == 0
    assert not list((tmp_path / "out" / "figures").iterdir())
    page = (tmp_path / "out" / "report.html").read_text()
    assert "<svg" not in page and "tuned: no metric could be compared paired." in page
    with pytest.raises(DataError, match="no paired differences to draw"):
        plot(compare(folders).table())


def test_the_figure_draws_paired_metrics_of_whole_sets_the_lowest_first(pair: list[Path], tmp_path: Path) -> None:
    tables = {"behaviour/squares": answers(BASE), "behaviour/<b>$x$": answers(BASE)}
    worse = {"behaviour/squares": answers(TUNED), "behaviour/<b>$x$": answers([0] * 12 + [1] * 12)}
    made = compare([make(tmp_path / "one", tables), make(tmp_path / "two", worse), make(tmp_path / "three", tables)])
    drawn = [row for row in made.rows if row["drawn"]]
    assert sorted_metrics(drawn) == ["accuracy/<b>$x$/all/options", ALL]
    figure = plot(made.table())
    (axis,) = figure.axes
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["<b>$x$/all/options", "squares/all/options"]
    marks = {
        (round(line.get_xdata()[0], 3), round(line.get_ydata()[0], 2))
        for line in axis.lines
        if line.get_marker() in "os"
    }
    assert marks == {(-0.5, -0.12), (-0.333, 0.88), (0.0, 0.12), (0.0, 1.12)}
    assert to_svg(plot(made.table())) == to_svg(figure) and "<b>" not in to_svg(figure)


def test_nothing_of_it_loads_torch(pair: list[Path], tmp_path: Path) -> None:
    code = (
        "import sys\nfrom backsight.cli import main\n"
        f"sys.argv = ['backsight', 'compare', {str(pair[0])!r}, {str(pair[1])!r}, '--out', {str(tmp_path / 'out')!r}]\n"
        "main_left = None\n"
        "try:\n    main()\nexcept SystemExit as left:\n    main_left = left.code\n"
        "print(main_left, sorted({'torch', 'transformers', 'tokenizers'} & sys.modules.keys()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
    assert (tmp_path / "out" / "report.html").is_file()


@pytest.mark.slow
def test_studies_of_two_models_end_to_end(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A study against its copy differs nowhere; against one of other weights by what their answers say."""
    other = Path(shutil.copytree(tiny_checkpoint, tmp_path / "other-weights"))
    weights = load_file(other / "model.safetensors")
    save_file({name: value.flip(-1).contiguous() for name, value in weights.items()}, other / "model.safetensors",
              metadata={"format": "pt"})  # fmt: skip
    arguments = ("--only", "behaviour/squares", "--only", "roads/squares", "--limit", 16)
    folders = [tmp_path / name for name in ("base", "again", "other")]
    for folder, model in ((folders[0], tiny_checkpoint), (folders[2], other)):
        code, _, err = command("study", model, "--out", folder, *arguments)
        assert code == 0, err
    shutil.copytree(folders[0], folders[1])
    out = tmp_path / "out"
    code, printed, err = command("compare", *folders, "--out", out, "--fail-if-worse", "roads")
    assert code in (0, 1) and printed == f"{out.resolve()}/report.html\n", err
    record = json.loads((out / "compare.json").read_text())
    again, changed = ({row["metric"]: row for row in one["metrics"]} for one in record["comparisons"])
    assert "base and again are studies of the same weights." in record["notes"]
    assert {row["difference"] for row in again.values() if row["how"] == "paired"} == {0.0}
    assert again[ALL]["shared"] == 16 and again[ALL]["how"] == "paired"
    rows = Table.read(folders[0] / "tables" / "behaviour.squares.parquet").rows()
    theirs = {r["example_id"]: r for r in Table.read(folders[2] / "tables" / "behaviour.squares.parquet").rows()
              if r["condition"] == "picture"}  # fmt: skip
    asked = [r for r in rows if r["condition"] == "picture"]
    expected = np.mean([theirs[r["example_id"]]["choice_correct"] - r["choice_correct"] for r in asked])
    assert changed[ALL]["difference"] == pytest.approx(expected)
    conditions = ("plain", "removed", "cells", "shuffled")
    assert {f"roads/squares/{one}/{asked}" for one in conditions for asked in ("order", "control")} <= changed.keys()
