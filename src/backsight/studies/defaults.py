"""What a study runs when it is asked for nothing else: the generated suites that fit a model, and the measurements."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache

from backsight import stimuli
from backsight.errors import CannotAnswer, GridError
from backsight.examples import ExampleSet
from backsight.maths.pathways import LOOKS
from backsight.measurements import (
    Amplify,
    Backup,
    Behaviour,
    Captions,
    Creg,
    EmbeddingNorms,
    Flip,
    Gap,
    Heads,
    ImageInterchange,
    Interchange,
    Knockout,
    Localization,
    Looking,
    Measurement,
    Modalities,
    Moved,
    Occlusion,
    Pathways,
    Permutation,
    Priors,
    ProbeMaps,
    Probes,
    Resolution,
    Rotary,
    Text,
    Tournament,
)
from backsight.measurements.relevance import METHODS as RELEVANCE
from backsight.models.facts import ModelFacts
from backsight.models.vlm import VLM
from backsight.stimuli.rows import SUITES
from backsight.studies.jobs import Quick, Skipped, reason

JITTERED = 120
DEGRADED = 96
CREG_SAMPLES = 300  # as many as CREG's datasets have
TABLETOP = 30  # sets of four pictures
CHEAP = tuple(name for name, method in RELEVANCE.items() if method.needs != "path")
KNOCKED = 150  # image tokens: of more a study takes none away, one by one, unless it is asked to
# About as many pairs as Dual Mechanisms takes (50 a setting), so that a study of a small model takes minutes;
# --samples asks for more.
MEASUREMENTS: tuple[Measurement, ...] = (
    Behaviour(max_samples=150),
    Gap(max_samples=48),
    Pathways(max_samples=LOOKS[-1], looks=LOOKS),
    Permutation(max_samples=24),
    Captions(max_samples=24),
    Localization(max_samples=100),
    EmbeddingNorms(max_samples=48),
    Interchange(max_samples=60),
    # The authors' fit (method="adamw") reads less, most where there are many positions: docs/method.md.
    Probes(max_samples=112, method="logistic"),
    ProbeMaps(max_samples=112, method="logistic"),
    ImageInterchange(max_samples=40),
    Backup(max_samples=40),
    Modalities(max_samples=24),  # as Looking has, so that both are made on one pass
    Looking(max_samples=24),
    Heads(max_samples=60, draws=2),
    Rotary(max_samples=24),
    Priors(max_samples=40),
    Text(max_samples=24),
    Resolution(max_samples=48),
    Amplify(every=3),
    Tournament(max_samples=100),
    Creg(max_samples=42),
    Occlusion(max_samples=20, varied=0.5, batch=8),  # as CREG has, so that the quick study records once for both
    Knockout(max_samples=12),
    # Without integrated gradients, which cost more than all the rest.
    Flip(max_samples=24, methods=CHEAP),
    Moved(max_samples=24, methods=CHEAP),
)
# The quick study: a figure wants ten samples (`maths/grouping.py`), most measurements have one for each of four
# directions, and probes are scored on a quarter of the pictures. Squares stands for the suites of rows.
_ONE_SUITE = "the quick study makes it of Squares, which stands for the suites of three in a row"
QUICK = Quick(
    samples={
        "behaviour": 44,
        # Three prompts, ten questions a direction each; whole sets of four pictures.
        **dict.fromkeys(("behaviour/pairs", "behaviour/pairs_textured"), 132),
        **dict.fromkeys(("behaviour/tabletop_a", "behaviour/tabletop_b"), 4 * TABLETOP),
        "pathways": 44,
        "interchange": 48,
        **dict.fromkeys(("imageinterchange", "backup"), 40),
        **dict.fromkeys(("probes", "probemaps"), 112),
        **dict.fromkeys(("creg", "occlusion", "flip", "moved", "permutation", "modalities", "looking"), 16),
        **dict.fromkeys(("priors/pairs_a", "text", "resolution"), 20),
        **dict.fromkeys(("gap", "embeddingnorms", "rotary", "localization"), 24),
        "heads": 32,
        "priors": 40,  # whole sets of four, of which three in five have a usual relation
        "knockout": 12,
    },
    without={
        "amplify": "the quick study has too few failures to repair: it takes some 400 questions",
        "tournament": "the quick study has too few failures to compare repairs on: it takes some 100 questions",
        "creg/pairs": "the quick study has too few questions of each of three prompts; pairs_a asks with prompt A",
        **{
            f"{kind}/{name}": _ONE_SUITE
            for name in ("shapes", "objects")
            for kind in ("pathways", "interchange", "probes", "probemaps", "imageinterchange", "backup")
        },
        **dict.fromkeys(("pathways/pairs_a", "pathways/tabletop_a", "rotary/pairs_a"), _ONE_SUITE),
        **dict.fromkeys(
            ("probes/grid_3x3", "probemaps/grid_3x3"), "the quick study probes both directions at once on grid_2x2"
        ),
    },
)
ROWS = ("behaviour", "pathways", "interchange", "probes", "probemaps", "imageinterchange", "backup")
ATTENTION = ("modalities", "looking", "heads")
ONLY: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("shapes", "objects"), ROWS),
    "squares": (*ROWS, "gap", "permutation", *ATTENTION, "rotary", "creg", "knockout"),
    "pairs": ("behaviour", "creg"),
    "pairs_textured": ("behaviour",),
    "pairs_a": (
        "gap", "pathways", "permutation", "embeddingnorms", *ATTENTION, "rotary", "priors", "text", "resolution",
        "creg", "occlusion", "flip", "moved",
    ),
    "pairs_textured_a": ("creg",),
    **dict.fromkeys(tuple(f"jittered_{s}" for s in SUITES), ("behaviour",)),
    "jittered_squares": ("behaviour", "embeddingnorms"),
    "tabletop_a": ("behaviour", "gap", "pathways", "priors", "creg"),
    **dict.fromkeys(("degraded_squares", "tabletop_b"), ("behaviour",)),
    "hard": ("amplify", "tournament"),
}  # fmt: skip


def default_sets(
    vlm: VLM | ModelFacts, *, seed: int = 0, asked: Sequence[str] = ()
) -> tuple[list[ExampleSet], list[Skipped]]:  # fmt: skip
    """The generated suites for the token grid of a model or of its facts, and what is left out, with the reason.

    `asked` are the measurements and sets that a study is asked for by name.
    """
    builders: dict[str, Callable[[], ExampleSet]] = {
        name: (lambda name=name: stimuli.build(name, vlm.grid, seed=seed))  # type: ignore[misc]
        for name in ("squares", "shapes", "objects", "grid_2x2", "grid_3x3", "pairs", "hard")
    }
    builders["degraded_squares"] = lambda: stimuli.degraded(
        stimuli.squares(vlm.grid, seed=seed).limit(DEGRADED), seed=seed
    )
    for which in ("tabletop_a", "tabletop_b"):
        builders[which] = lambda which=which: stimuli.SUITES[which](vlm.grid, sets=TABLETOP, seed=seed)  # type: ignore[misc]
    builders["pairs_textured"] = cache(lambda: stimuli.pairs_textured(vlm.grid, scenes=100, seed=seed))
    builders["pairs_a"] = lambda: _asked_with_a(stimuli.pairs(vlm.grid, scenes=CREG_SAMPLES, seed=seed))
    builders["pairs_textured_a"] = lambda: _asked_with_a(builders["pairs_textured"]())
    for suite in SUITES:
        builders[f"jittered_{suite}"] = lambda suite=suite: stimuli.jittered(  # type: ignore[misc]
            vlm.grid, suite=suite, count=JITTERED, seed=seed
        )
    if any(name in one for one in asked for name in ("localization", "located")):
        builders["located"] = lambda: stimuli.located(vlm.grid, seed=seed)
    sets: list[ExampleSet] = []
    skipped: list[Skipped] = []
    for name, build in builders.items():
        try:
            examples = build()
            only = examples.only or ONLY.get(name, ())
            if "knockout" in only and len(vlm.grid) > KNOCKED and not any("knockout" in given for given in asked):
                only = tuple(kind for kind in only if kind != "knockout")
                why = f"each of {len(vlm.grid)} image tokens would be taken away in turn: ask for it by --only knockout"
                skipped.append(Skipped(name, "knockout", why))
            sets.append(replace(examples, note=NOTES.get(name, ""), only=only))
        except (CannotAnswer, GridError) as error:
            skipped.append(Skipped(name, "all", reason(error)))
    return sets, skipped


def _asked_with_a(pairs: ExampleSet) -> ExampleSet:
    """The questions with prompt A alone, CREG's own choice, under a name of their own."""
    name = f"{pairs.name}_a"
    chosen = pairs.where(lambda e: e.tags["prompt"] == "A")
    return replace(chosen, name=name, items=tuple(replace(e, suite=name) for e in chosen))


