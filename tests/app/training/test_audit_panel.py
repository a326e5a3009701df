"""The log of acts on the Queue, which admins read."""

from support.pages import open_page

from peftcore.jobs.queue import Queue
from peftcore.system import people
from peftcore.system.people import Person


def logs(page):
    return [each.value for each in page.dataframe if "Outcome" in each.value]


def test_admins_read_who_did_what_and_others_do_not(monkeypatch):
    assert not logs(open_page("runs", "Queue"))  # nobody with a name has acted
    with people.acting_as(Person("eve", "admin")):
        Queue().pause()
        Queue().unpause()
    [log] = logs(open_page("runs", "Queue"))
    assert list(zip(log["Who"], log["Did"], log["To"], strict=True)) == [
        ("eve", "start", "the queue"),
        ("eve", "pause", "the queue"),
    ]
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    assert not logs(open_page("runs", "Queue"))
