"""Home: a real head of a pretrained model in the first second, three doors, and what is new."""

import streamlit as st

from app.compare import latest_comparison as latest
from app.figures import seed_dots
from app.learn import introduction
from app.state import cache, run_catalog
from app.ui import charts, errors, widgets

st.title("What can a few thousand numbers do to a frozen language model?", anchor=False)
introduction.show_moving_row()
introduction.show_doors()


@errors.guarded
def show_running() -> None:
    """Say what is trained or waits."""
    working = latest.running_runs()
    for run_id, state in working:
        with st.container(horizontal=True, vertical_alignment="center"):
            widgets.state_badge(state)
            run = cache.run_store().open(run_id)
            widgets.page_link("runs", run_catalog.run_title(run), run=run_id)
    if not working:
        st.caption("Nothing is being trained.")


@errors.guarded
def show_latest() -> None:
    """Show the newest comparison as dots."""
    found = latest.latest_comparison()
    if found is None:
        widgets.empty_state(
            "No results yet",
            "Pick a task and tick a few methods; a small comparison takes a few minutes.",
            "train",
        )
        return
    charts.chart(
        seed_dots.seed_dots(found.values, found.metric, found.styles),
        key="home.latest",
        name="latest-comparison",
        alt=seed_dots.seed_dots_alt(found.values, found.metric, found.styles),
    )
    origin = "Demo runs, which come with the app. " if found.is_demo else ""
    st.caption(
        widgets.escape_markdown(
            f"{found.task}, {found.base}. Each dot is a seed, the large mark their mean. {origin}"
            "Intervals and verdicts are on Compare."
        )
    )
    widgets.page_link("compare", "Compare them", runs=",".join(found.values))


st.header("The five papers here", anchor=False)
introduction.show_papers()
st.header("Now and lately", anchor=False)
show_running()
show_latest()
