"""What am I looking at? One query's attention, and what a prefix or LoRA does to it, on a click."""

from __future__ import annotations

import streamlit as st

from app.ui import widgets
from app.ui.attention_row import recorded_head, show_attention_row

HEIGHT = 130  # pixels of the tallest bar


def show_primer(lab: str) -> None:
    """Offer three sentences and a recorded row that moves, before the lab's own numbers."""
    with st.popover("What am I looking at?", icon=":material/help:"):
        st.markdown(
            "A head shares out its attention: each token looks at itself and at others, by weights "
            "that sum to one. A **prefix** puts trained positions in front, which take a share, "
            "and every other bar shrinks by the same factor. **LoRA** adds a low-rank product to "
            "weight matrices, so bars can change places."
        )
        show_attention_row(recorded_head(), key=f"{lab}.primer", high=HEIGHT)
        widgets.page_link("learn", "The whole story, in five minutes")
