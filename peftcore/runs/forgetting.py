"""What a run forgot: how well its base knew general text before training, and each seed after.

Kept with the run as `forgetting.json`. Every value is that of one text or pair, so that intervals
may speak of other texts, too.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any, Self

FILE = "forgetting.json"
LOSS, PAIRS = "forgetting_loss", "forgetting_pairs"  # of `metrics.scores.METRICS`


@dataclass(frozen=True)
class Forgetting:
    """Loss on n texts in nats per token, and m pairs judged rightly (1, 0, a tie .5), s seeds."""

    text: str  # where the texts are from
    pairs: str  # where the pairs are from
    digest: str  # of texts and pairs: only equal ones compare
    base_loss: list[float]  # (n,)
    base_right: list[float]  # (m,)
    loss: list[list[float]]  # (s, n)
    right: list[list[float]]  # (s, m)
    seconds: float  # that it took

    @classmethod
    def parse(cls, stored: Mapping[str, Any]) -> Self | None:
        """Read what a file holds; None if it holds nothing."""
        if not stored:
            return None
        values = {name: stored[name] for name in cls.__annotations__}
        for name in ("loss", "right"):  # a seed that diverged has no loss
            values[name] = [[math.nan if v is None else v for v in row] for row in values[name]]
        return cls(**values)

    def seed_values(self) -> dict[str, list[float]]:
        """Return measure → one value per seed: the rise of the loss, the fall of the share."""
        loss, right = fmean(self.base_loss), fmean(self.base_right)
        return {
            LOSS: [fmean(values) - loss for values in self.loss],
            PAIRS: [right - fmean(values) for values in self.right],
        }


def join(parts: Sequence[Forgetting | None]) -> Forgetting | None:
    """Join what parts of one run's seeds forgot; None unless all read the same text."""
    found = [part for part in parts if part is not None]
    if not found or len(found) < len(parts) or len({part.digest for part in found}) > 1:
        return None
    return replace(
        found[0],
        loss=[row for part in found for row in part.loss],
        right=[row for part in found for row in part.right],
        seconds=sum(part.seconds for part in found),
    )
