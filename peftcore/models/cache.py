"""Cache of base models, kept in memory between jobs."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

MAX_CACHED_MODELS = 2


class BaseModelCache:
    """The base models used last on one device, so that jobs need not load them again."""

    def __init__(self, load: Callable[[str, str], BaseModel] | None = None) -> None:
        """Take the function that loads a base by name and device; by default `base_model.load`."""
        self._load = load
        self._models: OrderedDict[str, BaseModel] = OrderedDict()

    def get(self, name: str, device: str) -> BaseModel:
        """Return a base model, loaded once; a full cache drops the one unused for longest."""
        if name not in self._models:
            while len(self._models) >= MAX_CACHED_MODELS:
                self._models.popitem(last=False)
            self._models[name] = self._loader()(name, device)
        self._models.move_to_end(name)
        return self._models[name]

    def _loader(self) -> Callable[[str, str], BaseModel]:
        """Return the loading function."""
        if self._load is None:
            from peftcore.models.base_model import load  # brings torch

            return load
        return self._load
