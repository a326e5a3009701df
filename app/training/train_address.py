"""What the Train form begins with, and its address: everything that was chosen stands in it.

`from=RUN` begins with a run's spec, `protocol=NAME` with a paper's; beside them stands what differs
from that, as `training.steps=60` or `lora.rank=4`, so a refresh or a link shows the same form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import streamlit as st

from app.state import cache, run_catalog
from app.ui import widgets
from peftcore.adapters.base import METHODS
from peftcore.errors import BadInput
from peftcore.runs.spec import RunSpec
from peftcore.settings import Settings
from peftcore.training import presets
from peftcore.training.protocols import find_protocol

FROM, PROTOCOL = "from", "protocol"
CHOICES = ("train.task", "train.base", "train.methods", "train.size")  # widgets with these keys
# In the session: the beginning, addresses that the page wrote, and what its widgets showed then.
BEGINNING, WRITTEN, SHOWN = "train.beginning", "train.addresses", "train.shown"
KEPT_ADDRESSES = 50
Values = Mapping[str, Any]


@dataclass(frozen=True)
class Beginning:
    """What the form begins with; keys of its widgets begin with `prefix`."""

    prefix: str = "train"
    title: str = ""  # of the source; empty: a plain form
    note: str = ""
    run: str = ""  # the run it begins with
    choices: Values = field(default_factory=dict)  # task, base, methods of the source
    source: Mapping[str, Values] = field(default_factory=dict)  # section or method → its values
    changed: Mapping[str, Values] = field(default_factory=dict)  # what the address adds to that
    specs: Mapping[str, RunSpec] = field(default_factory=dict)  # of the source, by method

    def of_source(self, section: str, size: Values | None = None) -> dict[str, Any]:
        """Return the values of a section or method before anything was changed."""
        return {**(size or {}), **self.source.get(section, {})}

    def values(self, section: str, size: Values | None = None) -> dict[str, Any]:
        """Return the values that a section of the form begins with."""
        return self.of_source(section, size) | dict(self.changed.get(section, {}))


def begin() -> Beginning:
    """Return what the form begins with: the last one, unless the address asks for another."""
    here = {name: value for name, value in st.query_params.items() if _belongs_here(name)}
    written: list[dict[str, str]] = st.session_state.get(WRITTEN, [])
    came_back = not here  # by the side bar: all is as it was left
    own = written and (came_back or _is_own(here, written[-1]) or _is_late(here, written))
    if BEGINNING not in st.session_state or not own:
        first = BEGINNING not in st.session_state
        number = st.session_state.get("train.number", 0 if first else 1)
        st.session_state["train.number"] = number + 1
        beginning = read_address(here, f"train.{number}" if number else "train")
        st.session_state[BEGINNING] = beginning
        _choose(beginning, here)
        _note_address(here)
    found: Beginning = st.session_state[BEGINNING]
    return found


def _is_late(here: Mapping[str, str], written: Sequence[Mapping[str, str]]) -> bool:
    """Return whether a browser that does not know the newest address yet sends an entry.

    Over a slow line it sends the one before along. Back and forward change no entry.
    """
    shown = st.session_state.get(SHOWN, {})
    changed = any(st.session_state.get(key) != value for key, value in shown.items())
    return changed and here in written


def _note_address(query: dict[str, str]) -> None:
    """Remember an address of the page's own, and what the widgets show with it."""
    st.session_state[WRITTEN] = [*st.session_state.get(WRITTEN, []), query][-KEPT_ADDRESSES:]
    prefix = st.session_state[BEGINNING].prefix
    st.session_state[SHOWN] = {
        str(key): value
        for key, value in st.session_state.items()
        if key in CHOICES or str(key).startswith(f"{prefix}.")
        if key not in (BEGINNING, WRITTEN, SHOWN)
    }


def _belongs_here(name: str) -> bool:
    section = name.partition(".")[0]
    return name in (FROM, PROTOCOL, *CHOICES) or section in presets.SECTIONS or section in METHODS


def _is_own(here: Mapping[str, str], written: Mapping[str, str]) -> bool:
    """Return whether an address is what the page wrote itself, or a widget since then."""
    return all(
        here.get(name) == written.get(name) or _text_of_choice(name) == here.get(name)
        for name in {*here, *written}
    )


def _text_of_choice(name: str) -> str | None:
    if name not in CHOICES or name not in st.session_state:
        return None
    value = st.session_state[name]
    return ",".join(value) if isinstance(value, list) else str(value)


