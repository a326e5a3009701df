"""Where things lie on disk.

| what | environment | otherwise |
| --- | --- | --- |
| data sets, one folder each | PEFTCORE_DATA | data/ in the project |
| runs, jobs, imported tables | PEFTCORE_HOME | workspace/ in the project |
| embedded bases, demo runs | | assets/ in the project |
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ASSETS = ROOT / "assets"


def data_folder() -> Path:
    """The folder of data sets in the hub's layout; it need not exist."""
    return Path(os.environ.get("PEFTCORE_DATA") or ROOT / "data").expanduser().resolve()


def workspace_folder() -> Path:
    """The folder everything of ours is written to, made if missing, open to its owner only."""
    path = Path(os.environ.get("PEFTCORE_HOME") or ROOT / "workspace").expanduser().resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
