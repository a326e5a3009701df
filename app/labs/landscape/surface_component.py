"""The 3D loss surface on its page: it can be turned, and its points can be clicked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import streamlit as st

from app.ui import charts

FRONTEND = Path(__file__).parents[2] / "frontend"
LOSS_SURFACE = st.components.v2.component(
    "loss_surface",
    html='<div class="loss-surface"></div>',
    css=(FRONTEND / "loss_surface.css").read_text(encoding="utf-8"),
    js=(FRONTEND / "loss_surface.js").read_text(encoding="utf-8"),
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
