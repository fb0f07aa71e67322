"""Figures as a page shows them: cut into panels, a legend as a list, colours that a dark page lightens, pictures."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from jinja2 import Environment, PackageLoader
from matplotlib.figure import Figure
from PIL import Image

from backsight.results import plot
from backsight.results.drawing import panels, style
from backsight.results.drawing.aligned import aligned
from backsight.results.drawing.style import to_svg
from backsight.results.pages import pictures
from backsight.results.pages.cutting import KEY, SCALE, cut
from backsight.results.pages.study import Study
from backsight.results.pages.webp import LARGE, packed
from backsight.tables import Table

from .test_figures import HOSTILE, answers, sweeps
from .test_figures_more import swaps
from .test_figures_probes import mapped, probed

TABLES = {
    "behaviour": Table.concat([answers("squares", images=24), answers("rows", ("A", "B"), images=24)]),
    "interchange": Table.concat([sweeps(suite) for suite in ("squares", "shapes", "objects")]),
    "image_interchange": swaps(),
    "probes": probed(),
    "maps": mapped(),
}


@pytest.fixture(scope="module")
def drawn() -> dict[str, str]:
    return {name: to_svg(plot(table), name) for name, table in TABLES.items()}


def ids(svg: str) -> list[str]:
    return re.findall(r' id="([^"]*)"', svg)


def referred(svg: str) -> set[str]:
    return set(re.findall(r'(?:href="|url\()#([^")]+)', svg))


def colors(css: str) -> dict[str, str]:
    return dict(re.findall(r"--fig-([a-z]+): (#[0-9a-f]{6})", css))


def contrast(one: str, two: str) -> float:
    """WCAG's ratio of two colours."""
    light = []
    for color in (one, two):
        channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        light.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(light) + 0.05) / (min(light) + 0.05)


# Panels


def test_each_panel_stands_by_itself(drawn: dict[str, str]) -> None:
    pieces = cut(drawn["interchange"], "interchange", "Layers")
    assert [one.title for one in pieces.panels] == ["Squares", "Shapes", "Objects"]
    assert {one.below for one in pieces.panels} == {"24 pairs kept, 0 dropped"}
    assert len({one.width for one in pieces.panels}) == 1
    for one in pieces.panels:
        assert f'role="img" aria-label="Layers: {one.title}, {one.below}"' in one.svg
        words = re.findall(r"<text[^>]*>([^<]*)</text>", one.svg)
        assert "layer" in words and "probability" in words and one.title not in words and one.below not in words
        box = re.search(r'viewBox="\S+ \S+ (\S+) (\S+)"', one.svg)
        assert box and float(box[1]) * SCALE == pytest.approx(one.width, abs=0.02)


def test_ids_are_a_pages_own_and_nothing_refers_out_of_its_panel(drawn: dict[str, str]) -> None:
    every = [one.svg for name, svg in drawn.items() for of in (cut(svg, name, "x"),) for one in (*of.panels, *of.keys)]
    known = [one for svg in every for one in ids(svg)]
    assert len(known) > 20 and len(known) == len(set(known))
    assert all(referred(svg) == set(ids(svg)) for svg in every)


def test_a_legend_is_whole(drawn: dict[str, str]) -> None:
    keys = cut(drawn["behaviour"], "behaviour", "x").keys
    assert [one.title for one in keys] == list(plot(TABLES["behaviour"]).keys)  # type: ignore[attr-defined]
    for one in keys:
        assert 'aria-hidden="true"' in one.svg and ("<path" in one.svg or "<use" in one.svg)
        _, _, width, height = map(float, re.search(r'viewBox="([^"]*)"', one.svg)[1].split())  # type: ignore[index]
        assert (width, height) == KEY


def test_marks_of_a_legend_stand_in_their_boxes(drawn: dict[str, str]) -> None:
    for one in cut(drawn["interchange"], "i", "x").keys:
        left, top, width, height = map(float, re.search(r'viewBox="([^"]*)"', one.svg)[1].split())  # type: ignore[index]
        outside_of_definitions = re.sub(r"<defs>.*?</defs>", "", one.svg)
        used = re.findall(r'<use[^>]* x="([\d.]+)" y="([\d.]+)"', outside_of_definitions)
        assert all(left < float(x) < left + width and top < float(y) < top + height for x, y in used)
        starts = re.findall(r' d="M([\d.]+) ([\d.]+)', outside_of_definitions)
        assert used or starts
        assert all(left <= float(x) <= left + width and top <= float(y) <= top + height for x, y in starts)


