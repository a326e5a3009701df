"""Options of commands declared as the fields of a dataclass, for those that several share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, get_type_hints


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Offer each field of a parameter that is a dataclass as an option or argument of its own.

    Options that several commands share are then declared once, and a command gets them as a whole.
    """
    signature = inspect.signature(command, eval_str=True)
    bundles: dict[str, Any] = {
        name: parameter.annotation
        for name, parameter in signature.parameters.items()
        if is_dataclass(parameter.annotation)
    }
    parameters = [
        each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, own in signature.parameters.items()
        for each in (_parameters_of(bundles[name]) if name in bundles else [own])
    ]

    @functools.wraps(command)
    def call(**values: Any) -> None:
        for name, kind in bundles.items():
            values[name] = kind(**{each.name: values.pop(each.name) for each in fields(kind)})
        command(**values)

    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


def _parameters_of(kind: Any) -> Iterator[inspect.Parameter]:
    """Yield the fields of a dataclass as parameters of a function."""
    hints = get_type_hints(kind, include_extras=True)
    for each in fields(kind):
        default = inspect.Parameter.empty if each.default is MISSING else each.default
        named = inspect.Parameter.KEYWORD_ONLY
        yield inspect.Parameter(each.name, named, default=default, annotation=hints[each.name])
