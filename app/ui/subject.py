"""What labs look at, one subject for all of them, and how the address says it.

What is chosen on one lab (run, compared with, text, seed, layer, head) is chosen on the next.  All
choices stand in the address under one scheme of names; of those that nobody made the view and the
subject, which may be another tomorrow.  An address says more than the session, and the session more
than what is usual.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import streamlit as st

from app.ui import url_state, widgets

T = TypeVar("T")
SHARED = (
    "run",
    "with",
    "source",
    "task",
    "example",
    "text",
    "answer",
    "seed",
    "layer",
    "head",
)
VIEW = "view"
OLD_NAMES = {
    "statistic": "measure",
    "grid.base": "grid-base",
    "grid.task": "task",
    "toys.experiment": VIEW,
    "images.task": "kind",
    "images.weighed": "kind",
}  # parts of addresses that were renamed, with their lab where another has the same
CHOSEN = "subject.chosen"  # in the session: texts by name; those of one lab as "lab.name"
USUAL = "subject.usual"  # what was written into the address without being chosen
SHOWN = "subject.shown"  # what this drawing of the page shows, by name
NOTICES = "subject.notices"  # what cannot be shown as the address asks
MAX_TEXT = 1500  # characters of a typed text that an address carries


def begin(lab: str) -> None:
    """Bring an address of an earlier version to the names of today; before a lab draws."""
    st.session_state[SHOWN] = {}
    old = {name: st.query_params[name] for name in st.query_params}
    new: dict[str, str] = {}
    for name, text in old.items():
        new |= _renamed(lab, name, text)
    if new != old:
        st.query_params.from_dict(new)


def _renamed(lab: str, name: str, text: str) -> dict[str, str]:
    """Return the parts of an address that stand for one of an earlier version."""
    if name == "runs":
        return dict(zip(("run", "with"), text.split(","), strict=False))
    text = url_state.RENAMED_VIEWS.get((name, text), text)
    short = name.removeprefix(f"{lab}.")
    return {OLD_NAMES.get(name, OLD_NAMES.get(short, short)): text}


def show_notices() -> None:
    """Say what the address asks for and cannot be had."""
    for message in st.session_state.pop(NOTICES, []):
        st.warning(widgets.escape_markdown(message), icon=":material/link_off:")


def write_address(lab: str) -> None:
    """Write what is shown into the address, at once: each change is a step that Back undoes.

    What is usual for one view of one lab is left out: written after the view, it would be a step
    of its own, which Back does not get past.
    """
    usual = _session(USUAL)
    changed = {
        name: text
        for name, text in st.session_state.get(SHOWN, {}).items()
        if st.query_params.get(name, "") != text
        and len(text) <= MAX_TEXT
        and (name in SHARED or name == VIEW or f"{lab}.{name}" not in usual)
    }
    if changed:
        st.query_params.update(changed)


@dataclass(frozen=True)
class Choice(Generic[T]):
    """One choice of a lab, under its name in the address, which stays when it cannot be had here.

    `first` is usual where nobody has chosen; `missing` says why something is not among the options.
    """

    lab: str
    name: str
    label: str
    options: Sequence[T]
    first: T | None = None
    option_text: Callable[[T], str] = str
    missing: Callable[[str], str] | None = None

    @property
    def key(self) -> str:
        """Key of the widget in the session."""
        return f"{self.lab}.{self.name}"

    @property
    def is_chosen(self) -> bool:
        """Return whether somebody chose it, in the address or before."""
        asked = st.query_params.get(self.name)
        usual = st.session_state.get(USUAL, {}).get(self.key)
        return _name_in_session(self.lab, self.name) in _session(CHOSEN) or (
            asked is not None and asked != usual
        )

    def settle(self) -> T:
        """Return what is chosen: by the address, else on this or another lab, else the usual."""
        chosen, usual = _session(CHOSEN), _session(USUAL)
        remembered = _name_in_session(self.lab, self.name)
        asked = st.query_params.get(self.name)
        option: T | None = None
        if asked is not None and asked != usual.get(self.key):
            option = self._find(asked)
            if option is not None:
                chosen[remembered] = str(option)
            elif asked != chosen.get(remembered) and asked:
                self._warn(asked)
        if option is None and remembered in chosen:
            option = self._find(chosen[remembered])
        if option is None:
            option = self.options[0] if self.first is None else self.first
            usual[self.key] = str(option)
        _session(SHOWN)[self.name] = str(option)
        return option

    def _find(self, text: str) -> T | None:
        if isinstance(self.options, range) and text.lstrip("-").isdecimal():
            number = int(text)  # quicker than to read through thousands of them
            return cast("T", number) if number in self.options else None
        return url_state.find_option(self.options, self.option_text, text)

    def _warn(self, asked: str) -> None:
        message = (
            self.missing(asked)
            if self.missing
            else f"There is no {self.label.lower()} “{asked[:60]}” here."
        )
        notices = st.session_state.setdefault(NOTICES, [])
        notices.append(f"{message} The address asks for it; another is shown instead.")

    def bind(self) -> Callable[[], None]:
        """Let the widget drawn next under this key show what is chosen; return its `on_change`."""
        option = self.settle()
        if self.key not in st.session_state or st.session_state[self.key] != option:
            st.session_state[self.key] = option
        return lambda: remember(self.lab, self.name, str(st.session_state[self.key]))

    def _common(self) -> dict[str, Any]:
        """What all widgets of a choice share."""
        on_change = self.bind()
        return {"format_func": self.option_text, "key": self.key, "on_change": on_change}

    def as_list(self, **more: Any) -> T:
        """Offer a list."""
        more = self._common() | more
        chosen: T = st.selectbox(self.label, self.options, **more)
        return chosen

    def as_buttons(self, **more: Any) -> T:
        """Offer buttons side by side."""
        more = self._common() | more
        chosen: T = st.segmented_control(self.label, self.options, required=True, **more)
        return chosen

    def as_slider(self, **more: Any) -> T:
        """Offer a slider along the options."""
        more = self._common() | more
        chosen: T = st.select_slider(self.label, self.options, **more)
        return chosen

    def as_number(self, **more: Any) -> int:
        """Offer a number; the options are a range."""
        on_change = self.bind()
        assert isinstance(self.options, range), "a number is chosen from a range"
        low, high = self.options[0], self.options[-1]
        return st.number_input(self.label, low, high, key=self.key, on_change=on_change, **more)

    def as_toggle(self, **more: Any) -> bool:
        """Offer a switch; the options are False and True."""
        return st.toggle(self.label, key=self.key, on_change=self.bind(), **more)


def remember(lab: str, name: str, text: str) -> None:
    """Take something as chosen: in the session, for all labs that share it, and in the address."""
    _session(CHOSEN)[_name_in_session(lab, name)] = text
    _session(USUAL).pop(f"{lab}.{name}", None)
    if len(text) > MAX_TEXT:
        st.query_params.pop(name, None)
    elif name == VIEW:  # what belongs to another view leaves the address
        kept = {part: st.query_params[part] for part in st.query_params if part in SHARED}
        st.query_params.from_dict(kept | {VIEW: text})
    else:
        st.query_params[name] = text


def show(name: str, text: str) -> None:
    """Let the address say something that is chosen by other means than a widget of ours."""
    _session(SHOWN)[name] = text


def layer_names(counts: dict[str, int]) -> dict[str, str]:
    """Return all layers as the address names them, with what people read, given counts by kind.

    A model with one kind of attention has layers 1, 2, …; others encoder-1, …, cross-1, …
    """
    several = len(counts) > 1
    return {
        layer_id(
            kind, layer, len(counts)
        ): f"{kind.capitalize() if several else 'Layer'} {layer + 1}"
        for kind, count in counts.items()
        for layer in range(count)
    }


def layer_id(kind: str, layer: int, kinds: int) -> str:
    """Return how the address names a layer, counted from 0 here, of a model with so many kinds."""
    return f"{kind}-{layer + 1}" if kinds > 1 else str(layer + 1)


def typed(
    lab: str, name: str, label: str, *, area: bool = False, first: str = "", **more: Any
) -> str:
    """Offer a text to type, which stands in the address while it is short; `first` is usual."""
    key, remembered = f"{lab}.{name}", _name_in_session(lab, name)
    text = st.query_params.get(name, _session(CHOSEN).get(remembered, first))
    if len(_session(CHOSEN).get(remembered, "")) > MAX_TEXT:
        text = _session(CHOSEN)[remembered]
    if st.session_state.get(key) != text:
        st.session_state[key] = text
    _session(CHOSEN)[remembered] = text
    if text != first or not first:
        _session(SHOWN)[name] = text
    offer = st.text_area if area else st.text_input
    return offer(
        label,
        key=key,
        on_change=lambda: remember(lab, name, st.session_state[key]),
        **more,
    )


def several(
    lab: str, name: str, label: str, options: Sequence[str], *, first: Sequence[str], **more: Any
) -> list[str]:
    """Offer several options at once; their ids stand in the address between commas."""
    key, remembered = f"{lab}.{name}", _name_in_session(lab, name)
    text = st.query_params.get(name, _session(CHOSEN).get(remembered, ",".join(first)))
    chosen = [part for part in text.split(",") if part in options]
    if st.session_state.get(key) != chosen:
        st.session_state[key] = chosen
    _session(SHOWN)[name] = ",".join(chosen)
    return st.multiselect(
        label,
        options,
        key=key,
        on_change=lambda: remember(lab, name, ",".join(st.session_state[key])),
        **more,
    )


def _name_in_session(lab: str, name: str) -> str:
    return name if name in SHARED else f"{lab}.{name}"


def _session(part: str) -> dict[str, str]:
    texts: dict[str, str] = st.session_state.setdefault(part, {})
    return texts
