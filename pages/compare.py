"""Compare: finished runs of one task side by side, with what may and may not be said about them."""

import streamlit as st

from app import charts, compare_views, comparing, widgets
from app.looks import looks
from peftcore.analysis import likeness

st.title("Compare", anchor=False)


def show() -> None:
    """Choose, check, then the table and one view at a time."""
    finished = comparing.shown()
    if not finished:
        widgets.empty(
            "Nothing to compare yet",
            "Train two or more methods on one task; when they have finished they meet here, "
            "with intervals over seeds.",
            "train",
        )
        return
    asked = comparing.asked_for(finished)
    left, right = st.columns([3, 2])
    with left:
        of_task = comparing.pick_task(finished, asked)
    with right:
        metric = comparing.pick_metric(of_task)
    across = comparing.pick_across(of_task, asked)
    runs = comparing.pick_runs(of_task, asked, across)
    if not runs:
        st.info("Choose at least one run; two or more can be compared.")
        return
    comparing.offer_shipped(runs)
    names = {run: look.name for run, look in looks(runs).items()}
    reasons = likeness.unlike(runs, across_bases=across, names=names)
    if reasons:
        comparing.refuse(reasons, runs, across)
        return
    chosen = comparing.Comparison(runs, looks(runs), metric, comparing.scores_of(runs, metric))
    compare_views.headline(chosen)
    compare_views.summary_table(chosen)
    comparing.offer_rating(runs)
    for note in likeness.caveats(runs, names):
        st.caption(widgets.plain(f"Not equal but allowed: {note}."))
    view = st.segmented_control(
        "View",
        list(compare_views.VIEWS),
        default="Scores",
        required=True,
        key="compare.view",
        label_visibility="collapsed",
        bind="query-params",
    )
    compare_views.VIEWS[view](chosen)
    if view != "Answers":
        charts.picture_format()


show()
