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


def data_folder() -> Path:
    """Return the folder of data sets in the hub's layout; it need not exist."""
    return Path(os.environ.get("PEFTCORE_DATA") or _user_root() / "data").expanduser().resolve()


def workspace_folder() -> Path:
    """Return the folder of all we write, created if missing, open to its owner only."""
    path = (
        Path(os.environ.get("PEFTCORE_HOME") or _user_root() / "workspace").expanduser().resolve()
    )
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
