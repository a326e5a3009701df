"""Settings that describe themselves: form, command line, checks and JSON follow from them.

A setting is a field with limits and a description; `json_schema_extra` may carry {"unit": "…"} and
{"advanced": True} (folded away in the form).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import to_jsonable_python

from peftcore.errors import BadInput, unknown_name

SHOWN = 120  # characters of a wrong value that an error repeats


class Settings(BaseModel):
    """An immutable set of values; unknown fields are refused.

    Settings have a digest, by which results are found again. A field at its default does not enter
    it, so that a new field leaves all earlier digests unchanged; the default of a field must
    therefore never change. `ALWAYS_HASHED` names the fields that enter it all the same: those of
    the first version, when every field did. Nothing is ever added to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    ALWAYS_HASHED: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def make(cls, values: Mapping[str, Any] | None = None) -> Self:
        """Validate values; BadInput names the field, its limits and the value."""
        try:
            return cls.model_validate(dict(values or {}))
        except ValidationError as error:
            raise BadInput("; ".join(map(cls._describe_problem, error.errors()))) from None

    def digest(self) -> str:
        """Return twelve hexadecimal digits: equal settings have equal digests, in all versions."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()[:12]

    def canonical(self) -> str:
        """Return the text that the digest hashes: JSON with sorted keys."""
        return json.dumps(self.canonical_values(), sort_keys=True)

    def canonical_values(self) -> dict[str, Any]:
        """Return the fields that enter the digest, as JSON values."""
        values = self.model_dump(mode="json", exclude_defaults=True)
        values |= self.model_dump(mode="json", include=set(self.ALWAYS_HASHED))
        nested = ((name, getattr(self, name)) for name in values)
        return values | {n: v.canonical_values() for n, v in nested if isinstance(v, Settings)}

    @classmethod
    def without_defaults(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Drop stored values that do not enter the digest; unknown names are kept."""
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
        """Describe one pydantic problem in words."""
        path = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            return str(unknown_name("setting", path, cls.model_fields))
        given = repr(problem["input"])
        given = given if len(given) <= SHOWN else f"{given[:SHOWN]}…"
        limits = problem.get("ctx", {}) | _limits(cls, problem["loc"])
        if {"ge", "le"} <= limits.keys() and "than" in problem["type"]:
            return f"{path} must lie in [{limits['ge']}, {limits['le']}]; got {given}"
        message = problem["msg"].removeprefix("Value error, ")
        return f"{path}: {message[0].lower()}{message[1:]}; got {given}"


def _limits(cls: type[BaseModel], path: tuple[Any, ...]) -> dict[str, Any]:
    """Return a field's lower and upper limit, as {"ge": …, "le": …}."""
    field = cls.model_fields.get(str(path[0])) if path else None
    limits: dict[str, Any] = {}
    for part in field.metadata if field else ():
        limits |= {
            k: v for k in ("ge", "le", "gt", "lt") if (v := getattr(part, k, None)) is not None
        }
    return limits
