"""Base models kept in memory between pieces of work."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from peftcore.models.base_model import BaseModel

MAX_CACHED_MODELS = 2


class BaseModelCache:
    """The base models used last on one device; `load` is `base_model.load` unless given."""

    def __init__(self, load: Callable[[str, str], BaseModel] | None = None) -> None:
        self._load = load
        self._models: OrderedDict[str, BaseModel] = OrderedDict()

    def get(self, name: str, device: str) -> BaseModel:
        """The base model, loaded once; the one that was not used for longest makes room first."""
        if name not in self._models:
            while len(self._models) >= MAX_CACHED_MODELS:
                self._models.popitem(last=False)
            self._models[name] = self._loader()(name, device)
        self._models.move_to_end(name)
        return self._models[name]

    def _loader(self) -> Callable[[str, str], BaseModel]:
        if self._load is None:
            from peftcore.models.base_model import load  # brings torch

            return load
        return self._load
