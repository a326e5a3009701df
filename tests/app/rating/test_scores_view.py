"""Scores of methods, and what follows from few verdicts."""

from support import ratings as rated
from support.pages import open_page, show_view, words


def test_one_verdict_is_told_as_one_and_why_nothing_more_follows_from_it(book):
    project = rated.project(book, 1)
    rated.rate_all(book, rated.rater(book, project))
    page = open_page("ratings", project=project.id)
    assert "1 verdict on 1 item by 1 rater" in words(page)
    assert "**zebra_tuning** scores 1.00; 1 item, 1 rater." in words(page)
    show_view(page, "ratings", "Agreement")
    assert words(page).count("No item has verdicts of two raters") == 1
    assert "None of these explanations has a gold explanation" in words(
        show_view(page, "ratings", "Metrics")
    )
