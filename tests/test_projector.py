"""The projectors: means over seeds by hand, verdicts on numbers that make them false, figure, page."""

from __future__ import annotations

import csv
import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from backsight.errors import DataError, UsageError
from backsight.maths.verdicts import judged
from backsight.models import additions, contracts
from backsight.models.opening import load
from backsight.models.vlm import VLM
from backsight.results.drawing import style
from backsight.results.projector import (
    PROJECTOR,
    PROJECTOR_CURVES,
    draw,
    page,
    projector_claims,
    projector_summary,
)
from backsight.results.projector.claims import p_of
from backsight.results.projector.page import by_seed, ended, sentences, translated
from backsight.results.projector.tables import Term, by_run, estimate
from backsight.stimuli.rows import COLORS, held_out
from backsight.studies import projector as measuring
from backsight.tables import Table
from backsight.training.loop import log_table
from backsight.training.projector import (
    LAYOUT,
    RECIPES,
    ProjectorLearner,
    asks,
    build,
    names_of,
    prompt_lengths,
    rivals_of,
)
from backsight.training.recipe import SCALES

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs" / "results"


def row(projector: str, seed: int, measure: str, value: float | None, **more: Any) -> dict[str, Any]:
    given = {
        "pictures": "clean",
        "n": 192,
        "low": None,
        "high": None,
        "null": None,
        "chance": None,
        "hardware": "a CPU",
    }
    return {"projector": projector, "seed": seed, "measure": measure, "value": value} | given | more


def accuracies(where: dict[str, float], what: dict[str, float], *, seeds: int = 3, spread: float = 0.001) -> Table:
    """Rows of all projectors whose accuracies differ between seeds by `spread`."""
    rows = []
    for seed in range(seeds):
        off = spread * (seed - 1)
        for number, name in enumerate(where):  # numbers by seed differ between projectors, as differences must
            rows.append(row(name, seed, "where", where[name] + off * (1 + number), chance=0.5, null=0.5))
            rows.append(row(name, seed, "what", what[name] + off * number / 10, chance=0.5, null=0.5))
    return Table.of(PROJECTOR, rows)


def outcomes(table: Table) -> dict[str, str]:
    return {line["claim"]: line["verdict"] for line in projector_claims(table).rows()}


def test_means_over_seeds_are_those_of_scipy() -> None:
    values = [0.5, 0.6, 0.9]
    table = Table.of(PROJECTOR, [row("plain", seed, "where", v) for seed, v in enumerate(values)])
    of = estimate(by_run(table.rows()), Term("plain", "clean", "where"))
    oracle = stats.t.interval(0.95, 2, loc=sum(values) / 3, scale=stats.sem(values))
    assert (of.low, of.high) == pytest.approx(oracle)
    (line,) = projector_summary(table).rows()
    assert (line["mean"], line["seeds"], line["each"]) == (pytest.approx(2 / 3), 3, "0: 0.5, 1: 0.6, 2: 0.9")


def test_intervals_of_accuracies_and_lengths_stay_within_what_can_be() -> None:
    rows = [
        row("plain", s, m, v)
        for m, of in (("where", (0.1, 0.5, 0.9)), ("ratio", (1.0, 5.0, 9.0)))
        for s, v in enumerate(of)
    ]
    where, ratio = projector_summary(Table.of(PROJECTOR, rows)).rows()
    assert (where["low"], where["high"]) == (0.0, 1.0)
    assert ratio["low"] == 0.0 and ratio["high"] == pytest.approx(5 + 4.302653 * 4 / 3**0.5, abs=1e-5)


def test_differences_are_paired_by_seed_and_of_common_seeds_only() -> None:
    rows = [row("plain", s, "where", v) for s, v in ((0, 0.1), (1, 0.5), (2, 0.9), (4, 0.2))]
    rows += [row("normed", s, "where", v) for s, v in ((0, 0.2), (2, 1.1), (3, 0.0), (4, 0.2))]
    of = estimate(by_run(rows), Term("normed", "clean", "where"), Term("plain", "clean", "where", -1.0))
    assert [seed for seed, _ in of.each] == [0, 2, 4]
    assert of.mean == pytest.approx(0.1)
    oracle = stats.ttest_rel([0.2, 1.1, 0.2], [0.1, 0.9, 0.2]).confidence_interval()
    assert (of.low, of.high) == pytest.approx((oracle.low, oracle.high))


