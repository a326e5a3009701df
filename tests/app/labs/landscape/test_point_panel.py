"""A point that was clicked, and its adapter's answer."""

from support.landscape_page import measured, simplex_run
from support.pages import open_page, sound

from app.labs.landscape import point_panel
from peftcore.labs.landscape.request import LandscapeRequest


def test_a_clicked_point_can_be_asked(monkeypatch):
    run = simplex_run()
    found = measured(LandscapeRequest.make({"kind": "face", "runs": [run.id]}))
    asked = []
    monkeypatch.setattr("app.state.wait_for_imports.ready_or_wait", lambda name: True)
    monkeypatch.setattr(
        "app.labs.landscape.point_panel.point_answer",
        lambda *given: asked.append(given) or "yes <b>because</b>",
    )
    page = open_page("landscape")
    page.session_state[point_panel.CHOSEN_KEY] = (found.id, 17)
    page.run()
    weights = tuple(found.table()["weights"][17])
    page.button(key="landscape.ask").click().run()
    sound(page)
    assert [(each[0].request, each[1]) for each in asked] == [(found.request, weights)]
    assert any(r"\<b\>because" in text.value for text in page.markdown)
