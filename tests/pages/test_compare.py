"""The Compare page, run in full without a browser, on made-up finished runs."""

import json
import math

import pytest
from streamlit.testing.v1 import AppTest
from support.runs import make_run, make_runs

from app import theme
from app.state import cache
from peftcore import paths
from peftcore.runs.store import RunStore


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No demo runs, and nothing loaded in the background."""
    monkeypatch.setattr(cache, "run_store", lambda: RunStore(demo_folder=tmp_path))
    monkeypatch.setenv("PEFTCORE_WARM", "0")


def opened(**query):
    page = AppTest.from_file(str(paths.ROOT / "app" / "main.py"), default_timeout=60)
    page.switch_page(str(paths.ROOT / "pages" / "compare.py"))
    for name, value in query.items():
        page.query_params[name] = value
    page.run()
    assert "Something went wrong" not in words(page)
    return page


def charts(page):
    return [json.loads(found.proto.spec) for found in page.get("plotly_chart")]


def words(page):
    kinds = (page.markdown, page.caption, page.info, page.warning, page.error)
    return "\n".join(str(found.value) for kind in kinds for found in kind).replace("\\", "")


def cards(page):
    return "\n".join(found.proto.body for found in page.get("html"))


def look_at(page, view):
    page.segmented_control(key="compare.view").set_value(view).run()
    assert not page.exception
    assert "Something went wrong" not in words(page)
    return page


def test_without_runs_it_says_what_to_do_next():
    page = opened()
    assert not page.exception
    assert "Nothing to compare yet" in words(page)
    assert "Train two or more methods" in words(page)


def test_the_newest_comparable_runs_are_shown_with_mean_and_interval():
    runs = make_runs()
    page = opened()
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
    ("second", "said"),
    [
        (
            [0.5, 0.6, 0.7, 0.8],
            "0.100 ahead of Scaled prompt tuning (95 % interval 0.100 to 0.100)",
        ),
        ([0.9, 0.4, 1.0, 0.6], "Scaled prompt tuning may be chance: +0.025 (-0.484 to +0.534)"),
    ],
)
def test_a_lead_comes_with_its_interval_or_as_what_chance_may_do(second, said):
    make_run("lora").write_scores({"accuracy": [0.6, 0.7, 0.8, 0.9]})
    make_run("spt").write_scores({"accuracy": second})
    shown = words(opened())
    assert said in shown
    assert "24 examples of the split test, seeds 0 to 3" in shown


def test_a_lead_on_one_seed_says_that_it_says_nothing_about_others():
    make_run("lora", population={"seeds": 1}), make_run("spt", population={"seeds": 1})
    assert "one seed says nothing about others" in words(opened())


def test_unlike_runs_are_refused_with_the_reason_and_a_way_out():
    alike = make_run("lora"), make_run("spt")
    other = make_run("prefix_tuning", training={"shots": 16})
    page = opened(runs=",".join(run.id for run in (*alike, other)))
    assert "These runs cannot be compared" in words(page)
    assert "Not the same training examples of a seed: 48 in" in words(page)
    assert not page.dataframe
    page.button(key="compare.keep.0").click().run()
    assert set(page.multiselect[0].value) == {run.id for run in alike}
    assert "has the highest mean" in words(page)


def test_other_data_is_unlike():
    runs = make_run("lora"), make_run("spt", data="d1")
    page = opened(runs=",".join(run.id for run in runs))
    assert "Not the same data" in words(page)


def test_another_base_is_refused_unless_asked_for():
    runs = make_run("lora"), make_run("lora", base="tiny-gpt")
    page = opened(runs=",".join(run.id for run in runs))
    assert page.toggle(key="compare.across").value  # the address asks for two bases
    assert page.dataframe[0].value["Run"].str.contains("tiny-").all()
    page.toggle(key="compare.across").set_value(False).run()
    assert "Not the same base: " in words(page)


def test_other_steps_are_allowed_and_said():
    make_run("lora"), make_run("spt", training={"steps": 100})
    assert "Steps differ: " in words(opened())


def test_the_address_chooses_runs_and_task():
    make_runs()
    venues = make_run("lora", "miniworld_venues")
    page = opened(runs=venues.id)
    assert page.multiselect[0].value == [venues.id]
    assert page.selectbox(key="compare.task").value == "miniworld_venues"
    assert page.dataframe[0].value.columns[2] == "BLEU"


def test_the_metric_stands_in_the_address_and_leaves_with_the_task():
    make_runs()
    make_run("lora", "miniworld_venues")
    page = opened(metric="f1")
    key = "compare.metric.miniworld_nli"
    assert page.selectbox(key=key).value == "f1"
    page.selectbox(key=key).set_value("broken").run()
    assert page.query_params["metric"] == "broken"
    page.selectbox(key="compare.task").set_value("miniworld_venues").run()
    assert "metric" not in page.query_params
    assert not page.warning


def test_an_address_of_unknown_runs_is_said_and_the_rest_shown():
    make_runs()
    page = opened(runs="000000000000,<b>x</b>")
    assert "runs that are not here" in words(page)
    assert "has the highest mean" in words(page)


def test_choosing_runs_changes_the_address():
    runs = make_runs()
    page = opened()
    page.multiselect[0].set_value([runs[0].id, runs[1].id]).run()
    assert f"{runs[0].id},{runs[1].id}" in page.query_params["runs"]


def test_choosing_no_run_says_what_to_do():
    make_runs()
    page = opened()
    page.multiselect[0].set_value([]).run()
    assert "Choose at least one run" in words(page)


def test_runs_that_have_not_finished_are_not_offered():
    make_run("lora").write_status(state="cancelled")
    assert "Nothing to compare yet" in words(opened())


@pytest.mark.parametrize(
    ("view", "count"), [("Curves", 2), ("Size", 1), ("Labels", 4), ("Tests", 1)]
)
def test_every_view_draws_its_charts(view, count):
    make_runs()
    page = look_at(opened(), view)
    found = charts(page)
    assert len(found) == count
    for chart in found:
        assert chart["data"]
        assert chart["layout"]["xaxis"]["title"]["text"]


def test_tests_state_the_smallest_p_four_seeds_can_reach():
    make_runs()
    page = look_at(opened(), "Tests")
    assert "The smallest p that 4 pairs can reach is 0.125" in words(page)
    assert "0.05 can be reached from 7 seeds on" in words(page)
    table = page.dataframe[1].value
    assert len(table) == 3
    assert (table["p"] >= 0.125).all()
    assert (table["p, Holm"] >= table["p"]).all()


def test_one_run_cannot_be_tested():
    make_run("lora")
    assert "Choose a second run" in words(look_at(opened(), "Tests"))


def test_free_text_has_no_labels_to_count():
    make_runs("miniworld_venues", ("lora", "spt"))
    assert "no labels to count" in words(look_at(opened(), "Labels"))


def test_answers_stand_side_by_side_and_are_filtered():
    runs = make_runs(methods=("lora", "prompt_tuning"))
    page = look_at(opened(), "Answers")
    first = runs[0].answers().iloc[0]
    assert first["source"] in cards(page).replace("&#x27;", "'")
    assert "24 of 24 examples" in words(page)
    page.segmented_control(key="compare.filter").set_value("Someone is wrong").run()
    wrong = {
        row["example"]
        for run in runs
        for _, row in run.answers().iterrows()
        if row["seed"] == 0 and not row["correct"]
    }
    assert f"{len(wrong)} of 24 examples" in words(page)
    page.selectbox(key="compare.seed").set_value(2).run()
    assert "seed 2" in words(page)


def test_answers_to_free_text_can_be_filtered_by_difference_only():
    make_runs("miniworld_venues", ("lora", "spt"))
    page = look_at(opened(), "Answers")
    assert list(page.segmented_control(key="compare.filter").options) == ["All", "Answers differ"]


def test_hostile_answers_stay_text():
    run = make_run("lora")
    answers = run.answers()
    answers["text"] = answers["source"] = "<script>alert(1)</script>"
    run.write_answers(answers)
    shown = cards(look_at(opened(), "Answers"))
    assert "&lt;script&gt;" in shown.replace("<ins>", "").replace("</ins>", "")
    assert "<script>" not in shown


def test_a_metric_that_was_not_scored_is_said():
    run = make_run("lora")
    run.write_scores({"accuracy": [math.nan] * 4})
    page = opened()
    assert not page.exception
    assert "None of these runs has this metric" in words(page)


def test_the_sweep_that_ships_is_offered_and_shown_where_the_address_names_it(
    monkeypatch, tmp_path
):
    from app.compare import selection

    shelf = RunStore(tmp_path / "sweep_runs", demo_folder=tmp_path)
    there = [make_run(m, store=shelf, population={"seeds": 6}) for m in ("lora", "spt")]
    monkeypatch.setattr(selection, "SHIPPED_RUNS", shelf.folder)
    make_runs()
    page = opened()
    assert len(page.multiselect[0].options) == 4
    button = page.button(key="compare.shipped")
    assert button.label == "See 2 methods over 6 episodes each"
    button.click().run()
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in there)
    page = opened(runs=",".join(run.id for run in there))
    assert sorted(page.multiselect[0].value) == sorted(run.id for run in there)
    assert "not here" not in words(page)
    assert "compare.shipped" not in [button.key for button in page.button]
