"""The experiment with PIN: no scene of the test in training, rows by key, the page and its verdicts from numbers."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from backsight.repairs import Pin
from backsight.results.pin import ENDS, MEASURES, PIN, claims, page
from backsight.results.pin.page import relations
from backsight.results.pin.tables import CONTROL, INSERT, LENT, NONE
from backsight.tables import Table

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "docs" / "results"


@pytest.fixture(scope="module")
def bench() -> ModuleType:
    spec = importlib.util.spec_from_file_location("bench_pin", ROOT / "benchmarks" / "pin.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def row(model: str, insert: str, seed: int, **values: Any) -> dict[str, Any]:
    """A row whose measures are .5, all with an interval of .1 around."""
    given = dict.fromkeys(MEASURES, 0.5) | {k: v for k, v in values.items() if k in MEASURES}
    line = dict.fromkeys(PIN.columns) | {"model": model, "insert": insert, "seed": seed, "key": "k", "weights": "w"}
    line |= {"base_steps": 600, "steps": 150, "batch": 32, "rate": 0.003, "scenes": 2000, "parameters": 13824}
    line |= {"seconds": 20.0, "kib": 5.0, "unchanged": True, "questions": 120, "images": 120, "relations": 96}
    line |= {"best": "constant", "hardware": "one thread"} | {k: v for k, v in values.items() if k not in MEASURES}
    for name, value in given.items():
        line |= dict(zip((f"{name}{end}" for end in ENDS), (value, value - 0.05, value + 0.05), strict=True))
    return line


def experiment(*, above: float = 0.5, gain: float = 0.6, what: float = 1.0, seeds: int = 3) -> list[dict[str, Any]]:
    """Both models: the dormant one gains in boxes by `gain`, the other nothing, and `what` is left with an insert."""
    rows = []
    for model, more in (("pin-dormant", gain), ("pin-never", 0.0)):
        rows.append(row(model, NONE, 0, iou=0.1, above=-0.1, where=0.25, what=1.0))
        for seed in range(seeds):
            move = 0.01 * seed
            rows.append(
                row(model, INSERT, seed, iou=0.1 + more + move, above=(above if more else -0.5) + move,
                    where=0.25 + more / 3 + move, what=what + move / 10)
            )  # fmt: skip
            rows.append(row(model, CONTROL, seed, iou=0.1 + move, above=-0.1, where=0.25 + move, what=1.0))
    return rows


def verdict_of(rows: list[dict[str, Any]], model: str, words: str) -> str:
    (one,) = [c.verdict for c in claims(rows) if c.asked.model == model and words in c.asked.words]
    return one


def test_no_scene_of_the_test_shows_what_training_shows(bench: ModuleType) -> None:
    train, test = bench.split(600, 60)
    known = {bench.shown(e) for e in train}
    assert len(test) == len({bench.shown(e) for e in test}) == 60 and not known & {bench.shown(e) for e in test}
    plain = list(bench.scenes(60, 2))
    assert any(bench.shown(e) in known for e in plain)  # or nothing had to be dropped
    reordered = {tuple(figure.name for figure in e.source.named) for e in plain}
    assert any(names[::-1] in reordered for names in reordered)  # whichever square is asked about


def test_rows_are_kept_by_weights_and_settings(bench: ModuleType, tmp_path: Path) -> None:
    train, test = bench.split(60, 10)
    pin = Pin(steps=150, batch=32)
    key = bench.key_of("w", pin, test, train)
    assert key == bench.key_of("w", Pin(steps=150, batch=32, seed=4), test, train)  # a seed is a row of its own
    others = [
        bench.key_of("v", pin, test, train), bench.key_of("w", Pin(steps=100, batch=32), test, train),
        bench.key_of("w", Pin(steps=150, batch=16), test, train), bench.key_of("w", pin, train, train),
    ]  # fmt: skip
    assert key not in others and len(set(others)) == 4
    rows = bench.Rows(tmp_path)
    rows.put(row("pin-never", INSERT, 0, key="old"), row("pin-never", CONTROL, 0, key="old"))
    rows.put(row("pin-dormant", NONE, 0, key="old"))
    again = bench.Rows(tmp_path)
    assert again.rows == rows.rows and again.has("pin-never", 0, INSERT, CONTROL)
    again.keep("pin-never", "old")
    assert again.has("pin-never", 0, INSERT, CONTROL)
    again.keep("pin-never", "new")
    assert not again.has("pin-never", 0, INSERT) and again.has("pin-dormant", 0, NONE)


def test_a_stop_between_insert_and_control_leaves_no_row_twice(bench: ModuleType, tmp_path: Path) -> None:
    """A row of the insert without its control, as an older release left it, is made anew with it."""
    rows = bench.Rows(tmp_path)
    rows.put(row("pin-never", INSERT, 0))
    rows = bench.Rows(tmp_path)
    assert not rows.has("pin-never", 0, INSERT, CONTROL)
    rows.put(row("pin-never", INSERT, 0, iou=0.7), row("pin-never", CONTROL, 0))
    lines = (tmp_path / "pin.csv").read_text().splitlines()
    assert len(lines) == 3 and sum(",PIN," in line for line in lines) == 1


def test_rows_of_another_schema_are_left_out(bench: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "pin.csv").write_text("model,insert,seed,iou\npin-never,PIN,0,0.5\n")
    assert bench.Rows(tmp_path).rows == {}


def test_verdicts_follow_from_the_seeds() -> None:
    good = experiment()
    assert verdict_of(good, "pin-dormant", "than the best null") == "confirmed"
    assert verdict_of(good, "pin-dormant", "than with its control") == "confirmed"
    assert verdict_of(good, "pin-never", "better with the insert than without") == "undecided"
    assert verdict_of(good, "pin-never", "than the best null") == "not confirmed"
    assert verdict_of(experiment(above=-0.6), "pin-dormant", "than the best null") == "not confirmed"
    assert verdict_of(experiment(what=0.3), "pin-never", "*what*") == "confirmed"
    assert verdict_of(good, "pin-never", "*what*") == "undecided"  # the pictures' error reaches over .05
    assert verdict_of(experiment(seeds=2), "pin-dormant", "than the best null") == "undecided"
    assert {c.verdict for c in claims([])} == {"undecided"} and all(c.number is None for c in claims([]))


def test_sentences_follow_from_the_rows() -> None:
    text = " ".join(page(Table.of(PIN, experiment())).split())
    assert "pin-dormant in 600 steps and pin-never in 600 steps" in text and "150 steps of 32 questions" in text
    assert "bit for bit the same before and after each fit" in text
    assert "1 base model of `pin-dormant` and 1 base model of `pin-never`" in text and "Not measured" not in text
    assert text.count("| confirmed |") == sum(c.verdict == "confirmed" for c in claims(experiment())) > 0
    rows = experiment()
    rows[1]["unchanged"] = False
    rows[0]["base_steps"] = rows[1]["base_steps"] = None
    text = " ".join(page(Table.of(PIN, [one for one in rows if one["model"] == "pin-dormant"])).split())
    assert "not the same after `pin-dormant` (seed 0)" in text and "Not measured: the boxes fit better" in text
    assert "in steps that no log says" in text and "(`pin-never`)" in text
    none = page(Table.of(PIN, [rows[0]]))
    assert "An insert is trained" not in none and "**Cost.**" not in none
    assert "Nothing is measured yet." in page(Table.of(PIN, []))


def test_relations_stand_beside_chance_and_the_control() -> None:
    values = ((NONE, 0.3), (CONTROL, 0.25), (INSERT, 0.5))
    rows = [row("pin-dormant", name, seed, where=value + seed / 10) for name, value in values for seed in (0, 1)]
    assert relations(rows).startswith(
        "Relations of `pin-dormant`, means over seeds: 0.350 without an insert (chance 0.25), 0.300 with shuffled "
        "positions, 0.550 with the insert."
    )
    assert relations(rows[:2]) == "" and relations([row("pin-never", name, 0, where=0.3) for name, _ in values]) == ""


def test_a_lent_table_has_no_seed() -> None:
    text = page(Table.of(PIN, [row("pin-dormant", LENT, 0)]))
    assert "| pin-dormant | lent table |  | 0.500 [0.450, 0.550] |" in text


@pytest.mark.skipif(not (RESULTS / "pin.csv").exists(), reason="nothing is recorded")
def test_the_page_in_the_docs_is_made_of_its_rows(bench: ModuleType) -> None:
    rows = bench.read(RESULTS / "pin.csv")
    assert len(rows) > 3
    assert (RESULTS / "pin.md").read_text(encoding="utf-8") == page(Table.of(PIN, rows))
