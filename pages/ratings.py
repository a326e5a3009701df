"""Ratings: what raters answered about explanations, with intervals, agreement and disagreements."""

import streamlit as st

from app.rating import admin_page, other_views, results
from app.state import access
from app.ui import charts, widgets

st.title("Ratings", anchor=False)


def show() -> None:
    """Choose a project, then one view of its verdicts at a time."""
    login = access.current_visitor().login
    project = admin_page.pick_project(login)
    if project is None:
        return
    project_results = results.load_results(project, login)
    if project.simulated:
        st.caption("Simulated raters, not people: this project shows what every view looks like.")
    if project_results.verdicts.empty:
        widgets.empty_state(
            "Nobody has rated yet",
            "Invite raters on the Rate page and send them their links; their answers appear here.",
            "rate",
        )
        return
    view = widgets.view_switch("ratings", other_views.VIEWS)
    if view in ("Scores", "Verdicts", "Agreement", "Metrics"):
        project_results = results.without_careless_raters(project_results)
    if project_results.verdicts.empty:
        st.info("Every rater failed an attention check, so nothing is left to show.")
        return
    other_views.VIEWS[view](project_results)
    if view not in ("Disagreements", "Export"):
        charts.image_format_control()


show()
