"""Who acts: the machine's user, a session, or somebody that the program acts for."""

import pytest

from peftcore.system import people
from peftcore.system.people import Person


@pytest.fixture(autouse=True)
def _no_session(monkeypatch):
    monkeypatch.setattr(people, "_sources", [])
    for name in ("PEFTCORE_PERSON", "PEFTCORE_READ_ONLY"):
        monkeypatch.delenv(name, raising=False)


def test_on_ones_own_machine_everything_may_be_done_without_a_name(monkeypatch):
    assert people.who() == Person("", "admin")
    monkeypatch.setenv("PEFTCORE_PERSON", " Ann@Lab.example ")
    assert people.who() == Person("ann@lab.example", "admin")


def test_a_session_says_who_acts_and_nobody_else_does():
    people.ask_sessions(lambda: Person("bob", "experimenter"))
    assert people.who().name == "bob"
    people.ask_sessions(lambda: None)
    assert people.who() == Person("", "admin")


def test_a_read_only_server_makes_everybody_a_viewer(monkeypatch):
    monkeypatch.setenv("PEFTCORE_READ_ONLY", "1")
    people.ask_sessions(lambda: Person("bob", "admin"))
    assert people.who() == Person("bob", "viewer")
    with people.acting_as(people.PROGRAM):
        assert people.who().role == "admin"
    assert people.who().role == "viewer"
