"""The report: its sentences, its tables, what is left out, and that the page asks nothing of the network."""

from __future__ import annotations

import base64
import hashlib
import html as html_module
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backsight.errors import DataError, UsageError
from backsight.maths.interchange import ANSWER
from backsight.report import write_report
from backsight.results.behaviour import BEHAVIOUR_SUMMARY
from backsight.results.interchange import INTERCHANGE_SUMMARY, order_layers
from backsight.results.pages.wording import model_line
from backsight.tables import Table

Row = dict[str, Any]
DIRECTIONS = ("all", "left", "right")
HOSTILE = "<script>alert(1)</script>"


def accuracy_row(suite: str, direction: str = "all", **changes: Any) -> Row:
    """A row of a behaviour summary: 474 of 480 right."""
    row: Row = {
        "suite": suite,
        "direction": direction,
        "prompt": None,
        "ground": "plain",
        "condition": "picture",
    }
    row |= {"read_out": "options", "questions": 480, "images": 240, "accuracy": 0.9875, "low": 0.975}
    row |= {"high": 0.996, "interval": "bootstrap", "p_answer": 0.97, "chance": 1 / 6, "omitted": False}
    return row | changes


def behaviour_rows(suite: str, **changes: Any) -> list[Row]:
    """A suite's summary: picture and gray picture, both read-outs, every direction."""
    gray = {"condition": "gray", "accuracy": 1 / 6, "low": 0.15, "high": 0.19, "p_answer": 0.16}
    return [
        accuracy_row(suite, direction, **(changes | {"read_out": read_out} | extra))
        for extra in ({}, gray)
        for direction in DIRECTIONS
        for read_out in ("free", "options")
    ]


def interchange_rows(suite: str, decided: tuple[int, ...] = (3, 4), layers: int = 6, pairs: int = 48) -> list[Row]:
    """A suite's summary in which the order stands above both others at the layers `decided`."""
    rows: list[Row] = []
    for direction in DIRECTIONS:
        common = {"suite": suite, "direction": direction, "pairs": pairs, "dropped": 2}
        if pairs < 10:
            empty = dict.fromkeys(("layer", "outcome", "probability", "low", "high", "interval", *ANSWER))
            rows.append(common | empty | {"omitted": True})
            continue
        for layer in range(layers + 1):
            top = "ordinal" if layer in decided else "clean" if layer < layers - 1 else "counterfactual"
            for outcome in ("clean", "ordinal", "counterfactual"):
                p = 0.9 if outcome == top else 0.05
                row = common | {"layer": layer, "outcome": outcome, "probability": p, "low": p - 0.03}
                row |= {"high": p + 0.03, "interval": "bootstrap", "omitted": False}
                rows.append(row | dict(zip(ANSWER, (p, p - 0.05, p + 0.05), strict=True)))
    return rows


def sample(name: str, **changes: Any) -> Row:
    other = {"question": "The color of the square to the right of the green square is", "answer": "black"}
    other |= {"picture": f"samples/{name}.counterfactual.png"}
    outcomes = {"clean": "red", "ordinal": "blue", "counterfactual": "black"}
    one: Row = {"question": "The color of the square to the left of the green square is", "answer": "red"}
    one |= {
        "system": "You are a helpful assistant.",
        "prompt": "<|im_start|>system",
        "options": ["red", "blue"],
    }
    one |= {"picture": f"samples/{name}.png"}
    pair = {"clean": dict(one), "counterfactual": other, "outcomes": outcomes}
    return one | {"pairs": {"last_token": pair}} | changes


