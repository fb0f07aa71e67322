"""The gallery: what its rule takes, and what a study leaves of it; and the studies that CREG's tables are made of."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backsight import stimuli
from backsight.errors import UsageError
from backsight.examples import ExampleSet
from backsight.grid import Box
from backsight.measurements import Creg, Flip, Knockout, Moved, Occlusion
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.report.gallery import RULES as SAID
from backsight.report.gallery import caption, claim_of, gallery, in_words_of_today
from backsight.report.reading import read_study
from backsight.results import RESULTS
from backsight.results.explanation import Explanation, lit
from backsight.results.pages.cutting import cut
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
        svg = (study / f"{shown['file']}.svg").read_text()
        assert "relevance of a token, percent of all" in svg and not list(study.glob("gallery/*.narrow.svg"))
        pieces = cut(svg, "x", "x")
        assert len(pieces.panels) == 2 and len(pieces.keys) == 5
        assert sum(len(piece.svg) for piece in (*pieces.panels, *pieces.keys)) < 25_000


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
    (tmp_path / "elsewhere.svg").write_text("<svg>secret</svg>")
    data = json.loads((copied / "study.json").read_text())
    data["gallery"] = [{"file": "../elsewhere", "set": "pairs", "rule": "strong", "said": "x", "sentence": "y"}]
    (copied / "study.json").write_text(json.dumps(data))
    page = write_report(copied).read_text(encoding="utf-8")
    assert "secret" not in page and "Answers explained" not in page


def test_a_gallery_of_an_earlier_release_is_shown_in_the_words_of_today(study: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(study, tmp_path / "copied"))
    data = json.loads((copied / "study.json").read_text())
    whole, bare = data["gallery"][0], data["gallery"][-1]
    for shown in data["gallery"]:
        shown["sentence"] = f"The model answers 1 (probability 1.00), rightly; {shown['rule']}."
        (copied / f"{shown['file']}.narrow.svg").write_text("<svg>narrow</svg>")
    (copied / "study.json").write_text(json.dumps(data))
    (copied / f"{bare['file']}.json").write_text('{"options": 1}')
    (copied / f"{bare['file']}.svg").write_text(
        '<svg viewBox="0 0 500 300" width="500pt"><path d="M 0 0 L 9 9"/></svg>'
    )
    page = unescape(write_report(copied).read_text(encoding="utf-8"))
    assert json.loads((study / "study.json").read_text())["gallery"][0]["sentence"] in page
    assert f"rightly; {whole['rule']}." not in page and f"rightly; {bare['rule']}." in page
    assert 'viewBox="0 0 500 300"' in page and "narrow</svg>" not in page


def test_only_a_figure_of_an_earlier_release_loses_the_line_of_its_answer() -> None:
    lines = '<text x="1">red square is</text><text x="1">answer: gray (1.00), right</text>'
    assert in_words_of_today(f"<svg>{lines}</svg>") == '<svg><text x="1">red square is</text></svg>'
    assert in_words_of_today(f"<svg data-panels='[]'>{lines}</svg>") == f"<svg data-panels='[]'>{lines}</svg>"
    asked = "<svg><text>the answer: left</text></svg>"
    assert in_words_of_today(asked) == asked


def test_a_gallery_that_cannot_be_read_is_left_out(study: Path, tmp_path: Path) -> None:
    copied = Path(shutil.copytree(study, tmp_path / "copied"))
    data = json.loads((copied / "study.json").read_text())
    (copied / f"{data['gallery'][0]['file']}.svg").write_text("<svg")
    page = write_report(copied).read_text(encoding="utf-8")
    assert page.count('id="figure-gallery-') == len(data["gallery"]) - 1


def explained(choice: str, **changes: Any) -> Explanation:
    """An explanation of a black picture of two by two tokens of ten pixels, the upper left one twice as relevant."""
    cells = [[0, 0, 10, 10], [10, 0, 20, 10], [0, 10, 10, 20], [10, 10, 20, 20]]
    numbers: dict[str, Any] = {
        "picture": Image.new("RGB", (20, 20)), "question": "Where is the cup?", "options": ("1", "2"),
        "probabilities": (0.984, 0.016), "answer": "1", "subject": "cup", "subject_box": Box(0, 0, 10, 10),
        "reference": "hat", "reference_box": Box(10, 10, 20, 20), "method": "creg", "target": "prediction",
        "relevance": np.array([2.0, 1.0, 0.0, -1.0]), "compass": (1.0, 0.0), "null": (0.5, 0.5), "true": 0.0,
        "peak": 0.0, "cells": np.array(cells, dtype=float), "dae": 12.4, "dae_null": 90.0, "dae_floor": 0.0,
        "words": {"1": "left", "2": "right"}, "choice": choice,
    }  # fmt: skip
    return Explanation(**(numbers | changes))


def test_an_explanation_in_words() -> None:
    evidence = "The evidence points 12\u00b0 away from the cup; uniform relevance points 90\u00b0 away."
    assert explained("1").sentence() == f'The model answers "left" (p = 0.98 among the options): correct. {evidence}'
    wrong = 'The model answers "right" (p = 0.02 among the options): incorrect; correct is "left".'
    assert explained("2").sentence() == f"{wrong} {evidence}"
    assert "no compass" in explained("1", peak=None).sentence()
    assert explained("2").figure().slots[0].below == wrong  # type: ignore[attr-defined]


def test_relevance_is_orange_as_far_as_it_goes() -> None:
    pixels = np.asarray(lit(explained("1")))  # of a black picture: the colour times how much of the gray it hides
    assert pixels.shape == (20, 20, 3)
    assert pixels[5, 5].tolist() == [round(0.75 * channel) for channel in (0xD5, 0x5E, 0x00)]
    assert pixels[5, 15].tolist() == [round(0.375 * channel) for channel in (0xD5, 0x5E, 0x00)]
    assert not pixels[15].any()


def test_the_scale_of_a_relevance_ends_at_its_largest_share() -> None:
    picture, _ = explained("1").figure().axes
    ticks = [label.get_text() for label in picture.child_axes[0].get_xticklabels()]
    assert ticks == ["0", "33", "67"]  # two of three, in percent; what is below zero counts for nothing
    assert not explained("1", relevance=np.zeros(4)).figure().axes[0].child_axes
