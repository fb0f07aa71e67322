"""The first screen: cards, what was left out, what to do next; each follows its numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from backsight.report import about
from backsight.report.opening import cards as of
from backsight.report.opening import steps as to_do
from backsight.report.opening.gauge import Gauge, Mark, drawn, scale
from backsight.report.opening.left_out import NOTHING, UNKNOWN, left_out
from backsight.results.behaviour.axes import BEHAVIOUR_AXES
from backsight.results.behaviour.worst import Accuracy, Worst
from backsight.results.creg.card import EvidenceCard
from backsight.results.gap.tables import GAP_SUMMARY
from backsight.results.image_interchange.tables import IMAGE_INTERCHANGE_SUMMARY
from backsight.results.pages.study import Study
from backsight.results.pathways.card import PathwayCard
from backsight.results.pathways.reading import Share
from backsight.results.probes.lost import Readable, Stage
from backsight.results.tournament.card import RepairCard
from backsight.results.tournament.schema import SUMMARY, WINS
from backsight.tables import Schema, Table

TITLES = {
    "behaviour": "Behaviour", "pathways": "Position pathways", "compass": "Compass", "probes": "Probes",
    "tournament": "Tournament of repairs", "resolution": "Resolution",
}  # fmt: skip
WORST = Accuracy("pairs", "Pairs", "C", "all", 49, 0.755, 0.614, 0.857, 0.265, 0.25)
BEST = Accuracy("squares", "Squares", None, "all", 150, 1.0, 0.964, 1.0, 0.18, 1 / 6)
LEFT = replace(WORST, direction="left", questions=12, accuracy=0.267, low=0.1, high=0.5)
EVIDENCE = EvidenceCard(
    "pairs_a", "Pairs, prompt A", "CREG", 53.2, 39.0, 69.0, 46.4, 0.0, -6.6, -24.6, 12.7, "over", 39, 0, 4,
    "The evidence points no closer to the object than uniform relevance.",
)  # fmt: skip
REPAIR = RepairCard(
    verdict="No repair is shown to be worth having.", anchor="tournament", suite="Hard questions", questions=65,
    failures=21, repair="ScalingVis", gain=0.015, gain_low=-0.04, gain_high=0.07, control="random positions",
    control_gain=-0.008, lead=0.02, lead_low=-0.04, lead_high=0.08,
)  # fmt: skip
PATHWAY = PathwayCard(
    source="language", sentence="Position comes from the language model's position encoding.",
    outcomes={"vision": "does not suffice", "language": "suffices"}, vision=Share(0.12, -0.06, 0.31),
    language=Share(1.0, 0.86, 1.16), suite="Squares", questions=96, presence_vision=Share(1.0, 0.9, 1.1),
    presence_language=Share(0.95, 0.85, 1.05), reason="", elsewhere="",
)  # fmt: skip


def study(data: dict[str, Any] | None = None, **tables: Table) -> Study:
    return Study(Path("nowhere"), {"model": {"name": "M"}, **(data or {})}, tables)


def table(schema: Schema, *rows: dict[str, Any]) -> Table:
    return Table.of(schema, [dict.fromkeys(schema.columns) | row for row in rows])


def judged(*suites: Accuracy, one: Accuracy | None = None) -> Worst:
    above = sum(suite.above_guessing for suite in suites)
    return Worst(one or suites[0], len(suites), above, len(suites) - above, suites[0], suites[-1])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """A study of everything, by its records."""
    monkeypatch.setattr(of, "worst", lambda _: judged(WORST, BEST))
    monkeypatch.setattr(of, "per_suite", lambda _: (WORST, BEST))
    monkeypatch.setattr(of, "pathway_card", lambda _: PATHWAY)
    monkeypatch.setattr(of, "evidence_card", lambda _: EVIDENCE)
    monkeypatch.setattr(of, "repair_card", lambda _: REPAIR)
    return monkeypatch


def card(key: str) -> of.Card:
    (one,) = [one for one in of.cards(study(), TITLES) if one.key == key]
    return one


def plain(words: str) -> str:
    return words.replace("\u00a0", " ")


def test_every_card_has_number_interval_null_figure_and_link(measured: pytest.MonkeyPatch) -> None:
    for one in of.cards(study(), TITLES):
        assert re.search(r"\d", one.number) and re.fullmatch(r"\[-?\d+,\u00a0-?\d+\]", one.interval), one.key
        assert one.null and "<svg" in one.gauge and TITLES[one.anchor] == one.link
        assert len(one.verdict.split()) <= 12


def test_the_first_card_goes_by_its_suites(measured: pytest.MonkeyPatch) -> None:
    assert card("can").verdict == "Better than by guessing on all 2 suites; worst: Pairs."
    assert (
        plain(f"{card('can').number} {card('can').interval} {card('can').of}")
        == "76 % [61, 86] correct on Pairs, prompt C"
    )
    assert plain(card("can").null) == "Gray picture 26 %, chance 25 %." and card("can").further == ""
    guessed = replace(WORST, accuracy=0.3, low=0.2, high=0.4)
    measured.setattr(of, "worst", lambda _: judged(guessed, BEST, one=LEFT))
    measured.setattr(of, "per_suite", lambda _: (replace(guessed, suite="x", title="X", gray=0.1, low=0.27), guessed))
    assert card("can").verdict == "Not shown to beat guessing on 1 of 2 suites."
    assert card("can").of.endswith("Pairs, prompt C")  # the worst, X, does beat it
    assert plain(card("can").further) == "Worst direction: Pairs, left, 27 % [10, 50] of 12 questions, chance 25 %."
    bare = replace(LEFT, low=None, high=None, questions=1)
    measured.setattr(of, "worst", lambda _: judged(guessed, BEST, one=bare))
    assert "27 % [no interval] of 1 question, chance" in plain(card("can").further)
    measured.setattr(of, "worst", lambda _: judged(BEST))
    measured.setattr(of, "per_suite", lambda _: (BEST,))
    assert card("can").verdict == "Better than by guessing on Squares."


def test_the_second_card_has_the_larger_share(measured: pytest.MonkeyPatch) -> None:
    assert plain(f"{card('where').number} {card('where').interval}") == "100 % [86, 116]"
    assert card("where").of == "kept by the language model by itself" and "95" in card("where").further
    assert card("where").about == "(Squares, 96 questions)"
    measured.setattr(of, "pathway_card", lambda _: replace(PATHWAY, same=2, suites=5))
    assert card("where").about == "(Squares, 96 questions; same in 2 of 5 suites)"
    turned = replace(
        PATHWAY, vision=Share(0.9, 0.8, 1.0), language=None, presence_language=None, reason="too few questions"
    )
    measured.setattr(of, "pathway_card", lambda _: turned)
    assert card("where").of == "kept by the vision encoder by itself"
    assert plain(card("where").null) == "0 % is chance." and card("where").further == "Not decided: too few questions."
    measured.setattr(of, "pathway_card", lambda _: replace(turned, vision=None))
    assert card("where").number == "" and card("where").gauge == ""


def test_the_third_and_fourth_card(measured: pytest.MonkeyPatch) -> None:
    assert plain(card("why").null) == "Uniform relevance 46°, improvement -7° [-25, 13]."
    assert card("why").further == "Closer on 0 of 4 sets."
    assert plain(card("repair").number) == "+1.5 points" and plain(card("repair").null) == (
        "Its control (random positions): -0.8 points."
    )
    assert "lower" not in card("repair").further
    measured.setattr(of, "repair_card", lambda _: replace(REPAIR, tried=6, lowering=1))
    assert card("repair").further.endswith(", 21 incorrect without. 1 of 6 repairs lowers accuracy.")
    measured.setattr(of, "evidence_card", lambda _: replace(EVIDENCE, closer_methods="Closer on Squares: Chefer."))
    assert card("why").further == "Closer on 0 of 4 sets. Closer on Squares: Chefer."
    measured.setattr(of, "repair_card", lambda _: replace(REPAIR, gain=None, gain_low=None, gain_high=None))
    assert card("repair").number == "" and card("repair").null.startswith("Hard questions: 65 held-out questions, 21 ")
    measured.setattr(of, "repair_card", lambda _: replace(REPAIR, gain=0.0001, gain_low=-0.0001, gain_high=0.0004))
    assert plain(card("repair").number) == "0.0 points" and plain(card("repair").interval) == "[0, 0]"
    nothing = replace(REPAIR, gain=-0.0001, gain_low=-0.004, gain_high=0.004, control_gain=-1e-17)
    measured.setattr(of, "repair_card", lambda _: nothing)
    assert plain(card("repair").number) == "0.0 points" and plain(card("repair").null).endswith(": 0.0 points.")
    measured.setattr(of, "evidence_card", lambda _: replace(EVIDENCE, improvement=-0.3))
    assert "improvement 0°" in card("why").null


def test_a_name_goes_into_a_command_as_one_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(to_do, "worst", lambda _: None)
    won = table(SUMMARY, {"repair": "norm_rescale", "verdict": WINS})
    named = Study(Path("nowhere"), {"model": {"name": "./a; rm -rf b"}}, {"tournament_summary": won})
    assert "repair fit './a; rm -rf b' --repair" in to_do.steps(named, TITLES)[0].text


def test_an_interval_that_reaches_zero_is_drawn_whole(measured: pytest.MonkeyPatch) -> None:
    measured.setattr(of, "per_suite", lambda _: (replace(WORST, accuracy=0.05, low=0.0, high=0.17),))
    assert f'x1="{4.0}"' in str(card("can").gauge)


def test_what_is_not_measured_says_how_to_measure_it() -> None:
    for one in of.cards(study(), {}):
        assert one.verdict == of.NOT_MEASURED and one.number == ""
        assert one.null == f"Run the study with --only {of.ASKED_BY[one.key]}."


def test_a_section_that_is_not_there_is_not_linked(measured: pytest.MonkeyPatch) -> None:
    assert all(one.anchor == "" for one in of.cards(study(), {}))


def test_a_gauge_shows_each_mark_inside_its_scale() -> None:
    marks = (Mark(0.5, 0.4, 2.0, 0.1, strong=True), Mark(-3.0, -4.0, 0.2))
    drawing = drawn(Gauge(marks, 0.0, 1.0, ((0.0, "a <b>"),), 'words "and" <tags>'))
    places = [float(value) for value in re.findall(r' (?:c?x|x1|x2)="([-\d.]+)"', drawing)]
    assert places and all(0 <= place <= 200 for place in places)
    assert drawing.count("<circle") == 3 and "<b>" not in drawing and "&lt;tags&gt;" in drawing
    assert drawn(Gauge((), 0.0, 1.0, (), "")) == ""


def test_a_scale_holds_zero_and_all_values() -> None:
    for values in ([3.0, 5.0], [-2.0, -1.0], [0.0]):
        start, end = scale(values)
        assert start < min(0.0, *values) and end > max(0.0, *values)
    assert scale([0.001], least=0.02)[1] > 0.02


def test_left_out_counts_by_reason_and_names_what_was_asked_for() -> None:
    assert left_out(study()) == (UNKNOWN,) and left_out(study({"skipped": []})) == (NOTHING,)
    skipped = [
        {"set": "pairs", "measurement": "gap", "reason": "unknown words"},
        {"set": "shapes", "measurement": "gap", "reason": "unknown words"},
        {"set": "vsr", "measurement": "creg", "reason": "no boxes"},
        {"set": "own", "measurement": "probes", "reason": "no rows"},
    ]
    again = [{"set": "pairs", "measurement": "creg", "reason": "unknown words"}]
    assert left_out(study({"skipped": [*skipped[:2], *again]})) == (
        "3 measurements of a set: gap and creg on 2 sets (unknown words).",
    )
    (line,) = left_out(study({"skipped": skipped}))
    assert line == "4 measurements of a set: gap on 2 sets (unknown words), creg on vsr (no boxes) and 1 more."
    lines = left_out(study({"options": {"only": ["gap"], "quick": True, "limit": 44}, "finished": False}))
    assert lines[0] == (
        "As was asked for: all but gap (--only), what needs many samples (--quick) and samples beyond 44 (--limit)."
    )
    assert lines[1].startswith("What is not finished")


def test_left_out_counts_what_too_few_samples_are_left_of() -> None:
    def row(suite: str, vision: str, direction: str = "all", **changes: Any) -> dict[str, Any]:
        return {"suite": suite, "vision": vision, "direction": direction, "omitted": True} | changes

    swaps = table(
        IMAGE_INTERCHANGE_SUMMARY, row("objects", "intact"), row("squares", "intact", omitted=False),
        row("squares", "intact", "left"), row("objects", "removed"), row("squares", "removed"),
        row("squares", "removed", "left", omitted=False),
    )  # fmt: skip
    kinds = [{"suite": "squares", "axis": "all", "omitted": omitted} for omitted in (True, False)]
    one = study(image_interchange_summary=swaps, gap_summary=table(GAP_SUMMARY, *kinds))
    assert left_out(one) == ("Too few samples: image interchange on objects and backup on 2 sets.",)
    assert left_out(study({"skipped": []}, gap_summary=table(GAP_SUMMARY, *kinds))) == (NOTHING,)
    assert left_out(study(gap_summary=table(GAP_SUMMARY, kinds[0]))) == ("Too few samples: gap on squares.",)


def said(data: dict[str, Any] | None = None, **tables: Table) -> list[str]:
    return [one.text for one in to_do.steps(study(data, **tables), TITLES)]


@pytest.fixture
def sound(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setattr(to_do, "worst", lambda _: judged(BEST))
    monkeypatch.setattr(to_do, "readable", lambda _: ())
    return monkeypatch


def test_where_nothing_is_short_more_is_asked(sound: pytest.MonkeyPatch) -> None:
    assert said() == [to_do.SOUND]


def test_the_worst_suite_is_named_where_its_interval_leaves_room(sound: pytest.MonkeyPatch) -> None:
    sound.setattr(to_do, "worst", lambda _: judged(WORST, BEST))
    assert plain(said()[0]).startswith("Most is missing on Pairs, prompt C (76 % correct)")
    sound.setattr(to_do, "worst", lambda _: judged(replace(WORST, accuracy=0.3, low=0.2, high=0.4)))
    (step,) = to_do.steps(study(), TITLES)
    assert step.text.startswith("No suite is answered better than by guessing") and step.anchor == "behaviour"


def test_an_axis_turned_round_and_one_answered_blindly(sound: pytest.MonkeyPatch) -> None:
    rows = [
        {"suite": "squares", "axis": "horizontal", "verdict": "inverted"},
        {"suite": "shapes", "axis": "horizontal", "verdict": "inverted"},
        {"suite": "shapes", "axis": "vertical", "verdict": "prior"},
        {"suite": "pairs", "axis": "vertical", "verdict": "grounded"},
    ]
    words = said(behaviour_axes=table(BEHAVIOUR_AXES, *rows))
    assert words[0].startswith("Left and right (squares and shapes) are answered the wrong way round")
    assert words[1].startswith("Above and below (shapes) are answered without the picture") and len(words) == 2
    both = table(BEHAVIOUR_AXES, *rows, {"suite": "a", "axis": "depth", "verdict": "prior"})
    assert said(behaviour_axes=both)[1].startswith("Above and below (shapes) and in front and behind (a) are answered")
    # A constant choice where nothing is above guessing says nothing of training; the wrong way round does.
    below = replace(BEST, suite="shapes", accuracy=0.1, low=0.05, high=0.3)
    sound.setattr(to_do, "accuracies", lambda _: (BEST, below))
    (only,) = said(behaviour_axes=table(BEHAVIOUR_AXES, *rows))
    assert only.startswith("Left and right (squares and shapes) are answered the wrong way round")
    sound.setattr(to_do, "accuracies", lambda _: (BEST, below, replace(BEST, suite="shapes", prompt="B")))
    assert len(said(behaviour_axes=table(BEHAVIOUR_AXES, *rows))) == 2


OFF = replace(WORST, accuracy=0.26, low=0.16, high=0.4, free=0.0, free_high=0.09)


def test_a_model_that_answers_with_no_option_is_to_be_asked_otherwise(sound: pytest.MonkeyPatch) -> None:
    sound.setattr(to_do, "worst", lambda _: judged(OFF, BEST))
    sound.setattr(to_do, "per_suite", lambda _: (OFF, BEST))
    first = (
        "Ask as it was trained to be asked (--data DIR) on Pairs: its most probable token is none of the options there."
    )
    assert said()[0] == first
    sound.setattr(to_do, "per_suite", lambda _: (replace(OFF, free=0.01), BEST))
    assert "its most probable token is hardly ever one of the options" in said()[0]
    four = [replace(OFF, suite=f"s{n}", title=f"S{n}") for n in range(4)]
    sound.setattr(to_do, "per_suite", lambda _: (*four, BEST))
    assert " on 4 suites: " in said()[0]
    sound.setattr(to_do, "per_suite", lambda _: (replace(OFF, free=0.2, free_high=0.3), BEST))
    assert all("most probable token" not in words for words in said())
    sound.setattr(to_do, "worst", lambda _: judged(OFF))  # said of all suites already
    sound.setattr(to_do, "per_suite", lambda _: (OFF,))
    assert [words.split(" is ")[0] for words in said()] == ["No suite"]


def test_an_open_verdict_asks_for_what_would_decide_it(sound: pytest.MonkeyPatch) -> None:
    verdict = {"source": "cannot tell", "questions": 480, "budget": 480}
    assert "--budget 960" in said({"verdict": verdict})[0]
    assert said({"verdict": verdict | {"source": "both"}}) == [to_do.SOUND]
    assert "without --quick" in said({"verdict": verdict, "options": {"quick": True}})[0]
    assert said({"verdict": verdict | {"questions": 96}}) == [to_do.SOUND]  # the control broke: more do not help


def test_where_position_is_lost(sound: pytest.MonkeyPatch) -> None:
    yes, no = Stage((0, 1), (0, 1), 1, 1.0, 0.9, 1.0), Stage((0, 1), (), 1, 0.5, 0.4, 0.6)
    here = Readable("squares", "horizontal", 12, 1 / 3, ("vision", 0), yes, no, no)
    sound.setattr(to_do, "readable", lambda _: (here,))
    (step,) = to_do.steps(study(), TITLES)
    assert step == to_do.Step("Position is lost at the projector (squares): mend it there.", "probes", "Probes")
    sound.setattr(to_do, "readable", lambda _: (replace(here, projector=yes, language=yes),))
    assert said() == [to_do.SOUND]
    sound.setattr(to_do, "readable", lambda _: (replace(here, first=None, vision=no),))
    assert said()[0].startswith("No probe is above chance (squares): train the vision encoder")
    answered = replace(WORST, suite="squares")
    for low, words in ((0.2, "No probe is above chance"), (0.5, to_do.SOUND.split(":")[0])):
        sound.setattr(to_do, "accuracies", lambda _, low=low: (replace(answered, low=low),))
        assert said()[0].startswith(words)


def test_no_advice_follows_from_a_loss_that_is_not_shown(sound: pytest.MonkeyPatch) -> None:
    yes, wide = Stage((0, 1), (0, 1), 1, 0.96, 0.81, 1.0), Stage((0, 1), (), 1, 0.94, 0.81, 0.99, 0.99, True)
    near = Readable("grid_2x2", "grid", 21, 0.25, ("vision", 0), yes, wide, yes)
    partly = replace(near, first=None, vision=wide, language=wide)
    sound.setattr(to_do, "readable", lambda _: (near, partly))
    assert (near.lost, partly.lost) == ("nowhere", "partly readable")
    assert said() == [to_do.SOUND]


def test_a_repair_worth_having_is_taken_away(sound: pytest.MonkeyPatch) -> None:
    won = table(SUMMARY, {"repair": "norm_rescale", "verdict": WINS}, {"repair": "adaptvis", "verdict": "no gain"})
    assert "backsight repair fit M --repair norm_rescale" in said(tournament_summary=won)[0]
    lost = table(SUMMARY, {"repair": "norm_rescale", "verdict": "no gain"})
    assert said(tournament_summary=lost) == [to_do.SOUND]


def test_contracts_and_unfinished_studies_come_first(sound: pytest.MonkeyPatch) -> None:
    data = {"finished": False, "contracts": [{"name": "replay", "passed": True, "warning": True}]}
    assert said(data) == [
        "Run the study's command again: it goes on where it stopped.",
        "Read first what is not decided of the seam: replay.",
    ]
    assert said({"contracts": [{"name": "replay", "passed": True}]}) == [to_do.SOUND]


def test_missing_and_damaged_tables_are_named_and_nothing_is_called_sound(sound: pytest.MonkeyPatch) -> None:
    torn = replace(study(), damaged={"behaviour_summary": "no such file", "gap.squares": "the file is damaged"})
    assert left_out(torn) == ("2 tables missing or damaged: behaviour_summary and gap.squares.",)
    assert "behaviour_summary (no such file)" in about.damaged(torn) and about.damaged(study()) == ""
    assert [one.text for one in to_do.steps(torn, TITLES)] == [
        "Run the study's command again: it makes 2 tables again that are missing or damaged."
    ]
    sound.setattr(of, "worst", lambda _: None)
    (card, *_) = of.cards(torn, TITLES)
    assert card.verdict == of.UNKNOWN and "--only" not in card.null


def test_no_more_steps_than_the_screen_holds(sound: pytest.MonkeyPatch) -> None:
    rows = [{"suite": "a", "axis": "depth", "verdict": verdict} for verdict in ("inverted", "prior")]
    data = {"finished": False, "contracts": [{"name": "replay", "passed": True, "warning": True}]}
    assert len(said(data, behaviour_axes=table(BEHAVIOUR_AXES, *rows))) == to_do.MOST


def test_the_command_that_makes_a_section_again() -> None:
    one = study({"runs": [{"command": "backsight study 'my model' --only gap --seed 3 --out runs/x"}]})
    assert about.again(one, ["behaviour"]) == (
        "backsight study 'my model' --seed 3 --only behaviour --out runs/behaviour"
    )
    assert about.again(study({"command": "backsight study --only=gap --out=a"}), ["creg", "flip"]) == (
        "backsight study --only creg --only flip --out runs/creg"
    )
    for command in ("", "python mine.py", "backsight study 'torn"):
        assert about.again(study({"command": command}), ["creg"]) == ""
    assert about.again(one, []) == ""
