"""Overlap of training samples, against samples that were drawn."""

import itertools

import pytest

from peftcore import tasks
from peftcore.analysis import draws


def test_five_sixths_of_500_of_600_rows():
    assert draws.expected_overlap(500, [600]) == pytest.approx(5 / 6)


def test_labels_are_drawn_in_turn():
    assert draws.balanced_counts(7, [10, 2, 10]) == [3, 2, 2]
    with pytest.raises(ValueError, match="5 rows of 4"):
        draws.balanced_counts(5, [2, 2])


def test_it_is_what_samples_of_a_task_share():
    task = tasks.find_task("miniworld_nli")
    rows = task.load("train")
    sizes = [sum(row.label == label for row in rows) for label in task.labels]
    k = len(rows) // 2
    drawn = [{row.id for row in task.few_shot(k, seed, 8).train} for seed in range(6)]
    shared = [len(a & b) / k for a, b in itertools.combinations(drawn, 2)]
    assert sum(shared) / len(shared) == pytest.approx(draws.expected_overlap(k, sizes), abs=0.02)
