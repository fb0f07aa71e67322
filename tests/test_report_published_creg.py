"""The report's section on CREG's published figures: right rows beside right figures, each with its baseline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.report.published import claim, null
from backsight.report.published.shared import Compared
from backsight.results.creg.schema import SUMMARY as CREG_SUMMARY
from backsight.results.flip import SUMMARY as FLIP_SUMMARY
from backsight.results.occlusion.summary import SUMMARY as OCCLUSION_SUMMARY
from backsight.results.pages.content import Grid
from backsight.tables import Schema, Table

from .test_report import HOSTILE, accuracy_row, page_of, study_record, write_study
from .test_report_published import section

Row = dict[str, Any]
BIG, SMALL = "Qwen/Qwen2-VL-7B-Instruct", "Qwen/Qwen2-VL-2B-Instruct"


def record(name: str = BIG, *sets: str, **model: Any) -> Row:
    found = study_record(*(sets or ("vsr", "coco_pairs")))
    found["model"] |= {"name": name, "layers": 28, "dtype": "bfloat16"} | model
    return found


def direction(dae: float = 60.0, ea: float = 0.5, **changes: Any) -> Row:
    """A row of a creg summary: the interval is 5 degrees and .1 wide on either side, the null 50 and .6."""
    row: Row = {"suite": "coco_pairs", "prompt": "A", "samples": "all", "subset": "all", "method": "creg"}
    row |= {"target": "truth", "projection": "default", "questions": 48, "empty": 0, "images": 40, "accuracy": 0.5}
    row |= {"dae": dae, "dae_low": dae - 5, "dae_high": dae + 5, "ea": ea, "ea_low": ea - 0.1, "ea_high": ea + 0.1}
    row |= {"dae_null": 50.0, "ea_null": 0.6, "dae_floor": 13.0, "ea_floor": 0.99, "dae_gain": 50 - dae, "ea_gain": 0}
    row |= {f"{name}_gain_{end}": 0.0 for name in ("dae", "ea") for end in ("low", "high")}
    row |= dict.fromkeys(("completeness", "completeness_low", "completeness_high", "missing"))
    return row | {"dae_chosen": 70.0, "chosen_questions": row["questions"], "omitted": False} | changes


def decoys(**of: Any) -> list[Row]:
    """The row's neighbours, none of which is the one that a published figure is of."""
    others = (
        {"samples": "rest"}, {"projection": "16 sectors"}, {"projection": "beyond kept"}, {"subset": "left"},
        {"prompt": "B"}, {"method": "creg_meant_weights"}, {"suite": "pairs"},
    )  # fmt: skip
    return [direction(111.0, 0.111, **(of | other)) for other in others]


def study(folder: Path, found: Row, rows: list[Row], **tables: list[Row]) -> Path:
    """A study's folder with a creg summary and, by name, other summaries."""
    write_study(folder, found, tables.pop("behaviour", None))
    named: dict[str, tuple[Schema, list[Row]]] = {"creg": (CREG_SUMMARY, rows)}
    named |= {"occlusion": (OCCLUSION_SUMMARY, tables.get("occlusion", []))}
    named |= {"flip": (FLIP_SUMMARY, tables.get("flip", []))}
    for name, (schema, given) in named.items():
        if given:
            Table.of(schema, given).write(folder / "tables", f"{name}_summary")
    return folder


def table(html: str, place: str) -> str:
    """The words of one table and of what stands below it, up to the next heading."""
    said = section(html)
    start = said.index(f"{place} of arXiv 2603.20475v1")
    end = re.search(r"(Table \d|Section [\d.]+) of arXiv|How it was done", said[start + 5 :])
    assert end is not None
    return said[start : start + 5 + end.start()]


