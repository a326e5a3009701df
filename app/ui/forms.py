"""Settings model → widgets → validated settings; nobody writes a form by hand.

Labels are the fields' titles or names, help is their description, limits become the widgets'
limits.  A field whose `json_schema_extra` has {"unit": …} shows it; one with {"advanced": True} is
folded away.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import streamlit as st
from pydantic.fields import FieldInfo

from app.ui.widgets import as_sentence, escape_markdown
from peftcore.errors import BadInput
from peftcore.settings import Settings

S = TypeVar("S", bound=Settings)
MAX_SIDE_BY_SIDE = 4  # choices up to this many are shown side by side, more in a list


@dataclass(frozen=True)
class NumberLimits:
    """What a number may be; None is no limit."""

    low: float | None = None
    high: float | None = None


def settings_form(
    model: type[S],
    key: str,
    *,
    values: Mapping[str, Any] | None = None,
    skip: Collection[str] = (),
    columns: int = 3,
    leave_out: Callable[[str], bool] | None = None,
) -> S | None:
    """Offer widgets for the fields of `model`; None, with the reason shown, if they do not fit.

    `values` replace the defaults and stand for the fields in `skip`, which get no widget.
    Widget keys are `key.field`.  `leave_out` says which choices of several are not offered; they
    stay as they are, and a field with one choice left gets no widget.
    """
    initial = dict(values or {})
    hidden = _hidden_choices(model, initial, leave_out) if leave_out else {}
    skip = {*skip, *(name for name, shown in hidden.items() if len(shown) < 2)}
    shown = {name: field for name, field in model.model_fields.items() if name not in skip}
    basic_fields = {name: field for name, field in shown.items() if not _extra(field, "advanced")}
    advanced_fields = {name: field for name, field in shown.items() if name not in basic_fields}
    entered = dict(initial) | _grid(basic_fields, key, initial, columns, hidden)
    if advanced_fields:
        with st.expander("More settings", icon=":material/tune:"):
            entered |= _grid(advanced_fields, key, initial, columns, hidden)
    try:
        return model.make(entered)
    except BadInput as error:
        st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
        return None


def field_widget(
    model: type[Settings], name: str, page: str, placeholder: str = "", *, value: Any = None
) -> Any:
    """The widget of one field on its own, with the key `page.name`, and what was entered.

    value: what it begins with in place of the field's default.
    """
    info = model.model_fields[name]
    begin = info.get_default() if value is None else value
    return widget_for(name, info, f"{page}.{name}", begin, placeholder)


def field_label(name: str, field: FieldInfo | None = None) -> str:
    """A field's title, or its name in sentence case, with its unit."""
    words = (field.title if field else None) or name.replace("_", " ")
    unit = _extra(field, "unit") if field else None
    return f"{words[:1].upper()}{words[1:]}" + (f" ({unit})" if unit else "")


def _hidden_choices(
    model: type[Settings], initial: Mapping[str, Any], leave_out: Callable[[str], bool]
) -> dict[str, list[Any]]:
    """Return field → the choices that are offered, of fields where some are not."""
    offered: dict[str, list[Any]] = {}
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is tuple:
            choices = _closed_choices(get_args(field.annotation)[0])
            shown = [choice for choice in choices if not leave_out(str(choice))]
            if len(shown) < len(choices):
                offered[name] = shown
    return offered


def _with_hidden(initial: Sequence[Any], shown: Sequence[Any], chosen: Sequence[Any]) -> list[Any]:
    """Return what was chosen, and of what was not offered what had been there before."""
    if set(chosen) == {value for value in initial if value in shown}:
        return list(initial)
    return [*chosen, *(value for value in initial if value not in shown)] if chosen else []


def _grid(
    fields: Mapping[str, FieldInfo],
    key: str,
    initial: Mapping[str, Any],
    columns: int,
    offered: Mapping[str, list[Any]],
) -> dict[str, Any]:
    """The widgets in rows of `columns`, so that labels stay aligned."""
    entered: dict[str, Any] = {}
    names = list(fields)
    for first in range(0, len(names), columns):
        row = names[first : first + columns]
        for column, name in zip(st.columns(columns), row, strict=False):
            with column:
                value = initial.get(name, fields[name].get_default(call_default_factory=True))
                shown = offered.get(name)
                entered[name] = widget_for(
                    name, fields[name], f"{key}.{name}", value, choices=shown
                )
                if shown is not None:
                    entered[name] = _with_hidden(value, shown, entered[name])
    return entered


