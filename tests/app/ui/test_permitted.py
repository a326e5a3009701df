"""Buttons are greyed with the core's own reason for whoever may not press them."""

from app.ui import permitted
from peftcore.jobs.queue import Queue
from peftcore.runs.spec import RunSpec
from peftcore.system import people
from peftcore.system.people import Person


def test_who_only_looks_finds_every_button_greyed_with_the_reason():
    with people.acting_as(Person("eve", "viewer")):
        start = permitted.to_start(help="Begins")
        change = permitted.to_change("stop", "run 1", help="Stops")
    assert start["disabled"]
    assert change["disabled"]
    assert start["help"] not in ("", "Begins", None)


def test_what_belongs_to_another_is_greyed_and_named():
    with people.acting_as(Person("ann", "experimenter")):
        run = f"run {Queue().submit(RunSpec(base='b', task='t', method='m')).run_id}"
        assert permitted.to_change("stop", run, help="Stops") == {
            "disabled": False,
            "help": "Stops",
        }
    with people.acting_as(Person("bob", "experimenter")):
        found = permitted.to_change("stop", run, help="Stops")
    assert found["disabled"]
    assert "belongs to ann" in found["help"]


def test_a_button_that_waits_for_something_else_stays_greyed_and_keeps_its_help():
    found = permitted.to_start(help="Choose a method first", disabled=True)
    assert found == {"disabled": True, "help": "Choose a method first"}
