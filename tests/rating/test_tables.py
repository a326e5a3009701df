import pytest
from support.ratings import ME, METHODS, item, project, rate_all, rate_next, rater

from peftcore import rating
from peftcore.rating import simulation
from peftcore.rating.item_sampling import TextOrigin


@pytest.fixture
def book(home):
    return rating.RatingStore()


def test_the_human_score_is_the_mean_over_items_of_the_mean_over_raters(book):
    """Item 0: yes and no; item 1: yes by one rater.  (1/2 + 1) / 2, not (1 + 0 + 1) / 3."""
    made = project(book, [item(0), item(1)])
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    rate_all(book, ann, "yes")
    rate_next(book, bob, "no")
    score = rating.human_scores(book, ME, ["aaaaaaaaaaaa", "cccccccccccc"])
    assert set(score) == {"aaaaaaaaaaaa"}  # the other was never rated
    found = score["aaaaaaaaaaaa"]
    assert (found.score, found.items, found.ratings, found.raters) == (0.75, 2, 3, 2)
    assert 0 <= found.low < 0.75 < found.high <= 1  # two examples say little about others
    assert found.projects == (made.id,)
    assert not found.simulated
    assert found.correct_share == 1


def test_raters_agree_on_an_example_where_all_are_on_one_side_of_the_scale(book):
    made = project(book, [item(0), item(1), item(2)])
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    for verdict, other in (("yes", "weak yes"), ("yes", "no")):
        rate_next(book, ann, verdict)
        rate_next(book, bob, other)
    rate_next(book, ann, "no")  # nobody else rates it
    verdicts = rating.verdict_table(book, ME, made.id)
    several = verdicts.groupby("example")["score"].agg(["count", "min", "max"])
    several = several[several["count"] > 1]
    expected = ((several["min"] > 0.5) == (several["max"] > 0.5)).to_dict()
    found = rating.raters_agree(book, ME, ["aaaaaaaaaaaa"])
    assert found == {str(example): bool(one) for example, one in expected.items()}
    assert len(found) >= 1
    assert rating.raters_agree(book, ME, ["bbbbbbbbbbbb"]) == {}


def test_people_count_before_simulated_raters(book):
    people, machine = project(book, [item(0)]), project(book, [item(1)])
    known = {"sentence 1 | claim 1": ("neutral", "reason 1")}
    simulation.simulate_raters(book, ME, machine.id, known, raters=1)
    alone = rating.human_scores(book, ME, ["aaaaaaaaaaaa"])["aaaaaaaaaaaa"]
    assert alone.simulated
    rate_next(book, rater(book, people), "weak yes")
    both = rating.human_scores(book, ME, ["aaaaaaaaaaaa"])["aaaaaaaaaaaa"]
    assert (both.score, both.items, both.simulated) == (pytest.approx(2 / 3), 1, False)
    assert (both.low, both.high) == (None, None)  # of a single example


def test_a_text_of_two_methods_counts_for_both(book):
    origins = (
        TextOrigin(0, "a" * 12, METHODS[0], 1, True),
        TextOrigin(0, "b" * 12, METHODS[1], 2, True),
    )
    made = project(book, [item(0, origins=origins)])
    rate_next(book, rater(book, made), "weak no")
    rows = rating.scored_table(book, ME, made.id)
    assert list(rows["method"]) == list(METHODS)
    assert list(rows["score"]) == pytest.approx([1 / 3, 1 / 3])
    assert len(rating.verdict_table(book, ME, made.id)) == 1
    assert set(rating.human_scores(book, ME, ["a" * 12, "b" * 12])) == {"a" * 12, "b" * 12}


def test_scales_are_columns_and_their_mean_is_the_score(book):
    made = project(book, [item(0)], mode="likert")
    steps = {"justifies": 5, "makes_sense": 4, "new_information": 1, "fluent": 4}
    who = rater(book, made)
    lease = rating.next_item(book, who).lease
    rating.submit_answer(book, who, lease, "neutral", "a")
    rating.submit_rating(book, who, lease, rating.Judgement(scales=steps), "r")
    row = rating.verdict_table(book, ME, made.id).iloc[0]
    assert row["score"] == pytest.approx((14 / 4 - 1) / 4)
    assert {name: row[name] for name in steps} == steps
    alone = rating.human_scores(book, ME, ["a" * 12])["a" * 12]
    assert (alone.score, alone.items) == (pytest.approx(row["score"]), 1)
    rate_next(book, rater(book, project(book, [item(1)])), "weak yes")  # on four points
    first = rating.human_scores(book, ME, ["a" * 12])["a" * 12]
    assert (first.score, first.items) == (pytest.approx(2 / 3), 1)


def test_adjudications_leave_the_verdicts_alone_and_keep_their_own_history(book):
    made = project(book, [item(0)])
    rate_next(book, rater(book, made), "yes")
    which = rating.verdict_table(book, ME, made.id)["item"][0]
    for verdict in ("no", "weak no"):
        rating.adjudicate(book, ME, which, rating.Judgement(verdict=verdict, comment="because"))
    settled = rating.adjudication_table(book, ME, made.id)
    assert list(settled["verdict"]) == ["weak no"]
    assert list(rating.verdict_table(book, ME, made.id)["verdict"]) == ["yes"]


def test_items_say_how_many_have_rated_and_hold_them(book):
    made = project(book, [item(0), item(1)])
    ann, bob = rater(book, made, "Ann"), rater(book, made, "Bob")
    rate_all(book, ann)
    rating.next_item(book, bob)
    rows = rating.item_table(book, ME, made.id)
    assert list(rows["ratings"]) == [1, 1]
    assert sorted(rows["held"]) == [0, 1]


def test_a_project_that_nobody_rated_has_empty_tables(book):
    made = project(book, [item(0)])
    for table in (
        rating.verdict_table,
        rating.scored_table,
        rating.check_table,
        rating.adjudication_table,
    ):
        assert table(book, ME, made.id).empty
    assert rating.comparison_table(book, ME, made.id).empty
    assert rating.human_scores(book, ME, ["aaaaaaaaaaaa"]) == {}
