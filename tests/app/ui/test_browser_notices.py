"""Word in the browser: what ended since it was asked for, one's own and nobody's."""

from app.ui import browser_notices
from peftcore.system import notices, people
from peftcore.system.notices import Notice


def test_the_browser_gets_what_ended_since_of_its_person(home):
    for number, owner in enumerate(("", "ann", "bo")):
        notices.send(Notice("train", f"r{number}", "done", f"Run {number}", "m", owner, 10.0))
    notices.send(Notice("train", "old", "done", "Old", "", "", 1.0))
    with people.acting_as(people.Person("ann", "experimenter")):
        found = browser_notices.for_browser(5.0)
    assert [(each["title"], each["body"]) for each in found] == [("Run 0", "m"), ("Run 1", "m")]
    assert len({each["key"] for each in found}) == 2
