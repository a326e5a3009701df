"""Raters, their links, and projects closed and opened again."""

import pytest
from support.rating_commands import call, run_rating

from peftcore import rating


def test_links_are_replaced_and_closed_and_projects_opened_again(made):
    first = run_rating("serve-link", made["project"], "--name", "Ann")
    second = run_rating("new-link", first["rater"], "--address", "http://lab:1")
    assert second["link"].startswith("http://lab:1/rate?r=")
    book = rating.RatingStore()
    with pytest.raises(rating.NotAllowed, match="not valid"):
        rating.sign_in(book, first["link"].partition("?r=")[2])
    token = second["link"].partition("?r=")[2]
    assert rating.sign_in(book, token).name == "Ann"
    assert run_rating("close", made["project"]) == {"project": made["project"], "open": False}
    assert not run_rating("raters", made["project"])["raters"][0]["link_works"]
    assert run_rating("open", made["project"])["open"]
    (row,) = run_rating("raters", made["project"])["raters"]
    assert (row["name"], row["done"], row["link_works"]) == ("Ann", 0, True)
    assert "Ann" in call("raters", made["project"]).stdout
    assert not run_rating("close-link", first["rater"])["link_works"]
    with pytest.raises(rating.NotAllowed, match="was closed"):
        rating.sign_in(book, token)
    assert call("close-link", "nobody").exit_code == 2
