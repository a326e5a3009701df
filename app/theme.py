"""How things look wherever they appear: one colour, dash and symbol per method, one chart template.

Every colour stands out from both the light and the dark ground (contrast at least 3), so a method
keeps its colour in either; those of FIXED stay apart for readers with a red-green weakness too,
and symbol and dash tell the rest.  Ground and text are those of the page in
`.streamlit/config.toml`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

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
    """The method's colour; one that is in no table gets a stable one from the palette."""
    return look(method, "").colour


def look(method: str, name: str) -> Look:
    """How a method is drawn, under the given name."""
    number = _number(method)
    drawn = OTHERS[number % len(OTHERS)], SYMBOLS[number % len(SYMBOLS)]
    return Look(name, *(FIXED | FURTHER).get(method, drawn))


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
