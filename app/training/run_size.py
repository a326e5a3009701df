"""The size of a run on the Train page: quick, usual or thorough, as fits the chosen base."""

from __future__ import annotations

import streamlit as st

from app.ui import pickers
from peftcore.adapters.measured_rates import LARGE_BASE
from peftcore.models.catalog import BaseInfo
from peftcore.training import presets
from peftcore.training.presets import Preset


def pick_size(base: BaseInfo) -> Preset:
    """Offer the sizes that fit a base, and say what the chosen one means."""
    sizes = presets.presets_for(base.parameter_count)
    name = pickers.pick_one(
        "Size",
        list(sizes),
        "train.size",
        str.capitalize,
        default=presets.USUAL,
        help="Where the numbers below begin; each can be changed",
    )
    st.caption(f"{sizes[name].text()}.")
    return sizes[name]


def form_key(base: BaseInfo, size: Preset) -> str:
    """Return where keys of the form begin: every size of base has numbers of its own.

    What was changed under one size stays there, and another begins with its own numbers.
    """
    large = base.parameter_count >= LARGE_BASE
    if size.name == presets.USUAL and not large:
        return "train"
    return f"train.{'large' if large else 'small'}.{size.name}"