@pytest.mark.parametrize("values", [[0.5], [0.5, 0.6], [0.7, 0.7, 0.7]])
def test_two_seeds_and_seeds_that_all_agree_have_no_interval(values: list[float]) -> None:
    rows = [row("plain", s, "what", v, low=0.4, high=0.8) for s, v in enumerate(values)]
    of = estimate(by_run(rows), Term("plain", "clean", "what"))
    assert of.mean == pytest.approx(sum(values) / len(values)) and (of.low, of.high) == (None, None)
    assert estimate(by_run([]), Term("plain", "clean", "what")).mean is None


WHAT = dict.fromkeys(("plain", "large", "normed"), 0.99)


def test_verdicts_follow_the_numbers() -> None:
    as_the_post_says = outcomes(accuracies({"plain": 0.9, "large": 0.5, "normed": 0.89}, WHAT))
    assert as_the_post_says["suppression"] == as_the_post_says["counteract"] == "confirmed"
    assert as_the_post_says["partial"] == "confirmed"
    assert as_the_post_says["better"] == "not confirmed"
    turned = outcomes(accuracies({"plain": 0.5, "large": 0.9, "normed": 0.6}, WHAT))
    assert turned["suppression"] == turned["counteract"] == "not confirmed"
    assert turned["better"] == "confirmed"
    mended = outcomes(accuracies({"plain": 0.9, "large": 0.9, "normed": 0.985}, WHAT))
    assert mended["partial"] == "not confirmed"
    # A loss that what shares is no loss of position.
    shared = {"plain": 0.99, "large": 0.55, "normed": 1}
    assert outcomes(accuracies({"plain": 0.9, "large": 0.5, "normed": 0.9}, shared))["suppression"] == "not confirmed"
    rows = [
        row(n, s, "where", v if n == "large" else 0.6, chance=0.5)
        for n in ("plain", "large")
        for s, v in {1: 0.4, 2: 0.3, 0: 0.9}.items()
    ]
    assert outcomes(Table.of(PROJECTOR, rows))["suppression"] == "undecided"


def test_a_gap_that_a_short_training_leaves_is_no_partial_fix() -> None:
    """All projectors know what and little of where: the norm mends nothing, so it is no partial fix either."""
    early = outcomes(accuracies({"plain": 0.6, "large": 0.6, "normed": 0.6}, WHAT))
    assert early["counteract"] == "undecided" and early["partial"] == "undecided"
    worse = outcomes(accuracies({"plain": 0.6, "large": 0.7, "normed": 0.6}, WHAT))
    assert worse["partial"] == "not confirmed"


def bags(large: float, what: float) -> str:
    rows = []
    for s in range(3):
        off = 0.001 * (s - 1)
        rows += [row("plain", s, "lost_where", 0.4 + off), row("large", s, "lost_where", large - off)]
        rows.append(row("large", s, "what", what + off, chance=0.5))
    return outcomes(Table.of(PROJECTOR, rows))["bag"]


def test_a_bag_knows_what_is_there_and_loses_nothing_by_a_shuffle() -> None:
    assert bags(0.01, 0.95) == "confirmed"
    assert bags(0.45, 0.95) == "not confirmed"
    assert bags(0.01, 0.55) == "not confirmed"  # it knows nothing: a bag of no features


def test_verdicts_are_after_holm_over_all_sentences() -> None:
    """A p of .049 decides where a sentence stands by itself, and not beside a second one."""
    of = {"plain": (0.5, 0.5, 0.5), "normed": (0.56, 0.6, 0.64)}
    lone = [row(n, s, "where", v, chance=0.5) for n, each in of.items() for s, v in enumerate(each)]
    p = stats.ttest_1samp([0.06, 0.1, 0.14], 0).pvalue
    by_key = {line["claim"]: line for line in projector_claims(Table.of(PROJECTOR, lone)).rows()}
    assert 0.025 < p < 0.05 and by_key["better"]["p"] == pytest.approx(p)
    assert by_key["better"]["verdict"] == "confirmed"
    wide = [row("plain", s, "ratio", v) for s, v in enumerate((9.0, 10.5, 11.0))]
    both = {line["claim"]: line for line in projector_claims(Table.of(PROJECTOR, lone + wide)).rows()}
    assert both["better"]["adjusted"] == pytest.approx(2 * p) and both["better"]["verdict"] == "undecided"


