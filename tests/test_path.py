"""The path of position: its facts from a study's numbers, its words, and a diagram that holds them all."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib.colors
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from backsight.errors import UsageError
from backsight.maths.interchange import ANSWER
from backsight.results import plot
from backsight.results.drawing import style
from backsight.results.drawing.style import to_svg
from backsight.results.image_interchange.tables import IMAGE_INTERCHANGE_SUMMARY
from backsight.results.interchange import INTERCHANGE_SUMMARY
from backsight.results.pages.study import Study
from backsight.results.path import PathFacts, Verdict, describe, draw, path_facts
from backsight.results.path.lanes import EMBEDS, LAYER, VISION, Bar, Kind, Lane, Place, Reading
from backsight.results.path.lanes import lane as lane_of
from backsight.results.path.layout import WIDE
from backsight.results.path.words import LABELS, where
from backsight.results.pathways.reading import Judged, Share
from backsight.results.pathways.sentences import of_suite
from backsight.results.probes.tables import PROBES_SUMMARY
from backsight.tables import Schema, Table

Row = dict[str, Any]
SITES = [(VISION, 0), (VISION, 1), (EMBEDS, 0), *((LAYER, n) for n in range(5))]
SHARES = {"suffices": (0.9, 0.7, 1.1), "does not suffice": (0.1, -0.1, 0.3), "cannot tell": (0.5, 0.2, 0.8)}
FAR = Path("/nowhere")


def probed(suite: str, able: Iterable[tuple[str, int]], arrangement: str = "horizontal", **changes: Any) -> list[Row]:
    """A probe's summary: 97 % of the tokens at the places in `able`, 60 % elsewhere."""
    there, rows = set(able), []
    for site, layer in SITES:
        share = 0.97 if (site, layer) in there else 0.6
        for measure, value in (("objects", share), ("selectivity", share - 0.34)):
            row: Row = {"suite": suite, "arrangement": arrangement, "shown": "standard", "site": site, "layer": layer}
            row |= {"measure": measure, "share": value, "low": value - 0.05, "high": value + 0.02}
            rows.append(row | {"pictures": 30, "chance": 1 / 3, "omitted": False} | changes)
    return rows


def swept(suite: str, at: Iterable[int], outcomes: tuple[str, str], *, pairs: int = 40, **more: Any) -> list[Row]:
    """An interchange's summary in which the second outcome is the answer at the layers `at`."""
    there, rows = set(at), []
    for layer, outcome in itertools.product(range(5), outcomes):
        p = 0.9 if (outcome == outcomes[1]) == (layer in there) else 0.05
        row: Row = {"suite": suite, "direction": "all", "layer": layer, "outcome": outcome, "probability": p}
        row |= {"low": p - 0.04, "high": p + 0.04, "pairs": pairs, "dropped": 0, "interval": "agresti-coull"}
        rows.append(row | dict(zip(ANSWER, (p, p - 0.04, p + 0.04), strict=True)) | {"omitted": False} | more)
    return rows


def flipped(suite: str, at: Iterable[int], **more: Any) -> list[Row]:
    return swept(suite, at, ("clean", "flipped"), **({"vision": "intact", "tokens": "objects"} | more))


def ordinal(suite: str, at: Iterable[int], **more: Any) -> list[Row]:
    return swept(suite, at, ("clean", "ordinal"), **more)


def judged(suite: str, vision: str = "does not suffice", language: str = "suffices") -> Row:
    """A verdict as it stands in study.json."""
    shares = {name: dict(zip(("value", "low", "high"), SHARES[outcome], strict=True))
              for name, outcome in (("vision", vision), ("language", language))}  # fmt: skip
    enough = [name for name, outcome in (("vision", vision), ("language", language)) if outcome == "suffices"]
    word = "both" if len(enough) == 2 else enough[0] if enough and "cannot tell" not in (vision, language) else ""
    word = word or "cannot tell"
    return {
        "suite": suite, "source": word, "reason": "", "accuracy": {"value": 0.98, "low": 0.9, "high": 1.0, "n": 96},
        "budget": 480, "control": {}, "vision_suffices": shares["vision"], "language_suffices": shares["language"],
        "pathways": {"vision": {"outcome": vision, "reason": "", "share": shares["vision"]},
                     "language": {"outcome": language, "reason": "", "share": shares["language"]}},
    }  # fmt: skip