def study_record(*sets: str, **changes: Any) -> Row:
    """The content of a study.json about sets of these names."""
    model: Row = {"name": "builtin:plain", "family": "Qwen2-VL", "fingerprint": "9f2c", "parameters": 1459840}
    model |= {"layers": 6, "grid": {"rows": 12, "columns": 12, "cell": [28, 28]}, "dtype": "float32"}
    model |= {"dtype_reason": "default on a CPU", "device": "cpu", "attention": "sdpa", "card": None}
    record: Row = {"format": 1, "backsight": "0.1.0", "seed": 0, "model": model, "finished": True}
    record |= {"command": "backsight study builtin:plain --out runs/plain", "started": "2026-03-01T10:00:00"}
    record |= {"options": {"quick": False, "limit": None}, "versions": {"python": "3.11"}, "skipped": []}
    record |= {"machine": {"cpu": "x86", "threads": 2, "memory_peak_mib": 812}}
    record["contracts"] = [{"name": "identity edit", "passed": True, "detail": "largest difference 0"}]
    record["sets"] = [
        {
            "name": name,
            "title": name.capitalize(),
            "note": "",
            "examples": 480,
            "images": 240,
            "sample": sample(name),
        }
        for name in sets
    ]
    record["jobs"] = [
        {
            "name": f"{kind}/{name}",
            "measurement": "M()",
            "kind": kind,
            "set": name,
            "samples": 960,
            "seconds": 12.25,
        }
        | {"forward_equivalents": 960.0, "tables": [f"{kind}.{name}"]}
        for kind in ("behaviour", "interchange")
        for name in sets
    ]
    return record | changes


def write_study(
    folder: Path, record: Row, behaviour: list[Row] | None = None, interchange: list[Row] | None = None
) -> Path:
    """A study's folder with samples for each set and the summaries that are given."""
    (folder / "samples").mkdir(parents=True)
    for one in record["sets"]:
        for kind in ("", ".counterfactual"):
            Image.new("RGB", (28, 28), "red").save(folder / "samples" / f"{one['name']}{kind}.png")
    if behaviour is not None:
        Table.of(BEHAVIOUR_SUMMARY, behaviour).write(folder / "tables", "behaviour_summary")
    if interchange is not None:
        table = Table.of(INTERCHANGE_SUMMARY, interchange)
        table.write(folder / "tables", "interchange_summary")
        order_layers(table).write(folder / "tables", "order_layers")
    (folder / "study.json").write_text(json.dumps(record), encoding="utf-8")
    return folder


def page_of(folder: Path) -> str:
    return write_report(folder).read_text(encoding="utf-8")


def words(html: str) -> str:
    """The page without its tags, on one line; spaces that do not break count as spaces."""
    bare = re.sub(r"<(style|script)>.*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", bare)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    return write_study(
        tmp_path / "plain", study_record("squares"), behaviour_rows("squares"), interchange_rows("squares")
    )


def test_the_opening_says_the_three_things(study: Path) -> None:
    said = words(page_of(study))
    model = "Qwen2-VL, 1.46 million parameters, 6 layers, 12 × 12 image tokens of 28 × 28 pixels, float32 on cpu"
    assert f"builtin:plain {model}" in said
    assert "Squares: 98.8 % [97.5, 99.6] correct (gray picture 16.7 %, chance 16.7 %; 480 questions)." in said
    carries = "he last token carries the position asked for, not yet the answer,"
    assert f"T{carries} in Squares at layers 3-4 of 0-6, in 90 % [85, 95] of 48 pairs (2 dropped) at layer 3." in said
    assert f"Squares: t{carries} at layers 3-4 of 0-6, in 90 %" in said


def test_tables_have_three_decimals_intervals_and_counts(study: Path) -> None:
    html = page_of(study)
    assert "0.988 [0.975, 0.996]" in html or "0.987 [0.975, 0.996]" in html
    assert "3-4 (n=48)" in html
    assert "0.900 [0.870, 0.930]" in html


def test_costs_are_summed(study: Path) -> None:
    assert "In all 24.5 seconds and 1,920.0 forward equivalents, peak memory 812 MiB." in words(page_of(study))


def test_every_link_leads_somewhere(study: Path) -> None:
    html = page_of(study)
    addresses = re.findall(r'(?:href|src)="([^"]*)"', html)
    anchors = set(re.findall(r' id="([^"]+)"', html))
    assert {"#behaviour", "#interchange", "tables/order_layers.csv"} <= set(addresses)
    for address in addresses:
        if address.startswith("#"):
            assert address[1:] in anchors, address
        elif not address.startswith("data:"):
            assert (study / address).is_file(), address


