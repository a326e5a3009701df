"""The book of ratings as pages open it: one for the whole server."""

from __future__ import annotations

import os

import streamlit as st

from peftcore import paths
from peftcore.rating import Actor, Book, experimenter
from peftcore.rating.demo import open_book


def book() -> Book:
    """The book of this workspace, with the demo project in it."""
    return _book(str(paths.home()), os.environ.get("PEFTCORE_DATABASE", ""))


@st.cache_resource(max_entries=4, show_spinner="Opening the book of ratings…")
def _book(home: str, database: str) -> Book:
    return open_book()


def me(login: str = "") -> Actor:
    """Whoever runs the lab; pages call this only for visits that `visitors` took for theirs."""
    return experimenter(login or "experimenter")
