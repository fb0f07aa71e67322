"""The report: one HTML file that holds all it shows, made of tables and samples.

It reads what a study wrote and nothing else, so it needs neither the model nor torch and can be made again at
any time. The page asks nothing of the network: figures are inline, pictures are data, and its one plain script stands
in it; without it everything can be read as well.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from backsight.report.integrity import damage, refusal
from backsight.report.page import build_page
from backsight.report.reading import read_study
from backsight.results.pages.beside import workers
from backsight.tables import replacing


def write_report(folder: Path) -> Path:
    """Write figures/*.svg and then report.html into a study's folder; the path of the page.

    DataError where study.json or a table is missing what makes it readable. A table that is not the one that the
    study wrote, or is gone, is left out: the page is written of the others, and then DataError names what it lacks.
    """
    folder = Path(folder)
    damaged = damage(folder)
    with workers():
        page = build_page(read_study(folder, damaged))
        content = {field.name: getattr(page, field.name) for field in fields(page)}
        target = write_page(folder, "report.html.j2", content)
    if damaged:
        raise refusal(folder, damaged)
    return target


def write_page(folder: Path, template: str, content: Mapping[str, Any]) -> Path:
    """Write report.html into a folder: a template with its content and the style of all pages; the page's path."""
    loader = PackageLoader("backsight.report", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    seen: set[str] = set()
    # Whether a key is met for the first time on this page.
    environment.globals["first"] = lambda key: not (key in seen or seen.add(key))  # type: ignore[func-returns-value]
    css = "".join(loader.get_source(environment, name)[0] for name in ("report.css", "figures.css"))
    script = loader.get_source(environment, "report.js")[0]
    parts = {"css": Markup(css), "script": Markup(script), "policy": _policy(f"\n{script}\n")}
    html = environment.get_template(template).render(**parts, **content)
    target = folder / "report.html"
    with replacing(target) as path:
        path.write_text(html, encoding="utf-8")
    return target


def _policy(script: str) -> str:
    """The page's own rule for the browser: no request to anywhere, and no script but the one that stands in it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"


__all__ = ["write_page", "write_report"]
