"""One head's output exchanged between the model before and after an adapter: does the word turn?

What a head adds enters the matrix that joins all heads of a block, so its share of that matrix's
input is taken from the other model.  Rows of a batch are copies of one example, a head each.  Axes:
n rows, t tokens, w numbers of all heads side by side, l layers, h heads.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peftcore.labs.attention.capture import check_length
from peftcore.labs.attention.inner_passes import ROWS_AT_ONCE, copy_of_seed, put_in_place
from peftcore.labs.attention.value_weights import output_modules
from peftcore.labs.attention.why_answer import find_word, log_odds, one_row, words_of

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.batching import Batch

Array = NDArray[np.float64]
Direction = Literal["given", "taken"]  # adapted heads put into the model before, or the reverse
Exchange = Callable[[int, Tensor], Tensor]  # number of a block and its heads (n, t, w) → another


@dataclass(frozen=True)
class HeadPatching:
    """The log-odds of the adapted model's word with one head exchanged, by kind of attention.

    start: without an exchange; end: of the other model; odds: (l, h); words: what is written then.
    all_heads: with every head exchanged at once, and the largest difference of logits from the
    other model that is left.
    """

    direction: Direction
    position: int  # of the word in the target, from 0
    word: str
    other_word: str
    start: float
    end: float
    odds: dict[str, Array]
    words: dict[str, tuple[tuple[str, ...], ...]]
    all_heads: float
    gap: float

    @property
    def own_word(self) -> str:
        """Return the word that is written without an exchange."""
        return self.other_word if self.direction == "given" else self.word

    def flips(self, kind: str) -> NDArray[np.bool_]:
        """Return where another word is written, (l, h)."""
        return np.array([[word != self.own_word for word in row] for row in self.words[kind]])


class HeadOutputs:
    """A model, one seed of it, whose heads' outputs are kept and exchanged; for one thread."""

    def __init__(self, adapted: AdaptedModel, seed_index: int) -> None:
        """Take a model that writes."""
        self.adapted = copy_of_seed(adapted, seed_index)
        self.blocks = adapted.base.structure.attention_blocks
        self.outputs: dict[int, Tensor] = {}
        self._exchange: Exchange | None = None
        paths = output_modules(adapted.base)
        for number, block in enumerate(self.blocks):
            module = self.adapted.model.get_submodule(paths[block.path])
            module.register_forward_pre_hook(self._hook(number))

    def _hook(self, number: int) -> Any:
        """Return the hook before the matrix that joins the heads of one block."""

        def hook(module: Any, args: tuple[Any, ...]) -> tuple[Any, ...]:
            heads = args[0]
            if self._exchange is not None:
                heads = self._exchange(number, heads)
            self.outputs[number] = heads
            return (heads, *args[1:])

        return hook

    @torch.no_grad()
    def run(self, batch: Batch, exchange: Exchange | None = None) -> Tensor:
        """Return the logits (n, t, words) of a batch of copies of one example."""
        self._exchange, self.outputs = exchange, {}
        return self.adapted.logits(batch, self.adapted.centroid(1)).float()


