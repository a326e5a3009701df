"""What Compare shows of the chosen runs."""

import math

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run, make_runs

from app.figures import theme
from peftcore import tasks
from peftcore.runs import zero_shot
from peftcore.runs.zero_shot import ZeroShot


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
    assert "LoRA is ahead of" in scores["layout"]["title"]["text"]
    assert len(matrix["data"][0]["z"]) == 4
    assert scores["layout"]["template"]["layout"]["paper_bgcolor"] == theme.BACKGROUNDS["light"]


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ([0.52, 0.58, 0.69, 0.81], "ahead of the second, **Scaled prompt tuning**, by 10.0 points"),
        ([0.9, 0.4, 1.0, 0.6], "cannot tell it from **Scaled prompt tuning**: +2.5 points ("),
        (
            [0.603, 0.704, 0.799, 0.901],
            "0.752, and **LoRA** are equal within",
        ),
    ],
)
def test_the_verdict_comes_with_its_interval(second, sentence):
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    make_run("spt").write_scores({"accuracy": second})
    shown = words(open_page("compare"))
    assert sentence in shown
    assert "split test, seeds 0 to 3" in shown
    assert "Accuracy has no parts by test example here" in shown  # answers give other scores


def test_runs_that_are_no_better_than_guessing_are_called_so():
    make_run("lora").write_scores({"accuracy": [0.2, 0.3, 0.3, 0.2]})
    make_run("spt").write_scores({"accuracy": [0.3, 0.2, 0.2, 0.3]})
    shown = words(open_page("compare"))
    assert "ahead" not in shown
    assert "No run is above guessing among 3 labels (0.333)" in shown


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


def test_overlap_of_training_samples_is_shown_where_it_is_much():
    rows = len(tasks.find_task("miniworld_nli").load("train"))
    make_run("lora", training={"shots": rows // 2})
    assert "Two seeds share 50 % of their training examples" in words(open_page("compare"))
    make_run("lora", training={"shots": 48, "steps": 300})
    assert "Two seeds share" not in words(open_page("compare"))


def test_the_untouched_base_stands_beside_the_runs():
    run = make_run("lora")
    make_run("spt")
    assert f"zero-shot {run.id}" in words(open_page("compare"))
    rows = tasks.find_task("miniworld_nli").load("test")[:24]
    labels = [row.label for row in rows]
    wrong = ["neutral" if label == "entailment" else label for label in labels]
    own, best = (dict.fromkeys(labels, word) for word in ("spelt", "known"))
    zero_shot.write(
        zero_shot.key_of_run(run),
        ZeroShot("tiny-t5", "miniworld_nli", own, best, 3, 48, [row.id for row in rows], labels,
                 wrong, labels),
    )  # fmt: skip
    page = open_page("compare")
    assert "Without any training tiny-t5 scores 1.000 (0.862 to 1.000)" in words(page)
    assert "among the words of these runs, 0.667" in words(page)
    assert "No run scores more than tiny-t5 without an adapter does" in words(page)
    shapes = charts(page)[0]["layout"]["shapes"]
    assert {shape["type"] for shape in shapes} == {"line", "rect"}


def test_seeds_best_at_an_end_are_marked():
    run = make_run("lora")
    run.write_status(seeds=[{"seed": n, "best_step": 200} for n in range(4)])
    shown = words(open_page("compare"))
    assert "Best at the last step, so that more steps may help: LoRA (4 of 4 seeds)" in shown


def test_a_run_above_guessing_is_not_said_to_guess():
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    assert "No run is above" not in words(open_page("compare"))


def test_a_lead_on_one_seed_says_that_it_says_nothing_about_others():
    make_run("lora", population={"seeds": 1}), make_run("spt", population={"seeds": 1})
    assert "one seed says nothing about others" in words(open_page("compare"))


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


def test_two_runs_need_no_matrix():
    make_runs(methods=("lora", "spt"))
    assert len(charts(open_page("compare"))) == 1


def test_one_run_has_no_pairs():
    make_run("lora")
    assert "Choose a second run" in words(open_page("compare", "Against one"))
    assert "Choose a second run" in words(open_page("compare", "Flips"))


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


def test_a_setting_gives_the_dot_plot_a_panel_for_each_of_its_values():
    methods, counts = ("lora", "spt"), (200, 300)
    runs = [make_run(m, training={"steps": steps}) for m in methods for steps in counts]
    address = ",".join(run.id for run in runs)
    page = open_page("compare", runs=address, compare__facet="training.steps")
    panels = [c["layout"] for c in charts(page) if "Steps" in str(c["layout"].get("title"))]
    assert len(panels) == 2
    assert panels[0]["xaxis"]["range"] == panels[1]["xaxis"]["range"]