def test_ids_are_unique(study: Path) -> None:
    ids = re.findall(r' id="([^"]+)"', page_of(study))
    assert len(ids) == len(set(ids))


def test_the_page_asks_nothing_of_the_network(study: Path) -> None:
    html = page_of(study)
    assert not re.search(r'(?:src|href|action|data|poster|srcset)\s*=\s*["\']?\s*(?:https?:)?//', html)
    assert not re.search(r"url\(\s*[\"']?(?!#)|@import", html)
    assert not re.search(r"<(?:script [^>]*src|iframe|object|embed)\b", html)
    assert re.findall(r"<link\b[^>]*>", html) == ['<link rel="icon" href="data:,">']


def test_the_browser_is_told_to_ask_nothing_and_to_run_nothing_else(study: Path) -> None:
    html = page_of(study)
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    (script,) = re.findall(r"<script>(.*?)</script>", html, flags=re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert html_module.unescape(policy) == (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
    )


def test_figures_are_written_beside_the_page(study: Path) -> None:
    write_report(study)
    names = sorted(path.name for path in (study / "figures").iterdir())
    assert names == ["behaviour.svg", "interchange.svg", "interchange_by_direction.svg"]
    assert not [path for path in study.rglob("*") if path.name.endswith(".part")]


def test_the_page_is_the_same_each_time(study: Path) -> None:
    assert write_report(study).read_bytes() == write_report(study).read_bytes()


def test_samples_are_shown_with_their_question(study: Path) -> None:
    html = page_of(study)
    assert html.count('src="data:image/png;base64,') == 3  # one for behaviour, two for interchange
    said = words(html)
    assert "System sentence You are a helpful assistant. Options red, blue" in said
    assert "Object at the counterfactual&#39;s position in the clean picture (order) blue" in said
    assert "&lt;|im_start|&gt;system" in html


def test_text_never_reaches_the_page_raw(tmp_path: Path) -> None:
    name = HOSTILE
    question = f"Where is the \"{HOSTILE}\" & the 'cat' <b>?"
    record = study_record("squares", command=HOSTILE, skipped=[{"set": name, "measurement": name, "reason": name}])
    record["sets"][0] |= {"title": name, "note": name}
    record["sets"][0]["sample"] |= {"question": question, "options": [name], "answer": name, "prompt": name}
    record["sets"][0]["sample"]["pairs"]["last_token"]["outcomes"] = {"clean": name}
    record["model"] |= {"name": name, "family": '" onload="x'}
    record["jobs"][0]["name"] = record["contracts"][0]["detail"] = name
    rows = behaviour_rows("squares") + behaviour_rows(name)
    html = page_of(write_study(tmp_path / "s", record, rows, interchange_rows("squares")))
    assert html.count("<script") == 1 and "<b>?" not in html and 'onload="x' not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "Where is the &#34;&lt;script&gt;" in html
    assert "<script" not in (tmp_path / "s" / "figures" / "behaviour.svg").read_text()


@pytest.mark.parametrize("kept", ["behaviour", "interchange", "neither"])
def test_a_missing_table_leaves_its_section_out(tmp_path: Path, kept: str) -> None:
    behaviour = behaviour_rows("squares") if kept == "behaviour" else None
    interchange = interchange_rows("squares") if kept == "interchange" else None
    html = page_of(write_study(tmp_path / "s", study_record("squares"), behaviour, interchange))
    for name in ("behaviour", "interchange"):
        assert (f'id="{name}"' in html) == (f'href="#{name}"' in html) == (kept == name)
    assert "How to reproduce" in html


def test_a_record_with_the_format_alone_makes_a_page(tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text('{"format": 1, "model": null, "sets": 3, "jobs": null}')
    html = page_of(tmp_path)
    assert "<h1>A model</h1>" in html and 'id="skipped"' not in html and "Contracts" not in html
    assert html.count("Not measured.") == 4


def test_an_unfinished_study_says_so(tmp_path: Path) -> None:
    html = page_of(write_study(tmp_path / "s", study_record("squares", finished=False)))
    assert "This study is not finished" in html and "Run the study&#39;s command again" in html


def test_omitted_groups_say_so(tmp_path: Path) -> None:
    nothing = dict.fromkeys(("accuracy", "low", "high", "p_answer"))
    rows = [row | nothing | {"questions": 6, "omitted": True} for row in behaviour_rows("squares")]
    folder = write_study(tmp_path / "s", study_record("squares"), rows, interchange_rows("squares", pairs=4))
    said = words(page_of(folder))
    assert "Omitted, with fewer than 10 questions: Squares (6)." in said
    assert "omitted (n=6)" in said
    assert "Not shown: fewer than 10 pairs are answered correctly by both runs in Squares." in said
    assert "Omitted under 10 pairs: Squares (4 pairs, 2 dropped)." in said
    assert "omitted: 4 pairs" in said  # in the figure


def test_no_such_layer(tmp_path: Path) -> None:
    folder = write_study(tmp_path / "s", study_record("squares"), None, interchange_rows("squares", decided=()))
    said = words(page_of(folder))
    none = "o layer is shown at which the last token carries the position asked for, not yet the answer,"
    most = ": the object at that position is the answer in at most 5 % [0, 10] of 48 pairs (2 dropped) at layer 0."
    assert f"N{none} in Squares{most}" in said and f"Squares: n{none[:20]}" in said
    assert said.count("Positive control: builtin:staged has the position at the last token at layer 3 in") == 1
    assert "none (n=48)" in said


def test_skipped_sets_are_listed_with_the_reason(tmp_path: Path) -> None:
    skipped = [{"set": "objects", "measurement": "Behaviour()", "reason": "unknown word: rose"}]
    said = words(page_of(write_study(tmp_path / "s", study_record("squares", skipped=skipped))))
    assert "Left out Set Measurement Reason objects Behaviour() unknown word: rose" in said
    assert "1 measurement of a set: Behaviour() on objects (unknown word: rose). Each with its reason" in said


@pytest.mark.parametrize("name, noted", [("builtin:plain", True), ("Qwen/Qwen2-VL-7B-Instruct", False)])
def test_photographs_put_to_a_built_in_model_are_noted(tmp_path: Path, name: str, noted: bool) -> None:
    record = study_record("coco_pairs")
    record["model"]["name"] = name
    html = page_of(write_study(tmp_path / "s", record, behaviour_rows("coco_pairs")))
    beside = re.search(r"<li[^>]*>Coco_pairs: 98\.8\s%.*?</li>", html)
    assert beside is not None
    assert ("has never seen a photograph" in beside[0]) == noted


def test_pictures_outside_the_folder_are_not_taken(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "private.png")
    record = study_record("squares")
    record["sets"][0]["sample"] |= {"picture": "../private.png", "pairs": {}}
    html = page_of(write_study(tmp_path / "s", record, behaviour_rows("squares")))
    assert "data:image" not in html and "no picture stored" in html


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": 2}', "\xff"])
def test_a_record_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "study.json").write_text(content, encoding="latin-1")
    with pytest.raises(DataError if content is not None else UsageError, match=r"study\.json"):
        write_report(tmp_path)
    assert not (tmp_path / "report.html").exists()


def test_a_table_that_cannot_be_read_is_named(study: Path) -> None:
    (study / "tables" / "behaviour_summary.parquet").write_bytes(b"no parquet")
    with pytest.raises(DataError, match=r"behaviour_summary\.parquet"):
        write_report(study)


def test_a_model_of_many_parameters() -> None:
    assert model_line({"name": "Q", "parameters": 8291375616, "layers": 28}) == "8.29 billion parameters, 28 layers"
    views = {"family": "X", "grid": {"tokens": 512, "views": 2}, "dtype": "bfloat16", "device": "cuda:0"}
    assert model_line(views) == "X, 512 image tokens in 2 views, bfloat16 on cuda:0"
    assert model_line({}) == ""


def test_the_report_needs_no_torch() -> None:
    code = "import sys, backsight.report, backsight.results; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
