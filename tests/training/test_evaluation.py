"""Answers of many seeds: the same however many texts ride in a pass."""

import pytest
import torch

from peftcore import tasks
from peftcore.models.batching import ExampleBatcher
from peftcore.training import evaluation
from peftcore.training.planning import build_adapted, build_spec


@pytest.fixture
def asked(tiny):
    base = tiny("t5")
    spec = build_spec("tiny-t5", "miniworld_nli", "prompt_tuning", None, {"seeds": 2})
    task = tasks.find_task(spec.task)
    rows = task.load("validation")[:6]
    options = spec.evaluation.model_copy(update={"max_new_tokens": 4})
    return build_adapted(base, spec), task, rows, ExampleBatcher(base, task.labels), options


def test_texts_are_halved_where_memory_runs_out(asked, monkeypatch):
    whole = evaluation.answer_examples(*asked)
    write, sizes = evaluation.answer_rows, []

    def with_little_memory(adapted, task, rows, *given):
        sizes.append(len(rows))
        if len(rows) > 4:
            raise torch.OutOfMemoryError
        return write(adapted, task, rows, *given)

    monkeypatch.setattr(evaluation, "answer_rows", with_little_memory)
    assert evaluation.answer_examples(*asked) == whole
    assert max(sizes) == 12
    assert sum(size for size in sizes if size <= 4) == 12


def test_memory_that_is_too_small_for_one_text_is_an_error(asked, monkeypatch):
    def never(*given):
        raise torch.OutOfMemoryError

    monkeypatch.setattr(evaluation, "answer_rows", never)
    with pytest.raises(torch.OutOfMemoryError):
        evaluation.answer_examples(*asked)
