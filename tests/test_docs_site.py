"""The documentation as a site: strictly built, asking nothing of the network, and its pictures."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.conftest import Command
from tests.pages import DOCS, ROOT
from tests.test_docs import script

BUILDER = importlib.util.find_spec("properdocs") and importlib.util.find_spec("mkdocstrings_handlers")
built = pytest.mark.skipif(not BUILDER, reason="properdocs and mkdocstrings-python build the site: `make docs`")
# What a page may load: anything that is no link to click.
LOADED = re.compile(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"?([^\" >]+)|<link\b[^>]*\bhref=\"?([^\" >]+)")
STYLE = re.compile(r"@import[^;]*|url\(\s*['\"]?(?:https?:)?//[^)]*\)")


def build(root: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What the builder says of a copy of the project's docs."""
    command = [sys.executable, "-m", "properdocs", "build", "-f", str(root / "mkdocs.yml"), "-d", str(out)]
    return subprocess.run(command, capture_output=True, text=True, cwd=root)


@built
@pytest.mark.slow
def test_the_site_builds_strictly_and_asks_nothing_of_the_network(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path / "site")
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    site = tmp_path / "site"
    for page in site.rglob("*.html"):
        named = (one or other for one, other in LOADED.findall(page.read_text(encoding="utf-8")))
        assert [n for n in named if "//" in n] == [], page
    for style in site.rglob("*.css"):
        assert STYLE.findall(style.read_text(encoding="utf-8")) == [], style
    reference = (site / "reference" / "measurements.html").read_text(encoding="utf-8")
    assert "Accuracy, one row a question and condition" in reference  # from a docstring
    assert not list(site.rglob("*.py"))


@built
@pytest.mark.slow
def test_a_broken_link_anchor_or_picture_fails(tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("reference"))
    (tmp_path / "mkdocs.yml").write_text(
        re.sub(r"  - Reference:.*", "", (ROOT / "mkdocs.yml").read_text(), flags=re.DOTALL), encoding="utf-8"
    )
    page = tmp_path / "docs" / "start.md"
    page.write_text(f"{page.read_text()}\n[a](none.md) [b](reading.md#none) ![c](images/none.png)\n", encoding="utf-8")
    done = build(tmp_path, tmp_path / "site")
    assert done.returncode != 0
    for lost in ("none.md", "#none", "images/none.png"):
        assert any("start.md" in line and lost in line for line in done.stderr.splitlines() if "WARNING" in line), lost


@pytest.mark.slow
def test_the_pictures_are_made_of_a_study(tiny_checkpoint: Path, command: Command, tmp_path: Path) -> None:
    asked = [part for name in ("interchange", "imageinterchange") for part in ("--only", f"{name}/squares")]
    assert command("study", tiny_checkpoint, "--out", tmp_path / "study", *asked, "--limit", 2).code == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")}
    pictures = script("pictures")
    code = pictures.main(tmp_path / "study", tmp_path / "images")
    names = {path.name for path in (tmp_path / "images").iterdir()}
    assert {"path.svg", "interchange.svg", "image_interchange.svg"} <= names
    assert code == (0 if "first-screen.png" in names else 1)
    if code == 0:
        with Image.open(tmp_path / "images" / "first-screen.png") as picture:
            assert picture.size == pictures.SCREEN
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "study").rglob("*")} == before  # it is only read


def test_without_a_browser_the_picture_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pictures = script("pictures")
    monkeypatch.setattr(pictures.shutil, "which", lambda name: None)
    target = tmp_path / "first-screen.png"
    target.write_bytes(b"as it was")
    assert pictures.first_screen(tmp_path / "report.html", target) == "there is no Chromium"
    assert target.read_bytes() == b"as it was"


def test_the_marks_are_those_of_the_page_that_explains_them() -> None:
    text = (DOCS / "reading.md").read_text(encoding="utf-8").partition("## The first screen")[2].partition("\n## ")[0]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)] == list(
        range(1, len(script("pictures").MARKS) + 1)
    )