def study(
    verdicts: dict[str, Row] | None = None, probes: list[Row] | None = None, flips: list[Row] | None = None,
    order: list[Row] | None = None, **data: Any,
) -> Study:  # fmt: skip
    """A study in memory with these tables."""
    given = ((PROBES_SUMMARY, probes), (IMAGE_INTERCHANGE_SUMMARY, flips), (INTERCHANGE_SUMMARY, order))
    tables = {schema.name: Table.of(schema, rows) for schema, rows in given if rows}
    of: Row = {"model": {"name": "m", "family": "F", "layers": 4}, "verdicts": verdicts or {}}
    return Study(FAR, of | data, tables)


WHOLE = study(
    {"squares": judged("squares"), "shapes": judged("shapes", "cannot tell")},
    [*probed("squares", SITES[4:]), *probed("shapes", SITES[4:]), *probed("objects", SITES[5:])],
    [*flipped("squares", [2]), *flipped("shapes", [2])],
    [*ordinal("squares", [3]), *ordinal("shapes", [2, 3])],
)


def test_facts_are_those_of_the_verdicts_suite() -> None:
    facts = path_facts(WHOLE)
    assert (facts.model, facts.family, facts.layers, facts.blocks, facts.projector) == ("m", "F", 4, 2, True)
    assert (facts.suite, facts.title, facts.verdict.source) == ("squares", "Squares", "language")
    assert facts.verdict.vision.share == Share(0.1, -0.1, 0.3)
    assert facts.verdict.language.outcome == "suffices"
    assert [lane.suite for lane in facts.lanes] == ["squares"] * 3
    assert [where(lane) for lane in facts.lanes] == ["from layer 1 on", "at layer 2", "at layer 3"]


def test_suites_that_disagree_are_counted() -> None:
    facts = path_facts(WHOLE)
    assert [(lane.same, lane.suites) for lane in facts.lanes] == [(2, 3), (2, 2), (1, 2)]
    assert facts.agreeing == {"vision": (1, 2), "language": (2, 2)}


def test_a_suite_without_a_share_does_not_count() -> None:
    silent = judged("shapes", "does not suffice", "cannot tell") | {"language_suffices": None}
    silent["pathways"]["language"]["share"] = None
    facts = path_facts(study({"squares": judged("squares"), "shapes": silent}))
    assert facts.agreeing == {"vision": (2, 2), "language": (1, 1)}


def test_a_lane_of_another_suite_names_it() -> None:
    facts = path_facts(
        study({"pairs_a": judged("pairs_a")}, flips=flipped("shapes", [1]), order=ordinal("shapes", [2]))
    )
    assert (facts.suite, facts.flips.suite, facts.ordinal.suite) == ("pairs_a", "shapes", "shapes")
    assert "Shapes: at layer 1" in words_of(draw(facts))
    assert "flip the answer at layer 1 (Shapes, " in describe(facts)


def test_without_a_verdict_the_first_suite_in_common_is_the_diagrams() -> None:
    facts = path_facts(study(flips=[*flipped("a", [1]), *flipped("b", [2])], order=ordinal("b", [3])))
    assert (facts.suite, facts.flips.suite, facts.verdict.source) == ("b", "b", "not measured")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (probed("s", SITES), "from vision block 0 on"),
        (probed("s", SITES[2:]), "from the embeddings on"),
        (probed("s", SITES[2:6]), "from the embeddings on, with gaps"),
        (probed("s", []), "nowhere"),
        (probed("s", SITES, low=-0.01), "nowhere"),  # no lead over shuffled positions
        (probed("s", SITES, omitted=True, share=None, low=None, high=None, pictures=5),
         "omitted: 5 pictures, 10 needed"),
        ([*probed("s", SITES[3:]), *probed("s", SITES[2:], "vertical")],
         "horizontal from layer 0 on, vertical from the embeddings on"),
        ([*probed("s", SITES[3:]), *probed("s", [], "vertical")], "horizontal from layer 0 on, vertical nowhere"),
    ],
)  # fmt: skip
def test_where_position_is_readable(rows: list[Row], words: str) -> None:
    assert where(path_facts(study(probes=rows)).readable) == words


