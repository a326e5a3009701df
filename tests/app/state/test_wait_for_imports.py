"""Pages that need the heavy packages draw at once and go on when they can."""

import pytest
from streamlit.testing.v1 import AppTest

from app.state import cache, heavy_imports


def page():
    import streamlit as st

    from app.state import wait_for_imports

    if wait_for_imports.ready_or_wait("here"):
        st.write("at work")


@pytest.fixture
def arrived(monkeypatch):
    """Whether the packages are there."""
    state = {"ready": False}
    monkeypatch.setattr(cache, "imports_ready", lambda: state["ready"])
    return state


def test_it_says_what_is_awaited(arrived):
    app = AppTest.from_function(page).run()
    assert "being loaded" in app.caption[0].value
    assert not app.markdown


def test_it_goes_on_when_the_packages_have_come(arrived):
    app = AppTest.from_function(page).run()
    arrived["ready"] = True
    app.run()
    assert app.markdown[0].value == "at work"
    assert not app.caption


def test_the_button_starts_at_once(arrived, monkeypatch):
    loads = []
    monkeypatch.setattr(heavy_imports, "import_all", lambda: loads.append("whole"))
    app = AppTest.from_function(page).run()
    app.button(key="here.start").click().run()
    assert app.markdown[0].value == "at work"
    assert loads  # nothing of the page ran before the packages were whole
    assert app.run().markdown[0].value == "at work"
