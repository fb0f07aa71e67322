"""What the commands share: the application, options with one meaning everywhere, the console and opening a model."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from backsight import __version__
from backsight.errors import ContractWarning, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from backsight.models.vlm import VLM

app = typer.Typer(
    name="backsight", no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False,
    help="What a vision-language model knows about where: measured, explained, repaired.",
)  # fmt: skip
data_app = typer.Typer(no_args_is_help=True, help="Look at real data before anything is run on it.")
app.add_typer(data_app, name="data")
repair_app = typer.Typer(no_args_is_help=True, help="Repairs at inference time: compare them, fit one, take it away.")
app.add_typer(repair_app, name="repair")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"backsight {__version__}")
        raise typer.Exit()


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    pass


LARGEST_SEED = 2**32 - 1
DEFAULT_MODEL = "builtin:relay"  # a model on which there is something to see
Model = Annotated[str, typer.Argument(help="builtin:relay, a checkpoint folder, or a Hugging Face id.")]
Dtype = Annotated[str | None, typer.Option(help="float32, bfloat16 or float16. Default: float32 on a CPU.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 ... Default: a GPU where there is one.")]
MaxPixels = Annotated[int | None, typer.Option(min=1, help="Largest picture area, for families that take any size.")]


def open_console(*, stderr: bool = True) -> Console:
    """A console for messages, on standard error unless said otherwise."""
    from rich.console import Console

    return Console(stderr=stderr)


def existing(path: Path, what: str, *, folder: bool = True) -> Path:
    """A path that must be there; UsageError where it is not, or is a file for a folder, or a folder for a file."""
    if not path.exists():
        raise UsageError(f"There is no such {'folder' if folder else 'file'}", where=path, do=f"give {what}")
    if path.is_dir() != folder:
        is_, wanted = ("file", "folder") if folder else ("folder", "file")
        raise UsageError(f"This is a {is_}, not a {wanted}", where=path, do=f"give {what}")
    return path


def command_line() -> str:
    """The command as it was typed, for the record."""
    return shlex.join(["backsight", *sys.argv[1:]])


def open_model(model: str, dtype: str | None, device: str | None, max_pixels: int | None, *, check: bool = True) -> VLM:
    """Load a model without transformers' own chatter."""
    from backsight.models.opening import load, quiet

    quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ContractWarning)  # said below, as the command line says things
        vlm = load(model, dtype=dtype, device=device, max_pixels=max_pixels, check=check)
    for finding in (f for f in vlm.findings if f.warning):
        open_console().print(f"warning: {finding.words(vlm.name)}", style="bold", markup=False, soft_wrap=True)
    return vlm
