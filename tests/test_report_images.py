"""The report on swapped image tokens, intact and after removal: layers, both axes, Holm's correction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.maths.interchange import ANSWER
from backsight.maths.intervals import holm
from backsight.results.drawing.sweeps import TOKEN_WORDS
from backsight.results.image_interchange import AXES, IMAGE_INTERCHANGE_SUMMARY, flip_layers
from backsight.results.image_interchange.section import corrected
from backsight.results.pages.layers import flip_sentence
from backsight.results.pages.wording import p_value
from backsight.tables import Table

from .test_report import HOSTILE, page_of, study_record, words, write_study

Row = dict[str, Any]
DIRECTIONS = ("all", "left", "above", "horizontal", "vertical")


def image_rows(
    suite: str = "squares",
    vision: str = "intact",
    tokens: str = "strips",
    *,
    flipped: tuple[int, ...] = (0, 1, 2),
    pairs: int = 48,
    layers: int = 6,
) -> list[Row]:
    """A suite's summary in which the flipped answer stands above the clean one at the layers `flipped`."""
    rows: list[Row] = []
    for direction in DIRECTIONS:
        common = {"suite": suite, "vision": vision, "tokens": tokens, "direction": direction}
        common |= {"pairs": pairs, "dropped": 2}
        if pairs < 10:
            empty = dict.fromkeys(("layer", "outcome", "probability", "low", "high", "interval", *ANSWER))
            rows.append(common | empty | {"omitted": True})
            continue
        for layer in range(layers + 1):
            for outcome in ("clean", "flipped"):
                p = 0.9 if (outcome == "flipped") == (layer in flipped) else 0.05
                row = common | {"layer": layer, "outcome": outcome, "probability": p, "low": p - 0.03}
                row |= {"high": p + 0.03, "interval": "bootstrap", "omitted": False}
                rows.append(row | dict(zip(ANSWER, (p, p - 0.05, p + 0.05), strict=True)))
    return rows


def axes_row(suite: str, vision: str, p: float | None, difference: float = 0.1, **changes: Any) -> Row:
    """Vertical against horizontal, with an interval of .04 on either side."""
    row: Row = {"suite": suite, "vision": vision, "tokens": "objects", "rows": 24, "omitted": False, "p_value": p}
    row |= {"vertical": 0.3 + difference, "horizontal": 0.3, "difference": difference}
    return row | {"low": difference - 0.04, "high": difference + 0.04} | changes


def write_images(folder: Path, rows: list[Row], axes: list[Row] | None = None, **record: Any) -> Path:
    """A study's folder with the tables of swapped image tokens."""
    write_study(folder, study_record("squares", "shapes", **record))
    summary = Table.of(IMAGE_INTERCHANGE_SUMMARY, rows)
    summary.write(folder / "tables", "image_interchange_summary")
    flip_layers(summary).write(folder / "tables", "flip_layers")
    if axes is not None:
        Table.of(AXES, axes).write(folder / "tables", "axes")
    return folder


def section_of(html: str, name: str) -> str:
    return html.split(f'<section id="{name}">')[1].split("</section>")[0]


BOTH = [*image_rows(tokens="objects", flipped=()), *image_rows()]


def test_holm_by_hand() -> None:
    # Sorted .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04; the last may not fall below .06.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([0.03]) == [0.03] and holm([]) == []
    assert holm([0.02, 0.02, 0.02]) == pytest.approx([0.06] * 3)


def test_rows_without_a_test_are_no_comparison() -> None:
    rows = [axes_row("a", "intact", 0.01), axes_row("b", "intact", None), axes_row("c", "intact", 0.04)]
    assert corrected(rows) == [pytest.approx(0.02), None, pytest.approx(0.04)]


def test_the_opening_says_which_tokens_flip_the_answer(tmp_path: Path) -> None:
    html = page_of(write_images(tmp_path / "s", BOTH))
    opening = words(html.split("<nav")[0])
    assert (
        "Do swapped image tokens flip the answer Layers at which they do: Squares: object tokens at no layer "
        "(it flips in at most 5.0 % of them, at layer 0), strips at layers 0-2 of 0-6 (it flips in up to 90.0 % of "
        "them, at layer 0) (48 pairs, 2 dropped) Positive control: builtin:staged flips by object tokens at layer 3 in"
    ) in opening
    assert "Does the language model write order into object tokens" not in html and 'id="backup"' not in html


