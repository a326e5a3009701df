"""Studies of soft prompts: shown, and queued where runs are missing."""

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run
from support.scaling_page import titles

from app.state import cache
from peftcore.labs.scaling import ablations
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec


def test_ablations_show_what_there_is_and_queue_the_rest(runs):
    page = open_page("scaling", "Ablations")
    assert titles(page)[0] == "95 % interval, 2 seeds"
    scored = charts(page)[0]["layout"]["yaxis"]["ticktext"]
    assert set(scored) == {"Scale fixed at one", "Scale of each token"}
    button = page.button(key="scaling.queue.variants")
    assert button.label == "Queue 4 missing runs"
    button.click().run()
    assert "Something went wrong" not in words(page)
    assert len(cache.job_queue().jobs()) == 4
    assert "4 runs are under way" in words(page)
    assert not [b for b in page.button if b.key == "scaling.queue.variants"]


@pytest.mark.parametrize(("view", "axis"), [("Lengths", "length"), ("Shots", "examples")])
def test_both_methods_are_drawn_over_the_axis(runs, view, axis):
    (chart,) = charts(open_page("scaling", view))
    assert [line["name"] for line in chart["data"]] == ["Scaled prompt tuning", "Prompt tuning"]
    assert axis in chart["layout"]["xaxis"]["title"]["text"]


def test_stability_compares_every_run_of_the_task(runs):
    (chart,) = charts(open_page("scaling", "Stability"))
    assert len(chart["layout"]["yaxis"]["ticktext"]) == 2
    assert "2 seeds" in chart["layout"]["title"]["text"]


def test_transfer_fills_the_matrix_from_runs_that_start_where_others_ended(runs):
    first, second = "miniworld_nli", "miniworld_sentiment"
    found = ablations.build_ablation("transfer", runs["spt"].spec, RunStore(), [first, second])
    for cell in found.missing:
        whole = cell.spec.model_dump(exclude={"base", "task", "method"})
        made = make_run("spt", cell.spec.task, "random-t5", **whole)
        made.write_scores({"accuracy": [0.5, 0.9] if cell.labels["source"] else [0.4, 0.6]})
    page = open_page("scaling", "Transfer", run=runs["spt"].id)
    assert page.multiselect[0].value == [first, second]
    (chart,) = charts(page)
    assert chart["data"][1]["text"][3].startswith("+0.200<br>")
    assert "Runs of this study: 6 of 6 are done" in [e.label for e in page.expander]


def test_transfer_asks_for_two_tasks(runs):
    page = open_page("scaling", "Transfer")
    page.multiselect[0].set_value(["miniworld_nli"]).run()
    assert "Choose two tasks" in words(page)


@pytest.mark.parametrize(("view", "count"), [("Templates", 3), ("Explanations", 4)])
def test_other_templates_and_explanations_are_queued_beside_a_run_of_any_method(runs, view, count):
    like = runs["spt"].spec
    training = like.training.model_copy(update={"learning_rate": None})
    spec = build_spec(
        "random-t5", like.task, "lora", None, like.population, training, like.evaluation
    )
    whole = spec.model_dump(exclude={"base", "task", "method"})
    lora = make_run("lora", like.task, "random-t5", **whole)
    page = open_page("scaling", view)
    page.selectbox(key="scaling.run").set_value(lora.id).run()
    button = page.button(key=f"scaling.queue.{view.lower()}")
    assert button.label == f"Queue {count} missing runs"
    button.click().run()
    assert "Something went wrong" not in words(page)
    assert {job.run_id for job in cache.job_queue().jobs()} == {
        cell.spec.id
        for cell in ablations.build_ablation(view.lower(), lora.spec, RunStore()).cells[1:]
    }
