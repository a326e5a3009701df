"""A base without an adapter in the shape of one with it, so that both are measured alike."""

from __future__ import annotations

from typing import TYPE_CHECKING

from peftcore.adapters.adapted_model import AdaptedModel
from peftcore.adapters.base import Adapter
from peftcore.adapters.initializers import SeededInitializer
from peftcore.settings import Settings

if TYPE_CHECKING:
    from torch import Tensor

    from peftcore.models.base_model import BaseModel


class NoAdapter(Adapter):
    """No adapter at all, so that an untouched base passes texts like an adapted one."""

    Config = Settings

    def create(self, initializer: SeededInitializer) -> dict[str, Tensor]:
        """Return no tensors, where a method has (s, v, …)."""
        return {}


def unadapted_model(base: BaseModel) -> AdaptedModel:
    """Wrap the base as it is; encoders get an untrained head, which no measurement rests on."""
    initializer = SeededInitializer([0], 1)  # one seed, one vertex
    labels = 2 if base.kind == "encoder" else 0
    return AdaptedModel(base, NoAdapter(base, Settings(), initializer), initializer, labels).to(
        str(base.device)
    )
