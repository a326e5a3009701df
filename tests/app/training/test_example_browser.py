"""Examples of a task: found, and one of them shown."""

from __future__ import annotations

from support.pages import open_page, sound

from app.state import cache
from app.training import example_browser


def found_examples(app):
    return next(table.value for table in app.dataframe if "Input" in table.value)


def test_data_finds_the_examples_that_hold_a_word():
    app = open_page("data")
    first = found_examples(app)["Input"].iloc[0]
    word = max(first.split(), key=len)
    app.text_input(key="data.search").set_value(word.upper()).run()
    found = found_examples(app)["Input"]
    assert first in set(found)
    assert all(word.lower() in text.lower() for text in found)
    app.text_input(key="data.search").set_value("zebrafish quartet").run()
    assert found_examples(app).empty
    assert sound(app)


def test_data_shows_the_example_that_was_ticked(monkeypatch):
    rows = cache.split_examples("miniworld_nli", "train").examples
    state = {"data.table.train": {"selection": {"rows": [1]}}}
    options = {}
    monkeypatch.setattr("streamlit.session_state", state)
    monkeypatch.setattr("streamlit.dataframe", lambda *given, **more: options.update(more))
    example_browser.select_example(rows[4:9], rows, "train")
    options["on_select"]()
    assert state["data.example.train"] == 6  # counted from one
