"""Finished runs asked other examples; what was kept of them stays as it is."""

import pytest
from support.runs import make_run

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.labs.evaluation.compute import run_evaluation_job
from peftcore.labs.evaluation.request import EvaluationJob, EvaluationRequest
from peftcore.training import evaluate_run


def test_what_cannot_be_evaluated_is_refused_in_words():
    run = make_run("lora")
    run.write_status(state="cancelled")
    with pytest.raises(BadInput, match="is cancelled; only finished runs"):
        run_evaluation_job(EvaluationJob.create(EvaluationRequest(runs=(run.id,))))
    reader = make_run("linear_probe", base="tiny-bert")
    task = tasks.find_task("miniworld_sentiment")
    with pytest.raises(BadInput, match="the head was trained for the labels of miniworld_nli"):
        evaluate_run.check_task(reader.spec, task, "encoder")
