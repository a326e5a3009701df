"""What the Components page is about: a base, which cells of it are on, and how to train them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import nav
from app.labs.components import picker_component
from app.state import cache
from app.ui import url_state, widgets
from peftcore.adapters import component_map, parameter_counts
from peftcore.adapters.component_map import ComponentMap
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

CUSTOM = "My own choice"


@st.cache_resource(max_entries=8, show_spinner="Counting the base…")
def _loaded(name: str) -> ComponentMap:
    """The map of a base that does not ship."""
    return component_map.find_map(name)


def find(name: str) -> ComponentMap:
    """The map of a base; those that ship are there at once."""
    return component_map.shipped_map(name) if ships(name) else _loaded(name)


def ships(name: str) -> bool:
    """Whether counting needs no model library."""
    return name in component_map.shipped_bases()


def pick_base() -> str:
    """A choice among the bases at hand and the published ones."""
    here = sorted((info.name for info in cache.list_bases()), key=lambda name: not ships(name))
    names = list(dict.fromkeys([*here, *parameter_counts.published_bases()]))
    name: str = st.selectbox(
        "Base model",
        names,
        key="components.base",
        help="Bases of this machine, and published ones by their shapes, to be counted only.",
        on_change=url_state.sync_with_url("Base model", "components.base", names),
    )
    return name


def pick_preset(found: ComponentMap) -> None:
    """A choice among the paper's configurations; the map follows it, and it follows the map."""
    on = picker_component.on(found)
    held = next((n for n, made in found.presets.items() if found.trained_cells(made) == on), CUSTOM)
    key = f"components.preset.{found.base}"
    st.session_state[key] = held

    def put() -> None:
        chosen = st.session_state[key]
        if chosen != CUSTOM:
            picker_component.put(found, found.trained_cells(found.presets[chosen]))

    st.selectbox(
        "Configuration of the paper",
        [CUSTOM, *found.presets],
        key=key,
        on_change=put,
        help="SparseFit (arXiv:2305.13235) trains whole kinds of weights, chosen by name.",
    )


def clear(found: ComponentMap) -> None:
    """Switch everything off."""
    picker_component.put(found, ())


def settings(found: ComponentMap) -> dict[str, Any]:
    """SparseFit's settings that train what is on; BadInput if nothing is."""
    return found.settings_for(picker_component.on(found))


def in_words(made: Mapping[str, Any]) -> str:
    """Settings as a phrase; layers are counted from one, as on the map."""
    parts = [
        f"{name} {', '.join(made[name])}"
        for name in ("components", "stacks", "cells")
        if name in made
    ]
    if "last_layer" in made:
        parts.append(f"layers {made.get('first_layer', 0) + 1} to {made['last_layer'] + 1}")
    return "; ".join(parts)


def name(run: Run) -> str:
    """What a run of SparseFit trained, as short as it can be said; empty if its base is gone."""
    if not ships(run.spec.base):
        return ""
    return find(run.spec.base).title(run.spec.settings)


def elsewhere(made: Mapping[str, Any]) -> pd.DataFrame:
    """What the same settings train in every base that ships; bases that lack them are left out."""
    return _elsewhere(json.dumps(made))


@st.cache_data(max_entries=256, show_spinner=False)
def _elsewhere(settings: str) -> pd.DataFrame:
    made, rows = json.loads(settings), []
    for name in component_map.shipped_bases():
        found = component_map.shipped_map(name)
        try:
            count = found.count(found.trained_cells(made))
        except BadInput:  # a cell that this base does not have
            continue
        if count:
            rows.append(
                {
                    "Base": name,
                    "Trained": count,
                    "Of": found.total,
                    "Share (%)": found.percent(count),
                    "Note": parameter_counts.NOTES.get(name, ""),
                }
            )
    return pd.DataFrame(rows)


def at_hand(name: str) -> bool:
    """Whether a base can be trained here, and not only counted."""
    return name in catalog.base_names()


def hand_to_train(base: str, made: Mapping[str, Any]) -> None:
    """Go to the Train page with SparseFit, this base and these weights filled in."""
    state = st.session_state
    usual: dict[str, Any] = {"components": ("layernorm", "attention.query")}
    whole = usual | component_map.DEFAULT_SETTINGS | {"cells": ()} | dict(made)
    state["train.base"] = base
    state["train.methods"] = ["sparsefit"]
    state["train.sparsefit.components"] = list(whole["components"])
    state["train.sparsefit.stacks"] = list(whole["stacks"])
    state["train.sparsefit.first_layer"] = whole["first_layer"]
    state["train.sparsefit.last_layer"] = whole["last_layer"]
    state["train.sparsefit.cells"] = ", ".join(whole["cells"])
    st.switch_page(nav.find("train").file)


def note(base: str) -> None:
    """What a published base's count leaves out or adds."""
    if text := parameter_counts.NOTES.get(base):
        st.caption(widgets.escape_markdown(text))
