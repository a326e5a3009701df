"""Ratings: what raters answered about explanations, with intervals, agreement and disagreements."""

import streamlit as st

from app.rating import admin_page, other_views, results
from app.state import access
from app.ui import charts, widgets

# The title and the project share a row, so that the first chart is seen whole.
STYLE = """<style>.stMainBlockContainer:has(.st-key-ratings-bar) { padding-top: 1.2rem; }
.st-key-ratings-bar h1 { font-size: 1.4rem; padding: 0; }
.stMainBlockContainer:has(.st-key-ratings-bar) > div { gap: 0.7rem; }
@media (max-width: 640px) {
  .stMainBlockContainer:has(.st-key-ratings-bar) { padding-top: 3.9rem; }
}</style>"""
st.html(STYLE)


def show() -> None:
    """Choose a project, then one view of its verdicts at a time."""
    login = access.current_visitor().login
    with st.container(horizontal=True, key="ratings-bar", vertical_alignment="center"):
        st.title("Ratings", anchor=False, width="content")
        project = admin_page.pick_project(login, label_visibility="collapsed")
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
