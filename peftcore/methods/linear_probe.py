"""Linear probe: only the classification head is trained, on the untouched encoder.

The reference for every method on an encoder: what the base offers without any adapter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peftcore.adapters.base import Adapter, register
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.adapters.initializers import SeededInitializer


@register
class LinearProbe(Adapter):
    """No tensors beside the head."""

    name, title = "linear_probe", "Linear probe"
    summary = "Only the classification head is trained; the baseline every adapter must beat."
    source = "baseline"
    learning_rate = 0.01
    kinds = frozenset({"encoder"})

    class Config(Settings):
        """The linear probe has no settings."""

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Return no tensors (s, v, …); only the head is trained."""
        return {}
