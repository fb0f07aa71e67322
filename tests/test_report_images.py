"""The report on swapped image tokens, intact and after removal: layers, both axes, Holm's correction."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from backsight.maths.interchange import ANSWER
from backsight.maths.intervals import holm
from backsight.report.reading import read_study
from backsight.results.image_interchange import AXES, IMAGE_INTERCHANGE_SUMMARY, flip_layers
from backsight.results.image_interchange.section import backup, corrected, image_interchange
from backsight.results.pages.content import Grid, Section
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
    return html.split(f'<section class="measured" id="{name}"')[1].split("</section>")[0]


def sections(folder: Path) -> tuple[Section | None, Section | None]:
    """The section with the vision encoder's order intact, and the one after removal, of a study's folder."""
    study = read_study(folder)
    return image_interchange(study), backup(study)


def intact(folder: Path) -> Section:
    one, _ = sections(folder)
    assert one is not None
    return one


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def sentences(section: Section) -> list[str]:
    return [plain(one.text) for one in section.statements]


def grid(section: Section, start: str) -> Grid:
    return next(one for one in section.tables if one.title.startswith(start))


def cells(section: Section, start: str) -> list[str]:
    """The rows of a table, each on one line."""
    return [plain(" ".join(row)) for row in grid(section, start).rows]


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


def test_the_claim_says_first_which_tokens_flip_no_answer(tmp_path: Path) -> None:
    section, removed = sections(write_images(tmp_path / "s", BOTH))
    assert section is not None and removed is None
    assert plain(section.claim) == (
        "No layer is shown at which swapped object tokens flip the answer in Squares: the answer flips in at most 5 % "
        "[0, 10] of 48 pairs (2 dropped) at layer 0; strips do in 1 of 1 suite."
    )
    assert plain(section.null).startswith(
        "At layer 6, where image tokens are no longer read, the answer flips in 5 % of pairs; naming one of a row's "
        "three objects blindly gives 33 %. Positive control: builtin:staged flips by object tokens at layer 3 in"
    )
    assert sentences(section)[1] == (
        "Squares: swapped strips flip the answer at layers 0-2 of 0-6, in 90 % [85, 95] of 48 pairs (2 dropped) at "
        "layer 0."
    )
    assert [one.suite for one in section.statements] == ["squares", "squares"]
    assert [one.short for one in section.statements] == [1.0, pytest.approx(0.1)]


def test_suites_alike_are_one_sentence_and_the_worst_stands_first(tmp_path: Path) -> None:
    names = ("squares", "shapes", "objects")
    none = [row for name in names for row in image_rows(name, tokens="objects", flipped=())]
    section = intact(write_images(tmp_path / "s", none))
    (sentence,) = sentences(section)
    assert sentence.startswith("Squares, Shapes and Objects: no layer is shown at which swapped object tokens flip")
    assert section.statements[0].suite == ""
    mixed = [*image_rows("squares", tokens="objects"), *image_rows("shapes", tokens="objects", flipped=())]
    claim = plain(intact(write_images(tmp_path / "t", mixed)).claim)
    assert claim.startswith("No layer is shown at which swapped object tokens flip the answer in Shapes: ")
    assert claim.endswith(
        "; shown in Squares at layers 0-2 of 0-6, in 90 % [85, 95] of 48 pairs (2 dropped) at layer 0."
    )
    all_of = [row for name in names for row in image_rows(name, tokens="objects", flipped=(2,))]
    assert plain(intact(write_images(tmp_path / "u", all_of)).claim) == (
        "Swapped object tokens flip the answer in Squares, Shapes and Objects at layer 2 of 0-6, each in 90 % [85, 95] "
        "of 48 pairs (2 dropped)."
    )


def test_a_direction_without_a_layer_is_named(tmp_path: Path) -> None:
    rows = [
        row | ({"probability": 0.05, "low": 0.02, "high": 0.08, "answer": 0.0, "answer_low": 0.0, "answer_high": 0.1}
               if row["direction"] == "above" and row["outcome"] == "flipped" else {})
        for row in image_rows(tokens="objects")
    ]  # fmt: skip
    section = intact(write_images(tmp_path / "s", rows))
    assert section.claim.endswith('; no layer is shown for "above" questions.')
    assert sentences(section)[0].endswith('; no layer is shown for "above" questions.')


def test_after_removal_there_is_a_section_of_its_own(tmp_path: Path) -> None:
    removed = [row for name in ("squares", "shapes") for row in image_rows(name, "removed", "objects", flipped=(3, 4))]
    first, second = sections(write_images(tmp_path / "s", [*BOTH, *removed]))
    assert first is not None and second is not None
    assert plain(second.claim) == (
        "After removal of the vision encoder's order, swapped object tokens flip the answer in Squares and Shapes at "
        "layers 3-4 of 0-6, each in 90 % [85, 95] of 48 pairs (2 dropped) at layer 3."
    )
    assert cells(second, "Layers")[0].startswith("Squares 3-4 (n=48)") and "Tokens" not in second.tables[0].columns
    assert "object tokens" in plain(second.tables[0].note)
    only = sections(write_images(tmp_path / "t", removed))
    assert only[0] is None and only[1] is not None


def test_what_holds_for_both_sections_is_said_in_the_first(tmp_path: Path) -> None:
    removed = image_rows(vision="removed", tokens="objects", flipped=(3, 4))
    axes = [axes_row("squares", "intact", 0.001), axes_row("squares", "removed", 0.001)]
    first, second = sections(write_images(tmp_path / "s", [*BOTH, *removed], axes))
    assert first is not None and second is not None
    assert not {*first.method, *first.limits} & {*second.method, *second.limits}
    assert any("those of Interchange of image tokens" in one for one in second.method)
    _, only = sections(write_images(tmp_path / "t", removed, axes[1:]))
    assert only is not None and set(first.method) - set(only.method) == set()
    assert not any("those of Interchange of image tokens" in one for one in only.method)


def test_the_pathway_stands_beside_the_swap_after_removal(tmp_path: Path) -> None:
    removed = image_rows(vision="removed", tokens="objects", flipped=())
    verdict = {"source": "language", "suite": "squares"}
    _, section = sections(write_images(tmp_path / "s", removed, verdict=verdict))
    assert section is not None
    beside = "Beside it, position pathways on Squares: the language model's position encoding suffices although"
    assert sentences(section)[-1].startswith(beside) and section.statements[-1].suite == "squares"
    _, elsewhere = sections(write_images(tmp_path / "t", removed, verdict=verdict | {"suite": "shapes"}))
    assert elsewhere is not None and "Beside it" not in " ".join(sentences(elsewhere))  # the verdict of another suite


def test_without_the_table_there_is_neither(tmp_path: Path) -> None:
    assert sections(write_study(tmp_path / "s", study_record("squares"))) == (None, None)


def test_layers_stand_by_direction_and_axis(tmp_path: Path) -> None:
    section = intact(write_images(tmp_path / "s", BOTH))
    assert section.tables[0].columns == (
        "Suite", "Tokens", "All directions", "Left", "Above", "Horizontal", "Vertical"
    )  # fmt: skip
    none, strips = cells(section, "Layers")
    assert none.startswith("Squares object tokens none (n=48) none (n=48)")
    assert strips == "Squares strips 0-2 (n=48) 0-2 (n=48) 0-2 (n=48) 0-2 (n=48) 0-2 (n=48)"
    assert section.tables[0].suites == ("squares", "squares")


def test_probabilities_stand_by_layer(tmp_path: Path) -> None:
    section = intact(write_images(tmp_path / "s", BOTH))
    table = grid(section, "Probabilities")
    assert table.columns == ("Suite", "Tokens", "Layer", "Clean answer", "Flipped answer")
    assert table.note == "The same in every row: Pairs: 48." and len(table.suites) == len(table.rows) == 14
    lines = cells(section, "Probabilities")
    assert "Squares strips 2 0.050 [0.020, 0.080] 0.900 [0.870, 0.930]" in lines
    assert "Squares strips 3 0.900 [0.870, 0.930] 0.050 [0.020, 0.080]" in lines


def test_layers_are_worked_out_where_their_table_is_missing(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "s", BOTH)
    for file in (folder / "tables").glob("flip_layers.*"):
        file.unlink()
    assert "strips flip the answer at layers 0-2 of 0-6" in sentences(intact(folder))[1]


def test_figures_and_their_links_are_there(tmp_path: Path) -> None:
    folder = write_images(tmp_path / "s", [*BOTH, *image_rows(vision="removed", tokens="objects")])
    html = page_of(folder)
    names = {path.name for path in (folder / "figures").iterdir()}
    assert names == {
        "image_interchange.svg", "image_interchange_by_direction.svg", "backup.svg", "backup_by_direction.svg",
    }  # fmt: skip
    for address in re.findall(r'(?:href|src)="([^"#]*)"', html):
        assert address.startswith("data:") or (folder / address).is_file(), address
    apart = (folder / "figures" / "image_interchange_by_direction.svg").read_text()
    assert ">Squares, above<" in apart and "horizontal" not in apart


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
    first, second = sections(write_images(tmp_path / "s", rows, axes))
    assert first is not None and second is not None
    squares, shapes, objects, pairs, _ = cells(first, "Vertical")
    assert squares == "Squares 24 0.400 0.300 0.100 [0.060, 0.140] 0.003"
    assert shapes == "Shapes 24 0.200 0.300 -0.100 [-0.140, -0.060] 0.040"
    assert objects == "Objects 24 0.310 0.300 0.010 [-0.030, 0.050] 0.040"
    assert pairs == "Pairs 4 omitted omitted omitted omitted"
    assert (
        "The paper's claim that vertical rows strengthen order is borne out for Squares; contradicted for Shapes; not shown for Objects and "
        "Grid; omitted for Pairs."
    ) in grid(first, "Vertical").note
    assert cells(second, "Vertical")[0].endswith("0.040")  # one comparison: nothing to correct
    assert "strengthen order is borne out for Squares." in grid(second, "Vertical").note


def test_the_papers_claim_names_tokens_where_there_are_several(tmp_path: Path) -> None:
    axes = [
        axes_row("squares", "intact", 0.001),
        axes_row("squares", "intact", 0.001, tokens="strips"),
        axes_row("shapes", "intact", 0.5),
    ]
    note = grid(intact(write_images(tmp_path / "s", BOTH, axes)), "Vertical").note
    assert "borne out for Squares (object tokens, strips); not shown for Shapes (object tokens)." in note


def test_without_the_table_of_axes_nothing_is_said_of_them(tmp_path: Path) -> None:
    section = intact(write_images(tmp_path / "s", BOTH, []))
    assert not any(one.title.startswith("Vertical") for one in section.tables)
    assert not any("along both axes" in one for one in section.method)


def test_few_pairs_are_omitted_and_counted(tmp_path: Path) -> None:
    few = image_rows("shapes", tokens="objects", pairs=4)
    section = intact(write_images(tmp_path / "s", [*BOTH, *few]))
    assert "; omitted in Shapes; strips do in 1 of 1 suite." in section.claim
    assert "Omitted under 10 pairs: Shapes (4 pairs, 2 dropped)." in sentences(section)
    assert cells(section, "Layers")[2].startswith("Shapes object tokens omitted (n=4)")
    assert "Shapes object tokens – 4 omitted omitted" in cells(section, "Probabilities")
    assert any(">omitted: 4 pairs</text>" in str(figure) for figure in section.figures)
    nothing = intact(write_images(tmp_path / "t", few))
    assert nothing.claim == "Not shown: fewer than 10 pairs are answered correctly by both runs in Shapes."
    assert nothing.null == "Naming one of a row's three objects blindly gives 33\u00a0%."
    assert [one.short for one in nothing.statements] == [0.0]


def test_names_are_escaped(tmp_path: Path) -> None:
    rows = [*image_rows(HOSTILE, tokens=HOSTILE), *image_rows(HOSTILE, tokens="strips")]
    html = page_of(write_images(tmp_path / "s", rows, [axes_row(HOSTILE, "intact", 0.001)]))
    assert html.count("<script") == 1
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


def test_p_values_in_words() -> None:
    assert [p_value(p) for p in (None, 0.0004, 0.001, 0.0496, 1.0)] == ["–", "<0.001", "0.001", "0.050", "1.000"]