def test_after_removal_there_is_a_section_of_its_own(tmp_path: Path) -> None:
    removed = image_rows(vision="removed", tokens="objects", flipped=(3, 4))
    html = page_of(write_images(tmp_path / "s", [*BOTH, *removed]))
    opening = words(html.split("<nav")[0])
    shares = "it flips in up to 90.0 % of them, at layer 3"
    assert f"written into them: Squares: layers 3-4 of 0-6 (48 pairs, 2 dropped; {shares})" in opening
    assert html.index('id="image_interchange"') < html.index('id="backup"')
    assert "3-4 (n=48)" in section_of(html, "backup") and "0-2 (n=48)" not in section_of(html, "backup")
    assert "3-4 (n=48)" not in section_of(html, "image_interchange")
    only = page_of(write_images(tmp_path / "t", removed))
    assert '<section id="backup">' in only and '<section id="image_interchange">' not in only
    assert "Do swapped image tokens flip the answer" not in only


def test_the_pathway_stands_beside_the_swap_after_removal(tmp_path: Path) -> None:
    removed = image_rows(vision="removed", tokens="objects", flipped=())
    verdict = {"source": "language", "suite": "squares"}
    opening = words(page_of(write_images(tmp_path / "s", removed, verdict=verdict)).split("<nav")[0])
    assert "Does the language model write order into object tokens" in opening
    beside = "Beside it, position pathways on Squares: the language model&#39;s position encoding suffices although"
    assert beside in opening
    elsewhere = words(page_of(write_images(tmp_path / "t", removed, verdict=verdict | {"suite": "shapes"})))
    assert "Beside it" not in elsewhere  # the verdict is of another suite


def test_without_the_table_there_is_neither(tmp_path: Path) -> None:
    html = page_of(write_study(tmp_path / "s", study_record("squares")))
    for absent in (
        'id="image_interchange"',
        'id="backup"',
        "Do swapped image tokens",
        "write order into object tokens",
    ):
        assert absent not in html


def test_layers_stand_by_direction_and_axis(tmp_path: Path) -> None:
    said = words(page_of(write_images(tmp_path / "s", BOTH)))
    assert "Suite Tokens All directions Left Above Horizontal Vertical" in said
    assert "Squares object tokens none (n=48) none (n=48)" in said
    assert "Squares strips 0-2 (n=48) 0-2 (n=48) 0-2 (n=48) 0-2 (n=48) 0-2 (n=48)" in said


def test_probabilities_stand_by_layer(tmp_path: Path) -> None:
    said = words(page_of(write_images(tmp_path / "s", BOTH)))
    assert "Suite Tokens Layer Pairs Clean answer Flipped answer" in said
    assert "Squares strips 2 48 0.050 [0.020, 0.080] 0.900 [0.870, 0.930]" in said
    assert "Squares strips 3 48 0.900 [0.870, 0.930] 0.050 [0.020, 0.080]" in said


def test_layers_are_worked_out_where_their_table_is_missing(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "s", BOTH)
    for file in (folder / "tables").glob("flip_layers.*"):
        file.unlink()
    assert "strips at layers 0-2 of 0-6" in words(page_of(folder))


def test_figures_and_their_links_are_there(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "s", [*BOTH, *image_rows(vision="removed", tokens="objects")])
    html = page_of(folder)
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {"image_interchange.svg", "backup.svg"}
    for address in re.findall(r'(?:href|src)="([^"#]*)"', html):
        assert address.startswith("data:image/webp;base64,") or (folder / address).is_file(), address


