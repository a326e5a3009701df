"""What a rater's link opens, and what wrong or closed links show."""

import pytest
from support import ratings as rated
from support.pages import open_page, words

from app import nav
from peftcore import rating


def test_a_raters_link_opens_the_card_and_no_other_page(book):
    project = rated.project(book)
    token = rating.invite(book, rated.ME, project.id, "Ann").token
    page = open_page("rate", r=token)
    assert [each.value for each in page.title] == ["Rate"]
    assert not page.selectbox
    card = page.get("bidi_component")
    assert len(card) == 1
    with pytest.raises(ValueError, match="Could not find a navigation page"):
        page.switch_page(nav.find_page("ratings").script_path)


def test_a_wrong_link_gets_a_sentence():
    page = open_page("rate", r="nobody.nothing")
    assert "This link is not valid: a part" in words(page)


def test_a_closed_project_says_so(book):
    project = rated.project(book)
    token = rating.invite(book, rated.ME, project.id, "Ann").token
    rating.set_project_open(book, rated.ME, project.id, False)
    assert "closed" in words(open_page("rate", r=token))


def test_a_server_for_raters_has_no_other_page(monkeypatch):
    monkeypatch.setenv("PEFTCORE_RATERS_ONLY", "1")
    page = open_page("rate")
    assert "link that was sent to you" in words(page)
    assert not page.selectbox
