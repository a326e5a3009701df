"""What one's own runs take on the disk, what of it can go, and the bin of deleted runs."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd
import streamlit as st

from app.state import cache
from app.state.run_catalog import run_title
from app.training import run_actions
from app.ui import errors, permitted, widgets
from peftcore.runs import disk_use
from peftcore.runs.disk_use import Cleanable, Part
from peftcore.runs.store import Run

CLEANED: dict[Cleanable, tuple[str, str]] = {
    "checkpoint": (
        "Delete checkpoints of stopped runs",
        "A run that stopped short can then only begin anew",
    ),
    "path": (
        "Delete intermediate adapters",
        "The path of training can then not be drawn on a landscape any more",
    ),
}


def show() -> None:
    """Show the disk use of every run of one's own, with cleaning, and the bin below."""
    runs = cache.run_store().all(include_demos=False)
    sizes = {run.id: disk_use.disk_use(run) for run in runs}
    st.header("Disk use", anchor=False)
    if not runs:
        st.caption("No runs of your own yet.")
    else:
        total = sum(sum(size.values()) for size in sizes.values())
        st.caption(f"{len(runs)} runs take {widgets.format_bytes(total)}.")
        _clean_buttons(runs, sizes)
        widgets.table_with_download(
            _disk_table(runs, sizes),
            key="runs.disk",
            name="disk-use",
            alt="Megabytes of every run by part",
        )
    _show_bin()


def _disk_table(runs: Sequence[Run], sizes: dict[str, dict[Part, int]]) -> pd.DataFrame:
    """Tabulate megabytes by part, the largest run first."""
    rows = [
        {"Run": run_title(run), "In all (MB)": sum(sizes[run.id].values()) / 1e6}
        | {
            f"{words[:1].upper()}{words[1:]} (MB)": sizes[run.id][part] / 1e6
            for part, words in disk_use.PART_NAMES.items()
        }
        for run in runs
    ]
    return pd.DataFrame(rows).sort_values("In all (MB)", ascending=False).round(3)


def _clean_buttons(runs: Sequence[Run], sizes: dict[str, dict[Part, int]]) -> None:
    """Offer to delete what no result needs, with how much that frees."""
    with st.container(horizontal=True):
        for part, (label, effect) in CLEANED.items():
            able = [run.id for run in runs if sizes[run.id][part] and not run.status().active]
            freed = sum(sizes[run][part] for run in able)
            st.button(
                f"{label} ({widgets.format_bytes(freed)} of {len(able)})" if able else label,
                icon=":material/cleaning_services:",
                key=f"runs.clean.{part}",
                **permitted.to_change(
                    "clean", *(f"run {run}" for run in able), help=effect, disabled=not able
                ),
                on_click=_clean,
                args=(able, part),
            )


@errors.guarded
def _clean(run_ids: Sequence[str], part: Cleanable) -> None:
    for run in run_ids:
        disk_use.clean(cache.run_store().open(run), (part,))


def _show_bin() -> None:
    """List deleted runs, each with the button that brings it back."""
    st.header("Deleted runs", anchor=False)
    found = cache.run_store().deleted()
    if not found:
        st.caption("The bin is empty. What is deleted lies here for 30 days.")
        return
    for entry in found[:50]:
        with st.container(horizontal=True, vertical_alignment="center"):
            when = time.strftime("%d %b %H:%M", time.localtime(entry.deleted))
            st.markdown(
                f"`{entry.id}` deleted {when}, kept for {entry.days_left:.0f} more days",
                width="content",
            )
            st.button(
                "Restore",
                icon=":material/restore_from_trash:",
                key=f"runs.restore.{entry.folder.name}",
                on_click=run_actions.restore,
                args=([entry.id],),
                **permitted.to_change("restore", f"run {entry.id}"),
            )
