"""Limits: the theorem about prefixes as an instrument, on one layer and one head at a time."""

import streamlit as st

from app.labs.limits import cache, selection, views
from app.state import wait_for_imports
from app.ui import errors, pickers, text_choice, widgets
from app.ui.frame import Frame, lab_frame


@st.fragment
@errors.guarded
def explore_limits() -> None:
    """Choose a run and a text, then look into one head."""
    with lab_frame(cache.LAB, "Limits", list(views.VIEWS)) as frame:
        with frame.picture:
            pickers.invite_missing_base(pickers.requested_run_ids("run"))
        runs = cache.candidate_runs()
        if not runs:
            with frame.picture:
                widgets.empty_state(
                    "No adapter to look into yet",
                    "Train a prefix, and LoRA to compare with; finished runs are measured here, "
                    "layer by layer.",
                    "train",
                )
            return
        run, other = selection.pick_runs(frame.bar, runs)
        example = selection.pick_text(frame.bar, run)
        with frame.picture:
            if example is None:
                text_choice.say_what_is_missing(cache.LAB, "the layers are measured on it")
                return
            recorded = wait_for_imports.is_waiting(cache.LAB) and frame.view in views.RECORDED
            if not recorded and not wait_for_imports.ready_or_wait(cache.LAB):
                return
        try:
            show(frame, selection.pick_subject(frame, run, other, example))
        except wait_for_imports.NotRecorded:
            with frame.picture:
                wait_for_imports.ready_or_wait(cache.LAB)
            return
        if recorded:
            with frame.below:
                wait_for_imports.say_recorded(cache.LAB)


def show(frame: Frame, shown: views.LimitsSubject) -> None:
    """Show the chosen view, the finding, and what rounding leaves of the theorem."""
    views.VIEWS[frame.view](frame, shown)
    views.show_finding(frame, shown)
    with frame.side:
        views.show_precision(shown)


explore_limits()