class _Exchanges:
    """The passes that exchange every head in turn, and all of them at last."""

    def __init__(
        self,
        pair: tuple[AdaptedModel, AdaptedModel],
        example: Example,
        seed_index: int,
        direction: Direction,
    ) -> None:
        """Read the example with both models."""
        before, after = pair
        check_length(after.base, example)
        self.models = {
            "before": HeadOutputs(before, min(seed_index, before.seeds - 1)),
            "after": HeadOutputs(after, seed_index),
        }
        self.sides = ("before", "after") if direction == "given" else ("after", "before")
        self.batch = one_row(after, example)
        self.logits = {side: model.run(self.batch)[0] for side, model in self.models.items()}
        own, self.given = (dict(self.models[side].outputs) for side in self.sides)
        self.heads = after.base.structure.heads
        every = list(itertools.product(range(len(own)), range(self.heads)))
        # A head that adds the same in both models, as all below the first change do, needs no pass.
        self.exchanged = [head for head in every if self._differs(own, *head)]
        self.rows = [*({head} for head in self.exchanged), set(every)]

    def _share(self, outputs: Mapping[int, Tensor], block: int, head: int) -> Tensor:
        """Return what one head of a block adds, (t, e)."""
        width = outputs[block].shape[-1] // self.heads
        return outputs[block][0, :, head * width : (head + 1) * width]

    def _differs(self, own: Mapping[int, Tensor], block: int, head: int) -> bool:
        """Return whether a head adds anything else in the other model."""
        one, other = self._share(own, block, head), self._share(self.given, block, head)
        return not torch.equal(one, put_in_place(one, other))

    def passes(self) -> int:
        """Count the passes."""
        return -(-len(self.rows) // ROWS_AT_ONCE)

    def run(self, number: int) -> Tensor:
        """Return the logits (n, t, words) of one pass, a row for each exchange."""
        part = self.rows[number * ROWS_AT_ONCE : (number + 1) * ROWS_AT_ONCE]

        def exchange(block: int, out: Tensor) -> Tensor:
            """Take the share of each row's heads (n, t, w) from the other model."""
            out = out.clone()
            width = out.shape[-1] // self.heads
            for row, heads in enumerate(part):
                for head in range(self.heads):
                    if (block, head) in heads:
                        own = slice(head * width, (head + 1) * width)
                        other = self._share(self.given, block, head)
                        out[row, :, own] = put_in_place(out[row, :, own], other)
            return out

        return self.models[self.sides[0]].run(self.batch.repeated(len(part)), exchange)


def expected_seconds(
    pair: tuple[AdaptedModel, AdaptedModel],
    example: Example,
    seed_index: int = 0,
    direction: Direction = "given",
) -> float:
    """Return about how many seconds `patch_heads` will take, from one of its passes."""
    exchanges = _Exchanges(pair, example, seed_index, direction)
    begun = time.perf_counter()
    exchanges.run(0)
    return (time.perf_counter() - begun) * exchanges.passes()


def patch_heads(
    pair: tuple[AdaptedModel, AdaptedModel],
    example: Example,
    seed_index: int = 0,
    direction: Direction = "given",
    report: Callable[[int, int], None] = lambda done, of: None,
) -> HeadPatching:
    """Exchange one head's output at a time between the models before and after.

    Looked at is the word that `why_answer.patch_layers` looks at; where the models differ in the
    number of positions, as with soft tokens, the text's own are exchanged.
    """
    exchanges = _Exchanges(pair, example, seed_index, direction)
    looked_at = find_word(exchanges.logits)
    here: list[Tensor] = []
    whole = torch.empty(0)
    for number in range(exchanges.passes()):
        logits = exchanges.run(number)
        here.append(logits[:, looked_at.position])
        whole = logits[-1]
        report(number + 1, exchanges.passes())
    rows = torch.cat(here)  # (n, words)
    odds = log_odds(rows, rows.new_full((len(rows),), looked_at.word, dtype=torch.long))
    written = words_of(pair[1], rows.argmax(-1).tolist())
    word, other_word = words_of(pair[1], [looked_at.word, looked_at.other_word])
    start, end = (looked_at.odds[side] for side in exchanges.sides)
    unchanged = (start, other_word if direction == "given" else word)
    singles = zip(odds.tolist()[:-1], written, strict=False)
    found = dict(zip(exchanges.exchanged, singles, strict=True))
    return HeadPatching(
        direction,
        looked_at.position,
        word,
        other_word,
        start,
        end,
        *_by_kind(exchanges, found, unchanged),
        float(odds[-1]),
        float((whole - exchanges.logits[exchanges.sides[1]]).abs().max()),
    )


def _by_kind(
    exchanges: _Exchanges,
    found: Mapping[tuple[int, int], tuple[float, str]],
    unchanged: tuple[float, str],
) -> tuple[dict[str, Array], dict[str, tuple[tuple[str, ...], ...]]]:
    """Sort log-odds and words of single exchanges, by block and head, into layers and heads."""
    odds: dict[str, list[list[float]]] = {}
    words: dict[str, list[tuple[str, ...]]] = {}
    for number, block in enumerate(exchanges.models["after"].blocks):
        heads = [found.get((number, head), unchanged) for head in range(exchanges.heads)]
        odds.setdefault(block.attention_kind, []).append([value for value, _ in heads])
        words.setdefault(block.attention_kind, []).append(tuple(word for _, word in heads))
    return (
        {kind: np.array(rows) for kind, rows in odds.items()},
        {kind: tuple(rows) for kind, rows in words.items()},
    )
