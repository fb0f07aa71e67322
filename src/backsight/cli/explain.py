"""`backsight explain`: one answer about one picture, with the direction of its evidence."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from backsight.cli.shared import Device, Dtype, MaxPixels, app, existing, open_model

NamedBox = tuple[str, float, float, float, float]


@app.command()
def explain(
    model: Annotated[str, typer.Argument(help="builtin:relay, a checkpoint folder, or a Hugging Face id.")],
    image: Annotated[Path, typer.Argument(help="A PNG or JPEG file.")],
    subject: Annotated[
        NamedBox, typer.Option(metavar="NAME X Y W H", help="What is looked for, and its box in pixels.")
    ],
    reference: Annotated[NamedBox, typer.Option(metavar="NAME X Y W H", help="What it is seen from, and its box.")],
    method: Annotated[str, typer.Option(help="creg, rollout, chefer, gradcam, knockout ...")] = "creg",
    target: Annotated[str, typer.Option(help="Whose logit is explained: prediction or truth.")] = "prediction",
    prompt: Annotated[str, typer.Option(help="CREG's prompt: A, B or C.")] = "A",
    question: Annotated[
        str | None,
        typer.Option(help="Your own question in place of the prompt's; it is answered by left, right, above or below."),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="An answer of your question: left, right, above or below. Give several.")
    ] = None,
    system: Annotated[
        str | None, typer.Option(help="A system sentence before the question, as drawn suites have.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for explanation.svg, .png and .json.")] = None,
    dtype: Dtype = None,
    device: Device = None,
    max_pixels: MaxPixels = None,
) -> None:
    """Ask where the subject is, and draw which way the evidence for the answer points."""
    from backsight.errors import UsageError
    from backsight.measurements import explain as explaining
    from backsight.measurements.relevance import TARGETS
    from backsight.results.drawing.style import to_svg
    from backsight.tables import replacing

    if method not in explaining.METHODS:
        raise UsageError(
            "There is no such method of relevance", got=method, do=f"choose from: {', '.join(explaining.METHODS)}"
        )
    if target not in TARGETS:
        raise UsageError("There is no such target", got=target, do=f"choose from: {', '.join(TARGETS)}")
    existing(image, "a PNG or JPEG file", folder=False)
    if question is not None and not question.strip():
        raise UsageError("The question is empty", got=repr(question), do="give a question, or leave --question out")
    example = explaining.question(
        image, subject=_split(subject), reference=_split(reference), prompt=prompt, system=system, text=question,
        options=option or (),
    )  # fmt: skip
    if out is not None and out.exists() and not out.is_dir():
        raise UsageError("The folder for the explanation is a file", where=out, do="give another --out")
    example.picture.open()  # a picture that cannot be read is refused before a model is opened
    vlm = open_model(model, dtype, device, max_pixels)
    explanation = explaining.explained(vlm, example, method, target)  # type: ignore[arg-type]
    for conversion in example.picture.conversions:
        typer.echo(f"The picture is {conversion}.")
    typer.echo(explanation.sentence())
    for answer, probability in zip(explanation.options, explanation.probabilities, strict=True):
        typer.echo(f"  {explanation.worded(answer):<6} {probability:.3f}")
    if out is None:
        return
    out.mkdir(parents=True, exist_ok=True)
    with replacing(out / "explanation.json") as part:
        part.write_text(json.dumps(explanation.as_dict(), indent=1), encoding="utf-8")
    with replacing(out / "explanation.svg") as part:
        part.write_text(to_svg(explanation.figure(), "explanation"), encoding="utf-8")
    with replacing(out / "explanation.png") as part:
        explanation.figure().savefig(part, format="png", dpi=150)
    typer.echo(str((out / "explanation.svg").resolve()))


def _split(given: NamedBox) -> tuple[str, tuple[float, float, float, float]]:
    name, x, y, width, height = given
    return name, (x, y, width, height)
