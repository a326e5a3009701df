"""The Norms page: which run, and its tensors."""

from __future__ import annotations

import streamlit as st
from app.figures.norms import norm_bars
from peftcore.labs.norms import tensor_norms

from app.state import cache
from app.ui import charts, url_state, widgets


def show_norms() -> None:
    """Show the norms of the run that the address names."""
    runs = {
        run.id: run
        for run in cache.run_store().all()
        if (run.folder / "adapter.safetensors").is_file()
    }
    if not runs:
        widgets.empty_state("No adapter yet", "Train one to see its tensors.", "train")
        return
    chosen = st.selectbox(
        "Run",
        list(runs),
        key="norms.run",
        on_change=url_state.sync_with_url("Run", "norms.run", list(runs)),
    )
    norms = tensor_norms(runs[chosen])
    charts.chart(norm_bars(norms), key="norms.bars", name="norms", alt="Norms of the tensors")
