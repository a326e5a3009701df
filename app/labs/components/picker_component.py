"""The map of a base as buttons that switch its cells on and off, drawn and worked by keyboard too.

What is on lives in the session, one set per base; the browser tells changes as a whole set, so that
quick clicks cannot be lost, and takes a set over only when its version has changed.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import streamlit as st

from peftcore.adapters.component_map import STACKS, ComponentCell, ComponentMap

TITLES = {
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
USUAL = "LayerNorm + Query"
DEEP = 8  # layers above which stacks stand below each other
FOLDER = Path(__file__).parents[2] / "frontend"


def on(found: ComponentMap) -> frozenset[str]:
    """Names of the cells that are on; the paper's best mix to begin with."""
    kept: frozenset[str] | None = st.session_state.get(_key(found))
    if kept is None:
        return found.trained_cells(found.presets.get(USUAL, {"components": ("layernorm",)}))
    return kept


def put(found: ComponentMap, names: Iterable[str]) -> None:
    """Switch just these cells on; the map in the browser follows."""
    st.session_state[_key(found)] = frozenset(names)
    st.session_state["components.version"] = _version() + 1


def _key(found: ComponentMap) -> str:
    return f"components.on.{found.base}"


def _version() -> int:
    version: int = st.session_state.get("components.version", 0)
    return version


MAP = st.components.v2.component(
    "component_map",
    html='<div class="place"></div>',
    css=(FOLDER / "component_picker.css").read_text("utf-8"),
    js=(FOLDER / "component_picker.js").read_text("utf-8"),
)


def draw(found: ComponentMap) -> None:
    """Put the map on the page."""
    key = f"components.map.{found.base}"
    shown = data(found)

    def changed() -> None:
        told = (st.session_state.get(key) or {}).get("chosen")
        if told and told["version"] == shown["version"]:  # not of a map that has been replaced
            st.session_state[_key(found)] = frozenset(told["on"]) & found.sizes.keys()

    MAP(key=key, data=shown, on_chosen_change=changed)


def data(found: ComponentMap) -> dict[str, Any]:
    """What the browser draws: stacks of rows of cells, and what is on."""
    stacks = [
        {
            "title": stack.capitalize(),
            "layers": found.depth(stack),
            "rows": [
                {
                    "title": TITLES[component],
                    "cells": [
                        _cell(found, ComponentCell(component, stack, layer))
                        for layer in range(found.depth(stack))
                    ],
                }
                for component in found.rows(stack)
            ],
        }
        for stack in STACKS
        if found.depth(stack)
    ]
    words = [_cell(found, cell) for cell in found.cells if cell.stack is None]
    return {
        "base": found.base,
        "version": f"{found.base} {_version()}",
        "on": sorted(on(found)),
        "deep": max(found.depth(stack) for stack in STACKS) > DEEP,
        "stacks": stacks,
        "words": words,
    }


def _cell(found: ComponentMap, cell: ComponentCell) -> dict[str, Any] | None:
    if cell not in found.cells:
        return None
    size = found.sizes[cell.name]
    where = f"{cell.stack.capitalize()}, layer {(cell.layer or 0) + 1}, " if cell.stack else ""
    title = TITLES[cell.component]
    return {
        "name": cell.name,
        "title": title,
        "words": f"{where}{title}: {size:,} numbers",
        "dot": round(4 + 10 * math.sqrt(size / max(found.sizes.values())), 1),
    }
