"""The views of the Components page: the map of a base; the others are in files of their own."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.labs.components import explanation_views, grid_views, picker_component, selection
from app.state import wait_for_imports
from app.training import specs_from_form
from app.ui import widgets
from peftcore.adapters.component_map import ComponentMap
from peftcore.labs.components import grid


def choose() -> None:
    """Switch cells on and off, see what that counts, and hand it on."""
    left, right = st.columns(2)
    with left:
        base = selection.pick_base()
    if not selection.ships(base) and not wait_for_imports.ready_or_wait("components"):
        return
    found = selection.find(base)
    with right:
        selection.pick_preset(found)
    st.caption(
        "Every square is one kind of weights in one layer; its dot grows with how many numbers it "
        "holds. Press squares, names of rows or numbers of layers; arrow keys move, space switches."
    )
    picker_component.draw(found)
    on = picker_component.on(found)
    _figures(found, on)
    st.button(
        "Switch everything off",
        icon=":material/backspace:",
        key="components.clear",
        on_click=picker_component.put,
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
    selection.note(found.base)


def _hand_on(found: ComponentMap) -> None:
    """The choice in settings, on other bases, on the Train page and on the command line."""
    made = selection.settings(found)
    st.markdown(f"**SparseFit with** {widgets.escape_markdown(selection.in_words(made))}")
    if selection.at_hand(found.base):
        if st.button(
            "Train this", type="primary", icon=":material/model_training:", key="components.train"
        ):
            selection.hand_to_train(found.base, made)
        with st.expander("The same on the command line", icon=":material/terminal:"):
            spec = grid.subset_spec(found.base, "miniworld_nli", made)
            st.code(specs_from_form.training_command(spec), language="bash", wrap_lines=True)
    else:
        st.caption(
            "This base is counted from its published shape and is not on this machine; choose one "
            "that is to train."
        )
    table = selection.elsewhere(made)
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
    "Grid": grid_views.show,
    "Explanations": explanation_views.show,
}
