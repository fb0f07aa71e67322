"""One run of a sweep: a recipe trained with a seed and then studied, in a folder of its own.

`RUN/checkpoint` holds what was trained, `RUN/training` the checkpoint on the way and the log, `RUN/study` the study,
and `RUN/run.json` what the folder is of. What is there is not made again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from backsight.errors import DataError, FolderError, StudyError, UsageError
from backsight.studies.record import read
from backsight.studies.store import writing
from backsight.studies.study import Options
from backsight.studies.sweep_file import FIELDS, Sweep
from backsight.tables import intact, replacing
from backsight.training import catalogue, checkpoints, loop
from backsight.training import writing as trained
from backsight.training.loop import Precision
from backsight.training.recipe import SCALES, Recipe, Size, counted

RECORD = "run.json"
LOG = "run.log"  # what a run in a process of its own writes on standard error
Progress = Callable[[str, int, int, str], None]  # what is done, how far of how much, and further words


@dataclass(frozen=True)
class Run:
    """A recipe and a seed of a sweep, and the folder of the run. `asked` is the recipe as the file names it."""

    sweep: Sweep
    asked: str
    recipe: Recipe
    folder: Path

    @property
    def label(self) -> str:
        """What the run is called."""
        return self.folder.name

    @property
    def identity(self) -> str:
        """All that the training depends on."""
        train = self.sweep.train
        return loop.identity(self.recipe, cast(Precision, train.precision), train.steps)

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @property
    def work(self) -> Path:
        return self.folder / "training"

    @property
    def study(self) -> Path:
        return self.folder / "study"

    def record(self) -> dict[str, Any]:
        """What run.json says; empty where there is none. DataError for one that cannot be read."""
        path = self.folder / RECORD
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except (OSError, ValueError) as error:
            raise DataError(
                "The record of a run cannot be read", where=path, got=error, do="remove the folder"
            ) from error
        return record if isinstance(record, dict) else {}

    @property
    def asks(self) -> dict[str, Any]:
        """What is asked of the run, as its record keeps it."""
        study: dict[str, Any] = self.sweep.as_dict()["study"]
        return study

    @property
    def studied(self) -> bool:
        """Whether the run was trained, and studied as the sweep asks, with every table as it was written."""
        record = self.record()
        whole = record.get("identity") == self.identity and record.get("studied") == self.asks
        return whole and _intact(self.study)


def _intact(study: Path) -> bool:
    record = read(study)
    tables = record.get("tables")
    if record.get("finished") is not True or not isinstance(tables, dict):
        return False
    return all(intact(study / "tables" / f"{name}.parquet", one) for name, one in tables.items())


def runs(sweep: Sweep, out: Path) -> list[Run]:
    """The runs of a sweep, recipe by recipe. UsageError for what cannot be trained: unknown names, two of one name."""
    chosen = [catalogue.find(one) for one in sweep.recipes]
    names = [recipe.name for recipe in chosen]
    for asked, recipe in zip(sweep.recipes, chosen, strict=True):
        if names.count(recipe.name) > 1:
            raise UsageError("Two recipes of the sweep have one name", got=recipe.name, do="rename one of them")
        if Path(recipe.name).name != recipe.name or recipe.name.startswith("."):
            do = "give it a name that a folder can have"
            raise UsageError("The recipe's name is no name of a folder", where=asked, got=recipe.name, do=do)
        if not recipe.vlm:
            what, do = "A recipe of a sweep makes a VLM, which can be studied", "train it by `backsight train`"
            raise UsageError(what, got=f"{asked}, which makes none", do=do)
        if recipe.photographs:
            raise UsageError("A recipe of a sweep takes no photographs", got=asked, do="train it by `backsight train`")
    if sweep.train.size not in SCALES:
        raise UsageError("There is no such size", got=sweep.train.size, do=f"choose from: {', '.join(SCALES)}")
    if sweep.baseline not in (None, *names):
        do = f"choose from: {', '.join(names)}"
        raise UsageError("The baseline is no recipe of the sweep", got=sweep.baseline, do=do)
    options(sweep)
    size = cast(Size, sweep.train.size)
    return [
        Run(sweep, asked, replace(recipe, seed=seed, size=size), out / f"{recipe.name}-{seed}")
        for asked, recipe in zip(sweep.recipes, chosen, strict=True)
        for seed in sweep.seeds
    ]


def options(sweep: Sweep) -> Options:
    """What the study of every run is asked for; UsageError for what does not go together."""
    asked = sweep.study
    return Options(asked.seed, asked.quick, asked.only, asked.limit, samples=asked.samples, budget=asked.budget)


def refuse_others(every: Sequence[Run]) -> None:
    """FolderError where a run's folder is of another training than the sweep asks for, or of a study that it cannot
    be joined with: so nothing is begun, and no run is lost from the comparison."""
    for run in every:
        record = run.record()
        stored = record.get("identity")
        there = sorted(path.name for path in run.folder.iterdir()) if run.folder.is_dir() else []
        others = [name for name in there if name != LOG and not name.endswith(".part")]
        if stored is None and others:
            got, do = ", ".join(others[:5]), "give a new --out"
            raise FolderError("The folder of a run holds other things", where=run.folder, got=got, do=do)
        if stored not in (None, run.identity):
            raise FolderError(
                "The folder of a run is of another training", where=run.folder,
                got=checkpoints.difference(str(stored), run.identity), do="give a new --out, or remove that folder",
            )  # fmt: skip
        _refuse_study(run, record)


def _refuse_study(run: Run, record: Mapping[str, Any]) -> None:
    """FolderError where a run was studied, or begun to be, in a way that its folder cannot take in."""
    begun = record.get("asked", record.get("studied", run.asks))
    changed = {name: f"study.{name}: {_value(begun, name)}, now {_value(run.asks, name)}"
               for name in FIELDS["study"] if _value(begun, name) != _value(run.asks, name)}  # fmt: skip
    fixed = [words for name, words in changed.items() if name != "only"]  # which adds to what is there
    if fixed and run.study.is_dir():
        raise FolderError(
            "The runs are studied in another way", where=run.study, got="; ".join(fixed),
            do="give the values of before or a new --out, or remove the folder `study` of each run",
        )  # fmt: skip
    if "studied" in record and record["studied"] != run.asks and not run.checkpoint.exists():
        raise FolderError(
            "The weights of a run are gone, and it is to be studied in another way", where=run.folder,
            got="; ".join(changed.values()),
            do="give the values of before or a new --out, or remove the folder of the run to train it again",
        )  # fmt: skip


def _value(asks: Mapping[str, Any], name: str) -> str:
    """A field of a study as the file would say it."""
    value = asks.get(name)
    return "all" if value in (None, []) else str(value)


def perform(run: Run, progress: Progress, page: Callable[[Path], object]) -> None:
    """Train and study what is missing of a run, and write the page of its study by `page`.

    Everything that `train`, a model's opening and a study raise; StudyError where the weights are gone.
    """
    if run.studied:
        return
    with writing("the folder of a run", run.folder):
        run.folder.mkdir(parents=True, exist_ok=True)
    record = {"identity": run.identity} | ({"studied": run.record()["studied"]} if "studied" in run.record() else {})
    _note(run, record)
    if not run.checkpoint.exists():
        if "studied" in record:
            do = "remove the folder of the run to train it again, and give keep_weights = true"
            raise StudyError("The weights of a run are gone, and its study is damaged", where=run.folder, do=do)
        _train(run, progress)
    _note(run, record | {"asked": run.asks})
    _study(run, progress)
    page(run.study)
    _note(run, {"identity": run.identity, "studied": run.asks})
    if not run.sweep.keep_weights:
        shutil.rmtree(run.checkpoint, ignore_errors=True)
        (run.work / checkpoints.NAME).unlink(missing_ok=True)


def _train(run: Run, progress: Progress) -> None:
    import torch

    from backsight.models.opening import quiet

    quiet()
    settings = run.sweep.train
    torch.set_num_threads(settings.threads)
    lengths = run.recipe.lengths(settings.steps)

    def report(phase: str, step: int, _: int, figures: Any) -> None:
        done, total = counted(lengths, phase, step), sum(lengths.values())
        progress("training", done, total, f"{phase}: loss {figures['loss']:.3f}")

    learner = loop.train(
        run.recipe, run.work, device=settings.device, precision=cast(Precision, settings.precision), progress=report,
        max_steps=settings.steps,
    )  # fmt: skip
    trained.write(learner, run.work, run.checkpoint)


def _study(run: Run, progress: Progress) -> None:
    from backsight.models.opening import load, quiet
    from backsight.studies import Study, default_sets

    quiet()
    asked = run.sweep.study
    vlm = load(run.checkpoint, device=run.sweep.train.device)
    vlm.name = run.label
    sets, skipped = default_sets(vlm, seed=asked.seed, asked=asked.only)
    study = Study(vlm, sets, run.study, options(run.sweep), skipped=skipped)
    costs = {job.name: job.cost for job in study.jobs}
    shares: dict[str, float] = {}

    def report(job: Any, done: int, total: int) -> None:
        shares[job.name] = costs[job.name] * done / max(1, total)
        progress("study", round(1000 * sum(shares.values())), round(1000 * sum(costs.values())) or 1, job.name)

    study.run(report)


def _note(run: Run, record: dict[str, Any]) -> None:
    with writing("the record of a run", run.folder), replacing(run.folder / RECORD) as part:
        part.write_text(json.dumps({"format": 1, "recipe": run.recipe.name, "seed": run.recipe.seed, **record},
                                   indent=1) + "\n", encoding="utf-8")  # fmt: skip