NOTES: Mapping[str, str] = {
    "squares": "Three coloured squares in a row or a column, at fixed positions on white (Dual Mechanisms, 3.1).",
    "shapes": "Three coloured shapes, each colour with its own shape (Dual Mechanisms, 3.1).",
    "objects": "Three pictures of objects, drawn for this suite (Dual Mechanisms, 3.1).",
    "pairs": "Two objects anywhere on plain ground, asked with CREG's prompts A, B and C.",
    "pairs_textured": "Two objects on textured ground among distractors, asked with CREG's prompts A, B and C.",
    "pairs_a": "Two objects anywhere on plain ground, asked with CREG's prompt A alone.",
    "pairs_textured_a": "Two objects on textured ground among distractors, asked with CREG's prompt A alone.",
    "grid_2x2": "Four coloured shapes in a square, for probes of both directions at once (Dual Mechanisms, B.4).",
    "grid_3x3": "Nine coloured shapes in a square, for probes of both directions at once (Dual Mechanisms, B.4).",
    "located": "Two objects anywhere on plain ground; the box of one is asked for.",
    "degraded_squares": "Squares with noise or at low contrast, so that there are failures to repair.",
    "hard": "Degraded Squares, Pairs on textured ground and Tabletop, so that there are failures to repair.",
    "jittered_squares": "Squares with position, size and shade sampled, of triples that built-in models never saw.",
    "jittered_shapes": "Shapes with position, size and shade sampled, of triples that built-in models never saw.",
    "jittered_objects": "Objects with position, size and shade sampled, of triples that built-in models never saw.",
}
