"""Sentences of the Toys page."""

from app.labs.toys import findings
from peftcore.labs.toys.recipes import Stage
from peftcore.labs.toys.results import StageResult


def result(task, start_losses, right):
    """A prefix of one seed, as far as sentences look at it."""
    return StageResult("k", {"task": task}, {}, [0], 96, 1.0, 1600, {}, [], {}, right, start_losses)


def test_starts_that_end_badly_are_counted_and_the_last_rise_is_named():
    stages = [
        (
            Stage(kind="prefix", task=task, steps=12, rate=0.03, falling=True, starts=2),
            result(task, losses, right),
        )
        for task, losses, right in (
            ("add1", [[0.3, 0.1]], [[6, [50.0]], [10, [60.0]], [12, [64.0]]]),
            ("add2", [[0.1, 0.15]], [[6, [50.0]], [10, [99.0]], [12, [98.0]]]),
        )
    ]
    note = findings.training_note(stages)
    assert "2 starts for every seed" in note
    assert "12 steps at a rate of 0.03, falling to nothing" in note
    assert "In 1 of 2 cases another start" in note
    assert "at most 4.0 points (prefix: add one to each digit)" in note
