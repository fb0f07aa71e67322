"""The report on probes: where the place is readable, the tables, the maps, and what is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backsight.report.reading import read_study
from backsight.results.image_interchange import IMAGE_INTERCHANGE_SUMMARY
from backsight.results.pages.content import Section
from backsight.results.pages.pictures import FigureView
from backsight.results.pages.study import Study
from backsight.results.pathways import PATHWAYS_SUMMARY
from backsight.results.probe_maps import PROBE_MAPS
from backsight.results.probes import PROBES_SUMMARY
from backsight.results.probes.section import fit_sentences, probes
from backsight.results.probes.text import place_words
from backsight.tables import Table

from .test_report import HOSTILE, page_of, study_record, write_study

Row = dict[str, Any]
PLACES = [
    *(("vision", block) for block in range(3)),
    ("image_embeds", 0),
    *(("resid_pre", layer) for layer in range(4)),
]
MEASURES = ("objects", "objects_shuffled", "background", "background_shuffled")


def probe_rows(
    suite: str = "squares", arrangement: str = "horizontal", *, first: int = 2, until: int = 99, **changes: Any
) -> list[Row]:
    """A suite's summary that is readable from the place number `first` up to `until` of vision, embeddings, layers."""
    rows: list[Row] = []
    for shown in ("standard",) if arrangement == "grid" else ("standard", "shifted"):
        for number, (site, layer) in enumerate(PLACES):
            able = first <= number < until
            objects = (0.96 + number / 1000) if able else 0.6
            values = {"objects": objects, "objects_shuffled": 0.34, "background": 0.7, "background_shuffled": 0.35}
            values |= {"selectivity": objects - 0.34, "background_selectivity": 0.35}
            values |= {"as_ordinal": 0.25, "as_column": 0.65} if shown == "shifted" else {}
            for measure, value in values.items():
                row: Row = {"suite": suite, "arrangement": arrangement, "shown": shown, "site": site, "layer": layer}
                row |= {"measure": measure, "share": value, "low": value - 0.02, "high": value + 0.02}
                chance = 0.0 if "selectivity" in measure else 1 / 3
                rows.append(row | {"pictures": 30, "chance": chance, "omitted": False} | changes)
    return rows


def few(rows: list[Row]) -> list[Row]:
    return [row | {"share": None, "low": None, "high": None, "pictures": 5, "omitted": True} for row in rows]


def map_rows(suite: str = "squares", arrangement: str = "horizontal", pictures: int = 30) -> list[Row]:
    """A map of 2 x 3 tokens, each column given its own place, with an object in each column of the first row."""
    return [
        {"suite": suite, "arrangement": arrangement, "row": r, "column": c, "place": place, "pictures": pictures}
        | {"share": float(place == c), "object": c if r == 0 else None}
        for r in range(2)
        for c in range(3)
        for place in range(3)
    ]


def write_probes(folder: Path, rows: list[Row], maps: dict[str, list[Row]] | None = None, **record: Any) -> Path:
    """A study's folder with a summary of probes and the maps of some sets, each under the name of its table."""
    jobs = [{"name": name, "kind": "probemaps", "set": name, "tables": [f"probemaps.{name}"]} for name in maps or {}]
    write_study(folder, study_record("squares", **({"jobs": jobs} | record)))
    if rows:
        Table.of(PROBES_SUMMARY, rows).write(folder / "tables", "probes_summary")
    for name, found in (maps or {}).items():
        Table.of(PROBE_MAPS, found).write(folder / "tables", f"probemaps.{name}")
    return folder


def section_of(html: str) -> str:
    return html.split('<section class="measured" id="probes"')[1].split("</section>")[0]


def built(folder: Path) -> Section:
    section = probes(read_study(folder))
    assert section is not None
    return section


def plain(text: str) -> str:
    return text.replace("\u00a0", " ")


def sentences(section: Section) -> list[str]:
    return [plain(one.text) for one in section.statements]


