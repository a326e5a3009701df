"""Let a finished run answer other examples: of any task, split, table or template.

The run's folder stays as it is.  Each seed answers at the centroid of its simplex, as at the end of
training.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from peftcore import tasks
from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.data.task import Answer, Example, Task
from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import Evaluation, RunSpec
from peftcore.training import evaluation, planning, reading
from peftcore.training.evaluation import PassControl


def check_task(spec: RunSpec, task: Task, kind: str) -> None:
    """Raise BadInput where a run cannot answer a task: a head has the labels it was trained for."""
    if kind == "encoder" and task.labels != tasks.find_task(spec.task).labels:
        raise BadInput(f"the head was trained for the labels of {spec.task}, not of {task.name}")


def answer_rows(
    spec: RunSpec,
    adapted: AdaptedModel,
    task: Task,
    rows: Sequence[Example],
    options: Evaluation,
    control: PassControl,
) -> list[list[Answer]]:
    """Return each seed's answers (s, n) to these rows; BadInput for rows beyond the window."""
    base = adapted.base
    check_task(spec, task, base.kind)
    batcher = ExampleBatcher(base, task.labels, planning.prompt_length(spec, base))
    batcher.check_fit(list(rows))
    reader = reading.reader_of_run(spec, adapted.adapter, batcher, lambda seed: rows)
    with torch.inference_mode():
        if not reader.changes_text:
            return evaluation.answer_examples(adapted, task, rows, batcher, options, control)
        each = [rows] * spec.population.seeds
        return reading.answer_by_seed(adapted, task, reader, each, batcher, options, control)
