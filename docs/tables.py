"""Writes the tables of numbers in the docs: published figures, and what the cards of the built-in models say.

`python docs/tables.py` renews what stands between `<!-- numbers: NAME -->` and `<!-- end -->`; with `--check` it
writes nothing and leaves with 1 where a page does not hold what it would write. The figures are those of
`backsight/published/figures.json`, the accuracies and verdicts those of `backsight/builtin/*/README.md`. `result PAGE`
and `result PAGE HEADING` repeat the figures of `results/PAGE.md` and the first table or list under that heading, or of
the page: those pages are written from the results themselves.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
PACKAGE = DOCS.parent / "src" / "backsight"
BLOCK = re.compile(r"(<!-- numbers: (?P<name>[^<>\n]+?) -->\n).*?(<!-- end -->)", re.DOTALL)
VERDICT = re.compile(r"(\d+) questions\. Verdict: \*\*([\w ]+)\*\*(?: \((vision [\w ]+, language [\w ]+):)?")
ORDER = ("relay", "plain", "gemma", "vision", "language", "both", "staged", "staged-2", "background", "prior",
         "inverted", "cutouts")  # fmt: skip
SUITES = {
    "squares": "Squares", "shapes": "Shapes", "objects": "Objects", "whatsup_composites": "What'sUp composites",
    "vsr": "VSR", "coco_pairs": "COCO-Pairs", "pairs": "Pairs", "pairs_textured": "Pairs on textured ground",
    "jittered_squares": "Jittered Squares", "tabletop_a": "Tabletop A", "tabletop_b": "Tabletop B",
}  # fmt: skip
NOTHING = "Nothing is recorded yet"
CONDITIONS = {"none": "no amplification", "random": "random directions", "probe": "probe directions"}
METRICS = {
    "dae": "DAE", "ea": "EA", "change": "change, true sector hidden", "change_opposite": "change, opposite hidden",
    "score": "COS", "token_pixels": "pixels a token", "r": "r",
}  # fmt: skip


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def published(paper: str, name: str) -> str:
    """One table of a paper as printed, a column a model and metric; a known correction stands behind the figure."""
    data = json.loads((PACKAGE / "published" / "figures.json").read_text(encoding="utf-8"))
    figures = [f for f in data["figures"] if f["paper"] == paper and f["table"] == name]
    if not figures:
        raise SystemExit(f"docs/tables.py: there is no {paper} {name}")
    models = list(dict.fromkeys(f["model"] for f in figures))
    columns = list(dict.fromkeys(_column(f, paper, len(models) > 1) for f in figures))
    rows: dict[str, dict[str, str]] = {}
    for figure in figures:
        rows.setdefault(_row(figure), {})[_column(figure, paper, len(models) > 1)] = _value(figure)
    return table(["as printed", *columns], [[row, *(cells.get(c, "") for c in columns)] for row, cells in rows.items()])


def _row(figure: dict[str, Any]) -> str:
    parts = [figure.get("row") or SUITES.get(figure["suite"], figure["suite"])]
    if figure["paper"] == "dual_mechanisms":
        parts += [figure["direction"] if figure["direction"] != "all" else None]
        parts += [CONDITIONS[figure["condition"]] if figure["table"] == "3" else None]
        parts += [_metric(figure) if figure["table"] in ("3", "6") else None]
    return ", ".join(part for part in parts if part)


def _column(figure: dict[str, Any], paper: str, several: bool) -> str:
    if paper == "dual_mechanisms":
        return str(figure["model"])
    model = figure["model"].removeprefix("Qwen2-VL-").removesuffix("-Instruct") if several and figure["model"] else None
    parts = (model, SUITES.get(figure["suite"]), _metric(figure))
    return ", ".join(part for part in parts if part)


def _metric(figure: dict[str, Any]) -> str:
    return METRICS.get(figure["metric"], figure["metric"].replace("_", " "))


def _value(figure: dict[str, Any]) -> str:
    text = str(figure["value"])
    if "low" in figure:
        text += f" [{figure['low']}, {figure['high']}]"
    correction = figure.get("correction")
    if correction is None:
        return text
    return text + (f" (corrected: {correction['value']})" if "value" in correction else " (not comparable)")


def cards() -> list[tuple[str, str]]:
    """Name and card of each built-in model, in the order of the README."""
    names = [*ORDER, *sorted({p.parent.name for p in PACKAGE.glob("builtin/*/README.md")} - set(ORDER))]
    return [(name, (PACKAGE / "builtin" / name / "README.md").read_text(encoding="utf-8")) for name in names]


def accuracies(suites: Sequence[str]) -> str:
    """Accuracy among the options of each model on some suites, with the gray picture's and chance."""
    rows = []
    for name, card in cards():
        for line in card.splitlines():
            cells = [cell.strip() for cell in line.split("|")[1:-1]]
            if len(cells) == 8 and cells[0] in suites and cells[2:4] == ["all", "options"]:
                suite, prompt, _, _, questions, accuracy, gray, chance = cells
                title = SUITES[suite] + (f", prompt {prompt}" if prompt else "")
                rows.append([f"`{name}`", title, questions, accuracy, gray, chance])
    return table(["model", "suite", "questions", "accuracy [95 %]", "gray picture", "chance"], rows)


