"""Pictures side by side as one plain dictionary, for figures that must be there at once.

plotly's `make_subplots`, `add_…` and `update_…` check and copy the figure at every call, five times
the work of checking it once when it is whole.  A browser, too, draws a figure twice whose margins
it has to find out; here they are computed from the labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from app.figures.scales import colour_limit
from app.figures.theme import AXIS, TEMPLATE, plotly_text, with_opacity

NARROW_LETTERS, BROAD_LETTERS = frozenset("iljftrI.,:;'|!()[] "), frozenset("mwMW@%—…")
COLOUR_BAR_WIDTH = 104  # pixels for a colour bar, "≤ −0.0025" beside it, and its title
LINE_HEIGHT = 18  # pixels of a line of text beside an axis
MAX_LABEL_CHARACTERS = 12  # of a word beside an axis
MAX_NUMBERS = 12  # numbers below an axis that a phone has room for
MAX_KEY_LABELS, MAX_QUERY_LABELS = 20, 24  # words below and beside one of several pictures
PREFIX_COLOUR = "#009E73"
TICK_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500)


def panel_domains(widths: Sequence[float], gap: float) -> list[list[float]]:
    """Return where each of several pictures begins and ends, as shares of the whole."""
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
    """Return the title of an axis."""
    return {**AXIS["title"], "text": words}


def label_width(words: Sequence[str], size: int) -> float:
    """Pixels that the longest of several words needs beside an axis, its title included."""
    return 2 * LINE_HEIGHT + 4 + max((_text_width(word, size) for word in words), default=0)


def _text_width(word: str, size: int) -> float:
    """Estimate the width of a text in pixels from its letters."""
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


def shortened(text: str) -> str:
    """The text in as many characters as there is space for beside an axis."""
    return text if len(text) <= MAX_LABEL_CHARACTERS else f"{text[: MAX_LABEL_CHARACTERS - 1]}…"


def thin_numbers(count: int, most: int = MAX_NUMBERS) -> list[int]:
    """Return the indices, of `count` things numbered from one, whose numbers are written.

    All of them while they are few; then 1, 3, 5, … or 1, 5, 10, …
    """
    step = next((step for step in TICK_STEPS if count <= most * step), TICK_STEPS[-1])
    if step <= 2:
        return list(range(0, count, step))
    return [0, *range(step - 1, count, step)]


def layer_ticks(names: Sequence[str]) -> dict[str, Any]:
    """Return ticks below layers at 0, 1, …, given names such as "Decoder 3".

    Numbers are thinned for each stack; its name stands below its first number, where there are
    several.
    """
    stacks: dict[str, list[int]] = {}
    for position, name in enumerate(names):
        stacks.setdefault(name.rpartition(" ")[0], []).append(position)
    values, texts = [], []
    for stack, positions in stacks.items():
        most = max(2, MAX_NUMBERS * len(positions) // max(len(names), 1))
        for index in thin_numbers(len(positions), most):
            values.append(positions[index])
            heading = f"<br>{plotly_text(stack)}" if not index and len(stacks) > 1 else ""
            texts.append(f"{names[positions[index]].rpartition(' ')[2]}{heading}")
    title = (
        f"Layer of the {plotly_text(next(iter(stacks)).lower())}" if len(stacks) == 1 else "Layer"
    )
    return {"tickvals": values, "ticktext": texts, "tickangle": 0, "title": axis_title(title)}


@dataclass(frozen=True)
class AttentionPanel:
    """One picture of attention weights (q, p + k): p positions of a prefix, then k keys."""

    title: str
    weights: np.ndarray
    queries: Sequence[str]  # q
    keys: Sequence[str]  # k
    prefix_length: int = 0  # p
    colour_axis: str = "coloraxis"

    @property
    def columns(self) -> list[int]:
        """Numbers of the columns; those of the prefix are negative."""
        return list(range(-self.prefix_length, len(self.keys)))

    def heatmaps(self, number: int) -> list[dict[str, Any]]:
        """Return the traces of the picture `number` places from the left: content, then prefix."""
        prefix = [f"P{n + 1}" for n in range(self.prefix_length)]
        keys = [*prefix, *map(plotly_text, self.keys)]
        content, prefix_weights = (self.weights.astype(np.float32) for _ in range(2))
        content[:, : self.prefix_length] = np.nan
        prefix_weights[:, self.prefix_length :] = np.nan
        trace = {
            "type": "heatmap",
            "z": content,
            "x": self.columns,
            "y": list(range(len(self.queries))),
            "xaxis": axis_name("x", number),
            "yaxis": axis_name("y", number),
            "coloraxis": self.colour_axis,
            "customdata": [
                [f"{plotly_text(q)} looks at {key}" for key in keys] for q in self.queries
            ],
            "hovertemplate": "%{customdata}: %{z:.4f}<extra></extra>",
        }
        return [trace, trace | {"z": prefix_weights, "coloraxis": "coloraxis3"}][
            : 1 + bool(self.prefix_length)
        ]

    def axes(self, number: int, domain: Sequence[float], **key_axis: Any) -> dict[str, Any]:
        """Return its two axes by plotly's names for them, with as many words as have room."""
        prefix = [f"<i>P{n + 1}</i>" for n in range(self.prefix_length)]
        keys = prefix + [plotly_text(shortened(key)) for key in self.keys]
        step = -(-len(keys) // MAX_KEY_LABELS)
        query_step = -(-len(self.queries) // MAX_QUERY_LABELS)
        x = x_axis(
            number,
            domain,
            tickvals=self.columns[::step],
            ticktext=keys[::step],
            range=[self.columns[0] - 0.5, self.columns[-1] + 0.5],
            showgrid=False,
            **key_axis,
        )
        y = y_axis(
            number,
            tickvals=list(range(0, len(self.queries), query_step)),
            ticktext=[plotly_text(shortened(query)) for query in self.queries[::query_step]],
            range=[len(self.queries) - 0.5, -0.5],
            showgrid=False,
        )
        return {axis_name("xaxis", number): x, axis_name("yaxis", number): y}


def attention_figure(
    panels: Sequence[AttentionPanel], gap: float, **key_axis: Any
) -> dict[str, Any]:
    """Return heat maps side by side on one scale from 0 on, as the fields of a plotly figure.

    What a prefix takes is green.
    """
    domains = panel_domains([len(panel.columns) for panel in panels], gap)
    key_axis = {"title": axis_title("Key"), "tickangle": -90} | key_axis
    axes: dict[str, Any] = {}
    for number, (panel, domain) in enumerate(zip(panels, domains, strict=True)):
        axes |= panel.axes(number, domain, **key_axis)
    axes["yaxis"]["title"] = axis_title("Query")
    limit = colour_limit(*(panel.weights for panel in panels if panel.colour_axis == "coloraxis"))
    layout = {
        "template": TEMPLATE,
        **axes,
        "annotations": [
            panel_heading(panel.title, domain)
            for panel, domain in zip(panels, domains, strict=True)
        ],
        "coloraxis": {
            "cmin": 0,
            "cmax": limit.top,
            "colorbar": {
                "title": {"text": "Attention", "side": "right"},
                "thickness": 12,
                "outlinewidth": 0,
                **limit.bar_ticks(signed=False),
            },
        },
        "coloraxis3": {
            "cmin": 0,
            "cmax": limit.top,
            "colorscale": [[0, with_opacity(PREFIX_COLOUR, 0)], [1, PREFIX_COLOUR]],
            "showscale": False,
        },
    }
    traces = [panel.heatmaps(number) for number, panel in enumerate(panels)]
    content, prefixes = [each[0] for each in traces], [each[1] for each in traces if each[1:]]
    return {"data": content + prefixes, "layout": layout}
