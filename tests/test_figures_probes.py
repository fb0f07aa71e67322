"""Figures of position probes and of their maps: what is drawn where, and what is said."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from backsight.errors import DataError
from backsight.results import plot
from backsight.results.drawing.style import to_svg
from backsight.results.probe_maps import COLORS, PROBE_MAPS, strongest
from backsight.results.probes import PROBES
from backsight.tables import Table

Row = dict[str, Any]
HOSTILE = "<script>alert(1)</script> $x_1"


def probed(
    suite: str = "squares", arrangements: tuple[str, ...] = ("horizontal", "vertical"), *, blocks: int = 3,
    layers: int = 6, pictures: int = 12,
) -> Table:  # fmt: skip
    """Probe rows that rise from block to block, at each site and layer, with shifted rows of each axis."""
    places = [("vision", n) for n in range(blocks)] + [("image_embeds", 0)]
    places += [("resid_pre", n) for n in range(layers + 1)]
    rows: list[Row] = []
    for arrangement in arrangements:
        for shown in ("standard",) if arrangement == "grid" else ("standard", "shifted"):
            for index, (site, layer) in enumerate(places):
                for number in range(pictures):
                    share = (index + 1) / len(places) - 0.01 * (number % 2)
                    row: Row = {"example_id": str(number), "image_id": str(number), "suite": suite, "shown": shown}
                    row |= {"arrangement": arrangement, "site": site, "layer": layer, "places": 3}
                    row |= {"objects": share, "objects_shuffled": 0.3, "background": share / 2}
                    row |= {"background_shuffled": 0.35, "as_ordinal": None, "as_column": None}
                    row |= {"as_ordinal": 0.2, "as_column": 0.7} if shown == "shifted" else {}
                    rows.append(row)
    return Table.of(PROBES, rows)


def mapped(suite: str = "squares", arrangement: str = "horizontal", pictures: int = 30) -> Table:
    """A map of 3 x 3 tokens: columns given the place of their object in .9, but the last row place 2 in .6."""
    rows: list[Row] = []
    for r in range(3):
        for c in range(3):
            most, share = (c, 0.9) if r < 2 else (1, 0.6)
            for place in range(3):
                row: Row = {"suite": suite, "arrangement": arrangement, "row": r, "column": c, "place": place}
                row |= {"share": share if place == most else (1 - share) / 2, "pictures": pictures}
                rows.append(row | {"object": c if r == 1 else None})
    return Table.of(PROBE_MAPS, rows)


def said(figure: Figure) -> str:
    """All text of a figure, as a reader of the SVG finds it."""
    return " | ".join(re.findall(r"<text[^>]*>([^<]*)</text>", to_svg(figure)))


def titles(figure: Figure) -> list[str]:
    return [axis.get_title("left") for axis in figure.axes]


def test_sites_stand_in_the_order_of_the_computation() -> None:
    axis = plot(probed(blocks=3, layers=6)).axes[0]
    line = next(one for one in axis.lines if one.get_marker() == "o")
    places, shares = np.asarray(line.get_xdata()), np.asarray(line.get_ydata())
    assert len(places) == 3 + 1 + 7 and (np.diff(places) > 0).all() and (np.diff(shares) > 0).all()
    assert np.diff(places).round(2).tolist() == [1.0, 1.0, 1.8, 1.8, *[1.0] * 6]
    labels = [tick.get_text() for tick in axis.get_xticklabels()]
    assert labels == ["0", "1", "2", "0", "2", "4", "6"]
    assert {"vision block", "emb.", "layer"} <= {text.get_text() for text in axis.texts}


def test_a_model_whose_vision_blocks_are_not_read() -> None:
    axis = plot(probed(blocks=0)).axes[0]
    assert "vision block" not in {text.get_text() for text in axis.texts}


def test_lines_of_both_axes_and_of_shuffled_places() -> None:
    figure = plot(probed())
    axis = figure.axes[0]
    assert {line.get_marker() for line in axis.lines} == {"o", "s", "None"}
    flat = [np.asarray(line.get_ydata()) for line in axis.lines if line.get_marker() == "None"]
    assert sum(np.allclose(values, 0.3) for values in flat) == 2
    assert any(np.allclose(values, 1 / 3) for values in flat)  # chance
    assert any(np.allclose(values, 0.95) for values in flat) and "readable (at least 95" in said(figure)
    assert "horizontal rows | vertical rows" in said(figure) and "grids" not in said(figure)
    assert "12 test pictures an axis" in said(figure)


def test_long_models_have_fewer_marks_than_places() -> None:
    line = next(one for one in plot(probed(blocks=32, layers=28)).axes[0].lines if one.get_marker() == "o")
    assert len(np.asarray(line.get_xdata())) == 62 and line.get_markevery() == 3


def test_the_background_is_another_figure_of_the_same_rows() -> None:
    objects, background = plot(probed()).axes[0], plot(probed(), measure="background").axes[0]
    line, half = (next(one for one in axis.lines if one.get_marker() == "o") for axis in (objects, background))
    assert np.asarray(half.get_ydata()) == pytest.approx(np.asarray(line.get_ydata()) / 2)
    assert background.get_ylabel() == "share of background tokens"


def test_shifted_rows_have_a_panel_an_axis() -> None:
    figure = plot(probed(), measure="shifted")
    assert titles(figure) == ["Squares, horizontal", "Squares, vertical"]
    ordinal, column = (line for line in figure.axes[0].lines if line.get_marker() in "os")
    assert set(np.asarray(ordinal.get_ydata()).round(6)) == {0.2} and ordinal.get_marker() == "o"
    assert set(np.asarray(column.get_ydata()).round(6)) == {0.7} and column.get_marker() == "s"
    with pytest.raises(DataError, match="no rows of this measure"):
        plot(probed(arrangements=("grid",)), measure="shifted")


def test_few_test_pictures_are_omitted() -> None:
    both = Table.concat([probed(arrangements=("horizontal",)), probed(arrangements=("vertical",), pictures=4)])
    text = said(plot(both))
    assert "test pictures: horizontal 12, vertical omitted (n=4)" in text
    assert "omitted: 4 test pictures" in said(plot(probed(pictures=4)))


def test_the_most_frequent_place_and_its_share() -> None:
    place, share = strongest(mapped().rows())
    assert place.tolist() == [[0, 1, 2], [0, 1, 2], [1, 1, 1]]
    assert share.tolist() == [[0.9] * 3, [0.9] * 3, [0.6] * 3]


def test_a_token_has_its_places_colour_the_paler_the_fewer() -> None:
    axis = plot(mapped()).axes[0]
    shade = np.asarray(axis.images[0].get_array())
    assert shade[0, 2] == pytest.approx(1 - 0.9 * (1 - np.array(to_rgb(COLORS[2]))))
    assert shade[2, 0] == pytest.approx(1 - 0.6 * (1 - np.array(to_rgb(COLORS[1]))))


def test_maps_have_a_key_of_every_colour() -> None:
    text = said(plot(mapped()))
    assert "position 1 | position 2 | position 3 | position 1 in 70 % of pictures | position 1 in 40 % of" in text
    assert "position 4" not in text


def test_objects_are_outlined_and_numbered() -> None:
    axis = plot(mapped()).axes[0]
    boxes = [(p.get_x(), p.get_y(), p.get_width(), p.get_height()) for p in axis.patches]  # type: ignore[attr-defined]
    assert boxes == [(-0.5, 0.5, 1, 1), (0.5, 0.5, 1, 1), (1.5, 0.5, 1, 1)]
    assert [text.get_text() for text in axis.texts if text.get_text().isdigit()] == ["1", "2", "3"]


def test_maps_stand_four_in_a_row_and_two_on_a_phone() -> None:
    many = Table.concat([mapped(f"suite {n}", axis) for n in range(3) for axis in ("horizontal", "vertical")])
    for columns, across in ((None, 4), (1, 2)):
        starts = {round(axis.get_subplotspec().colspan.start) for axis in plot(many, columns=columns).axes}  # type: ignore[union-attr]
        assert starts == set(range(across))
    assert "horizontal, 30 pictures" in said(plot(many))


def test_maps_of_few_pictures_are_omitted() -> None:
    figure = plot(mapped(pictures=9))
    assert "omitted: 9 pictures" in said(figure) and not figure.axes[0].images
