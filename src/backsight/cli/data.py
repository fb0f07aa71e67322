"""`backsight stimuli` and `backsight data`: write a suite as files, look at real data before it is used."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.shared import LARGEST_SEED, app, data_app, existing


@app.command()
def stimuli(
    suite: Annotated[str, typer.Argument(help="squares, shapes, objects, pairs, jittered_squares, tabletop, cutouts")],
    out: Annotated[Path, typer.Option(help="A new or empty folder.")],
    seed: Annotated[int, typer.Option(min=0, max=LARGEST_SEED, help="Seed of what is drawn.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many questions.")] = None,
    layout: Annotated[str, typer.Option(help="qwen2-vl, gemma-3 or pixtral: the paper's geometry.")] = "qwen2-vl",
    objects: Annotated[Path | None, typer.Option(help="A folder with your own eight object pictures.")] = None,
    photos: Annotated[
        Path | None, typer.Option(help="cutouts: photographs in COCO's form, with polygons, to cut objects out of.")
    ] = None,
    split: Annotated[str, typer.Option(help="cutouts: the test or the train half of the photographs.")] = "test",
    ground: Annotated[str, typer.Option(help="cutouts: plain, or photo for empty pieces of photographs.")] = "plain",
) -> None:
    """Write a suite as pictures with a metadata.jsonl (tabletop: in What'sUp's form), and a contact sheet.

    cutouts writes four suites, a folder each, with the photographs' licences in ATTRIBUTION.md.
    """
    from backsight import stimuli as suites
    from backsight.datasets import cutouts, folder, tabletop
    from backsight.errors import UsageError

    if layout not in suites.PRESETS:
        raise UsageError("There is no such layout", got=layout, do=f"choose from: {', '.join(suites.PRESETS)}")
    if objects is not None and suite != "objects":
        raise UsageError("Only the suite objects takes pictures of your own", got=f"--objects with {suite}")
    if objects is not None:
        existing(objects, "a folder with your own eight object pictures")
    grid = suites.PRESETS[layout]
    if photos is not None and suite != "cutouts":
        raise UsageError("Only the suite cutouts takes photographs", got=f"--photos with {suite}")
    if suite == "cutouts":
        if photos is None:
            raise UsageError("Cut-outs are made of photographs", got="no --photos", do="name a folder in COCO's form")
        existing(photos, "a folder in COCO's form")
        written = cutouts.write(photos, out, grid, split=split, ground=ground, seed=seed, limit=limit)  # type: ignore[arg-type]
        typer.echo(str(written.resolve()))
        return
    if suite == "tabletop" and limit is not None:
        raise UsageError("Tabletop is written in whole sets", got="--limit", do="leave --limit out, or name tabletop_a")
    if suite == "tabletop":
        typer.echo(str(tabletop.write(out, size=grid.size, seed=seed).resolve()))
        return
    examples = suites.objects(grid, seed=seed, assets=objects) if objects else suites.build(suite, grid, seed=seed)
    typer.echo(str(folder.write(examples.limit(limit), out).resolve()))


@data_app.command("coco-pairs")
def coco_pairs(
    folder: Annotated[Path, typer.Argument(help="A folder in COCO's form.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What COCO-Pairs finds in a folder: instances used and left out by each rule, ordered pairs, per relation."""
    from backsight.datasets import coco_pairs as pairs

    audit = pairs.audit(existing(folder, "a folder in COCO's form"))
    typer.echo(json.dumps(audit.as_dict(), indent=1) if as_json else str(audit))


@data_app.command("whatsup")
def whatsup(
    folder: Annotated[Path, typer.Argument(help="A folder in What'sUp's published form.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What a folder of What'sUp holds: rows used and left out by reason, per relation, whole sets of four."""
    from backsight.datasets import whatsup as photographs

    audit = photographs.audit(existing(folder, "a folder in What'sUp's published form"))
    typer.echo(json.dumps(audit.as_dict(), indent=1) if as_json else str(audit))


@data_app.command("vsr")
def vsr(
    folder: Annotated[Path, typer.Argument(help="A folder in VSR's published form: random/, zeroshot/.")],
    photos: Annotated[Path | None, typer.Option(help="The photographs and boxes: a folder in COCO's form.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """What VSR's splits hold beside what CREG reports of them: rows left by each rule, classes by boxes and caption."""
    from backsight.datasets import vsr as captions

    existing(folder, "a folder with VSR's annotations")
    if photos is not None:
        existing(photos, "a folder in COCO's form")
    audit = captions.audit(folder, photos=photos)
    typer.echo(json.dumps(audit.as_dict(), indent=1) if as_json else str(audit))
