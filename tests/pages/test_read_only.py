"""A read-only server: everything is shown, and nothing started or changed."""

import pytest
from support.pages import open_page

from peftcore.jobs.queue import Queue
from peftcore.system.rights import NotAllowed


def test_a_page_says_so_and_refuses_what_changes(monkeypatch):
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    page = open_page("runs", "Queue")
    assert any("only shows" in box.value for box in page.info)
    for key in ("runs.queue.pause", "runs.queue.start"):
        assert page.button(key=key).disabled
        assert "nothing can be started or changed" in page.button(key=key).help
    with pytest.raises(NotAllowed, match="nothing can be started or changed"):
        Queue().pause()  # as a click that somebody forged would
    assert not Queue().paused