def test_published_and_measured_stand_side_by_side(tmp_path: Path) -> None:
    rows = [direction(target="prediction"), *decoys(target="prediction"), direction(58.0, 0.7), *decoys()]
    rows += [direction(70.0, 0.2, suite="vsr", method="rollout", target=None)]
    html = page_of(study(tmp_path / "s", record(), rows))
    said = table(html, "Table 1")
    heading = "direction of relevance Set Line Figure Published Corrected This study Uniform Published lies"
    assert f"Table 1 of arXiv 2603.20475v1: {heading}" in said
    line = "COCO-Pairs CREG (pred) DAE, degrees 55.5 [50, 61] (n=300) – 60.0 [55.0, 65.0] (n=48) 50.0 inside"
    assert line in said
    assert "COCO-Pairs CREG (pred) EA .553 [.50, .61] (n=300) – 0.500 [0.400, 0.600] (n=48) 0.600 inside" in said
    assert "COCO-Pairs CREG (gt) DAE, degrees 57.1 [52, 62] (n=300) – 58.0 [53.0, 63.0] (n=48) 50.0 inside" in said
    assert "COCO-Pairs CREG (gt) EA .523 [.47, .58] (n=300) – 0.700 [0.600, 0.800] (n=48) 0.600 outside" in said
    assert "VSR Attn. rollout DAE, degrees 75.2 (n=240) – 70.0 [65.0, 75.0] (n=48) 50.0 outside" in said
    assert "VSR CREG (pred) DAE, degrees 64.8 [58, 72] (n=240) – not measured – –" in said
    assert "111.0" not in section(html) and "0.111" not in section(html)
    whole = unquoted(section(html))
    assert (
        "3 of 6 published figures that this study measured again lie outside its interval (arXiv 2603.20475v1)."
        in whole
    )
    assert "On this study's questions uniform relevance does at least as well as 6 of 6 published directions." in whole
    layout = "Uniform relevance does at least as well as 6 of 6."
    assert f"CREG, table 1, direction of relevance: 3 of 6 inside. {layout}" in whole


def unquoted(said: str) -> str:
    return said.replace("&#39;", "'")


def test_the_end_of_an_interval_is_met_within_the_printed_digits(tmp_path: Path) -> None:
    """55.5 may be 55.45 to 55.55: an interval that ends at 55.45 has it, one that ends at 55.44 has not."""
    for name, high, lies in (("a", 55.45, "inside"), ("b", 55.44, "outside")):
        rows = [direction(target="prediction", dae_high=high, dae=50.0, dae_low=45.0)]
        said = table(page_of(study(tmp_path / name, record(), rows)), "Table 1")
        assert f"DAE, degrees 55.5 [50, 61] (n=300) – 50.0 [45.0, {high:.1f}] (n=48) 50.0 {lies}" in said


def test_what_a_table_repeats_is_counted_once(tmp_path: Path) -> None:
    rows = [direction(target=target, subset=subset) for target in ("truth", "prediction")
            for subset in ("all", "correct", "incorrect")]  # fmt: skip
    html = page_of(study(tmp_path / "s", record(), rows))
    second, third = table(html, "Table 2"), table(html, "Table 3")
    assert "COCO-Pairs CREG DAE, degrees 57.1 60.0 [55.0, 65.0] (n=48) 50.0 see table 1" in second
    assert "inside" not in second
    assert "COCO-Pairs All, pred-targeted EA .553 (n=300) 0.500 [0.400, 0.600] (n=48) 0.600 see table 1" in third
    assert "COCO-Pairs Correct, gt-targeted DAE, degrees 46.6 (n=124) 60.0 [55.0, 65.0] (n=48) 50.0 outside" in third
    assert (
        "COCO-Pairs Correct, pred-targeted DAE, degrees 46.6 (n=124) 60.0 [55.0, 65.0] (n=48) 50.0 see above" in third
    )
    assert "COCO-Pairs Incorrect, pred-targeted DAE, degrees 61.7 (n=176) 60.0" in third
    # Right answers once, wrong ones for both targets.
    said = section(html)
    assert "CREG, table 1, direction of relevance: 4 of 4 inside." in said and "CREG, table 2, direction" not in said
    assert "CREG, table 3, direction of relevance, correct and incorrect answers: 4 of 6 inside." in said


