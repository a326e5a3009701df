"""Compare: finished runs of one task: which is best, by how much, and how sure that is."""

import streamlit as st

from app.compare import report_button, selection, verdict_views, views
from app.ui import charts, errors, pickers, population, widgets
from app.ui.run_styles import styles_by_run
from peftcore.analysis import comparability

st.title("Compare", anchor=False)


def show() -> None:
    """Choose, check, then the verdict with its pictures, and one view at a time."""
    known_runs = selection.selectable_runs()
    if not known_runs:
        widgets.empty_state(
            "Nothing to compare yet",
            "Train two or more methods on one task; when they have finished they meet here, "
            "with intervals over seeds and test examples.",
            "train",
        )
        return
    requested = pickers.requested_runs(known_runs)
    task_place, metric_place, more_place = st.columns([3, 2, 2], vertical_alignment="bottom")
    with task_place:
        of_task = selection.pick_compared_task(known_runs, requested)
    with metric_place:
        metric = selection.pick_metric(of_task)
    with more_place, st.popover("Runs and margin", icon=":material/tune:", width="stretch"):
        across = selection.pick_across_bases(of_task, requested)
        runs = selection.pick_runs(of_task, requested, across)
        margin = selection.pick_margin()
        about = population.pick_population("compare.population")
        facet = selection.pick_facet(runs)
    if not runs:
        st.info("Choose at least one run; two or more can be compared.")
        return
    selection.keep_runs_in_url(runs)
    names = {run: style.name for run, style in styles_by_run(runs).items()}
    reasons = comparability.reasons_not_comparable(runs, across_bases=across, names=names)
    if reasons:
        selection.show_refusal(reasons, runs, across)
        return
    chosen = selection.Comparison(
        runs,
        styles_by_run(runs),
        metric,
        margin,
        about,
        selection.table_with_metric(runs, metric),
        facet,
    )
    verdict_views.show_headline(chosen)
    verdict_views.show_scores(chosen)
    verdict_views.show_basis(chosen)
    verdict_views.show_matrix(chosen)
    for note in comparability.caveats(runs, names):
        st.caption(widgets.escape_markdown(f"Not equal but allowed: {note}."))

    @st.fragment
    @errors.guarded
    def look_closer() -> None:
        views.VIEWS[views.pick_view()](chosen)

    look_closer()
    with st.container(horizontal=True):
        report_button.offer_report(runs, metric, margin, about, across)
        selection.offer_rating(runs)
        selection.offer_shipped(runs)
    charts.image_format_control()


show()
