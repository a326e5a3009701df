"""Room on the disk, asked for before work begins that will write."""

from __future__ import annotations

import shutil
from pathlib import Path

from peftcore.errors import BadInput

RESERVE_BYTES = 100_000_000  # left for everything else that writes meanwhile


def require_space(folder: Path, needed: int) -> None:
    """Raise BadInput unless the disk of a folder has so many bytes free and a reserve."""
    free = shutil.disk_usage(folder).free
    if free < needed + RESERVE_BYTES:
        raise BadInput(
            f"{needed / 1e6:,.0f} MB and a reserve of {RESERVE_BYTES / 1e6:,.0f} MB are needed and "
            f"{free / 1e6:,.0f} MB are free at {folder}; make room, or set PEFTCORE_HOME to "
            "another disk"
        )
