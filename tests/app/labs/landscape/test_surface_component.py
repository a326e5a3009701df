"""What the turning surface is handed, and what a click on it gives back."""

import streamlit as st

from app.labs.landscape import surface_component
from app.ui import charts


def test_a_click_gives_the_row_of_its_point_and_anything_else_nothing(monkeypatch):
    calls, clicked, state = {}, [], {}
    monkeypatch.setattr(surface_component, "LOSS_SURFACE", lambda **given: calls.update(given))
    monkeypatch.setattr(charts, "image_format", lambda: "svg")
    monkeypatch.setattr(st, "session_state", state)
    surface_component.show_loss_surface(
        {"z": [1]}, key="k", name="losses", alt="in words", on_select=clicked.append
    )
    assert calls["data"] == {"z": [1], "alt": "in words", "name": "losses", "picture": "svg"}
    for value in (None, {}, {"point": None}, {"point": "3"}, {"point": 0}):
        state["k"] = value
        calls["on_point_change"]()
    assert clicked == [3, 0]