def test_a_random_sector_and_the_oracle_are_not_counted(tmp_path: Path) -> None:
    rows = [direction(90.0, 0.25, method="random_sector", target=None, dae_low=90.0, dae_high=90.0)]
    rows += [direction(13.2, 0.995, method="point_at_subject", target=None)]
    rows += [direction(0.0, 1.0, method="geometry", target=None)]
    html = page_of(study(tmp_path / "s", record(), rows))
    said = unquoted(table(html, "Table 1"))
    assert "COCO-Pairs Random DAE, degrees 91.2 (n=300) – 90.0 (n=48) 50.0 –" in said
    assert "COCO-Pairs Geo. oracle DAE, degrees 0.0 (n=300) none known 13.2 [8.2, 18.2] (n=48) 50.0 –" in said
    assert "Wrong, Geo. oracle on VSR and COCO-Pairs: By the paper's own projection" in said
    assert "Remark, Random on VSR and COCO-Pairs: Section 5.1 calls this row" in said
    assert "Remark, CREG (pred) and CREG (gt) on COCO-Pairs: Constant relevance" in said
    assert "CREG, table 1, direction" not in section(html)


def test_ablation_reads_methods_and_projections(tmp_path: Path) -> None:
    rows = [direction(60.0, suite="vsr"), direction(61.0, suite="vsr", projection="4 sectors")]
    rows += [
        direction(62.0, suite="vsr", method="single_layer_contrastive"),
        direction(suite="vsr", method="single_layer"),
    ]
    rows += [direction(80.0, 0.3, suite="vsr", method="creg_plain"), *decoys(suite="vsr", target="prediction")]
    said = unquoted(table(page_of(study(tmp_path / "s", record(), rows)), "Table 5"))
    assert "VSR CREG (default) DAE, degrees 61.8 (n=60) 60.0 [55.0, 65.0] (n=48) 50.0 inside" in said
    assert "VSR K = 4 sectors DAE, degrees 60.9 (n=60) 61.0" in said
    assert "VSR Single layer (l = -2) DAE, degrees 64.4 (n=60) 62.0" in said
    assert "VSR No contrastive EA .333 (n=60) 0.300 [0.200, 0.400] (n=48) 0.600 inside" in said
    assert "Remark, all: Which target was taken is not said." in said
    assert "Remark, Single layer (l = -2) on VSR: This row keeps the contrast." in said


def test_accuracies_are_of_the_options_and_by_prompt(tmp_path: Path) -> None:
    right = {"prompt": "A", "read_out": "options", "questions": 48}
    rows = [accuracy_row("vsr", d, **right, accuracy=v, low=v - 0.1, high=v + 0.1)
            for d, v in {"all": 0.6, "left": 0.7, "below": 0.5}.items()]  # fmt: skip
    for other in (
        {"read_out": "free"},
        {"condition": "gray"},
        {"prompt": "B", "accuracy": 0.4, "low": 0.3, "high": 0.5},
    ):
        rows += [accuracy_row("vsr", **({**right, "accuracy": 0.111} | other))]
    html = page_of(study(tmp_path / "s", record(), [], behaviour=rows))
    assert "VSR VLM ACC Accuracy 55.8% (n=240) 0.600 [0.500, 0.700] (n=48) – inside" in table(html, "Table 3")
    sixth = table(html, "Table 6")
    assert "VSR Prompt A Accuracy 0.567 (n=30) 0.600 [0.500, 0.700] (n=48) – inside" in sixth
    assert "VSR Prompt B Accuracy 0.367 (n=30) 0.400 [0.300, 0.500] (n=48) – inside" in sixth
    assert "VSR Prompt C Accuracy 0.533 (n=30) not measured" in sixth
    assert "Prompt C on VSR (not asked with this prompt)" in sixth
    by_class = table(html, "Section 6.2")
    assert "VSR Left Accuracy 73.8% 0.700 [0.600, 0.800] (n=48) inside" in by_class
    assert "VSR Below Accuracy 30.0% 0.500 [0.400, 0.600] (n=48) outside" in by_class
    assert "VSR Right Accuracy 67.4% not measured" in by_class and "42, 46, 92 and 60" in by_class
    assert "0.111" not in section(html)


def occlusion(score: float = 0.4, **changes: Any) -> Row:
    row: Row = {"suite": "vsr", "prompt": "A", "variant": "gray", "over": "options", "sector": "true", "method": None}
    row |= {"target": None, "questions": 32, "images": 30, "change": -score - 0.05, "change_opposite": -0.05}
    row |= {"change_adjacent": -0.1, "score": score, "low": score - 0.1, "high": score + 0.1}
    row |= {"against_adjacent": 0.1, "adjacent_low": 0.0, "adjacent_high": 0.2, "omitted": False, "of": "truth"}
    return dict.fromkeys(OCCLUSION_SUMMARY.columns) | row | changes


