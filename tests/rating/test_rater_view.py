"""All that a rater sees."""

import pytest
from support.ratings import counted, project, rate_next, rater

from peftcore import rating


@pytest.fixture
def book(home):
    return rating.RatingStore(new_id=counted())


def judge(verdict="yes", **more):
    return rating.Judgement(verdict=verdict, **more)


def test_nothing_is_shown_or_rated_before_the_own_answer(book):
    who = rater(book, project(book))
    shown = rating.next_item(book, who)
    assert (shown.texts, shown.right_answer) == ((), None)
    with pytest.raises(rating.NotAllowed, match="answer the question first"):
        rating.submit_rating(book, who, shown.lease, judge(), "r")
    shown = rating.submit_answer(book, who, shown.lease, " NEUTRAL ", "a")
    assert (shown.answer, len(shown.texts)) == ("neutral", 1)
    assert rating.submit_rating(book, who, shown.lease, judge(), "r").id


def test_going_back_shows_what_was_said(book):
    who = rater(book, project(book))
    lease = rate_next(book, who, "weak yes")
    rate_next(book, who)
    assert [past.verdict for past in rating.past_items(book, who)] == ["weak yes", "yes"]
    assert rating.go_to_item(book, who, lease).judgement == judge("weak yes")
