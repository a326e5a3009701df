"""Gradients of an answer with respect to the words of its text, before and after an adapter.

Two ways, each with a sum that can be checked.  Gradient × input: the sum over tokens is how fast
the log-likelihood grows when all of their vectors are lengthened.  Integrated gradients
(arXiv:1703.01365), along the straight way from an empty text: the sum is what the text adds to the
log-likelihood of the empty one.  Axes: n rows, i tokens of the text, d width, c outputs.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from peftcore.errors import BadInput
from peftcore.labs.attention.capture import check_length
from peftcore.labs.attention.inner_passes import ROWS_AT_ONCE, copy_of_seed
from peftcore.labs.attention.why_answer import text_places
from peftcore.models.batching import ExampleBatcher, pad_rows
from peftcore.models.token_names import text_names

if TYPE_CHECKING:
    from peftcore.adapters.adapted_model import AdaptedModel
    from peftcore.data.task import Example
    from peftcore.models.batching import TokenizedExample

Array = NDArray[np.float64]
Outputs = Callable[[Tensor], Tensor]  # vectors of the text (n, i, d) → outputs (n, c)
Way = Literal["gradient", "integrated"]
STEP = 0.004  # by which vectors are lengthened and shortened to measure how fast outputs grow
TIMED = 3  # rows' worth of work in one gradient × input: a pass back and forth, and four forth
FIRST_PARTS = 4  # of the way from the empty text
MOST_HALVED = 16  # parts of the way that may be halved
MOST_MISSED = 0.01  # nats, or share of the sum, down to which parts are halved


@dataclass(frozen=True)
class Attribution:
    """The share of each token of the text in the log-likelihood of target tokens, by gradients.

    added: (i, c) by side; sums: (c,) by side, measured without gradients, what `added` sums to over
    tokens.  Outputs are all target tokens, or one: a token, or the answer as a whole.
    """

    way: Way
    tokens: tuple[str, ...]
    targets: tuple[str, ...]
    added: dict[str, Array]
    sums: dict[str, Array]

    def by_token(self, side: str, column: int | None = None) -> Array:
        """Return the share of each token, (i,): in one target token, or in the whole answer."""
        added = self.added[side]
        if added.shape[1] == 1:
            return added[:, 0]
        return added.sum(1) if column is None else added[:, column]

    def expected(self, side: str, column: int | None = None) -> float:
        """Return what these shares sum to, measured without gradients."""
        sums = self.sums[side]
        return float(sums.sum() if column is None or len(sums) == 1 else sums[column])


def gradient_times_input(outputs: Outputs, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """Multiply vectors (i, d) by the gradients of outputs: (i, c), and what it sums to, (c,).

    The sums are measured: how fast outputs grow when all vectors are lengthened alike.
    """
    factors = torch.tensor([1.0, -1.0, 2.0, -2.0], device=vectors.device)[:, None, None]
    with torch.no_grad():
        longer, shorter, twice, less = outputs(vectors * (1 + STEP * factors))
    slopes = (8 * (longer - shorter) - (twice - less)) / (12 * STEP)
    count = len(slopes)
    found = []
    for start in range(0, count, ROWS_AT_ONCE):
        chosen = torch.arange(start, min(start + ROWS_AT_ONCE, count), device=vectors.device)
        rows = vectors.expand(len(chosen), -1, -1).clone().requires_grad_()
        own = outputs(rows)[torch.arange(len(chosen), device=vectors.device), chosen]
        (gradient,) = torch.autograd.grad(own.sum(), rows)
        found.append((gradient * vectors).sum(-1))  # (n, i)
    return torch.cat(found).mT, slopes


@dataclass(frozen=True)
class _Part:
    """One part of the way between two texts: the integral of gradients on it, and what is missed.

    missed: how far the sum over tokens is from the outputs at its end less those at its beginning.
    """

    start: float
    stop: float
    shares: Tensor  # (i,)
    missed: float


def integrated_gradients(outputs: Outputs, vectors: Tensor, empty: Tensor) -> tuple[Tensor, Tensor]:
    """Integrate gradients of the sum of outputs on the way from empty to vectors (i, d): (i, 1).

    With them comes what they sum to (1,): the outputs at the end less those at the beginning.  What
    a part of the way must sum to is known too, so parts that miss it are halved.
    """
    places, weights = np.polynomial.legendre.leggauss(ROWS_AT_ONCE)
    way = vectors - empty

    def at(share: Array) -> Tensor:
        """Return the vectors (n, i, d) at these shares (n,) of the way."""
        return empty + torch.tensor(share, dtype=way.dtype, device=way.device)[:, None, None] * way

    def integrate(start: float, stop: float) -> _Part:
        """Integrate over a part of the way, by Gauss and Legendre."""
        length = stop - start
        rows = at(start + length * (places + 1) / 2).requires_grad_()
        (gradient,) = torch.autograd.grad(outputs(rows).sum(), rows)
        shares = (gradient.double() * way).sum(-1).mT @ torch.tensor(weights * length / 2)
        with torch.no_grad():
            first, last = outputs(at(np.array([start, stop]))).sum(1).double().tolist()
        return _Part(start, stop, shares, abs(last - first - float(shares.sum())))

    edges = np.linspace(0, 1, FIRST_PARTS + 1)
    parts = [integrate(*pair) for pair in itertools.pairwise(edges.tolist())]
    with torch.no_grad():
        beginning, end = outputs(at(np.array([0.0, 1.0]))).sum(1)
    enough = MOST_MISSED * max(1.0, float((end - beginning).abs()))
    for _ in range(MOST_HALVED):
        if sum(part.missed for part in parts) < enough:
            break
        worst = max(parts, key=lambda part: part.missed)
        parts.remove(worst)
        middle = (worst.start + worst.stop) / 2
        parts += [integrate(worst.start, middle), integrate(middle, worst.stop)]
    return torch.stack([part.shares for part in parts]).sum(0)[:, None], (end - beginning)[None]


class TextVectors:
    """A model, one seed of it, that reads vectors in the place of words; for one thread."""

    def __init__(self, adapted: AdaptedModel, seed_index: int, row: TokenizedExample) -> None:
        """Take a model that writes, and the only text that it is to read."""
        self.adapted = copy_of_seed(adapted, seed_index)
        self._batch = pad_rows(adapted.base, [row])
        self._words: Any = self.adapted.model.get_input_embeddings()
        self._vectors: Tensor | None = None
        self._places: list[int] = []
        self.adapted.model.register_forward_pre_hook(self._insert, with_kwargs=True)

    def _insert(self, module: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        """Hand the model vectors instead of words; soft tokens in front stay."""
        ids = kwargs.pop("input_ids", None)
        read = kwargs.get("inputs_embeds")
        read = (self._words(ids) if read is None else read).clone()  # (n, t, d)
        assert self._vectors is not None, "vectors are set before a pass"
        first = read.shape[1] - self._batch.input_ids.shape[1]
        read[:, [first + place for place in self._places]] = self._vectors.to(read.dtype)
        return args, {**kwargs, "inputs_embeds": read}

    def words(self, ids: list[int]) -> Tensor:
        """Return the vectors (i, d) of words, as the model itself looks them up."""
        with torch.no_grad():
            vectors: Tensor = self._words(torch.tensor([ids], device=self._batch.input_ids.device))
        return vectors[0].float()

    def log_likelihoods(self, places: list[int], vectors: Tensor) -> Tensor:
        """Return the log-likelihood (n, t') of the target's tokens with vectors (n, i, d) read."""
        self._places, self._vectors = places, vectors
        batch = self._batch.repeated(len(vectors))
        logs = self.adapted.logits(batch, self.adapted.centroid(1)).float().log_softmax(-1)
        assert batch.targets is not None, "a base that writes has targets"
        return logs.gather(-1, batch.targets[..., None])[..., 0]


def expected_seconds(
    pair: tuple[AdaptedModel, AdaptedModel], example: Example, seed_index: int = 0
) -> float:
    """Return about how many seconds integrated gradients of both models take at least.

    One gradient is timed; each part of the way takes a pass of several.
    """
    begun = time.perf_counter()
    attribute((pair[1], pair[1]), example, seed_index, "gradient", 0)
    return (time.perf_counter() - begun) / 2 * ROWS_AT_ONCE * FIRST_PARTS * 2 / TIMED


def attribute(
    pair: tuple[AdaptedModel, AdaptedModel],
    example: Example,
    seed_index: int = 0,
    way: Way = "gradient",
    column: int | None = None,
) -> Attribution:
    """Attribute the answer of both models, before and after, to the tokens of the text.

    column: the target token in question, from 0; by default gradients are taken of every one, and
    integrated gradients of the answer as a whole.
    """
    before, after = pair
    check_length(after.base, example)
    room = after.adapter.prompt_length(after.adapter.config)
    row = ExampleBatcher(after.base, (), room).tokenize(example)
    places, names = text_places(after.base, example, len(row.input_ids))
    targets = text_names(after.base.tokenizer, row.target_ids)
    if column is not None and not 0 <= column < len(targets):
        raise BadInput(f"the target's tokens are numbered 1 to {len(targets)}; got {column + 1}")
    added, sums = {}, {}
    for side, adapted in (("before", before), ("after", after)):
        model = TextVectors(adapted, min(seed_index, adapted.seeds - 1), row)

        def outputs(vectors: Tensor, model: TextVectors = model) -> Tensor:
            """Return the log-likelihood (n, c) of the target tokens in question."""
            logs = model.log_likelihoods(places, vectors)
            return logs if column is None else logs[:, [column]]

        vectors = model.words([row.input_ids[place] for place in places])
        if way == "gradient":
            shares, total = gradient_times_input(outputs, vectors)
        else:
            nothing = model.words([after.base.tokenizer.pad_token_id] * len(places))
            shares, total = integrated_gradients(outputs, vectors, nothing)
        added[side] = shares.detach().double().cpu().numpy()
        sums[side] = total.double().cpu().numpy()
    return Attribution(way, names, targets, added, sums)
