"""What the best constant answer reaches."""

import pytest
import torch

from peftcore.labs.toys import (
    digits,
    guessing,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_constant_answer_agrees_with_counting_draws():
    drawn = digits.sample_inputs(40_000, 4, rng(), test=False)
    counted = digits.task_answers(drawn, "histogram")
    best = counted.unique(dim=0, return_counts=True)[1].max().item() / len(drawn)
    assert guessing.constant_answer(4) == pytest.approx(best, abs=0.01)
    assert guessing.constant_answer(6) == pytest.approx(0.0685, abs=1e-4)