def test_both_axes_are_compared_with_holms_correction(tmp_path: Path) -> None:
    axes = [
        axes_row("squares", "intact", 0.001),
        axes_row("shapes", "intact", 0.03, -0.1),
        axes_row("objects", "intact", 0.02, 0.01),
        axes_row("pairs", "intact", None, omitted=True, rows=4),
        axes_row("grid", "intact", 0.0001, -0.0003, low=-0.0004, high=-0.0002),  # too small to matter
        axes_row("squares", "removed", 0.04),
    ]
    rows = [*BOTH, *image_rows(vision="removed", tokens="objects")]
    html = page_of(write_images(tmp_path / "s", rows, axes))
    intact, removed = (words(section_of(html, name)) for name in ("image_interchange", "backup"))
    assert "Squares object tokens 24 0.400 0.300 0.100 [0.060, 0.140] 0.001 0.003" in intact
    assert "Shapes object tokens 24 0.200 0.300 -0.100 [-0.140, -0.060] 0.030 0.040" in intact
    assert "Objects object tokens 24 0.310 0.300 0.010 [-0.030, 0.050] 0.020 0.040" in intact
    assert "Pairs object tokens 4 omitted omitted" in intact
    assert (
        "On this model that is borne out for Squares; contradicted for Shapes; not shown for Objects and "
        "Grid; omitted for Pairs."
    ) in intact
    assert "0.040 0.040 The paper holds" in removed  # one comparison: nothing to correct
    assert "On this model that is borne out for Squares." in removed


def test_the_claim_names_tokens_where_there_are_several(tmp_path: Path) -> None:
    axes = [
        axes_row("squares", "intact", 0.001),
        axes_row("squares", "intact", 0.001, tokens="strips"),
        axes_row("shapes", "intact", 0.5),
    ]
    said = words(page_of(write_images(tmp_path / "s", BOTH, axes)))
    assert "borne out for Squares (object tokens, strips); not shown for Shapes (object tokens)." in said


def test_without_the_table_of_axes_nothing_is_said_of_them(tmp_path: Path) -> None:
    html = page_of(write_images(tmp_path / "s", BOTH, []))
    assert "Vertical against horizontal" not in html and "The paper holds" not in html


def test_few_pairs_are_omitted_and_counted(tmp_path: Path) -> None:
    few = image_rows("shapes", tokens="objects", pairs=4)
    html = page_of(write_images(tmp_path / "s", [*BOTH, *few]))
    said = words(html)
    assert "Shapes: omitted (4 pairs, 2 dropped)" in said
    assert "Shapes object tokens omitted (n=4)" in said
    assert "Shapes object tokens – 4 omitted omitted" in said
    assert ">omitted: 4 pairs</text>" in html


def test_names_are_escaped(tmp_path: Path) -> None:
    rows = [*image_rows(HOSTILE, tokens=HOSTILE), *image_rows(HOSTILE, tokens="strips")]
    html = page_of(write_images(tmp_path / "s", rows, [axes_row(HOSTILE, "intact", 0.001)]))
    assert "<script" not in html
    assert "borne out for &lt;script&gt;alert(1)&lt;/script&gt;." in html


def test_a_recorded_reversed_row_is_shown(tmp_path: Path) -> None:
    record = study_record("squares")
    record["jobs"] = [{"name": "imageinterchange/squares", "kind": "imageinterchange", "set": "squares"}]
    folder = write_images(tmp_path / "s", BOTH, jobs=record["jobs"])
    assert "Counterfactual." not in section_of(page_of(folder), "image_interchange")  # that of another measurement
    record["sets"][0]["sample"]["pairs"]["last_token"]["outcomes"] = {"clean": "red", "flipped": "blue"}
    folder = write_images(tmp_path / "t", BOTH, jobs=record["jobs"], sets=record["sets"])
    said = words(section_of(page_of(folder), "image_interchange"))
    assert "Counterfactual. Answer: black" in said
    assert "Clean answer red Flipped answer: the object on the other side blue" in said


def test_sentences_about_flips() -> None:
    row: Row = {"tokens": "objects", "layers": "4", "found": True, "pairs": 1, "dropped": 0, "omitted": False}
    none = row | {"tokens": "strips", "layers": "", "found": False, "pairs": 12, "dropped": 3}
    assert flip_sentence("A", [row], TOKEN_WORDS, 6) == "A: layer 4 of 0-6 (1 pair)"
    assert flip_sentence("A", [row, none], TOKEN_WORDS, None) == (
        "A: object tokens at layer 4 (1 pair), strips at no layer (12 pairs, 3 dropped)"
    )
    gone = none | {"omitted": True}
    assert flip_sentence("A", [none, gone | {"tokens": "x"}], TOKEN_WORDS, 6) == (
        "A: strips at no layer, x omitted (12 pairs, 3 dropped)"
    )


def test_p_values_in_words() -> None:
    assert [p_value(p) for p in (None, 0.0004, 0.001, 0.0496, 1.0)] == ["–", "<0.001", "0.001", "0.050", "1.000"]
