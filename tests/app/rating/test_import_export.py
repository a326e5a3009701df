"""Ratings from a file of another tool, and files that are refused in a sentence."""

import pytest
from support.pages import open_page, sound, words

ROWS = "item,rater,verdict\na,1,yes\na,2,weak yes\nb,1,no\nb,2,yes\n"


def imported(content):
    page = open_page("rate", rate__view="Import")
    page.file_uploader(key="rate.import.file").set_value(("Elsewhere.csv", content, "text/csv"))
    return sound(page.run().button(key="rate.import.go").click().run())


def test_a_table_becomes_a_project_of_its_name(book):
    page = imported(ROWS.encode())
    assert "“Elsewhere” has 4 verdicts" in page.success[0].value


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\xff\xfe\xff", "not UTF-8 text"), (b"item,rater\na,1\n", "verdict")],
)
def test_a_file_that_cannot_be_read_is_refused_in_a_sentence(book, content, sentence):
    page = imported(content)
    assert sentence in words(page)
    assert page.error
    assert not page.success
