"""What is paired at all, and what each metric compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest

from backsight.maths.intervals import holm
from backsight.results import RESULTS
from backsight.results.behaviour import BEHAVIOUR
from backsight.results.creg.schema import ROWS as CREG
from backsight.results.flip import ROWS as FLIP
from backsight.results.image_interchange import IMAGE_INTERCHANGE
from backsight.results.interchange import INTERCHANGE
from backsight.results.knockout import ROWS as KNOCKOUT
from backsight.results.moved import ROWS as MOVED
from backsight.results.occlusion.summary import ROWS as OCCLUSION
from backsight.studies.compare import compare
from backsight.studies.compare_metrics import Values
from backsight.tables import Schema, Table

from .by_hand import ALL, BASE, TUNED, amplified, answers, by_metric, filled, make, pathways, probes, sweep, two


@pytest.mark.parametrize("tie", [0.0, 1e-12])
def test_of_layers_that_differ_by_rounding_alone_the_first_is_taken(tie: float) -> None:
    index = pd.MultiIndex.from_tuples([("a", "picture")], names=["example_id", "image_id"])
    metric = next(m for result in RESULTS.values() for m in result.metrics if m.layered)
    at = lambda *means: Values("x", metric, "s", True, pd.DataFrame([means], index, [2, 5, 7])).of()[0]  # noqa: E731
    assert at(0.1, 0.5, 0.5 + tie) == 5 and at(0.1, 0.5, 0.5 + 1e-6) == 7


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


def test_holm_corrects_over_the_metrics_that_are_judged(pair: list[Path], tmp_path: Path) -> None:
    """By default the one of whole sets that is plotted; all six where they are asked for; the two of left alone."""
    pair.append(make(tmp_path / "same", {"behaviour/squares": answers(BASE)}))
    made = compare(pair)
    for study in made.studies[1:]:
        rows = {row["metric"]: row for row in made.of(study)}
        assert len(rows) == 6  # all, left and right, by two read-outs
        assert {name: row["p_holm"] for name, row in rows.items()} == {
            name: row["p_value"] if name == ALL else None for name, row in rows.items()
        }
    asked = made.gated(["accuracy"])
    for study in asked.studies[1:]:
        rows = asked.of(study)
        assert [row["p_holm"] for row in rows] == holm([row["p_value"] for row in rows])
    assert by_metric(compare(pair[:2]).gated(["accuracy"]))[ALL]["p_holm"] == 6 * 2 / 128
    left = by_metric(compare(pair[:2]).gated(["accuracy/squares/left"]))
    assert left["accuracy/squares/left/options"]["p_holm"] == 2 * 2 / 128 and left[ALL]["p_holm"] is None
    assert {row["p_holm"] for row in asked.of(made.studies[2])} == {1.0}


def test_read_outs_and_prompts_are_metrics_of_their_own(tmp_path: Path) -> None:
    def asked(right: Sequence[int]) -> Table:
        table = answers(right, free=[0] * 24)
        frame = table.frame.assign(prompt="A")
        return Table(BEHAVIOUR, frame)

    made = compare(two(tmp_path, {"behaviour/pairs": asked(BASE)}, {"behaviour/pairs": asked(TUNED)}))
    rows = by_metric(made)
    assert rows["accuracy/pairs/all/A/options"]["difference"] == pytest.approx(-8 / 24)
    assert rows["accuracy/pairs/all/A/free"]["difference"] == 0.0
    assert [m for m, row in rows.items() if row["drawn"]] == ["accuracy/pairs/all/A/options"]


def test_what_a_read_out_does_not_score_is_left_out(tmp_path: Path) -> None:
    table = answers(BASE)
    table.frame["free_correct"] = None
    scored = Table(BEHAVIOUR, table.frame.astype({"free_correct": "boolean"}))
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


# All of 12 right, an image each: (12 + 2) / 16, less Student's quantile of 15 degrees of freedom times its error.
PLUS_FOUR = 14 / 16 - 2.131450 * (14 / 16 * 2 / 16 / 16) ** 0.5


@pytest.mark.parametrize("column", ["image_id", "question", "answer"])
def test_equal_ids_of_other_content_are_not_paired(tmp_path: Path, column: str) -> None:
    """Ids repeat between seeds while pictures and questions are others."""
    other = answers(TUNED)
    frame = other.frame.assign(**{column: other.frame[column] + "-other"})
    made = compare(two(tmp_path, {"b/squares": answers(BASE)}, {"b/squares": Table(other.schema, frame)}))
    row = by_metric(made)[ALL]
    assert (row["how"], row["shared"]) == ("unpaired", 0)
    assert (row["baseline"], row["value"], row["difference"]) == (1.0, pytest.approx(16 / 24), pytest.approx(-8 / 24))
    assert row["baseline_low"] == pytest.approx(PLUS_FOUR) and row["baseline_high"] == 1.0
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


def test_roads_are_compared_by_condition_and_shuffles_are_averaged(tmp_path: Path) -> None:
    """Each question is one sample, whatever the number of shuffles."""
    base = pathways([1] * 12, [[1] * 12, [0] * 12])
    tuned = pathways([0] * 6 + [1] * 6, [[1] * 12, [1] * 12])
    rows = by_metric(compare(two(tmp_path, {"pathways/squares": base}, {"pathways/squares": tuned})))
    assert rows.keys() == {f"pathways/squares/{one}/order" for one in ("plain", "removed", "shuffled")}
    assert rows["pathways/squares/removed/order"]["difference"] == -0.5
    shuffled = rows["pathways/squares/shuffled/order"]
    assert (shuffled["shared"], shuffled["baseline"], shuffled["difference"]) == (12, 0.5, 0.5)
    assert shuffled["interval"] == "none" and shuffled["moved"] == "better"  # all pictures differ alike


def test_interchanges_are_those_of_each_studys_best_layer(tmp_path: Path) -> None:
    moved = {"tokens": "objects", "vision": "removed"}
    base = {
        "interchange/squares": sweep(INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.75, 2: 0.5}),
        "backup/squares": sweep(IMAGE_INTERCHANGE, "p_flipped", {0: 0.5, 1: 0.5}, **moved),
    }
    tuned = {
        "interchange/squares": sweep(INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.2, 2: 0.5}, dropped=2),
        "backup/squares": sweep(IMAGE_INTERCHANGE, "p_flipped", {0: 0.0, 1: 1.0}, **moved),
    }  # fmt: skip
    rows = by_metric(compare(two(tmp_path, base, tuned)))
    last = rows["interchange/squares/ordinal"]
    assert (last["layer_baseline"], last["layer"], last["difference"]) == (1, 2, -0.25)
    assert (last["samples_baseline"], last["samples"], last["shared"]) == (12, 10, 10)
    backup = rows["image_interchange/squares/objects/removed"]
    assert (backup["layer_baseline"], backup["layer"], backup["difference"]) == (0, 1, 0.5)  # of equals the first


def test_the_layer_is_the_best_over_the_shared_samples(tmp_path: Path) -> None:
    """One model's answers to 12 pairs and to 36: over all 36 another layer is best, over the shared ones the same."""
    few = sweep(INTERCHANGE, "p_ordinal", {0: 0.1, 1: 0.75})
    more = sweep(INTERCHANGE, "p_ordinal", {0: 1.0, 1: 0.25}, pairs=36)
    mine = more.frame["pair_id"].isin(few.frame["pair_id"])
    both = Table.concat([few, Table(more.schema, more.frame[~mine])])
    row = by_metric(compare(two(tmp_path, {"i/squares": few}, {"i/squares": both})))["interchange/squares/ordinal"]
    assert (row["samples"], row["shared"], row["layer_baseline"], row["layer"]) == (36, 12, 1, 1)
    assert (row["difference"], row["baseline"], row["value"]) == (0.0, 0.75, 0.75)


