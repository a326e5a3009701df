"""Pareto: two values and the probability of being on the front."""

from support.pages import charts, open_page, words
from support.runs import make_run, make_runs

from peftcore.runs.forgetting import Forgetting


def test_any_two_values_are_shown_with_probabilities():
    runs = {run.spec.method: run for run in make_runs()}
    page = open_page("compare", "Pareto")
    assert "**LoRA** " in words(page)
    assert charts(page)[-1]["layout"]["xaxis"]["title"]["text"].startswith("Trainable parameters")
    page.selectbox(key="compare.x").set_value("seconds").run()
    assert page.query_params["compare.x"] == "seconds"
    # All took equally long, so the best by score alone is on the front.
    assert "On the front, with probability: **LoRA** " in words(page)
    assert len(charts(page)[-1]["data"]) == 1 + len(runs)


def test_a_metric_may_be_the_cost():
    make_runs(methods=("lora", "spt"))
    page = open_page("compare", "Pareto", compare__y="accuracy", compare__x="broken")
    assert charts(page)[-1]["layout"]["xaxis"]["title"]["text"] == "Broken (lower is better)"


def test_runs_without_a_size_are_left_out():
    make_run("lora").write_status(trainable=None)
    make_run("spt")
    page = open_page("compare", "Pareto")
    names = [trace.get("name") for trace in charts(page)[-1]["data"]]
    assert "LoRA" not in names


def test_what_was_forgotten_is_an_axis_and_a_metric():
    for shift, method in enumerate(("lora", "spt")):
        loss = [[2.1 + shift + 0.01 * seed] * 3 for seed in range(4)]
        right = [[1.0, 0.0]] * 4
        found = Forgetting("t", "p", "d", [2.0] * 3, [1.0, 1.0], loss, right, 1.0)
        make_run(method).write_forgetting(found)
    page = open_page("compare", "Pareto", compare__x="forgetting_loss")
    across = charts(page)[-1]["layout"]["xaxis"]["title"]["text"]
    assert across == "Forgetting, loss (lower is better)"
    page = open_page("compare", "Metrics", compare__metrics="forgetting_loss")
    assert "Forgetting, loss ↓" in page.dataframe[0].value
