"""Which run, text and length of prefix the Limits page is about."""

import json

from support.limits_page import choose
from support.pages import charts, open_page, words


def test_without_runs_it_says_what_to_do_next(no_demo_runs):
    assert "No adapter to look into yet" in words(open_page("limits"))


def test_a_typed_text_is_shown_as_typed():
    page = open_page("limits")
    choose(page, "limits.source", "own")
    page.text_area(key="limits.text").set_value("<s> the <b>cat</b> the cat").run()
    assert "it reads the sign it starts with" in words(page)
    page.text_input(key="limits.answer").set_value("yes </script>").run()
    page.button(key="limits.start").click().run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    assert "<b>cat" not in json.dumps(charts(page)[0])
