"""The size of one pass of a base, in tokens that the device has memory for, and so in seeds.

Larger passes save overhead until they leave a processor's cache: with 16 seeds of tiny-t5, groups
of 8 (some 4,000 tokens) took .6 of the processor time of one at a time, and all 16 no less (`bench
growth --axis together`). PEFTCORE_TOKENS overrides the number. Results do not depend on it in
single precision; in half precision by the noise of its rounding.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch

from peftcore.data.task import Episode
from peftcore.errors import BadInput
from peftcore.models.base_model import BaseModel
from peftcore.models.batching import ExampleBatcher
from peftcore.runs.spec import RunSpec

REFUSALS = ("DefaultCPUAllocator", "not enough memory", "Cannot allocate memory")
CPU_TOKENS = 4096
MAX_GPU_TOKENS = 65_536  # fewer where less memory is free
BACKWARD_NUMBERS_PER_TOKEN = 40  # kept for the backward pass per layer and feature, roughly


def token_budget(base: BaseModel) -> int:
    """Return the source tokens of one pass; BadInput if PEFTCORE_TOKENS is wrong."""
    if override := os.environ.get("PEFTCORE_TOKENS"):
        if not override.isdecimal() or int(override) < 1:
            raise BadInput(f"PEFTCORE_TOKENS must be a whole number from 1; got {override[:40]!r}")
        return int(override)
    if base.device.type == "cpu":
        return CPU_TOKENS
    free, _ = torch.cuda.mem_get_info(base.device)
    each = 4 * (  # bytes of a token: states of all layers, and logits with their gradients
        base.structure.layers * base.structure.width * BACKWARD_NUMBERS_PER_TOKEN
        + len(base.embeddings) * 3
    )
    return int(min(MAX_GPU_TOKENS, max(CPU_TOKENS, free // each)))


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether memory ran out, on a GPU or on a processor.

    PyTorch has an error of its own for GPUs only; on a processor its allocator's words tell.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSALS)


def seeds_per_pass(
    spec: RunSpec, base: BaseModel, batcher: ExampleBatcher, episodes: Sequence[Episode]
) -> int:
    """Return how many seeds of a spec share one training pass, at least 1."""
    longest = max(len(batcher.tokenize(e).input_ids) for episode in episodes for e in episode.train)
    return max(1, token_budget(base) // (spec.training.batch * longest))
