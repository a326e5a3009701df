"""Compare: finished runs of one task side by side, with what may and may not be concluded."""

import streamlit as st

from app.compare import selection, views
from app.ui import charts, pickers, widgets
from app.ui.run_styles import styles_by_run
from peftcore.analysis import comparability

st.title("Compare", anchor=False)


def show() -> None:
    """Choose, check, then the table and one view at a time."""
    known_runs = selection.selectable_runs()
    if not known_runs:
        widgets.empty_state(
            "Nothing to compare yet",
            "Train two or more methods on one task; when they have finished they meet here, "
            "with intervals over seeds.",
            "train",
        )
        return
    requested = pickers.requested_runs(known_runs)
    left, right = st.columns([3, 2])
    with left:
        of_task = selection.pick_compared_task(known_runs, requested)
    with right:
        metric = selection.pick_metric(of_task)
    across = selection.pick_across_bases(of_task, requested)
    runs = selection.pick_runs(of_task, requested, across)
    if not runs:
        st.info("Choose at least one run; two or more can be compared.")
        return
    selection.offer_shipped(runs)
    names = {run: style.name for run, style in styles_by_run(runs).items()}
    reasons = comparability.reasons_not_comparable(runs, across_bases=across, names=names)
    if reasons:
        selection.show_refusal(reasons, runs, across)
        return
    chosen = selection.Comparison(
        runs, styles_by_run(runs), metric, selection.table_with_metric(runs, metric)
    )
    views.show_headline(chosen)
    views.show_summary(chosen)
    selection.offer_rating(runs)
    for note in comparability.caveats(runs, names):
        st.caption(widgets.escape_markdown(f"Not equal but allowed: {note}."))
    view = widgets.view_switch("compare", views.VIEWS)
    views.VIEWS[view](chosen)
    if view != "Answers":
        charts.image_format_control()


show()