def test_the_p_of_a_sentence_is_of_its_least_sure_test_and_of_one_that_fails() -> None:
    up = [judged([value, value + 0.1, value + 0.2], "above", 0.0) for value in (0.1, 0.9)]
    assert p_of(up) == up[0].p
    assert p_of([*up, None]) is None
    down = judged([-0.9, -1.0, -1.1], "above", 0.0)
    assert down.p is not None and p_of([up[0], down]) == pytest.approx(2 * down.p)
    assert p_of([None, down]) == pytest.approx(2 * down.p)


def test_what_was_not_measured_is_undecided() -> None:
    for seeds in (1, 2):
        few = accuracies({"plain": 0.9, "large": 0.5, "normed": 0.9}, WHAT, seeds=seeds)
        assert set(outcomes(few).values()) == {"undecided"}
        lines = projector_claims(few).rows()
        assert all(line["low"] is None and line["adjusted"] is None for line in lines)
        assert all("undecided" in sentence for sentence in sentences(lines))
    assert sentences(projector_claims(Table.of(PROJECTOR, [])).rows()) == []
    none = [row("plain", s, "corrected_where", None) for s in range(3)]
    assert projector_summary(Table.of(PROJECTOR, none)).rows() == []


@pytest.mark.parametrize(
    ("ratio", "words"),
    [
        (2.0, "The premise does not hold in a small model by itself"),
        (30.0, "The premise holds"),
        (10.0, "is undecided"),
    ],
)
def test_the_sentence_about_the_premise(ratio: float, words: str) -> None:
    rows = [row("plain", s, "ratio", ratio + 0.3 * (s - 1)) for s in range(3)]
    (said,) = sentences(projector_claims(Table.of(PROJECTOR, rows)).rows())
    assert words in said


def said(where: dict[str, float], what: dict[str, float] | None = None) -> str:
    return " ".join(" ".join(sentences(projector_claims(accuracies(where, what or WHAT)).rows())).split())


def test_sentences_of_change_follow_the_verdicts() -> None:
    lowered = said({"plain": 0.9, "large": 0.5, "normed": 0.8})
    assert "Long image embeddings lower accuracy of *where*, and more than that of *what*: " in lowered
    assert "The norm raises accuracy of *where* against long embeddings: 0.300 [" in lowered
    assert "The norm lowers accuracy of *where* against the plain projector" in lowered
    raised = said({"plain": 0.5, "large": 0.9, "normed": 0.6})
    assert "Long image embeddings do not lower accuracy of *where* more than that of *what*" in raised
    assert "The norm lowers accuracy of *where* against long" in raised
    equal = said({"plain": 0.5, "large": 0.5, "normed": 0.5})
    assert equal.count("is undecided: ") == 3 and "raises" not in equal and "lowers" not in equal


def test_whether_training_ended_before_where_was_learned() -> None:
    def along(*each: tuple[float, float]) -> list[dict[str, Any]]:
        return [
            {"projector": "plain", "seed": seed, "step": step, "where": value, "what": 0.9 + 0.01 * seed}
            for seed, values in enumerate(each)
            for step, value in zip((300, 400), values, strict=True)
        ]

    rising = ended(along((0.6, 0.7), (0.6, 0.71), (0.61, 0.72)))
    assert rising.startswith("In the last steps of training the plain projector answers 0.710 [")
    assert "Training ended while *where* was being learned: since step 300 it changed by 0.107 [" in rising
    still = ended(along((0.9, 0.9), (0.9, 0.905), (0.9, 0.895)))
    assert "*Where* no longer rose by 0.05 when training ended" in still
    assert "is undecided" in ended(along((0.6, 0.7), (0.8, 0.6), (0.5, 0.9)))
    assert "is undecided" in ended(along((0.6, 0.7)))
    assert ended([]) == "" and "since" not in ended(along((0.6, 0.7))[1:])


def test_the_constants_on_the_page_are_those_of_the_table() -> None:
    rows = [row("normed", s, f"prompt_{name}", v) for s in range(3) for name, v in (("mean", 2.0), ("largest", 3.0))]
    # 3 x .83 = 2.49, of a mean of 2 that is 1.245; as published 3 x 2.
    words = translated(projector_summary(Table.of(PROJECTOR, rows)).rows())
    assert "the cut is 3.000 x 0.83 / 2.000 = 1.245, and the longest image embedding 2.490, which is 1.245" in words
    assert "As published, it would be 6.000." in words
    assert translated([]) == ""


