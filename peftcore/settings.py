"""Settings describe themselves: the form, the command line, the checks and the JSON come from here.

A setting is a field with limits and a description; `json_schema_extra` may carry {"unit": "…"} and
{"advanced": True} (shown folded away) for the form.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from peftcore.errors import BadInput, unknown_name


class Settings(BaseModel):
    """A frozen set of values that refuses what it does not know."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

    @classmethod
    def make(cls, values: Mapping[str, Any] | None = None) -> Self:
        """Validated settings; BadInput names the field, its limits and the value that was given."""
        try:
            return cls.model_validate(dict(values or {}))
        except ValidationError as error:
            raise BadInput("; ".join(map(cls._describe_problem, error.errors()))) from None

    @classmethod
    def _describe_problem(cls, problem: Any) -> str:
        """One pydantic problem in words."""
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            return str(unknown_name("setting", path, cls.model_fields))
        limits = problem.get("ctx", {}) | _limits(cls, problem["loc"])
        if {"ge", "le"} <= limits.keys() and "than" in problem["type"]:
            return f"{path} must lie in [{limits['ge']}, {limits['le']}]; got {problem['input']!r}"
        message = problem["msg"].removeprefix("Value error, ")
        return f"{path}: {message[0].lower()}{message[1:]}; got {problem['input']!r}"


def _limits(cls: type[BaseModel], path: tuple[Any, ...]) -> dict[str, Any]:
    """Lower and upper limit declared for a field, as {"ge": …, "le": …}."""
    field = cls.model_fields.get(str(path[0])) if path else None
    limits: dict[str, Any] = {}
    for part in field.metadata if field else ():
        limits |= {
            k: v for k in ("ge", "le", "gt", "lt") if (v := getattr(part, k, None)) is not None
        }
    return limits
