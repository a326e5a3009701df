"""Atoms: which few building blocks changed the model, and what happens without them."""

import streamlit as st

from app.labs.atoms import interactive_views, selection, views
from app.ui import errors, widgets
from app.ui.frame import lab_frame

VIEWS = {
    "Map": views.show_atom_map,
    "Sparsity": views.show_sparsity,
    "Text": interactive_views.show_text_coefficients,
    "Pruning": views.show_pruning,
    "One atom": interactive_views.show_one_atom,
    "Two runs": interactive_views.show_two_runs,
    "Density": views.show_density,
}


@st.fragment
@errors.guarded
def explore_atoms() -> None:
    """Choose a run, a seed and a view."""
    with lab_frame(selection.LAB, "Atoms", list(VIEWS)) as frame:
        found = selection.candidate_runs()
        if not found:
            with frame.picture:
                widgets.empty_state(
                    "No sparse atoms have been trained yet",
                    "Train sparse atoms, best with a threshold of one or more; when the run has "
                    "finished, its atoms can be read, pruned and combined here.",
                    "train",
                )
            return
        VIEWS[frame.view](frame, selection.pick_subject(frame.bar, found))


explore_atoms()
