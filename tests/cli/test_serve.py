"""`app` hands its own process to Streamlit."""

import os
import sys

import pytest
from support.commands import call

from peftcore import paths
from peftcore.cli import serve

MAIN = str(paths.ROOT / "app" / "server.py")


@pytest.mark.parametrize(
    ("options", "flags"),
    [
        ([], []),
        (["--port", "9000"], ["--server.port", "9000"]),
        (["--headless"], ["--server.headless", "true"]),
    ],
)
def test_the_app_is_served(monkeypatch, options, flags):
    started, watching = [], []
    monkeypatch.setattr(
        serve.processes, "start_python", lambda arguments, log: watching.append(arguments)
    )
    monkeypatch.setattr(os, "execv", lambda *arguments: started.append(arguments))
    assert call("app", *options).exit_code == 0
    command = [sys.executable, "-m", "streamlit", "run", MAIN, *flags]
    assert started == [(sys.executable, command)]
    # Beside it somebody starts workers for jobs that wait, for as long as the server lives.
    assert watching == [["-m", "peftcore", "queue", "watch", "--process", str(os.getpid())]]
