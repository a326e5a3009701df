"""What Compare shows of the chosen runs."""

import math

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run, make_runs

from app import theme


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
    assert f"LoRA** has the highest mean, **{mean:.3f}**" in words(page)
    assert "4" in str(table["Seeds"][0])
    (chart,) = charts(page)
    assert "4 seeds" in chart["layout"]["title"]["text"]
    assert chart["layout"]["template"]["layout"]["paper_bgcolor"] == theme.BACKGROUNDS["light"]


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        (
            [0.5, 0.6, 0.7, 0.8],
            "0.100 ahead of Scaled prompt tuning (95 % interval 0.100 to 0.100)",
        ),
        ([0.9, 0.4, 1.0, 0.6], "Scaled prompt tuning may be chance: +0.025 (-0.499 to +0.534)"),
    ],
)
def test_a_lead_comes_with_its_interval_or_as_what_chance_may_do(second, sentence):
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    make_run("spt").write_scores({"accuracy": second})
    shown = words(open_page("compare"))
    assert sentence in shown
    assert "24 examples of the split test, seeds 0 to 3" in shown


def test_a_tie_is_called_one_and_runs_that_are_no_better_than_guessing_are_told():
    make_run("lora").write_scores({"accuracy": [0.2, 0.3, 0.3, 0.2]})
    make_run("spt").write_scores({"accuracy": [0.3, 0.2, 0.2, 0.3]})
    shown = words(open_page("compare"))
    assert "has the same mean" in shown
    assert "ahead" not in shown
    assert "No run is above guessing among 3 labels (0.333)" in shown


def test_a_run_above_guessing_is_not_said_to_guess():
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    assert "No run is above" not in words(open_page("compare"))


def test_a_lead_on_one_seed_says_that_it_says_nothing_about_others():
    make_run("lora", population={"seeds": 1}), make_run("spt", population={"seeds": 1})
    assert "one seed says nothing about others" in words(open_page("compare"))


@pytest.mark.parametrize(
    ("view", "count"), [("Curves", 2), ("Size", 1), ("Labels", 4), ("Tests", 1)]
)
def test_every_view_draws_its_charts(view, count):
    make_runs()
    page = open_page("compare", view)
    found = charts(page)
    assert len(found) == count
    for chart in found:
        assert chart["data"]
        assert chart["layout"]["xaxis"]["title"]["text"]


def test_tests_state_the_smallest_p_four_seeds_can_reach():
    make_runs()
    page = open_page("compare", "Tests")
    assert "The smallest p that 4 pairs can reach is 0.125" in words(page)
    assert "0.05 can be reached from 7 seeds on" in words(page)
    table = page.dataframe[1].value
    assert len(table) == 3
    assert (table["p"] >= 0.125).all()
    assert (table["p, Holm"] >= table["p"]).all()


def test_one_run_cannot_be_tested():
    make_run("lora")
    assert "Choose a second run" in words(open_page("compare", "Tests"))


def test_free_text_has_no_labels_to_count():
    make_runs("miniworld_venues", ("lora", "spt"))
    assert "no labels to count" in words(open_page("compare", "Labels"))


def test_a_metric_that_was_not_scored_is_said():
    run = make_run("lora")
    run.write_scores({"accuracy": [math.nan] * 4})
    page = open_page("compare")
    assert not page.exception
    assert "None of these runs has this metric" in words(page)
