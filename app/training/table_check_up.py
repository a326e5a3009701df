"""The check-up on the Data page: what is odd about a table, and a button for each remedy."""

from __future__ import annotations

import streamlit as st

from app.state import cache
from app.ui import widgets
from peftcore.data import table_checks
from peftcore.data.table_checks import TableProblem
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.tasks import table
from peftcore.tasks.table import ColumnMapping, MappedTable, TaskKind

NO_BASE = "(none)"
TITLES = {
    table_checks.LEAVE_OUT: "Leave them out",
    table_checks.CUT: "Cut them",
    table_checks.CLEAN: "Take the signs out",
}


def show_check_up(
    parsed: MappedTable, columns: ColumnMapping, kind: TaskKind, page: str
) -> tuple[list[str], str]:
    """Show what is odd; return the remedies that are chosen and the base that lengths are of."""
    st.header("Check-up", anchor=False)
    names = [NO_BASE, *catalog.base_folders()]
    base = st.selectbox(
        "Base model that is to read it",
        names,
        key=f"{page}.check.base",
        help="Counts lengths by its tokens, and finds labels that it cannot write.",
        width=320,
    )
    base = "" if base == NO_BASE else str(base)
    chosen: list[str] = st.session_state.setdefault(f"{page}.check.remedies", [])
    try:
        splits = table.split_rows(parsed, columns, kind)
        reader = cache.table_reader(base, parsed.labels) if base else None
        before = table_checks.check_up(splits, kind, reader)
        offered = {key for found in before for key in found.remedy_keys}
        chosen[:] = [key for key in chosen if key in offered]
        repaired, left_out = table_checks.apply_remedies(splits, kind, chosen, reader)
    except BadInput as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        return [], base
    if not before:
        st.success("Nothing odd was found.", icon=":material/check_circle:")
    for finding in before:
        _show_finding(finding, chosen, page)
    if chosen:
        sizes = ", ".join(f"{len(rows):,} {split}" for split, rows in repaired.items())
        count = len(left_out)
        are = "row is" if count == 1 else "rows are"
        st.caption(f"With these remedies {count:,} {are} left out: {sizes} remain.")
    return chosen, base


def _show_finding(finding: TableProblem, chosen: list[str], page: str) -> None:
    """Show one oddity with examples, and what can be done about it."""
    with st.container(border=True):
        st.markdown(widgets.escape_markdown(widgets.as_sentence(finding.sentence)))
        st.code("\n".join(finding.examples), language=None, wrap_lines=True)
        with st.container(horizontal=True):
            for key, remedy in zip(finding.remedy_keys, finding.remedies, strict=True):
                active = key in chosen
                st.button(
                    f"{TITLES[remedy]}{', chosen' if active else ''}",
                    key=f"{page}.check.{key}",
                    icon=":material/check:" if active else ":material/healing:",
                    type="primary" if active else "secondary",
                    on_click=_toggle,
                    args=(chosen, key, finding.remedy_keys),
                )


def _toggle(chosen: list[str], key: str, others: list[str]) -> None:
    """Choose a remedy in place of the finding's other one, or take it back."""
    taken = key in chosen
    chosen[:] = [each for each in chosen if each not in others] + ([] if taken else [key])
