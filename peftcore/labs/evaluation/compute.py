"""Lets a finished run answer the examples of a request, and keeps answers and scores."""

from __future__ import annotations

from functools import partial

import pandas as pd

from peftcore import tasks
from peftcore.data import templates
from peftcore.errors import BadInput
from peftcore.labs.common.context import LabContext, run_job
from peftcore.labs.evaluation.request import EvaluationJob
from peftcore.runs.answers import answers_table
from peftcore.runs.spec import Evaluation
from peftcore.training import evaluate_run, evaluation
from peftcore.training.checkpoint import load_adapter


def answer_request(context: LabContext[EvaluationJob]) -> None:
    """Answer and score; BadInput for a run that is not done or a task that does not suit it."""
    run, request = context.run, context.job.request
    if run.status().state != "done":
        raise BadInput(f"run {run.id} is {run.status().state}; only finished runs are evaluated")
    task = tasks.find_task(request.task) if request.task else tasks.task_of(run.spec)
    options = Evaluation.make(
        run.spec.evaluation.model_dump()
        | {"split": request.split, "limit": request.limit, "protocol": "shared"}
    )
    rows = evaluation.examples_to_answer(task, options)
    asked = templates.phrase(rows, request.template)
    adapted = load_adapter(run, context.base)

    def report(done: int, of: int) -> None:
        context.done, context.total = done, of
        context.write_status()

    control = evaluation.PassControl(context.run_dtype(), report, context.stop_requested)
    answers = evaluate_run.answer_rows(run.spec, adapted, task, asked, options, control)
    numbers = run.spec.population.seed_numbers()
    tables = [
        answers_table(asked, each, number) for each, number in zip(answers, numbers, strict=True)
    ]
    scores = [task.score(each, asked) for each in answers]
    facts = {"task": task.name, "data_hash": task.data_hash(), "items": len(rows)}
    chose = request.split == task.dev_split and task.name == run.spec.task
    facts |= {"chosen_on": chose}  # some of these examples may have chosen the step
    context.job.write_plan(facts, [])
    context.job.write_results(
        pd.concat(tables, ignore_index=True),
        {name: [each[name] for each in scores] for name in scores[0]},
    )


run_evaluation_job = partial(run_job, LabContext[EvaluationJob], answer_request)
