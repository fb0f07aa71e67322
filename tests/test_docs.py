"""Code in the README and the docs runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
FENCE = re.compile(r"```python\n(.*?)```", re.DOTALL)


def blocks(name: str) -> list[str]:
    return FENCE.findall((ROOT / name).read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_readmes_first_lines_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks("README.md"))
    assert len([line for line in code.splitlines() if line.strip()]) >= 8
    # The suite is cut to a tenth: the lines are what is tested here, not the numbers.
    code = code.replace("seed=0)", "seed=0).limit(48)")
    names: dict[str, Any] = {}
    exec(compile(code, "README.md", "exec"), names)
    assert (tmp_path / "last_token.svg").read_text().startswith("<?xml")
    assert len(names["accuracy"]) > 0 and len(names["sweep"]) > 0


def test_the_docs_own_measurement_runs() -> None:
    from backsight import stimuli
    from backsight.models.small import tiny
    from backsight.models.vlm import VLM
    from backsight.training.questions import corpus

    (code,) = [b for b in blocks("docs/extending.md") if "class PromptLength" in b]
    names: dict[str, Any] = {"__name__": "extending"}
    import sys
    from types import ModuleType

    sys.modules["extending"] = ModuleType("extending")  # dataclasses look a class's module up
    exec(compile(code, "docs/extending.md", "exec"), names)
    vlm = VLM(*tiny("qwen2_vl", corpus()), check=False)
    table = names["PromptLength"]()(vlm, stimuli.squares()[:3])
    assert table.frame["tokens"].tolist() == [int(n) for n in vlm.prepare(stimuli.squares()[:3]).attention_mask.sum(1)]


def test_the_docs_own_result_is_registered_and_summed_up(monkeypatch: pytest.MonkeyPatch) -> None:
    from backsight import results

    monkeypatch.setattr(results, "RESULTS", dict(results.RESULTS))
    (code,) = [b for b in blocks("docs/extending.md") if "register(" in b]
    names: dict[str, Any] = {}
    exec(compile(code, "docs/extending.md", "exec"), names)
    result = results.RESULTS["prompt_lengths"]
    assert result is names["RESULT"] and result.summary is not None
    rows = [{"example_id": name, "image_id": name, "tokens": count} for name, count in (("a", 3), ("b", 6))]
    table = result.summary.make(names["Table"].of(result.schema, rows))
    assert table.rows() == [{"questions": 2, "tokens": 4.5}]


def test_the_docs_own_family_opens_a_model() -> None:
    from backsight.models.small import tiny
    from backsight.models.vlm import VLM
    from backsight.training.questions import corpus

    (code,) = [b for b in blocks("docs/extending.md") if '"my_vl"' in b]
    given, loading, rest = code.partition('vlm = load("path/to/checkpoint", family=family)')
    assert loading and not rest.strip()
    names: dict[str, Any] = {}
    exec(compile(given, "docs/extending.md", "exec"), names)
    vlm = VLM(*tiny("qwen2_vl", corpus()), family=names["family"])
    assert vlm.family.name == "My-VL" and vlm.grid.is_rectangle


def test_the_docs_own_control_is_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    from backsight import selftest

    monkeypatch.setattr(selftest, "CONTROLS", [])
    (code,) = blocks("docs/controls.md")
    names: dict[str, Any] = {}
    exec(compile(code, "docs/controls.md", "exec"), names)
    outcome = selftest.run(["prompt_lengths"])
    assert [one.passed for one in outcome.checks] == [True] and outcome.without == ()


@pytest.mark.parametrize(
    "name",
    ["README.md", "docs/method.md", "docs/extending.md", "docs/commands.md", "docs/controls.md", "CONTRIBUTING.md"],
)
def test_links_to_files_lead_somewhere(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in target:
            assert (ROOT / name).parent.joinpath(target).exists(), target
