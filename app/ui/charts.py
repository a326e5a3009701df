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

ImageFormat = Literal["svg", "png"]
Table: TypeAlias = pd.DataFrame | Callable[[], pd.DataFrame]
TABLE_TITLE, TABLE_ICON = "The same as a table", ":material/table:"


def chart(
    figure: go.Figure,
    *,
    key: str,
    name: str,
    alt: str,
    table: Table | None = None,
    on_select: Callable[[list[Any]], None] | None = None,
) -> None:
    """The figure in the page's width, its numbers below; saved files are called `name`.

    `on_select` gets the custom data of the point that was clicked.  A table given as a function
    is made once somebody opens it, so that charts which change with every click cost no more.
    """
    file_format = image_format()
    background: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    # Streamlit hands a chart to Plotly twice; an unchanged revision says that its data are the old.
    figure.update_layout(template=theme.chart_template(background), datarevision=1)
    widget_key = f"{key}.{file_format}"

    def clicked() -> None:
        points = st.session_state[widget_key]["selection"]["points"]
        if points:
            st.session_state[f"{widget_key}.last"] = list(points[0]["customdata"])
        # A second click on a point takes the selection away, but it was a click on that point.
        point = st.session_state.get(f"{widget_key}.last")
        if point is not None and on_select:
            on_select(point)

    st.plotly_chart(
        figure,
        width="stretch",
        theme=None,  # Streamlit's own would turn all text grey
        key=widget_key,
        config=theme.chart_config(name, file_format),
        alt=alt,
        on_select=clicked if on_select else "ignore",
        selection_mode="points",
    )
    if callable(table):
        lazy_table(table, key, name, alt)
    elif table is not None:
        with st.expander(TABLE_TITLE, icon=TABLE_ICON):
            _table_with_download(table, key, name, alt)


@st.fragment
@errors.guarded
def lazy_table(
    make_table: Callable[[], pd.DataFrame],
    key: str,
    name: str,
    alt: str,
) -> None:
    """Show a chart as a table, made once somebody opens it."""
    with st.expander(TABLE_TITLE, icon=TABLE_ICON, key=f"{key}.opened", on_change="rerun") as box:
        if box.open:
            _table_with_download(make_table(), key, name, alt)


def _table_with_download(table: pd.DataFrame, key: str, name: str, alt: str) -> None:
    st.dataframe(table, hide_index=True, alt=alt)
    download(table, key=f"{key}.table", name=name)


def overlay_frame(key: str, css: dict[str, str]) -> None:
    """A frame above a chart, which need not be drawn again when the frame moves; `place` is CSS."""
    rules = "; ".join(f"{name}: {value}" for name, value in css.items())
    selector = f'.st-key-{key.replace(".", "-")}-{image_format()} [data-testid="stPlotlyChart"]'
    st.html(
        f"<style>{selector} {{ position: relative }} {selector}::after "
        f"{{ content: ''; position: absolute; "
        f"box-sizing: border-box; pointer-events: none; {rules} }}</style>"
    )


def image_format() -> ImageFormat:
    """The format in which the reader wants pictures saved."""
    chosen: ImageFormat = st.session_state.get("charts.picture", "svg")
    return chosen


def image_format_control() -> None:
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