def test_a_bar_is_that_of_the_worse_arrangement() -> None:
    rows = [*probed("s", SITES[3:]), *probed("s", [], "vertical")]
    lane = path_facts(study(probes=rows)).readable
    assert {bar.share for bar in lane.bars} == {0.6}
    assert lane.places == ()


def test_grids_count_and_stand_behind_rows() -> None:
    assert path_facts(study(probes=probed("grid_2x2", SITES, "grid"))).readable.title == "Grid 2x2"
    lane = path_facts(study(probes=[*probed("grid_2x2", SITES[3:], "grid"), *probed("squares", SITES)])).readable
    assert (lane.suite, lane.same, lane.suites) == ("squares", 1, 2)


@pytest.mark.parametrize(
    ("squares", "other", "high", "same"),
    [
        (SITES[4:], SITES[4:], 0.62, 2),  # both from layer 1 on
        (SITES[4:], SITES[5:], 0.94, 1),  # the other from layer 2 on, its interval at layer 1 below 95 %
        (SITES[4:], SITES[5:], 0.96, 2),  # ... and with 95 % in it
        (SITES[5:], SITES[4:], 0.94, 1),  # the other earlier
        (SITES[5:], SITES[4:], 0.96, 2),
        (SITES[4:], [], 0.94, 1),  # the other nowhere
        ([], SITES[4:], 0.96, 2),
        ([], [], 0.62, 2),
    ],
)
def test_suites_are_alike_where_no_first_layer_is_shown_to_differ(
    squares: list[tuple[str, int]], other: list[tuple[str, int]], high: float, same: int
) -> None:
    rows = [*probed("squares", squares), *probed("shapes", other)]
    rows = [row | ({"high": high} if row["share"] == 0.6 else {}) for row in rows]
    lane = path_facts(study(probes=rows)).readable
    assert (lane.suite, lane.same, lane.suites) == ("squares", same, 2)


@pytest.mark.parametrize(
    ("at", "more", "words"),
    [
        ([0, 1, 3], {}, "at layers 0-1, 3"),
        ([], {}, "at no layer"),
        ([2], {"answer": 0.4, "answer_low": 0.2}, "at no layer"),  # the most probable of two, and not the answer
        ([2], dict.fromkeys(ANSWER), "at layer 2"),  # of an earlier release, which has the probability alone
        ([2], dict.fromkeys(("layer", "probability", "low", "high", "interval", *ANSWER)) | {"omitted": True},
         "omitted: 4 pairs, 10 needed"),
    ],
)  # fmt: skip
def test_where_swaps_flip_the_answer(at: list[int], more: Row, words: str) -> None:
    rows = flipped("s", at, pairs=4 if more.get("omitted") else 40, **more)
    rows = rows[:1] if more.get("omitted") else rows
    assert where(path_facts(study(flips=rows)).flips) == words
    other = [row | {"tokens": "strips"} for row in flipped("s", [4])] + [row | {"vision": "removed"} for row in rows]
    assert path_facts(study(flips=[*other, *rows])).flips == path_facts(study(flips=rows)).flips


def test_what_was_not_measured_and_what_is_damaged_are_told_apart() -> None:
    facts = path_facts(study(jobs=[{"kind": "probes", "name": "probes/squares"}]))
    assert [where(lane) for lane in facts.lanes] == ["its table is missing", "not measured", "not measured"]


