"""Settings side by side, and runs grouped by one of them."""

from support.pages import charts, open_page, words
from support.runs import make_run, make_runs


def test_settings_that_differ_are_shown_and_the_rest_on_request():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "All settings")
    table = page.dataframe[0].value
    assert (table["Differs"] == "≠").all()
    assert "method" in set(table["Setting"])
    page.segmented_control(key="compare.all_settings").set_value("All").run()
    assert page.query_params["compare.all_settings"] in ("All", ["All"])
    everything = page.dataframe[0].value
    assert len(everything) > len(table)
    assert "shots" in set(everything["Setting"])


def test_the_address_asks_for_all_settings():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "All settings", compare__all_settings="All")
    assert "shots" in set(page.dataframe[0].value["Setting"])


def test_runs_are_grouped_by_a_setting_with_verdicts_on_its_values():
    runs = [make_run("lora", training={"learning_rate": rate}) for rate in (0.1, 0.2)]
    runs.append(make_run("spt", training={"learning_rate": 0.2}))
    address = ",".join(run.id for run in runs)
    page = open_page("compare", "Groups", runs=address, compare__group="training.learning_rate")
    names = charts(page)[-1]["layout"]["yaxis"]["ticktext"]
    assert sorted(name.split("<br>")[0] for name in names) == [
        "learning rate 0.1",
        "learning rate 0.2",
    ]
    assert any("2 runs" in name for name in names)
    assert "**learning rate 0.1 · 1 run**" in words(page)


def test_equal_settings_have_no_groups():
    make_run("lora")
    assert "nothing to group them by" in words(open_page("compare", "Groups"))
