"""Verdicts of a project without raters who failed a check."""

from support import ratings as rated
from support.pages import open_page, show_view, sound, words


def test_raters_who_failed_a_check_can_be_left_out(book):
    check = rated.item(9, kind="check", origins=(), expected=("yes",))
    project = rated.project(book, [rated.item(0), rated.item(1), check])
    rated.rate_all(book, rated.rater(book, project, "Ann"), "yes")
    page = open_page("ratings", project=project.id)
    assert not [each for each in page.toggle if each.key == "ratings.careful"]
    rated.rate_all(book, rated.rater(book, project, "Bo"), "no")
    page = open_page("ratings", project=project.id)
    assert "4 verdicts on 2 items by 2 raters" in words(page)
    page.toggle(key="ratings.careful").set_value(True).run()
    assert "2 verdicts on 2 items by 1 rater" in words(sound(page))
    assert "one rater says nothing about other people" in words(page)
    for name in ("Verdicts", "Agreement"):
        show_view(page, "ratings", name)
    assert "Bo" in list(show_view(page, "ratings", "Raters").dataframe[0].value["Rater"])
