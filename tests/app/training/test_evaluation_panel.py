"""The panel that evaluates a finished run: what was asked before is shown with its scores."""

from support.pages import open_page, sound, words
from support.runs import make_run

from peftcore.labs.evaluation.request import EvaluationJob, EvaluationRequest


def test_scores_of_an_evaluation_stand_on_the_runs_page_and_the_run_keeps_its_own():
    run = make_run("lora")
    page = open_page("runs", run=run.id)
    assert sound(page)
    assert "Evaluate on other examples" in [box.label for box in page.expander]
    job = EvaluationJob.create(EvaluationRequest(runs=(run.id,)))
    answers = run.answers()
    answers["correct"] = True
    answers["predicted"] = answers["label"]
    job.write_plan({"items": 24, "chosen_on": True}, [])
    job.write_results(answers, {"accuracy": [1.0] * run.spec.population.seeds})
    job.write_status(state="done")
    page = open_page("runs", run=run.id)
    assert sound(page)
    text = words(page)
    assert "24 examples of the test split. Some of them chose the step that was kept." in text
    tables = [table.value for table in page.dataframe if "Mean" in table.value]
    assert any(table["Mean"].to_list() == ["1.000"] for table in tables)
    assert run.scores()["accuracy"] != [1.0] * run.spec.population.seeds