def curves(name: str = "plain") -> Table:
    rows = [
        {"projector": name, "seed": s, "step": 25 * k, "where": 0.2 * k, "what": 0.5} for s in (0, 1) for k in (1, 2, 3)
    ]
    return Table.of(PROJECTOR_CURVES, rows)


def test_the_figure_draws_what_there_is() -> None:
    table = accuracies({"plain": 0.9, "normed": 0.5}, {"plain": 0.99, "normed": 0.98})
    figure = draw(table, curves())
    words = style.to_svg(figure)
    assert "with the norm" in words and "started 30 times" not in words
    where = figure.axes[0]
    assert max(float(np.asarray(line.get_xdata())[-1]) for line in where.lines[:3]) == 75
    means = [line for line in figure.axes[1].lines if np.asarray(line.get_ydata()).tolist() == pytest.approx([0.9])]
    assert means
    with pytest.raises(DataError):
        draw(Table.of(PROJECTOR, []), curves())
    assert "omitted: no log" in style.to_svg(draw(table, Table.of(PROJECTOR_CURVES, [])))


def test_the_page_says_what_the_tables_say() -> None:
    table = accuracies({"plain": 0.9, "large": 0.5, "normed": 0.89}, dict.fromkeys(("plain", "large", "normed"), 0.99))
    text = page(table, curves())
    assert "| Accuracy of where | 0.900 [0.898, 0.902]; gray 0.500 (n = 3) | 0.500" in text
    assert "Trained on: a CPU." in text
    assert "75 steps of 8 pictures" in text and "seeds 0, 1 and 2" in text and "192 test pictures" in text
    assert "| confirmed |" in text and "| undecided |" in text
    assert "Position Sensitivity" not in text  # nothing was measured of it


def test_the_log_becomes_means_and_curves() -> None:
    rows = [
        {"phase": "answers", "step": step, "seconds": 1.0, "figure": f"accuracy: {kind}", "value": value}
        for step, kind, value in ((25, "where", 0.2), (25, "what", 0.5), (50, "where", 0.4), (50, "what", 1.0))
    ]
    means, curve = measuring.learned(log_table(rows, RECIPES["projector-plain"]))
    assert {one["measure"]: one["value"] for one in means} == {"where": pytest.approx(0.3), "what": 0.75}
    assert curve == [{"step": 25, "where": 0.2, "what": 0.5}, {"step": 50, "where": 0.4, "what": 1.0}]


def test_questions_of_training() -> None:
    asked = asks("squares", LAYOUT, images=60, key=(0,), exact=0, textured=0)
    assert {len(one.questions) for one in asked} == {5}
    assert all(
        ("Which color is in the picture" in q) == (k >= 3) for one in asked for k, (q, _) in enumerate(one.questions)
    )
    shown = {names_of(one) for one in asked}
    assert shown and not shown & held_out("squares")
    assert not {names[::-1] for names in shown} & held_out("squares")
    for one in asked[:8]:
        names, rivals = names_of(one), rivals_of(one)
        for rival, (question, answer) in zip(rivals, one.questions, strict=True):
            assert rival != answer and (rival in question or rival in names)
        assert {rivals[0], one.questions[0][1]} == {names[0], names[2]}
        assert not set(rivals[3:]) & set(names)  # what is not there


def test_a_model_that_knows_only_colors_answers_exactly_half() -> None:
    """It answers by which colors are there, how often they stood in which order, and the question: not by the order."""
    test = measuring.tested(48)
    for favoured in COLORS:
        answers = [max(sorted(e.options), key=lambda name, of=favoured: (name == of, name)) for e in test]  # type: ignore[misc]
        assert sum(answer == e.answer for answer, e in zip(answers, test, strict=True)) == 24
    for one, other in zip(test[::2], test[1::2], strict=True):
        assert one.question == other.question and one.answer != other.answer and set(one.options) == set(other.options)
        assert {one.answer, other.answer} == set(one.options)
        assert one.boxes[one.answer] == other.boxes[other.answer]
        assert not {one.source.names, other.source.names} & held_out("squares")
    assert {one.image_id for one in test}.isdisjoint(one.image_id for one in measuring.tested(48, seed=1))
    assert len({one.image_id for one in test}) == 48
    with pytest.raises(UsageError, match="come in twos"):
        measuring.tested(3)


