"""Reports as they are read: in a browser, at a desk and on a phone, light and dark, with and without scripts."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import MODELS, PHONE, WIDE, Opened

pytestmark = pytest.mark.slow

FIRST = ["h1", ".first .model", "#card-can", "#card-where", "#card-why", "#card-repair", "#path", "#next", "#left-out"]
SIZES = pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
NAMES = pytest.mark.parametrize("name", MODELS)
MOST_BYTES = 2_000_000
OPEN_ALL = "() => document.querySelectorAll('details').forEach(one => { one.open = true; })"
# What reaches beyond the window's right edge and cannot be scrolled into sight.
CUT_OFF = """() => [...document.querySelectorAll('body *')].filter(one => {
  if (one.closest('.scroll, pre, .skip, svg') || !one.checkVisibility()) return false;
  const box = one.getBoundingClientRect();
  return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1);
}).map(one => `${one.tagName} ${one.className} ${one.textContent.trim().slice(0, 60)}`)"""
OVERFLOWING = """() => [...document.querySelectorAll('.card, .card *, .then *')].filter(
  one => !one.closest('svg') && one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline'
).map(one => one.outerHTML.slice(0, 80))"""


@NAMES
@SIZES
@pytest.mark.parametrize("dark, scripts", list(product([False, True], [False, True])))
def test_the_first_screen_holds_what_it_must(
    reports: dict[str, Path], opened: Opened, name: str, size: tuple[int, int], dark: bool, scripts: bool
) -> None:
    with opened(reports[name], size, dark=dark, scripts=scripts) as page:
        for selector in FIRST:
            box = page.locator(selector).bounding_box()
            assert box is not None and box["height"] > 8, selector
            assert box["y"] >= 0 and box["y"] + box["height"] <= size[1], (selector, box)
            assert box["x"] >= 0 and box["x"] + box["width"] <= size[0], (selector, box)
        for card in ("can", "where", "why", "repair"):
            words = page.locator(f"#card-{card} .verdict").inner_text()
            assert 0 < len(words.split()) <= 14, words
        assert page.locator("#path svg >> visible=true").count() == 1


@NAMES
@SIZES
def test_nothing_is_cut_off_and_no_request_leaves_the_page(
    reports: dict[str, Path], opened: Opened, name: str, size: tuple[int, int]
) -> None:
    with opened(reports[name], size) as page:
        assert page.evaluate(OVERFLOWING) == []
        page.evaluate(OPEN_ALL)
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        assert page.evaluate(CUT_OFF) == []
        leaving = [url for url in page.asked if not url.startswith(("data:", reports[name].as_uri()))]
        assert leaving == [] and page.errors == []


JUDGED = [("plain", size, dark) for size in (WIDE, PHONE) for dark in (False, True)]
JUDGED += [(name, size, size == PHONE) for name in MODELS[1:] for size in (WIDE, PHONE)]


@pytest.mark.parametrize("name, size, dark", JUDGED)
def test_axe_has_nothing_to_say(
    reports: dict[str, Path], opened: Opened, name: str, size: tuple[int, int], dark: bool
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with opened(reports[name], size, dark=dark) as page:
        page.evaluate(OPEN_ALL)
        broken = axe.run(page).response["violations"]
        assert [(one["id"], [node["html"][:200] for node in one["nodes"][:3]]) for one in broken] == []


@NAMES
def test_the_file_is_small(reports: dict[str, Path], name: str) -> None:
    assert reports[name].stat().st_size < MOST_BYTES


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.outerHTML.slice(0, 200)"))


def test_by_keyboard_alone(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"]) as page:
        page.keyboard.press("Tab")
        assert "To the report" in focused(page)
        assert page.locator(".skip").bounding_box()["x"] >= 0
        seen = []
        for _ in range(120):
            page.keyboard.press("Tab")
            outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
            seen.append(focused(page))
            assert outline != "none", seen[-1]
            if "Can it?" in seen[-1] and 'href="#behaviour"' in seen[-1]:
                break
        assert any('id="suite"' in one for one in seen) and any('id="toggle"' in one for one in seen)
        page.keyboard.press("Enter")
        assert page.url.endswith("#behaviour")
        assert page.locator("#behaviour h3").first.bounding_box()["y"] < WIDE[1]
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('#behaviour details.more > summary')"):
                break
        page.keyboard.press("Enter")
        assert page.locator("#behaviour details.more").get_attribute("open") is not None
        for _ in range(10):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.matches('#behaviour th button')"):
                break
        page.keyboard.press("Enter")
        assert page.locator("#behaviour th[aria-sort=ascending]").count() == 1


def test_without_scripts_sections_open_and_no_control_stands_idle(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"], scripts=False) as page:
        assert page.locator("#suite").is_hidden() and page.locator("#toggle").is_hidden()
        assert page.locator("th button").count() == 0
        assert page.locator("#behaviour .statements").is_hidden()
        page.locator("#behaviour details.more > summary").click()
        assert page.locator("#behaviour .statements").is_visible()


def test_the_filter_leaves_one_suite(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"]) as page:
        page.evaluate(OPEN_ALL)
        page.locator("#suite").select_option("squares")
        rows = page.locator("#behaviour [data-suite]")
        of = rows.evaluate_all("all => all.map(one => [one.dataset.suite, one.checkVisibility()])")
        assert {suite for suite, _ in of} > {"squares"}
        assert all(visible == (suite in ("", "squares")) for suite, visible in of)
        page.locator("#suite").select_option("")
        assert all(rows.evaluate_all("all => all.map(one => one.checkVisibility())"))


def test_a_table_sorts_by_numbers(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"]) as page:
        page.evaluate(OPEN_ALL)
        table = page.locator("#costs table")
        heads = table.locator("th")
        heads.filter(has_text="Seconds").locator("button").click()
        cells = table.locator("tbody tr td:nth-child(3)").all_inner_texts()
        values = [float(cell.replace(",", "")) for cell in cells]
        assert values == sorted(values) and len(set(values)) > 2
        heads.filter(has_text="Seconds").locator("button").click()
        again = table.locator("tbody tr td:nth-child(3)").all_inner_texts()
        assert [float(cell.replace(",", "")) for cell in again] == sorted(values, reverse=True)


def test_a_link_opens_what_it_leads_to(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"]) as page:
        inside = page.evaluate("document.querySelector('details.more [id]').id")
    with opened(reports["plain"], anchor=f"#{inside}") as page:
        assert page.locator(f"[id='{inside}']").is_visible()


def test_in_print_everything_is_there(reports: dict[str, Path], opened: Opened) -> None:
    with opened(reports["plain"], scripts=False) as page:
        page.emulate_media(media="print")
        assert page.locator("#behaviour .statements").is_visible()
        assert page.locator("nav.side").is_hidden()


def test_the_page_by_itself_in_a_place_that_cannot_be_written(
    reports: dict[str, Path], opened: Opened, tmp_path: Path
) -> None:
    place = tmp_path / "read only"
    place.mkdir()
    page_file = place / "report.html"
    page_file.write_bytes(reports["vision"].read_bytes())
    page_file.chmod(0o444)
    place.chmod(0o555)
    try:
        with opened(page_file) as page:
            assert page.errors == [] and page.locator("#card-can").is_visible()
            assert page.locator("img, svg image").evaluate_all("all => all.every(one => one.naturalWidth !== 0)")
    finally:
        place.chmod(0o755)
