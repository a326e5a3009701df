"""What can be done with several chosen runs at once: tag, archive, delete and undo, take along."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from app.state import cache
from app.ui import errors, permitted, widgets
from peftcore.errors import BadInput
from peftcore.runs import annotation
from peftcore.runs.store import Run
from peftcore.sweeps import tuning_budget

DELETED = "runs.deleted"  # in the session: ids of the runs that were deleted last
BUNDLE = "runs.bundle"  # in the session: ids and the zip that was made of them


def show(runs: Sequence[Run]) -> None:
    """Show a row of actions on the chosen runs; what cannot be done with all says why."""
    own = [run for run in runs if not run.fixed]
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{len(runs)} chosen**", width="content")
        if len(runs) == 1:
            widgets.page_link("runs", "Open", run=runs[0].id)
        widgets.page_link("compare", "Compare", runs=",".join(run.id for run in runs))
        widgets.page_link("playground", "Ask them", runs=",".join(run.id for run in runs))
        _tag_popover(runs)
        _archive_button(runs)
        _bundle_button(runs)
        st.button(
            f"Delete {len(own)}" if own else "Delete",
            icon=":material/delete:",
            key="runs.bulk.delete",
            **permitted.to_change(
                "delete",
                *_called(own),
                help="They lie in the bin for 30 days" if own else "Runs that ship are not deleted",
                disabled=not own,
            ),
            on_click=_delete,
            args=([run.id for run in own],),
        )
    _offer_bundle(runs)


def _called(runs: Sequence[Run]) -> list[str]:
    """Return what owners call these runs."""
    return [f"run {run.id}" for run in runs]


def _tag_popover(runs: Sequence[Run]) -> None:
    """Offer to add a tag, or take one away that any of the runs has."""
    with st.popover("Tag", icon=":material/sell:"):
        word = st.text_input("New tag", key="runs.bulk.tag", placeholder="such as baseline")
        st.button(
            "Add",
            key="runs.bulk.tag.add",
            **permitted.to_change("annotate", *_called(runs), disabled=not word.strip()),
            on_click=errors.guarded(_add_tag),
            args=(runs, word),
        )
        tags = sorted({tag for run in runs for tag in annotation.read_annotation(run).tags})
        if tags:
            dropped = st.multiselect("Take away", tags, key="runs.bulk.tag.drop")
            st.button(
                "Take away",
                key="runs.bulk.tag.remove",
                **permitted.to_change("annotate", *_called(runs), disabled=not dropped),
                on_click=errors.guarded(_remove_tags),
                args=(runs, dropped),
            )


def _add_tag(runs: Sequence[Run], tag: str) -> None:
    for run in runs:
        annotation.change_tags(run, add=[tag])
    st.session_state["runs.bulk.tag"] = ""


def _remove_tags(runs: Sequence[Run], tags: Sequence[str]) -> None:
    for run in runs:
        annotation.change_tags(run, remove=tags)
    st.session_state["runs.bulk.tag.drop"] = []


def _archive_button(runs: Sequence[Run]) -> None:
    """Offer to leave runs out of the list, or to take them back."""
    archived = all(annotation.read_annotation(run).archived for run in runs)
    st.button(
        "Back from the archive" if archived else "Archive",
        icon=":material/unarchive:" if archived else ":material/archive:",
        key="runs.bulk.archive",
        **permitted.to_change(
            "annotate",
            *_called(runs),
            help="Archived runs are left out of this list; links to them keep working",
        ),
        on_click=errors.guarded(_set_archived),
        args=(runs, not archived),
    )


def _set_archived(runs: Sequence[Run], archived: bool) -> None:
    for run in runs:
        annotation.annotate(run, archived=archived)


def _bundle_button(runs: Sequence[Run]) -> None:
    """Offer to make one zip of the chosen finished runs."""
    unfinished = [run for run in runs if run.status().state != "done"]
    if st.button(
        "Bundle",
        icon=":material/package_2:",
        key="runs.bulk.bundle",
        disabled=bool(unfinished),
        help=f"{len(unfinished)} of them are not finished"
        if unfinished
        else "Specs, versions, hashes, scores and adapters in one zip; it can be trained again",
    ):
        from peftcore.exchange.bundle import bundle_bytes

        with st.spinner("Preparing the file…"):
            tried = tuning_budget.tried_rates(runs, cache.run_store().all())
            st.session_state[BUNDLE] = ([run.id for run in runs], bundle_bytes(runs, tried=tried))


def _offer_bundle(runs: Sequence[Run]) -> None:
    """Offer the zip that was made of these very runs."""
    ids, content = st.session_state.get(BUNDLE, (None, b""))
    if ids == [run.id for run in runs]:
        st.download_button(
            f"Save {widgets.format_bytes(len(content))}",
            content,
            file_name=f"{len(runs)}-runs-bundle.zip",
            mime="application/zip",
            key="runs.bulk.bundle.save",
            on_click="ignore",
            icon=":material/download:",
            type="primary",
        )


@errors.guarded
def _delete(run_ids: Sequence[str]) -> None:
    """Move runs to the bin; the first that is at work is named, and the rest goes all the same."""
    gone, problem = [], ""
    for run in run_ids:
        try:
            cache.run_store().delete(run)
        except BadInput as error:
            problem = problem or str(error)
        else:
            gone.append(run)
    remember_deleted(gone)
    if problem:
        raise BadInput(problem)


def remember_deleted(run_ids: Sequence[str]) -> None:
    """Keep what was deleted last, so that it can be undone, and untick it."""
    st.session_state[DELETED] = list(run_ids)
    st.query_params.pop("runs", None)
    st.session_state["runs.table.round"] = st.session_state.get("runs.table.round", 0) + 1


def offer_undo() -> None:
    """Offer to bring back what was deleted last in this session."""
    gone = [
        entry
        for entry in cache.run_store().deleted()
        if entry.id in st.session_state.get(DELETED, ())
    ]
    if not gone:
        return
    ids = list(dict.fromkeys(entry.id for entry in gone))
    with st.container(horizontal=True, vertical_alignment="center", border=True):
        words = "1 run was deleted" if len(ids) == 1 else f"{len(ids)} runs were deleted"
        st.markdown(f"{words}; the bin keeps them for 30 days.", width="content")
        st.button(
            "Undo",
            icon=":material/undo:",
            key="runs.undo",
            on_click=restore,
            args=(ids,),
            **permitted.to_change("restore", *(f"run {run}" for run in ids)),
        )


@errors.guarded
def restore(run_ids: Sequence[str]) -> None:
    """Bring deleted runs back."""
    for run in run_ids:
        cache.run_store().restore(run)
    st.session_state.pop(DELETED, None)


def edit_words(run: Run) -> None:
    """Offer name, tags and note of one run; what is written is kept at once."""
    found = annotation.read_annotation(run)
    with st.expander(
        "Name, tags and note", icon=":material/edit:", expanded=bool(found.note or found.tags)
    ):
        left, right = st.columns(2)
        key = f"runs.words.{run.id}"
        left.text_input("Name", found.name, key=f"{key}.name", max_chars=80)
        right.text_input(
            "Tags",
            ", ".join(found.tags),
            key=f"{key}.tags",
            help="Words between commas; the list of runs can be filtered by them",
        )
        st.text_area("Note", found.note, key=f"{key}.note", max_chars=4000, height=80)
        st.button(
            "Keep",
            key=f"{key}.keep",
            on_click=_keep_words,
            args=(run, key),
            **permitted.to_change("annotate", f"run {run.id}"),
        )


@errors.guarded
def _keep_words(run: Run, key: str) -> None:
    state = st.session_state
    annotation.annotate(
        run,
        name=state[f"{key}.name"],
        tags=tuple(state[f"{key}.tags"].split(",")),
        note=state[f"{key}.note"],
    )
