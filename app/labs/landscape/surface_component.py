"""The 3D loss surface on its page: it can be turned, and its points can be clicked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from app.ui import charts
from app.ui.own_components import own_component

LOSS_SURFACE = own_component(
    "loss_surface", '<div class="loss-surface"></div>', shared="save_picture"
)


def show_loss_surface(
    figure: dict[str, Any], *, key: str, name: str, alt: str, on_select: Callable[[int], None]
) -> None:
    """Put a surface on the page; `on_select` gets the row of the point that was clicked."""

    def clicked() -> None:
        point = (st.session_state.get(key) or {}).get("point")
        if point is not None:
            on_select(int(point))

    data = figure | {"alt": alt, "name": name, "picture": charts.image_format()}
    LOSS_SURFACE(key=key, data=data, on_point_change=clicked)
