"""How charts look wherever they appear: one template for all, on a light and a dark page.

Colours, dashes and symbols of methods are those of `peftcore.reports.styles`, which draws them
where there is no page.  Background and text are those of the page in `.streamlit/config.toml`.
"""

from __future__ import annotations

import functools
from html import escape
from typing import Any, Literal

import plotly.graph_objects as go

from peftcore.reports.styles import BACKGROUNDS as BACKGROUNDS
from peftcore.reports.styles import EXTRA_COLOURS as EXTRA_COLOURS
from peftcore.reports.styles import MAIN_METHOD_STYLES as MAIN_METHOD_STYLES
from peftcore.reports.styles import NEUTRAL as NEUTRAL
from peftcore.reports.styles import SYMBOLS as SYMBOLS
from peftcore.reports.styles import TEXT_COLOURS as TEXT_COLOURS
from peftcore.reports.styles import RunStyle as RunStyle
from peftcore.reports.styles import method_colour as method_colour
from peftcore.reports.styles import style_of_method as style_of_method
from peftcore.reports.styles import with_opacity as with_opacity

# Opaque, so that what is written on a cell gets a colour in which it is read in both modes.
LABELLED_SCALE = [[0, "#EEF1FE"], [1, "#2F49BE"]]


def plotly_text(value: object) -> str:
    """Data as Plotly may show it: as typed, never as markup.

    A dollar sign would start mathematics and a percent brace a hover template, so both lose that.
    """
    return escape(str(value)).replace("$", "&#36;").replace("%{", "%&#123;")


# One pair for signed values everywhere: less than before, more than before.  On a dark page both
# are lighter, so that a projector shows them.
SIGNED_COLOURS = {"light": ("#D55E00", "#0072B2"), "dark": ("#FF9A3D", "#4DB2FF")}
LESS_COLOUR, MORE_COLOUR = SIGNED_COLOURS["light"]
# A scale rises faster at first, since most values are small; the bar beside a picture shows it.
COLOUR_EXPONENT = 0.6
FONT = "Inter, 'Segoe UI', 'Helvetica Neue', 'DejaVu Sans', sans-serif"
AXIS: dict[str, Any] = {
    "showgrid": True,
    "gridcolor": with_opacity(NEUTRAL, 0.22),
    "zeroline": False,
    "showline": True,
    "linecolor": with_opacity(NEUTRAL, 0.6),
    "ticks": "outside",
    "ticklen": 4,
    "tickcolor": with_opacity(NEUTRAL, 0.6),
    "automargin": True,
    "ticklabeloverflow": "allow",  # margins fit the labels; else each would be measured once more
    "title": {"standoff": 10, "font": {"size": 13}},
}
LOG_TICKS = [digit * 10.0**power for power in range(-12, 6) for digit in (1, 2, 5)]
LOG_AXIS: dict[str, Any] = {  # an axis; Plotly's own labels between decades lack their power
    "type": "log",
    "tickvals": LOG_TICKS,
    "ticktext": [f"{tick:g}" for tick in LOG_TICKS],
}


def _shades(colour: str) -> list[tuple[float, str]]:
    """Shades of a colour, from the page's own background to the colour itself."""
    positions = [i / 20 for i in range(21)]
    return [(x, with_opacity(colour, x**COLOUR_EXPONENT)) for x in positions]


def colour_scales(background: Literal["light", "dark"]) -> dict[str, Any]:
    """Scales of values with and without a sign, for figures that name no scale of their own."""
    less, more = SIGNED_COLOURS[background]
    diverging = [((1 - x) / 2, shade) for x, shade in reversed(_shades(less))]
    diverging += [((1 + x) / 2, shade) for x, shade in _shades(more)]
    return {
        "sequential": _shades(more),
        "sequentialminus": [(1 - x, shade) for x, shade in reversed(_shades(less))],
        "diverging": diverging,
    }


@functools.cache
def chart_template(background: Literal["light", "dark"] = "light") -> go.layout.Template:
    """Template of all charts on a light or a dark page; `charts.chart` picks the page's."""
    text_colour = TEXT_COLOURS[background]
    return go.layout.Template(
        layout={
            "font": {"family": FONT, "size": 13, "color": text_colour},
            "paper_bgcolor": BACKGROUNDS[background],
            "plot_bgcolor": BACKGROUNDS[background],
            "colorscale": colour_scales(background),
            "colorway": [colour for colour, _ in MAIN_METHOD_STYLES.values()] + list(EXTRA_COLOURS),
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


TEMPLATE = chart_template()


def chart_config(name: str, image_format: Literal["svg", "png"] = "svg") -> dict[str, Any]:
    """Chart options: a button that saves `name` as SVG, or as PNG at twice the size, and reset."""
    return {
        "displaylogo": False,
        "displayModeBar": True,
        "modeBarButtons": [["toImage", "resetScale2d"]],
        "toImageButtonOptions": {"format": image_format, "filename": name, "scale": 2},
    }
