"""Sample an image pixel by pixel, at random but repeatably.

A prompt has many right images, so pixels are sampled by their probabilities. Adding Gumbel noise to
the logits and taking the largest is such a sample; the noise of an image depends on its key and
nothing else. So an image comes out the same in whatever batch it is sampled, two adapters with the
same key differ only by what they learned, and no global seed is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from peftcore.tasks.images.canvas import PIXELS, pixel_word

TEMPERATURE = 0.5  # below 1, likely pixels become even likelier


def gumbel_noise(key: str, levels: int) -> Tensor:
    """Return the Gumbel noise (places, levels) of one image."""
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:7])
    rng = torch.Generator().manual_seed(seed)
    uniform = torch.rand(len(PIXELS), levels, generator=rng).clamp(1e-9, 1 - 1e-7)
    return -(-uniform.log()).log()


def pixel_token_ids(tokenizer: Any) -> Tensor:
    """Return the token ids (places, levels) of every pixel word of the tokenizer."""
    token_ids = tokenizer.get_vocab()
    levels = sum(f"{PIXELS[0]}={level}" in token_ids for level in range(10))
    rows = [
        [token_ids[pixel_word(i, level)] for level in range(levels)] for i in range(len(PIXELS))
    ]
    return torch.tensor(rows)


class PixelSampler:
    """Logits processor for `generate`: allows only the next place's words, and samples one."""

    def __init__(self, tokenizer: Any, keys: Sequence[str], temperature: float = TEMPERATURE):
        """Compute the noise of each key."""
        self.pixel_ids, self.temperature = pixel_token_ids(tokenizer), temperature
        levels = self.pixel_ids.shape[1]
        self.noise = torch.stack([gumbel_noise(key, levels) for key in keys])  # (n, 64, levels)
        self.position = 0

    def __call__(self, input_ids: Tensor, scores: Tensor) -> Tensor:
        """Return scores (n, words) whose largest is the sampled pixel; input_ids (n, t)."""
        ids = self.pixel_ids[self.position].to(scores.device)
        noisy_scores = scores[:, ids] / self.temperature + self.noise[:, self.position].to(
            scores.device
        )
        self.position += 1
        return torch.full_like(scores, -torch.inf).index_copy(1, ids, noisy_scores.to(scores.dtype))


def sampling_options(
    tokenizer: Any, keys: Sequence[str], temperature: float = TEMPERATURE
) -> dict[str, Any]:
    """Return the options with which `generate` samples one image per key."""
    from transformers import LogitsProcessorList

    return {
        "logits_processor": LogitsProcessorList([PixelSampler(tokenizer, keys, temperature)]),
        "max_new_tokens": len(PIXELS),
        "do_sample": False,
    }