def test_an_earlier_record_says_less() -> None:
    old = {"source": "vision", "suite": "squares", "vision_suffices": judged("s")["language_suffices"]}
    facts = path_facts(study(verdict=old, model={"name": "m"}, probes=probed("s", SITES)))
    assert (facts.layers, facts.blocks, facts.verdict.questions) == (4, 2, None)
    assert facts.verdict.vision.outcome == "suffices"
    assert facts.verdict.language.outcome == "does not suffice"
    assert path_facts(study(model={"name": "m", "vision_layers": 24, "projector": False})).blocks == 24


def test_a_lane_is_of_a_suite_that_was_measured() -> None:
    bar = Bar(Place(LAYER, 1), 0.9, 0.8, 1.0, True)
    few, enough = Reading((), (), None, 4), Reading((bar,), (("", (bar.place,)),), 1 / 3, 60)
    one = lane_of(study(), "ordinal", {"squares": few, "shapes": enough}, ["squares"])
    assert (one.state, one.suite, one.suites) == ("measured", "shapes", 1)
    none = lane_of(study(), "ordinal", {"squares": few, "shapes": few}, ["shapes"])
    assert (none.state, none.suite, none.number) == ("omitted", "shapes", 4)


def test_one_axis_of_two_is_not_called_nowhere() -> None:
    bars = tuple(Bar(Place(LAYER, n), 0.3, 0.2, 0.4, False) for n in range(3))
    held = (Place(LAYER, 1), Place(LAYER, 2))
    of = Lane("readable", "measured", bars=bars, parts=(("horizontal", held), ("vertical", ())))
    assert where(of) == "horizontal from layer 1 on, vertical nowhere"
    assert where(of, short=True) == "horizontal only"
    apart = replace(of, parts=(("horizontal", held[:1]), ("vertical", held[1:])))
    assert where(apart, short=True) == "differs by axis"


# --- the drawing ---


def lane(kind: Kind, places: Iterable[Place], holds: int, **more: Any) -> Lane:
    """A lane that holds at each place whose layer is a multiple of `holds` and not zero; 0 for none."""
    bars = tuple(
        Bar(p, 0.95, 0.8, 1.0, True) if holds and p.layer and p.layer % holds == 0 else Bar(p, 0.2, 0.1, 0.3, False)
        for p in places
    )
    held = tuple(bar.place for bar in bars if bar.counts)
    return Lane(kind, "measured", "squares", "Squares", bars, (("", held),), 1 / 3, 40, 1, 3, **more)


def facts_of(layers: int, blocks: int, vision: str = "suffices", language: str = "cannot tell") -> PathFacts:
    """Facts by hand of a model of this size."""
    of = [Place(LAYER, n) for n in range(layers + 1)]
    every = [*(Place(VISION, n) for n in range(blocks)), Place(EMBEDS, 0), *of]
    outcomes = {"vision": vision, "language": language}
    shares = {name: Share(*SHARES[outcome]) for name, outcome in outcomes.items()}
    none = dict.fromkeys(outcomes)
    source = "cannot tell" if "cannot tell" in outcomes.values() else "both"
    one = Judged("squares", source, outcomes, shares, none, dict.fromkeys(outcomes, ""), None, None, None, 480, 480)
    return PathFacts(
        "an-organisation/a-model-with-a-long-name-27b-it", "F", layers, blocks, layers % 2 == 0, "squares", "Squares",
        Verdict(one, "Squares"), {"vision": (2, 3), "language": (3, 3)}, lane("readable", every, 2),
        lane("flips", of, 0), lane("ordinal", of, 3),
    )  # fmt: skip


AXES = study(
    None, [row for name in "ab" for row in (*probed(name, SITES[:3]), *probed(name, SITES[1:6], "vertical"))],
    flipped("a", [0, 1, 3]), ordinal("a", range(5)),
)  # fmt: skip
EMPTY = PathFacts("a model")
PARTLY = replace(
    facts_of(12, 6), flips=Lane("flips", "omitted", "shapes", "Shapes", number=5), ordinal=Lane("ordinal", "no table")
)
CASES = {
    "whole": path_facts(WHOLE),
    "small": facts_of(6, 3, "suffices", "suffices"),
    "middle": facts_of(28, 27, "does not suffice"),
    "large": facts_of(80, 48),
    "nothing": EMPTY,
    "partly": PARTLY,
    "two axes": path_facts(AXES),
}
FORMS = {"wide": None, "phone": 1}


