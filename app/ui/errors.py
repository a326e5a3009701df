"""The border between code and reader: bad input becomes a sentence, a fault an id and a log.

No traceback reaches the browser.  Fragments run without the entry script, so they are guarded one
by one with `guarded`; whole pages are guarded in `app.main`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

import streamlit as st

from app.ui.widgets import as_sentence, escape_markdown, missing_base
from peftcore.errors import BadInput, MissingBase
from peftcore.system.faults import describe_refusal, log_fault

P = ParamSpec("P")
R = TypeVar("R")


@contextmanager
def boundary(where: str) -> Iterator[None]:
    """Show what goes wrong inside as a box; `where` names the page in the log."""
    try:
        yield
    except MissingBase as error:
        missing_base(as_sentence(str(error)))
    except BadInput as error:
        st.error(escape_markdown(as_sentence(str(error))), icon=":material/error:")
    except Exception as error:  # the border itself: whatever is left is a fault of ours
        if refusal := describe_refusal(error):
            st.error(escape_markdown(as_sentence(refusal)), icon=":material/error:")
            return
        number = log_fault(where)
        st.error(
            f"Something went wrong on our side. Error id **{number}**; the details are in the log "
            "file `logs/app.log` of the workspace. Going back or reloading the page is safe.",
            icon=":material/report:",
        )


def guarded(function: Callable[P, R]) -> Callable[P, R | None]:
    """The function with the boundary around it, for fragments, dialogs and callbacks."""

    @functools.wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R | None:
        with boundary(function.__qualname__):
            return function(*args, **kwargs)
        return None

    return wrapper
