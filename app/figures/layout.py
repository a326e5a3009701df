"""Pictures side by side as one plain dictionary, for figures that must be there at once.

plotly's `make_subplots`, `add_…` and `update_…` check and copy the figure at every call, five times
the work of checking it once when it is whole.  A browser, too, draws a figure twice whose margins
it has to find out; here they are reckoned from the words.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from app.theme import AXIS, plotly_text

NARROW_LETTERS, BROAD_LETTERS = frozenset("iljftrI.,:;'|!()[] "), frozenset("mwMW@%—…")
COLOUR_BAR_WIDTH = 92  # pixels for a colour bar with its title, right of the pictures
LINE_HEIGHT = 18  # pixels of a line of text beside an axis


def panel_domains(widths: Sequence[float], gap: float) -> list[list[float]]:
    """Where each of several pictures begins and ends, as shares of the whole."""
    unit = (1 - gap * (len(widths) - 1)) / sum(widths)
    intervals, start = [], 0.0
    for width in widths:
        intervals.append([start, min(1.0, start + width * unit)])
        start += width * unit + gap
    return intervals


def axis_name(axis: str, number: int) -> str:
    """plotly's name of an axis, counted from zero: xaxis, xaxis2; x, x2."""
    return f"{axis}{number + 1}" if number else axis


def panel_heading(words: str, domain: Sequence[float]) -> dict[str, Any]:
    """A title above one of the pictures."""
    return {
        "text": plotly_text(words),
        "x": (domain[0] + domain[1]) / 2,
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "center",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 16},
    }


def x_axis(number: int, domain: Sequence[float], **more: Any) -> dict[str, Any]:
    """The horizontal axis of one of the pictures."""
    return {"domain": list(domain), "anchor": axis_name("y", number), "automargin": False, **more}


def y_axis(number: int, **more: Any) -> dict[str, Any]:
    """The vertical axis of one of the pictures; all share the words beside the first."""
    axis = {"domain": [0, 1], "anchor": axis_name("x", number), "automargin": False, **more}
    return axis | {"matches": "y", "showticklabels": False} if number else axis


def vertical_line(x: float, number: int, colour: str, width: float) -> dict[str, Any]:
    """A vertical line through one of the pictures."""
    return {
        "type": "line",
        "x0": x,
        "x1": x,
        "y0": 0,
        "y1": 1,
        "xref": axis_name("x", number),
        "yref": f"{axis_name('y', number)} domain",
        "line": {"color": colour, "width": width},
    }


def axis_title(words: str) -> dict[str, Any]:
    """What stands beside an axis."""
    return {**AXIS["title"], "text": words}


def label_width(words: Sequence[str], size: int) -> float:
    """Pixels that the longest of several words needs beside an axis, its title included."""
    return 2 * LINE_HEIGHT + 4 + max((_text_width(word, size) for word in words), default=0)


def _text_width(word: str, size: int) -> float:
    ems = sum(
        0.36 if character in NARROW_LETTERS else 0.95 if character in BROAD_LETTERS else 0.64
        for character in word
    )
    return ems * size


def fixed_margin(
    top: float, left: float, bottom: float, right: float = COLOUR_BAR_WIDTH
) -> dict[str, Any]:
    """Margins that nothing widens any more."""
    return {"t": top, "l": left, "b": bottom, "r": right, "autoexpand": False}