def verdicts() -> str:
    """The verdict of each model's card, with the share of the accuracy above chance that each pathway leaves."""
    rows = []
    for name, card in cards():
        verdict = VERDICT.search(card)
        shares = {
            condition: cells[-1]
            for line in card.splitlines()
            if len(cells := [cell.strip() for cell in line.split("|")[1:-1]]) == 4 and cells[0] == "order"
            for condition in [cells[1]]
        }
        assert verdict is not None, name
        shuffled, removed = (shares.get(key) or "not defined" for key in ("shuffled", "removed"))
        rows.append([f"`{name}`", _pathways(verdict[2], verdict[3]), verdict[1], shuffled, removed])
    return table(["model", "verdict", "questions", "left when shuffled", "left after removal"], rows)


def result(name: str, heading: str = "") -> str:
    """The figures of a page of results, and its first table, or list as a table, under a heading.

    Of several headings, with " - " between them, the first that the page has. A page that says that nothing is recorded
    yet lacks it; of any other that is an error.
    """
    text = (DOCS / "results" / f"{name}.md").read_text(encoding="utf-8")
    shown = [f"{line}\n" for line in text.splitlines() if line.startswith("![")]
    heads = [re.escape(head) for head in heading.split(" - ")] if heading else [".*"]
    under = next(filter(None, (re.search(rf"^(#+) {head}$", text, re.MULTILINE) for head in heads)), None)
    if under is None:
        if NOTHING not in text:
            raise SystemExit(f"docs/tables.py: results/{name}.md has no heading {heading!r}")
        return f"Its numbers are not recorded yet: see [the page](../results/{name}.md).\n"
    section = re.split(rf"^#{{1,{len(under[1])}}} ", text[under.end() :], maxsplit=1, flags=re.MULTILINE)[0]
    block = re.search(r"^\|.*?(?=\n(?!\|)|\Z)|^- .*?(?=\n\n|\Z)", section, re.MULTILINE | re.DOTALL)
    if block is None:
        raise SystemExit(f"docs/tables.py: results/{name}.md has no table and no list under {heading or 'its head'!r}")
    lines = block[0] + "\n"
    if lines.startswith("- "):
        items = [" ".join(item.split()) for item in lines.removeprefix("- ").split("\n- ")]
        lines = table(["judged"], [[item.replace("|", "\\|")] for item in items])
    return re.sub(r"\]\((?!\.\.|#|\w+:)", "](../results/", "\n".join([*shown, lines]))


def _pathways(word: str, each: str | None) -> str:
    """A verdict in its one word; by pathway where that is `cannot tell` while something is known of one."""
    known = each is not None and each.count("cannot tell") == 1
    return str(each) if word == "cannot tell" and known else word


def content(name: str) -> str:
    """The text of a block: `dual_mechanisms 1`, `creg section 6.1`, `accuracies SUITES`, `verdicts`, `result PAGE`."""
    kind, _, rest = name.partition(" ")
    if kind == "result":
        page, _, heading = rest.partition(" ")
        return result(page, heading)
    if kind == "verdicts":
        return verdicts()
    return accuracies(rest.split()) if kind == "accuracies" else published(kind, rest)


def written(text: str) -> str:
    """A page with its blocks as they should be."""
    return BLOCK.sub(lambda match: match[1] + "\n" + content(match["name"]) + "\n" + match[3], text)


def main(*, check: bool) -> int:
    """Renew all pages, or with `check` only name those that are not as they should be; the exit code."""
    stale = 0
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        if (new := written(text)) != text:
            stale += 1
            print(f"{path.relative_to(DOCS.parent)}: {'not as it should be' if check else 'written'}")
            if not check:
                path.write_text(new, encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
