"""Attention: what every head looks at, before and after an adapter, on one input or a data set."""

import streamlit as st

from app.labs.attention import selection, views
from app.state import wait_for_imports
from app.ui import errors, pickers, widgets

st.title("Attention", anchor=False)
st.caption(
    "Every head of every layer shares out attention: for each token that looks, weights over the "
    "tokens looked at, which sum to one. Here they are before and after an adapter."
)


def show() -> None:
    """Choose models and input, record what they look at, and show it."""
    pickers.invite_missing_base(pickers.requested_run_ids("run"))
    known = selection.subjects_by_id()
    if not known:
        widgets.missing_base("There is no base model yet")
        return
    after, before, seed = selection.pick_subjects(known)
    asked = selection.pick_input(after)
    if asked is None:
        return
    if not wait_for_imports.ready_or_wait("attention"):
        return
    explore_attention(selection.AttentionComparison(after, before, seed, *asked, decoder_source=""))


@st.fragment
@errors.guarded
def explore_attention(question: selection.AttentionComparison) -> None:
    """Show everything below the choice of models; changes here leave the rest alone."""
    from peftcore.labs.attention.capture import TextTooLong

    try:
        recorded = views.pick_head(selection.pick_decoder_text(question))
    except TextTooLong as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        if short := selection.with_short_example(question):
            st.caption("Heads can be measured over the test examples all the same:")
            views.show_head_statistics(views.pick_head(short))
        return
    view = widgets.view_switch("attention", views.VIEWS)
    views.VIEWS[view](recorded)


show()
