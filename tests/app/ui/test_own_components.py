"""Our own components are registered under the name of their files."""

import re

import pytest
import streamlit as st

from app.ui import own_components


@pytest.fixture
def registered(monkeypatch):
    calls = {}
    monkeypatch.setattr(st.components.v2, "component", lambda name, **parts: calls | {name: parts})
    return lambda *args, **more: own_components.own_component(*args, **more)


def test_script_and_style_are_those_of_the_name(registered):
    parts = registered("attention_row", "<p></p>")["attention_row"]
    assert parts["html"] == "<p></p>"
    assert parts["css"] == (own_components.FRONTEND / "attention_row.css").read_text("utf-8")
    assert parts["js"] == (own_components.FRONTEND / "attention_row.js").read_text("utf-8")


def test_a_shared_script_comes_before_the_one_that_calls_it(registered):
    js = registered("page_actions", shared="save_picture")["page_actions"]["js"]
    shared = (own_components.FRONTEND / "save_picture.js").read_text("utf-8")
    assert js.startswith(shared)
    assert len(js) > len(shared)


def test_every_script_and_style_in_the_folder_belongs_to_a_component_or_a_page():
    """A file that nothing names is left over from a component that went."""
    app = own_components.FRONTEND.parent
    sources = "\n".join(path.read_text("utf-8") for path in app.rglob("*.py"))
    names = {path.stem for path in own_components.FRONTEND.glob("*.[jc]s*")}
    unused = {name for name in names if not re.search(rf"[\"'/]{name}[\"'.]", sources)}
    assert not unused
