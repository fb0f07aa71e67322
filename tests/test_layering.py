"""The order of imports: a package imports what stands to its left, and only `models` knows transformers."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import backsight

ROOT = Path(backsight.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

LEVELS = (
    {"errors", "grid", "tables", "pictures", "examples"},
    {"maths", "published", "stimuli", "datasets"},
    {"results"},
    {"models"},
    {"training", "measurements", "repairs"},
    {"selftest"},
    {"studies"},
    {"report"},
    {"cli"},
)
LEVEL = {name: number for number, names in enumerate(LEVELS) for name in names}
WITHOUT_TORCH = LEVELS[0] | {"published", "stimuli", "datasets", "results", "report"}
HOOKS = {"register_forward_hook", "register_forward_pre_hook", "register_module_forward_hook"}


def part_of(path: Path) -> str:
    """The package or top module that a file belongs to; "" for the package's own front door."""
    name = path.relative_to(ROOT).parts[0].removesuffix(".py")
    return "" if name == "__init__" else name


def imported(path: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it, as a full name; a relative import is a failure."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0 and node.module, f"{path}: relative import in line {node.lineno}"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def inner(path: Path) -> set[str]:
    """The other packages and top modules of ours that a file imports."""
    names = [name.split(".") for name in imported(path)]
    found = {name[1] for name in names if name[0] == "backsight" and len(name) > 1}
    return found - {part_of(path), "__version__"}


def test_every_package_has_its_place_in_the_order() -> None:
    assert {part_of(path) for path in FILES} - {""} <= LEVEL.keys()


@pytest.mark.parametrize("path", [p for p in FILES if part_of(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_a_file_imports_nothing_to_the_right_of_it(path: Path) -> None:
    here = part_of(path)
    assert not [there for there in sorted(inner(path)) if LEVEL[there] > LEVEL[here]]


def test_results_know_no_report_and_no_model() -> None:
    files = [path for path in FILES if part_of(path) == "results"]
    others = LEVELS[0] | LEVELS[1]
    assert {there for path in files for there in inner(path)} <= others
    assert len(files) > 20  # or this test looks at nothing


def test_packages_import_each_other_in_no_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in FILES:
        if part_of(path):
            graph.setdefault(part_of(path), set()).update(inner(path))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"imports run in a circle: {' -> '.join(error.args[1])}")


def test_only_models_imports_transformers() -> None:
    hugging_face = {"transformers", "tokenizers"}
    users = {p.relative_to(ROOT) for p in FILES if hugging_face & {name.split(".")[0] for name in imported(p)}}
    assert {path for path in users if path.parts[0] != "models"} == set()


def test_what_needs_no_torch_imports_none() -> None:
    users = {part_of(p) for p in FILES if "torch" in {name.split(".")[0] for name in imported(p)}}
    assert users & WITHOUT_TORCH == set()
    assert "models" in users  # or this test looks at nothing


@pytest.mark.parametrize(
    "modules",
    [
        "backsight",
        "backsight.stimuli",
        "backsight.datasets, backsight.results, backsight.report",
    ],
)
def test_importing_loads_no_torch(modules: str) -> None:
    code = f"import sys, {modules}; print(sorted({{'torch', 'transformers'}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_results_loads_neither_statistics_nor_drawing_nor_torch() -> None:
    code = "import sys, backsight.results; print(sorted({'scipy', 'matplotlib', 'torch'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_only_the_command_line_prints() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert [place for place in found if not place.startswith("cli.py")] == []


def test_forward_hooks_are_registered_in_two_files() -> None:
    """Those that come off on exit, and those of additions, which are a part of their model and stay."""
    found = {
        str(path.relative_to(ROOT))
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in HOOKS
    }
    assert found == {"models/hooks.py", "models/standing_hooks.py"}


PRIVATE = {
    "past_key_values", "cache_position", "position_embeddings", "self_attn", "o_proj", "_attn_implementation",
    "mm_encoder_outputs",
}  # fmt: skip


def names(path: Path) -> set[str]:
    """Every string, attribute and keyword of a file."""
    seen: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            seen.add(node.value)
        elif isinstance(node, ast.Attribute):
            seen.add(node.attr)
        elif isinstance(node, ast.keyword) and node.arg:
            seen.add(node.arg)
    return seen


def test_how_a_block_is_called_is_known_to_one_file() -> None:
    """Private names of transformers change with its releases; also how a seam leaves the cache out and reads masks."""
    users = {str(path.relative_to(ROOT)) for path in FILES if names(path) & PRIVATE}
    assert users == {"models/blocks.py"}
    seam = ("hooks", "replay", "caches", "contracts", "attention", "gradients", "embeds", "vlm", "sizes")
    for name in seam:
        assert names(ROOT / "models" / f"{name}.py") & {"use_cache", "output_hidden_states", "position_ids"} == set()


def module_of(path: Path) -> str:
    """The full name of a file's module."""
    parts = ["backsight", *path.relative_to(ROOT).with_suffix("").parts]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES if part_of(path)}


def modules_imported(path: Path) -> set[str]:
    """The modules of ours that a file imports: at its top, for types only, or inside a function."""
    modules = set()
    for name in imported(path):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]  # an attribute of the module that stands before it
        modules.add(name)
    return modules - {"", module_of(path)}


def circles(graph: dict[str, set[str]]) -> set[frozenset[str]]:
    """The groups of modules of which each is reached from every other one."""

    def reached(start: str) -> set[str]:
        seen: set[str] = set()
        waiting = [start]
        while waiting:
            for there in graph[waiting.pop()] - seen:
                seen.add(there)
                waiting.append(there)
        return seen

    reach = {name: reached(name) for name in graph}
    groups = (frozenset(b for b in reach[a] if a in reach[b]) for a in graph)
    return {group for group in groups if group}


def test_a_circle_is_seen_however_it_is_imported(tmp_path: Path) -> None:
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": {"a"}}) == {frozenset({"b", "c"})}
    assert circles({"a": {"b"}, "b": set()}) == set()
    path = ROOT / "models" / "vlm.py"
    assert {"backsight.models.contracts", "backsight.models.seam"} <= modules_imported(path)
    hidden = tmp_path / "hidden.py"
    hidden.write_text(
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    from backsight.models.vlm import VLM\n"
        "def late():\n    from backsight.models import replay\n"
    )
    names = {name for name in imported(hidden) if name.startswith("backsight")}
    assert names == {"backsight.models.vlm.VLM", "backsight.models.replay"}


def test_modules_import_each_other_in_no_circle() -> None:
    assert circles({name: modules_imported(path) for name, path in MODULES.items()}) == set()
