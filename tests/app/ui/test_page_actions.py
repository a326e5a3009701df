"""What buttons that act in the browser are handed."""

from app.ui import page_actions


def sent(monkeypatch, act, *args):
    calls = []
    monkeypatch.setattr(page_actions, "PAGE_ACTIONS", lambda **more: calls.append(more))
    act(*args)
    [call] = calls
    return call


def test_a_link_is_copied_without_a_chart(monkeypatch):
    call = sent(monkeypatch, page_actions.copy_link)
    assert call["data"] == {"actions": [{"act": "copy", "label": "Copy link"}]}


def test_a_chart_is_named_as_its_element_on_the_page_is(monkeypatch):
    """Streamlit writes dots of a key as dashes into the class of its element."""
    call = sent(monkeypatch, page_actions.save_picture, "compare.scores.2", "runs")
    assert call["key"] == "compare.scores.2.save"
    assert (call["data"]["chart"], call["data"]["name"]) == ("compare-scores-2", "runs")
    assert [action["act"] for action in call["data"]["actions"]] == ["svg", "png"]
