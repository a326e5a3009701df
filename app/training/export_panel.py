"""Taking a run to other programs: an adapter of the `peft` package, a merged model, a bundle.

Nothing is made before somebody asks: only then the base is loaded.  The last thing made is kept for
the session, so that its download survives the next click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import streamlit as st

from app.state import cache
from app.ui import errors, widgets
from peftcore.errors import BadInput
from peftcore.models import catalog
from peftcore.runs.store import Run

Kind = Literal["peft", "merged", "bundle"]
NAMES: dict[Kind, str] = {
    "peft": "Adapter for peft",
    "merged": "Merged model",
    "bundle": "Reproduction bundle",
}
SAYS: dict[Kind, str] = {
    "peft": "The files that the peft package loads. What it cannot express is refused, with why.",
    "merged": "The base with what was learnt added to its weights: loads like any model.",
    "bundle": "Spec, versions, hashes, scores and the adapter in one zip; the command line checks "
    "it and trains it again.",
}
MADE = "runs.export.made"


@dataclass(frozen=True)
class Asked:
    """What somebody wants to take away."""

    run: str
    kind: Kind
    seed: int
    option: bool  # answers in a bundle, moved positions in an adapter


@dataclass(frozen=True)
class Made:
    """A file ready to be saved."""

    asked: Asked
    content: bytes
    notes: tuple[str, ...]


def section(run: Run) -> None:
    """Choices, the button that makes the file, and its download."""
    if run.status().state != "done" or not (run.folder / "adapter.safetensors").is_file():
        return
    st.header("For other programs", anchor=False)
    asked = _asked(run)
    if st.button("Prepare", icon=":material/package_2:", key="runs.export.prepare"):
        st.session_state.pop(MADE, None)
        with errors.boundary("runs.export"), st.spinner("Preparing the file…"):
            st.session_state[MADE] = _make(run, asked)
    made: Made | None = st.session_state.get(MADE)
    if made is None or made.asked != asked:
        return
    for note in made.notes:
        st.caption(widgets.plain(note))
    st.download_button(
        f"Save {widgets.size(len(made.content))}",
        made.content,
        file_name=f"{run.id}-{asked.kind}.zip",
        mime="application/zip",
        key="runs.export.save",
        on_click="ignore",
        icon=":material/download:",
        type="primary",
    )


def _asked(run: Run) -> Asked:
    numbers = run.spec.population.numbers()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        kind: Kind = st.segmented_control(
            "What to take",
            get_args(Kind),
            default="peft",
            required=True,
            format_func=lambda kind: NAMES[kind],
            key="runs.export.kind",
        )
        seed = numbers[0]
        if kind != "bundle":
            seed = st.selectbox("Seed", numbers, key=f"runs.export.seed.{run.id}", width=120)
    middle = " Of a simplex it is the centroid." if run.spec.population.vertices > 1 else ""
    st.caption(SAYS[kind] + ("" if kind == "bundle" else middle))
    option = False
    if kind == "bundle":
        option = st.checkbox(
            "Include the answers",
            key="runs.export.answers",
            help="They quote the data they answer, which may be somebody else's text",
        )
    elif kind == "peft" and _counts_positions(run):
        option = st.checkbox(
            "Positions will be moved",
            key="runs.export.moved",
            help="The package counts positions behind the prefix. All is equal if whoever calls "
            "the model passes position_ids that begin below zero, at minus the prefix length",
        )
    return Asked(run.id, kind, seed, option)


def _counts_positions(run: Run) -> bool:
    """Whether this is a prefix on a decoder with learned positions."""
    if run.spec.method != "prefix_tuning":
        return False
    try:
        return catalog.describe(run.spec.base).family == "gpt2"
    except BadInput:
        return False


def _make(run: Run, asked: Asked) -> Made:
    """The file; BadInput if it cannot be made."""
    if asked.kind == "bundle":
        from peftcore.exchange.bundle import bundle_bytes

        return Made(asked, bundle_bytes([run], with_answers=asked.option), ())
    base = cache.base(run.spec.base)
    from peftcore.exchange.folders import (
        export_zip,  # after the base: it needs the heavy packages whole
    )

    content, notes = export_zip(run, asked.seed, asked.kind, base, asked.option)
    return Made(asked, content, tuple(notes))
