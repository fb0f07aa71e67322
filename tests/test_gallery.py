"""The gallery: what its rule takes, and what a study leaves of it; and the studies that CREG's tables are made of."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.measurements import Creg, Flip, Knockout, Moved, Occlusion
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.report.gallery import RULES as SAID
from backsight.report.gallery import caption, claim_of, gallery
from backsight.report.reading import read_study
from backsight.results import RESULTS
from backsight.studies import Options, Study
from backsight.studies.gallery import RULES, chosen

from .conftest import Command


def frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    common = {"method": "creg", "target": "prediction", "projection": "default", "tied": 1}
    return pd.DataFrame([common | row for row in rows])


def test_the_rule_by_hand() -> None:
    rows = frame(
        [
            {"example_id": "a", "share": 0.5, "dae": 10.0},
            {"example_id": "b", "share": 0.7, "dae": 20.0},
            {"example_id": "c", "share": 0.9, "dae": 30.0},
            {"example_id": "d", "share": 0.2, "dae": 60.0},
            {"example_id": "e", "share": 0.6, "dae": 100.0},
            {"example_id": "f", "share": 0.8, "dae": 170.0},
            {"example_id": "g", "share": 0.99, "dae": 0.0, "tied": 2},
            {"example_id": "h", "share": 0.99, "dae": 0.0, "target": "truth"},
            {"example_id": "i", "share": 0.99, "dae": 0.0, "projection": "4 sectors"},
        ]
    )
    assert chosen(rows) == {"strong": "b", "diffuse": "d", "wrong": "f"}


def test_shares_that_differ_by_rounding_are_equal_and_the_first_id_is_taken() -> None:
    rows = [{"example_id": "a", "share": 0.5, "dae": 10.0}, {"example_id": "b", "share": 0.5 + 1e-15, "dae": 10.0}]
    assert chosen(frame(rows)) == {"strong": "a", "diffuse": "b"}
    rows[0]["dae"] = rows[1]["dae"] = 60.0
    rows[0]["share"], rows[1]["share"] = 0.5 + 1e-15, 0.5
    assert chosen(frame(rows)) == {"diffuse": "a"}


def test_no_picture_is_shown_twice_and_a_rule_may_find_none() -> None:
    rows = frame([{"example_id": "a", "share": 0.5, "dae": 10.0}])
    assert chosen(rows) == {"strong": "a"}
    assert chosen(frame([{"example_id": "a", "share": None, "dae": None}])) == {}


@pytest.fixture(scope="module")
def study(tiny_vlm: VLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study of all of CREG's measurements on twelve drawn pictures."""
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=12).where(lambda e: e.tags["prompt"] == "A")
    pairs = replace(pairs, only=("creg", "occlusion", "knockout", "flip", "moved"))
    methods = ("creg", "rollout")
    measurements = (
        Creg(methods=methods), Occlusion(varied=0.2), Knockout(methods=methods), Flip(methods=methods),
        Moved(methods=methods),
    )  # fmt: skip
    folder = tmp_path_factory.mktemp("study") / "out"
    return Study(tiny_vlm, [pairs], folder, Options(), measurements).run()


def test_a_study_leaves_its_gallery(study: Path) -> None:
    data = json.loads((study / "study.json").read_text())
    assert data["gallery"] and {shown["rule"] for shown in data["gallery"]} <= RULES.keys()
    for shown in data["gallery"]:
        written = json.loads((study / f"{shown['file']}.json").read_text())
        assert written["method"] == "creg" and shown["sentence"] and len(written["relevance"]) == 36
        for ending in ("svg", "narrow.svg"):
            assert "</svg>" in (study / f"{shown['file']}.{ending}").read_text()


def test_a_study_leaves_every_table_of_creg(study: Path) -> None:
    found = {path.stem for path in (study / "tables").glob("*.parquet")}
    assert found >= {
        "creg_summary", "creg_pairs", "occlusion_summary", "knockout_summary", "flip_summary", "moved_summary",
    }  # fmt: skip
    scores = pd.read_parquet(study / "tables" / "occlusion_summary.parquet")
    assert {"creg", "rollout", "constant"} <= set(scores["method"].dropna())


