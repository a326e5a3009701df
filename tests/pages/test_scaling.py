"""The Scaling page, run in full without a browser, on real runs of a tiny random base."""

import shutil

import pytest
from support.pages import charts, open_page, words
from support.runs import make_run

from app.labs.scaling import ablation_views
from app.state import cache
from peftcore.labs.scaling import ablations
from peftcore.runs.store import RunStore
from peftcore.training.planning import build_spec
from peftcore.training.run_training import execute_run

TRAINING = {"shots": 9, "dev": 6, "steps": 4, "batch": 3, "evaluate_every": 2}


@pytest.fixture(scope="module")
def models(tiny, tmp_path_factory):
    """A folder of base models with the random T5."""
    folder, base = tmp_path_factory.mktemp("models"), tiny("t5")
    base.model.save_pretrained(folder / "random-t5")
    base.tokenizer.save_pretrained(folder / "random-t5")
    return folder


@pytest.fixture(scope="module")
def trained(models, tmp_path_factory):
    """A folder with a run of scaled prompt tuning and one of prompt tuning."""
    store = RunStore(tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("demos"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PEFTCORE_MODELS", str(models))
        for method in ("spt", "prompt_tuning"):
            execute_run(store.create(asked(method)))
    return store.folder


def asked(method, task="miniworld_nli", **settings):
    members, scored = {"seeds": 2}, {"limit": 3, "max_new_tokens": 2}
    return build_spec(
        "random-t5", task, method, {"length": 5} | settings, members, TRAINING, scored
    )


@pytest.fixture(autouse=True)
def alone(monkeypatch, models, no_demo_runs):
    """No demo runs, no worker, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "imports_ready", lambda: True)
    monkeypatch.setattr(ablation_views, "ensure_worker", lambda **_: False)
    monkeypatch.setenv("PEFTCORE_MODELS", str(models))


@pytest.fixture
def runs(trained, home):
    """Method → its run, in the workspace of the test."""
    shutil.copytree(trained, home / "runs")
    return {run.spec.method: run for run in RunStore().all(include_demos=False)}


def titles(page):
    return [chart["layout"]["title"]["text"] for chart in charts(page)]


def test_without_runs_it_says_what_to_do_next():
    assert "No soft prompt has been trained yet" in words(open_page("scaling"))


def test_a_run_without_soft_tokens_is_not_offered():
    make_run("lora")
    assert "No soft prompt has been trained yet" in words(open_page("scaling"))


def test_scales_follow_the_slider_and_the_drift_needs_both_methods(runs):
    page = open_page("scaling")
    assert page.selectbox(key="scaling.run").value == runs["spt"].id
    heat, tokens, histogram, drift = charts(page)
    assert len(heat["data"][0]["y"]) == 5
    assert heat["layout"]["xaxis"]["ticktext"] == ["0", "2", "4"]
    assert "10 tokens, 2 seeds" in histogram["layout"]["title"]["text"]
    assert "2 seeds" in drift["layout"]["title"]["text"]
    assert "step 4" in tokens["layout"]["title"]["text"]
    page.select_slider[0].set_value(0).run()
    assert "step 0" in titles(page)[1]


def test_prompt_tuning_says_that_it_has_no_scales(runs):
    page = open_page("scaling", run=runs["prompt_tuning"].id)
    assert page.selectbox(key="scaling.run").value == runs["prompt_tuning"].id
    assert "every scale is one" in words(page)
    assert "Needs kept steps" in words(page)


def test_the_gap_names_the_nearest_words_of_the_chosen_seed(runs):
    page = open_page("scaling", "Gap to words")
    gaps, plane = charts(page)
    assert "2 seeds" in gaps["layout"]["title"]["text"]
    assert "5 soft tokens" in plane["layout"]["title"]["text"]
    first = page.dataframe[-1].value
    assert list(first["Token"]) == [1, 2, 3, 4, 5]
    page.selectbox(key=f"scaling.seed.{runs['spt'].id}").set_value(1).run()
    assert list(page.dataframe[-1].value["Scale"]) != list(first["Scale"])


def test_what_a_scale_can_do_is_said_and_measured(runs):
    page = open_page("scaling", "Learning rate")
    assert "scales fold into the prompt" in words(page).replace("\n", " ")
    assert "AdamW" in titles(page)[0]
    page.segmented_control(key="scaling.optimiser").set_value("sgd").run()
    assert "gradient descent" in titles(page)[0]
    assert "Measured movement" in titles(page)[1]


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


def test_an_address_of_another_run_gets_a_sentence(runs):
    lora = make_run("lora")
    page = open_page("scaling", run=lora.id)
    assert "finished runs with soft tokens can be read" in words(page)
    assert page.selectbox(key="scaling.run").value in {run.id for run in runs.values()}
