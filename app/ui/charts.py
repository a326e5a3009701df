"""A chart on a page: picture, text alternative, and the same numbers as a table to download.

Figures come from `app.figures`; this file only puts them on the page.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from app.figures import theme
from app.ui import errors, page_actions
from app.ui.widgets import csv_bytes, download

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

ImageFormat = Literal["svg", "png"]
Table: TypeAlias = pd.DataFrame | Callable[[], pd.DataFrame]
LABEL_PITCH = 13  # pixels from one upright label to the next at which both can be read
MAX_LABEL_STEP = 12  # labels of which a narrow chart shows at least one
TITLE_SIZES = ((560, 11), (420, 9))  # of titles side by side, in charts up to so many pixels wide
CHART_MARGINS = 190  # pixels of a chart's width that are not its pictures'
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
    _draw(figure, f"{key}.{file_format}", alt, theme.chart_config(name, file_format), on_select)
    if callable(table):
        lazy_table(table, key, name, alt)
    elif table is not None:
        with st.expander(TABLE_TITLE, icon=TABLE_ICON):
            _table_with_download(table, key, name, alt)


def picture(
    figure: go.Figure,
    *,
    key: str,
    name: str,
    alt: str,
    table: Table | None = None,
    on_select: Callable[[list[Any]], None] | None = None,
) -> DeltaGenerator:
    """The figure of a lab, and below it one menu with table, SVG, PNG and CSV.

    Returns the place beside the menu, for a quiet line of what the picture rests on.
    """
    _draw(figure, key, alt, {"displayModeBar": False}, on_select)
    return picture_menu(key, name, alt, table)


def picture_menu(
    key: str,
    name: str,
    alt: str,
    table: Table | None,
    *,
    is_chart: bool = True,
    svg: Callable[[], bytes] | None = None,
) -> DeltaGenerator:
    """The menu below a picture; returns the place beside it.

    What is no chart is saved as the file that `svg` makes, if it makes one.
    """
    with st.container(horizontal=True, key=f"quiet-{key.replace('.', '-')}"):
        quiet = st.container(width="stretch")
        with st.popover("Save", type="tertiary", icon=":material/download:", key=f"{key}.menu"):
            shown = False
            if table is not None:
                shown = st.toggle(TABLE_TITLE, key=f"{key}.opened", persist_state="session")
                st.download_button(
                    "CSV",
                    lambda: csv_bytes(table() if callable(table) else table),
                    file_name=f"{name}.csv",
                    mime="text/csv",
                    key=f"{key}.table.download",
                    on_click="ignore",
                )
            if is_chart:
                page_actions.save_picture(key, name)
            elif svg is not None:
                st.download_button(
                    "SVG",
                    svg,
                    file_name=f"{name}.svg",
                    mime="image/svg+xml",
                    key=f"{key}.svg",
                    on_click="ignore",
                )
    if shown and table is not None:
        st.dataframe(table() if callable(table) else table, hide_index=True, alt=alt)
    return quiet


def _draw(
    figure: go.Figure,
    widget_key: str,
    alt: str,
    config: dict[str, Any],
    on_select: Callable[[list[Any]], None] | None,
) -> None:
    """Put a figure on the page, in its colours and its width."""
    background: Literal["light", "dark"] = "dark" if st.context.theme.type == "dark" else "light"
    # Streamlit hands a chart to Plotly twice; an unchanged revision says that its data are the old.
    figure.update_layout(datarevision=1)
    if figure.layout.template.layout.paper_bgcolor != theme.BACKGROUNDS[background]:
        figure.update_layout(template=theme.chart_template(background))  # slow: it is checked whole

    def clicked() -> None:
        points = st.session_state[widget_key]["selection"]["points"]
        if points:
            st.session_state[f"{widget_key}.last"] = list(points[0]["customdata"])
        # A second click on a point takes the selection away, but it was a click on that point.
        point = st.session_state.get(f"{widget_key}.last")
        if point is not None and on_select:
            on_select(point)

    _fit_to_width(figure, widget_key)
    st.plotly_chart(
        figure,
        width="stretch",
        theme=None,  # Streamlit's own would turn all text grey
        key=widget_key,
        config=config,
        alt=alt,
        on_select=clicked if on_select else "ignore",
        selection_mode="points",
    )


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


def _fit_to_width(figure: go.Figure, widget_key: str) -> None:
    """Let upright labels below a chart, and titles side by side, make room where it is narrow.

    Only the browser knows how wide a chart is, so every second, third, … label goes by a rule.
    """
    place, rules, upright = f".st-key-{widget_key.replace('.', '-')}", [], 0
    for name, axis in figure.layout.to_plotly_json().items():
        if not name.startswith("xaxis") or not _takes_a_pitch(axis):
            continue
        upright += 1
        start, end = axis.get("domain", (0, 1))
        labels_width = len(axis.get("tickvals", ())) * LABEL_PITCH / (end - start)
        tick = f".x{name.removeprefix('xaxis')}tick"
        for step in range(2, MAX_LABEL_STEP + 1):
            widest, narrowest = (labels_width / n + CHART_MARGINS for n in (step - 1, step))
            rules.append(
                f"@container (max-width: {widest:.2f}px) and (min-width: {narrowest + 0.01:.2f}px) "
                f"{{ {place} {tick}:not(:nth-child({step}n + 1)) {{ display: none }} }}"
            )
    if upright > 1:  # their titles stand side by side, too
        rules += [
            f"@container (max-width: {width}px) "
            f"{{ {place} .annotation-text {{ font-size: {size}px !important }} }}"
            for width, size in TITLE_SIZES
        ]
    if rules:
        st.html(f"<style>{place} {{ container-type: inline-size }} {' '.join(rules)}</style>")


def _takes_a_pitch(axis: Mapping[str, Any]) -> bool:
    """Return whether labels take little width: upright ones, and one or two signs that lie."""
    words = [re.sub("<[^>]*>", "", str(text)) for text in axis.get("ticktext") or ("many",)]
    lying = axis.get("tickangle") == 0 and max(map(len, words)) <= 2
    return lying or axis.get("tickangle") == -90


def overlay_frame(key: str, css: dict[str, str]) -> None:
    """A frame above a picture, which need not be drawn again when the frame moves."""
    rules = "; ".join(f"{name}: {value}" for name, value in css.items())
    selector = f'.st-key-{key.replace(".", "-")} [data-testid="stPlotlyChart"]'
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
