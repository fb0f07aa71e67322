"""Every block of code and every command of the docs, run; what needs a network or hours is parsed as it stands.

The blocks of a page run in order, in one folder and with one set of names. Suites are cut short: the lines are what is
tested here, not the numbers. A block that is only parsed says why in a comment above it.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from backsight.cli import app
from tests import pages
from tests.conftest import Command
from tests.pages import COMMANDS, PAGES, ROOT, Block

# The suite on which a command's measurement is run here, of all those that it takes.
SUITE = {
    "behaviour": "squares", "gap": "squares", "pathways": "squares", "permutation": "squares", "rotary": "squares",
    "interchange": "squares", "imageinterchange": "squares", "backup": "squares", "probes": "squares",
    "knockout": "squares", "looking": "squares", "heads": "squares", "creg": "pairs_a", "occlusion": "pairs_a",
    "flip": "pairs_a", "embeddingnorms": "pairs_a", "modalities": "pairs_a", "priors": "pairs_a", "text": "pairs_a",
    "resolution": "pairs_a", "amplify": "hard",
}  # fmt: skip
LIMIT = {"probes": 24, "pathways": 8, "amplify": 12, "creg": 1, "occlusion": 1, "knockout": 1}
RUN = [page for page in PAGES if any(not block.parsed for block in pages.blocks(page))]
ROOT_COMMAND: Any = typer.main.get_command(app)
USAGE = typer.BadParameter.__mro__[1]  # the UsageError of the click that this typer uses


@pytest.fixture(scope="module")
def opened() -> Iterator[None]:
    """Built-in models are opened once for all pages."""
    from backsight.models import opening

    load, models = opening.load, {}

    def cached(model: Any, *args: Any, **options: Any) -> Any:
        key = (str(model), args, tuple(sorted(options.items())))
        if not str(model).startswith("builtin:"):
            return load(model, *args, **options)
        if key not in models:
            models[key] = load(model, *args, **options)
        return models[key]

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "load", cached)
        yield


@pytest.fixture
def unwritten(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies leave out their page, but for the first one that a reader makes: what writes it has tests of its own."""
    from backsight.cli import study

    def placed(folder: Path) -> Path:
        (folder / "report.html").write_text("", encoding="utf-8")
        return folder / "report.html"

    if request.node.callspec.params["page"].name != "start.md":
        monkeypatch.setattr(study, "write_page", placed)


@pytest.fixture
def registries() -> Iterator[None]:
    """What a page registers is gone behind it; the registries stay the objects that other modules have."""
    from backsight import results, selftest

    before, controls = dict(results.RESULTS), list(selftest.CONTROLS)
    yield
    results.RESULTS.clear()
    results.RESULTS.update(before)
    selftest.CONTROLS[:] = controls


def shorter(code: str) -> str:
    """Python with its suites cut to a third, and whole suites to 48 questions."""
    code = re.sub(r"\.limit\((\d+)\)", lambda match: f".limit({max(4, int(match[1]) // 3)})", code)
    return re.sub(r"(squares\(grid=vlm\.grid, seed=0\))(?!\.limit)", r"\1.limit(48)", code)


def fewer(words: list[str]) -> list[str]:
    """A command with as few questions as it runs on."""
    words = list(words)
    if words[1:2] == ["study"]:
        asked = [words[i + 1].partition("/") for i, word in enumerate(words) if word == "--only"]
        kept = _without(words, "--only", "--samples", "--limit")
        only = [part for name, _, suite in asked for part in ("--only", f"{name}/{suite or SUITE[name]}")]
        return [*kept, *only, "--limit", str(max(LIMIT.get(name, 2) for name, _, _ in asked))]
    if words[1:3] == ["repair", "compare"]:
        return [*_without(words, "--samples"), "--samples", "12", "--repair", "norm_rescale"]
    if words[1:2] == ["train"] and "--list" not in words:
        return [*words, "--steps", "2"]
    if words[1:2] == ["stimuli"] and words[2] != "tabletop":  # which is written in whole sets
        return [*words, "--limit", "16"]
    return words


def trained_shortly(text: str) -> str:
    """A sweep file with one seed, two steps and few questions, in this process; any other file as it is."""
    text = re.sub(r"^seeds = \[.*\]", "seeds = [0]", text, flags=re.MULTILINE)
    text = re.sub(r"^workers = \d+", "workers = 1", text, flags=re.MULTILINE)
    text = re.sub(r"^limit = \d+", "limit = 12", text, flags=re.MULTILINE)
    return re.sub(r"^(\[train\].*)$", r"\1\nsteps = 2", text, flags=re.MULTILINE)


def _without(words: list[str], *options: str) -> list[str]:
    return [w for i, w in enumerate(words) if w not in options and (i == 0 or words[i - 1] not in options)]