def test_the_log_of_training_reads_between_two_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """A color that no question is between is no answer, however likely; a position in words counts for neither."""
    learner = ProjectorLearner(RECIPES["projector-plain"], torch.device("cpu"))
    chosen: list[torch.Tensor] = []

    def answered(model: Any, packed: Any) -> torch.Tensor:
        logits = torch.zeros(len(packed.answers), 4096, requires_grad=True) * 1.0
        first = learner.packer.answer_id("red"), learner.packer.answer_id("blue")
        logits[:, first[0]] = 9.0  # not among most questions' two answers
        logits[torch.arange(len(logits)), packed.answers] += torch.tensor([1.0, -1.0, 0, 1.0, 1.0]).repeat(8)
        chosen.append(packed.answers)
        return logits

    monkeypatch.setattr("backsight.training.projector.answer_logits", answered)
    _, figures = learner.loss(0, 0)
    asked = asks("squares", LAYOUT, images=8, key=(0, 0, 0), exact=0.15, textured=0.0)
    expected = [
        (answer == "red" or rival != "red") if k in (0, 3, 4) else answer == "red"
        for one in asked for k, (rival, (_, answer)) in enumerate(zip(rivals_of(one), one.questions, strict=True))
    ]  # fmt: skip
    by_picture = np.array(expected, dtype=float).reshape(8, 5)
    assert figures["accuracy: where"] == pytest.approx(by_picture[:, :2].mean())
    assert figures["accuracy: what"] == pytest.approx(by_picture[:, 3:].mean())


def test_only_the_projector_is_trained() -> None:
    model, _ = build(0, projector="normed")
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[0].removeprefix("model.visual.merger.") for name in trained} == {
        "ln_q", "mlp.0", "mlp.2", "backsight_additions.projector",
    }  # fmt: skip
    known = load("builtin:plain", device="cpu", check=False)
    stored = dict(known.model.named_parameters())
    assert all(torch.equal(w, stored[name]) for name, w in model.named_parameters() if name not in trained)
    norm = model.backsight_additions["projector"]
    lengths = prompt_lengths(known.model, known.processor)
    assert (norm.cut, norm.scale) == (lengths.cut, lengths.mean)
    with pytest.raises(UsageError, match="has one size"):
        build(0, SCALES["small"], projector="plain")


