"""Which runs, task and measure the Compare page is about."""

import pytest
from support.pages import open_page, words
from support.runs import make_run, make_runs

from peftcore.runs.store import RunStore


def test_without_runs_it_says_what_to_do_next():
    page = open_page("compare")
    assert not page.exception
    assert "Nothing to compare yet" in words(page)
    assert "Train two or more methods" in words(page)


def test_unlike_runs_are_refused_with_the_reason_and_a_way_out():
    alike = make_run("lora"), make_run("spt")
    other = make_run("prefix_tuning", training={"shots": 16})
    page = open_page("compare", runs=",".join(run.id for run in (*alike, other)))
    assert "These runs cannot be compared" in words(page)
    assert "Not the same training examples of a seed: 48 in" in words(page)
    assert not page.dataframe
    page.button(key="compare.keep.0").click().run()
    assert set(page.multiselect[0].value) == {run.id for run in alike}
    assert "is ahead of the second" in words(page)


def test_other_data_is_unlike():
    runs = make_run("lora"), make_run("spt", data="d1")
    page = open_page("compare", runs=",".join(run.id for run in runs))
    assert "Not the same data" in words(page)


def test_another_base_is_refused_unless_asked_for():
    runs = make_run("lora"), make_run("lora", base="tiny-gpt")
    page = open_page("compare", runs=",".join(run.id for run in runs))
    assert page.toggle(key="compare.across").value  # the address asks for two bases
    assert page.dataframe[0].value["Run"].str.contains("tiny-").all()
    page.toggle(key="compare.across").set_value(False).run()
    assert "Not the same base: " in words(page)


def test_other_steps_are_allowed_and_said():
    make_run("lora"), make_run("spt", training={"steps": 100})
    assert "Steps differ: " in words(open_page("compare"))


def test_the_address_chooses_runs_and_task():
    make_runs()
    venues = make_run("lora", "miniworld_venues")
    page = open_page("compare", runs=venues.id)
    assert page.multiselect[0].value == [venues.id]
    assert page.selectbox(key="compare.task").value == "miniworld_venues"
    assert page.dataframe[0].value.columns[2] == "BLEU"


def test_the_metric_stands_in_the_address_and_leaves_with_the_task():
    make_runs()
    make_run("lora", "miniworld_venues")
    page = open_page("compare", metric="f1")
    key = "compare.metric.miniworld_nli"
    assert page.selectbox(key=key).value == "f1"
    page.selectbox(key=key).set_value("broken").run()
    assert page.query_params["metric"] == "broken"
    page.selectbox(key="compare.task").set_value("miniworld_venues").run()
    assert "metric" not in page.query_params
    assert not page.warning


def test_an_address_of_unknown_runs_is_said_and_the_rest_shown():
    make_runs()
    page = open_page("compare", runs="000000000000,<b>x</b>")
    assert "runs that are not here" in words(page)
    assert "is ahead of the second" in words(page)


def test_choosing_runs_changes_the_address():
    runs = make_runs()
    page = open_page("compare")
    page.multiselect[0].set_value([runs[0].id, runs[1].id]).run()
    assert f"{runs[0].id},{runs[1].id}" in page.query_params["runs"]


def test_the_margin_and_the_population_stand_in_the_address():
    make_runs()
    page = open_page("compare", margin="5", population="these examples")
    assert page.number_input(key="compare.margin").value == 5
    assert "about these test examples only" in words(page)
    assert "The margin is 5 points" in words(page)
    page.number_input(key="compare.margin").set_value(3.5).run()
    assert page.query_params["margin"] == "3.5"
    assert "The margin is 3.5 points" in words(page)


@pytest.mark.parametrize("margin", ["0", "x", "70"])
def test_a_margin_that_is_none_is_refused_and_the_usual_one_taken(margin):
    make_runs()
    page = open_page("compare", margin=margin)
    assert f"a margin of {margin}" in words(page)
    assert page.number_input(key="compare.margin").value == 2


def test_a_link_of_anything_chosen_names_the_runs_too():
    runs = make_runs()
    page = open_page("compare", margin="3")
    assert set(page.query_params["runs"].split(",")) == {run.id for run in runs}
    assert "runs" not in open_page("compare").query_params


def test_choosing_no_run_says_what_to_do():
    make_runs()
    page = open_page("compare")
    page.multiselect[0].set_value([]).run()
    assert "Choose at least one run" in words(page)


def test_runs_that_have_not_finished_are_not_offered():
    make_run("lora").write_status(state="cancelled")
    assert "Nothing to compare yet" in words(open_page("compare"))


def test_the_sweep_that_ships_is_offered_and_shown_where_the_address_names_it(
    monkeypatch, tmp_path
):
    from app.compare import selection

    shipped = RunStore(tmp_path / "sweep_runs", demo_folder=tmp_path)
    there = [make_run(m, store=shipped, population={"seeds": 6}) for m in ("lora", "spt")]
    monkeypatch.setattr(selection, "SHIPPED_RUNS", shipped.folder)
    make_runs()
    page = open_page("compare")
    assert len(page.multiselect[0].options) == 4
    button = page.button(key="compare.shipped")
    assert button.label == "See 2 methods over 6 episodes each"
    button.click().run()
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in there)
    page = open_page("compare", runs=",".join(run.id for run in there))
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in there)
    assert "not here" not in words(page)
    assert "compare.shipped" not in [button.key for button in page.button]
