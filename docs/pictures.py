"""Makes the pictures of the docs from a finished study: `python docs/pictures.py STUDY_DIR`.

The path of position and the two interchanges are figures of the study. The first screen of its report is a screenshot
with numbered marks, by Chromium through playwright: without a browser the script says so and leaves that picture as it
is. The study's folder is only read; the report is written into a copy, so that it is this version's.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backsight import open_study, plot
from backsight.report import write_report
from backsight.results.drawing.style import to_svg

IMAGES = Path(__file__).parent / "images"
FIGURES = ("interchange", "image_interchange")  # of the study, as the report has them
SCREEN = (1200, 800)
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


# What each number of `reading.md` stands at.
MARKS = ("h1", "#card-can", "#card-where", "#card-why", "#card-repair", "#path", "#next", "#left-out")
# A circle at the corner of each card, left of all else; the places that the page does not have are given back.
OVERLAY = """(places) => places.filter((place, index) => {
  const element = document.querySelector(place);
  if (!element) return true;
  const box = element.getBoundingClientRect(), dot = document.createElement('div');
  const [left, top] = element.matches('.card') ? [13, 11] : [26, 0];
  dot.textContent = index + 1;
  dot.style.cssText = `position:absolute;left:${box.left + scrollX - left}px;top:${box.top + scrollY - top}px;
    width:22px;height:22px;border-radius:50%;background:#b03a00;color:#fff;font:700 14px/22px sans-serif;
    text-align:center;z-index:99;box-shadow:0 0 0 2px #fff`;
  document.body.append(dot);
  return false;
})"""


def main(study: Path, images: Path = IMAGES) -> int:
    """Write all pictures of a study into a folder; 0, or 1 where one could not be made, which is said."""
    images.mkdir(parents=True, exist_ok=True)
    (images / "path.svg").write_text(to_svg(plot(open_study(study)), "path"), encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / study.name
        shutil.copytree(study, copy, ignore=shutil.ignore_patterns("jobs"))
        page = write_report(copy)
        for name in FIGURES:
            shutil.copyfile(copy / "figures" / f"{name}.svg", images / f"{name}.svg")
        lacking = first_screen(page, images / "first-screen.png")
    if lacking:
        print(f"docs/pictures.py: {lacking}; first-screen.png is as it was", file=sys.stderr)
    return 1 if lacking else 0


def first_screen(page: Path, target: Path, places: Sequence[str] = MARKS) -> str | None:
    """Write a marked screenshot of a page's first screen; what is lacking, where it cannot be made."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        return "there is no Chromium"
    try:
        with _opened(browser) as sheet:
            sheet.goto(page.resolve().as_uri())
            if missing := sheet.evaluate(OVERLAY, list(places)):
                return f"the page has no {', '.join(missing)}"
            sheet.screenshot(path=str(target))
    except ImportError:
        return "playwright is not installed"
    return None


@contextmanager
def _opened(browser: str) -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        window = driver.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        yield window.new_page(viewport={"width": SCREEN[0], "height": SCREEN[1]}, color_scheme="light")
        window.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/pictures.py STUDY_DIR")
    sys.exit(main(Path(sys.argv[1])))
