"""A chart on a page: picture, text alternative, and the same numbers as a table to download.

Figures come from `app.figures`; this file only puts them on the page.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app import errors, theme
from app.widgets import download

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
    picture: Picture = st.session_state.get("charts.picture", "svg")
    ground: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    # Streamlit hands a chart to Plotly twice; an unchanged revision says that its data are the old.
    figure.update_layout(template=theme.template(ground), datarevision=1)
    widget = f"{key}.{picture}"

    def clicked() -> None:
        points = st.session_state[widget]["selection"]["points"]
        if points and on_select:
            on_select(list(points[0]["customdata"]))

    st.plotly_chart(
        figure,
        width="stretch",
        theme=None,  # Streamlit's own would turn all text grey
        key=widget,
        config=theme.config(name, picture),
        alt=alt,
        on_select=clicked if on_select else "ignore",
        selection_mode="points",
    )
    if callable(table):
        _opened(table, key, name, alt, columns)
    elif table is not None:
        with st.expander(TITLE, icon=ICON):
            _rows(table, key, name, alt, columns)


@st.fragment
@errors.guarded
def _opened(
    make: Callable[[], pd.DataFrame], key: str, name: str, alt: str, columns: dict[str, Any] | None
) -> None:
    with st.expander(TITLE, icon=ICON, key=f"{key}.opened", on_change="rerun") as box:
        if box.open:
            _rows(make(), key, name, alt, columns)


def _rows(
    table: pd.DataFrame, key: str, name: str, alt: str, columns: dict[str, Any] | None
) -> None:
    st.dataframe(table, hide_index=True, alt=alt, column_config=columns)
    download(table, key=f"{key}.table", name=name)


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
