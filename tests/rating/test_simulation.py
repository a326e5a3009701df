"""Simulated raters: seeded, and said to be none."""

import json

import pytest
from support.ratings import ME, counted, item, project

from peftcore import rating
from peftcore.rating import bundle, demo, simulation


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    return demo.open_rating_store(f"sqlite:///{tmp_path_factory.mktemp('book') / 'lab.sqlite'}")


def simulated(home, name):
    """A small project rated by the simulation, with ids that count up."""
    book = rating.RatingStore(f"sqlite:///{home / name}", lambda: 1.0, counted())
    made = project(book, [item(n) for n in range(3)])
    known = {f"sentence {n} | claim {n}": ("neutral", f"reason {n}") for n in range(3)}
    assert simulation.simulate_raters(book, ME, made.id, known, raters=2) == 6
    return book, made


def test_the_simulation_is_seeded_and_says_what_it_is(home):
    (book, made), (other, _) = simulated(home, "one"), simulated(home, "two")
    lines = list(bundle.dump_project(book, ME, made.id))
    assert lines == list(bundle.dump_project(other, ME, made.id))
    assert rating.find_project(book, ME, made.id).simulated
    assert json.loads(lines[0])["facts"]["simulated"] is True


def test_common_words_are_counted_as_often_as_they_occur():
    assert simulation.word_overlap_f1("a b b", "a b c") == pytest.approx(2 * 2 / 6)
    assert simulation.word_overlap_f1("", "a") == 0