def test_occlusion_is_of_the_true_sector(tmp_path: Path) -> None:
    others = ({"over": "vocabulary"}, {"of": "prediction"}, {"variant": "gray, up to r_max"},
              {"sector": "indicated", "method": "creg", "target": "truth"})  # fmt: skip
    rows = [occlusion(), *(occlusion(9.0, **other) for other in others)]
    html = page_of(study(tmp_path / "s", record(), [], occlusion=rows))
    said = table(html, "Table 4")
    assert "VSR True sector COS +0.417 (n=240) 0.400 [0.300, 0.500] (n=32) inside" in said
    assert "VSR True sector Change of log p, true sector -0.476 (n=240) -0.450 (n=32) –" in said
    assert "VSR True sector Change of log p, opposite sector -0.060 (n=240) -0.050 (n=32) –" in said
    assert "Remark, all: What was hidden is said in three ways" in said
    assert "True sector on COCO-Pairs (occlusion was not run on it)" in said
    assert "CREG, table 4, occlusion: 1 of 1 inside." in section(html)
    assert "are other quantities: they are in the table occlusion_summary" in section(html)


def test_the_mirror_stands_beside_constant_relevance(tmp_path: Path) -> None:
    row: Row = {"suite": "vsr", "prompt": "A", "method": "creg", "target": "prediction", "questions": 24, "images": 24}
    row |= {"r": 0.8, "low": 0.7, "high": 0.9, "r_pooled": 0.85, "r_null": 1.0, "r_pooled_null": 1.0, "omitted": False}
    flips = [row, row | {"target": "truth", "r": 0.111}, row | {"method": "constant", "target": None, "r": 1.0}]
    said = table(page_of(study(tmp_path / "s", record(), [], flip=flips)), "Section 6.1")
    assert "VSR CREG Pearson&#39;s r -0.065 (n=60) 0.800 [0.700, 0.900] (n=24) 1.000 outside" in said
    assert "r = 1 by construction" in said


def test_counts_of_data_and_unknown_pictures_are_as_printed(tmp_path: Path) -> None:
    html = page_of(study(tmp_path / "s", record(), [direction()]))
    seventh = table(html, "Table 7")
    assert "counts of VSR Set Line Figure Published VSR Test Positive 1181 VSR Test Matched 240" in seventh
    assert "VSR Total Coverage 21.2%" in seventh and "`backsight data vsr DIR` prints the same counts" in seventh
    assert "covers every positive of the random split" in seventh and "inside" not in seventh
    fourth = table(html, "Section 4")
    assert "– Synthetic images DAE, degrees 52.7° not measured" in fourth
    assert "Random sector and Synthetic images (the paper does not say of which pictures)" in fourth


def test_what_is_missing_says_why(tmp_path: Path) -> None:
    found = record(BIG, "squares")
    found["skipped"] = [{"set": "vsr", "measurement": "creg", "reason": "options are no single tokens"}]
    said = section(page_of(study(tmp_path / "a", found, [])))
    assert "Grad norm, Integ. Grad, GradCAM and Random on VSR (skipped: options are no single tokens)" in said
    assert "(no photographs were given: --photos)" in said and "(no annotations of VSR were given: --vsr)" in said
    nothing = dict.fromkeys(name for name in direction() if name.startswith(("dae", "ea")))
    rows = [direction(target="prediction") | nothing | {"questions": 16, "images": 8, "omitted": True}]
    rows += [direction(method="gradcam", target=None) | nothing | {"questions": 0, "empty": 48, "omitted": True}]
    said = table(page_of(study(tmp_path / "b", record(), rows)), "Table 1")
    assert "COCO-Pairs CREG (pred) DAE, degrees 55.5 [50, 61] (n=300) – omitted (8 pictures, 10 needed) – –" in said
    assert "GradCAM on COCO-Pairs (the model does not give it)" in said
    assert "(no such question was asked with this prompt, or not by this method)" in said
    assert "GradCAM and Random on VSR (creg was not run on it)" in said


