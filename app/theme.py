"""How things look wherever they appear: one colour, dash and symbol per method, one chart template.

Every colour stands out from both the light and the dark ground (contrast at least 3), so a method
keeps its colour in either; those of FIXED stay apart for readers with a red-green weakness too,
and symbol and dash tell the rest.  A method that is in no table gets a colour by itself that is far
from all others.  Ground and text are those of the page in `.streamlit/config.toml`.
"""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass, replace
from functools import lru_cache
from html import escape
from itertools import product
from math import dist
from typing import Any, Literal

import plotly.graph_objects as go

from peftcore.adapters.base import METHODS

GROUNDS = {"light": "#FFFFFF", "dark": "#12161C"}
INKS = {"light": "#1B2430", "dark": "#E8ECF1"}
NEUTRAL = "#7A828C"  # lines that belong to no method

DASHES = ("solid", "dash", "dot", "dashdot", "longdash")
SYMBOLS = ("circle", "diamond", "square", "triangle-up", "x", "cross", "star", "hexagon")


@dataclass(frozen=True)
class Look:
    """What a run is called and drawn with."""

    name: str
    colour: str
    symbol: str = "circle"
    dash: str = "solid"

    def again(self, nth: int, name: str) -> Look:
        """The same colour for the nth other run of a method, told apart by dash and symbol."""
        turned = (SYMBOLS.index(self.symbol) + 3 * nth) % len(SYMBOLS)
        return replace(self, name=name, symbol=SYMBOLS[turned], dash=DASHES[nth % len(DASHES)])


FIXED = {
    "prompt_tuning": ("#0072B2", "circle"),
    "spt": ("#D55E00", "diamond"),
    "prefix_tuning": ("#009E73", "square"),
    "lora": ("#7B3FE4", "triangle-up"),
    "linear_probe": ("#6E7681", "x"),
}
FURTHER = {
    "sparsefit": ("#CC0049", "cross"),
    "atoms": ("#5A76F5", "star"),
    "block_atoms": ("#7A7A1F", "hexagon"),
    "bottleneck": ("#A9713A", "circle"),
    "ia3": ("#008FA3", "diamond"),
    "full_fine_tuning": ("#B5609A", "square"),
    "bitfit": ("#D633D6", "triangle-up"),
}
OTHERS = tuple(colour for colour, _ in FURTHER.values())


def colour(method: str) -> str:
    """The method's colour; one that is in no table gets one by itself, far from all others."""
    return look(method, "").colour


def look(method: str, name: str) -> Look:
    """How a method is drawn, under the given name."""
    listed = (FIXED | FURTHER).get(method)
    if listed:
        return Look(name, *listed)
    return Look(name, _unlisted().get(method) or _pick(method, ()), _symbol(method))


@lru_cache(maxsize=1)
def _unlisted() -> dict[str, str]:
    """Method → colour, for the registered methods that are in no table, in the order of names."""
    listed, chosen = FIXED | FURTHER, dict[str, str]()
    for method in METHODS:
        if method not in listed:
            chosen[method] = _pick(method, tuple(chosen.values()))
    return chosen


def _pick(method: str, others: tuple[str, ...]) -> str:
    """The colour of an unlisted method: the farthest from those in use, ties by the name's hash.

    Distances are CIE 1976; candidates have a contrast of at least 3 on both grounds.
    """
    used = [_lab(each) for each, _ in (FIXED | FURTHER).values()] + [_lab(each) for each in others]
    nearest = lambda candidate: min(dist(_lab(candidate), each) for each in used)
    turn = _number(method) % len(CANDIDATES)
    return max((*CANDIDATES[turn:], *CANDIDATES[:turn]), key=nearest)


def _candidates() -> tuple[str, ...]:
    """Colours of 36 hues, three lightnesses, two saturations, that stand out on both."""
    found = []
    for hue, light, strength in product(range(36), (0.38, 0.46, 0.54), (0.55, 0.9)):
        parts = colorsys.hls_to_rgb(hue / 36, light, strength)
        code = "#" + "".join(f"{round(255 * part):02X}" for part in parts)
        if all(_contrast(code, ground) >= 3 for ground in GROUNDS.values()):
            found.append(code)
    return tuple(found)


