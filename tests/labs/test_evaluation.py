"""Finished runs asked other examples; what was kept of them stays as it is."""

import pytest
from support.commands import printed
from support.runs import make_run

from peftcore import tasks
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.labs.evaluation.compute import run_evaluation_job
from peftcore.labs.evaluation.request import EvaluationJob, EvaluationRequest, evaluations_of
from peftcore.runs.store import RunStore
from peftcore.training import evaluate_run

DEMO, OTHER = "5a7da5def8b7", "4f677812ddf6"


def contents(run):
    return {path.name: path.stat().st_mtime_ns for path in run.folder.iterdir()}


def test_on_its_own_examples_a_run_answers_as_it_did_and_stays_as_it_is(home, monkeypatch):
    run = RunStore().open(DEMO)
    before = contents(run)
    found = printed("evaluate", DEMO, "--limit", "6")["evaluations"][0]
    assert contents(run) == before
    assert (found["task"], found["split"], found["items"]) == (run.spec.task, "test", 6)
    [job] = evaluations_of(run)
    again = job.result().answers(["seed", "example", "text"])
    stored = run.answers(["seed", "example", "text"])
    both = again.merge(stored, on=["seed", "example"], suffixes=("", "_then"))
    assert len(both) == len(again) == 6 * run.spec.population.seeds
    assert (both.text == both.text_then).all()
    right = again.merge(run.answers(["seed", "example", "correct"])).correct.mean()
    assert found["scores"]["accuracy"]["mean"] == pytest.approx(right)
    monkeypatch.setattr("peftcore.labs.evaluation.compute.answer_request", None)
    assert printed("evaluate", DEMO, "--limit", "6")["evaluations"][0] == found  # kept


def test_runs_are_judged_on_another_task_in_another_wording(home):
    asked = ("--task", "ladder_format", "--split", "validation", "--limit", "6")
    wording = "story: {1} statement: {2}"
    value = printed("evaluate", DEMO, OTHER, *asked, "--template", wording)
    assert [each["run"] for each in value["evaluations"]] == [DEMO, OTHER]
    assert {each["data_hash"] for each in value["evaluations"]} == {
        tasks.find_task("ladder_format").data_hash()
    }
    assert value["verdicts"][0]["in_words"]
    job = EvaluationJob.find(
        EvaluationRequest(
            runs=(DEMO,), task="ladder_format", split="validation", limit=6, template=wording
        )
    )
    assert job.request.command_arguments()[:4] == ["evaluate", DEMO, "--task", "ladder_format"]
    sources = job.result().answers(["source"]).source
    assert sources.str.startswith("story: ").all()


def test_a_template_names_texts_that_are_there():
    rows = [Example("1", "a b", "yes", parts=("a", "b"))]
    assert evaluate_run.phrase(rows, "{2} then {1}")[0].source == "b then a"
    assert evaluate_run.phrase(rows, " ") == rows
    for template in ("{3}", "no text", "{0}"):
        with pytest.raises(BadInput, match=r"\{1\} to \{2\}"):
            evaluate_run.phrase(rows, template)


def test_what_cannot_be_evaluated_is_refused_in_words():
    run = make_run("lora")
    run.write_status(state="cancelled")
    with pytest.raises(BadInput, match="is cancelled; only finished runs"):
        run_evaluation_job(EvaluationJob.create(EvaluationRequest(runs=(run.id,))))
    reader = make_run("linear_probe", base="tiny-bert")
    task = tasks.find_task("miniworld_sentiment")
    with pytest.raises(BadInput, match="the head was trained for the labels of miniworld_nli"):
        evaluate_run.check_task(reader.spec, task, "encoder")