@pytest.fixture
def benchmark() -> Any:
    spec = importlib.util.spec_from_file_location("projector_benchmark", ROOT / "benchmarks" / "projector.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_models_and_rows_of_another_recipe_are_made_anew(
    benchmark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Trainings and measurements by what was asked, each a letter of the log: T and M."""
    log: list[str] = []
    train = benchmark.loop.train

    def measured(vlm: Any, examples: Any) -> list[dict[str, Any]]:
        log.append("M")
        one = row("", 0, "where", 0.75, chance=0.5, n=len(examples))
        return [{k: v for k, v in one.items() if k not in ("projector", "seed", "hardware")}]

    def trained(*given: Any, **named: Any) -> Any:
        log.append("T")
        return train(*given, **named)

    monkeypatch.setattr(benchmark, "PROJECTORS", ("normed",))
    monkeypatch.setattr(benchmark.loop, "train", trained)
    monkeypatch.setattr(benchmark.measuring, "measured", measured)
    monkeypatch.setattr(benchmark.measuring, "lengths", lambda *given: [])

    def ran(steps: int, pictures: int) -> str:
        log.clear()
        benchmark.main([str(tmp_path), "--seeds", "1", "--steps", str(steps), "--pictures", str(pictures)])
        return "".join(log)

    assert ran(1, 4) == "TM"
    assert (
        "1 steps of 8 pictures with 5 questions each; seed 0; 4 test pictures a seed"
        in (tmp_path / "docs" / "results" / "projector.md").read_text()
    )
    assert ran(1, 4) == ""
    assert ran(1, 6) == "M"  # other pictures
    assert "6 test pictures" in (tmp_path / "docs" / "results" / "projector.md").read_text()
    assert ran(2, 6) == "TM"  # another length of training
    assert "normed-0: made by another recipe" in capsys.readouterr().out
    of = benchmark.RECIPES["projector-normed"].asks
    other = replace(benchmark.RECIPES["projector-normed"], asks=lambda *a, **k: of(*a, **{**k, "key": (9, *k["key"])}))
    with monkeypatch.context() as within:
        within.setitem(benchmark.RECIPES, "projector-normed", other)
        assert ran(2, 6) == "TM"  # other batches
    assert ran(2, 6) == "TM"
    monkeypatch.setattr(benchmark.measuring, "VERSION", 99)
    assert ran(2, 6) == "M"  # another measurement
    (tmp_path / "normed-0.training" / "made.json").unlink()
    assert ran(2, 6) == "TM"  # it does not say what it is


def test_first_weights_and_lengths_are_part_of_what_a_model_is_made_of(benchmark: Any) -> None:
    recipes = benchmark.RECIPES
    every = [benchmark.made_of(recipes[f"projector-{name}"], 1) for name in ("plain", "large", "normed")]
    assert len({one["first weights"] for one in every}) == 3 and len({one["first batch"] for one in every}) == 1
    other = benchmark.made_of(replace(recipes["projector-plain"], seed=1), 1)
    assert other["first weights"] != every[0]["first weights"] and other["first batch"] != every[0]["first batch"]
    norm = json.loads(every[2]["first weights"].split(" ", 1)[1])["projector"]
    assert norm["cut"] * norm["scale"] == pytest.approx(1.18, abs=0.05)


@pytest.mark.slow
def test_an_untrained_model_has_every_row_and_its_seam_holds() -> None:
    model, processor = build(0, projector="normed")
    with torch.no_grad():
        model.backsight_additions["projector"].weight.uniform_(0.01, 0.09)
    vlm = VLM(model, processor, check=False)
    refused = [
        finding for finding in contracts.all_of(vlm) if not finding.passed and finding.name != "the token grid is right"
    ]
    assert refused == [] and additions.carried(model.config)
    rows = measuring.measured(vlm, measuring.tested(32))
    by_key = {(one["pictures"], one["measure"]): one for one in rows}
    for pictures in ("clean", "degraded"):
        assert by_key[pictures, "where"]["chance"] == pytest.approx(1 / 2)
        assert by_key[pictures, "what"]["chance"] == pytest.approx(1 / 2)
        assert by_key[pictures, "where"]["n"] == 32
    assert by_key["clean", "lost_where"]["value"] is not None
    Table.of(PROJECTOR, [{"projector": "normed", "seed": 0, "hardware": "", **one} for one in rows])


def test_the_norm_balances_image_embeddings_with_the_text_of_the_prompts() -> None:
    """Measured as `EmbeddingNorms` does, over the prompts of the test, which no constant of the norm was taken from."""
    model, processor = build(0, projector="normed")
    with VLM(model, processor, check=False) as vlm:
        rows = {one["measure"]: one["value"] for one in measuring.lengths(vlm, "start", measuring.tested(16), batch=8)}
    assert rows["ratio"] == pytest.approx(1.0, abs=0.1)
    assert rows["image_norm"] == pytest.approx(0.83 * rows["prompt_largest"], rel=1e-3)
    assert rows["text_norm"] == pytest.approx(rows["prompt_mean"], rel=0.05)


def test_a_seed_in_which_all_end_alike_is_named() -> None:
    rows = [row(name, seed, "where", value) for name, values in (
        ("plain", (1.0, 0.6)), ("large", (1.0, 0.7)), ("normed", (1.0, 0.6)),
    ) for seed, value in enumerate(values)]  # fmt: skip
    sentence = by_seed(rows)
    assert sentence.startswith(
        "Accuracy of *where* by seed: plain 1.000 (seed 0), 0.600 (seed 1); plain, long 1.000 (seed 0)"
    )
    assert sentence.endswith("In seed 0 all projectors end alike, so differences rest on the others.")
    assert "alike" not in by_seed(rows[1:2] + rows[3:4] + rows[5:6]) and by_seed([]) == ""
    assert "alike" not in by_seed(rows[:4] + rows[5:])  # a projector lacks that seed


def test_the_page_in_the_docs_is_made_of_its_tables() -> None:
    tables = [_read(DOCS / f"{schema.name}.csv", schema) for schema in (PROJECTOR, PROJECTOR_CURVES)]
    assert (DOCS / "projector.md").read_text(encoding="utf-8") == page(*tables)


def _read(path: Path, schema: Any) -> Table:
    """The table in a file, one without rows where there is none."""
    if not path.exists():
        return Table.of(schema, [])
    of = {"str": str, "int": int, "float": float}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    kinds = schema.columns
    return Table.of(schema, [{k: of[kinds[k]](v) if v else None for k, v in one.items()} for one in rows])
