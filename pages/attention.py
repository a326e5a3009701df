"""Attention: what every head looks at, before and after an adapter, on one input or a data set."""

import streamlit as st

from app.labs.attention import selection, views
from app.state import wait_for_imports
from app.ui import errors, pickers, text_choice, widgets
from app.ui.frame import Frame, lab_frame
from peftcore.analysis.attention import TextTooLong


@st.fragment
@errors.guarded
def explore_attention() -> None:
    """Choose models and input, record what they look at, and show it."""
    with lab_frame(selection.LAB, "Attention", list(views.VIEWS)) as frame:
        with frame.picture:
            pickers.invite_missing_base(pickers.requested_run_ids("run"))
        known = selection.subjects_by_id()
        if not known:
            widgets.missing_base("There is no base model yet")
            return
        after, before = selection.pick_subjects(frame.bar, known)
        asked = selection.pick_input(frame.bar, after, before)
        with frame.picture:
            if asked is None:
                text_choice.say_what_is_missing(selection.LAB, "every head shows what it looks at")
                return
            recorded = wait_for_imports.is_waiting(selection.LAB) and frame.view == views.RECORDED
            if not recorded and not wait_for_imports.ready_or_wait(selection.LAB):
                return
        try:
            show(frame, asked)
        except wait_for_imports.NotRecorded:
            with frame.picture:
                wait_for_imports.ready_or_wait(selection.LAB)
            return
        if recorded:
            with frame.below:
                wait_for_imports.say_recorded(selection.LAB)


def show(frame: Frame, asked: selection.AttentionComparison) -> None:
    """Show the chosen view, and where a text is too long for it, what can be measured instead."""
    try:
        selected = views.pick_head(frame.bar, selection.with_decoder_text(asked))
    except TextTooLong as error:
        with frame.picture:
            st.error(
                widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:"
            )
        if short := selection.with_short_example(asked):
            st.caption("Heads can be measured over the test examples all the same:")
            views.show_head_statistics(frame, views.pick_head(frame.bar, short))
        return
    views.VIEWS[frame.view](frame, selected)


explore_attention()
