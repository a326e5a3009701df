"""Processes that outlive who started them, and which one is meant.

A number alone is recycled, so a start time and a token go with it.

Runs and jobs store an `Identity`; nothing is signalled, and nothing counts as alive, unless all of
it still fits.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import psutil

from peftcore import paths

TOKEN = "PEFTCORE_WORKER"  # environment variable that carries a worker's token
SLACK = 1.0  # seconds two readings of one start time may differ


@dataclass(frozen=True)
class Identity:
    """One process on one machine; `token` is empty if it was not started as a worker."""

    pid: int
    started: float  # epoch seconds
    token: str = ""
    host: str = ""

    def here(self) -> bool:
        """Whether the process belongs to this machine, so that it can be looked up at all."""
        return self.host == socket.gethostname()

    def process(self) -> psutil.Process | None:
        """The running process with this number, start time and token, or None."""
        if not self.here():
            return None
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.started) <= SLACK
            dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.Error:
            return None
        return process if same and not dead and self._carried_by(process) else None

    def _carried_by(self, process: psutil.Process) -> bool:
        if not self.token:
            return True
        try:
            environment = process.environ()
        except psutil.AccessDenied:
            return True  # somebody else's process: number and start time must do
        except psutil.Error:
            return False
        # Nothing at all is what can be read of a process that has just begun.
        return not environment or environment.get(TOKEN) == self.token

    def alive(self, silent: float, patience: float) -> bool:
        """Whether it was heard of within `patience` seconds and is there, as far as can be seen."""
        return silent <= patience and (not self.here() or self.process() is not None)


def current() -> Identity:
    """The identity of this process."""
    return replace(identify(os.getpid()), token=os.environ.get(TOKEN, ""))


def start(
    arguments: Sequence[str], log: Path, token: str = "", more: Mapping[str, str] | None = None
) -> Identity:
    """Run Python with arguments in a session of its own, which nobody's Ctrl+C or end reaches.

    It works on this workspace and this data, one thread, from the project's folder.  What it says
    of errors goes to the end of `log`, what it prints nowhere.  `more`: further environment.
    """
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PEFTCORE_HOME": str(paths.home()),  # whole paths: it works from another folder
        "PEFTCORE_DATA": str(paths.data()),
        **({TOKEN: token} if token else {}),
        **(more or {}),
    }
    if own := os.environ.get("PEFTCORE_MODELS"):
        environment["PEFTCORE_MODELS"] = str(Path(own).expanduser().resolve())
    with log.open("ab") as errors:
        process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=paths.ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    identity = replace(identify(process.pid), token=token)  # before it can be waited for and gone
    # Somebody must wait for it, or it stays a zombie when it ends.
    threading.Thread(target=process.wait, daemon=True).start()
    return identity


def identify(pid: int) -> Identity:
    """The identity of a process of this machine, without a token."""
    return Identity(pid, psutil.Process(pid).create_time(), host=socket.gethostname())


def end(identity: Identity, patience: float = 5.0) -> bool:
    """Terminate a process and its children, kill what remains; False if it was gone already."""
    process = identity.process()
    if process is None:
        return False
    family = [*_children(process), process]
    _signal(family, "terminate")
    _, left = psutil.wait_procs(family, timeout=patience)
    _signal(left, "kill")
    psutil.wait_procs(left, timeout=patience)
    return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal(processes: Iterable[psutil.Process], signal: str) -> None:
    for process in processes:
        try:
            getattr(process, signal)()  # psutil compares start times once more before it signals
        except psutil.NoSuchProcess:
            continue
