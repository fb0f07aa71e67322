"""What a comparison writes: the record, the page, the figure."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from html import unescape
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file

from backsight.errors import DataError, StudyError
from backsight.results import plot
from backsight.results.comparison import ROWS, sorted_metrics
from backsight.results.drawing.style import to_svg
from backsight.studies.compare import compare, holds_comparison
from backsight.tables import Table

from ..conftest import Command
from ..test_report import words
from .by_hand import ALL, BASE, HOSTILE, TUNED, answers, by_metric, make, two, verdict


def test_all_is_written_and_the_record_has_every_number(command: Command, pair: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, printed, err = command("compare", *pair, "--out", out)
    assert (code, err) == (0, "")
    assert printed.splitlines()[-1] == f"{out.resolve()}/report.html"
    assert {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()} == {
        "compare.json", "report.html", "tables/compare.csv", "tables/compare.parquet", "figures/compare.svg",
    }  # fmt: skip
    record = json.loads((out / "compare.json").read_text())
    assert (record["format"], record["baseline"]) == (1, "base")
    assert record["command"] == f"backsight compare {pair[0]} {pair[1]} --out {out}"
    assert [study["name"] for study in record["studies"]] == ["base", "tuned"]
    (found,) = record["comparisons"]
    table = Table.read(out / "tables" / "compare.parquet")
    assert table.schema == ROWS and table.provenance["baseline"] == "base"
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
    assert (code, out) == (2, "")
    assert err == (
        f"backsight: The output folder is not empty and holds no comparison\n  where: {folder}\n  got:   mine.txt\n"
        "  do:    give an empty or a new folder as --out\n"
    )
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    assert "The output folder is a file" in command("compare", *pair, "--out", file).err
    before = (pair[0] / "study.json").read_bytes()
    assert command("compare", *pair, "--out", pair[0]).code == 2  # a study's own folder
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
    assert HOSTILE not in page and page.count("<script") == 1 and "<b>tuned" not in page
    assert "accuracy/&lt;script&gt;alert(1)&lt;/script&gt;/all/options" in page and "&lt;b&gt;tuned" in page


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
    assert f"1 of 1 metric of whole sets is worse, none better; the worst is Accuracy, Squares, {interval}." in page
    assert f"Squares, 1 metric. 1 worse: Accuracy {interval}." in page
    assert "Were the two studies alike, chance would call at most 0.0 of 1 metric worse" in page
    assert "Of all 6 paired metrics 4 moved: the tables name them." in page
    assert f"{ALL} worse 1.000 0.667 {interval} 0.016 0.016 24 (12)" in page
    assert "Seed: 0 in base, 3 in tuned." in page
    unpaired = page[page.index("Unpaired") :]
    row_of_it = r"accuracy/shapes/all/free 1\.000 \[0\.699, 1\.000\] 0\.667 \[0\.\d{3}, 0\.\d{3}\] -0\.333 0 of 24, 24 "
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
    assert "<figure" not in page and "Not shown: no metric of whole sets could be compared paired." in page
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
    assert [tick.get_text() for tick in axis.get_yticklabels()] == ["<b>$x$", "Squares"]
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
    arguments = ("--only", "behaviour/squares", "--only", "pathways/squares", "--limit", 16)
    folders = [tmp_path / name for name in ("base", "again", "other")]
    for folder, model in ((folders[0], tiny_checkpoint), (folders[2], other)):
        code, _, err = command("study", model, "--out", folder, *arguments)
        assert code == 0, err
    shutil.copytree(folders[0], folders[1])
    out = tmp_path / "out"
    code, printed, err = command("compare", *folders, "--out", out, "--fail-if-worse", "pathways")
    assert code in (0, 1) and printed.splitlines()[-1] == f"{out.resolve()}/report.html", err
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
    assert {f"pathways/squares/{one}/{asked}" for one in conditions for asked in ("order", "control")} <= changed.keys()