def test_where_position_is_readable_suites_alike_in_one_sentence(tmp_path: Path) -> None:
    rows = [
        *probe_rows(first=2),
        *probe_rows(arrangement="vertical", first=99),
        *probe_rows("shapes", first=2),
        *probe_rows("shapes", "vertical", first=7),
        *probe_rows("grid_2x2", "grid", first=0, until=5),
    ]
    section = built(write_probes(tmp_path / "s", rows))
    assert plain(section.claim) == (
        "Position is readable by a linear probe (at least 95 % of object tokens) in 3 of 5 arrangements in the vision "
        "encoder, 3 of 5 behind the projector and 4 of 5 in the language model; lowest is Squares (vertical rows) "
        "in the vision encoder, 60 % "
        "[58, 62] of object tokens (chance 33 %)."
    )
    assert plain(section.null) == "A probe of shuffled positions gives 34 % of object tokens theirs; chance is 33 %."
    assert sentences(section) == [
        "Squares (horizontal rows) and Shapes (horizontal rows): position is readable from vision block 2 on (chance "
        "33 %; 30 test pictures).",
        "Squares (vertical rows): position is readable at no site; the share of object tokens given theirs is at most "
        "60 % [58, 62] in the vision encoder, 60 % [58, 62] behind the projector and 60 % [58, 62] in the language "
        "model (chance 33 %; 30 test pictures).",
        "Shapes (vertical rows): position is readable from layer 3 of the language model on; the share of object "
        "tokens given theirs is at most 60 % [58, 62] in the vision encoder and 60 % [58, 62] behind the projector "
        "(chance 33 %; 30 test pictures).",
        "Grid 2x2: position is readable from vision block 0, but not at layer 1 of the language model (chance 33 %; 30 "
        "test pictures).",
    ]
    assert [one.suite for one in section.statements] == ["", "squares", "shapes", "grid_2x2"]
    assert [one.short for one in section.statements] == [0.0, 1.0, pytest.approx(2 / 3), 0.0]


def test_a_claim_on_what_was_measured_only(tmp_path: Path) -> None:
    rows = [row for row in probe_rows(first=0) if row["site"] == "image_embeds"]
    assert plain(built(write_probes(tmp_path / "s", rows)).claim) == (
        "Position is readable by a linear probe (at least 95 % of object tokens) in 1 of 1 arrangements behind the "
        "projector; lowest is Squares "
        "(horizontal rows) behind the projector, 96 % [94, 98] of object tokens (chance 33 %)."
    )


def test_places_in_words() -> None:
    said = [place_words(place) for place in (("vision", 4), ("image_embeds", 0), ("resid_pre", 3))]
    assert said == ["vision block 4", "the embeddings", "layer 3 of the language model"]


def test_few_pictures_are_omitted_and_counted(tmp_path: Path) -> None:
    rows = [
        *probe_rows(),
        *few(probe_rows(arrangement="vertical")),
        *few(probe_rows("shapes")),
    ]
    section = built(write_probes(tmp_path / "s", rows))
    assert "in 1 of 1 arrangements in the vision encoder" in section.claim
    assert sentences(section)[-1] == (
        "Omitted under 10 test pictures: Squares (vertical rows) (5 test pictures) and Shapes (horizontal rows) (5 "
        "test pictures)."
    )
    assert "Shapes, horizontal embeddings 5 omitted omitted omitted omitted" in lines(section)
    said = drawn(section.figures[0])
    assert "test pictures: horizontal 30, vertical omitted (n=5)" in said and "omitted: 5 test pictures" in said
    nothing = built(write_probes(tmp_path / "t", few(probe_rows("shapes"))))
    assert nothing.claim == "Not shown: fewer than 10 test pictures in Shapes."
    assert plain(nothing.null) == "Chance is 33 %."


def drawn(figure: FigureView) -> str:
    """The words of a figure's panels."""
    return " ".join(f"{panel.title} {panel.below} {panel.svg}" for panel in figure.panels)


def lines(section: Section) -> list[str]:
    """The rows of all tables, each on one line."""
    return [plain(" ".join(row)) for table in section.tables for row in table.rows]


