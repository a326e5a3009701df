"""Compare what an adapter did to one attention layer with what prefix theory allows.

Source: arXiv:2310.19698 (second version), section 4. For one layer that is given the same inputs
with and without a prefix: attention among the content is scaled by 1 - share and never reordered,
and a head's output becomes (1 - share) times the old one plus a weighted sum of the prefix values.
Both are measured here, never assumed: `residual` and `content_drift` are zero only if they hold.
The statement is about one attention layer; it says nothing about what a whole model can learn.

Arrays in, frozen dataclasses out; capturing a model is in `peftcore.labs.attention.layer_probe`.

Axes: h head, q query, k content key, p prefix position, e head width.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from peftcore.errors import BadInput

Array = NDArray[np.float64]
ROUNDING_TOLERANCE = 1e-5  # what rounding in single precision may do to a pattern or an output
USED_SHARE = 0.99  # share of the squared length that "really used" directions carry


@dataclass(frozen=True)
class AttentionLayer:
    """Inputs and results of one attention layer: prefix positions first, then content."""

    weights: Array  # (h, q, p + k)
    value: Array  # (h, p + k, e)
    output: Array  # (h, q, e)
    length: int  # p


@dataclass(frozen=True)
class LayerComparison:
    """One layer with an adapter beside the same layer without one."""

    base: AttentionLayer
    adapted: AttentionLayer

    @property
    def length(self) -> int:
        """Number of prefix positions; 0 for adapters without a prefix."""
        return self.adapted.length

    @cached_property
    def share(self) -> Array:
        """Attention of each query on the prefix (h, q)."""
        return self.adapted.weights[..., : self.length].sum(-1)

    @property
    def before(self) -> Array:
        """Attention among the content without the adapter (h, q, k)."""
        return self.base.weights

    @property
    def after(self) -> Array:
        """Attention on the content with the adapter, not renormalised (h, q, k)."""
        return self.adapted.weights[..., self.length :]

    @cached_property
    def renormalised(self) -> Array:
        """The same with every row scaled to a sum of one (h, q, k)."""
        kept = self.after.sum(-1, keepdims=True)
        return np.divide(self.after, kept, out=np.zeros_like(self.after), where=kept > 0)

    @cached_property
    def drift(self) -> Array:
        """Largest change of a renormalised pattern (h, q)."""
        return np.abs(self.renormalised - self.before).max(-1)

    @cached_property
    def moved(self) -> Array:
        """Total variation between renormalised and old pattern (h, q): 0 equal, 1 disjoint."""
        return 0.5 * np.abs(self.renormalised - self.before).sum(-1)

    @cached_property
    def pattern_error(self) -> Array:
        """Largest |after - (1 - share) before| of each query (h, q)."""
        return np.abs(self.after - (1 - self.share[..., None]) * self.before).max(-1)

    @cached_property
    def scaled(self) -> Array:
        """(1 - share) times the output without the adapter (h, q, e)."""
        return (1 - self.share[..., None]) * self.base.output

    @cached_property
    def bias(self) -> Array:
        """Difference of the output to the scaled one, as measured (h, q, e)."""
        return self.adapted.output - self.scaled

    @cached_property
    def allowed_bias(self) -> Array:
        """The bias that theory allows: prefix values weighted by attention (h, q, e)."""
        return self.adapted.weights[..., : self.length] @ self.adapted.value[:, : self.length]

    @cached_property
    def output_error(self) -> Array:
        """Largest |bias - allowed| of each query (h, q)."""
        return np.abs(self.bias - self.allowed_bias).max(-1)

    @property
    def content_drift(self) -> float:
        """Largest change of any renormalised pattern."""
        return float(self.drift.max())

    @property
    def residual(self) -> float:
        """Largest departure of pattern or output from what the theory allows."""
        return float(max(self.pattern_error.max(), self.output_error.max()))

    def swapped(self, head: int) -> float:
        """Return the share of pairs of content positions that change order for a query.

        Over all queries of a head. A pair counts if its weights were apart by more than rounding
        could hide.
        """
        old, new = self.before[head], self.renormalised[head]
        apart = old[:, :, None] - old[:, None, :]
        now = new[:, :, None] - new[:, None, :]
        counted = apart > ROUNDING_TOLERANCE
        return float((counted & (now < 0)).sum() / max(1, counted.sum()))

    def singular_values(self, head: int) -> Array:
        """Return the bias's singular values over all queries (min(q, e),), largest first."""
        return np.linalg.svd(self.bias[head], compute_uv=False)

    def rank(self, head: int) -> int:
        """Count the bias's singular values above rounding."""
        values = self.singular_values(head)
        floor = ROUNDING_TOLERANCE * max(1.0, float(np.abs(self.adapted.output[head]).max()))
        return int((values > floor).sum())

    def used_dimensions(self, head: int) -> int:
        """Count the fewest directions that carry 99 % of the bias's squared length."""
        squares = self.singular_values(head) ** 2
        if not squares.sum():
            return 0
        reached = np.cumsum(squares) / squares.sum()
        return int(np.searchsorted(reached, USED_SHARE) + 1)

    def allowed_dimensions(self, head: int) -> int:
        """Return the rank of the prefix values, all dimensions that the theory allows."""
        values = self.adapted.value[head, : self.length]
        return int(np.linalg.matrix_rank(values)) if self.length else 0

    def summarize_head(self, head: int) -> HeadSummary:
        """Summarise one head in numbers."""
        if not 0 <= head < len(self.before):
            raise BadInput(f"head must lie in [0, {len(self.before) - 1}]; got {head}")
        norms = np.linalg.norm(self.bias[head], axis=-1)
        return HeadSummary(
            head=head,
            length=self.length,
            share=float(self.share[head].mean()),
            largest_share=float(self.share[head].max()),
            content_drift=float(self.drift[head].max()),
            moved=float(self.moved[head].mean()),
            swapped=self.swapped(head),
            pattern_error=float(self.pattern_error[head].max()),
            output_error=float(self.output_error[head].max()),
            bias_norm=float(norms.mean()),
            output_norm=float(np.linalg.norm(self.base.output[head], axis=-1).mean()),
            rank=self.rank(head),
            used=self.used_dimensions(head),
            room=self.allowed_dimensions(head),
        )

    def projection(self, head: int) -> Projection:
        """Project all outputs of a head on the main directions of the bias and of the content.

        Across: the direction that carries most of the bias. Up: the main direction of the old
        outputs once that one is removed.
        """
        bias, old = self.bias[head], self.base.output[head]
        across = np.linalg.svd(bias, full_matrices=False)[2][0]
        if across @ bias.sum(0) < 0:
            across = -across
        rest = old - old.mean(0)
        rest = rest - np.outer(rest @ across, across)
        up = np.linalg.svd(rest, full_matrices=False)[2][0]
        plane = np.stack([across, up - (up @ across) * across])
        new = self.adapted.output[head]
        squares = float((bias**2).sum())
        kept = float(((bias @ across) ** 2).sum()) / squares if squares else 1.0
        return Projection(old @ plane.T, self.scaled[head] @ plane.T, new @ plane.T, kept)


