"""Power after the runs."""

from support.pages import open_page, words
from support.runs import make_run, make_runs


def test_it_says_what_can_be_seen_and_what_a_smaller_difference_takes():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Power")
    assert "With 4 seeds and 24 items a difference of " in words(page)
    before = words(page)
    page.number_input(key="compare.wanted").set_value(50.0).run()
    assert words(page) != before
    assert page.dataframe[0].value["Seeds"].tolist() == ["4", "8", "20", "60"]


def test_one_seed_shows_nothing():
    for method in ("lora", "spt"):
        make_run(method, population={"seeds": 1})
    assert "at least two seeds" in words(open_page("compare", "Power"))


def test_the_difference_stands_in_the_address():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Power", compare__wanted="7.5")
    assert page.number_input(key="compare.wanted").value == 7.5
    page.number_input(key="compare.wanted").set_value(4.0).run()
    assert page.query_params["compare.wanted"] in ("4", ["4"])
