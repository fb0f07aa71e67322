"""What comes from elsewhere into a page: SVGs and pictures of a study's folder, and work that is lost on the way."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pytest
from PIL import Image

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
    return 2 * number


def test_work_whose_process_is_lost_is_done_here() -> None:
    parent = os.getpid()
    with workers():
        first = [Later(double, number) for number in range(3)]
        lost = Later(_only_elsewhere, parent)
        assert lost.result() == 1  # the process is gone; here the work is done
        assert [one.result() for one in first] == [0, 2, 4]
        assert Later(double, 21).result() == 42


def _only_elsewhere(parent: int) -> int:
    if os.getpid() != parent:
        os._exit(1)
    return 1


def test_outside_of_workers_nothing_is_done_before_it_is_asked_for() -> None:
    done: list[int] = []
    later = Later(done.append, 1)
    assert done == []
    later.result()
    later.result()
    assert done == [1]
