"""A read-only server: everything is shown, and nothing started or changed."""

from support.pages import open_page

from peftcore.jobs.queue import Queue


def test_a_page_says_so_and_refuses_what_changes(monkeypatch):
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    page = open_page("runs", "Queue")
    assert any("only shows" in box.value for box in page.info)
    page.button(key="runs.queue.pause").click().run()
    assert any("nothing can be started or changed" in box.value for box in page.error)
    assert not Queue().paused
