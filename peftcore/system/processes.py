"""Processes that outlive their starter, and how one is recognised again.

A process number alone is reused, so a start time and a token go with it. Runs and jobs store a
`ProcessIdentity`; nothing is signalled, and nothing counts as alive, unless all of it still fits.
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

TOKEN_VARIABLE = "PEFTCORE_WORKER"  # environment variable that carries a worker's token
START_TIME_TOLERANCE = 1.0  # seconds two readings of one start time may differ
FIRST_CLOCK_TIME = 1e9  # seconds: 2001 by the clock, and 31 years of a system that runs


@dataclass(frozen=True)
class ProcessIdentity:
    """One process on one machine; `token` is empty if it was not started as a worker."""

    pid: int
    started: float  # as `_start_time` has it; of earlier versions epoch seconds
    token: str = ""
    host: str = ""

    def is_local(self) -> bool:
        """Return whether the process belongs to this machine, so that it can be looked up."""
        return self.host == socket.gethostname()

    def find_process(self) -> psutil.Process | None:
        """Return the running process with this number, start time and token, or None."""
        if not self.is_local():
            return None
        try:
            process = psutil.Process(self.pid)
            stored_by_clock = self.started > FIRST_CLOCK_TIME
            started = process.create_time() if stored_by_clock else _start_time(process)
            same = abs(started - self.started) <= START_TIME_TOLERANCE
            dead = process.status() in (psutil.STATUS_ZOMBIE, psutil.STATUS_DEAD)
        except psutil.Error:
            return None
        return process if same and not dead and self._has_token(process) else None

    def _has_token(self, process: psutil.Process) -> bool:
        """Return whether the process carries this token, as far as that can be read."""
        if not self.token:
            return True
        try:
            environment = process.environ()
        except psutil.AccessDenied:
            return True  # somebody else's process: number and start time must do
        except psutil.Error:
            return False
        # Nothing at all is what can be read of a process that has just begun.
        return not environment or environment.get(TOKEN_VARIABLE) == self.token

    def is_alive(self, silent_seconds: float, timeout: float) -> bool:
        """Return whether it gave a sign within `timeout` seconds and, if local, still runs."""
        return silent_seconds <= timeout and (
            not self.is_local() or self.find_process() is not None
        )


def current_process() -> ProcessIdentity:
    """Return the identity of this process."""
    return replace(identify(os.getpid()), token=os.environ.get(TOKEN_VARIABLE, ""))


def start_python(
    arguments: Sequence[str],
    log: Path,
    token: str = "",
    extra_environment: Mapping[str, str] | None = None,
) -> ProcessIdentity:
    """Start Python with arguments in a session of its own, which outlives the caller.

    It works on this workspace and this data, with one thread, from the project's folder. Its
    standard error is appended to `log`, its output discarded.
    """
    environment = python_environment() | dict(extra_environment or {})
    if token:
        environment[TOKEN_VARIABLE] = token
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


def python_environment() -> dict[str, str]:
    """Return the environment of a process of ours: one thread, this workspace and this data."""
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "PEFTCORE_HOME": str(paths.workspace_folder()),  # whole paths: it works from another folder
        "PEFTCORE_DATA": str(paths.data_folder()),
    }
    if own_models := os.environ.get("PEFTCORE_MODELS"):
        environment["PEFTCORE_MODELS"] = str(paths.expand(own_models).resolve())
    return environment


def identify(pid: int) -> ProcessIdentity:
    """Return the identity of a process of this machine, without a token."""
    return ProcessIdentity(pid, _start_time(psutil.Process(pid)), host=socket.gethostname())


def _start_time(process: psutil.Process) -> float:
    """Return when a process started, in seconds since the system did where that can be read.

    By the clock, which is all that other systems have, it would move whenever the clock is set, and
    a living process would count as gone.
    """
    try:
        fields = Path(f"/proc/{process.pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return process.create_time()
    ticks = fields.rpartition(")")[2].split()[19]  # of the name in brackets anything may be a part
    return int(ticks) / os.sysconf("SC_CLK_TCK")


def terminate(identity: ProcessIdentity, timeout: float = 5.0) -> bool:
    """Terminate a process and its children, kill what remains; False if it was gone."""
    process = identity.find_process()
    if process is None:
        return False
    family = [*_children(process), process]
    _signal_all(family, "terminate")
    _, survivors = psutil.wait_procs(family, timeout=timeout)
    _signal_all(survivors, "kill")
    psutil.wait_procs(survivors, timeout=timeout)
    return True


def _children(process: psutil.Process) -> list[psutil.Process]:
    """List a process's children; empty if it is gone."""
    try:
        return process.children(recursive=True)
    except psutil.Error:
        return []


def _signal_all(processes: Iterable[psutil.Process], signal: str) -> None:
    """Signal processes, passing over those that are gone."""
    for process in processes:
        try:
            getattr(process, signal)()  # psutil compares start times once more before it signals
        except psutil.NoSuchProcess:
            continue
