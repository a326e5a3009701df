"""What reports show of projects is what `rating scores` and `rating agreement` say."""

import pytest
from support.ratings import ME, item, pair, project, rate_all, rater

from peftcore import rating
from peftcore.errors import BadInput
from peftcore.rating import reporting


@pytest.fixture
def book(home):
    return rating.RatingStore()


def test_scores_and_agreement_of_a_project_of_single_texts(book):
    made = project(book, [item(0), item(1), item(2, run="b" * 12)])
    rate_all(book, rater(book, made, "Ann"), "yes")
    rate_all(book, rater(book, made, "Bob"), "no")
    found = reporting.rated_project(book, ME, made.id)
    rows = found.scores.set_index("source")
    assert rows.loc["a" * 12, "mean"] == rating.human_scores(book, ME, ["a" * 12])["a" * 12].score
    assert (rows.loc["a" * 12, "items"], rows.loc["b" * 12, "verdicts"]) == (2, 2)
    assert (found.raters, found.simulated) == (2, False)
    unanimous = found.agreement.set_index("measure").loc["Share of unanimous items"]
    assert set(unanimous["value"]) == {0.0}
    assert set(found.agreement["question"]) == {"Yes or no, as FEB", "Four points"}


def test_pairs_have_shares_of_wins(book):
    made = project(book, [pair(n) for n in range(4)], mode="pairwise")
    who = rater(book, made)
    rate_all(book, who, "left")
    found = reporting.rated_project(book, ME, made.id)
    assert found.measure == "Share of comparisons won, ties half"
    assert found.scores["mean"].sum() == pytest.approx(1)
    assert list(found.scores["verdicts"]) == [4, 4]
    assert found.scores["mean"].is_monotonic_decreasing


def test_a_project_that_nobody_rated_has_no_scores_and_is_in_no_report(book):
    for mode, items in (("single", [item(0)]), ("pairwise", [pair(0)])):
        made = project(book, items, mode=mode)
        found = reporting.rated_project(book, ME, made.id)
        assert (len(found.scores), len(found.agreement), found.raters) == (0, 0, 0)
    assert reporting.rated_projects(book, ME, ["a" * 12]) == []


def test_every_project_with_one_of_the_runs_is_found_once(book):
    first, second = project(book, [item(0), item(1)]), project(book, [item(2, run="b" * 12)])
    for made in (first, second):
        rate_all(book, rater(book, made), "yes")
    found = reporting.rated_projects(book, ME, ["a" * 12, "b" * 12, "c" * 12])
    assert {each.id for each in found} == {first.id, second.id}
    assert reporting.runs_of_project(book, ME, second.id) == ["b" * 12]


def test_a_project_of_texts_from_elsewhere_is_refused(book):
    made = project(book, [item(0, run="")])
    with pytest.raises(BadInput, match="texts of no run here"):
        reporting.runs_of_project(book, ME, made.id)
