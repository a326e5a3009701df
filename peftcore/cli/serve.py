"""The command `app`: serve the pages."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from peftcore import paths
from peftcore.cli import app
from peftcore.system import processes


@app.command("app")
def serve(
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; empty: 8501.")
    ] = None,
    headless: Annotated[
        bool, typer.Option("--headless", help="Do not open a browser on this machine.")
    ] = False,
) -> None:
    """Serve the app to browsers on this machine until Ctrl+C.

    Workers that waiting jobs miss are started as long as it runs, whether or not anybody looks.
    STREAMLIT_* variables change the rest, such as STREAMLIT_SERVER_ADDRESS.
    """
    command = [sys.executable, "-m", "streamlit", "run", str(paths.ROOT / "app" / "server.py")]
    command += ["--server.port", str(port)] if port else []
    command += ["--server.headless", "true"] if headless else []
    _watch_queue()
    sys.stdout.flush()
    os.execv(sys.executable, command)  # in this process, which signals then reach


def _watch_queue() -> None:
    """Start the process that looks after workers; it ends with this one."""
    arguments = ["-m", "peftcore", "queue", "watch", "--process", str(os.getpid())]
    processes.start_python(arguments, paths.workspace_folder() / "worker.log")
