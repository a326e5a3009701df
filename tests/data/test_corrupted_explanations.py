"""Explanations that are wrong on purpose: in training alone, and the same in every process."""

import pytest

from peftcore import tasks
from peftcore.data.corrupted_explanations import corrupt, explanation_of, with_corruption
from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.training.planning import build_spec

TASK = "miniworld_nli"


def episodes(how):
    task = tasks.find_task(TASK)
    return task.few_shot(12, 0, 6), with_corruption(task, how).few_shot(12, 0, 6)


@pytest.mark.parametrize("how", ["shuffled", "truncated", "same_label", "other_label"])
def test_only_the_explanations_of_training_change(how):
    plain, changed = episodes(how)
    assert changed.dev == plain.dev
    assert [row.id for row in changed.train] == [row.id for row in plain.train]
    for before, after in zip(plain.train, changed.train, strict=True):
        assert (after.source, after.label, after.references) == (
            before.source, before.label, before.references,
        )  # fmt: skip
        assert after.target.startswith(f"{after.label} because ")
    moved = [b.target != a.target for b, a in zip(plain.train, changed.train, strict=True)]
    assert sum(moved) > 9  # one of few words may be shuffled into itself
    assert changed == episodes(how)[1]
    task = tasks.find_task(TASK)
    assert with_corruption(task, how).load("test") == task.load("test")


def test_each_kind_does_what_it_says():
    plain, shuffled = episodes("shuffled")
    by_words = lambda rows: [sorted(explanation_of(row).split()) for row in rows]
    assert by_words(shuffled.train) == by_words(plain.train)
    _, truncated = episodes("truncated")
    for before, after in zip(plain.train, truncated.train, strict=True):
        words = explanation_of(before).split()
        assert explanation_of(after).split() == words[: max(1, len(words) // 3)]
    of_label = {}
    for row in plain.train:
        of_label.setdefault(explanation_of(row), set()).add(row.label)
    for how, same in (("same_label", True), ("other_label", False)):
        for row in episodes(how)[1].train:
            labels = of_label[explanation_of(row)]
            assert row.label in labels if same else labels != {row.label}


def test_without_another_example_there_is_nothing_to_take():
    alone = [Example("1", "x", "yes because it is", "yes")]
    with pytest.raises(BadInput, match="of another label"):
        corrupt(alone, "other_label", "key")


def test_a_spec_keeps_its_id_and_refuses_tasks_that_ask_for_none():
    made = lambda task, how: build_spec("tiny-t5", task, "lora", training={"explanations": how})
    assert made(TASK, "own").id == build_spec("tiny-t5", TASK, "lora").id
    assert made(TASK, "shuffled").id != made(TASK, "own").id
    assert type(tasks.task_of(made(TASK, "own"))).__name__ == "MiniworldNli"
    with pytest.raises(BadInput, match="asks for no explanations"):
        made("miniworld_sentiment", "shuffled")
