"""How a picture is drawn: pixel by pixel, each at its place, by chance that can be repeated.

A prompt has many right pictures, so pixels are drawn by their probabilities.  Adding Gumbel noise
to the logits and taking the largest is such a draw; the noise of a picture depends on its key and
nothing else.  So a picture comes out the same in whatever batch it is drawn, two adapters that are
given the same key differ only by what they learnt, and no global seed is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from peftcore.tasks.images.canvas import PIXELS, pixel_word

TEMPERATURE = 0.5  # below 1 the likely pixels are drawn more often still


def gumbel_noise(key: str, levels: int) -> Tensor:
    """Gumbel noise (places, levels) of one picture."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])
    rng = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(PIXELS), levels, generator=rng).clamp(1e-9, 1 - 1e-7)
    return -(-uniform.log()).log()


def pixel_token_ids(tokenizer: Any) -> Tensor:
    """Token ids (places, levels) of every pixel word the tokenizer has."""
    token_ids = tokenizer.get_vocab()
    levels = sum(f"{PIXELS[0]}={level}" in token_ids for level in range(10))
    rows = [
        [token_ids[pixel_word(i, level)] for level in range(levels)] for i in range(len(PIXELS))
    ]
    return torch.tensor(rows)


class PixelSampler:
    """What `generate` asks at every step: only the words of the next place, by chance."""

    def __init__(self, tokenizer: Any, keys: Sequence[str], temperature: float = TEMPERATURE):
        self.pixel_ids, self.temperature = pixel_token_ids(tokenizer), temperature
        self.noise = torch.stack(
            [gumbel_noise(key, self.pixel_ids.shape[1]) for key in keys]
        )  # (n, 64, levels)
        self.position = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Scores (n, words) whose largest is the pixel that was drawn."""
        ids = self.pixel_ids[self.position].to(scores.device)
        noisy_scores = scores[:, ids] / self.temperature + self.noise[:, self.position].to(
            scores.device
        )
        self.position += 1
        return torch.full_like(scores, -torch.inf).index_copy(1, ids, noisy_scores.to(scores.dtype))


def sampling_options(
    tokenizer: Any, keys: Sequence[str], temperature: float = TEMPERATURE
) -> dict[str, Any]:
    """What `generate` needs to draw one picture for each key."""
    from transformers import LogitsProcessorList

    return {
        "logits_processor": LogitsProcessorList([PixelSampler(tokenizer, keys, temperature)]),
        "max_new_tokens": len(PIXELS),
        "do_sample": False,
    }