def widget_for(
    name: str,
    field: FieldInfo,
    key: str,
    value: Any,
    placeholder: str = "",
    choices: list[Any] | None = None,
) -> Any:
    """The widget that fits a field's type, and what was entered.

    An empty number shows the placeholder: what is taken instead.  `choices`: those of several that
    are offered, all unless given.
    """
    kind, optional = _unwrap(field.annotation)
    common: dict[str, Any] = {
        "label": field_label(name, field),
        "help": field.description,
        "key": key,
        "persist_state": "session",
    }
    if kind is bool and not optional:
        return st.toggle(value=bool(value), **common)
    if kind in (int, float):
        return _number_widget(
            kind, field, value, common | {"placeholder": placeholder or "default"}
        )
    if closed := _closed_choices(kind):
        return _choice_widget(closed, value, optional, common)
    if get_origin(kind) is dict:  # names of its own: a page that has them offers them
        return value
    if get_origin(kind) in (tuple, list, set, frozenset):
        return _collection_widget(kind, value, common, choices)
    text = st.text_input(value="" if value is None else str(value), **common)
    return text or (None if optional else text)


def _number_widget(
    kind: type, field: FieldInfo, value: Any, common: dict[str, Any]
) -> float | int | None:
    """Offer a number between the limits of the field."""
    limits = _limits(field)
    options: dict[str, Any] = {
        "min_value": None if limits.low is None else kind(limits.low),
        "max_value": None if limits.high is None else kind(limits.high),
        "value": None if value is None else kind(value),
    }
    if kind is float:
        options |= {"format": "%g", "step": _step(value, limits)}
    return st.number_input(**common, **options)


def _choice_widget(choices: list[Any], value: Any, optional: bool, common: dict[str, Any]) -> Any:
    """Offer closed choices, side by side if they are few."""
    if optional:
        index = choices.index(value) if value in choices else None
        return st.selectbox(
            options=choices, index=index, format_func=_choice_text, placeholder="default", **common
        )
    if len(choices) <= MAX_SIDE_BY_SIDE:
        return st.segmented_control(
            options=choices,
            default=value,
            required=True,
            format_func=_choice_text,
            wrap=True,
            **common,
        )
    return st.selectbox(
        options=choices, index=choices.index(value), format_func=_choice_text, **common
    )


def _collection_widget(
    kind: Any, value: Any, common: dict[str, Any], offered: list[Any] | None = None
) -> list[Any]:
    """A collection: a choice of several if its items are closed, otherwise words between commas."""
    item = next((part for part in get_args(kind) if part is not Ellipsis), str)
    if choices := offered or _closed_choices(item):
        chosen = [choice for choice in choices if choice in value]
        if len(choices) <= MAX_SIDE_BY_SIDE:
            return st.pills(
                options=choices,
                default=chosen,
                selection_mode="multi",
                format_func=_choice_text,
                wrap=True,
                **common,
            )
        return st.multiselect(options=choices, default=chosen, format_func=_choice_text, **common)
    text = st.text_input(value=", ".join(map(str, value or ())), **common)
    return [part.strip() for part in text.split(",") if part.strip()]


def _choice_text(value: Any) -> str:
    """A choice in words."""
    text = str(value.value if isinstance(value, Enum) else value)
    return text.replace("_", " ").replace(".", " ")


def _unwrap(annotation: Any) -> tuple[Any, bool]:
    """The type without None, and whether None was allowed."""
    if get_origin(annotation) in (Union, types.UnionType):
        parts = get_args(annotation)
        rest = [part for part in parts if part is not type(None)]
        return (rest[0] if len(rest) == 1 else annotation), len(rest) < len(parts)
    return annotation, False


def _closed_choices(kind: Any) -> list[Any]:
    """The closed choices of a type; none if it is open."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return list(kind)
    return []


def _limits(field: FieldInfo) -> NumberLimits:
    """Return the lowest and highest value that a field allows."""
    limit_values: dict[str, Any] = {}
    for part in field.metadata:
        for name in ("ge", "gt", "le", "lt"):
            if (limit := getattr(part, name, None)) is not None:
                limit_values[name] = limit
    # An open limit is a limit of the widget too; the very value is refused by the settings.
    return NumberLimits(
        limit_values.get("ge", limit_values.get("gt")),
        limit_values.get("le", limit_values.get("lt")),
    )


def _step(value: Any, limits: NumberLimits) -> float:
    """A step one digit below the value, so that arrows move it sensibly."""
    if value:
        return float(10.0 ** (math.floor(math.log10(abs(value)))))
    return 0.1 if (limits.high or 1) <= 1 else 1.0


def _extra(field: FieldInfo, name: str) -> Any:
    extra = field.json_schema_extra
    return extra.get(name) if isinstance(extra, dict) else None