def test_the_smaller_model_has_its_own_figures(tmp_path: Path) -> None:
    html = page_of(study(tmp_path / "s", record(SMALL), [direction(62.0)]))
    said = section(html)
    assert "Qwen2-VL-2B-Instruct was measured in CREG" in said and "2603.22278" not in html
    assert "COCO-Pairs CREG DAE, degrees 63.8 62.0 [57.0, 67.0] (n=48) 50.0 inside" in said
    assert "COCO-Pairs Best baseline DAE, degrees 62.3 not measured" in said
    assert "Best baseline on VSR and COCO-Pairs (the paper does not say which method)" in said
    assert "57.1" not in said and "Table 1 of" not in said and "Table 7 of" in said
    assert "Table 2, direction of relevance, two sizes of the model: 2 of 2 inside." in said


def test_both_papers_of_one_model_are_told_apart(tmp_path: Path) -> None:
    behaviour = [accuracy_row("squares", read_out="free", accuracy=1.0, low=0.99, high=1.0)]
    found = record(BIG, "squares", "coco_pairs", dtype="float32")
    html = page_of(study(tmp_path / "s", found, [direction()], behaviour=behaviour))
    said = unquoted(section(html))
    assert "Table 1 of arXiv 2603.22278v1: accuracy" in said and "Table 1 of arXiv 2603.20475v1" in said
    assert (
        "None of 3 published figures that this study measured again lies outside its interval: 0 of 1 in "
        "arXiv 2603.22278v1 and 0 of 2 in arXiv 2603.20475v1." in said
    )
    assert "Dual Mechanisms, table 1, accuracy: 1 of 1 inside." in said
    assert "CREG, table 1, direction of relevance: 2 of 2 inside." in said
    assert "It ran in float32; of CREG, the paper ran this model in bfloat16" in said
    assert "the authors' code runs this model in float32" not in said


@pytest.mark.parametrize("name", ["builtin:plain", "Qwen/Qwen2.5-VL-7B-Instruct", "google/gemma-3-4b-it"])
def test_of_other_models_nothing_of_the_paper_is_said(tmp_path: Path, name: str) -> None:
    layers = {"google/gemma-3-4b-it": 34}.get(name, 28)
    html = page_of(study(tmp_path / "s", record(name, layers=layers), [direction()]))
    assert "beside" in html and "2603.20475v1" not in html and "CREG (pred)" not in html
    assert ('id="published"' in html) == (name == "google/gemma-3-4b-it")


def test_a_folder_of_the_models_name_is_said_to_be_one(tmp_path: Path) -> None:
    said = section(page_of(study(tmp_path / "s", record("/models/Qwen2-VL-2B-Instruct"), [direction()])))
    assert "by the name of its folder. Its weights were not compared." in said


def test_what_a_study_says_never_reaches_the_page_raw(tmp_path: Path) -> None:
    found = record(f"/{HOSTILE.replace('/', '')}/Qwen2-VL-7B-Instruct", dtype=HOSTILE)
    found["skipped"] = [{"set": "vsr", "measurement": "creg", "reason": HOSTILE}]
    html = page_of(study(tmp_path / "s", found, [direction()]))
    assert HOSTILE not in html and "skipped: &lt;script&gt;" in html


def compared(*insides: bool, directions: tuple[bool, ...] = ()) -> Compared:
    return Compared(Grid("", (), ()), insides, None, directions)


def test_the_claim_puts_the_paper_with_more_outside_first() -> None:
    one, other = [compared(True, True, True), compared(False)], [compared(False, False)]
    assert claim({"A": one, "B": other}) == (
        "3 of 6 published figures that this study measured again lie outside its interval: 2 of 2 in B and 1 of 4 in A."
    )
    assert claim({"A": one, "B": [compared()]}) == (
        "1 of 4 published figures that this study measured again lies outside its interval (A)."
    )
    assert claim({"A": [compared()], "B": []}) == (
        "Not shown: this study measured none of the figures that A and B print of this model."
    )


def test_the_null_needs_what_it_speaks_of() -> None:
    chance = "Where nothing differs, one figure in twenty lies outside by chance."
    assert null([compared()]) == "" and null([compared(True)]) == chance
    assert null([compared(True, directions=(True, False)), compared(directions=(True,))]) == (
        f"{chance} On this study's questions uniform relevance does at least as well as 2 of 3 published directions."
    )
