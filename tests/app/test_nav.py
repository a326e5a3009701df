"""The table of pages: each has a file, an address of its own, and a card on Home."""

import pytest

from app import nav
from peftcore import paths


def test_every_page_file_stands_in_the_table_once():
    names = [entry.name for entry in nav.page_entries()]
    assert sorted(names) == sorted(path.stem for path in paths.PAGES.glob("*.py"))


@pytest.mark.parametrize("entry", nav.page_entries(), ids=lambda entry: entry.name)
def test_an_entry_says_what_its_card_and_tab_need(entry):
    assert entry.title[0].isupper()
    assert 10 < len(entry.summary) < 100
    assert not entry.summary.endswith(".")
    assert nav.find_page(entry.name) is entry


def test_a_page_that_nobody_listed_is_not_found():
    with pytest.raises(StopIteration):
        nav.find_page("nowhere")
