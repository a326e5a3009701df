"""A read-only server: everything is shown, and nothing started or changed."""

import pytest
from support import ratings as rated
from support.pages import open_page
from support.runs import make_run

from peftcore import rating
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


def refusing(page, *keys):
    """Whether these buttons are greyed and say why."""
    buttons = [page.button(key=key) for key in keys]
    return all(each.disabled and "nothing can be started" in each.help for each in buttons)


def test_buttons_that_change_something_are_greyed_with_the_reason(monkeypatch):
    run = make_run(training={"steps": 7})  # unlike any run that ships
    book = rating.RatingStore()
    made = rated.project(book)
    book.close()
    monkeypatch.setenv("PEFTCORE_WARM", "0")
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    train = open_page("train")
    assert refusing(train, "train.start", "train.sweep", "sweep.start")
    assert refusing(open_page("runs", run=run.id), "runs.delete", f"runs.words.{run.id}.keep")
    project = open_page("rate", project=made.id)
    [invite] = [each for each in project.button if each.label == "Make links"]
    assert invite.disabled
    assert project.toggle(key=f"rate.is_open.{made.id}").disabled
