"""The head that stories and Home show, read once, and where it comes from."""

from __future__ import annotations

import streamlit as st

from peftcore.stories import recordings
from peftcore.stories.recordings import HeadRecording


@st.cache_resource(max_entries=1, show_spinner=False)
def recorded_head() -> HeadRecording:
    """Return the recorded head."""
    return recordings.head_recording()


def head_basis(head: HeadRecording) -> str:
    """Say where the recorded head comes from."""
    return (
        f"{head.base}, layer {head.layer}, head {head.head}; prefix of run {head.prefix_run} and "
        f"LoRA of run {head.lora_run}, seed 0, each in this layer alone. "
        "`python -m peftcore ship stories`"
    )
