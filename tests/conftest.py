"""What several tests share: tiny checkpoints as a user would have them, and the command line called in process."""

from __future__ import annotations

import errno
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from backsight.models.opening import load
from backsight.models.small import tiny
from backsight.models.vlm import VLM
from backsight.stimuli.rows import COLORS
from backsight.training.questions import corpus
from backsight.training.saving import save


class Outcome(NamedTuple):
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


def no_space(*_: object, **__: object) -> None:
    """Stands where something is written, on a disk that is full."""
    raise OSError(errno.ENOSPC, "No space left on device", "/full/disk")


BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of this machine, none is ever fetched; closed with its module, as notebooks need its loop."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    program = next(filter(None, map(shutil.which, BROWSERS)), None)
    if program is None:
        pytest.skip("no Chromium on this machine (Debian: apt-get install chromium)")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Nothing is written to the user's cache."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL with random weights and a grid of 6 x 6, saved as a checkpoint. Not to be written to."""
    return save(*tiny("qwen2_vl", corpus()), tmp_path_factory.mktemp("tiny") / "qwen")


@pytest.fixture(scope="session")
def colourless_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen2-VL whose tokenizer has no word for a colour, so that squares and shapes cannot be asked."""
    words = [text for text in corpus() if not any(name in text.lower() for name in COLORS)]
    return save(*tiny("qwen2_vl", words), tmp_path_factory.mktemp("colourless") / "qwen")


@pytest.fixture(scope="session")
def tiny_gemma(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Gemma-3, whose grid of 4 x 4 is too small for rows of three."""
    return save(*tiny("gemma3", corpus()), tmp_path_factory.mktemp("gemma") / "gemma")


@pytest.fixture(scope="session")
def tiny_vlm(tiny_checkpoint: Path) -> VLM:
    """The tiny checkpoint, opened in float32."""
    return load(tiny_checkpoint, device="cpu")


@pytest.fixture
def copied(tiny_checkpoint: Path, tmp_path: Path) -> Path:
    """A copy of the tiny checkpoint, to be damaged."""
    return Path(shutil.copytree(tiny_checkpoint, tmp_path / "checkpoint"))


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """`backsight` with some arguments, through its entry point and in this process."""
    from backsight.cli import main

    before, threads = signal.getsignal(signal.SIGTERM), torch.get_num_threads()
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["backsight", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code: object = 0
        except SystemExit as left:
            code = left.code or 0
        written = capsys.readouterr()
        assert "Traceback" not in written.err
        assert isinstance(code, int)
        return Outcome(code, written.out, written.err)

    yield run
    signal.signal(signal.SIGTERM, before)
    torch.set_num_threads(threads)  # `train` sets its own
