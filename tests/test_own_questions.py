"""A user's own questions in the report: each with picture, answer and the probability of every option."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from backsight.datasets import folder
from backsight.examples import Example, ExampleSet, MemoryPicture
from backsight.measurements import Behaviour
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.report import write_report
from backsight.results.behaviour import BEHAVIOUR
from backsight.results.behaviour.own import claim, null
from backsight.studies import Options, Study
from backsight.tables import Schema, Table
from backsight.training.questions import corpus

from .test_report import HOSTILE, Row, page_of, study_record, words, write_study


def asked(number: int, *, right: bool = True, **changes: object) -> list[Row]:
    """One question with and without its picture; the gray picture is answered wrong."""
    row: Row = dict.fromkeys(BEHAVIOUR.columns) | {"example_id": f"e{number}", "image_id": f"i{number}"}
    row |= {"suite": "mine", "condition": "picture", "question": f"Where is thing {number}?", "options": 2}
    row |= {"answer": "left", "choice": "left" if right else "right", "choice_correct": right}
    row |= {"p_answer": 0.75, "p_choice": 0.75, "probabilities": json.dumps({"left": 0.75, "right": 0.125})}
    gray = {"condition": "gray", "choice": "right", "choice_correct": False}
    gray |= {"probabilities": json.dumps({"left": 0.25, "right": 0.5})}
    return [row | changes, row | gray]


def own(folder: Path, rows: list[Row], *, schema: Schema = BEHAVIOUR, **record: object) -> Path:
    """A study's folder with the rows of a set that is the user's own."""
    data = study_record("mine")
    data["sets"][0] |= {"own": True, "pictures": {"i0": "samples/mine.png", "i1": "../private.png"}} | record
    write_study(folder, data)
    kept = [{name: row[name] for name in schema.columns} for row in rows]
    Table.of(schema, kept).write(folder / "tables", "behaviour.mine")
    return folder


def test_six_questions_are_shown_one_by_one(tmp_path: Path) -> None:
    rows = [row for n in range(6) for row in asked(n, right=n != 3)]
    html = page_of(own(tmp_path / "s", rows))
    shown = words(html)
    assert (
        "Of 6 own questions 1 is answered incorrectly. Null. With a gray picture 6 of 6 are answered incorrectly."
        in shown
    )
    assert (
        "Mine, question 4 no picture stored Answer: left Question Where is thing 3? Correct answer left "
        "Model&#39;s answer right (incorrect) Probabilities left 0.750, right 0.125 With a gray picture "
        "right: left 0.250, right 0.500"
    ) in shown
    section = section_of(html)
    assert section.count("<article") == 6 and section.count("data:image/") == 1
    assert "questions are shown" not in shown


def section_of(html: str) -> str:
    """The section on the user's own questions, as the page has it."""
    return html.split(' id="own"')[1].split("</section>")[0]


@pytest.mark.parametrize(
    ("wrong", "count", "sentence"),
    [
        (0, 1, "Of 1 own question none is answered incorrectly."),
        (1, 6, "Of 6 own questions 1 is answered incorrectly."),
        (4, 6, "Of 6 own questions 4 are answered incorrectly."),
        (6, 6, "Of 6 own questions 6 are answered incorrectly."),
    ],
)
def test_the_claim_counts_what_is_incorrect(wrong: int, count: int, sentence: str) -> None:
    rows = [{"choice_correct": n >= wrong} for n in range(count)]
    assert claim(rows) == sentence
    assert null(rows).startswith(f"With a gray picture {wrong or 'none'} of {count} ") and null([]) == ""


def test_of_hundreds_the_first_200_are_shown_and_it_is_said(tmp_path: Path) -> None:
    html = page_of(own(tmp_path / "s", [row for n in range(201) for row in asked(n)]))
    assert section_of(html).count("<article") == 200
    assert "Mine: the first 200 of 201 questions are shown." in html


def test_sets_that_are_not_ones_own_have_no_such_section(tmp_path: Path) -> None:
    assert 'id="own"' not in page_of(own(tmp_path / "s", asked(0), own=False))


def test_words_of_the_user_are_escaped(tmp_path: Path) -> None:
    options = json.dumps({HOSTILE: 0.5, "right": 0.25})
    rows = asked(0, question=HOSTILE, answer=HOSTILE, choice=HOSTILE, probabilities=options)
    html = page_of(own(tmp_path / "s", rows))
    assert HOSTILE not in html and "&lt;script&gt;alert(1)&lt;/script&gt; 0.500, right 0.250" in words(html)


def test_tables_of_an_earlier_release_lack_the_column(tmp_path: Path) -> None:
    columns = {name: kind for name, kind in BEHAVIOUR.columns.items() if name != "probabilities"}
    html = page_of(own(tmp_path / "s", asked(0, right=False, p_choice=0.8), schema=Schema("behaviour", columns)))
    assert "Probabilities left 0.750, right 0.800" in words(html)


@pytest.mark.parametrize("scoring", ["token", "sequence"])
def test_a_study_of_a_folder_of_questions(tmp_path: Path, scoring: str) -> None:
    pictures = [MemoryPicture(Image.new("RGB", (168, 168), (200, 40 * n, 0))) for n in range(2)]
    asked_of = [Example(f"q{n}", one, "Which is red?", ("left", "right"), "left") for n, one in enumerate(pictures)]
    items = tuple(asked_of)
    folder.write(ExampleSet("questions", items, scoring="auto"), tmp_path / "data")
    mine = folder.load(tmp_path / "data")
    assert mine.own and mine[:1].own and not ExampleSet("others", items).own
    if scoring == "sequence":
        object.__setattr__(mine, "scoring", "sequence")
    vlm = VLM(*tiny("qwen2_vl", corpus()), name="tiny")
    out = Study(vlm, [mine], tmp_path / "out", Options(), [Behaviour()]).run()
    record = json.loads((out / "study.json").read_text())["sets"][0]
    assert record["own"] is True and len(record["pictures"]) == 2
    for path in record["pictures"].values():
        assert max(Image.open(out / path).size) <= 200
    rows = Table.read(next((out / "tables").glob("behaviour.*.parquet"))).rows()
    for row in rows:
        given = json.loads(row["probabilities"])
        assert list(given) == ["left", "right"]
        assert given[row["answer"]] == pytest.approx(row["p_answer"], rel=1e-5)
        assert given[row["choice"]] == max(given.values()) == pytest.approx(row["p_choice"], rel=1e-5)
    html = write_report(out).read_text()
    assert section_of(html).count("data:image/") == 2
