"""The button writes what the command writes, when it is clicked and not before."""

import pytest
import streamlit as st
from support.pages_as_xml import Page
from support.runs import make_runs

from app.compare import report_button
from peftcore.reports import write


@pytest.fixture
def offered(monkeypatch):
    """What the page was given for its button: label, content, file name, the rest."""
    seen = {}

    def button(label, data, file_name, mime, **rest):
        seen.update(label=label, data=data, file_name=file_name, mime=mime, **rest)

    monkeypatch.setattr(st, "download_button", button)
    return seen


def test_the_file_is_made_on_a_click_and_not_before(offered, monkeypatch):
    def fail(*_):
        raise AssertionError("computed before the click")

    runs = make_runs(methods=("lora", "spt"))
    with monkeypatch.context() as before:
        before.setattr(report_button, "build_report", fail)
        report_button.offer_report(runs, "accuracy")
    assert (offered["file_name"], offered["mime"]) == (
        "miniworld_nli-accuracy-report.html",
        "text/html",
    )
    assert callable(offered["data"])
    page = Page(offered["data"]().decode())
    assert "Accuracy: LoRA" in page.text
    assert offered["on_click"] == "ignore"  # the page stays as it is


def test_the_report_is_of_the_choice_on_the_page(offered):
    runs = make_runs(methods=("lora", "spt"))
    report_button.offer_report(runs, "f1", 7, "these examples")
    text = Page(offered["data"]().decode()).text
    assert "F1, macro: LoRA" in text
    assert "margin of equality 7 points" in text
    assert "on these very examples" in text
    options = write.ReportOptions("f1", 7, "these examples")
    assert write.build_report(runs, options).title in text


def test_streamlit_takes_a_function_as_content():
    """What the button rests on: a version without it would need the bytes at once."""
    from streamlit.testing.v1 import AppTest

    def page():
        import streamlit

        streamlit.download_button("Report", lambda: b"made", "a.html", "text/html")

    assert not AppTest.from_function(page).run().exception
