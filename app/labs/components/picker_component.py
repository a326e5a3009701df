"""The map of a base as buttons that switch its cells on and off, drawn and worked by keyboard too.

What is on lives in the session, one set per base; the browser tells changes as a whole set, so that
quick clicks cannot be lost, and takes a set over only when its version has changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import streamlit as st

from app.ui.own_components import own_component
from peftcore.adapters.component_map import STACKS, ComponentCell, ComponentMap

COMPONENT_TITLES = {
    "layernorm.block": "layer norm",
    "layernorm.final": "final norm",
    "layernorm.embedding": "norm of words",
    "attention.query": "query",
    "attention.key": "key",
    "attention.value": "value",
    "attention.output": "output",
    "attention.relative": "position bias",
    "cross.query": "cross query",
    "cross.key": "cross key",
    "cross.value": "cross value",
    "cross.output": "cross output",
    "ffn": "feed-forward",
    "bias": "biases",
    "embeddings": "Words (embeddings)",
    "head": "Language-model head",
}
DEFAULT_PRESET = "LayerNorm + Query"
MAX_LAYERS_SIDE_BY_SIDE = 8  # layers above which stacks stand below each other


def selected_cells(cell_map: ComponentMap) -> frozenset[str]:
    """Names of the cells that are on; the paper's best mix to begin with."""
    selected: frozenset[str] | None = st.session_state.get(_session_key(cell_map))
    if selected is None:
        return cell_map.trained_cells(
            cell_map.presets.get(DEFAULT_PRESET, {"components": ("layernorm",)})
        )
    return selected


def was_switched(cell_map: ComponentMap) -> bool:
    """Return whether anything of this base was switched on or off in this session."""
    return _session_key(cell_map) in st.session_state


def select_cells(cell_map: ComponentMap, cell_names: Iterable[str]) -> None:
    """Switch just these cells on; the map in the browser follows."""
    st.session_state[_session_key(cell_map)] = frozenset(cell_names)
    st.session_state["components.version"] = _map_version() + 1


def _session_key(cell_map: ComponentMap) -> str:
    return f"components.on.{cell_map.base}"


def _map_version() -> int:
    version: int = st.session_state.get("components.version", 0)
    return version


COMPONENT_MAP = own_component("component_map", '<div class="place"></div>')


def show_component_map(cell_map: ComponentMap) -> None:
    """Put the map on the page."""
    key = f"components.map.{cell_map.base}"
    payload = map_data(cell_map)

    def changed() -> None:
        choice = (st.session_state.get(key) or {}).get("chosen")
        if choice and choice["version"] == payload["version"]:  # not of a map replaced since
            chosen = frozenset(choice["on"]) & cell_map.sizes.keys()
            st.session_state[_session_key(cell_map)] = chosen

    COMPONENT_MAP(key=key, data=payload, on_chosen_change=changed)


def map_data(cell_map: ComponentMap) -> dict[str, Any]:
    """Return what the browser draws: stacks of rows of cells, and what is on."""
    stacks = [
        {
            "title": stack.capitalize(),
            "layers": cell_map.depth(stack),
            "rows": [
                {
                    "title": COMPONENT_TITLES[component],
                    "cells": [
                        _cell_data(cell_map, ComponentCell(component, stack, layer))
                        for layer in range(cell_map.depth(stack))
                    ],
                }
                for component in cell_map.rows(stack)
            ],
        }
        for stack in STACKS
        if cell_map.depth(stack)
    ]
    word_cells = [_cell_data(cell_map, cell) for cell in cell_map.cells if cell.stack is None]
    return {
        "base": cell_map.base,
        "version": f"{cell_map.base} {_map_version()}",
        "on": sorted(selected_cells(cell_map)),
        "deep": max(cell_map.depth(stack) for stack in STACKS) > MAX_LAYERS_SIDE_BY_SIDE,
        "stacks": stacks,
        "words": word_cells,
    }


def _cell_data(cell_map: ComponentMap, cell: ComponentCell) -> dict[str, Any] | None:
    """Return a cell as the browser shows it; None if the base has no such cell."""
    if cell not in cell_map.cells:
        return None
    size = cell_map.sizes[cell.name]
    location = f"{cell.stack.capitalize()}, layer {(cell.layer or 0) + 1}, " if cell.stack else ""
    title = COMPONENT_TITLES[cell.component]
    return {
        "name": cell.name,
        "title": title,
        "words": f"{location}{title}: {size:,} numbers",
        "dot": round(4 + 10 * math.sqrt(size / max(cell_map.sizes.values())), 1),
    }
