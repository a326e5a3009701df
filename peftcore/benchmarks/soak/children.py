"""Forked processes that work on a folder of their own and are killed at any moment.

A fork has the base model and the libraries in memory at once, so that a kill costs a second and not
the ten of a new start. What a child has done it reports through a pipe, line by line: what was read
from there before a kill counts as acknowledged.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import time
import traceback
import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from peftcore.errors import BadInput

Acknowledge = Callable[[str], None]
LOG_NAME = "soak.log"  # what all children write, in the campaign's folder
POLL_SECONDS = 0.002
PATIENCE_SECONDS = 300.0  # beyond which a child counts as hung


@dataclass
class Child:
    """A forked process, and the lines that it acknowledged so far."""

    pid: int
    pipe: int
    name: str
    log: Path
    lines: list[str] = field(default_factory=list)
    status: int | None = None  # as `os.waitpid` has it; None while it runs
    _rest: bytes = b""

    def running(self) -> bool:
        """Return whether it still runs."""
        if self.status is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self._end(status)
        return self.status is None

    def kill(self, family: bool = False) -> None:
        """Kill it by signal 9, with `family` all its own children in the same moment."""
        if not self.running():
            return
        (os.killpg if family else os.kill)(self.pid, signal.SIGKILL)
        self._end(os.waitpid(self.pid, 0)[1])

    def end_family(self) -> None:
        """Kill it and all that it started and left behind."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)
        self.running()

    def kill_child(self) -> bool:
        """Kill a process that it started, by signal 9; False if it has none."""
        try:
            started = psutil.Process(self.pid).children()
            if started:
                started[0].kill()
        except psutil.NoSuchProcess:
            return False
        return bool(started)

    def wait(self) -> list[str]:
        """Wait for its end and return its lines; BadInput if it failed or hung."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self.running():
            if time.monotonic() > deadline:
                self.kill(family=True)
                raise BadInput(f"{self.name} hung")
            self.read(0.02)
        if self.status != 0:
            raise BadInput(f"{self.name} failed with status {self.status}: {self.log_end()}")
        return self.lines

    def read(self, seconds: float = 0.0) -> list[str]:
        """Return all lines acknowledged so far, waiting so long for more."""
        while self.pipe >= 0 and select.select([self.pipe], [], [], seconds)[0]:
            part = os.read(self.pipe, 65536)
            if not part:
                break
            *whole, self._rest = (self._rest + part).split(b"\n")
            self.lines += [line.decode() for line in whole]
            seconds = 0.0
        return self.lines

    def log_end(self) -> str:
        """Return the last line that any child wrote to the campaign's log."""
        lines = self.log.read_text("utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")

    def _end(self, status: int) -> None:
        self.status = status
        self.read()
        os.close(self.pipe)
        self.pipe = -1


def fork(home: Path, work: Callable[[Acknowledge], object], name: str = "a process") -> Child:
    """Do some work on a workspace in a forked process."""
    sys.stdout.flush()
    sys.stderr.flush()
    reading, writing = os.pipe()
    log = home.parent.parent / LOG_NAME
    pid = os.fork()
    if pid:
        os.close(writing)
        return Child(pid, reading, name, log)
    status = 1
    try:  # the child, which must never return into the caller's code
        os.setsid()
        os.close(reading)
        os.environ["PEFTCORE_HOME"] = str(home)
        output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.dup2(output, 1)
        os.dup2(output, 2)
        # Processes that it starts itself import no script of ours again.
        sys.modules["__main__"] = types.ModuleType("__main__")

        def acknowledge(line: str) -> None:
            """Report a line to the parent."""
            os.write(writing, f"{line}\n".encode())

        work(acknowledge)
        status = 0
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def call(home: Path, work: Callable[[], object], name: str = "a process") -> str:
    """Do something short in a process of its own, as another app would; return what it returned."""
    return "\n".join(fork(home, lambda acknowledge: acknowledge(str(work())), name).wait())


@contextmanager
def ending(*children: Child) -> Iterator[None]:
    """Kill what still runs at the end of the block."""
    try:
        yield
    finally:
        for child in children:
            child.kill(family=True)
