"""Our own components: a script and a style sheet of one name in app/frontend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FRONTEND = Path(__file__).parents[1] / "frontend"


def own_component(name: str, html: str | None = None, shared: str = "") -> Any:
    """Register a component under the name of its files; Streamlit keeps one for each name.

    shared: a script whose functions it calls, which several components have.
    """
    scripts = [f"{each}.js" for each in (shared, name) if each]
    return st.components.v2.component(
        name,
        html=html,
        css=(FRONTEND / f"{name}.css").read_text("utf-8"),
        js="\n".join((FRONTEND / script).read_text("utf-8") for script in scripts),
    )