def test_the_palette_becomes_classes_and_the_file_keeps_its_colours(drawn: dict[str, str]) -> None:
    shown = "".join(one.svg for one in cut(drawn["behaviour"], "b", "x").panels)
    assert not re.findall(r'(?:fill|stroke)="#', shown) and 's-ink"' in shown and "f-soft" in shown
    assert style.INK in drawn["behaviour"] and 'style="fill: #ffffff"' in drawn["behaviour"]
    known = set(colors((Path(pictures.__file__).parents[2] / "report/templates/figures.css").read_text()))
    assert set(re.findall(r"\b[fs]-([a-z]+)", " ".join(re.findall(r'class="([^"]*)"', shown)))) <= known


def test_what_stands_on_colours_keeps_its_colours(drawn: dict[str, str]) -> None:
    shown = cut(drawn["maps"], "m", "x").panels[0].svg
    assert f'stroke="{style.INK}"' in shown and "s-ink" not in shown and "data:image/webp" in shown


def test_a_page_is_lighter_than_the_files(drawn: dict[str, str]) -> None:
    for name, svg in drawn.items():
        pieces = cut(svg, name, "x")
        assert sum(len(one.svg) for one in (*pieces.panels, *pieces.keys)) < 0.6 * len(svg), name


def test_names_are_text_and_nothing_else(tmp_path: Path) -> None:
    svg = to_svg(plot(answers(HOSTILE, images=24)), "x")
    piece = cut(svg, "x", '"><b>').panels[0]
    assert "<script" not in piece.svg and "<b>" not in piece.svg
    view = pictures.view("x", svg, "label", "caption", ())
    macro = '{% from "macros.html.j2" import drawn %}{{ drawn(figure) }}'
    environment = Environment(loader=PackageLoader("backsight.report", "templates"), autoescape=True)
    page = environment.from_string(macro).render(figure=view)
    assert "&lt;script&gt;alert(1)" in page and "<script" not in page and page.count('class="panel"') == 1
    assert page.index('class="legend"') < page.index('class="panels"') < page.index("<figcaption>")


def test_a_panel_says_of_which_suite_it_is() -> None:
    titles = {"squares": "Squares", "squares_wide": "Squares, wide", "rows": "Rows"}
    svg = to_svg(plot(Table.concat([sweeps("squares"), sweeps("squares_wide")]), titles=titles), "x")
    shown, _ = pictures.set_into_page("x", svg, "x", titles)
    assert [one.suite for one in shown] == ["squares", "squares_wide"]
    assert pictures.set_into_page("x", svg, "x")[0][0].suite == "squares"  # as its panel says
    with style.style():
        figure = panels.draw([panels.Panel("Any", "", lambda axis: None, suite="rows")], [], None)
    assert pictures.set_into_page("x", to_svg(figure), "x", titles)[0][0].suite == "rows"


def test_a_figure_of_another_package_is_one_panel() -> None:
    figure = Figure(figsize=(3, 2))
    figure.add_subplot().plot([0, 1], color="red")
    pieces = cut(to_svg(figure, "x"), "x", "A <line>")
    assert len(pieces.panels) == 1 and not pieces.keys and pieces.panels[0].width == pytest.approx(3 * 96)
    assert 'aria-label="A &lt;line&gt;"' in pieces.panels[0].svg and "#ff0000" in pieces.panels[0].svg


@pytest.mark.parametrize("text", ["", "no svg", "<svg", '<!DOCTYPE a [<!ENTITY b "c">]><svg>&b;</svg>'])
def test_what_is_no_svg_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="SVG"):
        cut(text, "x", "x")


def test_lines_of_a_text_end_at_one_place_in_any_font() -> None:
    figure = plot(probed())
    figure.axes[0].set_yticks([0.5], labels=["short\nmuch longer"])
    svg = to_svg(figure)
    ends = re.findall(r'text-anchor: end" x="([\d.]+)" y="[\d.]+">(short|much longer)<', svg)
    assert [words for _, words in ends] == ["short", "much longer"] and ends[0][0] == ends[1][0]
    assert aligned("<svg/>") == "<svg/>"


