"""Atoms: which few building blocks changed the model, and what happens without them."""

import streamlit as st

from app import atom_choices, atom_trials, atom_views, charts, errors, widgets

st.title("Atoms", anchor=False)
st.caption(
    "Sparse atoms add to a matrix's output a sum of a few learnt directions, the atoms; how much "
    "of each, its coefficient, depends on the token, and small coefficients are exactly zero. "
    "After arXiv:2507.10855; how coefficients are computed is reconstructed."
)
VIEWS = {
    "Map": atom_views.atom_map,
    "Sparsity": atom_views.sparsity,
    "Text": atom_trials.text_view,
    "Pruning": atom_views.pruning,
    "One atom": atom_trials.one_atom,
    "Two runs": atom_trials.two_runs,
    "Density": atom_views.density,
}


def show() -> None:
    """Choose a run, a seed and a view."""
    found = atom_choices.runs()
    if not found:
        widgets.empty(
            "No sparse atoms have been trained yet",
            "Train sparse atoms, best with a threshold of one or more; when the run has finished, "
            "its atoms can be read, pruned and combined here.",
            "train",
        )
        return
    explore(atom_choices.pick(found))


@st.fragment
@errors.guarded
def explore(subject: atom_choices.Subject) -> None:
    """Everything below the choice of a run; changes here leave the rest alone."""
    view = st.segmented_control(
        "View",
        list(VIEWS),
        default="Map",
        required=True,
        key="atoms.view",
        bind="query-params",
        label_visibility="collapsed",
    )
    VIEWS[view](subject)
    charts.picture_format()


show()
