"""The report's section on published figures: both numbers side by side, and why one is missing."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.errors import CannotAnswer
from backsight.maths.interchange import ANSWER
from backsight.measurements import amplify
from backsight.published import Published, figures
from backsight.report.published.shared import scope
from backsight.results.amplification import AMPLIFY_SUMMARY
from backsight.results.amplification.tables import CHOOSING
from backsight.results.image_interchange import IMAGE_INTERCHANGE_SUMMARY
from backsight.results.pathways import PATHWAYS_SUMMARY
from backsight.stimuli import Layout
from backsight.tables import Table

from .test_report import HOSTILE, accuracy_row, page_of, study_record, words, write_study

Row = dict[str, Any]
GEMMA = "google/gemma-3-4b-it"
COMPOSITES = "whatsup_composites"
PAPER = "The Dual Mechanisms of Spatial Reasoning in Vision-Language Models"


def record(name: str = GEMMA, *sets: str, **model: Any) -> Row:
    """A study.json of Gemma-3-4b-it, on Squares unless other sets are named."""
    found = study_record(*(sets or ("squares",)))
    found["model"] |= {"name": name, "layers": 34, "grid": {"rows": 16, "columns": 16, "cell": [56.0, 56.0]}}
    found["model"] |= model
    return found


def accuracies(suite: str = "squares", **values: float) -> list[Row]:
    """A behaviour summary, free and by options, with the picture and a gray one; values by direction."""
    given = {"all": 0.975, "left": 1.0, "right": 1.0, "above": 0.8, "below": 0.97} | values
    rows = []
    for direction, value in given.items():
        for read_out, condition in (("free", "picture"), ("options", "picture"), ("free", "gray")):
            row = accuracy_row(suite, direction, read_out=read_out, condition=condition)
            low, high = max(0.0, value - 0.02), min(1.0, value + 0.01)
            right = (read_out, condition) == ("free", "picture")
            rows.append(row | ({"accuracy": value, "low": low, "high": high} if right else {"accuracy": 0.111}))
    return rows


def removed(suite: str = "squares", **changes: Any) -> list[Row]:
    rows = []
    for direction, value in {"all": 0.58, "left": 0.5, "right": 0.5}.items():
        for asked, condition in (("order", "plain"), ("order", "removed"), ("control", "removed")):
            row: Row = {"suite": suite, "asked": asked, "direction": direction, "condition": condition}
            row |= {
                "questions": 40,
                "images": 40,
                "accuracy": value if (asked, condition) == ("order", "removed") else 1,
            }
            row |= {"low": row["accuracy"] - 0.1, "high": row["accuracy"], "accuracy_of_two": 0.9, "low_of_two": 0.8}
            row |= {"high_of_two": 1.0, "share": 0.9, "share_low": 0.8, "share_high": 1.0, "omitted": False}
            rows.append(row | changes)
    return rows


def section(html: str) -> str:
    found = re.search(r'<section [^>]*id="published".*?</section>', html, re.DOTALL)
    assert found is not None
    return words(found[0])


def test_published_and_measured_stand_side_by_side(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", record(), accuracies())
    Table.of(PATHWAYS_SUMMARY, removed()).write(folder / "tables", "pathways_summary")
    html = page_of(folder)
    said = section(html)
    assert "Table 1 of arXiv 2603.22278v1: accuracy Suite Direction Published Corrected This study" in said
    assert "Squares all 0.98 (n=480) – 0.975 [0.955, 0.985] (n=480)" in said
    assert "Squares above 0.93 (n=120) – 0.800 [0.780, 0.810] (n=480)" in said
    assert "Squares all 0.64 (n=480) 0.567 (n=480) 0.580 [0.480, 0.580] (n=40)" in said
    assert "Squares left 0.49 (n=120) 0.533 (n=120) 0.500 [0.400, 0.500] (n=40)" in said
    assert "Squares above 0.62 (n=120) 0.683 (n=120) not measured" in said
    assert "the last seven of Gemma-3&#39;s sixteen rows" in said and "behavioral_analysis_wo_ve_oi/README.md" in said
    assert "Not measured in this study: Shapes and Objects (the set is not in this study);" in said
    assert "What&#39;sUp composites (no What&#39;sUp folder was given: --whatsup)." in said
    assert "Not measured in this study: Squares (not asked in this direction or read-out);" in said
    assert "0.111" not in said
    assert (
        "2 of 8 published figures that this study measured again lie outside its interval (arXiv 2603.22278v1)." in said
    )
    assert "Where nothing differs, one figure in twenty lies outside by chance." in said
    assert "Table 1, accuracy: 1 of 1 inside." in said
    assert "Table 4, accuracy, each direction: 3 of 4 inside." in said
    assert "Table 2, accuracy after removal: 1 of 1 inside. Compared as corrected: 1." in said
    assert "Table 5, accuracy after removal, each direction: 1 of 2 inside." in said
    assert said.index("Table 5, accuracy after removal, each direction: 1") < said.index("Table 1, accuracy: 1 of 1")


def test_settings_are_those_of_the_study(tmp_path: Path) -> None:
    said = section(page_of(write_study(tmp_path / "s", record(), accuracies())))
    assert "Side of a picture, tokens 16×16 – 16×16" in said and "Side of a token, pixels 56×56 – 56×56" in said
    assert "Table 6, settings: 4 of 4 the same." in said and "this study measured again" in said
    assert "Side of an object, tokens 3×3 – 3×3 Gap between objects, tokens 3 – 3" in said
    assert "Width of an outer strip, tokens 3 5 not measured" in said and "no strips were swapped" in said
    assert "4 of 4 the same." in said


@pytest.mark.parametrize(("given", "width"), [("None", "5"), ("4", "4")])
def test_the_strips_width_is_that_of_the_measurement(tmp_path: Path, given: str, width: str) -> None:
    found = record()
    job = {"name": "imageinterchange/squares", "kind": "imageinterchange", "set": "squares", "samples": 48}
    found["jobs"].append(job | {"measurement": f"ImageInterchange(max_samples=48, strip_width={given})"})
    folder = write_study(tmp_path / "s", found)
    row: Row = {"suite": "squares", "vision": "intact", "tokens": "strips", "direction": "all", "layer": 0}
    row |= {"outcome": "flipped", "probability": 0.9, "low": 0.8, "high": 1.0, "pairs": 48, "dropped": 0}
    row |= dict.fromkeys(ANSWER)
    rows = [row | {"interval": "bootstrap", "omitted": False, "outcome": name} for name in ("clean", "flipped")]
    Table.of(IMAGE_INTERCHANGE_SUMMARY, rows).write(folder / "tables", "image_interchange_summary")
    assert f"Width of an outer strip, tokens 3 5 {width}" in section(page_of(folder))


def test_a_smaller_grid_is_another_setting(tmp_path: Path) -> None:
    small = {"rows": 8, "columns": 8, "cell": [112.0, 112.0]}
    said = section(page_of(write_study(tmp_path / "s", record(grid=small), accuracies())))
    assert "Side of a picture, tokens 16×16 – 8×8" in said and "0 of 4 the same." in said
    for number_, grid in enumerate(({"rows": 5, "columns": 5, "cell": [1.0, 1.0]}, {"rows": 8, "columns": 9})):
        said = section(page_of(write_study(tmp_path / str(number_), record(grid=grid), accuracies())))
        assert "token grid is" in said
    with pytest.raises(CannotAnswer):
        Layout.for_grid(5, 5, 1)


def test_amplification_of_composites(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", record(GEMMA, COMPOSITES), accuracies(COMPOSITES, all=0.63))
    rows: list[Row] = []
    for form, kind, value in ((None, "none", 0.6), ("projected", "probe", 0.7), ("projected", "random", 0.61),
                              ("printed", "probe", 0.1), ("printed", "random", 0.1)):  # fmt: skip
        row: Row = {"suite": COMPOSITES, "form": form, "directions": kind, "alpha": 4.0 if form else 0.0}
        row |= {"questions": 32, "failures": 12, "accuracy": value, "low": value - 0.1, "high": value + 0.1}
        for name in ("corrected", "broken"):
            row |= {name: value / 2 if form else None, f"{name}_low": form and 0.2, f"{name}_high": form and 0.4}
        rows.append(row | {"probe": 0.9, "omitted": False})
    Table.of(AMPLIFY_SUMMARY, rows).write(folder / "tables", "amplify_summary")
    said = section(page_of(folder))
    assert "composites none Accuracy 0.9 0.625 (n=2148) 0.600 [0.500, 0.700] (n=32)" in said
    assert "composites probes&#39; Accuracy 0.95 none known 0.700 [0.600, 0.800] (n=32)" in said
    assert "composites probes&#39; Failures corrected 50.7% none known 0.350 [0.200, 0.400] (n=12)" in said
    assert "right answers are not asked again" in said and "amplification: 1 of 1 inside." in said
    assert "Wrong, Whatsup_composites (none):" in said


def test_what_was_skipped_or_is_too_little_says_so(tmp_path: Path) -> None:
    found = record(GEMMA, "squares", "shapes")
    found["skipped"] = [{"set": "objects", "measurement": "all", "reason": "unknown word: rose"}]
    nothing = dict.fromkeys(("accuracy", "low", "high", "p_answer"))
    rows = [row | nothing | {"questions": 6, "omitted": True} for row in accuracies()]
    said = section(page_of(write_study(tmp_path / "s", found, rows)))
    assert "Squares all 0.98 (n=480) – omitted (6 questions, 10 needed)" in said
    assert "Objects (skipped: unknown word: rose)" in said
    assert "Shapes (behaviour was not run on it)" in said
    assert "Squares and Shapes (pathways was not run on it)" in said
    assert "Table 1, accuracy:" not in said


def test_what_the_model_was_taken_for(tmp_path: Path) -> None:
    exact = section(page_of(write_study(tmp_path / "a", record(), accuracies())))
    assert f"Gemma-3-4b-it was measured in {PAPER} (arXiv 2603.22278v1)." in exact
    assert "by the name of its folder" not in exact and "float32" not in exact
    folder = record("/models/gemma-3-4b-it", dtype="bfloat16")
    said = section(page_of(write_study(tmp_path / "b", folder, accuracies())))
    assert "by the name of its folder. Its weights were not compared." in said
    assert "It ran in bfloat16; the authors&#39; code runs this model in float32" in said


@pytest.mark.parametrize(
    "model",
    [{"name": "builtin:plain", "layers": 6}, {"name": "Qwen/Qwen2-VL-2B-Instruct"}, {"layers": 6}, {"name": None}],
)
def test_of_a_model_that_no_paper_measured_nothing_is_said(tmp_path: Path, model: Row) -> None:
    html = page_of(write_study(tmp_path / "s", record(**({"name": GEMMA} | model)), accuracies()))
    assert 'id="published"' not in html and "published figures" not in words(html)


def test_a_study_without_tables_has_a_section_and_no_boast(tmp_path: Path) -> None:
    html = page_of(write_study(tmp_path / "s", record(GEMMA, "pairs", grid=None)))
    assert "Not shown: this study measured none of the figures that arXiv 2603.22278v1 prints of this model." in html
    assert "outside by chance" not in html and "Squares all 0.98 (n=480) – not measured" in section(html)


def test_what_a_study_says_never_reaches_the_page_raw(tmp_path: Path) -> None:
    found = record(f"/{HOSTILE.replace('/', '')}/gemma-3-4b-it", dtype=HOSTILE)
    found["sets"][0]["title"] = HOSTILE
    found["skipped"] = [{"set": "objects", "measurement": "all", "reason": HOSTILE}]
    html = page_of(write_study(tmp_path / "s", found, accuracies()))
    assert HOSTILE not in html and "skipped: &lt;script&gt;" in html


def test_what_is_listed_follows_the_figures() -> None:
    """Gemma stands in one paper, Qwen2-VL's two sizes in both, or in two tables of one."""
    rest = "Numbers elsewhere in the text or in an appendix, and what a figure alone shows, are not."

    def said(model: str) -> str:
        by_paper: dict[str, list[Published]] = {}
        for one in figures(model):
            by_paper.setdefault(one.short, []).append(one)
        return scope(by_paper)

    assert said(GEMMA) == f"Listed are numbers of Dual Mechanisms, tables 1-6. {rest}"
    assert said("Qwen/Qwen2-VL-2B-Instruct") == f"Listed are numbers of CREG, tables 2, 7. {rest}"
    big = "Dual Mechanisms, tables 1-6; CREG, tables 1-7 and sections 4, 6.1 and 6.2"
    assert said("Qwen/Qwen2-VL-7B-Instruct") == f"Listed are numbers of {big}. {rest}"


def test_how_many_pictures_alpha_is_chosen_on_is_the_measurements_number(tmp_path: Path) -> None:
    said = section(page_of(write_study(tmp_path / "s", record(), accuracies())))
    assert "by logistic regression on the 35 % of the composites that alpha is chosen on" in said
    assert amplify.CHOOSING == CHOOSING == 0.35
    assert "Listed are numbers of Dual Mechanisms, tables 1-6." in said
