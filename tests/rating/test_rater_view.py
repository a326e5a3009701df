"""All that a rater sees."""

from dataclasses import replace

import pytest
from support.ratings import counted, item, project, rate_next, rater

from peftcore import rating
from peftcore.rating.creation import save_project
from peftcore.rating.item_sampling import RatingItem


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


def nonsense_project(book):
    """A project as one was stored before tasks had words: its texts have no names."""
    asked = RatingItem(
        "rating",
        "comve/test/0",
        "choice2",
        (("text", "dogs bark"), ("text", "dogs drive")),
        ("choice1", "choice2"),
        (("choice2", "dogs cannot drive"),),
    )
    settings = rating.ProjectSettings.make({"checks": 0, "training": 0, "overlap": 1})
    return save_project(book, "Nonsense", "comve", settings, [asked], {})


def test_a_task_is_asked_in_words_and_stored_items_stay_as_they_are(book):
    who = rater(book, nonsense_project(book))
    shown = rating.next_item(book, who)
    assert shown.question == "Which sentence makes no sense?"
    assert shown.fields == (("Sentence 1", "dogs bark"), ("Sentence 2", "dogs drive"))
    assert shown.options == ("choice1", "choice2")
    assert shown.label_titles == {"choice1": "Sentence 1", "choice2": "Sentence 2"}
    shown = rating.submit_answer(book, who, shown.lease, "choice2", "a")
    assert (shown.answer, shown.right_answer) == ("choice2", "choice2")
    assert shown.texts[0].label == "choice2"


def test_titles_do_not_tell_the_right_answer_before_it_is_given(book):
    open_item = item(0, texts=(("told", "x"),))
    who = rater(book, project(book, [replace(open_item, label="told", options=())]))
    shown = rating.next_item(book, who)
    assert shown.label_titles == {}
    assert "told" in rating.submit_answer(book, who, shown.lease, "guess", "a").label_titles
