"""The border between code and reader: bad input becomes a sentence, a fault an id and a log.

No traceback reaches the browser.  Fragments run without the entry script, so they are guarded one
by one with `guarded`; whole pages are guarded in `app.main`.
"""

from __future__ import annotations

import functools
import os
import secrets
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import ParamSpec, TypeVar

import streamlit as st

from app.ui.widgets import as_sentence, escape_markdown, missing_base
from peftcore import paths
from peftcore.errors import BadInput, MissingBase

P = ParamSpec("P")
R = TypeVar("R")


def log_file() -> Path:
    """Return the file with the tracebacks."""
    return paths.workspace_folder() / "logs" / "app.log"


@contextmanager
def boundary(where: str) -> Iterator[None]:
    """Show what goes wrong inside as a box; `where` names the page in the log."""
    try:
        yield
    except MissingBase as error:
        missing_base(as_sentence(str(error)))
    except BadInput as error:
        st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
    except Exception:  # the border itself: whatever is left is a fault of ours
        number = log_error(where)
        st.error(
            f"Something went wrong on our side. Error id **{number}**; the details are in the log "
            "file `logs/app.log` of the workspace. Going back or reloading the page is safe.",
            icon=":material/report:",
        )


def log_error(where: str) -> str:
    """Write the current traceback to the log and return its error id."""
    number = secrets.token_hex(4)
    path = log_file()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    entry = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {number} {where}\n{traceback.format_exc()}\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "a", encoding="utf-8") as log:
        log.write(entry)
    return number


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """The function with the boundary around it, for fragments, dialogs and callbacks."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
        with boundary(function.__qualname__):
            return function(*args, **kwargs)
        return None

    return wrapper
