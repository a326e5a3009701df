"""Compare: finished runs of one task side by side, with what may and may not be said about them."""

import streamlit as st

from app.compare import selection, views
from app.ui import charts, widgets
from app.ui.run_styles import looks
from peftcore.analysis import comparability

st.title("Compare", anchor=False)


def show() -> None:
    """Choose, check, then the table and one view at a time."""
    finished = selection.shown()
    if not finished:
        widgets.empty(
            "Nothing to compare yet",
            "Train two or more methods on one task; when they have finished they meet here, "
            "with intervals over seeds.",
            "train",
        )
        return
    asked = selection.asked_for(finished)
    left, right = st.columns([3, 2])
    with left:
        of_task = selection.pick_task(finished, asked)
    with right:
        metric = selection.pick_metric(of_task)
    across = selection.pick_across(of_task, asked)
    runs = selection.pick_runs(of_task, asked, across)
    if not runs:
        st.info("Choose at least one run; two or more can be compared.")
        return
    selection.offer_shipped(runs)
    names = {run: look.name for run, look in looks(runs).items()}
    reasons = comparability.reasons_not_comparable(runs, across_bases=across, names=names)
    if reasons:
        selection.refuse(reasons, runs, across)
        return
    chosen = selection.Comparison(runs, looks(runs), metric, selection.scores_of(runs, metric))
    views.headline(chosen)
    views.summary_table(chosen)
    selection.offer_rating(runs)
    for note in comparability.caveats(runs, names):
        st.caption(widgets.plain(f"Not equal but allowed: {note}."))
    view = st.segmented_control(
        "View",
        list(views.VIEWS),
        default="Scores",
        required=True,
        key="compare.view",
        label_visibility="collapsed",
        bind="query-params",
    )
    views.VIEWS[view](chosen)
    if view != "Answers":
        charts.picture_format()


show()
