"""Which run the Landscape page is about."""

from support.landscape_page import simplex_run
from support.pages import open_page, words


def test_without_runs_it_says_what_to_do_next():
    assert "No adapter has been trained yet" in words(open_page("landscape"))


def test_an_unknown_run_in_the_address_is_a_sentence():
    simplex_run()
    page = open_page("landscape", landscape__run="0" * 12)
    assert "No run" in words(page)
