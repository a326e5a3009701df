"""Add this view to a story: a small form keeps a lab's address as a step of one's own story."""

from __future__ import annotations

import streamlit as st

from app import nav
from app.ui import widgets
from peftcore.errors import BadInput
from peftcore.stories import own_steps
from peftcore.stories.story import MOST_WORDS

ADDED = "story_step.added"  # in the session: story and step added last


def offer(lab: str) -> None:
    """Offer to add what the address shows to a story."""
    if st.context.is_embedded:
        return  # in a frame of a story
    with st.popover("Add to a story", icon=":material/bookmark_add:"):
        with st.form(f"{lab}.story", border=False):
            story = st.selectbox(
                "Story",
                list(own_steps.own_titles()),
                index=None,
                key=f"{lab}.story.title",
                accept_new_options=True,
                placeholder="Choose one of yours, or type a new title",
            )
            title = st.text_input("Title of the step", key=f"{lab}.story.step", max_chars=70)
            text = st.text_area(f"Text, at most {MOST_WORDS} words", key=f"{lab}.story.text")
            if st.form_submit_button("Add this view", key=f"{lab}.story.add"):
                _add(lab, story or "", title, text)
        _link_added(lab)


def _add(lab: str, story: str, title: str, text: str) -> None:
    """Keep the view, or say what is missing."""
    kept = {name: st.query_params[name] for name in st.query_params}
    try:
        st.session_state[ADDED] = lab, *own_steps.add_view(story, title, text, lab, kept)
    except BadInput as error:
        st.session_state.pop(ADDED, None)
        st.warning(widgets.as_sentence(widgets.escape_markdown(str(error))))


def _link_added(lab: str) -> None:
    """Link the step that was added last."""
    of_lab, story, step = st.session_state.get(ADDED, ("", "", ""))
    if of_lab == lab:
        st.success("Added. It stands under Stories.", icon=":material/check:")
        st.page_link(
            nav.find_page("learn").script_path,
            label="Open the step",
            icon=":material/arrow_outward:",
            query_params={"story": story, "step": step},
        )
