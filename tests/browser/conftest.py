"""The reports that a browser opens: of three built-in models and of one with random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from backsight.cli import app

MODELS = ("plain", "gemma", "vision", "random")
SMALL = ("--quick", "--limit", "12")
FEW = (
    "--only",
    "behaviour",
    "--only",
    "gap",
    "--only",
    "pathways",
    "--only",
    "interchange",
    "--only",
    "probes/squares",
)
WIDE, PHONE = (1200, 800), (390, 844)
Opened = Callable[..., AbstractContextManager[Any]]


@pytest.fixture(scope="module")
def reports(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The report of a small study of each model. It hangs on the browser, so that without one nothing is measured."""
    from backsight.models.small import tiny
    from backsight.training.questions import corpus

    folder = tmp_path_factory.mktemp("reports")
    for part in tiny("qwen2_vl", corpus()):
        part.save_pretrained(folder / "random_weights")
    models = {name: f"builtin:{name}" for name in MODELS} | {"random": str(folder / "random_weights")}
    for name, model in models.items():
        ran = CliRunner().invoke(
            app, ["study", model, *SMALL, *([] if name == "plain" else FEW), "--out", str(folder / name)]
        )
        assert ran.exit_code == 0, (name, ran.output[-2000:])
    return {name: folder / name / "report.html" for name in models}


@pytest.fixture
def opened(browser: Any) -> Opened:
    """Opens a report as a reader has it: size of the window, light or dark, with or without scripts.

    The page is given with `.asked`, the addresses of all its requests, and `.errors`, what the console says of it.
    """

    @contextmanager
    def opening(
        path: Path, size: tuple[int, int] = WIDE, *, dark: bool = False, scripts: bool = True, anchor: str = ""
    ) -> Iterator[Any]:
        context = browser.new_context(
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            reduced_motion="reduce",
        )
        page = context.new_page()
        page.asked, page.errors = [], []
        page.on("request", lambda request: page.asked.append(request.url))
        page.on("console", lambda message: page.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(path.as_uri() + anchor)
        yield page
        context.close()

    return opening