def test_the_number_of_samples_can_be_raised(tiny_vlm: VLM, tmp_path: Path) -> None:
    pairs = stimuli.pairs(tiny_vlm.grid, scenes=12)
    measurements = (Creg(max_samples=8), Occlusion(max_samples=4))
    for options, expected in (
        (Options(), {"creg": 8, "occlusion": 4}),
        (Options(samples=20), {"creg": 20, "occlusion": 20}),
        (Options(samples=20, limit=6), {"creg": 6, "occlusion": 6}),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        made = Study(tiny_vlm, [pairs], folder, options, measurements)
        assert {job.kind: len(job.samples) for job in made.jobs} == expected


def test_vsr_wants_cocos_boxes(command: Command, tiny_checkpoint: Path, tmp_path: Path) -> None:
    found = command("study", tiny_checkpoint, "--out", tmp_path / "o", "--vsr", tmp_path)
    assert found.code == UsageError.exit_code and "no boxes of its own" in found.err


def test_only_questions_with_a_relation_are_asked_for_their_direction() -> None:
    squares = stimuli.squares().limit(4)
    assert Creg().applies(squares) and Knockout().applies(squares) and not Flip().applies(squares)
    assert not Creg().applies(ExampleSet("grid", stimuli.grid(side=2, count=4).items))


def test_the_report_shows_the_gallery_with_its_rule(study: Path) -> None:
    page = write_report(study).read_text(encoding="utf-8")
    data = json.loads((study / "study.json").read_text())
    assert "Answers explained" in page and "Nobody chose the pictures" in page
    for shown in data["gallery"]:
        assert f'id="figure-gallery-{Path(shown["file"]).name}"' in page
        assert SAID[shown["rule"]] in unescape(page)
    order = [page.index(f'id="{anchor}"') for anchor in ("compass", "causal", "gallery")]
    assert order == sorted(order)


def test_a_caption_follows_the_numbers_of_its_record(study: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "s"))
    record = json.loads((copy / "study.json").read_text())
    shown = record["gallery"][0] | {"sentence": "As it was written."}
    file = copy / f"{shown['file']}.json"
    numbers = json.loads(file.read_text()) | {"choice": "left", "answer": "left", "words": None}
    numbers |= {"options": ["left"], "probabilities": [0.9]}
    said = []
    for change in ({}, {"answer": "right"}, {"probabilities": None}):
        file.write_text(json.dumps(numbers | change))
        said.append(caption(read_study(copy), shown))
    assert 'The model answers "left" (p = 0.90 among the options): correct. ' in said[0]
    assert 'incorrect; correct is "right". ' in said[1] and said[2].endswith(". As it was written.")
    file.write_text("{")
    assert caption(read_study(copy), shown).endswith("As it was written.")


def test_the_claim_counts_answers_suites_and_rules() -> None:
    shown = [{"set": "a", "rule": "strong"}, {"set": "b", "rule": "strong"}, {"set": "b", "rule": "wrong"}]
    assert claim_of(shown) == (
        "3 answers of 2 suites are explained, chosen by rule: the strongest peak toward the object and the strongest "
        "peak away from the object."
    )
    assert claim_of(shown[:1]) == (
        "1 answer of 1 suite is explained, chosen by rule: the strongest peak toward the object."
    )


def test_a_set_that_compares_prompts_is_left_out_beside_its_own(study: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(study, tmp_path / "s"))
    data = json.loads((copy / "study.json").read_text())
    own = [one | {"set": "pairs_a"} for one in data["gallery"][:1]]
    for sets, count in ((data["gallery"], len(data["gallery"])), ([*data["gallery"], *own], 1)):
        (copy / "study.json").write_text(json.dumps(data | {"gallery": sets}))
        shown = gallery(read_study(copy))
        assert shown is not None and len(shown.figures) == count


def test_the_gallery_does_not_hang_on_a_measurement(study: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(study, tmp_path / "s")
    for path in [*copy.glob("tables/flip*"), *copy.glob("tables/moved*")]:
        path.unlink()
    data = json.loads((copy / "study.json").read_text())
    shown = gallery(read_study(copy))
    assert data["gallery"] and shown is not None and shown.figures
    assert not any(make is gallery for result in RESULTS.values() for make in result.sections)


def test_a_gallery_outside_of_the_study_is_not_read(study: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(study, tmp_path / "copied"))
    for ending in ("svg", "narrow.svg"):
        (tmp_path / f"elsewhere.{ending}").write_text("<svg>secret</svg>")
    data = json.loads((copied / "study.json").read_text())
    data["gallery"] = [{"file": "../elsewhere", "set": "pairs", "rule": "strong", "said": "x", "sentence": "y"}]
    (copied / "study.json").write_text(json.dumps(data))
    page = write_report(copied).read_text(encoding="utf-8")
    assert "secret" not in page and "Answers explained" not in page
