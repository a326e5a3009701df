"""The size of a run on the Train page: quick, usual or thorough, as fits the chosen base."""

from __future__ import annotations

import streamlit as st

from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.models.catalog import BaseInfo
from peftcore.training import presets
from peftcore.training.presets import Preset

KEY = "train.size"


def pick_size(base: BaseInfo) -> Preset:
    """Offer the sizes that fit a base, and say what the chosen one means."""
    sizes = presets.presets_for(base.parameter_count)
    if st.session_state.get(KEY) not in sizes:
        st.session_state[KEY] = presets.USUAL
    chosen = st.segmented_control(
        "Size",
        list(sizes),
        required=True,
        format_func=str.capitalize,
        key=KEY,
        help="Where the numbers below begin; each can be changed",
    )
    name = str(chosen)
    st.caption(f"{sizes[name].text()}.")
    return sizes[name]


def form_key(base: BaseInfo, size: Preset, prefix: str = "train") -> str:
    """Return what keys of the form begin with: every size of base has numbers of its own.

    What was changed under one size stays there, and another begins with its own numbers.
    """
    large = base.parameter_count >= LARGE_BASE
    if size.name == presets.USUAL and not large:
        return prefix
    return f"{prefix}.{'large' if large else 'small'}.{size.name}"
