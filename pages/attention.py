"""Attention: what every head looks at, before and after an adapter, on one input or a data set."""

import streamlit as st

from app import errors, head_views, heads, waiting, widgets

st.title("Attention", anchor=False)
st.caption(
    "Every head of every layer shares out attention: for each token that looks, weights over the "
    "tokens looked at, which sum to one. Here they are before and after an adapter."
)


def show() -> None:
    """Choose models and input, record what they look at, and show it."""
    known = heads.subjects()
    if not known:
        widgets.empty(
            "No model is at hand yet",
            "Base models lie in `assets/models`; PEFTCORE_MODELS can name a folder of your own.",
        )
        return
    after, before, seed = heads.pick_subjects(known)
    asked = heads.pick_input(after)
    if asked is None:
        return
    if not waiting.ready("attention"):
        return
    explore(heads.Question(after, before, seed, *asked, reads=""))


@st.fragment
@errors.guarded
def explore(question: heads.Question) -> None:
    """Everything below the choice of models and input; changes here leave the rest alone."""
    seen = head_views.look(heads.decoder_text(question))
    view = st.segmented_control(
        "View",
        list(head_views.VIEWS),
        default=next(iter(head_views.VIEWS)),
        required=True,
        key="attention.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    head_views.VIEWS[view](seen)


show()
