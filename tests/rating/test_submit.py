import pytest
from support.ratings import ME, counted, pair, project, rate_next, rater

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.system import notices


@pytest.fixture
def book(home):
    return rating.RatingStore(new_id=counted())


def judge(verdict="yes", **more):
    return rating.Judgement(verdict=verdict, **more)


def test_the_first_answer_stays(book):
    who = rater(book, project(book))
    lease = rating.next_item(book, who).lease
    rating.submit_answer(book, who, lease, "neutral", "a")
    assert rating.submit_answer(book, who, lease, "entailment", "b").answer == "neutral"


def test_an_answer_that_is_none_of_the_options_is_refused(book):
    who = rater(book, project(book))
    with pytest.raises(BadInput, match="did you mean 'neutral'"):
        rating.submit_answer(book, who, rating.next_item(book, who).lease, "neutrl", "a")


def test_a_rating_that_arrives_twice_counts_once(book):
    made = project(book)
    who = rater(book, made)
    lease = rating.next_item(book, who).lease
    rating.submit_answer(book, who, lease, "neutral", "a")
    first = rating.submit_rating(book, who, lease, judge(), "key")
    again = rating.submit_rating(book, who, lease, judge(), "key")
    assert (again.id, first.repeated, again.repeated) == (first.id, False, True)
    assert len(rating.verdict_table(book, ME, made.id, history=True)) == 1


def test_a_key_cannot_be_used_for_something_else(book):
    who = rater(book, project(book))
    lease = rating.next_item(book, who).lease
    rating.submit_answer(book, who, lease, "neutral", "key")
    rating.submit_rating(book, who, lease, judge(), "key")
    with pytest.raises(BadInput, match="used for something else"):
        rating.submit_rating(book, who, lease, judge("no"), "key")
    other = rating.next_item(book, who).lease
    with pytest.raises(BadInput, match="used for something else"):
        rating.submit_answer(book, who, other, "neutral", "key")


def test_the_last_rating_of_a_project_is_said_once(book, monkeypatch):
    sent = []
    monkeypatch.setattr(notices, "send_soon", sent.append)
    made = project(book, 2)
    ann, bo = rater(book, made), rater(book, made, "Bo")
    leases = [rate_next(book, ann), rate_next(book, ann), rate_next(book, bo)]
    assert not sent
    leases.append(rate_next(book, bo))
    rating.submit_rating(book, bo, leases[-1], judge("no"), "changed")
    (notice,) = sent
    assert notice.title == "Rating project Made up is complete"
    assert notice.id == made.id


def test_a_change_supersedes_and_what_was_said_is_kept(book):
    made = project(book)
    who = rater(book, made)
    lease = rate_next(book, who, "yes", comment="first")
    rating.submit_rating(book, who, lease, judge("weak no", shortcomings=("trivial",)), "second")
    now = rating.verdict_table(book, ME, made.id)
    assert list(now["verdict"]) == ["weak no"]
    assert now["shortcomings"][0] == ["trivial"]
    every = rating.verdict_table(book, ME, made.id, history=True)
    assert list(every["verdict"]) == ["yes", "weak no"]
    assert list(every["current"]) == [False, True]
    assert every["supersedes"][1] == every["rating"][0]


def test_undo_opens_the_item_again_and_keeps_what_was_said(book):
    made = project(book)
    who = rater(book, made)
    lease = rate_next(book, who, "no")
    rating.withdraw_rating(book, who, lease, "undo")
    shown = rating.next_item(book, who)
    assert (shown.lease, shown.judgement, shown.state) == (lease, None, "open")
    assert rating.verdict_table(book, ME, made.id).empty
    every = rating.verdict_table(book, ME, made.id, history=True)
    assert list(every["act"]) == ["rated", "withdrawn"]


def test_drafts_keep_the_newest_version(book):
    who = rater(book, project(book))
    lease = rating.next_item(book, who).lease
    rating.save_draft(book, who, lease, {"comment": "two"}, 2)
    rating.save_draft(book, who, lease, {"comment": "late"}, 1)
    shown = rating.read_screen(book, who, lease)
    assert (shown.draft, shown.draft_version) == ({"comment": "two"}, 2)
    with pytest.raises(BadInput, match="20000 characters"):
        rating.save_draft(book, who, lease, {"comment": "x" * 20_001}, 3)


def test_seconds_are_believed_within_reason(book):
    made = project(book)
    who = rater(book, made)
    for seconds in (12.5, -3.0, 1e9):
        lease = rating.next_item(book, who).lease
        rating.submit_answer(book, who, lease, "neutral", lease, 3.0)
        rating.submit_rating(book, who, lease, judge(), lease, seconds)
    verdicts = rating.verdict_table(book, ME, made.id)
    assert list(verdicts["seconds"]) == [12.5, 0.0, 86_400.0]
    assert set(verdicts["answer_seconds"]) == {3.0}


def test_pairs_are_judged_by_side_and_read_back_by_method(book):
    made = project(book, [pair(n) for n in range(8)], mode="pairwise")
    who = rater(book, made)
    lefts = []
    while shown := rating.next_item(book, who):
        shown = rating.submit_answer(book, who, shown.lease, "neutral", shown.lease)
        assert [text.side for text in shown.texts] == ["left", "right"]
        lefts.append(shown.texts[0].explanation.startswith("other"))
        first = "right" if lefts[-1] else "left"  # always the first method's text
        rating.submit_rating(book, who, shown.lease, judge(first), shown.lease)
    assert set(lefts) == {True, False}  # sides are random
    verdicts = rating.comparison_table(book, ME, made.id)
    assert set(verdicts["winner"]) == {"first"}
    assert list(verdicts["shown_left"] == "second") == lefts
