"""The views of the Components page: the map of a base; the others are in files of their own."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from app.labs.components import explanation_views, grid_views, picker_component, selection
from app.state import wait_for_imports
from app.training import specs_from_form
from app.ui import widgets
from app.ui.frame import Frame
from peftcore.adapters.component_map import ComponentMap
from peftcore.labs.components import grid


def show_map(frame: Frame) -> None:
    """Switch cells on and off, see what that counts, and hand it on."""
    base = selection.pick_base(frame.bar)
    with frame.picture:
        if not selection.has_shipped_map(base) and not wait_for_imports.ready_or_wait("components"):
            return
    cell_map = selection.find_cell_map(base)
    selection.restore_cells(cell_map)
    with frame.side:
        selection.pick_preset(cell_map)
        place = st.container()
    frame.explain(
        "Every square is one kind of weights in one layer; its dot grows with how many numbers it "
        "holds. Press squares, names of rows or numbers of layers; arrow keys move, space switches."
    )
    with frame.picture:
        picker_component.show_component_map(cell_map)
    selected = picker_component.selected_cells(cell_map)
    selection.write_cells(cell_map)
    count = cell_map.count(selected)
    frame.say(
        f"What is on trains {count:,} of the {cell_map.total:,} parameters of {base}: "
        f"{cell_map.percent(count):.3f} %.",
        "counted from shapes, not estimated",
    )
    with place:
        _show_counts(cell_map, selected)
        st.button(
            "Switch everything off",
            icon=":material/backspace:",
            key="components.clear",
            on_click=picker_component.select_cells,
            args=(cell_map, ()),
            disabled=not selected,
        )
        if not selected:
            st.info("Nothing is on, so nothing would be trained. Switch on one square or more.")
    if selected:
        with frame.below:
            _show_settings(cell_map)


def _show_counts(cell_map: ComponentMap, selected: frozenset[str]) -> None:
    """Numerator, denominator and share of what is on."""
    count = cell_map.count(selected)
    with st.container(horizontal=True):
        st.metric("Trainable parameters", f"{count:,}")
        st.metric("Of the base's", f"{cell_map.total:,}")
        st.metric("Share", f"{cell_map.percent(count):.3f} %")
    selection.show_count_note(cell_map.base)


def _show_settings(cell_map: ComponentMap) -> None:
    """The choice in settings, on other bases, on the Train page and on the command line."""
    settings = selection.selected_settings(cell_map)
    st.markdown(
        f"**SparseFit with** {widgets.escape_markdown(selection.settings_in_words(settings))}"
    )
    if selection.can_train(cell_map.base):
        if st.button(
            "Train this", type="primary", icon=":material/model_training:", key="components.train"
        ):
            selection.open_train_page(cell_map.base, settings)
        with st.expander("The same on the command line", icon=":material/terminal:"):
            spec = grid.subset_spec(cell_map.base, "miniworld_nli", settings)
            st.code(specs_from_form.training_command(spec), language="bash", wrap_lines=True)
    else:
        st.caption(
            "This base is counted from its published shape and is not on this machine; choose one "
            "that is to train."
        )
    table = selection.counts_on_other_bases(settings)
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
            widgets.download(table, key="components.elsewhere", name=f"{cell_map.base}-elsewhere")


VIEWS: dict[str, Callable[[Frame], None]] = {
    "Map": show_map,
    "Grid": grid_views.show,
    "Explanations": explanation_views.show,
}