def parsed(words: list[str]) -> None:
    """A command of `backsight` through its real parser; a UsageError where an option or an argument is wrong."""
    command, count = resolved(words)
    assert command is not None and not hasattr(command, "commands"), shlex.join(words)
    command.make_context(words[count - 1], words[count:])


def resolved(words: list[str]) -> tuple[Any, int]:
    """The command that words name, and how many of them its name takes; None where there is none."""
    command: Any = ROOT_COMMAND
    for count, word in enumerate(words[1:], 1):
        if not hasattr(command, "commands") or word.startswith("--") or word == "COMMAND":
            return command, count
        command = command.commands.get(word)
    return command, len(words)


def check(words: list[str]) -> None:
    """What can be known of a command that is not run."""
    program, *rest = words
    if program == "backsight":
        parsed(words)
    elif program == "make":
        targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
        assert {word for word in rest if "=" not in word} <= set(targets)
    elif program == "python":
        assert (ROOT / rest[0]).is_file(), rest[0]
    else:
        assert words[:2] == ["pip", "install"], words


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=pages.name)
@pytest.mark.usefixtures("opened", "registries", "unwritten")
def test_the_blocks_of_a_page_run(
    page: Path, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    module = ModuleType(f"page_{page.stem.replace('-', '_')}")  # dataclasses look a class's module up
    monkeypatch.setitem(sys.modules, module.__name__, module)
    for block in pages.blocks(page):
        if block.file:
            Path(block.file).write_text(trained_shortly(block.body), encoding="utf-8")
            continue
        if block.parsed or block.language not in (*COMMANDS, "python"):
            continue
        if block.language == "python":
            exec(compile(shorter(block.body), str(block), "exec"), vars(module))
        else:
            run(block, command)


def run(block: Block, command: Command) -> None:
    """Run the commands of a block, each of which leaves with 0 and writes what it is told to write."""
    for words in block.commands:
        assert words[0] == "backsight", f"{block}: {words[0]} is not run; say why above the block"
        outcome = command(*fewer(words)[1:])
        assert outcome.code == 0, f"{block}: {shlex.join(words)}\n{outcome.err}"
        if "--out" in words:
            assert Path(words[words.index("--out") + 1]).exists(), f"{block}: {shlex.join(words)}"


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_commands_fit_the_parser_as_they_stand(page: Path) -> None:
    for block in pages.blocks(page):
        for words in block.commands if block.language in COMMANDS else ():
            check(words)


@pytest.mark.parametrize("page", PAGES, ids=pages.name)
def test_commands_in_a_sentence_name_what_there_is(page: Path) -> None:
    for words in named(pages.text(page)):
        known, _ = resolved(words)
        assert known is not None, words
        options = {"--help", *(name for parameter in known.params for name in parameter.opts)}
        assert {word for word in words if word.startswith("--")} - options == set(), words


def named(text: str) -> list[list[str]]:
    """The commands of `backsight` that stand in a sentence or a table, with placeholders and all."""
    text = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
    spans = (" ".join(span.split()) for span in re.findall(r"`(backsight [^`]+)`", text))
    return [[word.strip("[]") for word in span.split() if word != "..."] for span in spans]


def test_a_wrong_option_and_an_unknown_command_are_seen() -> None:
    for line in ("backsight study builtin:plain --outt x", "backsight study --limit many", "backsight explain plain"):
        with pytest.raises(USAGE):
            check(shlex.split(line))
    for line in ("backsight stdy x", "backsight repair", "make everything", "python docs/none.py", "curl x"):
        with pytest.raises(AssertionError):
            check(shlex.split(line))
    assert resolved(named("say `backsight repair\nlose --x`")[0])[0] is None


def test_suites_are_cut_short() -> None:
    assert shorter("squares(grid=vlm.grid).limit(96)") == "squares(grid=vlm.grid).limit(32)"
    words = shlex.split("backsight study builtin:plain --only creg/squares --only probes --samples 300 --out x")
    short = shlex.join(fewer(words))
    assert short == "backsight study builtin:plain --out x --only creg/squares --only probes/squares --limit 24"
    assert fewer(["backsight", "train", "x.py", "--out", "x"])[-2:] == ["--steps", "2"]
    given = "seeds = [0, 1]\nworkers = 2  # more\n[train]  # as\n[study]\nlimit = 96\n"
    wanted = "seeds = [0]\nworkers = 1  # more\n[train]  # as\nsteps = 2\n[study]\nlimit = 12\n"
    assert trained_shortly(given) == wanted and trained_shortly("x = 1\n") == "x = 1\n"


def test_what_is_only_parsed_says_why(tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    fence = "```bash\nmake test\n```\n"
    page.write_text(f"<!-- parsed only: hours -->\n{fence}<!-- parsed only: -->\n{fence}", encoding="utf-8")
    first, second = pages.blocks(page)
    assert (first.parsed, second.parsed) == ("hours", None)
    with pytest.raises(AssertionError, match="make is not run; say why above the block"):
        run(second, command)
