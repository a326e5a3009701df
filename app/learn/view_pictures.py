"""A lab's own page as the picture of a step: what "Add to a story" keeps is shown live."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import streamlit as st

from app import nav
from app.learn.picture import Options, Picture, Shown, fitted
from peftcore.errors import unknown_name
from peftcore.stories.own_steps import LAB_VIEW

VIEW_HEIGHT = 560  # pixels; what is longer scrolls in its frame


def view_address(page: str, query: str) -> str:
    """Return the address of a page without side bar and menu; BadInput if there is no such page."""
    pages = [entry.name for entry in nav.page_entries()]
    if page not in pages:
        raise unknown_name("page", page, pages)
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    path = "/".join(["", *filter(None, [base]), page])
    return f"{path}?{urlencode([*parse_qsl(query), ('embed', 'true')])}"


def _lab_view(options: Options, value: str) -> Shown:
    page = str(options["page"])
    address = view_address(page, str(options.get("query", "")))
    st.iframe(address, height=fitted(VIEW_HEIGHT), alt=f"The page {nav.find_page(page).title}")
    return Shown("", f"The page {nav.find_page(page).title}, live")


PICTURES = {LAB_VIEW: Picture(_lab_view, frozenset({"page", "query"}))}
