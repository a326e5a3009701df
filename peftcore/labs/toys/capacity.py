"""One virtual token that makes a fixed transformer print any string: the capacity construction.

Source: arXiv:2310.19698, section 3; our own code, with every number on the way kept.  The network
never changes: one layer, two heads, no residual.  At position i the first head looks at its own
position and brings the unit vector e_i, the second looks at the first position and brings the
virtual token's N coordinates.  relu(sum - 1) keeps coordinate i alone, and a linear output layer
turns it into the symbol nearest to it.  With V symbols one token stores any of V to the power N
strings; an ordinary token in its place could choose among V of them only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from peftcore.errors import BadInput

SYMBOLS = "".join(map(chr, range(33, 127)))  # printable ASCII without the space
MAX_TEXT_LENGTH = 20
SHARPNESS = 50.0  # inverse temperature of both heads

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class PositionTrace:
    """The arithmetic at one position i."""

    own_attention: FloatArray  # (N + 1,) attention of the head that looks at its own position
    first_attention: FloatArray  # (N + 1,) attention of the head that looks at the first position
    head_outputs: FloatArray  # (N,) sum of what both bring
    kept: FloatArray  # (N,) relu(brought - 1)
    value: float  # sum of `kept`: the coordinate that was stored
    logits: FloatArray  # (V,)
    symbol: str


def encode_text(text: str) -> FloatArray:
    """Return the virtual token of a text: coordinate i is the number of its i-th symbol, over V."""
    if not 1 <= len(text) <= MAX_TEXT_LENGTH:
        raise BadInput(f"the text must have 1 to {MAX_TEXT_LENGTH} characters; it has {len(text)}")
    for character in text:
        if character not in SYMBOLS:
            raise BadInput(f"the text may hold printable ASCII without spaces; got {character!r}")
    return np.array([SYMBOLS.index(character) for character in text]) / len(SYMBOLS)


def run_network(virtual: FloatArray) -> list[PositionTrace]:
    """Run the fixed network on a virtual token: what it prints, with the arithmetic."""
    length = len(virtual)
    position_codes = np.eye(length + 1)  # code of position 0 (the virtual token's), 1, …, N
    own_values = np.vstack([np.zeros(length), np.eye(length)])  # what the first head's values hold
    # The values of the second head.
    token_values = np.vstack([virtual, np.zeros((length, length))])
    return [_position(i, position_codes, own_values, token_values) for i in range(1, length + 1)]


def _position(
    i: int, position_codes: FloatArray, own_values: FloatArray, token_values: FloatArray
) -> PositionTrace:
    visible = i + 1  # causal: itself and what stands before it
    own_attention = _softmax(SHARPNESS * position_codes[:visible] @ position_codes[i])
    first_attention = _softmax(SHARPNESS * position_codes[:visible] @ position_codes[0])
    head_outputs = own_attention @ own_values[:visible] + first_attention @ token_values[:visible]
    activations = np.maximum(head_outputs - 1, 0)
    value = float(activations.sum())
    logits = output_layer(value)
    symbol = SYMBOLS[int(logits.argmax())]
    return PositionTrace(
        own_attention, first_attention, head_outputs, activations, value, logits, symbol
    )


def output_layer(value: float) -> FloatArray:
    """Return logits (V,) of a value, the largest for the symbol j with j / V nearest to it."""
    j = np.arange(len(SYMBOLS)) / len(SYMBOLS)
    return 0.25 - j**2 + (2 * j - 1) * value


def _softmax(scores: FloatArray) -> FloatArray:
    exponentials = np.exp(scores - scores.max())
    return exponentials / exponentials.sum()
