"""A chart on a page: picture, text alternative, and the same numbers as a table to download.

Figures come from `app.figures`; this file only puts them on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import theme
from app.ui import errors
from app.ui.widgets import download

Picture = Literal["svg", "png"]
Table: TypeAlias = pd.DataFrame | Callable[[], pd.DataFrame]
TITLE, ICON = "The same as a table", ":material/table:"


def chart(
    figure: go.Figure,
    *,
    key: str,
    name: str,
    alt: str,
    table: Table | None = None,
    columns: dict[str, Any] | None = None,
    on_select: Callable[[list[Any]], None] | None = None,
) -> None:
    """The figure in the page's width, its numbers below; saved files are called `name`.

    `on_select` is told the custom data of the point that was clicked.  A table given as a function
    is made once somebody opens it, so that charts which change with every click cost no more.
    """
    saved = picture()
    ground: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    # Streamlit hands a chart to Plotly twice; an unchanged revision says that its data are the old.
    figure.update_layout(template=theme.template(ground), datarevision=1)
    widget = f"{key}.{saved}"

    def clicked() -> None:
        points = st.session_state[widget]["selection"]["points"]
        if points:
            st.session_state[f"{widget}.last"] = list(points[0]["customdata"])
        # A second click on a point takes the selection away, but it was a click on that point.
        spot = st.session_state.get(f"{widget}.last")
        if spot is not None and on_select:
            on_select(spot)

    st.plotly_chart(
        figure,
        width="stretch",
        theme=None,  # Streamlit's own would turn all text grey
        key=widget,
        config=theme.config(name, saved),
        alt=alt,
        on_select=clicked if on_select else "ignore",
        selection_mode="points",
    )
    if callable(table):
        numbers(table, key, name, alt, columns)
    elif table is not None:
        with st.expander(TITLE, icon=ICON):
            _rows(table, key, name, alt, columns)


@st.fragment
@errors.guarded
def numbers(
    make: Callable[[], pd.DataFrame],
    key: str,
    name: str,
    alt: str,
    columns: dict[str, Any] | None = None,
) -> None:
    """What a chart shows as a table, made once somebody opens it."""
    with st.expander(TITLE, icon=ICON, key=f"{key}.opened", on_change="rerun") as box:
        if box.open:
            _rows(make(), key, name, alt, columns)


def _rows(
    table: pd.DataFrame, key: str, name: str, alt: str, columns: dict[str, Any] | None
) -> None:
    st.dataframe(table, hide_index=True, alt=alt, column_config=columns)
    download(table, key=f"{key}.table", name=name)


def frame(key: str, place: dict[str, str]) -> None:
    """A frame above a chart, which need not be drawn again when the frame moves; `place` is CSS."""
    rules = "; ".join(f"{name}: {value}" for name, value in place.items())
    here = f'.st-key-{key.replace(".", "-")}-{picture()} [data-testid="stPlotlyChart"]'
    st.html(
        f"<style>{here} {{ position: relative }} {here}::after {{ content: ''; position: absolute; "
        f"box-sizing: border-box; pointer-events: none; {rules} }}</style>"
    )


def picture() -> Picture:
    """The format in which the reader wants pictures saved."""
    chosen: Picture = st.session_state.get("charts.picture", "svg")
    return chosen


def picture_format() -> None:
    """Lets the reader choose what the camera button of every chart saves."""
    st.segmented_control(
        "Pictures are saved as",
        ["svg", "png"],
        default="svg",
        required=True,
        format_func=str.upper,
        key="charts.picture",
        persist_state="session",
        help="The camera button at the top right of a chart saves it in this format.",
    )