def test_tables_stand_at_the_embeddings_and_at_the_best_layer(tmp_path: Path) -> None:
    section = built(write_probes(tmp_path / "s", probe_rows(until=7)))
    standard, shifted = section.tables
    assert standard.columns == ("Suite", "Where", "Objects", "Selectivity", "Background", "Its selectivity")
    assert standard.note == "The same in every row: Pictures: 30." and standard.suites == ("squares", "squares")
    # At the embeddings, the fourth of the places, .963; the best is the last but one, .966.
    said = lines(section)
    assert said[0].startswith("Squares, horizontal embeddings 0.963 [0.943, 0.983] 0.623 [0.603, 0.643]")
    assert said[1].startswith("Squares, horizontal layer 2 of the language model (best) 0.966 [0.946, 0.986]")
    assert said[2] == "Squares, horizontal embeddings 0.250 [0.230, 0.270] 0.650 [0.630, 0.670]"
    assert shifted.suites == ("squares", "squares")
    alike = lines(built(write_probes(tmp_path / "t", probe_rows(first=3, until=4))))
    assert alike[0].startswith("Squares, horizontal embeddings (best) 30 0.963") and len(alike) == 2


def test_grids_have_no_shifted_rows(tmp_path: Path) -> None:
    section = built(write_probes(tmp_path / "s", probe_rows("grid_2x2", "grid")))
    assert len(section.tables) == 1 and [one.anchor for one in section.figures] == [
        "figure-probes", "figure-probes_background",
    ]  # fmt: skip
    assert lines(section)[0].startswith("Grid 2x2 embeddings")


def test_without_its_tables_there_is_none(tmp_path: Path) -> None:
    assert probes(read_study(write_probes(tmp_path / "s", []))) is None


def test_maps_only_give_a_section_and_no_claim(tmp_path: Path) -> None:
    section = built(write_probes(tmp_path / "s", [], {"squares": map_rows()}))
    assert [one.anchor for one in section.figures] == ["figure-probe_maps"]
    assert section.claim == section.null == "" and section.statements == ()


def test_no_map_is_drawn_where_the_probe_is_at_chance(tmp_path: Path) -> None:
    maps = {"squares": map_rows(), "shapes": map_rows("shapes")}
    no_lead = [
        row | ({"low": -0.01} if (row["site"], row["measure"]) == ("image_embeds", "selectivity") else {})
        for row in probe_rows("shapes")
    ]
    section = built(write_probes(tmp_path / "s", [*probe_rows(), *no_lead], maps))
    said = next(drawn(one) for one in section.figures if one.anchor == "figure-probe_maps")
    assert "Squares" in said and "Shapes" not in said
    assert sentences(section)[-1] == (
        "No map of Shapes (horizontal rows): the probe at the embeddings is not shown to be above chance there."
    )
    none = built(write_probes(tmp_path / "t", no_lead, {"shapes": map_rows("shapes")}))
    assert "figure-probe_maps" not in [one.anchor for one in none.figures]
    low = [
        row | ({"low": 0.3} if (row["site"], row["measure"]) == ("image_embeds", "objects") else {})
        for row in probe_rows("shapes")
    ]
    at_chance = built(write_probes(tmp_path / "u", low, {"shapes": map_rows("shapes")}))
    assert "figure-probe_maps" not in [one.anchor for one in at_chance.figures]


def test_figures_and_their_links_are_there(tmp_path: Path) -> None:
    folder = write_probes(tmp_path / "s", probe_rows(), {"squares": map_rows()})
    section = built(folder)
    assert all(drawn(one) for one in section.figures)
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == ["probe_maps.svg", "probes.svg", "probes_background.svg", "probes_shifted.svg"]
    anchors = [one.anchor for one in section.figures]
    assert anchors == ["figure-probes", "figure-probe_maps", "figure-probes_background", "figure-probes_shifted"]


def test_the_maps_of_all_sets_are_read_in_the_order_of_their_jobs(tmp_path: Path) -> None:
    maps = {"squares": map_rows(), "grid_2x2": map_rows("grid_2x2", "grid")}
    study = read_study(write_probes(tmp_path / "s", [], maps))
    assert study.tables["probe_maps"].schema.name == "probe_maps"
    assert list(dict.fromkeys(row["suite"] for row in study.rows("probe_maps"))) == ["squares", "grid_2x2"]
    assert len(study.rows("probe_maps")) == 2 * 2 * 3 * 3