def test_probes_are_compared_by_site_at_the_best_layer(tmp_path: Path) -> None:
    base = probes({("image_embeds", 0): 0.5, ("resid_pre", 0): 0.5, ("resid_pre", 3): 1.0})
    tuned = probes({("image_embeds", 0): 0.75, ("resid_pre", 0): 1.0, ("resid_pre", 3): 0.5})
    rows = by_metric(compare(two(tmp_path, {"probes/squares": base}, {"probes/squares": tuned})))
    embeds = rows["probes/squares/horizontal/image_embeds"]
    deep = rows["probes/squares/horizontal/resid_pre"]
    assert (embeds["difference"], embeds["shared"]) == (0.25, 11)
    assert (deep["difference"], deep["layer_baseline"], deep["layer"]) == (0.0, 3, 0)


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
    assert sum(bool(result.metrics) for result in RESULTS.values()) == 24
    for name, result in RESULTS.items():
        assert result.schema.name == name
        for metric in result.metrics:
            assert {metric.sample, "image_id", *metric.same} <= result.schema.columns.keys()


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
        "Measured with other parameters in tuned: b/squares (gray none, False).",
    )
    same = make(tmp_path / "same", tables, model=json.loads((folders[0] / "study.json").read_text())["model"])
    assert compare([folders[0], same]).notes == ("base and same are studies of the same weights.",)


def test_folders_of_one_name_are_called_by_their_paths(tmp_path: Path) -> None:
    tables = {"b/squares": answers(BASE)}
    folders = [make(tmp_path / name / "out", tables) for name in ("one", "two")]
    assert [study.name for study in compare(folders).studies] == [str(folder) for folder in folders]


