"""What a picture of a story is: options it takes, one knob, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go
import streamlit as st

PRESENT = "present"  # in the address: without the side bar, everything larger
LARGER = 1.6  # pictures of a lecture

Options = Mapping[str, Any]


@dataclass(frozen=True)
class Knob:
    """The one control of a picture: a label, its values in order, and the one to begin with."""

    label: str
    values: Sequence[str]
    first: str
    slides: bool = True  # a slider; otherwise buttons


@dataclass(frozen=True)
class Shown:
    """What a picture says: the finding, computed from what is drawn, and its basis in a line."""

    finding: str = ""
    basis: str = ""


@dataclass(frozen=True)
class Picture:
    """A picture: `show` draws it for options and the knob's value."""

    show: Callable[[Options, str], Shown]
    options: frozenset[str] = frozenset()
    knob: Callable[[Options], Knob | None] = lambda options: None


def is_presented() -> bool:
    """Return whether the page is shown to an audience."""
    return st.query_params.get(PRESENT) == "1"


def fitted(height: int) -> int:
    """Return the height of a picture in pixels, larger before an audience."""
    return round(height * LARGER) if is_presented() else height


def fit(figure: go.Figure, height: int) -> go.Figure:
    """Give a figure its height, and larger type before an audience, where margins can follow."""
    figure.update_layout(height=fitted(height))
    if is_presented() and figure.layout.margin.autoexpand is not False:
        figure.update_layout(font={"size": 20}, title={"font": {"size": 22}})
        figure.update_xaxes(title={"font": {"size": 20}})
        figure.update_yaxes(title={"font": {"size": 20}})
    return figure
