"""Reads the hidden states of every layer while a model reads examples, all seeds in one pass.

A decoder reads the gold target too.  One example at a time, so nothing is padded.  The first layer
counted is the input as it enters the stack; the last is behind the stack's final norm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from peftcore.data.task import Example
from peftcore.errors import BadInput
from peftcore.models.batching import ExampleBatcher

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.adapted_model import AdaptedModel

MOST_POSITIONS = 512  # kept of each stack, spread evenly over the examples
EXAMPLES = 20  # read where nothing else is asked for


@dataclass(frozen=True)
class StackStates:
    """The states of one stack: words (s, l, n, d), and soft tokens (s, l, m, d), m 0 without."""

    words: NDArray[np.floating[Any]]
    soft: NDArray[np.floating[Any]]


def read_states(
    adapted: AdaptedModel,
    examples: Sequence[Example],
    report: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, StackStates]:
    """Return the hidden states of each stack at the same positions for every model of a base."""
    if not examples:
        raise BadInput("there are no examples to read")
    share = max(1, MOST_POSITIONS // len(examples))
    batcher = ExampleBatcher(
        adapted.base, (), adapted.adapter.prompt_length(adapted.adapter.config)
    )
    read: dict[str, list[tuple[NDArray[Any], NDArray[Any]]]] = {}
    for done, example in enumerate(examples):
        batch = batcher.batch([example] * adapted.seeds)
        for stack, layers in adapted.hidden_states(batch, adapted.centroid()).items():
            states = torch.stack(layers, 1)  # (s, l, t, d)
            answer_alone = stack == "decoder" and adapted.base.kind == "encoder-decoder"
            content = states.shape[2] if answer_alone else batch.input_ids.shape[1]
            words, soft = _split(adapted, states, content)
            read.setdefault(stack, []).append((_thin(words, share), _thin(soft, share)))
        report(done + 1, len(examples))
    return {
        stack: StackStates(*(np.concatenate(parts, 2) for parts in zip(*pairs, strict=True)))
        for stack, pairs in read.items()
    }


def _split(adapted: AdaptedModel, states: Tensor, content: int) -> tuple[Tensor, Tensor]:
    """Split states (s, l, t, d) into those of the text (content of t) and of soft tokens before it.

    In an encoder they follow the first token.
    """
    at = int(adapted.base.kind == "encoder")
    extra = states.shape[2] - content
    words = torch.cat([states[:, :, :at], states[:, :, at + extra :]], 2)
    return words, states[:, :, at : at + extra]


def _thin(states: Tensor, most: int) -> NDArray[np.floating[Any]]:
    """Keep at most so many positions of states (s, l, t, d), spread evenly."""
    count = states.shape[2]
    if count > most:
        states = states[:, :, torch.linspace(0, count - 1, most).round().long()]
    kept: NDArray[np.floating[Any]] = states.float().cpu().numpy()
    return kept
