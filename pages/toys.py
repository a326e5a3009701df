"""Toys: the prefix theory's experiments on tiny transformers, shipped and yours to rerun."""

import streamlit as st

from app import addresses, charts, toy_views

st.title("Toys", anchor=False)
st.caption(
    "Tiny transformers that sort and count, after the experiments of arXiv:2310.19698. What they "
    "show is empirical; the exact statement is about one attention layer, on the Limits page."
)


def show() -> None:
    """One experiment, or the capacity construction."""
    choices = [*toy_views.NAMES, toy_views.CAPACITY]
    chosen = st.segmented_control(
        "Experiment",
        choices,
        required=True,
        format_func=toy_views.name,
        key="toys.experiment",
        label_visibility="collapsed",
        on_change=addresses.follow("Experiment", "toys.experiment", choices, words=toy_views.name),
    )
    if chosen == toy_views.CAPACITY:
        toy_views.show_capacity()
    else:
        toy_views.experiment(chosen)
    charts.picture_format()


show()
