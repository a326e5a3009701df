"""The store of ratings as pages open it: one for the whole server."""

from __future__ import annotations

import os

import streamlit as st

from peftcore import paths
from peftcore.rating import RatingStore, RatingUser, experimenter
from peftcore.rating.demo import open_rating_store


def rating_store() -> RatingStore:
    """The store of this workspace, with the demo project in it."""
    return _rating_store(str(paths.workspace_folder()), os.environ.get("PEFTCORE_DATABASE", ""))


@st.cache_resource(max_entries=4, show_spinner="Opening the ratings…")
def _rating_store(home: str, database: str) -> RatingStore:
    return open_rating_store()


def current_experimenter(login: str = "") -> RatingUser:
    """Whoever runs the lab; pages call this only for visits that `visitors` took for theirs."""
    return experimenter(login or "experimenter")
