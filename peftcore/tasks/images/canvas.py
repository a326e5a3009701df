"""An image of eight by eight pixels, as a model's words and as a short code.

Every pixel is one word that names its place as on a chess board and its level: "c5=2" is row c,
column 5, level 2. Since a word contains its place, an image means the same wherever it stands in a
text, and soft prompts may shift it. The code is the short form for files and tables.
"""

from __future__ import annotations

import re

from peftcore.errors import BadInput

SIDE = 8
PIXELS = tuple(f"{row}{column}" for row in "abcdefgh" for column in range(1, SIDE + 1))
Picture = tuple[int, ...]  # levels of SIDE · SIDE pixels, row by row

_WORD = re.compile(r"([a-h][1-8])=(\d)")


def pixel_word(index: int, level: int) -> str:
    """Return the word of one pixel; places count from 0, row by row."""
    return f"{PIXELS[index]}={level}"


def picture_to_words(picture: Picture) -> str:
    """Return the image as a model writes it."""
    return " ".join(pixel_word(index, level) for index, level in enumerate(picture))


def words_to_picture(text: str) -> Picture:
    """Parse a model's words; missing places are 0, of a place named twice the last counts."""
    level_by_pixel = dict.fromkeys(PIXELS, 0)
    level_by_pixel |= {pixel: int(level) for pixel, level in _WORD.findall(text)}
    return tuple(level_by_pixel.values())


def picture_to_code(picture: Picture) -> str:
    """Return eight rows of one digit per pixel, with a slash between rows."""
    rows = ["".join(map(str, picture[i : i + SIDE])) for i in range(0, len(picture), SIDE)]
    return "/".join(rows)


def code_to_picture(text: str) -> Picture:
    """Parse a code; BadInput if it is none."""
    rows = text.strip().split("/")
    if len(rows) != SIDE or any(len(row) != SIDE or not row.isdigit() for row in rows):
        raise BadInput(f"a picture is {SIDE} rows of {SIDE} digits with / between; got {text!r}")
    return tuple(int(level) for row in rows for level in row)
