"""Toys: the prefix theory's experiments on tiny transformers, shipped and yours to rerun."""

import streamlit as st

from app.labs.toys import views
from app.ui import charts, url_state

st.title("Toys", anchor=False)
st.caption(
    "Tiny transformers that sort and count, after the experiments of arXiv:2310.19698. What they "
    "show is empirical; the exact statement is about one attention layer, on the Limits page."
)


def show() -> None:
    """One experiment, or the capacity construction."""
    choices = [*views.EXPERIMENT_TITLES, views.CAPACITY]
    experiment = st.segmented_control(
        "Experiment",
        choices,
        required=True,
        format_func=views.experiment_title,
        key="toys.experiment",
        label_visibility="collapsed",
        on_change=url_state.sync_with_url(
            "Experiment", "toys.experiment", choices, format_option=views.experiment_title
        ),
    )
    chosen = str(experiment)
    if chosen == views.CAPACITY:
        views.show_capacity()
    else:
        views.show_experiment(chosen)
    charts.image_format_control()


show()
