"""Name → class, filled by importing every file of a package: adding a file is all it takes."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from peftcore.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind, found by file."""

    def __init__(self, kind: str, package: str) -> None:
        self.kind, self.package = kind, package
        self._by_name: dict[str, T] = {}
        self._loaded = False

    def add(self, item: T) -> T:
        """Register a class under its `name`; used as a decorator."""
        name: str = item.name  # type: ignore[attr-defined]
        if self._by_name.setdefault(name, item) is not item:
            raise TypeError(f"two {self.kind}s are called {name!r}")
        return item

    def _load(self) -> dict[str, T]:
        if not self._loaded:
            package = importlib.import_module(self.package)
            for info in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{info.name}")
            self._loaded = True  # only now: a file that cannot be imported must fail every time
        return self._by_name

    def __getitem__(self, name: str) -> T:
        by_name = self._load()
        if name not in by_name:
            raise unknown_name(self.kind, name, by_name)
        return by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._load()))

    def __contains__(self, name: object) -> bool:
        return name in self._load()

    def values(self) -> list[T]:
        """Every class, in the order of the names."""
        return [self[name] for name in self]
