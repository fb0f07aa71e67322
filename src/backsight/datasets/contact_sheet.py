"""A contact sheet: up to 24 examples on one picture, each with its question and answer beneath.

It is for a person who wants to see what a model will be asked before asking it.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

from backsight.examples import Example, ExampleSet

COUNT = 24
COLUMNS = 4
MARGIN = 12
PICTURE = (300, 240)
FONT_SIZE = 15
LINE = 20
MOST_LINES = 9

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont


@dataclass(frozen=True)
class _Tile:
    example: Example
    question: list[str]
    answer: list[str]

    @property
    def height(self) -> int:
        return PICTURE[1] + LINE * (len(self.question) + len(self.answer)) + 2 * MARGIN


def draw(examples: ExampleSet, count: int = COUNT) -> Image.Image:
    """At most `count` examples, drawn evenly over the directions and always the same, as one picture."""
    font = ImageFont.load_default(size=FONT_SIZE)
    tiles = [_tile(example, font) for example in examples.limit(count)]
    rows = [tiles[start : start + COLUMNS] for start in range(0, len(tiles), COLUMNS)]
    heights = [max(tile.height for tile in row) for row in rows]
    columns = min(COLUMNS, len(tiles))
    sheet = Image.new("RGB", (columns * (PICTURE[0] + MARGIN) + MARGIN, sum(heights) + MARGIN), "white")
    top = MARGIN
    for row, height in zip(rows, heights, strict=True):
        for column, tile in enumerate(row):
            _paste(sheet, tile, MARGIN + column * (PICTURE[0] + MARGIN), top, font)
        top += height
    return sheet


def _tile(example: Example, font: Font) -> _Tile:
    answer = f"Answer: {example.answer}  (of {', '.join(example.options)})"
    return _Tile(example, wrap(example.question, font, PICTURE[0]), wrap(answer, font, PICTURE[0]))


def _paste(sheet: Image.Image, tile: _Tile, left: int, top: int, font: Font) -> None:
    picture = _fitted(tile.example.image)
    x, y = left + (PICTURE[0] - picture.width) // 2, top + (PICTURE[1] - picture.height) // 2
    sheet.paste(picture, (x, y))
    pen = ImageDraw.Draw(sheet)
    # A gray frame, as a picture on white ground has no edge of its own.
    pen.rectangle((x - 1, y - 1, x + picture.width, y + picture.height), outline=(160, 160, 160))
    y = top + PICTURE[1] + MARGIN // 2
    for lines, color in ((tile.question, (20, 20, 20)), (tile.answer, (0, 90, 160))):
        for line in lines:
            pen.text((left, y), line, font=font, fill=color)
            y += LINE


def _fitted(image: Image.Image) -> Image.Image:
    scale = min(PICTURE[0] / image.width, PICTURE[1] / image.height)
    return image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))


def wrap(text: str, font: Font, width: int) -> list[str]:
    """The text in at most nine lines of at most `width` pixels; a word that is too long is broken."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if font.getlength(joined) <= width:
            lines[-1] = joined
            continue
        if lines[-1]:
            lines.append("")
        for letter in word:
            if lines[-1] and font.getlength(lines[-1] + letter) > width:
                lines.append("")
            lines[-1] += letter
    if len(lines) <= MOST_LINES:
        return lines
    last = lines[MOST_LINES - 1]
    while last and font.getlength(last + "...") > width:
        last = last[:-1]
    return [*lines[: MOST_LINES - 1], last + "..."]
