"""The report on probes: where the place is readable, the tables, the maps, and what is left out."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from backsight.report.reading import read_study
from backsight.results.image_interchange import IMAGE_INTERCHANGE_SUMMARY
from backsight.results.pages.study import Study
from backsight.results.pathways import PATHWAYS_SUMMARY
from backsight.results.probe_maps import PROBE_MAPS
from backsight.results.probes import PROBES_SUMMARY
from backsight.results.probes.section import fit_sentences, place_words, readable
from backsight.tables import Table

from .test_report import HOSTILE, page_of, study_record, words, write_study

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
    return html.split('<section id="probes">')[1].split("</section>")[0]


def test_the_opening_says_from_where_on_order_is_readable(tmp_path: Path) -> None:
    rows = [
        *probe_rows(first=2),
        *probe_rows(arrangement="vertical", first=99),
        *probe_rows("shapes", first=3),
        *probe_rows("shapes", "vertical", first=7),
        *probe_rows("grid_2x2", "grid", first=0, until=5),
    ]
    said = words(page_of(write_probes(tmp_path / "s", rows)).split("<nav")[0])
    assert "Where order is readable From which site on at least 95 % of the object tokens" in said
    assert "Squares: horizontal from vision block 2 on, vertical nowhere (at most" in said
    assert (
        "Shapes: horizontal from the embeddings on, vertical from layer 3 of the language model on "
        "(30 test pictures an axis)"
    ) in said
    assert "Grid 2x2: first at vision block 0, but not at all that follow (30 test pictures)" in said


def test_readable_needs_both_the_share_and_the_lead() -> None:
    def group(objects: float, low: float) -> Any:
        rows = {"objects": {"share": objects, "omitted": False}, "selectivity": {"low": low, "omitted": False}}
        return {("image_embeds", 0): rows}

    assert readable(group(0.95, 0.01)) == "from the embeddings on"
    assert readable(group(0.949, 0.01)).replace("\u00a0", " ").startswith("nowhere (at most 94.9 % of the tokens, at ")
    assert readable(group(0.95, 0.0)).endswith("; no lead over a probe of shuffled positions is shown)")
    assert readable({("image_embeds", 0): {"objects": {"share": 1.0, "omitted": False}}}) == "omitted"


def test_places_in_words() -> None:
    said = [place_words(place) for place in (("vision", 4), ("image_embeds", 0), ("resid_pre", 3))]
    assert said == ["vision block 4", "the embeddings", "layer 3 of the language model"]


def test_few_pictures_are_omitted_and_counted(tmp_path: Path) -> None:
    rows = [
        *probe_rows(),
        *few(probe_rows(arrangement="vertical")),
        *few(probe_rows("shapes")),
        *few(probe_rows("shapes", "vertical")),
    ]
    html = page_of(write_probes(tmp_path / "s", rows))
    said = words(html)
    assert "Squares: horizontal from vision block 2 on (n = 30), vertical omitted (n = 5)" in said
    assert "Shapes: omitted (5 test pictures, fewer than 10)" in said
    assert "Shapes, horizontal embeddings 5 omitted omitted omitted omitted" in said
    assert ">test pictures: horizontal 30, vertical omitted (n=5)</text>" in html
    assert ">omitted: 5 test pictures</text>" in html


def test_tables_stand_at_the_embeddings_and_at_the_best_layer(tmp_path: Path) -> None:
    said = words(page_of(write_probes(tmp_path / "s", probe_rows(until=7))))
    assert "Suite Where Pictures Objects Selectivity Background Background selectivity" in said
    # At the embeddings, the fourth of the places, .963; the best is the last but one, .966.
    assert "Squares, horizontal embeddings 30 0.963 [0.943, 0.983] 0.623 [0.603, 0.643]" in said
    assert "Squares, horizontal layer 2 of the language model (best) 30 0.966 [0.946, 0.986]" in said
    assert "Squares, horizontal embeddings 30 0.250 [0.230, 0.270] 0.650 [0.630, 0.670]" in said
    alike = words(page_of(write_probes(tmp_path / "t", probe_rows(first=3, until=4))))
    assert "Squares, horizontal embeddings (best) 30 0.963" in alike and "layer 2 of the" not in alike


def test_grids_have_no_shifted_rows(tmp_path: Path) -> None:
    html = page_of(write_probes(tmp_path / "s", probe_rows("grid_2x2", "grid")))
    assert "Rows that stand elsewhere" not in html and 'id="figure-probes_shifted"' not in html
    assert "Grid 2x2 embeddings 30" in words(html)


def test_without_its_tables_there_is_neither(tmp_path: Path) -> None:
    html = page_of(write_probes(tmp_path / "s", []))
    assert '<section id="probes">' not in html and "Where order is readable" not in html


def test_maps_alone_give_a_section_and_no_answer(tmp_path: Path) -> None:
    html = page_of(write_probes(tmp_path / "s", [], {"squares": map_rows()}))
    assert 'id="figure-probe_maps"' in section_of(html) and 'id="figure-probes"' not in html
    assert "Where order is readable" not in html


def test_figures_and_their_links_are_there(tmp_path: Path) -> None:
    folder = write_probes(tmp_path / "s", probe_rows(), {"squares": map_rows()})
    html = page_of(folder)
    names = sorted(path.name for path in (folder / "figures").iterdir())
    assert names == ["probe_maps.svg", "probes.svg", "probes_background.svg", "probes_shifted.svg"]
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    anchors = re.findall(r'<figure id="(figure-[^"]+)">', html)
    assert anchors == ["figure-probes", "figure-probe_maps", "figure-probes_background", "figure-probes_shifted"]
    assert not re.search(r'(?:src|href)\s*=\s*["\']?\s*(?:https?:)?//', html)


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
    html = page_of(write_probes(tmp_path / "s", [], {"squares": map_rows(pictures=6)}))
    assert ">omitted: 6 pictures</text>" in html and "<image" not in html


def test_names_are_escaped(tmp_path: Path) -> None:
    html = page_of(write_probes(tmp_path / "s", probe_rows(HOSTILE), {"squares": map_rows(HOSTILE)}))
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: horizontal from vision block 2 on" in html


def test_what_was_shown_can_be_opened(tmp_path: Path) -> None:
    jobs = [{"name": "probes/squares", "kind": "probes", "set": "squares"}]
    section = section_of(page_of(write_probes(tmp_path / "s", probe_rows(), jobs=jobs)))
    assert section.count("<summary>What was asked</summary>") == 1
    assert section.count('src="data:image/png;base64,') == 1


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
    assert re.findall(r'<section id="(\w+)">', html) == [
        "behaviour", "pathways", "interchange", "probes", "image_interchange", "backup", "contracts", "controls",
        "costs", "reproduce",
    ]  # fmt: skip
    assert re.findall(r'<h2 class="answer">([^<]*)</h2>', html) == [
        "Where position comes from",
        "How well it answers",
        "Where the last token carries the position",
        "Where order is readable",
        "Do swapped image tokens flip the answer",
        "Does the language model write order into object tokens",
    ]
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