def read_address(here: Mapping[str, str], prefix: str) -> Beginning:
    """Read an address; what cannot be read is named on the page and left out."""
    try:
        source = _read_source(here)
    except BadInput as error:
        st.warning(widgets.escape_markdown(widgets.as_sentence(str(error))))
        source = Beginning()
    changed: dict[str, dict[str, Any]] = {}
    refused = []
    for name, text in here.items():
        section, dot, setting = name.partition(".")
        if dot and name not in CHOICES:
            try:
                changed.setdefault(section, {})[setting] = _read_value(section, setting, text)
            except BadInput as error:
                refused.append(str(error))
    if refused:
        reasons = widgets.escape_markdown("; ".join(refused))
        st.warning(f"The address holds what does not fit: {reasons}. The usual is shown instead.")
    return Beginning(
        prefix, source.title, source.note, source.run, source.choices, source.source, changed,
        source.specs,
    )  # fmt: skip


def _read_source(here: Mapping[str, str]) -> Beginning:
    """Read the run or protocol that an address begins with."""
    if FROM in here:
        run = cache.run_store().open(here[FROM])
        return of_specs(run_catalog.run_title(run), {run.spec.method: run.spec}, run=run.id)
    if PROTOCOL in here:
        protocol = find_protocol(here[PROTOCOL])
        title = f"{protocol.title} ({protocol.source})"
        return of_specs(title, protocol.specs(), note=protocol.note)
    return Beginning()


def of_specs(
    title: str, specs: Mapping[str, RunSpec], *, note: str = "", run: str = ""
) -> Beginning:
    """Begin with specs by method that share base, task and sizes."""
    first = next(iter(specs.values()))
    sections: dict[str, dict[str, Any]] = {
        part: getattr(first, part).model_dump() for part in presets.SECTIONS
    }
    for method, spec in specs.items():
        own = {"learning_rate": spec.training.learning_rate, "start_run": spec.start}
        sections[method] = {**spec.settings, **own}
    choices = {"train.task": first.task, "train.base": first.base, "train.methods": list(specs)}
    return Beginning("train", title, note, run, choices, sections, {}, dict(specs))


def _read_value(section: str, setting: str, text: str) -> Any:
    """Read a setting; BadInput if there is none of this name, or it may not be so."""
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if section in METHODS and setting == "start_run":
        return str(value)
    in_training = section in METHODS and setting == "learning_rate"
    model: type[Settings] = (
        presets.SECTIONS["training"]
        if in_training
        else presets.SECTIONS.get(section) or METHODS[section].Config
    )
    return getattr(model.make({setting: value}), setting)


def _choose(beginning: Beginning, here: Mapping[str, str]) -> None:
    """Let the choices of task, base, methods and size be those of the source or the address."""
    for name in CHOICES:
        if name in here and name != "train.size":
            continue  # the widget reads it itself, and names what is not there
        if name in beginning.choices:
            st.session_state[name] = beginning.choices[name]
    size = here.get("train.size", presets.USUAL)
    if size in presets.presets_for(0):
        st.session_state["train.size"] = size


def write_address(
    beginning: Beginning, size: presets.Preset, entered: Mapping[str, Values]
) -> None:
    """Put what was chosen into the address: the source, and what differs from it."""
    query = {name: st.query_params[name] for name in (FROM, PROTOCOL) if name in st.query_params}
    for name in CHOICES:
        if (text := _text_of_choice(name)) is not None:
            query[name] = text
    if query.get("train.size") == presets.USUAL:
        del query["train.size"]
    for section, values in entered.items():
        known = section_defaults(section) | beginning.of_source(section, size.section(section))
        query |= {
            f"{section}.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if not _equal(value, known.get(name))
        }
    others = {name: v for name, v in st.query_params.items() if not _belongs_here(name)}
    if others | query != dict(st.query_params.items()):
        st.query_params.from_dict(others | query)
    _note_address(query)


def section_defaults(section: str) -> dict[str, Any]:
    """Return the values of a section or method that nobody set."""
    if section in presets.SECTIONS:
        return presets.SECTIONS[section].make().model_dump(mode="json")
    return METHODS[section].Config.make().model_dump(mode="json") | {
        "learning_rate": None,
        "start_run": "",
    }


def _equal(one: Any, other: Any) -> bool:
    """Compare values of a form and of a spec; lists and tuples are alike."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return list(one) == list(other)
    return bool(one == other)


def begin_with_spec(spec: RunSpec) -> None:
    """Fill the form with a spec from a file: all of it stands in the address."""
    beginning = of_specs("", {spec.method: spec})
    query = {
        "train.task": spec.task,
        "train.base": spec.base,
        "train.methods": spec.method,
    }
    for section, values in beginning.source.items():
        known = section_defaults(section)
        query |= {
            f"{section}.{name}": value if isinstance(value, str) else json.dumps(value)
            for name, value in values.items()
            if not _equal(value, known.get(name)) and value is not None
        }
    _ask_for(query)


def begin_with(name: str, value: str) -> None:
    """Begin anew with a run or a protocol; with an empty value, with nothing."""
    _ask_for({name: value} if value else {"train.size": presets.USUAL})


def _ask_for(query: dict[str, str]) -> None:
    """Put another beginning into the address, which is none of the page's own."""
    st.session_state.pop(WRITTEN, None)
    st.query_params.from_dict(query)