@dataclass(frozen=True)
class Projection:
    """Outputs (q, 2) before, after scaling, and with the adapter; share of the bias across."""

    before: Array
    scaled: Array
    after: Array
    across: float


@dataclass(frozen=True)
class HeadSummary:
    """One head in numbers, for one input: errors are largest, norms and shares means."""

    head: int
    length: int
    share: float
    largest_share: float
    content_drift: float
    moved: float
    swapped: float
    pattern_error: float
    output_error: float
    bias_norm: float
    output_norm: float
    rank: int
    used: int
    room: int

    @property
    def residual(self) -> float:
        """Largest departure from the theory, of pattern or output."""
        return max(self.pattern_error, self.output_error)

    @property
    def keeps_order(self) -> bool:
        """True if content attention is the old one but for rounding in single precision."""
        return self.content_drift < ROUNDING_TOLERANCE

    def verdict(self) -> str:
        """Describe the change of this head in one sentence, with its numbers."""
        if not self.length and self.keeps_order and self.bias_norm < ROUNDING_TOLERANCE:
            return "This layer is left as it was: the adapter does not reach it."
        if self.keeps_order:
            order = f"Order of content unchanged: patterns agree to {self.content_drift:.0e}"
        else:
            order = (
                f"Content attention changed: by up to {self.content_drift:.2g}, "
                f"{self.swapped:.1%} of pairs swapped"
            )
        if not self.length:
            return f"{order}; outputs moved by {self.bias_norm:.2g} on average."
        where = "along one line" if self.used == 1 else f"in {self.used} directions"
        return (
            f"{order}; the prefix takes {self.share:.0%} of attention and adds a vector of length "
            f"{self.bias_norm:.2g} on average, {where} of {self.room} it could use."
        )


def compare_layers(base: AttentionLayer, adapted: AttentionLayer) -> LayerComparison:
    """Compare a layer with itself without the adapter; BadInput for different content."""
    if base.length:
        raise BadInput("the layer to compare with must not have a prefix")
    if base.weights.shape[-1] != adapted.weights.shape[-1] - adapted.length:
        raise BadInput(
            f"the layers saw {base.weights.shape[-1]} and "
            f"{adapted.weights.shape[-1] - adapted.length} positions of content; they must see "
            "the same"
        )
    return LayerComparison(base, adapted)


def prefix_share_from_scores(scores: Array, length: int) -> Array:
    """Compute the prefix share from scores (…, p + k) before the softmax, without a softmax.

    The logistic function of logsumexp(prefix) - logsumexp(content): a check on the attention code.
    """

    def logsumexp(part: Array) -> Array:
        """Return the log of the sum of exponentials over the last axis, (…, k) → (…)."""
        top = part.max(-1, keepdims=True)
        return np.log(np.exp(part - top).sum(-1)) + top[..., 0]

    gap = logsumexp(scores[..., :length]) - logsumexp(scores[..., length:])
    return 1 / (1 + np.exp(-gap))
