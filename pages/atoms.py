"""Atoms: which few building blocks changed the model, and what happens without them."""

import streamlit as st

from app.labs.atoms import interactive_views, selection, views
from app.ui import charts, errors, widgets

st.title("Atoms", anchor=False)
st.caption(
    "Sparse atoms add to a matrix's output a sum of a few learnt directions, the atoms; how much "
    "of each, its coefficient, depends on the token, and small coefficients are exactly zero. "
    "After arXiv:2507.10855; how coefficients are computed is reconstructed."
)
VIEWS = {
    "Map": views.show_atom_map,
    "Sparsity": views.show_sparsity,
    "Text": interactive_views.show_text_coefficients,
    "Pruning": views.show_pruning,
    "One atom": interactive_views.show_one_atom,
    "Two runs": interactive_views.show_two_runs,
    "Density": views.show_density,
}


def show() -> None:
    """Choose a run, a seed and a view."""
    found = selection.candidate_runs()
    if not found:
        widgets.empty_state(
            "No sparse atoms have been trained yet",
            "Train sparse atoms, best with a threshold of one or more; when the run has finished, "
            "its atoms can be read, pruned and combined here.",
            "train",
        )
        return
    explore_atoms(selection.pick_subject(found))


@st.fragment
@errors.guarded
def explore_atoms(subject: selection.AtomsSubject) -> None:
    """Show everything below the choice of a run; changes here leave the rest alone."""
    view = widgets.view_switch("atoms", VIEWS)
    VIEWS[view](subject)
    charts.image_format_control()


show()