# Colours


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_of_the_palette(dark: bool) -> None:
    css = (Path(pictures.__file__).parents[2] / "report/templates/figures.css").read_text()
    light, _, rest = css.partition("prefers-color-scheme: dark")
    of = colors(light) | (colors(rest) if dark else {})
    assert all(contrast(of[name], of["ground"]) >= 4.5 for name in ("ink", "soft"))
    lines = ("blue", "orange", "green", "purple", "amber", "gray", "sky")
    assert {
        name: round(contrast(of[name], of["ground"]), 2) for name in lines if contrast(of[name], of["ground"]) < 3
    } == {}
    assert all(contrast(of["on"], of[name]) >= 4.5 for name in ("blue", "ink"))
    assert all(contrast(style.DARK, of[name]) >= 4.5 for name in ("orange", "rest"))
    assert len(colors(light)) == len(set(re.findall(r"\.f-([a-z]+) ", css)))


# Pictures


def png(pixels: Any, mode: str | None = None) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels, mode).save(buffer, "PNG")
    return buffer.getvalue()


def decoded(uri: str) -> Any:
    assert uri.startswith("data:image/webp;base64,")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))))


@pytest.mark.parametrize("channels", [3, 4])
def test_a_rendered_picture_keeps_every_pixel(channels: int) -> None:
    pixels = np.zeros((20, 30, channels), dtype=np.uint8)
    pixels[5:9, 7:20, 0], pixels[..., -1] = 200, 255
    pixels[0, 0] = 7  # transparent, and still of a colour
    shown = packed(png(pixels))
    assert (shown.width, shown.height) == (30, 20) and np.array_equal(decoded(shown.uri), pixels)


def test_noise_is_made_small() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (200, 200, 3), dtype=np.uint8)
    raw = png(pixels)
    shown = packed(raw)
    assert len(raw) > LARGE and len(shown.uri) < 0.6 * len(raw) and decoded(shown.uri).shape == pixels.shape


def test_gray_and_palette_pictures() -> None:
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.array_equal(decoded(packed(png(gray)).uri)[..., 1], gray)


def test_only_pictures_of_the_study_are_shown(tmp_path: Path) -> None:
    folder = tmp_path / "study"
    folder.mkdir()
    raw = png(np.zeros((4, 6, 3), dtype=np.uint8))
    for path in (folder / "a.png", tmp_path / "b.png", folder / "c.txt"):
        path.write_bytes(raw)
    (folder / "d.png").write_text("no picture")
    study = Study(folder, {}, {})
    assert (study.picture("a.png").width, study.picture("a.png").height) == (6, 4)
    assert not any(study.picture(path).uri for path in ("../b.png", "c.txt", "d.png", "e.png", None, ""))


# In a browser


@pytest.fixture(scope="module")
def page(browser: Any, drawn: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """All figures on one page in a headless browser, 390 pixels wide."""
    views = [pictures.view(name, svg, name, name, ()) for name, svg in drawn.items()]
    environment = Environment(loader=PackageLoader("backsight.report", "templates"), autoescape=True)
    css = environment.loader.get_source(environment, "figures.css")[0]  # type: ignore[union-attr]
    text = '{% from "macros.html.j2" import drawn %}{% for view in views %}{{ drawn(view) }}{% endfor %}'
    body = environment.from_string(text).render(views=views)
    target = tmp_path_factory.mktemp("page") / "page.html"
    target.write_text(f"<!DOCTYPE html><meta charset=utf-8><style>{css}</style><body>{body}", encoding="utf-8")
    shown = browser.new_page(viewport={"width": 390, "height": 800})
    shown.goto(target.as_uri())
    yield shown
    shown.close()


def test_nothing_of_a_panel_is_cut_off(page: Any) -> None:
    outside = page.evaluate("""() => [...document.querySelectorAll('.panel svg')].flatMap(svg => {
        const view = svg.viewBox.baseVal, box = svg.getBBox();
        const by = Math.max(view.x - box.x, view.y - box.y, box.x + box.width - view.x - view.width,
                            box.y + box.height - view.y - view.height);
        return by > 0.5 ? [[svg.getAttribute('aria-label'), by]] : [];
    })""")
    assert page.locator(".panel svg").count() >= 8 and outside == []


def test_a_phone_scrolls_down_alone(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("Math.min(...[...document.querySelectorAll('.panel')].map(p => p.clientWidth))") > 150
