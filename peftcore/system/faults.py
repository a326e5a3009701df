"""Errors that no input caused: what the machine refuses, in a sentence, and faults of ours.

The machine refuses a full disk, a folder that may not be written, a name that is too long, memory.
All that is left is a fault of ours; it gets an error id, and its traceback goes to the log.
"""

from __future__ import annotations

import errno
import os
import secrets
import traceback
from datetime import UTC, datetime
from pathlib import Path

from peftcore import paths
from peftcore.errors import BadInput

NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


def describe_refusal(error: BaseException) -> str:
    """Return in a sentence what the machine refused; empty if the error is a fault of ours."""
    if isinstance(error, OSError):
        return _describe_os_error(error)
    if isinstance(error, MemoryError):
        return "this machine has not enough memory for this: take less at once, or free some"
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return "an argument holds bytes that are no text in this terminal's encoding"
    kind = type(error)
    if kind.__module__.startswith("sqlalchemy.") and kind.__name__ == "OperationalError":
        return f"the database refused: {str(getattr(error, 'orig', '')).strip().splitlines()[0]}"
    return ""


def _describe_os_error(error: OSError) -> str:
    """Name the file and the reason; empty where no file is named, which says too little."""
    if error.errno in NO_SPACE:
        where = f" for {shorten(error.filename)}" if error.filename else ""
        return (
            f"no space is left on the disk{where}; what was written before is kept: free some "
            "space and do it again"
        )
    if error.errno is None or not error.filename or _is_ours(error):
        return ""
    return f"{shorten(error.filename)}: {(error.strerror or type(error).__name__).lower()}"


def _is_ours(error: OSError) -> bool:
    """Return whether a file is missing that we should have written or brought along."""
    if error.errno != errno.ENOENT or not isinstance(error.filename, str):
        return False
    file = Path(error.filename)
    return any(file.is_relative_to(own) for own in (paths.workspace_folder(), paths.ROOT))


def shorten(name: object, most: int = 120) -> str:
    """Return a name as it is typed, its middle left out where it is long."""
    text = repr(os.fsdecode(name) if isinstance(name, bytes | os.PathLike) else str(name))
    return text if len(text) <= most else f"{text[: most // 2]}…{text[-most // 2 :]}"


def log_file() -> Path:
    """Return the file with the tracebacks of faults."""
    return paths.workspace_folder() / "logs" / "app.log"


def log_fault(where: str) -> str:
    """Write the current traceback to the log and return its error id.

    Where the log itself cannot be written the id stands for nothing but its place on the screen.
    """
    number = secrets.token_hex(4)
    entry = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} {number} {where}\n{traceback.format_exc()}\n"
    try:
        path = log_file()
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace") as log:
            log.write(entry)
    except (OSError, BadInput):
        return f"{number} (the log cannot be written)"
    return number
