"""Every address of the pages of commit e6a3bd9 opens its page and shows what it did then."""

import pytest
from streamlit.testing.v1 import AppTest
from support.old_workspace import EXPECTED, old, old_home  # noqa: F401
from support.pages import MAIN, open_page, sound, words

from app.ui.url_state import RENAMED_VIEWS
from peftcore.system.faults import log_file

LABS_ON_THE_FRAME = (
    *("attention", "limits", "landscape", "scaling", "atoms", "components", "toys", "images"),
)
RENAMED_CHOICES = {
    "toys.experiment": "toys.view",
    "images.task": "images.kind",
}  # of labs that came onto the frame later


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """Nothing is loaded in the background, and no worker takes the job that waits."""
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    monkeypatch.setattr("app.state.cache.imports_ready", lambda: True)
    monkeypatch.setattr("app.ui.job_panel.restart_missing_workers", lambda *_: 0)


def test_toy_results_of_ones_own_can_be_chosen():
    app = open_page("toys", **{"toys.experiment": "01"})
    app.segmented_control(key="toys.results-01").set_value("Yours, quick").run()
    assert sound(app)
    assert any(frame.value.shape[0] >= 3 for frame in app.dataframe)  # a row for each stage


def as_rater(query):
    """The app as a rater's link opens it."""
    app = AppTest.from_file(MAIN, default_timeout=60)
    for key, value in query.items():
        app.query_params[key] = value
    return app.run()


def name(link):
    return "-".join((link["page"], *link["query"].values()))[:60]


@pytest.mark.parametrize("link", EXPECTED["links"], ids=name)
def test_an_old_address_shows_what_it_did(link):
    query = link["query"]
    app = as_rater(query) if "r" in query else open_page(link["page"], **query)
    assert sound(app), log_file().read_text() if log_file().exists() else app.exception
    if link["page"] != "home":  # which begins with a picture and its question now
        assert [title.value for title in app.title] == link["titles"]
    chosen = app.session_state._state.filtered_state
    state = link["state"] | {
        key: new for (key, before), new in RENAMED_VIEWS.items() if link["state"].get(key) == before
    }
    state = {RENAMED_CHOICES.get(key, key): value for key, value in state.items()}
    assert {key: chosen.get(key) for key in state} == state
    assert "asks for" not in words(app)  # nothing in the address was refused
    # On Compare all seeds stand above every view now, and the table of runs is a view of its own.
    nobody_to_agree = link["page"] == "ratings" and "of two raters" in words(app)
    compare = link["page"] == "compare"
    seeds = compare and query["compare.view"] != "Scores"
    if link["page"] in LABS_ON_THE_FRAME:  # whose tables are made behind the menu of a picture
        # The run that the address names was passed over by two labs; its texts are too long there.
        too_long = "up to 160" in words(app)
        assert bool(app.get("plotly_chart")) == bool(link["charts"] and not too_long)
        return
    if link["page"] == "home" or nobody_to_agree:
        return
    assert len(app.get("plotly_chart")) == link["charts"] + seeds
    set_apart = link["page"] == "runs"  # the table of all runs is a view of its own
    if compare and query["compare.view"] == "Labels":  # whose tables are made once they are opened
        assert not app.dataframe
        return
    assert len(app.dataframe) == link["tables"] - compare - set_apart
