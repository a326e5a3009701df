"""What the Components page is about: a base, which cells of it are on, and how to train them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pandas as pd
import streamlit as st

from app import nav
from app.labs.components import picker_component
from app.state import cache
from app.ui import subject, widgets
from app.ui.subject import Choice
from peftcore.adapters import component_map, parameter_counts
from peftcore.adapters.component_map import ComponentMap
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

LAB = "components"
CUSTOM_PRESET = "My own choice"


@st.cache_resource(max_entries=8, show_spinner="Counting the base…")
def _count_base(name: str) -> ComponentMap:
    """The map of a base that does not ship."""
    return component_map.find_map(name)


def find_cell_map(name: str) -> ComponentMap:
    """The map of a base; those that ship are there at once."""
    return component_map.shipped_map(name) if has_shipped_map(name) else _count_base(name)


def has_shipped_map(name: str) -> bool:
    """Return whether counting needs no model library."""
    return name in component_map.shipped_bases()


def pick_base(bar: DeltaGenerator) -> str:
    """Offer the bases of this machine and the published ones, which can be counted only."""
    local_bases = sorted(
        (info.name for info in cache.list_bases()), key=lambda name: not has_shipped_map(name)
    )
    names = list(dict.fromkeys([*local_bases, *parameter_counts.published_bases()]))
    with bar:
        return Choice(LAB, "base", "Base model", names).as_list(
            label_visibility="collapsed", width=220
        )


def restore_cells(cell_map: ComponentMap) -> None:
    """Switch on what the address names, before anybody has switched anything."""
    asked = st.query_params.get("cells", "")
    if not asked or picker_component.was_switched(cell_map):
        return
    if asked in cell_map.presets:
        cells = cell_map.trained_cells(cell_map.presets[asked])
    else:
        cells = frozenset(asked.split(",")) & frozenset(cell_map.sizes)
    picker_component.select_cells(cell_map, cells)


def write_cells(cell_map: ComponentMap) -> None:
    """Let the address say what is on: a configuration of the paper, or the cells one by one."""
    selected = picker_component.selected_cells(cell_map)
    names = [
        name
        for name, settings in cell_map.presets.items()
        if cell_map.trained_cells(settings) == selected
    ]
    subject.show("cells", names[0] if names else ",".join(sorted(selected)))


def pick_preset(cell_map: ComponentMap) -> None:
    """A choice among the paper's configurations; the map follows it, and it follows the map."""
    selected = picker_component.selected_cells(cell_map)
    current_preset = next(
        (
            preset_name
            for preset_name, preset_settings in cell_map.presets.items()
            if cell_map.trained_cells(preset_settings) == selected
        ),
        CUSTOM_PRESET,
    )
    key = f"components.preset.{cell_map.base}"
    st.session_state[key] = current_preset

    def apply_preset() -> None:
        preset = st.session_state[key]
        if preset != CUSTOM_PRESET:
            picker_component.select_cells(
                cell_map, cell_map.trained_cells(cell_map.presets[preset])
            )

    st.selectbox(
        "Configuration of the paper",
        [CUSTOM_PRESET, *cell_map.presets],
        key=key,
        on_change=apply_preset,
        help="SparseFit (arXiv:2305.13235) trains whole kinds of weights, chosen by name.",
    )


def selected_settings(cell_map: ComponentMap) -> dict[str, Any]:
    """SparseFit's settings that train what is on; BadInput if nothing is."""
    return cell_map.settings_for(picker_component.selected_cells(cell_map))


def settings_in_words(settings: Mapping[str, Any]) -> str:
    """Settings as a phrase; layers are counted from one, as on the map."""
    parts = [
        f"{name} {', '.join(settings[name])}"
        for name in ("components", "stacks", "cells")
        if name in settings
    ]
    if "last_layer" in settings:
        parts.append(f"layers {settings.get('first_layer', 0) + 1} to {settings['last_layer'] + 1}")
    return "; ".join(parts)


def trained_weights_title(run: Run) -> str:
    """Return a short title of what a run of SparseFit trained; empty if its base is gone."""
    if not has_shipped_map(run.spec.base):
        return ""
    return find_cell_map(run.spec.base).title(run.spec.settings)


def counts_on_other_bases(settings: Mapping[str, Any]) -> pd.DataFrame:
    """Count what the same settings train in every other base that has such weights."""
    return _counts_on_other_bases(json.dumps(settings))


@st.cache_data(max_entries=256, show_spinner=False)
def _counts_on_other_bases(settings_json: str) -> pd.DataFrame:
    """Count what these settings train in every other base."""
    values, rows = json.loads(settings_json), []
    for name in component_map.shipped_bases():
        cell_map = component_map.shipped_map(name)
        try:
            trained_count = cell_map.count(cell_map.trained_cells(values))
        except BadInput:  # a cell that this base does not have
            continue
        if trained_count:
            rows.append(
                {
                    "Base": name,
                    "Trained": trained_count,
                    "Of": cell_map.total,
                    "Share (%)": cell_map.percent(trained_count),
                    "Note": parameter_counts.NOTES.get(name, ""),
                }
            )
    return pd.DataFrame(rows)


def can_train(name: str) -> bool:
    """Return whether a base can be trained here, and not only counted."""
    return name in catalog.base_names()


def open_train_page(base: str, settings: Mapping[str, Any]) -> None:
    """Go to the Train page with SparseFit, this base and these weights filled in."""
    state = st.session_state
    defaults: dict[str, Any] = {"components": ("layernorm", "attention.query")}
    all_settings = defaults | component_map.DEFAULT_SETTINGS | {"cells": ()} | dict(settings)
    state["train.base"] = base
    state["train.methods"] = ["sparsefit"]
    state["train.sparsefit.components"] = list(all_settings["components"])
    state["train.sparsefit.stacks"] = list(all_settings["stacks"])
    state["train.sparsefit.first_layer"] = all_settings["first_layer"]
    state["train.sparsefit.last_layer"] = all_settings["last_layer"]
    state["train.sparsefit.cells"] = ", ".join(all_settings["cells"])
    st.switch_page(nav.find_page("train").script_path)


def show_count_note(base: str) -> None:
    """Say what a published base's count leaves out or adds."""
    if text := parameter_counts.NOTES.get(base):
        st.caption(widgets.escape_markdown(text))
