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
LONGEST = 20
SHARPNESS = 50.0  # inverse temperature of both heads

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Position:
    """The arithmetic at one position i."""

    own: Numbers  # (N + 1,) attention of the head that looks at its own position
    first: Numbers  # (N + 1,) attention of the head that looks at the first position
    brought: Numbers  # (N,) sum of what both bring
    kept: Numbers  # (N,) relu(brought - 1)
    value: float  # sum of `kept`: the coordinate that was stored
    logits: Numbers  # (V,)
    symbol: str


def store(text: str) -> Numbers:
    """The virtual token of a text: coordinate i is the number of its i-th symbol, over V."""
    if not 1 <= len(text) <= LONGEST:
        raise BadInput(f"the text must have 1 to {LONGEST} characters; it has {len(text)}")
    for sign in text:
        if sign not in SYMBOLS:
            raise BadInput(f"the text may hold printable ASCII without spaces; got {sign!r}")
    return np.array([SYMBOLS.index(sign) for sign in text]) / len(SYMBOLS)


def unfold(virtual: Numbers) -> list[Position]:
    """Run the fixed network on a virtual token: what it prints, with the arithmetic."""
    length = len(virtual)
    places = np.eye(length + 1)  # code of position 0 (the virtual token's), 1, …, N
    brings = np.vstack([np.zeros(length), np.eye(length)])  # what the first head's values hold
    stored = np.vstack([virtual, np.zeros((length, length))])  # what the second head's values hold
    return [_position(i, places, brings, stored) for i in range(1, length + 1)]


def _position(i: int, places: Numbers, brings: Numbers, stored: Numbers) -> Position:
    seen = i + 1  # causal: itself and what stands before it
    own = _softmax(SHARPNESS * places[:seen] @ places[i])
    first = _softmax(SHARPNESS * places[:seen] @ places[0])
    brought = own @ brings[:seen] + first @ stored[:seen]
    kept = np.maximum(brought - 1, 0)
    value = float(kept.sum())
    logits = output_layer(value)
    symbol = SYMBOLS[int(logits.argmax())]
    return Position(own, first, brought, kept, value, logits, symbol)


def output_layer(value: float) -> Numbers:
    """Logits (V,), linear in the value and largest for the symbol j with j / V nearest to it."""
    j = np.arange(len(SYMBOLS)) / len(SYMBOLS)
    return 0.25 - j**2 + (2 * j - 1) * value


def _softmax(scores: Numbers) -> Numbers:
    raised = np.exp(scores - scores.max())
    return raised / raised.sum()
