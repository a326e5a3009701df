"""Limits: the theorem about prefixes as an instrument, on one layer and one head at a time."""

import streamlit as st

from app import charts, errors, limit_choices, limit_views, probes, waiting, widgets

st.title("Limits", anchor=False)
st.caption(
    "What a prefix can and cannot do to an attention layer, measured on trained adapters. "
    "After arXiv:2310.19698 (second version)."
)


def show() -> None:
    """Choose a run and a text, then look into one head."""
    runs = probes.candidates()
    if not runs:
        widgets.empty(
            "No adapter to look into yet",
            "Train a prefix, and LoRA beside it; when the runs have finished they can be measured "
            "here, layer by layer.",
            "train",
        )
        return
    run, other = limit_choices.pick_runs(runs)
    example = limit_choices.pick_text(run)
    if example is None or not waiting.ready("limits"):
        return

    @st.fragment
    @errors.guarded
    def explore() -> None:
        shown = limit_choices.pick_head(run, other, example)
        limit_views.verdict(shown)
        limit_views.precision(shown)
        view = st.segmented_control(
            "View",
            list(limit_views.VIEWS),
            default="Pattern",
            required=True,
            key="limits.view",
            label_visibility="collapsed",
            bind="query-params",
        )
        limit_views.VIEWS[view](shown)
        charts.picture_format()

    explore()


show()
