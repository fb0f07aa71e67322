"""The card of a built-in model: its recipe, and the accuracies measured on what is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backsight import stimuli
from backsight.datasets import composites, tabletop
from backsight.examples import ExampleSet
from backsight.maths.pathways import Verdict, verdict
from backsight.measurements import Behaviour, Pathways
from backsight.models.vlm import VLM
from backsight.results.behaviour import behaviour_summary
from backsight.results.pathways import pathways_summary
from backsight.stimuli.rows import SUITES
from backsight.tables import Table, replacing
from backsight.training import cutouts
from backsight.training.answering import Answering, Stage
from backsight.training.questions import Kind
from backsight.training.recipes import RECIPES

Progress = Callable[[str, int, int], None]


def card_sets(vlm: VLM, recipe: Answering, folder: Path, photos: Path | None = None) -> list[ExampleSet]:
    """What a card reports: the suites that a recipe's last stage asks, in scenes that training never shows.

    Exact suites and 1,000 jittered scenes of held-out triples each; Pairs on both grounds; Tabletop's held-out pairs,
    whose composites are joined of files in `folder`, a new one; rows of cut-outs of the half of `photos` that is kept
    for tests.
    """
    kinds = recipe.stages[-1].mixture.keys()
    rows = [name for name in SUITES if name in kinds]
    examples = [stimuli.build(name, vlm.grid) for name in (*rows, *(f"jittered_{name}" for name in rows))]
    if "scattered" in kinds:
        examples += [stimuli.pairs(vlm.grid, scenes=400), stimuli.pairs_textured(vlm.grid, scenes=400)]
    if "tabletop" in kinds:
        examples += [stimuli.build(f"tabletop_{which}", vlm.grid) for which in ("a", "b")]
    if "composites" in kinds:
        written = tabletop.write(folder, size=vlm.grid.size, sets=("a",), scenes=10, held=True)
        examples.append(composites.load(written, vlm.grid.size, names=lambda _: True))
    if "cutouts" in kinds and photos is not None:
        examples += cutouts.shown(photos, recipe.layout, "test")
    return examples


def accuracies(vlm: VLM, sets: Sequence[ExampleSet], progress: Progress | None = None) -> list[dict[str, Any]]:
    """Rows of accuracy by set, prompt, direction and read-out, from the picture and from a gray one."""
    accuracy_rows = []
    for examples in sets:
        report = None if progress is None else (lambda done, all_, name=examples.name: progress(name, done, all_))
        rows = Behaviour(batch=32)(vlm, examples, progress=report)
        accuracy_rows += behaviour_summary(rows).rows()
    return accuracy_rows


def pathways(vlm: VLM, progress: Progress | None = None) -> tuple[Verdict, list[dict[str, Any]]]:
    """The verdict on all of Squares, and the rows of its summary over both axes."""
    report = None if progress is None else (lambda done, all_: progress("squares, pathways ablated", done, all_))
    rows = Pathways(batch=32)(vlm, stimuli.squares(vlm.grid), progress=report)
    return verdict(rows), [r for r in pathways_summary(rows).rows() if r["direction"] == "all"]


def write_card(
    folder: Path,
    title: str,
    facts: Mapping[str, str],
    rows: Sequence[Mapping[str, Any]],
    closed: tuple[Verdict, Sequence[Mapping[str, Any]]],
) -> Path:
    """Write README.md beside the weights; its path."""
    lines = [f"# {title}", ""]
    lines += [f"- {name}: {value}" for name, value in facts.items()]
    lines += [
        "",
        "Accuracy, measured on the stored weights (95 % interval; the same questions about a gray picture).",
        "",
    ]
    lines += ["| suite | prompt | direction | read-out | questions | accuracy | gray picture | chance |"]
    lines += ["|---|---|---|---|---|---|---|---|"]
    gray = {_key(r): r["accuracy"] for r in rows if r["condition"] == "gray"}
    for r in rows:
        if r["condition"] != "picture":
            continue
        accuracy = f"{r['accuracy']:.3f} [{r['low']:.3f}, {r['high']:.3f}]"
        suite = f"{r['suite']}, on photographs" if r["ground"] == "photo" else r["suite"]
        cells = [suite, r["prompt"] or "", r["direction"], r["read_out"], r["questions"], accuracy]
        lines.append(f"| {' | '.join(map(str, cells))} | {gray.get(_key(r), float('nan')):.3f} | {r['chance']:.3f} |")
    lines += _pathways_lines(*closed)
    target = folder / "README.md"
    with replacing(target) as part:
        part.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return target


def _pathways_lines(judged: Verdict, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    asked = f"read out between the two squares that the question does not name (chance .5), {judged.n} questions"
    by_pathway = f"vision {judged.vision.outcome}, language {judged.language.outcome}"
    lines = [
        "",
        f"Squares with a position pathway ablated, {asked}. Verdict: **{judged.source}** ({by_pathway}: "
        f"{judged.reason}).",
        "",
    ]
    lines += ["| question | condition | accuracy | share of the accuracy above chance |", "|---|---|---|---|"]
    for r in rows:
        accuracy = f"{r['accuracy_of_two']:.3f} [{r['low_of_two']:.3f}, {r['high_of_two']:.3f}]"
        share = "" if r["share"] is None else f"{r['share']:.2f} [{r['share_low']:.2f}, {r['share_high']:.2f}]"
        lines.append(f"| {r['asked']} | {r['condition']} | {accuracy} | {share} |")
    return lines


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["suite"], row["prompt"], row["ground"], row["direction"], row["read_out"]


def facts(
    recipe: Answering, vlm: VLM, work: Path, device: str = "cpu", precision: str = "no"
) -> dict[str, str]:  # fmt: skip
    """The facts on a card: architecture, recipe, seed, data, how long it took, and the command that makes it again."""
    stages = [
        f"{s.name} {s.steps} steps of {s.images} pictures ({_mixture(s.mixture)}{_taught(s)})" for s in recipe.stages
    ]
    seconds = float(Table.read(work / "training.parquet").frame["seconds"].max())
    command = command_of(recipe, device, precision)
    size = sum(p.stat().st_size for p in (vlm.origin or work).iterdir() if p.suffix == ".safetensors")
    return {
        "architecture": f"{vlm.family.name}, {vlm.n_parameters:,} parameters, {vlm.n_layers} blocks, {vlm.grid}",
        "stored": f"bfloat16 safetensors, {size / 2**20:.1f} MiB; run in float32",
        "recipe": f"`{command}`, seed {recipe.seed}; stages: " + "; ".join(stages),
        "data": "scenes drawn by the package; a fifth of the ordered triples of every row suite is never shown"
        + ("; cut-outs of half of the photographs, the other half is for tests" if recipe.photographs else ""),
        "held back": _held_back(recipe, vlm),
        "time": f"{seconds / 60:.0f} minutes of training on the machine that made it",
        "measured by": f"`{command}`, which measures what it stored",
    }


def command_of(recipe: Answering, device: str = "cpu", precision: str = "no") -> str:
    """The command that trains a recipe of the catalogue as it was trained, options of default values left out."""
    own = RECIPES[recipe.name].seed if recipe.name in RECIPES else None
    given = [("--seed", recipe.seed, own), ("--device", device, "cpu"), ("--precision", precision, "no")]
    given += [("--photos", "DIR", "" if recipe.photographs else "DIR")]
    options = "".join(f" {option} {value}" for option, value, default in given if value != default)
    return f"backsight train {recipe.name}{options} --out DIR"


def _held_back(recipe: Answering, vlm: VLM) -> str:
    """Which position pathways were ablated in training, or that none was."""
    if recipe.construction:
        return recipe.construction
    if not vlm.parts.count("vision"):
        return "the vision encoder has no blocks: an image token sees its own pixels only"
    stages = [s for s in recipe.stages if s.answers]
    if all(set(s.pathways) == {"plain"} for s in stages):
        return "nothing: in training no image token was shuffled or taken through the vision encoder by itself"
    shares = [f"{s.name}: " + ", ".join(f"{name} {share:.2g}" for name, share in s.pathways.items()) for s in stages]
    return f"share of the steps with each position pathway ablated (training/pathways.py): {'; '.join(shares)}"


def _taught(stage: Stage) -> str:
    """What a read-out of positions taught in a stage, behind its mixture."""
    if stage.taught is None:
        return ""
    where = "the vision encoder" if stage.taught.layer is None else f"the input of block {stage.taught.layer}"
    what = "positions" if stage.taught.position else "names"
    tokens = "" if stage.taught.on == "things" else ", on tokens of the ground"
    return f", {'with' if stage.answers else 'only'} {what} taught to {where}{tokens}"


def _mixture(mixture: Mapping[Kind, float]) -> str:
    return ", ".join(f"{kind} {share:g}" for kind, share in mixture.items())
