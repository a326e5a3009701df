"""Sequences of digits and what should become of them; which of them are for testing.

Drawn afresh at every step.  A quarter of all inputs, chosen by a fixed hash, are for tests only:
the same in every process.  As in the original, half of the draws with many different digits are
thrown away, so that repeated digits are common (arXiv:2310.19698, notebook 01).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from peftcore.labs.toys.recipes import DIGITS, MIXTURE

ANSWERS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "ascending": lambda x: x.sort(-1).values,
    "descending": lambda x: x.sort(-1, descending=True).values,
    "add1": lambda x: x + 1,
    "add2": lambda x: x + 2,
    "ascending_add1": lambda x: x.sort(-1).values + 1,
    "histogram": lambda x: (x[..., :, None] == x[..., None, :]).sum(-1),
}


def held_out(inputs: Tensor) -> Tensor:
    """Return which inputs (…, n) are for testing only: a quarter, by a multiplicative hash."""
    powers = DIGITS ** torch.arange(inputs.shape[-1], device=inputs.device)
    code = (inputs * powers).sum(-1) + 1
    return (code * 2_654_435_761) % 2**32 < 2**30


def sample_inputs(rows: int, length: int, rng: Generator, *, test: bool) -> Tensor:
    """Draw inputs (rows, length), all for testing or all for training."""
    batches: list[Tensor] = []
    while sum(map(len, batches)) < rows:
        candidates = torch.randint(DIGITS, (4 * rows, length), generator=rng)
        sorted_digits = candidates.sort(-1).values
        distinct_count = 1 + (sorted_digits.diff(dim=-1) > 0).sum(-1)
        rejected = (distinct_count > length // 2) & (
            torch.rand(len(candidates), generator=rng) < 0.5
        )
        batches.append(candidates[(held_out(candidates) == test) & ~rejected])
    return torch.cat(batches)[:rows]


def task_answers(inputs: Tensor, task: str, rng: Generator | None = None) -> Tensor:
    """Return right answers (rows, length); a mixture draws one of its tasks for every row."""
    if task != "mixture":
        return ANSWERS[task](inputs)
    assert rng is not None, "a mixture is drawn"
    answers_by_task = torch.stack([ANSWERS[name](inputs) for name in MIXTURE])
    task_indices = torch.randint(len(MIXTURE), (len(inputs),), generator=rng)
    return answers_by_task[task_indices, torch.arange(len(inputs))]