def texts(figure: Figure) -> list[Text]:
    return [text for text in figure.axes[0].texts if text.get_text().strip()]


def words_of(figure: Figure) -> str:
    return " | ".join(text.get_text() for text in texts(figure))


@pytest.mark.parametrize("columns", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("facts", CASES.values(), ids=CASES)
def test_words_are_large_enough_inside_and_apart(facts: PathFacts, columns: int | None) -> None:
    figure = draw(facts, columns=columns)
    width, height = figure.get_size_inches()
    assert (width, height) == (8.8, 2.7) if columns is None else (4.2, 3.2)
    figure.canvas.draw()
    boxes = {text: text.get_window_extent() for text in texts(figure)}
    for text, box in boxes.items():
        assert text.get_fontsize() >= 8, text.get_text()
        assert box.x0 >= 0 and box.y0 >= 0, text.get_text()
        if columns is None and text.get_text() in {wide for wide, _ in LABELS.values()}:
            assert box.x1 <= WIDE.vision.left * figure.dpi, text.get_text()
        assert box.x1 <= width * figure.dpi and box.y1 <= height * figure.dpi, text.get_text()
    for (one, a), (other, b) in itertools.combinations(boxes.items(), 2):
        beside = min(a.x1, b.x1) - max(a.x0, b.x0), min(a.y1, b.y1) - max(a.y0, b.y0)
        assert min(beside) < 2, (one.get_text(), other.get_text())


def test_all_that_was_measured_stands_in_the_diagram() -> None:
    shown = words_of(draw(path_facts(WHOLE)))
    for words in ("Position comes from the language model's position encoding",
                  "m, Squares (96 questions; same in 1 of 2 suites)",
                  "Vision encoder", "Projector", "Language model", "does not suffice", "suffices",
                  "10\u00a0% [-10,\u00a030]", "90\u00a0% [70,\u00a0110]", "from layer 1 on, same in 2 of 3 suites",
                  "at layer 2, same in 2 of 2 suites", "at layer 3, same in 1 of 2 suites",
                  "0\u00a0%: chance"):  # fmt: skip
        assert words in shown.replace("\n", " "), words


def test_what_was_not_measured_is_drawn_as_such() -> None:
    assert words_of(draw(EMPTY)).count("not measured") == 2 + 2 * 3 + 1  # pathways; lanes and their labels; the title
    assert "Embeddings" in words_of(draw(replace(EMPTY, projector=False)))
    shown = words_of(draw(PARTLY))
    assert "Shapes: omitted: 5 pairs, 10 needed" in shown and "its table is missing" in shown
    assert "at no layer" in words_of(draw(facts_of(28, 27)))


def filled(figure: Figure, color: str) -> int:
    return sum(matplotlib.colors.to_hex(patch.get_facecolor()) == color for patch in figure.axes[0].patches)


def test_layers_that_count_are_dark_and_as_many_as_there_are() -> None:
    facts = facts_of(28, 27)
    for columns in FORMS.values():
        figure = draw(facts, columns=columns)
        assert filled(figure, style.BLUE) == len(facts.readable.places) + len(facts.flips.places)
        assert filled(figure, style.ORANGE) == len(facts.ordinal.places) == 9
        assert filled(figure, style.INK) == 1  # the pathway that suffices
    assert filled(draw(EMPTY), style.INK) == 0
    light = {name: gray(color) for name, color in (("no", style.FAINT), ("image", style.BLUE), ("last", style.ORANGE))}
    assert light["no"] - max(light["image"], light["last"]) > 0.3  # told apart in gray


def gray(color: str) -> float:
    return sum(w * c for w, c in zip((0.299, 0.587, 0.114), matplotlib.colors.to_rgb(color), strict=True))


def test_names_are_escaped_and_the_drawing_is_the_same_every_time() -> None:
    facts = replace(path_facts(WHOLE), model="<script>$x$", title="<b>&")
    svg = to_svg(draw(facts), "p")
    assert "<script" not in svg and "&lt;script&gt;$x$, &lt;b&gt;&amp;" in svg
    assert svg == to_svg(draw(facts), "p")


def test_in_words_is_all_that_is_seen() -> None:
    said = describe(path_facts(WHOLE)).replace("\u00a0", " ")
    assert said == (
        "m, Squares (same in 1 of 2 suites): position comes from the language model's position encoding (the vision "
        "encoder's pathway: does "
        "not suffice, 10 % [-10, 30] of the accuracy above chance is left, same in 1 of 2 suites; the language model's "
        "pathway: suffices, 90 % [70, 110] of the accuracy above chance is left, same in 2 of 2 suites). By layer: "
        "position readable (≥ 95 % of tokens) from layer 1 on (30 test pictures, at most 97.0 % [92, "
        "99] at layer 1, "
        "chance 33.3 %, same in 2 of 3 suites); swapped object tokens flip the answer at layer 2 (40 pairs, at most "
        "90.0 % [86, 94] at layer 2, chance 33.3 %, same in 2 of 2 suites); last token carries the position at layer "
        "3 (40 pairs, at most 90.0 % [86, 94] at layer 3, chance 33.3 %, same in 1 of 2 suites)."
    )
    nothing = describe(EMPTY)
    assert nothing.startswith("a model: where position comes from was not measured (")
    assert all(f"{short} not measured" in nothing.lower() for short, _ in (map(str.lower, v) for v in LABELS.values()))


def test_plot_takes_facts_and_whatever_has_a_path() -> None:
    facts = path_facts(WHOLE)
    assert words_of(plot(facts)) == words_of(plot(SimpleNamespace(path=facts))) == words_of(draw(facts))
    assert plot(facts, columns=1).get_size_inches()[0] == 4.2
    with pytest.raises(UsageError, match="no figure of this\n  got:   str\n  do:    give a table, or a study"):
        plot("runs/study")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no figure for tables of this schema"):
        plot(Table.of(Schema("own", {}), []))


# --- the verdict ---


@pytest.mark.parametrize(
    ("vision", "language", "source", "words"),
    [
        ("suffices", "does not suffice", "vision", "Position comes from the vision encoder."),
        ("suffices", "suffices", "both", "Position comes from both pathways, each enough by itself."),
        ("does not suffice", "does not suffice", "neither", "Neither pathway suffices by itself."),
        ("cannot tell", "suffices", "cannot tell",
         "The language model's pathway suffices; the vision encoder's is undecided."),
        ("cannot tell", "cannot tell", "cannot tell", "Where position comes from is not shown."),
    ],
)  # fmt: skip
def test_a_verdict_is_read_from_the_record(vision: str, language: str, source: str, words: str) -> None:
    one = path_facts(study({"squares": judged("squares", vision, language)})).verdict
    assert (one.source, f"{one.headline}.") == (source, words)
    assert one.judged is not None and str(one) == of_suite(one.judged, "Squares")
    assert "Squares" in str(one) and "(96 questions)" in str(one)
    assert (one.suite, one.title, one.questions, one.budget) == ("squares", "Squares", 96, 480)
    assert one.accuracy == Share(0.98, 0.9, 1.0)
    assert one.vision.share == Share(*SHARES[vision]) and one.language.control is None


def test_a_verdict_shows_itself() -> None:
    record = judged("squares", "cannot tell")
    record["pathways"]["vision"]["reason"] = "<b>shuffled"
    shown = path_facts(study({"squares": record})).verdict._repr_html_()
    assert "<td>50\u00a0% [20,\u00a080]</td>" in shown and "0\u00a0% is chance" in shown
    assert "&lt;b&gt;" in shown and "<b>" not in shown


def test_no_verdict_says_so() -> None:
    for record in (None, {"source": "elsewhere"}):
        one = path_facts(study({}, verdict=record)).verdict
        assert not one.measured and one.source == "not measured"
        assert str(one) == "Where position comes from was not measured."
        assert "<table>" not in one._repr_html_()