def compasses(dae: Sequence[float], null: Sequence[float]) -> Table:
    """Rows of CREG and of the layout, a question a picture."""
    rows = []
    for n, (own, layout) in enumerate(zip(dae, null, strict=True)):
        common = {"example_id": f"e{n}", "image_id": f"i{n}", "answer": "1", "projection": "default", "prompt": "A"}
        rows.append(common | {"method": "creg", "target": "prediction", "dae": own})
        rows.append(common | {"method": "creg", "target": "prediction", "dae": 170.0, "projection": "4 sectors"})
        rows.append(common | {"method": "constant", "dae": layout})
    return filled(CREG, rows)


def test_directions_of_evidence_are_compared_and_less_is_better(tmp_path: Path) -> None:
    """CREG's table 2: the same questions put to two models."""
    one = compasses([60.0 + n for n in range(12)], [50.0] * 12)
    other = compasses([20.0 + n for n in range(12)], [50.0] * 12)
    found = by_metric(compare(two(tmp_path, {"creg/pairs": one}, {"creg/pairs": other})))
    row = found["dae/pairs/creg/prediction/A"]
    assert (row["difference"], row["moved"], row["better"]) == (-40, "better", "less")
    assert found["dae_gain/pairs/creg/prediction/A"]["difference"] == 40
    assert not any("constant" in name for name in found)


def test_agreement_with_the_tokens_effects_is_compared(tmp_path: Path) -> None:
    def effects(correlation: float) -> Table:
        common = {"form": "attention", "example_id": "", "image_id": ""}
        rows = [
            common | {"example_id": f"e{n}", "image_id": f"i{n}", "method": method, "correlation": value + n / 100}
            for n in range(12)
            for method, value in (("creg", correlation), ("knockout", 0.9))
        ]
        return filled(KNOCKOUT, rows)

    found = by_metric(compare(two(tmp_path, {"k/pairs": effects(0.2)}, {"k/pairs": effects(0.5)})))
    assert set(found) == {"knockout/pairs/attention/creg"}
    assert found["knockout/pairs/attention/creg"]["difference"] == pytest.approx(0.3)


def test_hidden_sectors_are_compared_by_the_papers_score(tmp_path: Path) -> None:
    """COS of the true sector, above: log p with below hidden, less log p with above hidden."""

    def occluded(score: float) -> Table:
        common = {"answer": "3", "prompt": "A", "true": 95.0, "log_p": -0.2}
        falls = {90.0: -0.3 - score, 270.0: -0.3}
        rows = [
            common | {"example_id": f"e{n}", "image_id": f"i{n}"} | hidden
            for n in range(12)
            for hidden in (
                {},
                *({"variant": "gray", "sector": 45.0 * k, "log_p": falls.get(45.0 * k, -5.0)} for k in range(8)),
            )
        ]
        return filled(OCCLUSION, rows)

    found = by_metric(compare(two(tmp_path, {"occlusion/pairs": occluded(0.1)}, {"occlusion/pairs": occluded(0.4)})))
    assert set(found) == {"cos/pairs/gray/A"}
    row = found["cos/pairs/gray/A"]
    assert (row["baseline"], row["value"]) == (pytest.approx(0.1), pytest.approx(0.4))  # against below, and no other
    assert row["difference"] == pytest.approx(0.3)


def test_mirrored_compasses_and_moved_subjects_are_compared(tmp_path: Path) -> None:
    def flipped(sign: int) -> Table:
        rows = [
            {"example_id": f"e{n}", "image_id": f"i{n}", "direction": "left", "method": method, "target": "truth"}
            | {"sector": 45.0 * k, "share": k / 28, "share_mirrored": (k if sign > 0 else 7 - k) / 28}
            for n in range(12) for k in range(8) for method in ("creg", "constant")
        ]  # fmt: skip
        return filled(FLIP, rows)

    def moved(off: float) -> Table:
        rows = [
            {"example_id": f"e{n}", "image_id": f"i{n}", "direction": "left", "method": method, "followed": off + n}
            for n in range(12) for method in ("rollout", "constant")
        ]  # fmt: skip
        return filled(MOVED, rows)

    found = by_metric(compare(two(tmp_path, {"f/pairs": flipped(-1)}, {"f/pairs": flipped(1)})))
    assert {name: row["difference"] for name, row in found.items()} == {"mirror/pairs/creg/truth": pytest.approx(2)}
    found = by_metric(compare(two(tmp_path, {"m/pairs": moved(70.0)}, {"m/pairs": moved(40.0)})))
    assert {name: row["moved"] for name, row in found.items()} == {"followed/pairs/rollout": "better"}


def test_tables_without_a_method_have_no_metric(tmp_path: Path) -> None:
    layout = filled(FLIP, [{"example_id": "e", "image_id": "i", "method": "constant", "sector": 0.0}])
    refused = filled(CREG, [{"example_id": "e", "image_id": "i", "refused": "a box without area"}])
    plain = {"b/squares": answers(BASE), "f/pairs": layout, "creg/pairs": refused}
    found = by_metric(compare(two(tmp_path, plain, plain)))
    assert found and not any("pairs" in name for name in found)
