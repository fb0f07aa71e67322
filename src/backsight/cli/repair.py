"""`backsight repair fit` and `bake`: a repair into a file, and the file into a checkpoint."""

from __future__ import annotations

import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, get_args, get_origin, get_type_hints

import typer

from backsight.cli.names import VSR_SPLITS
from backsight.cli.shared import (
    LARGEST_SEED,
    Device,
    Dtype,
    MaxPixels,
    existing,
    open_console,
    open_model,
    repair_app,
)
from backsight.cli.study import own_sets
from backsight.errors import UsageError

if TYPE_CHECKING:
    from backsight.examples import ExampleSet
    from backsight.models.vlm import VLM
    from backsight.repairs import Repair

SCENES = 2000  # that an insert is trained on
ROWS = 240  # jittered Squares, as Amplify fits on where samples show no rows of three
Checkpoint = Annotated[str, typer.Argument(help="builtin:relay, a checkpoint folder, or a Hugging Face id.")]


@repair_app.command("fit")
def fit(
    model: Checkpoint,
    repair: Annotated[str, typer.Option(help="The repair: amplification ...")],
    out: Annotated[Path, typer.Option(help="A new file for it, such as repair.safetensors.")],
    setting: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A setting of the repair, as alpha=4; again for more."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of everything that is sampled.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="Fit on at most so many questions.")] = None,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="A folder of your own questions to fit on, all of them; score the repair on others."),
    ] = None,
    photos: Annotated[Path | None, typer.Option(help="A folder in COCO's form: fits on COCO-Pairs.")] = None,
    vsr: Annotated[Path | None, typer.Option(help="VSR's annotations: fits on VSR, with --photos.")] = None,
    vsr_split: Annotated[str, typer.Option(help=f"The split of VSR: {', '.join(VSR_SPLITS)}.")] = VSR_SPLITS[0],
    whatsup: Annotated[list[Path] | None, typer.Option(help="What'sUp as published: fits on its sets.")] = None,
    dtype: Dtype = None,
    device: Device = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Fit a repair on a development split and write it to a file.

    Without data of your own it is half of the pictures of the suite `hard`; for amplification, whose directions are
    those of position probes, jittered Squares; for pin, generated scenes of two things, of which a box is asked for.
    """
    typer.echo(f"backsight: fitting {repair} on {model}", err=True)  # at once: the imports take seconds
    from backsight import repairs

    _refuse(out)
    chosen = _chosen(repair, setting or [], seed)
    given = own_sets(data, photos, whatsup, vsr, vsr_split)
    vlm = open_model(model, dtype, device, max_pixels)
    examples = _development(chosen, vlm, given, seed, limit)
    fitted = _fitting(chosen, vlm, examples).fit(vlm, examples)
    repairs.save(fitted, out, vlm, examples)
    settings = ", ".join(f"{key} {value}" for key, value in fitted.settings().items() if value is not None)
    open_console().print(
        f"{fitted.name}{f' ({settings})' if settings else ''} is fitted on {len(examples)} questions of "
        f"{examples.name}: score it on others.",
        markup=False, soft_wrap=True,
    )  # fmt: skip
    typer.echo(str(out.resolve()))


@repair_app.command("bake")
def bake(
    model: Checkpoint,
    repair: Annotated[Path, typer.Option(help="The file that `repair fit` wrote.")],
    out: Annotated[Path, typer.Option(help="A new folder for the checkpoint.")],
    any_model: Annotated[
        bool, typer.Option("--any-model", help="Take a repair that was fitted on another model of the same width.")
    ] = False,
    device: Device = None,
) -> None:
    """Fold a repair into the last projector layer and save an ordinary checkpoint in float32.

    Plain transformers opens it. A repair that is no affine map of the image embeddings is refused, and so is a model
    whose projector cannot take it.
    """
    typer.echo(f"backsight: folding {repair} into {model}", err=True)
    existing(repair, "the file that `repair fit` wrote", folder=False)
    from backsight.models.opening import locate
    from backsight.repairs import baking, files

    stored = files.read(repair)
    baking.refuse_folder(out.resolve(), locate(model))
    baking.affine(stored.fitted, int(stored.model["width"]))  # refused before a model is opened
    vlm = open_model(model, "float32", device, None)
    files.fit(stored, vlm, repair, any_model=any_model)
    split = stored.development
    folder = baking.bake(vlm, stored.fitted, out, fitted_on=f"{split['questions']} questions of {split['name']}")
    typer.echo(str(folder))


def _refuse(out: Path) -> None:
    """UsageError where a repair cannot be written to `out`: before it is fitted, which may take long."""
    if out.exists():
        raise UsageError("The file for the repair is there already", where=out, do="give another, or remove it")
    above = next(path for path in out.absolute().parents if path.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        got = "a file, not a folder" if not above.is_dir() else "a folder that cannot be written to"
        raise UsageError("The file for the repair cannot be made here", where=above, got=got, do="give another --out")


def _chosen(name: str, settings: list[str], seed: int) -> Repair:
    """The repair of a name with `KEY=VALUE` settings; UsageError for one that it does not have."""
    from backsight.repairs import REPAIRS

    if name not in REPAIRS:
        raise UsageError("There is no such repair", got=name, do=f"choose from: {', '.join(REPAIRS)}")
    kind = REPAIRS[name]
    kinds = get_type_hints(kind)
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    values: dict[str, Any] = {"seed": seed} if "seed" in known else {}
    for given in settings:
        key, equals, text = given.partition("=")
        if not equals or key not in known:
            raise UsageError(
                "The repair has no such setting", where=name, got=repr(given),
                do=f"give KEY=VALUE with one of: {', '.join(known)}",
            )  # fmt: skip
        values[key] = _value(kinds[key], text, f"{name}, --set {key}")
    return kind(**values)


def _value(kind: Any, text: str, where: str) -> Any:
    """A setting's text as its type says: a number, a word of some, several of them with commas, or `none`."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return tuple(_value(inner[0], part.strip(), where) for part in text.split(",") if part.strip())
    if origin is Literal:
        if text in inner:
            return text
        raise UsageError("There is no such choice", where=where, got=text, do=f"choose from: {', '.join(inner)}")
    if inner:  # a type or None
        if text.lower() == "none" and type(None) in inner:
            return None
        return _value(next(one for one in inner if one is not type(None)), text, where)
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise UsageError("This setting is true or false", where=where, got=text)
        return text.lower() == "true"
    try:
        return kind(text)
    except (TypeError, ValueError):
        raise UsageError(
            f"This setting is {'a whole number' if kind is int else 'a number'}", where=where, got=repr(text)
        ) from None


