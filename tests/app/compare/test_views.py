"""What Compare shows of the chosen runs."""

import math

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run, make_runs

from app.figures import theme


def test_the_newest_comparable_runs_are_shown_with_mean_and_interval():
    runs = make_runs()
    page = open_page("compare")
    assert not page.exception
    assert set(page.multiselect[0].value) == {run.id for run in runs}
    table = page.dataframe[0].value
    assert table["Run"][0] == "LoRA"
    lora = next(run for run in runs if run.spec.method == "lora")
    mean = sum(lora.scores()["accuracy"]) / 4
    assert table["Accuracy"][0] == pytest.approx(mean, abs=6e-4)
    assert f"**LoRA**, {mean:.3f}, is ahead of the second, " in words(page)
    assert (table["Seeds"][0], table["Examples"][0]) == (4, 24)
    assert "from 4 seeds on 24 test examples" in words(page)
    scores, matrix = charts(page)
    assert scores["layout"]["title"]["text"] == "95 % interval, 4 seeds"  # the sentence is above
    assert len(matrix["data"][0]["z"]) == 4
    assert scores["layout"]["template"]["layout"]["paper_bgcolor"] == theme.BACKGROUNDS["light"]


def test_seeds_in_two_groups_are_counted_and_have_no_bar():
    make_run("lora").write_scores({"accuracy": [0.3, 0.31, 0.32, 0.9]})
    page = open_page("compare")
    assert page.dataframe[0].value["95 % interval"][0] == "two groups of seeds: 1 of 4 above 0.6"
    _, mean = charts(page)[0]["data"]
    assert mean["marker"]["symbol"].endswith("-open")


def test_tries_of_learning_rates_are_shown():
    rate = {"training": {"learning_rate": 0.1, "steps": 200}}
    make_run("lora", **rate), make_run("spt", **rate)
    make_run("lora", training={"learning_rate": 0.2, "steps": 200})
    shown = words(open_page("compare"))
    assert "Learning rates tried differ: 1 for Scaled prompt tuning, 2 for LoRA" in shown


def test_seeds_best_at_an_end_are_marked():
    run = make_run("lora")
    run.write_status(seeds=[{"seed": n, "best_step": 200} for n in range(4)])
    shown = words(open_page("compare"))
    assert "Best at the last step, so that more steps may help: LoRA (4 of 4 seeds)" in shown


@pytest.mark.parametrize(
    ("view", "count"),
    [("Curves", 2), ("Pareto", 1), ("Labels", 4), ("Against one", 1), ("Slices", 1)],
)
def test_every_view_draws_its_charts(view, count):
    make_runs()
    page = open_page("compare", view)
    found = charts(page)[2:]  # after all seeds and the matrix of verdicts
    assert len(found) == count
    for chart in found:
        assert chart["data"]
        assert chart["layout"]["xaxis"]["title"]["text"]


@pytest.mark.parametrize(
    ("old", "new"), [("Scores", "Table"), ("Size", "Pareto"), ("Tests", "Against one")]
)
def test_links_to_views_of_before_open_what_took_their_place(old, new):
    make_runs()
    page = open_page("compare", compare__view=old)
    assert page.segmented_control(key="compare.view").value == new


def test_curves_are_smoothed_as_asked():
    make_run("lora")
    rough = charts(open_page("compare", "Curves"))[1]["data"]
    page = open_page("compare", "Curves", compare__smooth="9")
    smooth = charts(page)[1]["data"]
    assert page.select_slider(key="compare.smooth").value == 9
    assert smooth[-1]["y"] != rough[-1]["y"]


def test_free_text_has_no_labels_to_count():
    make_runs("miniworld_venues", ("lora", "spt"))
    assert "no labels to count" in words(open_page("compare", "Labels"))


def test_a_metric_that_was_not_scored_is_said():
    run = make_run("lora")
    run.write_scores({"accuracy": [math.nan] * 4})
    page = open_page("compare")
    assert not page.exception
    assert "None of these runs has this metric" in words(page)


def test_a_seed_without_a_number_is_named_beside_the_mean_of_the_others():
    run = make_runs(methods=("lora", "spt"))[0]
    scores = run.scores()
    run.write_scores(scores | {"accuracy": [math.inf, *scores["accuracy"][1:]]})
    page = open_page("compare")
    assert "accuracy is no number for 1 of 4 seeds (0), so its mean is" in words(page)
    run.write_scores(scores)
    assert "is no number" not in words(open_page("compare"))


def test_views_stand_in_four_groups_and_the_address_names_the_view():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", compare__view="Slices")
    assert page.segmented_control(key="compare.views").value == "Examples"
    page.segmented_control(key="compare.views").set_value("Costs").run()
    assert page.segmented_control(key="compare.view").value == "Pareto"
    assert page.query_params["compare.view"] in ("Pareto", ["Pareto"])


def test_columns_of_the_table_are_chosen_in_the_address():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", compare__columns="Seeds,Trainable parameters")
    assert list(page.dataframe[0].value) == ["Key", "Run", "Seeds", "Trainable parameters"]