def _linear(colour: str) -> list[float]:
    """Linear red, green and blue in [0, 1] of a colour "#RRGGBB" (the sRGB standard)."""
    parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]


def _contrast(first: str, second: str) -> float:
    """The contrast of two colours as WCAG 2 defines it, from 1 to 21."""
    light, dark = sorted(
        (sum(w * p for w, p in zip(XYZ[1], _linear(c), strict=True)) for c in (first, second)),
        reverse=True,
    )
    return (light + 0.05) / (dark + 0.05)


def _lab(colour: str) -> tuple[float, float, float]:
    """Lightness, a and b of a colour (CIE 1976, white of daylight D65)."""
    rgb = _linear(colour)
    white = (0.9505, 1.0, 1.089)
    sums = (sum(w * p for w, p in zip(row, rgb, strict=True)) for row in XYZ)
    x, y, z = (_cube_root(part / full) for part, full in zip(sums, white, strict=True))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _cube_root(value: float) -> float:
    """The cube root, made linear near zero as CIE 1976 does."""
    return value ** (1 / 3) if value > 0.008856 else 7.787 * value + 16 / 116


XYZ = ((0.4124, 0.3576, 0.1805), (0.2126, 0.7152, 0.0722), (0.0193, 0.1192, 0.9505))  # from sRGB
CANDIDATES = _candidates()


def _symbol(method: str) -> str:
    """The symbol of an unlisted method."""
    return SYMBOLS[_number(method) % len(SYMBOLS)]


def _number(name: str) -> int:
    """The same number for a name in every process."""
    return hashlib.sha256(name.encode()).digest()[0]


def faint(colour: str, share: float) -> str:
    """The colour at a share of its strength, for bands and single seeds."""
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {share:g})"


def text(words: object) -> str:
    """Data as Plotly may show it: as typed, never as markup.

    A dollar sign would start mathematics and a percent brace a hover template, so both lose that.
    """
    return escape(str(words)).replace("$", "&#36;").replace("%{", "%&#123;")


FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif"
AXIS: dict[str, Any] = {
    "showgrid": True,
    "gridcolor": faint(NEUTRAL, 0.22),
    "zeroline": False,
    "showline": True,
    "linecolor": faint(NEUTRAL, 0.6),
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": faint(NEUTRAL, 0.6),
    "automargin": True,
    "ticklabeloverflow": "allow",  # margins fit the labels; else each would be measured once more
    "title": {"standoff": 10, "font": {"size": 13}},
}
TICKS = [digit * 10.0**power for power in range(-12, 6) for digit in (1, 2, 5)]
LOGARITHMIC: dict[str, Any] = {  # an axis; Plotly's own labels between decades lack their power
    "type": "log",
    "tickvals": TICKS,
    "ticktext": [f"{tick:g}" for tick in TICKS],
}


def template(ground: Literal["light", "dark"] = "light") -> go.layout.Template:
    """The template of all charts on a light or a dark ground; `charts.chart` picks the page's."""
    ink = INKS[ground]
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": ink},
            "paper_bgcolor": GROUNDS[ground],
            "plot_bgcolor": GROUNDS[ground],
            "colorway": [colour for colour, _ in FIXED.values()] + list(OTHERS),
            "xaxis": AXIS,
            "yaxis": AXIS,
            "margin": {"l": 8, "r": 16, "t": 52, "b": 8},
            "legend": {
                "orientation": "h",
                "x": 0,
                "yref": "container",
                "y": 0,
                "yanchor": "bottom",
            },
            "title": {"x": 0, "font": {"size": 14, "weight": 600}},
            "hoverlabel": {"align": "left", "font": {"family": FONT, "size": 13}},
            "hovermode": "closest",
        }
    )


TEMPLATE = template()


def config(name: str, picture: Literal["svg", "png"] = "svg") -> dict[str, Any]:
    """Chart options: a button that saves `name` as SVG, or as PNG at twice the size, and reset."""
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage", "resetScale2d"]],
        "toImageButtonOptions": {"format": picture, "filename": name, "scale": 2},
    }
