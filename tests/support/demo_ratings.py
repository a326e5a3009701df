"""The demo projects of ratings, loaded once for all the workspaces that tests start from."""

import os
import shutil
import tempfile
from pathlib import Path

from peftcore import paths
from peftcore.rating import demo


def load_demos_once() -> None:
    """Let a workspace without a database begin with a copy of one that holds the demo projects.

    Loading and checking them takes longer than most pages do, and every test has its own workspace.
    Databases that are named, and those that are there already, are opened as always.
    """
    open_with_demos, folder = demo._open_with_demos, tempfile.TemporaryDirectory()
    made = Path(folder.name) / "lab.sqlite"

    def open_copy(url):
        file = paths.workspace_folder() / "lab.sqlite"
        of_its_own = url is None and not os.environ.get("PEFTCORE_DATABASE")
        if of_its_own and file.parent.is_dir() and not file.exists():
            if not made.exists():
                open_with_demos(f"sqlite:///{made}").close()
            shutil.copy(made, file)
            folder  # noqa: B018  kept as long as this function is
        return open_with_demos(url)

    demo._open_with_demos = open_copy
