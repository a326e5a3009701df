"""Folders on disk.

| what | environment | otherwise |
| --- | --- | --- |
| data sets, one folder each | PEFTCORE_DATA | data/ in the project |
| runs, jobs, imported tables | PEFTCORE_HOME | workspace/ in the project |
| embedded bases, demo runs | | assets/ in the project |

Installed by pip there is no project's folder: data/ and workspace/ are in the user's own
adapter-lab folder (~/.local/share, or XDG_DATA_HOME), and assets come with the package (setup.py).
"""

import os
from pathlib import Path

from peftcore.errors import BadInput

ROOT = Path(__file__).resolve().parents[1]
INSTALLED = not (ROOT / "pyproject.toml").is_file()
ASSETS = ROOT / "peftcore" / "assets" if INSTALLED else ROOT / "assets"
PAGES = ROOT / "app" / "page_scripts" if INSTALLED else ROOT / "pages"


def _user_root() -> Path:
    """Return the parent of data/ and workspace/, unless the environment names others."""
    if not INSTALLED:
        return ROOT
    shared = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return expand(shared) / "adapter-lab"


def expand(path: str | Path) -> Path:
    """Return a path with `~` replaced by the home it names; BadInput if there is none."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        raise BadInput(f"no home folder for {str(path)[:80]!r}: write the path out") from None


def _setting(name: str, otherwise: Path) -> Path:
    """Return the folder that a variable names, in full; BadInput names the variable."""
    value = os.environ.get(name)
    try:
        return expand(value or otherwise).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise BadInput(f"{name} names no folder: {str(value)[:80]!r} ({error})") from None


def data_folder() -> Path:
    """Return the folder of data sets in the hub's layout; it need not exist."""
    return _setting("PEFTCORE_DATA", _user_root() / "data")


def workspace_folder() -> Path:
    """Return the folder of all we write, created if missing, open to its owner only."""
    path = _setting("PEFTCORE_HOME", _user_root() / "workspace")
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(
            f"the workspace {str(path)[:200]} cannot be made ({(error.strerror or '').lower()}); "
            "set PEFTCORE_HOME to a folder of yours"
        ) from None
    return path
