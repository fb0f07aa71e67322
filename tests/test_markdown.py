"""Text of pages in lines that an editor shows whole."""

from __future__ import annotations

from backsight.results.pages.markdown import WIDTH, filled

WORDS = "one-two " * 40


def test_long_lines_are_broken_between_words_and_items_are_indented() -> None:
    lines = filled(f"{WORDS.strip()}\n\n- {WORDS.strip()}").split("\n")
    assert max(map(len, lines)) <= WIDTH
    paragraph, item = lines[: lines.index("")], lines[lines.index("") + 1 :]
    assert " ".join(paragraph) == WORDS.strip() and len(paragraph) > 1
    assert item[0].startswith("- one-two") and all(line.startswith("  one-two") for line in item[1:])


def test_what_must_be_one_line_stays_one() -> None:
    kept = "\n".join(head + WORDS for head in ("| ", "# ", "![a](b) ", "``` ", "<!-- "))
    assert filled(kept) == kept
    assert filled("a\n\n\nb\n") == "a\n\n\nb\n" and filled("x" * 300) == "x" * 300