def _fitting(repair: Repair, vlm: VLM, examples: ExampleSet) -> Repair:
    """The repair with no more questions at a time than fit into a share of the memory that is free."""
    from backsight.measurements.entrants import insert_bytes
    from backsight.models.sizes import facts as facts_of
    from backsight.repairs import Pin
    from backsight.studies.memory import SHARE, free

    if not isinstance(repair, Pin):
        return repair
    asked = repair.asked(examples)
    facts = facts_of(vlm, asked, priced=False)
    fitting = int(SHARE * free(facts.device)) // insert_bytes(facts, asked, 1)
    return replace(repair, at_once=max(1, min(repair.at_once, fitting)))


def _development(repair: Repair, vlm: VLM, given: list[ExampleSet], seed: int, limit: int | None) -> ExampleSet:
    """What a repair is fitted on: the sets that are given, joined, or generated ones.

    Directions of amplification need rows of three things, which jittered Squares show.
    """
    from backsight import stimuli
    from backsight.examples import ExampleSet
    from backsight.repairs import Amplification, Pin

    if len(given) == 1:
        examples = given[0]
    elif given:
        items = tuple(example for one in given for example in one)
        examples = ExampleSet("+".join(one.name for one in given), items, scoring="auto")
    elif isinstance(repair, Pin):
        examples = stimuli.located(vlm.grid, scenes=SCENES, seed=seed, form=repair.form, sides=repair.sides)
    elif isinstance(repair, Amplification):
        examples = stimuli.jittered(vlm.grid, suite="squares", count=ROWS, seed=seed)
    else:
        examples = stimuli.build("hard", vlm.grid, seed=seed).split(0.5, by="image", seed=seed)[0]
    return examples.limit(limit, seed)
