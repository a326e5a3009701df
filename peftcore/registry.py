"""A registry of classes by name, filled by importing every file of a package."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Generic, TypeVar

from peftcore.errors import unknown_name

T = TypeVar("T")


class Registry(Generic[T]):
    """Classes of one kind, found by importing the files of a package."""

    def __init__(self, kind: str, package: str) -> None:
        """Take the kind's name for messages and the package to import."""
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
        """Import the package's files once and return name → class."""
        if not self._loaded:
            package = importlib.import_module(self.package)
            for info in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self.package}.{info.name}")
            self._loaded = True  # only now: a file that cannot be imported must fail every time
        return self._by_name

    def __getitem__(self, name: str) -> T:
        """Return the class of this name; BadInput with close matches if there is none."""
        by_name = self._load()
        if name not in by_name:
            raise unknown_name(self.kind, name, by_name)
        return by_name[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, sorted."""
        return iter(sorted(self._load()))

    def __contains__(self, name: object) -> bool:
        """Return whether there is a class of this name."""
        return name in self._load()

    def values(self) -> list[T]:
        """List every class, in the order of the names."""
        return [self[name] for name in self]
