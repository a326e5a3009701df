"""The views of the Components page: the map of a base; the others are in files of their own."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app import (
    component_choices,
    component_grid_views,
    component_picker,
    component_quality,
    plans,
    waiting,
    widgets,
)
from peftcore import component_grids
from peftcore.component_map import ComponentMap


def choose() -> None:
    """Switch cells on and off, see what that counts, and hand it on."""
    left, right = st.columns(2)
    with left:
        base = component_choices.pick_base()
    if not component_choices.ships(base) and not waiting.ready("components"):
        return
    found = component_choices.find(base)
    with right:
        component_choices.pick_preset(found)
    st.caption(
        "Every square is one kind of weights in one layer; its dot grows with how many numbers it "
        "holds. Press squares, names of rows or numbers of layers; arrow keys move, space switches."
    )
    component_picker.draw(found)
    on = component_picker.on(found)
    _figures(found, on)
    st.button(
        "Switch everything off",
        icon=":material/backspace:",
        key="components.clear",
        on_click=component_picker.put,
        args=(found, ()),
        disabled=not on,
    )
    if not on:
        st.info("Nothing is on, so nothing would be trained. Switch on one square or more.")
        return
    _hand_on(found)


def _figures(found: ComponentMap, on: frozenset[str]) -> None:
    """Numerator, denominator and share of what is on."""
    count = found.count(on)
    with st.container(horizontal=True):
        st.metric("Trained numbers", f"{count:,}")
        st.metric("Of the base's", f"{found.total:,}")
        st.metric("Share", f"{found.percent(count):.3f} %")
    component_choices.note(found.base)


def _hand_on(found: ComponentMap) -> None:
    """The choice in settings, on other bases, on the Train page and on the command line."""
    made = component_choices.settings(found)
    st.markdown(f"**SparseFit with** {widgets.plain(component_choices.in_words(made))}")
    if component_choices.at_hand(found.base):
        if st.button(
            "Train this", type="primary", icon=":material/model_training:", key="components.train"
        ):
            component_choices.hand_to_train(found.base, made)
        with st.expander("The same on the command line", icon=":material/terminal:"):
            spec = component_grids.spec(found.base, "miniworld_nli", made)
            st.code(plans.command(spec), language="bash", wrap_lines=True)
    else:
        st.caption(
            "This base is counted from its published shape and is not on this machine; choose one "
            "that is to train."
        )
    table = component_choices.elsewhere(made)
    if not table.empty:
        with st.expander("The same settings on other bases", icon=":material/table:"):
            st.dataframe(
                table,
                hide_index=True,
                alt="Numbers that the same settings train on every base whose shape is known",
                column_config={
                    "Trained": st.column_config.NumberColumn(format="localized"),
                    "Of": st.column_config.NumberColumn(format="localized"),
                    "Share (%)": st.column_config.NumberColumn(format="%.3f"),
                },
            )
            widgets.download(table, key="components.elsewhere", name=f"{found.base}-elsewhere")


VIEWS: dict[str, Callable[[], None]] = {
    "Map": choose,
    "Grid": component_grid_views.show,
    "Explanations": component_quality.show,
}