def test_maps_that_are_missing_or_lie_elsewhere_are_not_read(tmp_path: Path) -> None:
    folder = write_probes(tmp_path / "s", [], {"squares": map_rows()})
    Table.of(PROBE_MAPS, map_rows("secret")).write(tmp_path, "outside")
    record = json.loads((folder / "study.json").read_text())
    names: list[Any] = ["probemaps.squares", "../../outside", str(tmp_path / "outside"), "gone", None, 7]
    record["jobs"] = [{"kind": "probemaps", "tables": names}, {"kind": "probemaps", "tables": "x"}, 3]
    (folder / "study.json").write_text(json.dumps(record))
    assert {row["suite"] for row in read_study(folder).rows("probe_maps")} == {"squares"}


@pytest.mark.parametrize("jobs", [None, [], "x"])
def test_without_jobs_there_are_no_maps(tmp_path: Path, jobs: object) -> None:
    folder = write_probes(tmp_path / "s", [], {"squares": map_rows()}, jobs=jobs)
    assert not read_study(folder).rows("probe_maps")


def test_maps_of_few_pictures_are_omitted(tmp_path: Path) -> None:
    section = built(write_probes(tmp_path / "s", [], {"squares": map_rows(pictures=6)}))
    assert "omitted: 6 pictures" in drawn(section.figures[0]) and "<image" not in drawn(section.figures[0])


def test_names_are_escaped(tmp_path: Path) -> None:
    html = page_of(write_probes(tmp_path / "s", probe_rows(HOSTILE), {"squares": map_rows(HOSTILE)}))
    assert html.count("<script") == 1
    assert (
        "&lt;script&gt;alert(1)&lt;/script&gt; (horizontal rows): position is readable from vision block 2 on" in html
    )


def test_what_was_shown_can_be_opened(tmp_path: Path) -> None:
    jobs = [{"name": "probes/squares", "kind": "probes", "set": "squares"}]
    (sample,) = built(write_probes(tmp_path / "s", probe_rows(), jobs=jobs)).samples
    assert [one.uri.startswith("data:image/") for one in sample.pictures] == [True]


def test_sections_stand_in_the_order_of_the_page(tmp_path: Path) -> None:
    from .test_report import behaviour_rows, interchange_rows
    from .test_report_images import image_rows
    from .test_report_pathways import pathways_rows, verdict

    record = study_record("squares", verdict=verdict())
    folder = write_study(tmp_path / "s", record, behaviour_rows("squares"), interchange_rows("squares"))
    Table.of(PATHWAYS_SUMMARY, pathways_rows()).write(folder / "tables", "pathways_summary")
    Table.of(PROBES_SUMMARY, probe_rows()).write(folder / "tables", "probes_summary")
    rows = [*image_rows(), *image_rows(vision="removed", tokens="objects")]
    Table.of(IMAGE_INTERCHANGE_SUMMARY, rows).write(folder / "tables", "image_interchange_summary")
    html = page_of(folder)
    assert re.findall(r'<section class="measured" id="(\w+)"', html) == [
        "behaviour", "pathways", "interchange", "probes", "image_interchange", "backup",
    ]  # fmt: skip
    anchors = set(re.findall(r' id="([^"]+)"', html))
    assert {address for address in re.findall(r'href="#([^"]*)"', html)} <= anchors


@pytest.mark.parametrize(("methods", "said"), [(["logistic"], "by logistic"), (["adamw"], "as the authors did")])
def test_the_fit_is_that_of_the_jobs(tmp_path: Path, methods: list[str], said: str) -> None:
    def sentences(*fits: str) -> tuple[str, ...]:
        jobs = [{"kind": "probes", "measurement": f"Probes(batch=16, method='{fit}')"} for fit in fits]
        return fit_sentences(Study(tmp_path, {"jobs": jobs}, {}))

    (sentence,) = sentences(*methods)
    assert sentence.startswith(f"The probes are fitted {said}")
    assert len(sentences("logistic", "adamw")) == 2 and sentences() == sentences("?") == ()
