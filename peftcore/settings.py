"""Settings describe themselves: the form, the command line, the checks and the JSON come from here.

A setting is a field with limits and a description; `json_schema_extra` may carry {"unit": "…"} and
{"advanced": True} (shown folded away) for the form.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_jsonable_python

from peftcore.errors import BadInput, unknown_name


class Settings(BaseModel):
    """A frozen set of values that refuses what it does not know.

    Settings have a digest, by which results are found again.  A field that stands at its default
    does not enter it, so that a new field leaves every digest of before alone; the default of a
    field must therefore never change.  `ALWAYS_HASHED` names the fields that enter it all the same:
    those of the first version, when everything did.  Nothing is ever added to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def make(cls, values: Mapping[str, Any] | None = None) -> Self:
        """Validated settings; BadInput names the field, its limits and the value that was given."""
        try:
            return cls.model_validate(dict(values or {}))
        except ValidationError as error:
            raise BadInput("; ".join(map(cls._describe_problem, error.errors()))) from None

    def digest(self) -> str:
        """Twelve hexadecimal digits: equal settings have equal digests, in every later version."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    def canonical(self) -> str:
        """What the digest is of, as JSON with sorted keys."""
        return json.dumps(self.canonical_values(), sort_keys=True)

    def canonical_values(self) -> dict[str, Any]:
        """The fields that enter the digest, as JSON has them."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        values |= self.model_dump(mode="json", include=set(self.ALWAYS_HASHED))
        nested = ((name, getattr(self, name)) for name in values)
        return values | {n: v.canonical_values() for n, v in nested if isinstance(v, Settings)}

    @classmethod
    def without_defaults(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Stored values less those that do not enter the digest; unknown names are kept."""
        left_out = {
            name: to_jsonable_python(field.get_default(call_default_factory=True))
            for name, field in cls.model_fields.items()
            if name not in cls.ALWAYS_HASHED and not field.is_required()
        }
        return {
            name: value
            for name, value in values.items()
            if name not in left_out or value != left_out[name]
        }

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
