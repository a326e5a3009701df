"""The table of runs: filter, groups, chosen runs, and what is done with them."""

from support.pages import open_page, words
from support.runs import make_run

from peftcore.runs.annotation import change_tags


def table(page):
    [frame] = [each.value for each in page.dataframe if "Learning rate" in each.value]
    return frame


def test_the_filter_stands_in_the_address(no_demos):
    small = make_run("lora", settings={"rank": 4})
    make_run("lora", settings={"rank": 8})
    change_tags(small, add=["mine"])
    assert len(table(open_page("runs"))) == 2
    by_tag = table(open_page("runs", runs__tag="mine"))
    assert list(by_tag["Run"]) == [f"/runs?run={small.id}"]
    page = open_page("runs", runs__setting="settings.rank", runs__value="4")
    assert list(table(page)["Rank (method)"]) == ["4"]
    page.text_input(key="runs.text").set_value("nothing").run()
    assert "No run fits" in words(page)
    assert page.query_params["runs.text"] == "nothing"


def test_groups_show_mean_and_spread(no_demos):
    make_run("lora", settings={"rank": 4})
    make_run("lora", settings={"rank": 8})
    page = open_page("runs", runs__group="method")
    [groups] = [each.value for each in page.dataframe if "Seeds in all" in each.value]
    assert list(groups["Runs"]) == [2]
    assert groups["Standard deviation over runs"].notna().all()
