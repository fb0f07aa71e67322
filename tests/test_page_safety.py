"""What comes from elsewhere into a page: SVGs and pictures of a study's folder, and work that is lost on the way."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from backsight.errors import DataError
from backsight.results.pages import beside
from backsight.results.pages.beside import Later, workers
from backsight.results.pages.cutting import cut
from backsight.results.pages.study import Study
from backsight.results.pages.webp import packed


def test_a_style_cannot_break_out_of_its_attribute() -> None:
    style = "x=&quot;1&quot;/&gt;&lt;/svg&gt;&lt;h1&gt;IN&lt;/h1&gt;&lt;a onclick=&quot;alert(1)&quot; y: z; fill: red"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="3" height="3" style="{style}"/></svg>'
    )
    (piece,) = cut(svg, "x", "label").panels
    assert "<h1" not in piece.svg and "onclick" not in piece.svg and 'fill="red"' in piece.svg


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\nbroken"])
def test_what_is_no_picture_is_told(content: bytes) -> None:
    with pytest.raises(OSError):
        packed(content)


def test_a_picture_that_no_page_can_hold_is_left_out(tmp_path: Path) -> None:
    wide = io.BytesIO()
    Image.new("1", (17_000, 1)).save(wide, "PNG")
    with pytest.raises(OSError, match="no picture for a page"):
        packed(wide.getvalue())
    (tmp_path / "wide.png").write_bytes(wide.getvalue())
    assert Study(tmp_path, {}, {}).picture("wide.png").uri == ""


def double(number: int) -> int:
    if number < 0:
        raise DataError("Below zero")
    return 2 * number


# In a process of its own: one that has torch or further threads, as that of the tests may have, forks none.
WORK = """
import os
from backsight.results.pages import beside
from backsight.errors import DataError
from backsight.results.pages import beside
from backsight.results.pages.beside import Later, workers

def double(number):
    if number < 0:
        raise ValueError("below zero")
    return 2 * number

def elsewhere(parent):
    if os.getpid() != parent:
        os._exit(1)
    return 1

def where(_):
    return os.getpid()

beside.os.sched_getaffinity = lambda _: {0, 1}
with workers():
    assert Later(where, 0).result() != os.getpid()
    ready, unsent, wrong = Later(double, 5), Later(lambda: 3), Later(double, -1)
    assert (ready.result(), unsent.result(), ready.result()) == (10, 3, 10)
    try:
        wrong.result()
    except ValueError:
        print("told")
with workers():
    first = [Later(double, number) for number in range(3)]
    assert Later(elsewhere, os.getpid()).result() == 1
    assert [one.result() for one in first] == [0, 2, 4]
    assert Later(double, 21).result() == 42
print("done")
"""


def test_further_processes_give_the_same_and_lost_work_is_done_here() -> None:
    ran = subprocess.run([sys.executable, "-c", WORK], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stdout.split() == ["told", "done"], ran.stderr[-2000:]


def test_without_a_safe_process_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside, "_forks", lambda: False)
    with workers():
        late = Later(double, -1)  # not before it is asked for
        with pytest.raises(DataError, match="Below zero"):
            late.result()


def test_outside_of_workers_nothing_is_done_before_it_is_asked_for() -> None:
    done: list[int] = []
    later = Later(done.append, 1)
    assert done == []
    later.result()
    later.result()
    assert done == [1]
