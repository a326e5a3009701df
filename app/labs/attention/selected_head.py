"""The head that the Attention page looks at, before and after, and all heads in numbers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TypeAlias

import numpy as np

from app.labs.attention.selection import AttentionComparison
from peftcore.analysis import attention as analysis
from peftcore.analysis.attention import AttentionPattern

Measures: TypeAlias = dict[str, np.ndarray]  # by name, (l, h)


@dataclass(frozen=True)
class SelectedHead:
    """Both sides of one place, and the head that is looked at."""

    comparison: AttentionComparison
    after: AttentionPattern
    before: AttentionPattern | None
    layer: int
    head: int
    kinds: int  # of attention that the model has

    @property
    def file_stem(self) -> str:
        """Return the start of the names of saved files."""
        return f"attention-{self.after.attention_kind}-layer{self.layer + 1}-head{self.head + 1}"

    @cached_property
    def measured(self) -> Measures:
        """Every head in numbers."""
        return analysis.measure_heads(self.after)

    @cached_property
    def measured_before(self) -> Measures | None:
        """Every head of the other side in numbers."""
        return analysis.measure_heads(self.before) if self.before is not None else None

    @cached_property
    def variation(self) -> np.ndarray | None:
        """Total variation of every head from before to after, (l, h)."""
        if self.before is None:
            return None
        return analysis.total_variation(self.before, self.after)

    def by_values(self) -> SelectedHead:
        """Return the same head with what each key adds in the place of attention weights."""
        asked = self.comparison.example, self.comparison.seed
        kind, before = self.after.attention_kind, self.comparison.before
        return replace(
            self,
            after=self.comparison.after.value_weights(*asked)[kind],
            before=before.value_weights(*asked)[kind] if before else None,
        )

    @property
    def noun(self) -> str:
        """What is shared out among the keys, in words."""
        return "attention" if self.after.value_gap is None else "value-weighted attention"

    @property
    def position_text(self) -> str:
        """Layer and head in words."""
        return f"layer {self.layer + 1}, head {self.head + 1}"
