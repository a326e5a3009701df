"""Verdicts and shortcomings, by method."""

from support import ratings as rated
from support.pages import charts, open_page, show_view, words

from peftcore import rating


def test_methods_of_pairs_stand_in_the_order_of_what_they_won(book):
    project = rated.project(book, [rated.pair(n) for n in range(6)], mode="pairwise")
    who = rated.rater(book, project)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], f"a {shown.lease}")
        texts = rating.read_screen(book, who, shown.lease).texts
        second = next(text.side for text in texts if text.explanation.startswith("other"))
        rating.submit_rating(
            book, who, shown.lease, rating.Judgement(verdict=second), f"r {shown.lease}"
        )
    page = show_view(open_page("ratings", project=project.id), "ratings", "Verdicts")
    (shares,) = charts(page)  # no chart of shortcomings, since none was ticked
    rows = [tick.partition("<br>") for tick in shares["layout"]["yaxis"]["ticktext"]]
    assert [name for name, _, _ in rows] == [rated.METHODS[1], rated.METHODS[0]]
    assert {count for _, _, count in rows} == {"<sup>n = 6</sup>"}
    assert "No shortcoming was ticked" in words(page)


def test_shortcomings_of_a_pair_are_those_of_the_one_that_lost(book):
    project = rated.project(book, [rated.pair(n) for n in range(4)], mode="pairwise")
    who = rated.rater(book, project)
    while shown := rating.next_item(book, who):
        rating.submit_answer(book, who, shown.lease, shown.options[0], f"a {shown.lease}")
        texts = rating.read_screen(book, who, shown.lease).texts
        second = next(text.side for text in texts if text.explanation.startswith("other"))
        judgement = rating.Judgement(verdict=second, shortcomings=("trivial",))
        rating.submit_rating(book, who, shown.lease, judgement, f"r {shown.lease}")
    page = show_view(open_page("ratings", project=project.id), "ratings", "Verdicts")
    _, shortcomings = charts(page)
    assert shortcomings["layout"]["yaxis"]["ticktext"] == [rated.METHODS[0]]
    assert "4 lost or tied" in shortcomings["layout"]["title"]["text"]
    assert "of the text that lost" in words(page)
