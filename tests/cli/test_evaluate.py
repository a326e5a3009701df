"""`evaluate`: finished runs asked other examples."""

import pytest
from support.commands import printed

from peftcore import tasks
from peftcore.labs.evaluation.request import EvaluationJob, EvaluationRequest, evaluations_of
from peftcore.runs.store import RunStore

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
