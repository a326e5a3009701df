"""Collect the questions of a task and every run's answers to them, for rating."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from peftcore import tasks
from peftcore.errors import BadInput
from peftcore.rating import item_sampling

if TYPE_CHECKING:
    from peftcore.runs.store import Run


def collect_answer_pool(runs: Sequence[Run]) -> item_sampling.AnswerPool:
    """Collect questions and answers of finished runs of one task with explanations."""
    if not runs:
        raise BadInput("choose at least one run whose explanations are to be rated")
    task_names = sorted({run.spec.task for run in runs})
    if len(task_names) > 1:
        raise BadInput(f"a project is about one task; these runs are of {', '.join(task_names)}")
    task = tasks.find_task(task_names[0])
    if task.kind != "explain":
        raise BadInput(f"{task.title} has no explanations to rate; choose runs of a task that has")
    questions: dict[str, item_sampling.RatedQuestion] = {}
    answers_by_run: dict[str, dict[str, list[item_sampling.RunAnswer]]] = {}
    parts_by_example = {
        example.id: example.parts for example in task.load(runs[0].spec.evaluation.split)
    }
    for run in runs:
        table = run.answers()
        if table.empty:
            raise BadInput(f"run {run.id} has no answers yet: it is {run.status().state}")
        run_answers = answers_by_run.setdefault(run.id, {})
        for row in table.to_dict("records"):
            example = str(row["example"])
            if example not in questions:
                questions[example] = item_sampling.question_from_row(
                    row, parts_by_example.get(example, ()), task.labels
                )
            run_answers.setdefault(example, []).append(
                item_sampling.answer_from_row(row, run.id, run.spec.method)
            )
    return item_sampling.AnswerPool(questions, answers_by_run, task.labels)
