"""The docs as files: links, lines, sentences, tables of numbers, and what the reference has to name."""

from __future__ import annotations

import importlib.util
import re
from collections import Counter
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests import pages
from tests.pages import COMMANDS, DOCS, PAGES, ROOT

LINK = re.compile(r"(?<!`)\[[^\]]*\]\(([^)\s]+)\)")
REFERENCE = re.compile(r"^::: (\S+)$", re.MULTILINE)
OURS = [page for page in PAGES if page.is_relative_to(DOCS)]
each = pytest.mark.parametrize("page", PAGES, ids=pages.name)
ours = pytest.mark.parametrize("page", OURS, ids=pages.name)


def script(name: str) -> ModuleType:
    """A script of the docs, as a module."""
    spec = importlib.util.spec_from_file_location(f"docs_{name}", DOCS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as a code host and the site make them."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", pages.text(page), flags=re.M | re.S), re.MULTILINE)
    return {re.sub(r"[ -]+", "-", re.sub(r"[^\w\s-]", "", head.lower()).strip()) for head in heads}


def broken(page: Path) -> list[str]:
    """The links of a page that lead to no file or to no heading."""
    lost = []
    for target in LINK.findall(pages.text(page)):
        path, _, anchor = target.partition("#")
        there = page.parent / path if path else page
        if "://" in target:
            continue
        if not there.exists() or (anchor and anchor not in anchors(there)):
            lost.append(target)
    return lost


@each
def test_links_lead_to_files_and_headings(page: Path) -> None:
    assert broken(page) == []


def test_a_link_to_no_file_or_heading_is_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A head: it\n[a](#a-head-it) [b](#b) [c](c.md) [d](page.md#a-head-it) [e](https://e.org)\n")
    assert broken(page) == ["#b", "c.md"]


@ours
def test_links_stay_inside_the_site(page: Path) -> None:
    """A link out of docs/ works on a code host and nowhere else."""
    targets = [t.partition("#")[0] for t in LINK.findall(pages.text(page)) if "://" not in t]
    assert [t for t in targets if not (page.parent / t).resolve().is_relative_to(DOCS)] == []


@ours
def test_lines_are_no_longer_than_120_characters(page: Path) -> None:
    lines = [line for line in pages.text(page).splitlines() if not line.startswith("|")]  # a row of a table is one line
    assert [line for line in lines if len(line) > 120] == []


def test_no_sentence_stands_twice() -> None:
    count = Counter(sentence for page in OURS for sentence in pages.sentences(page))
    assert [sentence for sentence, times in count.items() if times > 1] == []


def test_what_a_sentence_is(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# Head\nShort one. A sentence that has more than forty\ncharacters. | no\n\n| a table of forty or more |\n"
    )
    assert pages.sentences(page) == ["A sentence that has more than forty characters. | no"]


@each
def test_blocks_say_what_they_are(page: Path) -> None:
    known = {"python", "json", "text", "toml", "html", *COMMANDS}
    assert [str(block) for block in pages.blocks(page) if block.language not in known] == []


def test_tables_of_numbers_are_those_of_the_cards_and_the_published_figures(tmp_path: Path) -> None:
    tables = script("tables")
    assert [pages.name(page) for page in OURS if tables.written(pages.text(page)) != pages.text(page)] == []
    wrong = pages.text(DOCS / "results.md").replace("0.998 [0.994, 1.000]", "0.999 [0.994, 1.000]")
    assert tables.written(wrong) == pages.text(DOCS / "results.md") != wrong


def test_a_page_of_results_is_repeated_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = script("tables")
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    page = tmp_path / "results" / "one.md"
    page.parent.mkdir()
    page.write_text(
        "# One\n![a](../images/a.svg)\n![b](b.svg)\n\ntext\n## Verdicts\n\n| a | [l](one.csv) |\n| --- | --- |\n\n"
        "## Claims\n- the first | claim\n  goes on\n- the second\n\nafter\n## None\n\nonly text\n"
    )
    shown = "![a](../images/a.svg)\n\n![b](../results/b.svg)\n\n"
    assert tables.content("result one Verdicts") == shown + "| a | [l](../results/one.csv) |\n| --- | --- |\n"
    assert tables.content("result one") == tables.content("result one Verdicts")
    claims = "| judged |\n| --- |\n| the first \\| claim goes on |\n| the second |\n"
    assert tables.content("result one Claims") == shown + claims
    assert tables.content("result one Other - Claims - Verdicts") == shown + claims
    for heading, message in (("Other", "no heading 'Other'"), ("None", "no table and no list")):
        with pytest.raises(SystemExit, match=message):
            tables.content(f"result one {heading}")
    page.write_text("# One\nNothing is recorded yet.\n")
    assert tables.content("result one Verdicts").startswith("Its numbers are not recorded yet: see [the page]")


def test_a_verdict_is_given_by_pathway_where_one_of_them_is_known() -> None:
    given = script("tables")._pathways
    one, none = "vision suffices, language cannot tell", "vision cannot tell, language cannot tell"
    assert (given("cannot tell", one), given("cannot tell", none)) == (one, "cannot tell")
    assert (given("vision", one), given("cannot tell", None)) == ("vision", "cannot tell")


def test_every_published_table_stands_on_a_page() -> None:
    import json

    data: Any = json.loads((ROOT / "src/backsight/published/figures.json").read_text(encoding="utf-8"))
    written = {match for page in OURS for match in re.findall(r"<!-- numbers: ([^<>\n]+?) -->", pages.text(page))}
    wanted = {f"{figure['paper']} {figure['table']}" for figure in data["figures"]}
    assert wanted - written == set()


@pytest.mark.parametrize("package", ["measurements", "results", "repairs", "stimuli"])
def test_the_reference_names_all_that_a_package_offers(package: str) -> None:
    offered = import_module(f"backsight.{package}").__all__
    page = pages.text(DOCS / "reference" / f"{package}.md") + pages.text(DOCS / "reference" / "index.md")
    lacking = [n for n in offered if not re.search(rf"::: backsight\.(?:{package}\.)?{n}$", page, re.MULTILINE)]
    assert lacking == [n for n in ("MEASUREMENTS", "Roads") if n in offered]


def test_the_reference_names_all_that_stands_at_the_top() -> None:
    import backsight

    named = {path.rpartition(".")[2] for page in OURS for path in REFERENCE.findall(pages.text(page))}
    assert {name for name in backsight.__all__ if isinstance(getattr(backsight, name), type)} - named == set()
    for path in (path for page in OURS for path in REFERENCE.findall(pages.text(page))):
        module, _, name = path.rpartition(".")
        assert hasattr(import_module(module), name), path


def test_every_page_and_picture_of_the_docs_is_used() -> None:
    menu = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert [pages.name(page) for page in OURS if f"{page.relative_to(DOCS).as_posix()}\n" not in menu] == []
    shown = {target for page in PAGES for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", pages.text(page))}
    names = {Path(target).name for target in shown}
    assert names == {path.name for path in (DOCS / "images").iterdir()}
