"""Taking a run to other programs: an adapter of the `peft` package, a merged model, a bundle.

Nothing is made before somebody asks: only then the base is loaded.  The last thing made is kept for
the session, so that its download survives the next click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

from app.state import cache
from app.ui import errors, pickers, widgets
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run
from peftcore.sweeps import tuning_budget

ExportKind = Literal["peft", "merged", "bundle"]
TITLES: dict[ExportKind, str] = {
    "peft": "Adapter for peft",
    "merged": "Merged model",
    "bundle": "Reproduction bundle",
}
DESCRIPTIONS: dict[ExportKind, str] = {
    "peft": "The files that the peft package loads. What it cannot express is refused, with why.",
    "merged": "The base with what was learnt added to its weights: loads like any model.",
    "bundle": "Spec, versions, hashes, scores and the adapter in one zip; the command line checks "
    "it and trains it again.",
}
EXPORT_FILE_KEY = "runs.export.made"


@dataclass(frozen=True)
class ExportRequest:
    """What somebody wants to take away."""

    run: str
    kind: ExportKind
    seed: int
    option: bool  # answers in a bundle, moved positions in an adapter


@dataclass(frozen=True)
class ExportFile:
    """A file ready to be saved."""

    request: ExportRequest
    content: bytes
    notes: tuple[str, ...]


def export_section(run: Run) -> None:
    """Choices, the button that makes the file, and its download."""
    if run.status().state != "done" or not (run.folder / "adapter.safetensors").is_file():
        return
    st.header("For other programs", anchor=False)
    request = _pick_export(run)
    if st.button("Prepare", icon=":material/package_2:", key="runs.export.prepare"):
        st.session_state.pop(EXPORT_FILE_KEY, None)
        with errors.boundary("runs.export"), st.spinner("Preparing the file…"):
            st.session_state[EXPORT_FILE_KEY] = _make_file(run, request)
    file: ExportFile | None = st.session_state.get(EXPORT_FILE_KEY)
    if file is None or file.request != request:
        return
    for note in file.notes:
        st.caption(widgets.escape_markdown(note))
    st.download_button(
        f"Save {widgets.format_bytes(len(file.content))}",
        file.content,
        file_name=f"{run.id}-{request.kind}.zip",
        mime="application/zip",
        key="runs.export.save",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )


def _pick_export(run: Run) -> ExportRequest:
    """Offer the kinds of export, and the seed."""
    numbers = run.spec.population.seed_numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind: ExportKind = pickers.pick_one(
            "What to take",
            get_args(ExportKind),
            "runs.export.kind",
            lambda kind: TITLES[kind],
            default="peft",
        )
        seed = numbers[0]
        if kind != "bundle":
            seed = st.selectbox("Seed", numbers, key=f"runs.export.seed.{run.id}", width=120)
    centroid_note = " Of a simplex it is the centroid." if run.spec.population.vertices > 1 else ""
    st.caption(DESCRIPTIONS[kind] + ("" if kind == "bundle" else centroid_note))
    option = False
    if kind == "bundle":
        option = st.checkbox(
            "Include the answers",
            key="runs.export.answers",
            help="They quote the data they answer, which may be somebody else's text",
        )
    elif kind == "peft" and _has_learned_positions(run):
        option = st.checkbox(
            "Positions will be moved",
            key="runs.export.moved",
            help="The package counts positions behind the prefix. All is equal if whoever calls "
            "the model passes position_ids that begin below zero, at minus the prefix length",
        )
    return ExportRequest(run.id, kind, seed, option)


def _has_learned_positions(run: Run) -> bool:
    """Return whether this is a prefix on a decoder with learned positions."""
    if run.spec.method != "prefix_tuning":
        return False
    try:
        return catalog.describe_base(run.spec.base).family == "gpt2"
    except BadInput:
        return False


def _make_file(run: Run, request: ExportRequest) -> ExportFile:
    """The file; BadInput if it cannot be made."""
    if request.kind == "bundle":
        from peftcore.exchange.bundle import bundle_bytes

        tried = tuning_budget.tried_rates([run], cache.run_store().all())
        content = bundle_bytes([run], with_answers=request.option, tried=tried)
        return ExportFile(request, content, ())
    base = cache.base_model(run.spec.base)
    from peftcore.exchange.folders import (
        export_zip,  # after the base: it needs the heavy packages whole
    )

    content, notes = export_zip(run, request.seed, request.kind, base, request.option)
    return ExportFile(request, content, tuple(notes))
