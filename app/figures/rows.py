"""Figures of rows: one thing a row, its name on the left, the first on top."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go

from app.figures.theme import TEMPLATE, plotly_text


def empty_chart(height: int) -> go.Figure:
    """An empty figure so many pixels high."""
    return go.Figure(layout={"template": TEMPLATE, "height": height, "showlegend": False})


def label_rows(figure: go.Figure, names: Sequence[str]) -> None:
    """Names on the left; row n lies at -n."""
    figure.update_yaxes(
        tickvals=[-index for index in range(len(names))],
        ticktext=[two_line_name(name) for name in names],
        range=[-len(names) + 0.5, 0.6],
        showgrid=False,
        ticks="",
    )


def two_line_name(name: str) -> str:
    """A long name in two lines: the method, and what it differs in."""
    head, _, rest = name.partition(" · ")
    return f"{plotly_text(head)}<br><sup>{plotly_text(rest)}</sup>" if rest else plotly_text(head)


def wrap_title(title: str, width: int = 20) -> str:
    """A title on several lines of about so many characters."""
    lines: list[str] = [""]
    for word in title.split():
        if len(lines[-1]) + len(word) > width and lines[-1]:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    return "<br>".join(map(plotly_text, lines))
