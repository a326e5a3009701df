"""Pareto: two values and the probability of being on the front."""

from support.pages import charts, open_page, words
from support.runs import make_run, make_runs


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
